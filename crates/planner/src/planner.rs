//! Stack and inventory in, plan out.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_spec::{Address, Image, Service, ServiceName, Stack};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::inventory::{ObservedService, UpdateState};
use crate::plan::{Action, Change, PlannedImage, RunningBuild, Seen, StackPlan, Step};
use crate::report::{Code, Finding, Report, Severity};
use crate::service::{STACK_LABEL, Verdict, finding, judge};
use crate::target::Scope;
use crate::{Inventory, Known, Observed, order};

/// The label that names the plan which last touched a service.
pub(crate) const PLAN_LABEL: &str = "dev.imgstack.plan";

/// What a person may ask of a plan.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only these; empty is everything.
    pub targets: Vec<Address>,
}

/// Makes the plan of one stack. Pure: the same input gives the same plan.
#[must_use]
pub fn plan(stack: &Stack, inventory: &Inventory, options: &Options) -> StackPlan {
    let mut draft = Draft::new(stack, options);
    draft.report_swarm(inventory);
    draft.report_images(inventory);
    draft.judge_services(inventory);
    draft.report_history(inventory);
    draft.report_strangers(inventory);
    draft.report_warnings(inventory);
    draft.finish(inventory)
}

/// A plan in the making.
struct Draft<'a> {
    scope: Scope<'a>,
    steps: Vec<Step>,
    /// Services that are blocked, or come after one by `after`, with that one.
    held: BTreeMap<&'a ServiceName, &'a ServiceName>,
    report: Report,
}

impl<'a> Draft<'a> {
    fn new(stack: &'a Stack, options: &'a Options) -> Self {
        let targets = &options.targets;
        Self {
            scope: Scope { stack, targets },
            steps: Vec::new(),
            held: BTreeMap::new(),
            report: Report::default(),
        }
    }

    fn say(&mut self, finding: Finding) {
        self.report.findings.push(finding);
    }

    fn report_swarm(&mut self, inventory: &Inventory) {
        if let Known::Unknown(trouble) = &inventory.services {
            let services = self.scope.services();
            self.say(Finding {
                hint: trouble.hint.clone(),
                blocks: services.map(|s| Address::Service(s.name.clone())).collect(),
                ..finding(
                    Severity::Blocked,
                    Code::SwarmUnknown,
                    &Address::Swarm,
                    trouble.why.clone(),
                )
            });
        }
    }

    fn report_images(&mut self, inventory: &Inventory) {
        for image in self.scope.images() {
            let Some(observed) = inventory.images.get(&image.name) else {
                continue;
            };
            let (code, trouble) = match &observed.digest {
                Observed::Present(_) => continue,
                Observed::Absent(trouble) => (Code::ImageNotFound, trouble),
                Observed::Unknown(trouble) => (Code::ImageUnknown, trouble),
            };
            let users = self.scope.services().filter(|s| s.image == image.name);
            self.say(Finding {
                hint: trouble.hint.clone(),
                blocks: users.map(|s| Address::Service(s.name.clone())).collect(),
                ..finding(
                    Severity::Blocked,
                    code,
                    &Address::Image(image.name.clone()),
                    trouble.why.clone(),
                )
            });
        }
    }

    fn judge_services(&mut self, inventory: &Inventory) {
        let stack = self.scope.stack;
        let predecessors = order::predecessors(stack);
        let mut left_out = 0;
        let mut stepped: BTreeSet<&ServiceName> = BTreeSet::new();
        for service in order::rollout_order(stack, &predecessors) {
            let verdict = judge(stack, service, inventory);
            self.hold(service, &verdict);
            if !self.scope.has_service(service) {
                left_out += usize::from(matches!(verdict, Verdict::Update(..)));
                continue;
            }
            match verdict {
                Verdict::UpToDate => {}
                Verdict::Noted(findings) => findings.into_iter().for_each(|f| self.say(f)),
                Verdict::Blocked(finding) => self.say(finding),
                Verdict::Update(update, reasons, findings) => {
                    if let Some(first) = self.held.get(&service.name) {
                        let blocked = after_blocked(service, first);
                        self.say(blocked);
                        continue;
                    }
                    findings.into_iter().for_each(|finding| self.say(finding));
                    let after = order::nearest(&service.name, &predecessors, &stepped);
                    stepped.insert(&service.name);
                    self.steps.push(Step {
                        address: Address::Service(service.name.clone()),
                        action: Action::UpdateService(update),
                        after: after.into_iter().cloned().map(Address::Service).collect(),
                        reasons,
                    });
                }
            }
        }
        if left_out > 0 {
            self.say(not_targeted(left_out));
        }
    }

    /// Keeps what is blocked, and what the spec puts after it by name, at
    /// however many removes. File order alone is no dependency: the next in the
    /// file goes on.
    fn hold(&mut self, service: &'a Service, verdict: &Verdict) {
        let before = service.after.iter().find_map(|name| self.held.get(name));
        let first = match verdict {
            Verdict::Blocked(_) => Some(&service.name),
            _ => before.copied(),
        };
        if let Some(first) = first {
            self.held.insert(&service.name, first);
        }
    }

