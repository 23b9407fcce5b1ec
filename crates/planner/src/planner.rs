//! Stack and inventory in, plan out.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_spec::{Address, Image, Service, ServiceName, Stack};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::follow::Following;
use crate::inventory::UpdateState;
use crate::plan::{PlannedImage, RunningBuild, Seen, StackPlan};
use crate::presence::Presence;
use crate::report::{Code, Finding, Report, Severity};
use crate::service::{Judged, STACK_LABEL, Verdict, finding, judge, observed};
use crate::step::{Action, Change, RemoveLeftover, Step, StepId};
use crate::target::Scope;
use crate::{Inventory, Known, Observed, Trouble, credential, follow, login, order, removal};

/// The label that names the plan which last touched a service.
pub(crate) const PLAN_LABEL: &str = "dev.imgstack.plan";

/// What a person may ask of a plan.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only these; empty is everything.
    pub targets: Vec<Address>,
    /// What kinds of steps are wanted.
    pub only: Only,
}

/// The kinds of steps that a plan has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Only {
    /// All that the spec asks for.
    #[default]
    Everything,
    /// Credentials: into every service that carries another one, and logins.
    Credentials,
}

/// Makes the plan of one stack. Pure: the same input gives the same plan.
#[must_use]
pub fn plan(stack: &Stack, inventory: &Inventory, options: &Options) -> StackPlan {
    let mut draft = Draft::new(stack, inventory, options);
    draft.report_swarm(inventory);
    draft.clear_up(inventory);
    draft.log_nodes_in(inventory);
    match options.only {
        Only::Everything => {
            draft.report_images();
            draft.bring_services_to_images(inventory);
            draft.report_history(inventory);
            draft.report_strangers(inventory);
        }
        Only::Credentials => draft.rotate_all(inventory),
    }
    draft.report_registries(inventory);
    draft.finish(inventory, options.only)
}

/// A plan in the making.
struct Draft<'a> {
    scope: Scope<'a>,
    following: Following<'a>,
    steps: Vec<Step>,
    /// Services that are blocked, or come after one by `after`, with that one.
    held: BTreeMap<&'a ServiceName, &'a ServiceName>,
    report: Report,
}

