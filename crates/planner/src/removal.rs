//! Old builds that go from nodes, where the spec says how many to keep.
//!
//! Removed is only what is certainly not needed: a build of a repository that
//! no service of the cluster refers to, neither for now nor for going back, be
//! it by digest or by tag, that no stack wants, that no container on the node
//! was made from, and that is not among the newest. What is not known is kept.
//!
//! However small `keep` is, the build that each service would go back to stays:
//! the last one that the journal knows to be good beside the wanted one. Where it
//! cannot tell which that is, nothing of the repository goes.
//!
//! Images may share a repository, and a build does not say whose it is. So it
//! is judged for the repository as a whole: every image of it must have `keep`,
//! and the largest counts.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_spec::{
    Address, Digest, Image, ImageName, ImageRef, NodeName, Repository, ServiceName, Stack, Tag,
};
use jiff::Timestamp;

use crate::follow::{Followed, Following};
use crate::inventory::{ObservedEngine, ObservedNode, StoredBuild};
use crate::presence::Presence;
use crate::report::{Code, Finding, Severity};
use crate::service::finding;
use crate::step::{Action, RemoveImage, Step, StepId};
use crate::target::Scope;
use crate::{Inventory, Known};

/// A repository whose old builds go.
struct Rule<'a> {
    repository: &'a Repository,
    images: Vec<&'a Image>,
    keep: u32,
    needed: Needed,
}

/// What somebody needs once the plan is done.
#[derive(Default)]
struct Needed {
    digests: BTreeSet<Digest>,
    /// Of references without a digest: whatever they mean on a node.
    tags: BTreeSet<Tag>,
}

/// The removals that follow `steps`, and why there are none where there could be.
pub(crate) fn judge(
    scope: Scope<'_>,
    inventory: &Inventory,
    following: &Following<'_>,
    steps: &[Step],
    presence: &Presence<'_>,
) -> (Vec<Step>, Vec<Finding>) {
    let (mut removals, mut findings) = (Vec::new(), Vec::new());
    let (Known::Known(nodes), Known::Known(_)) = (&inventory.nodes, &inventory.services) else {
        return (removals, findings);
    };
    let mut repositories: BTreeMap<&Repository, Vec<&Image>> = BTreeMap::new();
    for image in &scope.stack.images {
        repositories
            .entry(&image.repository)
            .or_default()
            .push(image);
    }
    for (repository, images) in repositories {
        let Some(mut rule) = Rule::of(repository, images, inventory, following, steps) else {
            continue;
        };
        let in_scope = rule.images.iter().any(|image| scope.has_image(&image.name));
        if let Err(why) = rule.spare_ways_back(scope.stack, inventory, following) {
            if in_scope {
                findings.extend(rule.kept(&why));
            }
            continue;
        }
        let after = rule.after(scope, steps);
        for (host, node) in nodes {
            let Some(Known::Known(engine)) = &node.engine else {
                continue;
            };
            if in_scope || scope.names_node(host) {
                let old = rule.old(engine, rule.gains(host, inventory, presence));
                removals.extend(old.map(|build| rule.removal(host, node, engine, build, &after)));
            }
        }
    }
    (removals, findings)
}

impl<'a> Rule<'a> {
    /// None where something stays unknown, or every build is kept.
    fn of(
        repository: &'a Repository,
        images: Vec<&'a Image>,
        inventory: &Inventory,
        following: &Following<'_>,
        steps: &[Step],
    ) -> Option<Self> {
        let keep: Option<Vec<u32>> = images.iter().map(|image| image.keep).collect();
        let keep = keep?.into_iter().max()?;
        let mut needed = Needed::of(repository, inventory, steps);
        for image in &images {
            // A build that is wanted and not known to be is not to go
            // (invariant 3).
            let followed = following.get(&image.name).and_then(Followed::digest);
            needed.digests.insert(followed?.clone());
        }
        match inventory.wanted_elsewhere.get(repository) {
            Some(Known::Known(digests)) => needed.digests.extend(digests.iter().cloned()),
            Some(Known::Unknown(_)) => return None,
            None => {}
        }
        Some(Self {
            repository,
            images,
            keep,
            needed,
        })
    }

    /// Needs the builds that services would go back to.
    ///
    /// # Errors
    /// Why it cannot be told which these are.
    fn spare_ways_back(
        &mut self,
        stack: &Stack,
        inventory: &Inventory,
        following: &Following<'_>,
    ) -> Result<(), String> {
        let history = match &inventory.history {
            Known::Known(history) => history,
            Known::Unknown(trouble) => {
                return Err(format!("the journal cannot be read ({})", trouble.why));
            }
        };
        for image in &self.images {
            let Some(wanted) = following.get(&image.name).and_then(Followed::digest) else {
                continue;
            };
            let all = stack.services.iter().filter(|it| it.image == image.name);
            let all: Vec<&ServiceName> = all.map(|it| &it.name).collect();
            let failed = history.failed_for(&all);
            for service in all {
                let back = history.way_back(self.repository, &[service], &failed, wanted);
                // What is not read may name a later one.
                if !history.is_whole_since(back.map_or(0, |build| build.release)) {
                    return Err("a release of the journal cannot be read".to_owned());
                }
                self.needed.digests.extend(back.map(|it| it.digest.clone()));
            }
        }
        Ok(())
    }