    fn report_history(&mut self, inventory: &Inventory) {
        for service in self.scope.services() {
            let Some(status) =
                observed(inventory, &service.name).and_then(|s| s.update_status.as_ref())
            else {
                continue;
            };
            let ended = match status.state {
                UpdateState::Paused => "the last update stopped half-way",
                UpdateState::RollbackPaused => "the last roll-back stopped half-way",
                UpdateState::RollbackCompleted => "the last update failed and was rolled back",
                UpdateState::Updating
                | UpdateState::RollbackStarted
                | UpdateState::Completed
                | UpdateState::Unknown => continue,
            };
            self.say(finding(
                Severity::Attention,
                Code::LastUpdateFailed,
                &Address::Service(service.name.clone()),
                format!("{ended}: {}", status.message),
            ));
        }
    }

    fn report_strangers(&mut self, inventory: &Inventory) {
        let (Known::Known(services), true) = (&inventory.services, self.scope.is_everything())
        else {
            return;
        };
        let stack = self.scope.stack;
        for (name, service) in services {
            let label = service.labels.get(STACK_LABEL).map(String::as_str);
            if label == Some(stack.name.as_str()) && stack.service(name).is_none() {
                self.say(Finding {
                    hint: Some(
                        "put it back into the spec, or leave it: it is not touched".to_owned(),
                    ),
                    ..finding(
                        Severity::Attention,
                        Code::NotInSpec,
                        &Address::Service(name.clone()),
                        "was managed by this stack and is not in the spec".to_owned(),
                    )
                });
            }
        }
    }

    fn report_warnings(&mut self, inventory: &Inventory) {
        let images = self.scope.images();
        let hosts: BTreeSet<_> = images.map(|image| image.repository.host()).collect();
        let warnings = inventory.warnings.iter();
        for warning in warnings.filter(|warning| hosts.contains(&warning.host)) {
            let code = match warning.refused {
                true => Code::StaleCredential,
                false => Code::CredentialSource,
            };
            self.say(Finding {
                hint: warning.trouble.hint.clone(),
                ..finding(
                    Severity::Attention,
                    code,
                    &Address::Registry(warning.host.clone()),
                    warning.trouble.why.clone(),
                )
            });
        }
    }

    fn finish(mut self, inventory: &Inventory) -> StackPlan {
        self.report.sort();
        let stack = self.scope.stack;
        let images = self.scope.images();
        let images = images
            .map(|image| planned_image(image, stack, inventory))
            .collect();
        let seen = seen(self.scope, inventory);
        let hash = hash(stack, &self.steps, &seen);
        for step in &mut self.steps {
            label_with_plan(step, &hash, inventory);
        }
        StackPlan {
            stack: stack.clone(),
            endpoint: inventory.endpoint.clone(),
            cluster: inventory.cluster.clone(),
            targets: self.scope.targets.to_vec(),
            images,
            steps: self.steps,
            report: self.report,
            seen,
            hash,
        }
    }
}

fn observed<'i>(inventory: &'i Inventory, name: &ServiceName) -> Option<&'i ObservedService> {
    match &inventory.services {
        Known::Known(services) => services.get(name),
        Known::Unknown(_) => None,
    }
}

fn after_blocked(service: &Service, first: &ServiceName) -> Finding {
    finding(
        Severity::Blocked,
        Code::AfterBlocked,
        &Address::Service(service.name.clone()),
        format!("comes after service.{first}, which is blocked"),
    )
}

fn not_targeted(count: usize) -> Finding {
    finding(
        Severity::Note,
        Code::NotTargeted,
        &Address::Swarm,
        match count {
            1 => "1 more change is left out by --target".to_owned(),
            n => format!("{n} more changes are left out by --target"),
        },
    )
}

fn planned_image(image: &Image, stack: &Stack, inventory: &Inventory) -> PlannedImage {
    let asked = inventory.images.get(&image.name);
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
    let wants = asked.map_or_else(
        || Observed::Unknown(crate::Trouble::new("was not observed")),
        |asked| asked.digest.clone(),
    );
    PlannedImage {
        address: Address::Image(image.name.clone()),
        reference: asked.map_or_else(|| image.reference(), |asked| asked.reference.clone()),
        purpose: image.purpose.clone(),
        pinned: image.pin.is_some(),
        runs,
        build: wants.present().and_then(|d| inventory.build(d)).cloned(),
        wants,
    }
}

fn seen(scope: Scope<'_>, inventory: &Inventory) -> BTreeMap<ServiceName, Seen> {
    let services = scope.services();
    services
        .filter_map(|s| Some((s.name.clone(), observed(inventory, &s.name)?.seen.clone())))
        .collect()
}

/// Digest of what is to be done and of what it was decided from. The version
/// index is left out: the engine raises it without a change of the spec.
fn hash(stack: &Stack, steps: &[Step], seen: &BTreeMap<ServiceName, Seen>) -> String {
    #[derive(Serialize)]
    struct Essence<'a> {
        stack: &'a Stack,
        steps: Vec<(&'a Address, &'a Action, &'a [Address])>,
        seen: BTreeMap<&'a ServiceName, (&'a str, &'a str)>,
    }
    let essence = Essence {
        stack,
        // Without their reasons: those are words.
        steps: steps
            .iter()
            .map(|step| (&step.address, &step.action, &*step.after))
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
    let Action::UpdateService(update) = &mut step.action;
    let from = observed(inventory, &update.service)
        .and_then(|service| service.labels.get(PLAN_LABEL))
        .cloned();
    let to = Some(hash.to_owned());
    update
        .labels
        .insert(PLAN_LABEL.to_owned(), Change { from, to });
}
