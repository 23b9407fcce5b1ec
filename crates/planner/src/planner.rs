//! Stack and inventory in, plan out.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_spec::{Address, ServiceName, Stack};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::follow::{self, Following};
use crate::inventory::UpdateState;
use crate::plan::StackPlan;
use crate::report::{Code, Finding, Report, Severity};
use crate::service::{STACK_LABEL, finding, observed};
use crate::step::Step;
use crate::target::Scope;
use crate::{Inventory, Known, credential, freshness, leftover, login, stack_file};

/// The label that names the plan which last touched a service.
pub(crate) const PLAN_LABEL: &str = "dev.imgstack.plan";

/// What a person may ask of a plan.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only these; empty is everything.
    pub targets: Vec<Address>,
    /// What kinds of steps are wanted.
    pub only: Only,
    /// Builds that have failed may be tried again.
    pub retry_failed: bool,
}

/// The kinds of steps that a plan has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    draft.log_nodes_in(inventory, options.only);
    match options.only {
        Only::Everything => {
            draft.report_images();
            draft.report_freshness(inventory);
            draft.bring_services_to_images(inventory);
            draft.report_stack_files(inventory);
            draft.report_history(inventory);
            draft.report_strangers(inventory);
        }
        Only::Credentials => draft.rotate_all(inventory),
    }
    draft.report_registries(inventory);
    draft.finish(inventory, options.only)
}

/// A plan in the making.
pub(crate) struct Draft<'a> {
    pub(crate) scope: Scope<'a>,
    pub(crate) following: Following<'a>,
    pub(crate) retry_failed: bool,
    pub(crate) steps: Vec<Step>,
    /// Services that are blocked, or come after one by `after`, with that one.
    pub(crate) held: BTreeMap<&'a ServiceName, &'a ServiceName>,
    pub(crate) report: Report,
}

impl<'a> Draft<'a> {
    fn new(stack: &'a Stack, inventory: &Inventory, options: &'a Options) -> Self {
        let targets = &options.targets;
        Self {
            scope: Scope { stack, targets },
            following: follow::following(stack, inventory),
            retry_failed: options.retry_failed,
            steps: Vec::new(),
            held: BTreeMap::new(),
            report: Report::default(),
        }
    }

    pub(crate) fn say(&mut self, finding: Finding) {
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

    fn report_freshness(&mut self, inventory: &Inventory) {
        let findings = freshness::report(self.scope, inventory);
        self.report.findings.extend(findings);
    }

    fn report_stack_files(&mut self, inventory: &Inventory) {
        let findings = stack_file::report(self.scope, inventory, &self.following);
        self.report.findings.extend(findings);
    }

    fn clear_up(&mut self, inventory: &Inventory) {
        if self.scope.is_everything() {
            let (steps, findings) = leftover::judge(inventory);
            self.steps.extend(steps);
            self.report.findings.extend(findings);
        }
    }

    fn log_nodes_in(&mut self, inventory: &Inventory, only: Only) {
        let (steps, findings) = login::judge(self.scope, inventory, only);
        self.steps.extend(steps);
        self.report.findings.extend(findings);
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
}
