//! Which build runs where: image × service × node.

use std::collections::BTreeMap;
use std::fmt::Write;

use imgstack_planner::{
    Disk, FORMAT_VERSION, Inventory, Known, ObservedEngine, PlannedImage, Report, StackPlan,
    StoredBuild,
};
use imgstack_spec::{Address, ByteSize, Digest, ImageRef, NodeName, Service};
use jiff::Timestamp;
use serde::Serialize;

use super::fold::{beside, listed};
use super::plan::{findings, image_heading, wanted};
use super::style::{BAD, BOLD, DIM, GOOD, WARN, inline, paint, shortest};
use super::table::Table;

/// What `status` shows, and prints as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    format_version: &'static str,
    created_at: Timestamp,
    pub(crate) stacks: Vec<StackStatus>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StackStatus {
    name: String,
    endpoint: String,
    images: Vec<ImageStatus>,
    pub(crate) report: Report,
}

#[derive(Debug, Serialize)]
struct ImageStatus {
    image: PlannedImage,
    tasks: Vec<TaskStatus>,
    /// The nodes whose own engine the spec names a way to.
    nodes: BTreeMap<NodeName, Known<NodeStatus>>,
}

/// What a node holds of an image's repository.
#[derive(Debug, Serialize)]
struct NodeStatus {
    builds: Vec<StoredBuild>,
    /// Whether the wanted build is among them; None where that is not known.
    wanted: Option<bool>,
    /// The file system of its data root.
    disk: Known<Disk>,
}

/// One task that is meant to run.
#[derive(Debug, Serialize)]
struct TaskStatus {
    service: String,
    node: Option<NodeName>,
    image: String,
    state: String,
    /// Runs, on a node that the managers hear.
    running: bool,
    /// Whether it runs the wanted build; None where that is not known.
    wanted: Option<bool>,
}

impl Status {
    pub(crate) fn of<'a>(
        created_at: Timestamp,
        stacks: impl Iterator<Item = (StackPlan, &'a Inventory)>,
    ) -> Self {
        let stacks = stacks.map(|(plan, inventory)| StackStatus {
            name: plan.stack.name.to_string(),
            endpoint: plan.endpoint.clone(),
            images: plan
                .images
                .iter()
                .map(|image| ImageStatus {
                    image: image.clone(),
                    tasks: tasks(&plan, image, inventory),
                    nodes: nodes(image, inventory),
                })
                .collect(),
            report: plan.report,
        });
        Self {
            format_version: FORMAT_VERSION,
            created_at,
            stacks: stacks.collect(),
        }
    }
}

fn tasks(plan: &StackPlan, image: &PlannedImage, inventory: &Inventory) -> Vec<TaskStatus> {
    let Known::Known(services) = &inventory.services else {
        return Vec::new();
    };
    let uses = |service: &&Service| Address::Image(service.image.clone()) == image.address;
    let mut rows = Vec::new();
    for service in plan.stack.services.iter().filter(uses) {
        let Some(observed) = services.get(&service.name) else {
            continue;
        };
        rows.extend(observed.tasks.iter().map(|task| TaskStatus {
            service: service.name.to_string(),
            node: task.node.clone(),
            image: task.image.clone(),
            state: task.state.clone(),
            running: task.running,
            wanted: is_wanted(&task.image, image),
        }));
    }
    rows
}

fn nodes(image: &PlannedImage, inventory: &Inventory) -> BTreeMap<NodeName, Known<NodeStatus>> {
    let Known::Known(nodes) = &inventory.nodes else {
        return BTreeMap::new();
    };
    let looked_at = nodes.iter().filter_map(|(name, node)| {
        let status = match node.engine.as_ref()? {
            Known::Known(engine) => Known::Known(held(image, engine)),
            Known::Unknown(trouble) => Known::Unknown(trouble.clone()),
        };
        Some((name.clone(), status))
    });
    looked_at.collect()
}

