//! What cannot be seen is unknown, and unknown is no reason to change
//! anything: neither a missing registry nor a silent manager brings a step
//! about, or makes a difference to what has nothing to do with it.

use std::collections::BTreeSet;
use std::time::Duration;

use imgstack_planner::{Code, Observed, Severity, StackPlan};
use imgstack_sim::{Fault, Trigger};
use imgstack_spec::Address;

use crate::claims::{blocked, plan_is_true, steps, steps_of};
use crate::design::Wants;
use crate::draw::{Dice, design};
use crate::order;
use crate::seeds::play;
use crate::tally::{Floor, shows};
use crate::world::World;

/// What it would be vacuous without.
const FLOORS: &[Floor] = &[
    ("have something to do", 500),
    ("wait for a registry", 450),
    ("plan for the others", 30),
    ("ask a manager in vain", 600),
];

#[test]
fn what_cannot_be_seen_is_no_reason_to_change_anything() {
    play("unknown", 20, FLOORS, |seed| async move {
        let mut dice = Dice::of(seed);
        let design = design(seed, &mut dice);
        let world = World::of(design).await;
        let healthy = world.look().await.plan;
        plan_is_true(&world, &world.truth(), &healthy, false);
        if !healthy.steps.is_empty() {
            shows("have something to do");
        }
        let host = dice.0.usize(0..world.registries.len());
        for_a_registry(&world, &mut dice, host, &healthy).await;
        world.sim.server.faults.clear();
        world.registries[host].set_off(false);
        for_the_manager(&world, &mut dice).await;
        world.sim.server.faults.clear();
        // Nothing of that has left a trace.
        let again = world.look().await.plan;
        assert_eq!(essence(&again), essence(&healthy));
    });
}

/// A registry is out of reach, or talks nonsense.
async fn for_a_registry(world: &World, dice: &mut Dice, host: usize, healthy: &StackPlan) {
    let registry = &world.registries[host];
    match dice.chance(15) {
        true => registry.set_off(true),
        false => {
            let trigger = Trigger {
                server: registry.host().to_owned(),
                ..Trigger::default()
            };
            world.sim.server.faults.set(trigger, nonsense(dice));
        }
    }
    let truth = world.truth();
    let plan = world.look().await.plan;
    plan_is_true(world, &truth, &plan, true);
    let images = &world.design.images;
    for (image, planned) in images.iter().zip(&plan.images) {
        let unknown = matches!(planned.wants, Observed::Unknown(_));
        assert!(unknown || image.host != host, "{planned:#?}");
    }
    if blocked(&plan).len() > blocked(healthy).len() {
        shows("wait for a registry");
    }
    // Everybody else is planned for as if nothing were.
    let of_host = |name: &str| {
        let mut services = world.design.services.iter();
        let service = services.find(|it| it.name == name).unwrap();
        images[service.image].host == host
    };
    let after = order::after(&world.design);
    let expected = steps(healthy).map(|it| it.service.as_str()).filter(|name| {
        let waits = after[*name]
            .iter()
            .any(|it| of_host(it) && in_spec(world, it));
        !of_host(name) && !waits
    });
    let planned = steps_of(&plan);
    let names: BTreeSet<&str> = planned.keys().copied().collect();
    if !names.is_empty() {
        shows("plan for the others");
    }
    assert_eq!(names, expected.collect(), "{:#?}", plan.report);
    let before = steps_of(healthy);
    for (name, update) in planned {
        assert_eq!(update.image, before[name].image);
        assert_eq!(update.platforms, before[name].platforms);
    }
}

fn in_spec(world: &World, name: &str) -> bool {
    let mut services = world.design.services.iter();
    services.any(|it| it.in_spec && it.name == name)
}

/// Answers that say nothing about what was asked.
fn nonsense(dice: &mut Dice) -> Fault {
    let answer = |status: u16, headers: &[(&str, &str)], body: &str| Fault::Answer {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.to_owned(),
    };
    let html = [("content-type", "text/html")];
    let page = "<html><body>Sign in to the hotel's network</body></html>";
    let denied = r#"{"errors":[{"code":"DENIED","message":"denied"}]}"#;
    let table = [
        Fault::Refuse,
        Fault::Cut,
        Fault::Delay(Duration::from_secs(90)),
        answer(200, &html, page),
        answer(404, &html, page),
        answer(302, &[("location", "http://127.0.0.1:1/")], ""),
        answer(401, &[], ""),
        answer(403, &[], denied),
        answer(429, &[("retry-after", "3600")], denied),
        answer(500, &html, page),
        answer(503, &[("retry-after", "1")], ""),
    ];
    dice.pick(&table)
}

/// A manager does not answer what services, tasks or nodes there are.
async fn for_the_manager(world: &World, dice: &mut Dice) {
    let trigger = Trigger {
        server: world.design.nodes[0].setup.hostname.clone(),
        path: dice.pick(&["/services", "/tasks", "/nodes", ""]).to_owned(),
        ..Trigger::default()
    };
    let refusal = |status: u16, message: &str| Fault::Answer {
        status,
        headers: Vec::new(),
        body: format!("{{\"message\": \"{message}\"}}"),
    };
    let table = [
        Fault::Refuse,
        Fault::Cut,
        Fault::CutBody,
        Fault::Corrupt,
        Fault::Delay(Duration::from_secs(90)),
        refusal(200, "not a list"),
        refusal(
            500,
            "rpc error: code = Unknown desc = The swarm does not have a leader.",
        ),
        refusal(503, "This node is not a swarm manager."),
        refusal(404, "page not found"),
    ];
    let asked = world.sim.server.record.entries().len();
    world
        .sim
        .server
        .faults
        .set(trigger.clone(), dice.pick(&table));
    let plan = world.look().await.plan;
    let entries = world.sim.server.record.entries();
    let hit = |path: &str| path.contains(&trigger.path);
    // Without a service of the spec no task is asked for.
    if !entries[asked..]
        .iter()
        .any(|it| it.server == trigger.server && hit(&it.path))
    {
        return;
    }
    shows("ask a manager in vain");
    assert!(plan.steps.is_empty(), "{:#?}", plan.steps);
    let mut findings = plan.report.findings.iter();
    let told = findings.any(|it| it.code == Code::SwarmUnknown && it.address == Address::Swarm);
    assert!(told, "{:#?}", plan.report);
    let all: BTreeSet<&str> = world
        .design
        .services
        .iter()
        .filter(|it| it.in_spec)
        .map(|it| it.name.as_str())
        .collect();
    assert_eq!(blocked(&plan), all);
    let missing = plan
        .report
        .findings
        .iter()
        .filter(|it| it.code == Code::ImageNotFound);
    let is_missing = |address: &Address| {
        let mut images = world.design.images.iter();
        images.any(|it| it.wants == Wants::Missing && *address == image_address(&it.name))
    };
    for finding in missing {
        assert!(finding.severity == Severity::Blocked && is_missing(&finding.address));
    }
}

fn image_address(name: &str) -> Address {
    Address::Image(name.parse().unwrap())
}

/// What a plan does and says, but for words and tasks of the moment.
fn essence(plan: &StackPlan) -> Vec<String> {
    let steps = steps(plan).map(|it| format!("{} {}", it.service, it.image.to));
    let findings = plan.report.findings.iter();
    let lasting = findings.filter(|it| it.code != Code::NotRunning);
    let lasting = lasting.map(|it| format!("{:?} {:?} {}", it.severity, it.code, it.address));
    steps.chain(lasting).collect()
}
