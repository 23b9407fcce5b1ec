//! Which node holds which build, as it was seen and as the plan leaves it.
//!
//! For people alone: nothing is decided from it, and it is no part of what a
//! plan's hash or `drift` compares (invariant 4). What a node *must* hold is
//! judged in `presence`.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_spec::{Address, Digest, ImageName, ImageRef, NodeName, Repository, Stack};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::inventory::ObservedNode;
use crate::plan::PlannedImage;
use crate::step::{Action, Step};
use crate::{Inventory, Known};

/// A build of an image, and the nodes that have to do with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Holding {
    /// The image of the spec.
    pub image: ImageName,
    /// The build.
    pub digest: Digest,
    /// Whether it is the one that the image wants.
    pub wanted: bool,
    /// The nodes that hold it, get it or lose it; of a build that is wanted also
    /// the others that may run a service of the image.
    pub nodes: BTreeMap<NodeName, Held>,
}

/// How a node stands to a build.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Held {
    /// It holds it.
    Holds,
    /// A step of the plan makes it hold it.
    Pulls,
    /// It holds it, and a step of the plan removes it.
    Goes,
    /// It does not hold it.
    Lacks,
    /// Its engine was not asked, or did not answer.
    Unknown,
}

/// The builds that images want, that tasks run, and that steps remove.
pub(crate) fn holdings(
    stack: &Stack,
    images: &[PlannedImage],
    inventory: &Inventory,
    steps: &[Step],
) -> Vec<Holding> {
    let Known::Known(nodes) = &inventory.nodes else {
        return Vec::new();
    };
    let steps = ByBuild::of(steps);
    let mut told: BTreeSet<(&Repository, Digest)> = BTreeSet::new();
    let mut all = Vec::new();
    for planned in images {
        let Address::Image(image) = &planned.address else {
            continue;
        };
        let repository = &planned.reference.repository;
        let running = running(repository, inventory);
        let may_run = may_run(stack, image, inventory);
        let wanted = planned.wants.present();
        for digest in builds(planned, &steps) {
            // A build of several images with one repository is one row.
            if !told.insert((repository, digest.clone())) {
                continue;
            }
            let is_wanted = wanted == Some(&digest);
            let nodes = nodes.iter().filter_map(|(host, node)| {
                let runs = running.contains(&(host, digest.clone()));
                let held = held(repository, &digest, host, node, runs, &steps);
                let concerns = match held {
                    Held::Holds | Held::Pulls | Held::Goes => true,
                    // Whoever lacks a build that is on its way out is no matter.
                    Held::Lacks | Held::Unknown => is_wanted && may_run.contains(host),
                };
                concerns.then(|| (host.clone(), held))
            });
            all.push(Holding {
                image: image.clone(),
                wanted: is_wanted,
                nodes: nodes.collect(),
                digest,
            });
        }
    }
    all
}

/// What steps do to builds on nodes.
struct ByBuild<'a> {
    pulls: BTreeSet<(&'a NodeName, &'a Repository, &'a Digest)>,
    removals: BTreeSet<(&'a NodeName, &'a Repository, &'a Digest)>,
}

impl<'a> ByBuild<'a> {
    fn of(steps: &'a [Step]) -> Self {
        let mut all = Self {
            pulls: BTreeSet::new(),
            removals: BTreeSet::new(),
        };
        for step in steps {
            match &step.action {
                Action::PullImage(pull) => {
                    let reference = &pull.reference;
                    let digest = reference.digest.as_ref();
                    let pull = digest.map(|digest| (&pull.node, &reference.repository, digest));
                    all.pulls.extend(pull);
                }
                Action::RemoveImage(it) => {
                    all.removals.insert((&it.node, &it.repository, &it.digest));
                }
                Action::RemoveLeftover(_)
                | Action::LogIn(_)
                | Action::UpdateService(_)
                | Action::AdjustService(_)
                | Action::RotateCredential(_) => {}
            }
        }
        all
    }
}

/// The wanted build first, then those that tasks run or that a service keeps,
/// then those that go.
fn builds(planned: &PlannedImage, steps: &ByBuild<'_>) -> Vec<Digest> {
    let repository = &planned.reference.repository;
    let ours = |it: &&(&NodeName, &Repository, &Digest)| it.1 == repository;
    let running = planned.runs.iter().filter_map(|it| it.digest.clone());
    let pulled = steps.pulls.iter().filter(ours).map(|it| it.2.clone());
    let removed = steps.removals.iter().filter(ours).map(|it| it.2.clone());
    let wanted = planned.wants.present().cloned();
    wanted
        .into_iter()
        .chain(running)
        .chain(pulled)
        .chain(removed)
        .collect()
}

/// Where containers run a build: they keep it on the node.
fn running<'a>(
    repository: &Repository,
    inventory: &'a Inventory,
) -> BTreeSet<(&'a NodeName, Digest)> {
    let Known::Known(services) = &inventory.services else {
        return BTreeSet::new();
    };
    let tasks = services.values().flat_map(|service| &service.tasks);
    let running = tasks.filter(|task| task.running).filter_map(|task| {
        let image = task.image.parse::<ImageRef>().ok()?;
        let ours = image.repository == *repository;
        Some((task.node.as_ref()?, image.digest.filter(|_| ours)?))
    });
    running.collect()
}

fn may_run<'a>(
    stack: &Stack,
    image: &ImageName,
    inventory: &'a Inventory,
) -> BTreeSet<&'a NodeName> {
    let Known::Known(observed) = &inventory.services else {
        return BTreeSet::new();
    };
    let services = stack.services.iter().filter(|it| it.image == *image);
    let observed = services.filter_map(|it| observed.get(&it.name));
    observed.flat_map(|it| &it.allowed_nodes).collect()
}

fn held(
    repository: &Repository,
    digest: &Digest,
    host: &NodeName,
    node: &ObservedNode,
    runs: bool,
    steps: &ByBuild<'_>,
) -> Held {
    if steps.pulls.contains(&(host, repository, digest)) {
        return Held::Pulls;
    }
    if steps.removals.contains(&(host, repository, digest)) {
        return Held::Goes;
    }
    match &node.engine {
        Some(Known::Known(engine)) => {
            let stored = engine.images.get(repository);
            let mut stored = stored.into_iter().flatten();
            match stored.any(|it| it.digest == *digest) {
                true => Held::Holds,
                false => Held::Lacks,
            }
        }
        Some(Known::Unknown(_)) | None if runs => Held::Holds,
        Some(Known::Unknown(_)) | None => Held::Unknown,
    }
}