    /// That nothing goes, and why.
    fn kept(&self, why: &str) -> impl Iterator<Item = Finding> {
        let message = format!(
            "old builds stay on the nodes: {why}, so that it is not known which one to go back to"
        );
        self.images.iter().map(move |image| {
            let address = Address::Image(image.name.clone());
            finding(
                Severity::Attention,
                Code::NotRemoved,
                &address,
                message.clone(),
            )
        })
    }

    /// What must have gone well first: everything that makes a build one that
    /// nobody needs any more.
    fn after(&self, scope: Scope<'_>, steps: &[Step]) -> Vec<StepId> {
        let is_ours = |name: &ImageName| self.images.iter().any(|image| image.name == *name);
        let concerns = |step: &&Step| match &step.action {
            Action::PullImage(pull) => is_ours(&pull.image),
            Action::UpdateService(_) | Action::AdjustService(_) | Action::RotateCredential(_) => {
                let service = step.action.service();
                let service = service.and_then(|name| scope.stack.service(name));
                service.is_some_and(|service| is_ours(&service.image))
            }
            Action::LogIn(_) | Action::RemoveImage(_) | Action::RemoveLeftover(_) => false,
        };
        steps
            .iter()
            .filter(concerns)
            .map(|step| step.id.clone())
            .collect()
    }

    /// When the builds that the node will have pulled by then were made.
    fn gains(
        &self,
        host: &NodeName,
        inventory: &Inventory,
        presence: &Presence<'_>,
    ) -> Vec<Option<Timestamp>> {
        let digests = presence.brought(host, self.repository);
        let builds = digests.into_iter().map(|digest| inventory.build(digest));
        builds
            .map(|build| build.and_then(|build| build.created))
            .collect()
    }

    /// The builds on a node that are not needed and not among the newest.
    fn old<'e>(
        &'e self,
        engine: &'e ObservedEngine,
        gains: Vec<Option<Timestamp>>,
    ) -> impl Iterator<Item = &'e StoredBuild> {
        let stored: &[StoredBuild] = engine
            .images
            .get(self.repository)
            .map_or(&[], Vec::as_slice);
        // Without a date a build counts as new.
        let mut dates: Vec<Option<Timestamp>> =
            stored.iter().map(|it| it.created).chain(gains).collect();
        dates.sort_by_key(|date| std::cmp::Reverse((date.is_none(), *date)));
        let oldest_kept = dates.into_iter().nth(self.keep.saturating_sub(1) as usize);
        stored.iter().filter(move |build| {
            // Of builds with the same date all are kept.
            let is_old = match (oldest_kept, build.created) {
                (Some(Some(kept)), Some(created)) => created < kept,
                (Some(None), Some(_)) => true,
                (Some(_), None) | (None, _) => false,
            };
            is_old && !build.in_use && !self.needed.has(build)
        })
    }

    fn removal(
        &self,
        host: &NodeName,
        node: &ObservedNode,
        engine: &ObservedEngine,
        build: &StoredBuild,
        after: &[StepId],
    ) -> Step {
        let reason = format!("neither used nor among the newest {}", self.keep);
        let action = Action::RemoveImage(RemoveImage {
            node: host.clone(),
            node_id: node.id.clone(),
            engine: engine.endpoint.clone(),
            repository: self.repository.clone(),
            digest: build.digest.clone(),
            tags: build.tags.clone(),
            bytes: build.bytes,
        });
        Step::new(action, after.to_vec(), vec![reason])
    }
}

impl Needed {
    fn of(repository: &Repository, inventory: &Inventory, steps: &[Step]) -> Self {
        let mut needed = Self::default();
        let written: BTreeSet<&str> = steps
            .iter()
            .filter_map(|step| Some(step.action.service()?.as_str()))
            .collect();
        for (service, references) in &inventory.references {
            needed.add(repository, &references.image);
            // With every update the engine forgets what it would have gone back
            // to before, and keeps what was there.
            if let (Some(previous), false) = (&references.previous, written.contains(&**service)) {
                needed.add(repository, previous);
            }
        }
        if let Known::Known(services) = &inventory.services {
            let tasks = services.values().flat_map(|service| &service.tasks);
            tasks.for_each(|task| needed.add(repository, &task.image));
        }
        for step in steps {
            if let Action::UpdateService(update) = &step.action {
                needed.add(repository, &update.image.to);
            }
        }
        needed
    }

    fn add(&mut self, repository: &Repository, text: &str) {
        let reference = text.parse::<ImageRef>().ok();
        match reference.filter(|it| it.repository == *repository) {
            Some(ImageRef {
                digest: Some(digest),
                ..
            }) => {
                self.digests.insert(digest);
            }
            Some(ImageRef { tag, .. }) => {
                self.tags.extend(tag.or_else(|| "latest".parse().ok()));
            }
            None => {}
        }
    }

    fn has(&self, build: &StoredBuild) -> bool {
        self.digests.contains(&build.digest) || build.tags.iter().any(|tag| self.tags.contains(tag))
    }
}
