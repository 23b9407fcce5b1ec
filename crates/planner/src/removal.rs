//! Old builds that go from nodes, where the spec says how many to keep.
//!
//! Removed is only what is certainly not needed: a build of the image's
//! repository that no service of the cluster refers to, neither for now nor for
//! going back, that no container on the node was made from, and that is not
//! among the newest. What is not known is kept.

use std::collections::BTreeSet;

use imgstack_spec::{Digest, Image, ImageRef, NodeName};
use jiff::Timestamp;

use crate::follow::{Followed, Following};
use crate::inventory::{ObservedEngine, ObservedNode, StoredBuild};
use crate::presence::Presence;
use crate::step::{Action, RemoveImage, Step, StepId};
use crate::target::Scope;
use crate::{Inventory, Known};

/// The removals that follow `steps`.
pub(crate) fn judge(
    scope: Scope<'_>,
    inventory: &Inventory,
    following: &Following<'_>,
    steps: &[Step],
    presence: &Presence<'_>,
) -> Vec<Step> {
    let (Known::Known(nodes), Known::Known(_)) = (&inventory.nodes, &inventory.services) else {
        return Vec::new();
    };
    let mut removals = Vec::new();
    for image in &scope.stack.images {
        let Some(keep) = image.keep else { continue };
        // A build that is wanted and not known to be is not to go (invariant 3).
        let followed = following.get(&image.name);
        let Some(wanted) = followed.and_then(Followed::digest) else {
            continue;
        };
        let mut needed = needed(image, inventory, steps);
        needed.insert(wanted.clone());
        let after = after(image, scope, steps, presence);
        for (host, node) in nodes {
            let Some(Known::Known(engine)) = &node.engine else {
                continue;
            };
            if !scope.has_image(&image.name) && !scope.names_node(host) {
                continue;
            }
            let gains = gains(host, image, inventory, steps);
            let old = old(image, keep, engine, gains, &needed);
            removals.extend(old.map(|build| {
                let reason = format!("neither used nor among the newest {keep}");
                let action = Action::RemoveImage(removal(host, node, engine, image, build));
                Step::new(action, after.clone(), vec![reason])
            }));
        }
    }
    removals
}

/// When the newest build that the node will have pulled by then was made; None
/// inside: nobody knows.
fn gains(
    host: &NodeName,
    image: &Image,
    inventory: &Inventory,
    steps: &[Step],
) -> Option<Option<Timestamp>> {
    let pulls = steps.iter().filter_map(|step| match &step.action {
        Action::PullImage(pull) if pull.node == *host && pull.image == image.name => {
            pull.reference.digest.as_ref()
        }
        _ => None,
    });
    let built = |digest| inventory.build(digest).and_then(|build| build.created);
    pulls.map(built).max_by_key(|date| (date.is_none(), *date))
}

/// The builds of the repository that somebody needs once the plan is done.
fn needed(image: &Image, inventory: &Inventory, steps: &[Step]) -> BTreeSet<Digest> {
    let mut needed = BTreeSet::new();
    let mut need = |text: &str| {
        let reference = text.parse::<ImageRef>().ok();
        let reference = reference.filter(|it| it.repository == image.repository);
        needed.extend(reference.and_then(|it| it.digest));
    };
    let written: BTreeSet<&str> = steps
        .iter()
        .filter_map(|step| Some(step.action.service()?.as_str()))
        .collect();
    for (service, references) in &inventory.references {
        need(&references.image);
        // With every update the engine forgets what it would have gone back to
        // before, and keeps what was there.
        if let (Some(previous), false) = (&references.previous, written.contains(&**service)) {
            need(previous);
        }
    }
    if let Known::Known(services) = &inventory.services {
        let tasks = services.values().flat_map(|service| &service.tasks);
        tasks.for_each(|task| need(&task.image));
    }
    for step in steps {
        if let Action::UpdateService(update) = &step.action {
            need(&update.image.to);
        }
    }
    needed
}

/// What must have gone well first: everything that makes a build one that
/// nobody needs any more.
fn after(image: &Image, scope: Scope<'_>, steps: &[Step], presence: &Presence<'_>) -> Vec<StepId> {
    let of_image = |step: &&Step| {
        let service = step
            .action
            .service()
            .and_then(|name| scope.stack.service(name));
        service.is_some_and(|service| service.image == image.name)
    };
    let changes = steps.iter().filter(of_image).map(|step| step.id.clone());
    presence
        .of_image(&image.name)
        .into_iter()
        .chain(changes)
        .collect()
}

/// The builds on a node that are not needed and not among the newest.
fn old<'e>(
    image: &Image,
    keep: u32,
    engine: &'e ObservedEngine,
    gains: Option<Option<Timestamp>>,
    needed: &BTreeSet<Digest>,
) -> impl Iterator<Item = &'e StoredBuild> {
    let stored: &[StoredBuild] = engine
        .images
        .get(&image.repository)
        .map_or(&[], Vec::as_slice);
    // Without a date a build counts as new.
    let mut dates: Vec<Option<Timestamp>> =
        stored.iter().map(|it| it.created).chain(gains).collect();
    dates.sort_by_key(|date| std::cmp::Reverse((date.is_none(), *date)));
    let oldest_kept = dates.into_iter().nth(keep.saturating_sub(1) as usize);
    stored.iter().filter(move |build| {
        // Of builds with the same date all are kept.
        let is_old = match (oldest_kept, build.created) {
            (Some(Some(kept)), Some(created)) => created < kept,
            (Some(None), Some(_)) => true,
            (Some(_), None) | (None, _) => false,
        };
        is_old && !build.in_use && !needed.contains(&build.digest)
    })
}

fn removal(
    host: &NodeName,
    node: &ObservedNode,
    engine: &ObservedEngine,
    image: &Image,
    build: &StoredBuild,
) -> RemoveImage {
    RemoveImage {
        node: host.clone(),
        node_id: node.id.clone(),
        engine: engine.endpoint.clone(),
        image: image.name.clone(),
        repository: image.repository.clone(),
        digest: build.digest.clone(),
        tags: build.tags.clone(),
        bytes: build.bytes,
    }
}
