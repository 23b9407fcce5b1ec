//! What a plan says: every step, every blocked service, and every silence.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_planner::{
    Action, AdjustService, Code, Finding, Severity, StackPlan, Step, UpdateService,
};
use imgstack_spec::Address;

use super::is_wanted;
use super::settings::{adjustment_is_due, goes_by_its_settings, lacks};
use crate::design::{Design, Service, Wants};
use crate::order;
use crate::truth::{self, Truth};
use crate::world::{PACKED, World};

/// The updates of a plan, in its order.
pub fn steps(plan: &StackPlan) -> impl Iterator<Item = &UpdateService> {
    plan.steps.iter().filter_map(|step| match &step.action {
        Action::UpdateService(update) => Some(update.as_ref()),
        _ => None,
    })
}

/// The updates by service.
pub fn steps_of(plan: &StackPlan) -> BTreeMap<&str, &UpdateService> {
    steps(plan).map(|it| (it.service.as_str(), it)).collect()
}

/// The changes of settings alone, by service.
pub fn adjustments(plan: &StackPlan) -> BTreeMap<&str, &AdjustService> {
    let steps = plan.steps.iter().filter_map(|step| match &step.action {
        Action::AdjustService(adjust) => Some((adjust.service.as_str(), adjust)),
        _ => None,
    });
    steps.collect()
}

/// The services that are blocked, whatever by, or do not run and wait for a
/// node that pulls.
pub fn blocked(plan: &StackPlan) -> BTreeSet<&str> {
    let findings = plan.report.findings.iter();
    let blocked = findings.filter(|it| blocks(it));
    let addresses = blocked.flat_map(|it| it.blocks.iter().chain([&it.address]));
    addresses
        .filter_map(|address| match address {
            Address::Service(name) => Some(name.as_str()),
            _ => None,
        })
        .collect()
}

fn blocks(finding: &Finding) -> bool {
    finding.severity == Severity::Blocked || finding.code == Code::NotRunning
}

/// After an apply nothing of it is left to do, and nothing else: but for what
/// waited for a service that did not run, be it for its bad build that comes
/// and goes or for an image that a node has pulled now, and for a credential
/// or settings with which the engine went back.
#[track_caller]
pub fn nothing_is_left(world: &World, truth: &Truth, applied: &StackPlan, now: &StackPlan) {
    let sound = world.design.is_sound();
    for step in &now.steps {
        let went_back = |name: &str| truth.services[name].state.starts_with("rollback");
        let written = match &step.action {
            Action::RotateCredential(rotate) => Some(rotate.service.as_str()),
            Action::AdjustService(adjust) => Some(adjust.service.as_str()),
            _ => None,
        };
        if written.is_some_and(went_back) {
            continue;
        }
        let is_again = |step: &Step| applied.steps.iter().any(|it| it.id == step.id);
        // Nobody can tell what nodes hold without their engines: they pull, be it
        // once more, for a service that had not moved with the others.
        let is_pull = matches!(step.action, Action::PullImage(_));
        let mut others = now.steps.iter();
        let pulls_for_another = is_pull
            && !world.design.engines
            && others.any(|it| it.after.contains(&step.id) && !is_again(it));
        let waited = || waited_for_what_did_not_run(world, applied, step);
        let is_due = pulls_for_another || (!is_again(step) && (!sound || waited()));
        assert!(is_due, "{step:#?} {applied:#?}");
    }
}

fn waited_for_what_did_not_run(world: &World, applied: &StackPlan, step: &Step) -> bool {
    let Address::Service(name) = &step.address else {
        return false;
    };
    let after = &order::after(&world.design)[name.as_str()];
    let said = |code: Code, of: &dyn Fn(&str) -> bool| {
        let mut findings = applied.report.findings.iter();
        findings.any(|it| match &it.address {
            Address::Service(other) => it.code == code && of(other.as_str()),
            _ => false,
        })
    };
    said(Code::AfterBlocked, &|it| it == name.as_str())
        && said(Code::NotRunning, &|it| after.contains(it))
}