fn held(image: &PlannedImage, engine: &ObservedEngine) -> NodeStatus {
    let builds = engine.images.get(&image.reference.repository);
    let mut builds = builds.cloned().unwrap_or_default();
    builds.sort_by_key(|build| std::cmp::Reverse(build.created));
    let wanted = image.wants.present();
    NodeStatus {
        wanted: wanted.map(|wanted| builds.iter().any(|build| build.digest == *wanted)),
        builds,
        disk: engine.disk.clone(),
    }
}

fn is_wanted(running: &str, image: &PlannedImage) -> Option<bool> {
    let wanted = image.wants.present()?;
    let running: ImageRef = running.parse().ok()?;
    if running.repository != image.reference.repository {
        return Some(false);
    }
    // A bare tag says nothing about the build.
    Some(&running.digest? == wanted)
}

/// Renders the table.
pub(crate) fn render(status: &Status) -> String {
    let mut out = String::new();
    for stack in &status.stacks {
        let title = paint(BOLD, format!("stack {}", stack.name));
        let _ = writeln!(out, "{}\n", beside(&title, &listed(&stack.endpoint), 4));
        for image in &stack.images {
            one_image(&mut out, image, status.created_at);
        }
        findings(&mut out, &stack.report);
    }
    // The blank line is for what would follow.
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn one_image(out: &mut String, status: &ImageStatus, now: Timestamp) {
    let image = &status.image;
    image_heading(out, image);
    let _ = writeln!(out, "    wants  {}\n", wanted(image, now));
    let mut tasks = Table::new(["SERVICE", "NODE", "BUILD", "STATE", ""]);
    for task in &status.tasks {
        tasks.row(row(task));
    }
    let _ = writeln!(out, "{}", tasks.render());
    if status.nodes.is_empty() {
        return;
    }
    let mut nodes = Table::new(["NODE", "DISK FREE", "HOLDS", ""]);
    for (name, node) in &status.nodes {
        nodes.row(node_row(name, node));
    }
    let _ = writeln!(out, "{}", nodes.render());
}

fn row(task: &TaskStatus) -> [String; 5] {
    let reference: Option<ImageRef> = task.image.parse().ok();
    let digest: Option<Digest> = reference.and_then(|reference| reference.digest);
    [
        task.service.clone(),
        task.node
            .as_ref()
            .map_or_else(|| "(no node)".to_owned(), NodeName::to_string),
        digest.map_or_else(|| inline(&task.image), |digest| shortest(&digest)),
        match (task.state.as_str(), task.running) {
            // The last word of a node that the managers hear no more.
            ("running", false) => "running?".to_owned(),
            (state, _) => inline(state),
        },
        verdict(task),
    ]
}

/// Builds that are shown of a node: the newest.
const BUILDS_SHOWN: usize = 3;

fn node_row(name: &NodeName, node: &Known<NodeStatus>) -> [String; 4] {
    let name = name.to_string();
    let node = match node {
        Known::Known(node) => node,
        Known::Unknown(trouble) => {
            let why = paint(WARN, inline(&trouble.why));
            return [name, paint(DIM, "–"), why, String::new()];
        }
    };
    let free = match &node.disk {
        Known::Known(disk) => ByteSize::new(disk.free).rounded(),
        Known::Unknown(_) => paint(DIM, "not known"),
    };
    let mut builds: Vec<String> = node
        .builds
        .iter()
        .take(BUILDS_SHOWN)
        .map(|build| shortest(&build.digest))
        .collect();
    if let Some(more) = node
        .builds
        .len()
        .checked_sub(BUILDS_SHOWN)
        .filter(|more| *more > 0)
    {
        builds.push(format!("and {more} more"));
    }
    let builds = match builds.is_empty() {
        true => paint(DIM, "nothing"),
        false => builds.join("  "),
    };
    let verdict = match node.wanted {
        Some(true) => paint(GOOD, "wanted"),
        Some(false) => paint(BAD, "lacks the wanted"),
        None => String::new(),
    };
    [name, free, builds, verdict]
}

fn verdict(task: &TaskStatus) -> String {
    match task.wanted {
        Some(true) => paint(GOOD, "wanted"),
        Some(false) => paint(WARN, "another build"),
        None => paint(WARN, "build not known"),
    }
}