impl<'a> Draft<'a> {
    fn new(stack: &'a Stack, inventory: &Inventory, options: &'a Options) -> Self {
        let targets = &options.targets;
        Self {
            scope: Scope { stack, targets },
            following: follow::following(stack, inventory),
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

    fn report_images(&mut self) {
        for image in self.scope.images() {
            let Some(followed) = self.following.get_mut(&image.name) else {
                continue;
            };
            let users = self.scope.services().filter(|s| s.image == image.name);
            let users: Vec<_> = users.map(|s| Address::Service(s.name.clone())).collect();
            for mut finding in std::mem::take(&mut followed.findings) {
                if finding.severity == Severity::Blocked {
                    finding.blocks.clone_from(&users);
                }
                self.report.findings.push(finding);
            }
        }
    }

    fn clear_up(&mut self, inventory: &Inventory) {
        if !self.scope.is_everything() {
            return;
        }
        for (service, id) in &inventory.leftovers {
            let action = Action::RemoveLeftover(RemoveLeftover {
                service: service.clone(),
                service_id: id.clone(),
            });
            let reason = "left behind by an apply that was killed".to_owned();
            self.steps.push(Step::new(action, Vec::new(), vec![reason]));
        }
    }

    fn log_nodes_in(&mut self, inventory: &Inventory) {
        let (steps, findings) = login::judge(self.scope, inventory);
        self.steps.extend(steps);
        self.report.findings.extend(findings);
    }

    /// First the nodes get what they are to hold, then the services follow, and
    /// last the nodes lose what nobody needs any more.
    fn bring_services_to_images(&mut self, inventory: &Inventory) {
        let stack = self.scope.stack;
        let predecessors = order::predecessors(stack);
        let services = order::rollout_order(stack, &predecessors);
        let verdicts: Vec<Judged<'_>> = services
            .into_iter()
            .map(|service| judge(stack, service, inventory, &self.following))
            .collect();
        let mut presence = Presence::judge(self.scope, inventory, &self.following, &verdicts);
        self.report.findings.append(&mut presence.findings);
        self.steps.extend(presence.steps());
        self.update_services(verdicts, &predecessors, &presence, inventory);
        let removals = removal::judge(
            self.scope,
            inventory,
            &self.following,
            &self.steps,
            &presence,
        );
        self.steps.extend(removals);
    }

    fn update_services(
        &mut self,
        verdicts: Vec<Judged<'a>>,
        predecessors: &BTreeMap<&'a ServiceName, Vec<&'a ServiceName>>,
        presence: &Presence<'_>,
        inventory: &Inventory,
    ) {
        let mut left_out = 0;
        let mut stepped: BTreeSet<&ServiceName> = BTreeSet::new();
        for Judged {
            service, verdict, ..
        } in verdicts
        {
            let verdict = waiting_for_nodes(service, verdict, presence);
            self.hold(service, &verdict);
            if !self.scope.has_service(service) {
                left_out += usize::from(matches!(verdict, Verdict::Update(..)));
                self.rotate_for_registry(service, &verdict, inventory);
                continue;
            }
            if let Verdict::Update(update, reasons, findings) = verdict {
                if let Some(first) = self.held.get(&service.name) {
                    let blocked = after_blocked(service, first);
                    self.say(blocked);
                    continue;
                }
                self.report.findings.extend(findings);
                let before = order::nearest(&service.name, predecessors, &stepped);
                let mut after = presence.before(&service.name);
                after.extend(before.into_iter().map(StepId::update));
                stepped.insert(&service.name);
                self.steps
                    .push(Step::new(Action::UpdateService(update), after, reasons));
            } else {
                if is_settled(&verdict) {
                    self.rotate(service, inventory, false);
                }
                self.report.findings.extend(verdict.into_findings());
            }
        }
        if left_out > 0 {
            self.say(not_targeted(left_out));
        }
    }

    /// `--target registry.…` takes in the credentials of services that are not
    /// named themselves.
    fn rotate_for_registry(
        &mut self,
        service: &'a Service,
        verdict: &Verdict,
        inventory: &Inventory,
    ) {
        let image = self.scope.stack.image(&service.image);
        let named = image.is_some_and(|it| self.scope.names_registry(it.repository.host()));
        if named && is_settled(verdict) {
            self.rotate(service, inventory, false);
        }
    }

    /// `imgstack auth rotate`: whatever build the services run.
    fn rotate_all(&mut self, inventory: &Inventory) {
        let stack = self.scope.stack;
        for service in &stack.services {
            let image = stack.image(&service.image);
            let named = image.is_some_and(|it| self.scope.names_registry(it.repository.host()));
            if self.scope.has_service(service) || named {
                self.rotate(service, inventory, true);
            }
        }
    }

    fn rotate(&mut self, service: &'a Service, inventory: &Inventory, forced: bool) {
        let stack = self.scope.stack;
        let Some(image) = stack.image(&service.image) else {
            return;
        };
        let Some(step) = credential::rotate(stack, image, service, inventory, forced) else {
            return;
        };
        match credential::in_the_way(service, inventory) {
            None => self.steps.push(step),
            Some(finding) => self.say(finding),
        }
    }

    /// Keeps what is blocked, and what the spec puts after it by name, at
    /// however many removes. File order alone is no dependency: the next in the
    /// file goes on.
    fn hold(&mut self, service: &'a Service, verdict: &Verdict) {
        let before = service.after.iter().find_map(|name| self.held.get(name));
        let first = match verdict {
            Verdict::Blocked(_) => Some(&service.name),
            // Its nodes may be about to get what it waits for; a service that
            // comes after it still waits until it runs.
            Verdict::Stalled(_) => Some(&service.name),
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

    fn report_registries(&mut self, inventory: &Inventory) {
        let findings = credential::report(self.scope, inventory);
        self.report.findings.extend(findings);
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

    fn finish(mut self, inventory: &Inventory, only: Only) -> StackPlan {
        self.report.sort();
        let stack = self.scope.stack;
        let images = self.scope.images();
        let images = images
            .map(|image| planned_image(image, stack, inventory, &self.following))
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
            only,
            images,
            steps: self.steps,
            report: self.report,
            seen,
            hash,
        }
    }
}

/// Whether the service is the one that it should be, and nobody is changing it.
fn is_settled(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::UpToDate | Verdict::Noted(_) | Verdict::Stalled(_) => true,
        Verdict::Update(..) | Verdict::Blocked(_) => false,
    }
}

/// A service waits for the nodes that it may run on: it is not touched while
/// one of them has no room for the image, and where it does not run, the image
/// may be what it lacks.
fn waiting_for_nodes(service: &Service, verdict: Verdict, presence: &Presence<'_>) -> Verdict {
    let address = Address::Service(service.name.clone());
    match (verdict, presence.in_the_way(&service.name)) {
        (Verdict::Update(..), Some(host)) => Verdict::Blocked(finding(
            Severity::Blocked,
            Code::NodeBlocked,
            &address,
            format!("waits for node.{host}, which has no room for the image"),
        )),
        (Verdict::Stalled(finding), _) => match presence.helps(&service.name).as_slice() {
            [] => Verdict::Stalled(finding),
            hosts => {
                let nodes: Vec<String> = hosts.iter().map(|host| format!("node.{host}")).collect();
                Verdict::Stalled(Finding {
                    severity: Severity::Attention,
                    message: format!(
                        "{}; {} pulls what it may be waiting for",
                        finding.message,
                        nodes.join(", ")
                    ),
                    hint: Some("see whether it runs then: imgstack status".to_owned()),
                    ..finding
                })
            }
        },
        (verdict, _) => verdict,
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
        steps: Vec<(&'a StepId, &'a Action, &'a [StepId])>,
        seen: BTreeMap<&'a ServiceName, (&'a str, &'a str)>,
    }
    let essence = Essence {
        stack,
        // Without their reasons: those are words.
        steps: steps
            .iter()
            .map(|step| (&step.id, &step.action, &*step.after))
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