/// Everything that the plan says is so, and what it does not mention is well.
/// With `trouble` something may have been out of sight.
#[track_caller]
pub fn plan_is_true(world: &World, truth: &Truth, plan: &StackPlan, trouble: bool) {
    let (steps, blocked) = (steps_of(plan), blocked(plan));
    let adjustments = adjustments(plan);
    for finding in &plan.report.findings {
        if blocks(finding) {
            is_blocked(world, truth, finding, &blocked, trouble);
        }
    }
    for service in world.design.services.iter().filter(|it| it.in_spec) {
        let name = service.name.as_str();
        let says = format!("{name}: {:#?}", plan.report);
        match (steps.get(name), blocked.contains(name)) {
            (Some(_), true) => panic!("planned and blocked: {says}"),
            (Some(update), false) => is_due(world, truth, service, update, trouble),
            (None, true) => {}
            (None, false) => is_well(world, truth, service, &says),
        }
        match adjustments.get(name) {
            Some(adjust) => {
                assert!(!steps.contains_key(name), "twice: {says}");
                adjustment_is_due(service, &truth.services[name], adjust);
            }
            None if steps.contains_key(name) || blocked.contains(name) => {}
            None => {
                let lacks = lacks(service, &truth.services[name]);
                assert!(lacks.is_empty(), "{lacks:?} {says}");
            }
        }
    }
    let strangers = world.design.services.iter().filter(|it| !it.in_spec);
    for stranger in strangers {
        let name = stranger.name.as_str();
        let is_meant = steps.contains_key(name) || adjustments.contains_key(name);
        assert!(!is_meant, "{stranger:?}");
    }
}

fn design_of<'a>(design: &'a Design, name: &str) -> &'a Service {
    design.services.iter().find(|it| it.name == name).unwrap()
}

/// Nothing is said of the service, so it runs what is wanted, all of it.
#[track_caller]
fn is_well(world: &World, truth: &Truth, service: &Service, says: &str) {
    let Some(there) = truth.services.get(&service.name) else {
        panic!("not there, and not blocked: {says}");
    };
    assert!(
        is_wanted(world, service, there.image()),
        "{there:#?} {says}"
    );
    for task in truth.reached(there) {
        assert!(is_wanted(world, service, &task.image), "{there:#?} {says}");
    }
    let running = truth.serving(there).count();
    assert!(running >= truth.desired(there), "{there:#?} {says}");
}

/// A step has a cause, and says what is there and what will be.
#[track_caller]
fn is_due(world: &World, truth: &Truth, service: &Service, update: &UpdateService, trouble: bool) {
    let there = &truth.services[&service.name];
    let wrong = |image: &str| !is_wanted(world, service, image);
    let wrong_tasks = truth.reached(there).any(|task| wrong(&task.image));
    assert!(
        wrong(there.image()) || wrong_tasks,
        "no cause: {update:#?} {there:#?}"
    );
    goes_by_its_settings(service, there, update);
    assert_eq!(update.image.from, there.image());
    assert!(is_wanted(world, service, &update.image.to), "{update:#?}");
    if wrong(there.image()) {
        let digest = world.wanted(service.image).unwrap();
        let image = &world.design.images[service.image];
        let tag = match image.wants {
            Wants::PinnedTag(build) => image.builds[build].tag(),
            Wants::Tag | Wants::PinnedDigest(_) | Wants::Missing => "16".to_owned(),
        };
        let reference = format!("{}:{tag}@{digest}", world.design.repository(service.image));
        let familiar = reference.strip_prefix("docker.io/").unwrap_or(&reference);
        assert_eq!(update.image.to, familiar);
    } else {
        assert_eq!(update.image.to, there.image(), "a name alone is no reason");
    }
    // Tasks that come and go are other ones when they are read a second time.
    if !trouble || truth.is_calm(there, 5) {
        restarts_are_true(truth, there, update);
    }
}

#[track_caller]
fn restarts_are_true(truth: &Truth, there: &truth::Service, update: &UpdateService) {
    let dirty = truth
        .reached(there)
        .filter(|task| task.image != update.image.to);
    let dirty: Vec<&truth::Task> = dirty.collect();
    let nodes: BTreeSet<&str> = dirty
        .iter()
        .filter_map(|task| task.node.as_deref())
        .collect();
    assert_eq!(
        update.restarts.tasks,
        dirty.len() as u64,
        "{update:#?} {there:#?}"
    );
    assert!(
        update.restarts.nodes.iter().map(|it| it.as_str()).eq(nodes),
        "{update:#?} {there:#?}"
    );
}

