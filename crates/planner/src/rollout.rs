//! From verdicts on services to steps, in their order, with what nodes must do
//! before and after them.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_spec::{Address, Service, ServiceName};

use crate::failed::Failures;
use crate::order::Precedence;
use crate::planner::Draft;
use crate::presence::Presence;
use crate::report::{Code, Finding, Severity};
use crate::service::{Judged, Verdict, finding, judge, observed};
use crate::step::{Action, RotateCredential, Step, StepId, Via};
use crate::{Inventory, credential, leader, removal, settings};

impl<'a> Draft<'a> {
    /// First the nodes get what they are to hold, then the services follow, and
    /// last the nodes lose what nobody needs any more.
    pub(crate) fn bring_services_to_images(&mut self, inventory: &Inventory) {
        let stack = self.scope.stack;
        let services = stack.services.iter();
        let failures = Failures::of(stack, inventory, self.retry_failed);
        let mut verdicts: Vec<Judged<'_>> = services
            .map(|service| judge(stack, service, inventory, &self.following, &failures))
            .collect();
        let leaders = leader::judge_all(self.scope, &mut verdicts, inventory);
        self.report.findings.extend(leaders.findings);
        let precedence = Precedence::of(stack, leaders.last);
        let verdicts = in_order(verdicts, &precedence);
        self.report_majors(&verdicts);
        self.report_journal(&verdicts, inventory);
        let mut presence = Presence::judge(self.scope, inventory, &self.following, &verdicts);
        self.report.findings.append(&mut presence.findings);
        self.steps.extend(presence.steps());
        self.update_services(verdicts, &precedence, &presence, inventory);
        self.drop_idle_pulls();
        let (removals, kept) = removal::judge(
            self.scope,
            inventory,
            &self.following,
            &self.steps,
            &presence,
        );
        self.steps.extend(removals);
        self.report.findings.extend(kept);
    }

