//! How a bad day is to end.

use imgstack_planner::{Code, StackPlan};
use imgstack_spec::Address;

use super::mishap::Mishap;
use crate::claims::{build_of, goes_well, is_wanted, must_go_well};
use crate::design::{Service, Wants};
use crate::order;
use crate::tally::shows;
use crate::truth::{self, Truth};
use crate::world::World;

/// With nothing wrong any more no update goes on for ever.
#[track_caller]
pub fn nothing_hangs(world: &World, plan: &StackPlan, start: &Truth, mishap: &Mishap) {
    let truth = world.truth();
    for service in world.design.services.iter().filter(|it| it.in_spec) {
        if !is_said(plan, service, Code::UpdateInProgress) {
            continue;
        }
        let there = &truth.services[&service.name];
        // What it would go back to has to go well, too.
        let ran = start.is_calm(&start.services[&service.name], 5);
        // And what somebody else has made of it may go on as it likes.
        let ours = mishap.meddled() != Some(service.name.as_str());
        let well = what_it_asks_for_goes_well(world, &truth, service, there);
        let nodes = &truth.nodes;
        assert!(!(well && ran && ours), "{there:#?} {nodes:#?}");
    }
}

/// What goes on may be the bad build that a mended one came after.
fn what_it_asks_for_goes_well(
    world: &World,
    truth: &Truth,
    service: &Service,
    there: &truth::Service,
) -> bool {
    let build = build_of(world, service, there.image());
    build.is_some_and(|build| goes_well(&world.design, truth, service, build))
}

/// In the end every service that has nothing against it, and comes after none
/// that has, runs the wanted build, whatever the plan says of it.
#[track_caller]
pub fn what_can_run_runs(world: &World, plan: &StackPlan, mishap: &Mishap) {
    let truth = world.truth();
    let services = world.design.services.iter();
    let able = |service: &&Service| is_able(world, &truth, plan, service, mishap);
    let unable: Vec<&str> = services
        .clone()
        .filter(|it| it.in_spec && !able(it))
        .map(|it| it.name.as_str())
        .collect();
    let after = order::after(&world.design);
    for service in services.filter(|it| it.in_spec && able(it)) {
        let before = &after[&service.name];
        if unable.iter().any(|name| before.contains(*name)) {
            continue;
        }
        shows("have what can run run in the end");
        let there = &truth.services[&service.name];
        let good = |task: &&truth::Task| is_wanted(world, service, &task.image);
        let running = truth.serving(there).filter(good).count();
        let runs = is_wanted(world, service, there.image()) && running >= truth.desired(there);
        assert!(runs, "{there:#?} {:#?} {:#?}", truth.nodes, plan.report);
    }
}

/// Whether nothing is in the way of a service.
fn is_able(
    world: &World,
    truth: &Truth,
    plan: &StackPlan,
    service: &Service,
    mishap: &Mishap,
) -> bool {
    let Some(there) = truth.services.get(&service.name) else {
        return false;
    };
    // A person has to push another build, which was done where a tag is
    // followed, or to say what is to become of it.
    let pinned = world.design.images[service.image].wants != Wants::Tag;
    let waits = pinned && is_said(plan, service, Code::StoppedHalfWay);
    // An update that goes on for ever, as long as it is to something that
    // does not go well.
    let stuck = is_said(plan, service, Code::UpdateInProgress)
        && !what_it_asks_for_goes_well(world, truth, service, there);
    // Its tasks ended, and the service says that none follows.
    let given_up = pinned && gives_up(there);
    // Somebody else's wish.
    let meddled = mishap.meddled() == Some(service.name.as_str());
    must_go_well(&world.design, truth, service)
        && platforms_let_it(world, truth, service, there)
        && !there.is_job()
        && !(waits || stuck || given_up || meddled)
}

/// Platforms that are written down follow another image, and nothing else: they
/// stay what somebody made of them while the service asks for the wanted build.
/// They may rule out nodes that could run it, and let in some that cannot.
fn platforms_let_it(
    world: &World,
    truth: &Truth,
    service: &Service,
    there: &truth::Service,
) -> bool {
    let platforms = there.platforms();
    let admits = |node: &&truth::Node| {
        let words = [format!("linux/{}", node.architecture), "linux/".to_owned()];
        platforms.is_empty() || words.iter().any(|it| platforms.contains(it))
    };
    let image = &world.design.images[service.image];
    let wanted = world.design.wanted(service.image);
    let fits = |node: &truth::Node| {
        let build = wanted.map(|build| &image.builds[build]);
        build.is_some_and(|it| it.architectures.contains(&node.architecture.as_str()))
    };
    let mut places = truth.places(there);
    if there.is_global() {
        return places.all(|node| admits(&node));
    }
    let mut chosen = places.filter(admits).peekable();
    truth.desired(there) == 0 || (chosen.peek().is_some() && chosen.all(fits))
}

fn gives_up(service: &truth::Service) -> bool {
    let policy = &service.spec["TaskTemplate"]["RestartPolicy"];
    let tries = policy["MaxAttempts"].as_u64().unwrap_or(0);
    tries > 0 || !matches!(policy["Condition"].as_str(), None | Some("any"))
}

fn is_said(plan: &StackPlan, service: &Service, code: Code) -> bool {
    let mut findings = plan.report.findings.iter();
    findings.any(|it| match &it.address {
        Address::Service(name) => it.code == code && name.as_str() == service.name,
        _ => false,
    })
}
