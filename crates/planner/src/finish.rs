//! The plan, put together from its draft.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_spec::{Address, Image, ServiceName, Stack};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::follow::{Following, Target};
use crate::holdings::holdings;
use crate::plan::{PlannedImage, RunningBuild, Seen, StackPlan};
use crate::planner::{Draft, Only, PLAN_LABEL};
use crate::service::observed;
use crate::step::{Action, Change, Step, StepId};
use crate::target::Scope;
use crate::{Inventory, Known, Observed, Trouble};

impl Draft<'_> {
    pub(crate) fn finish(mut self, inventory: &Inventory, only: Only) -> StackPlan {
        self.report.sort();
        let stack = self.scope.stack;
        let images = self.scope.images();
        let images: Vec<PlannedImage> = images
            .map(|image| planned_image(image, stack, inventory, &self.following))
            .collect();
        let holdings = match only {
            Only::Everything => holdings(stack, &images, inventory, &self.steps),
            Only::Credentials => Vec::new(),
        };
        let seen = seen(self.scope, &self.steps, inventory);
        let cluster = &inventory.cluster;
        let hash = hash((stack, cluster), &self.steps, &seen);
        for step in &mut self.steps {
            label_with_plan(step, &hash, inventory);
        }
        StackPlan {
            stack: stack.clone(),
            endpoint: inventory.endpoint.clone(),
            cluster: cluster.clone(),
            targets: self.scope.targets.to_vec(),
            only,
            retry_failed: self.retry_failed,
            images,
            steps: self.steps,
            report: self.report,
            holdings,
            seen,
            hash,
        }
    }
}

fn planned_image(
    image: &Image,
    stack: &Stack,
    inventory: &Inventory,
    following: &Following<'_>,
) -> PlannedImage {
    let mut runs: BTreeMap<String, Vec<ServiceName>> = BTreeMap::new();
    for service in stack.services.iter().filter(|s| s.image == image.name) {
        let tasks = observed(inventory, &service.name).map(|s| s.tasks.as_slice());
        let images: BTreeSet<&String> = tasks.into_iter().flatten().map(|t| &t.image).collect();
        for image in images {
            runs.entry(image.clone())
                .or_default()
                .push(service.name.clone());
        }
    }
    let mut runs: Vec<RunningBuild> = runs
        .into_iter()
        .map(|(image, services)| {
            let digest = image
                .parse()
                .ok()
                .and_then(|r: imgstack_spec::ImageRef| r.digest);
            let build = digest.as_ref().and_then(|d| inventory.build(d)).cloned();
            RunningBuild {
                image,
                digest,
                build,
                services,
            }
        })
        .collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.services.len()));
    let (reference, wants) = match following.get(&image.name) {
        Some(followed) => followed.shown(stack, image, inventory),
        None => (
            image.reference().unwrap_or_else(|| image.anywhere()),
            Observed::Unknown(Trouble::new("was not observed")),
        ),
    };
    PlannedImage {
        address: Address::Image(image.name.clone()),
        reference,
        policy: image.rules().map(|rules| rules.policy.clone()),
        purpose: image.purpose.clone(),
        pinned: image.pin.is_some(),
        runs,
        kept: following
            .get(&image.name)
            .is_some_and(|it| matches!(it.target, Target::Kept)),
        build: wants.present().and_then(|d| inventory.build(d)).cloned(),
        wants,
    }
}

/// The services of the scope, and those that a registry among the targets takes
/// in: whatever is written is held against what it was.
fn seen(scope: Scope<'_>, steps: &[Step], inventory: &Inventory) -> BTreeMap<ServiceName, Seen> {
    let written = steps.iter().filter_map(|step| step.action.service());
    let services = scope.services().map(|service| &service.name).chain(written);
    services
        .filter_map(|name| Some((name.clone(), observed(inventory, name)?.seen.clone())))
        .collect()
}

/// Digest of what is to be done and of what it was decided from. The version
/// index is left out: the engine raises it without a change of the spec. The
/// cluster is named, since a spec may leave to the environment which one it is.
fn hash(
    (stack, cluster): (&Stack, &Known<String>),
    steps: &[Step],
    seen: &BTreeMap<ServiceName, Seen>,
) -> String {
    #[derive(Serialize)]
    struct Essence<'a> {
        stack: &'a Stack,
        cluster: Option<&'a str>,
        steps: Vec<(&'a StepId, &'a Action, [&'a [StepId]; 2])>,
        seen: BTreeMap<&'a ServiceName, (&'a str, &'a str)>,
    }
    let essence = Essence {
        stack,
        // Why it is not known is told in other words each time.
        cluster: match cluster {
            Known::Known(id) => Some(id),
            Known::Unknown(_) => None,
        },
        // Without their reasons: those are words.
        steps: steps
            .iter()
            .map(|step| (&step.id, &step.action, [&*step.after, &*step.follows]))
            .collect(),
        seen: seen
            .iter()
            .map(|(name, seen)| (name, (seen.service_id.as_str(), seen.spec_digest.as_str())))
            .collect(),
    };
    #[expect(
        clippy::expect_used,
        reason = "these types have string keys only and no Serialize that fails"
    )]
    let bytes = serde_json::to_vec(&essence).expect("a plan is always JSON");
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn label_with_plan(step: &mut Step, hash: &str, inventory: &Inventory) {
    let observed = step
        .action
        .service()
        .and_then(|name| observed(inventory, name));
    let from = observed
        .and_then(|service| service.labels.get(PLAN_LABEL))
        .cloned();
    if let Some(labels) = step.action.labels_mut() {
        let to = Some(hash.to_owned());
        labels.insert(PLAN_LABEL.to_owned(), Change { from, to });
    }
}