    /// What stops several services of an image is said once.
    fn report_majors(&mut self, verdicts: &[Judged<'_>]) {
        let ours = verdicts
            .iter()
            .filter(|it| self.scope.has_service(it.service));
        let mut told: Vec<Finding> = Vec::new();
        for finding in ours.filter_map(|judged| judged.major.as_deref()) {
            let same =
                |it: &&mut Finding| it.address == finding.address && it.message == finding.message;
            match told.iter_mut().find(same) {
                Some(earlier) => earlier.blocks.extend(finding.blocks.iter().cloned()),
                None => told.push(finding.clone()),
            }
        }
        self.report.findings.extend(told);
    }

    /// A node whose own engine cannot be asked pulls for a service that moves.
    /// One that does not after all needs nothing, and a plan that would pull
    /// again each time is never empty.
    fn drop_idle_pulls(&mut self) {
        let needed: BTreeSet<StepId> = self.steps.iter().flat_map(|it| it.after.clone()).collect();
        let scope = self.scope;
        self.steps.retain(|step| match &step.action {
            Action::PullImage(pull) => {
                pull.via != Via::Manager
                    || needed.contains(&step.id)
                    || scope.names_node(&pull.node)
            }
            _ => true,
        });
    }

    fn update_services(
        &mut self,
        verdicts: Vec<Judged<'a>>,
        precedence: &Precedence<'a>,
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
            self.hold(service, &verdict, precedence);
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
                let (waits_for, follows) = precedence.nearest(&service.name, &stepped);
                let mut after = presence.before(&service.name);
                after.extend(waits_for.into_iter().map(StepId::update));
                // File order alone is no dependency.
                let follows = follows.into_iter().map(StepId::update).collect();
                stepped.insert(&service.name);
                let step = Step::new(Action::UpdateService(update), after, reasons);
                self.steps.push(Step { follows, ..step });
            } else {
                self.settle(service, &verdict, inventory);
                self.report.findings.extend(verdict.into_findings());
            }
        }
        if left_out > 0 {
            self.say(not_targeted(left_out));
        }
        let aside = precedence.set_aside.iter();
        let aside = aside.filter(|it| stepped.contains(it.service));
        self.report.findings.extend(aside.map(leader::set_aside));
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
            let rotation = self.rotation(service, inventory, false);
            self.rotate(rotation);
        }
    }

    /// `imgstack auth rotate`: whatever build the services run.
    pub(crate) fn rotate_all(&mut self, inventory: &Inventory) {
        let unusable = credential::not_usable(self.scope, inventory);
        self.report.findings.extend(unusable);
        let stack = self.scope.stack;
        for service in &stack.services {
            let image = stack.image(&service.image);
            let named = image.is_some_and(|it| self.scope.names_registry(it.repository.host()));
            if self.scope.has_service(service) || named {
                let rotation = self.rotation(service, inventory, true);
                self.rotate(rotation);
            }
        }
    }

    /// What a service may lack that runs the build it should: rollout settings
    /// and the credential.
    fn settle(&mut self, service: &'a Service, verdict: &Verdict, inventory: &Inventory) {
        if !is_settled(verdict) {
            return;
        }
        let rotation = self.rotation(service, inventory, false);
        let adjusted = match verdict {
            // A write would take from the engine what it can go back to.
            Verdict::Stalled(_) => None,
            _ => observed(inventory, &service.name),
        };
        let settings = adjusted
            .map(|it| (it, settings::changes(&service.rollout, &it.update)))
            .filter(|(_, settings)| !settings.is_empty());
        match settings {
            None => self.rotate(rotation),
            Some((observed, settings)) => match settings::in_the_way(service, observed) {
                None => self
                    .steps
                    .push(settings::adjust(service, observed, settings, rotation)),
                Some(finding) => self.say(finding),
            },
        }
    }

    /// The rotation that is due, if nothing is in its way; if something is, that
    /// is said.
    fn rotation(
        &mut self,
        service: &'a Service,
        inventory: &Inventory,
        forced: bool,
    ) -> Option<(RotateCredential, String)> {
        let stack = self.scope.stack;
        let image = stack.image(&service.image)?;
        let rotation = credential::rotation(stack, image, service, inventory, forced)?;
        match credential::in_the_way(service, inventory) {
            None => Some(rotation),
            Some(finding) => {
                self.say(finding);
                None
            }
        }
    }

    fn rotate(&mut self, rotation: Option<(RotateCredential, String)>) {
        if let Some((rotate, reason)) = rotation {
            let action = Action::RotateCredential(rotate);
            self.steps.push(Step::new(action, Vec::new(), vec![reason]));
        }
    }

    /// Keeps what is blocked, and what comes after it at however many removes:
    /// by the spec's word, or as the leader of its group. File order alone is no
    /// dependency: the next in the file goes on.
    fn hold(&mut self, service: &'a Service, verdict: &Verdict, precedence: &Precedence<'a>) {
        let mut waits_for = precedence.waits_for(&service.name);
        let before = waits_for.find_map(|name| self.held.get(name));
        let first = match verdict {
            Verdict::Blocked(_) | Verdict::Held(_) => Some(&service.name),
            // Its nodes may be about to get what it waits for; a service that
            // comes after it still waits until it runs.
            Verdict::Stalled(_) => Some(&service.name),
            _ => before.copied(),
        };
        if let Some(first) = first {
            self.held.insert(&service.name, first);
        }
    }
}

fn in_order<'a>(verdicts: Vec<Judged<'a>>, precedence: &Precedence<'_>) -> Vec<Judged<'a>> {
    let order = precedence.rollout_order().into_iter().enumerate();
    let place: BTreeMap<&ServiceName, usize> = order.map(|(at, it)| (&it.name, at)).collect();
    let mut verdicts = verdicts;
    verdicts.sort_by_key(|judged| place.get(&judged.service.name));
    verdicts
}

/// Whether the service is the one that it should be, or stays what it is for now,
/// and nobody is changing it.
fn is_settled(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::UpToDate | Verdict::Noted(_) | Verdict::Stalled(_) | Verdict::Held(_) => true,
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
