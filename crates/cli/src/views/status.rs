//! Which build runs where: image × service × node.

use std::fmt::Write;

use imgstack_planner::{
    FORMAT_VERSION, Inventory, Known, Observed, PlannedImage, Report, StackPlan,
};
use imgstack_spec::{Address, Digest, ImageRef, NodeName, Service};
use jiff::Timestamp;
use serde::Serialize;

use super::fold::{beside, listed};
use super::plan::{facts, findings, image_heading};
use super::style::{BAD, BOLD, DIM, GOOD, WARN, inline, paint, short, shortest};

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
    let wants = match &image.wants {
        Observed::Present(digest) => {
            format!("{}{}", short(digest), facts(image.build.as_ref(), now))
        }
        Observed::Absent(_) => paint(BAD, "absent"),
        Observed::Unknown(_) => paint(BAD, "unknown"),
    };
    let _ = writeln!(out, "    wants  {wants}\n");
    let rows: Vec<[String; 4]> = status.tasks.iter().map(row).collect();
    let head = ["SERVICE", "NODE", "BUILD", "STATE"].map(str::to_owned);
    let width = |column: usize| {
        let cells = rows
            .iter()
            .chain([&head])
            .map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths = [width(0), width(1), width(2)];
    let line = |row: &[String; 4]| {
        let [a, b, c, d] = row;
        format!(
            "    {a:<0$}  {b:<1$}  {c:<2$}  {d}",
            widths[0], widths[1], widths[2]
        )
    };
    let _ = writeln!(out, "{}", paint(DIM, line(&head)));
    for (row, task) in rows.iter().zip(&status.tasks) {
        let _ = writeln!(out, "{}   {}", line(row), verdict(task));
    }
    out.push('\n');
}

fn row(task: &TaskStatus) -> [String; 4] {
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
            (state, _) => state.to_owned(),
        },
    ]
}

fn verdict(task: &TaskStatus) -> String {
    match task.wanted {
        Some(true) => paint(GOOD, "wanted"),
        Some(false) => paint(WARN, "another build"),
        None => paint(WARN, "build not known"),
    }
}
