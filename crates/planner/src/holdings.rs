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
    let running = running(inventory);
    let may_run = may_run(stack, inventory);
    let nowhere = BTreeSet::new();
    let mut told: BTreeSet<(&Repository, Digest)> = BTreeSet::new();
    let mut all = Vec::new();
    for planned in images {
        let Address::Image(image) = &planned.address else {
            continue;
        };
        let repository = &planned.reference.repository;
        let may_run = may_run.get(image).unwrap_or(&nowhere);
        let wanted = planned.wants.present();
        for digest in steps.builds(planned) {
            // A build of several images with one repository is one row.
            if !told.insert((repository, digest.clone())) {
                continue;
            }
            let is_wanted = wanted == Some(&digest);
            let key = (repository.clone(), digest.clone());
            let running = running.get(&key).unwrap_or(&nowhere);
            let nodes = nodes.iter().filter_map(|(host, node)| {
                let runs = running.contains(host);
                let held = held(repository, &digest, host, node, runs, &steps);
                let concerns = match held {
                    Held::Holds | Held::Pulls | Held::Goes => true,
                    // Whoever lacks a build that is on its way out is no matter.
                    Held::Lacks | Held::Unknown => is_wanted && may_run.contains(host),
                };
                concerns.then(|| (host.clone(), held))
            });
            let nodes: BTreeMap<_, _> = nodes.collect();
            if nodes.is_empty() {
                continue;
            }
            all.push(Holding {
                image: image.clone(),
                wanted: is_wanted,
                nodes,
                digest,
            });
        }
    }
    all
}

/// What steps do to builds on nodes, by the repository and the build.
#[derive(Default)]
struct ByBuild<'a> {
    pulls: Hosts<'a>,
    removals: Hosts<'a>,
}

type Hosts<'a> = BTreeMap<&'a Repository, BTreeMap<&'a Digest, BTreeSet<&'a NodeName>>>;

impl<'a> ByBuild<'a> {
    fn of(steps: &'a [Step]) -> Self {
        let mut all = Self::default();
        let mut add = |to: fn(&mut Self) -> &mut Hosts<'a>, repository, digest, node| {
            let builds = to(&mut all).entry(repository).or_default();
            builds.entry(digest).or_default().insert(node);
        };
        for step in steps {
            match &step.action {
                Action::PullImage(pull) => {
                    let reference = &pull.reference;
                    if let Some(digest) = &reference.digest {
                        add(
                            |it| &mut it.pulls,
                            &reference.repository,
                            digest,
                            &pull.node,
                        );
                    }
                }
                Action::RemoveImage(it) => {
                    add(|it| &mut it.removals, &it.repository, &it.digest, &it.node);
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

    /// The wanted build first, then those that tasks run or that a service
    /// keeps, then those that go.
    fn builds(&self, planned: &PlannedImage) -> Vec<Digest> {
        let repository = &planned.reference.repository;
        let of = |hosts: &Hosts<'a>| {
            let builds = hosts.get(repository).into_iter().flatten();
            builds
                .map(|(digest, _)| (*digest).clone())
                .collect::<Vec<_>>()
        };
        let mut builds: Vec<Digest> = planned.wants.present().cloned().into_iter().collect();
        builds.extend(planned.runs.iter().filter_map(|it| it.digest.clone()));
        builds.extend(of(&self.pulls));
        builds.extend(of(&self.removals));
        builds
    }
}

fn names(hosts: &Hosts<'_>, repository: &Repository, digest: &Digest, host: &NodeName) -> bool {
    let hosts = hosts.get(repository).and_then(|builds| builds.get(digest));
    hosts.is_some_and(|hosts| hosts.contains(host))
}

/// Where containers run builds: they keep them on the node.
fn running(inventory: &Inventory) -> BTreeMap<(Repository, Digest), BTreeSet<&NodeName>> {
    let mut all: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    let Known::Known(services) = &inventory.services else {
        return all;
    };
    let tasks = services.values().flat_map(|service| &service.tasks);
    for task in tasks.filter(|task| task.running) {
        let image = task.image.parse::<ImageRef>().ok();
        let image = image.and_then(|it| Some((it.repository, it.digest?)));
        if let (Some(build), Some(node)) = (image, &task.node) {
            all.entry(build).or_default().insert(node);
        }
    }
    all
}

/// The nodes that may run a service of an image.
fn may_run<'a>(
    stack: &'a Stack,
    inventory: &'a Inventory,
) -> BTreeMap<&'a ImageName, BTreeSet<&'a NodeName>> {
    let mut all: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    if let Known::Known(observed) = &inventory.services {
        for service in &stack.services {
            let nodes = observed.get(&service.name).map(|it| &it.allowed_nodes);
            let of_image = all.entry(&service.image).or_default();
            of_image.extend(nodes.into_iter().flatten());
        }
    }
    all
}

fn held(
    repository: &Repository,
    digest: &Digest,
    host: &NodeName,
    node: &ObservedNode,
    runs: bool,
    steps: &ByBuild<'_>,
) -> Held {
    if names(&steps.pulls, repository, digest, host) {
        return Held::Pulls;
    }
    if names(&steps.removals, repository, digest, host) {
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