/// A finding that blocks has a cause in the world.
#[track_caller]
fn is_blocked(
    world: &World,
    truth: &Truth,
    finding: &Finding,
    blocked: &BTreeSet<&str>,
    trouble: bool,
) {
    let there = |name: &str| &truth.services[name];
    let is_so = match (&finding.address, finding.code) {
        (Address::Swarm, Code::SwarmUnknown) => trouble,
        (Address::Image(name), code) => {
            let images = &world.design.images;
            let at = images
                .iter()
                .position(|it| it.name == name.as_str())
                .unwrap();
            let unread = trouble || !world.design.is_readable(at);
            match code {
                Code::ImageNotFound => images[at].wants == Wants::Missing,
                Code::ImageUnknown => unread,
                _ => false,
            }
        }
        (Address::Service(name), code) => {
            let name = name.as_str();
            let service = design_of(&world.design, name);
            match code {
                Code::SwarmUnknown => trouble,
                Code::ServiceNotFound => !truth.services.contains_key(name),
                Code::ServiceIsJob => there(name).is_job(),
                Code::UpdateInProgress => {
                    ["updating", "rollback_started"].contains(&there(name).state.as_str())
                }
                Code::ImageUnknown => {
                    let missing = world.wanted(service.image).is_none();
                    trouble || missing || !world.design.is_readable(service.image)
                }
                Code::AfterBlocked => {
                    let after = &order::after(&world.design)[name];
                    after.iter().any(|it| blocked.contains(it.as_str()))
                }
                Code::PlatformMissing => runs_nowhere(world, truth, service),
                Code::StoppedHalfWay => {
                    is_wanted(world, service, there(name).image())
                        && ["paused", "rollback_paused"].contains(&there(name).state.as_str())
                }
                Code::NotRunning => lacks_tasks(world, truth, service),
                // A write would go on with what has stopped, or restart tasks.
                Code::NotRotated => is_half_way(there(name)),
                Code::NotAdjusted => has_stopped(there(name)),
                Code::NodeBlocked => {
                    let mut nodes = truth.nodes.iter();
                    nodes.any(|(host, node)| {
                        node.is_allowed(host, there(name)) && lacks_room(world, host)
                    })
                }
                _ => false,
            }
        }
        (Address::Node(host), Code::NodeUnknown) => trouble || !answers(world, host.as_str()),
        (Address::Node(host), Code::DiskFull) => lacks_room(world, host.as_str()),
        _ => false,
    };
    let about = match &finding.address {
        Address::Service(name) => truth.services.get(name.as_str()),
        _ => None,
    };
    assert!(is_so, "blocked without a cause: {finding:#?} {about:#?}");
}

/// Whether a node has no room for even one image. Those that are drawn are
/// all of one size, and are kept packed and unpacked for a while.
fn lacks_room(world: &World, host: &str) -> bool {
    let free = world.sim.engines.read(|cluster| cluster.free_bytes(host));
    free < 2 * PACKED
}

fn answers(world: &World, host: &str) -> bool {
    world.sim.engines.read(|cluster| cluster.reachable(host))
}

fn runs_nowhere(world: &World, truth: &Truth, service: &Service) -> bool {
    let wanted = world.design.wanted(service.image).unwrap();
    let build = &world.design.images[service.image].builds[wanted];
    let mut usable = truth.nodes.values().filter(|node| node.up && node.active);
    !usable.any(|node| build.architectures.contains(&node.architecture.as_str()))
}

fn has_stopped(there: &truth::Service) -> bool {
    ["paused", "rollback_paused"].contains(&there.state.as_str())
}

fn is_half_way(there: &truth::Service) -> bool {
    has_stopped(there) || !there.tasks.iter().all(|task| task.as_asked)
}

fn lacks_tasks(world: &World, truth: &Truth, service: &Service) -> bool {
    let there = &truth.services[&service.name];
    let good = truth
        .serving(there)
        .filter(|task| is_wanted(world, service, &task.image));
    // On a node that takes no tasks the engine may still want one: it waits, or
    // has only just ended.
    let waits = there.tasks.iter().any(|task| task.state != "running");
    is_wanted(world, service, there.image()) && (waits || good.count() < truth.desired(there))
}
