//! The leader goes last, also when it is another one by now; before it goes, it
//! hands over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use imgstack_executor::{Event, FailureKind, StepOutcome};
use imgstack_planner::{Action, Leader, StepId, arrange};
use imgstack_spec::{Input, Probe, Question, ServiceName, Stack};
use serde_json::{Value, json};

use crate::scripted::Reply;
use crate::support::{Told, World, new, planned_spec, says, service, spec, task, with_status};

/// The services of a group, each with the exit codes of what is run in its
/// task, one after another and the last for ever: 0 is yes.
type Group<'a> = &'a [(&'a str, &'a [i64])];

/// A plan for these services; `rollout` stands beside `lastIf`, and `led` is
/// the one that leads, by the plan.
fn group(services: Group<'_>, led: Option<&str>, rollout: &str) -> World {
    let names: Vec<&str> = services.iter().map(|(name, _)| *name).collect();
    let mut world = World::planned(&names);
    world.plan.stack = stack(&names, rollout);
    let group: Vec<ServiceName> = names.iter().map(|it| it.parse().unwrap()).collect();
    let leaders = led.map(|led| ("web".parse().unwrap(), led.parse().unwrap()));
    let moving: BTreeSet<_> = group.iter().cloned().collect();
    let places = arrange(&world.plan.stack, &leaders.into_iter().collect(), &moving);
    for step in &mut world.plan.steps {
        let Action::UpdateService(update) = &mut step.action else {
            panic!()
        };
        let mut place = places.iter();
        let place = place.find(|it| it.service == update.service).unwrap();
        step.after = place.after.iter().map(StepId::update).collect();
        step.follows = place.follows.iter().map(StepId::update).collect();
        let desired = world.plan.stack.service(&update.service).unwrap();
        update.monitor_ms = 0;
        update.leader = Some(Leader {
            last_if: desired.last_if.clone().unwrap(),
            group: group.clone(),
            led: Some(update.service.as_str()) == led,
        });
    }
    let mut tasks = Vec::new();
    for (name, codes) in services {
        let (before, after) = (service(7, &spec(name)), service(8, &planned_spec(name)));
        let after = with_status(after, "completed", "update completed");
        let path = format!("GET /services/id-{name}").leak();
        let faces = says(&[before.clone(), before, after]);
        world.engine.on(path, &faces);
        answers(&world, name, codes);
        let mut running = task(&format!("t-{name}"), &new(), "running");
        running["ServiceID"] = json!(format!("id-{name}"));
        running["Status"]["ContainerStatus"] = json!({"ContainerID": format!("c-{name}")});
        tasks.push(running);
    }
    world.tasks(&[tasks]);
    world
}

fn stack(names: &[&str], rollout: &str) -> Stack {
    let mut text = "apiVersion: imgstack.dev/v1alpha1
kind: ImageStack
metadata: {name: shop}
spec:
  images: [{name: web, repository: ghcr.io/acme/web, tag: '1'}]
  services:
"
    .to_owned();
    for name in names {
        let rollout = format!("{{lastIf: {{exec: [leads]}}{rollout}}}");
        text += &format!("    - {{name: {name}, image: web, rollout: {rollout}}}\n");
    }
    let mut set = imgstack_spec::read(&[Input::new("a", text)]).unwrap();
    set.stacks.remove(0)
}

/// How the programs end that are run in the container of a service.
fn answers(world: &World, name: &str, codes: &[i64]) {
    let path = |text: String| -> &'static str { text.leak() };
    let engine = &world.engine;
    let created = says(&[json!({"Id": format!("e-{name}")})]);
    engine.on(path(format!("POST /containers/c-{name}/exec")), &created);
    let words = [&[1, 0, 0, 0, 0, 0, 0, 9][..], b"hard luck"].concat();
    engine.on(
        path(format!("POST /exec/e-{name}/start")),
        &[Reply::Bytes(words)],
    );
    let end = |code: &i64| json!({"Running": false, "ExitCode": code});
    let ends: Vec<Value> = codes.iter().map(end).collect();
    engine.on(path(format!("GET /exec/e-{name}/json")), &says(&ends));
}

/// What was run in the container of a service.
fn ran(world: &World, name: &str) -> Vec<String> {
    let requests = world.engine.asked(&format!("/containers/c-{name}/exec"));
    let programs = requests.iter().map(|request| {
        let body: Value = serde_json::from_str(&request.body).unwrap();
        let words: Vec<&str> = body["Cmd"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        words.join(" ")
    });
    programs.collect()
}

/// `+a -a`, and `b<a: c b` where `b` leads and no more `a`, and `c` and then
/// `b` are left; `!a` has failed, `>a` hands over.
fn course(told: &Told) -> String {
    let course = told.events.iter().filter_map(|event| {
        let name = |text: &dyn std::fmt::Display| {
            text.to_string()
                .replace("update ", "")
                .replace("service.", "")
        };
        Some(match event {
            Event::StepStarted { step, .. } => format!("+{}", name(step)),
            Event::StepSucceeded { step, .. } => format!("-{}", name(step)),
            Event::StepFailed { step, .. } => format!("!{}", name(step)),
            Event::HandingOver { step, .. } => format!(">{}", name(step)),
            Event::OrderChanged {
                leader, was, left, ..
            } => {
                let left: Vec<_> = left.iter().map(|it| name(it)).collect();
                let was = was.as_ref().map(|it| name(it)).unwrap_or_default();
                format!("{}<{was}:{}", name(leader), left.join(","))
            }
            _ => return None,
        })
    });
    course.collect::<Vec<_>>().join(" ")
}

const NO: &[i64] = &[1];
const YES: &[i64] = &[0];

/// (who says what, who led, what happens)
#[tokio::test]
async fn the_order_is_worked_out_again_when_another_one_leads() {
    let table: [(Group<'_>, Option<&str>, &str); 9] = [
        // As it was planned.
        (
            &[("a", YES), ("b", NO), ("c", NO)],
            Some("a"),
            "+b -b +c -c +a -a",
        ),
        // It moved to one that has not gone.
        (
            &[("a", NO), ("b", YES), ("c", NO)],
            Some("a"),
            "b<a:a,c,b +a -a +c -c +b -b",
        ),
        (
            &[("a", NO), ("b", NO), ("c", YES)],
            Some("a"),
            "+b -b c<a:a,c +a -a +c -c",
        ),
        // To one that has gone: nobody is left who leads.
        (
            &[("a", NO), ("b", &[1, 0]), ("c", NO)],
            Some("a"),
            "+b -b +c -c b<a:a +a -a",
        ),
        // To one, and then to another.
        (
            &[("a", NO), ("b", &[0, 1, 1]), ("c", &[1, 0])],
            Some("a"),
            "b<a:a,c,b +a -a c<b:b,c +b -b +c -c",
        ),
        // Nobody led.
        (
            &[("a", YES), ("b", NO), ("c", NO)],
            None,
            "a<:b,c,a +b -b +c -c +a -a",
        ),
        // One that does not answer does not lead, while the leader says so.
        (&[("a", YES), ("b", &[127])], Some("a"), "+b -b +a -a"),
        (&[("a", &[127]), ("b", YES)], Some("b"), "+a -a +b -b"),
        // The leader does not answer any more, and another one says yes.
        (
            &[("a", &[127]), ("b", &[1, 0])],
            Some("a"),
            "+b -b b<a:a +a -a",
        ),
    ];
    for (services, led, expected) in table {
        let world = group(services, led, "");
        let told = world.apply().await;
        assert_eq!(course(&told), expected, "{services:?}");
        assert!(told.outcome.is_complete(), "{:?}", told.events);
        assert_eq!(world.sent().len(), services.len());
    }
}

/// Services of one image that the plan puts into no order go one at a time all
/// the same, by whatever way they come to their turn.
#[tokio::test]
async fn of_one_group_no_two_are_under_way_at_once() {
    let mut world = group(&[("a", NO), ("b", NO), ("c", YES)], Some("a"), "");
    for step in &mut world.plan.steps {
        step.follows.clear();
    }
    let told = world.apply().await;
    assert_eq!(course(&told), "+b -b c<a:a,c +a -a +c -c");
    assert!(told.outcome.is_complete());
}

/// (who says what, who led, the failure, its words)
#[tokio::test]
async fn what_is_not_clear_stops_it_and_nothing_is_sent() {
    let table: [(Group<'_>, &str, &str, FailureKind, &str); 6] = [
        (
            &[("a", NO), ("b", YES)],
            "a",
            ", onLeaderChange: stop",
            FailureKind::LeaderMoved,
            "service.b answers as the leader now, and service.a did when the plan was made; nothing was sent",
        ),
        (
            &[("a", YES), ("b", YES)],
            "a",
            "",
            FailureKind::LeaderUnknown,
            "service.a and service.b both answer as the leader; nothing was sent",
        ),
        (
            &[("a", NO), ("b", &[127])],
            "a",
            "",
            FailureKind::LeaderUnknown,
            "whether service.b leads is not known: `leads` cannot be run in the container (exit code 127): hard luck, on host-1; nothing was sent",
        ),
        // The one that has its turn is told of, whoever else is silent.
        (
            &[("a", &[127]), ("b", &[127])],
            "a",
            "",
            FailureKind::LeaderUnknown,
            "whether service.b leads",
        ),
        (
            &[("b", NO), ("a", NO)],
            "b",
            "",
            FailureKind::LeaderUnknown,
            "it led when the plan was made, and none of its group answers as the leader now; nothing was sent",
        ),
        (
            &[("a", &[0, 1, 0, 1, 0, 1]), ("b", &[1, 0, 1, 0, 1])],
            "b",
            "",
            FailureKind::LeaderMoved,
            "leadership has moved 5 times since the plan was made; nothing was sent",
        ),
    ];
    for (services, led, rollout, kind, words) in table {
        let world = group(services, Some(led), rollout);
        let told = world.apply().await;
        let failure = told.failure();
        assert_eq!(failure.kind, kind, "{failure:?}");
        assert!(failure.message.starts_with(words), "{failure:?}");
        assert!(failure.hint.is_some());
        let outcomes: BTreeMap<_, _> = told.outcome.steps.iter().cloned().collect();
        let failed = outcomes.values().filter(|it| **it == StepOutcome::Failed);
        assert_eq!(failed.count(), 1);
        // What went before it is done, and nothing else was sent.
        let done = outcomes.values().filter(|it| **it == StepOutcome::Done);
        assert_eq!(world.sent().len(), done.count(), "{services:?}");
    }
}

const SWITCHOVER: &str = ", beforeLast: {exec: [switch, over]}, timeout: 60s";

#[tokio::test]
async fn the_leader_hands_over_before_it_goes() {
    // Asked at its turn and for the task that leads, then the switchover, then
    // twice until it leads no more.
    let mut world = group(&[("a", &[0, 0, 0, 0, 1]), ("b", NO)], Some("a"), SWITCHOVER);
    world.update(|update| update.timeout_seconds = 60);
    let told = world.apply().await;
    assert_eq!(course(&told), "+b -b +a >a -a");
    let programs = ["leads", "leads", "switch over", "leads", "leads"];
    assert_eq!(ran(&world, "a"), programs);
    assert_eq!(ran(&world, "b"), ["leads"]);
    let handing = told.events.iter().find_map(|event| match event {
        Event::HandingOver { task, program, .. } => Some((task.as_str(), program.as_str())),
        _ => None,
    });
    assert_eq!(handing, Some(("a.1", "switch over")));
}

/// What would stop the update stops the switchover, too.
#[tokio::test]
async fn a_leader_that_cannot_go_is_not_told_to_hand_over() {
    let mut changed = group(&[("a", YES)], Some("a"), SWITCHOVER);
    let mut other = spec("a");
    other["TaskTemplate"]["ContainerSpec"]["Env"] = json!(["A=2"]);
    let sight = crate::support::seen(7, &other);
    changed.plan.seen.insert("a".parse().unwrap(), sight);
    let mut not_probed = group(&[("a", YES)], Some("a"), SWITCHOVER);
    not_probed.update(|update| {
        update.probe = Some(Probe {
            question: Question::Tcp("nowhere".parse().unwrap()),
            every: Duration::from_millis(50),
            hold: Duration::ZERO,
            timeout: Duration::from_secs(1),
        });
    });
    for (world, kind) in [
        (changed, FailureKind::Drifted),
        (not_probed, FailureKind::Unreachable),
    ] {
        let told = world.apply().await;
        assert_eq!(told.failure().kind, kind, "{:?}", told.failure());
        assert!(!ran(&world, "a").contains(&"switch over".to_owned()));
        assert_eq!(world.sent().len(), 0);
    }
}

#[tokio::test]
async fn who_does_not_lead_any_more_is_not_told_to_hand_over() {
    let world = group(&[("a", NO), ("b", &[1, 0])], Some("a"), SWITCHOVER);
    let told = world.apply().await;
    assert_eq!(course(&told), "+b -b b<a:a +a -a");
    // Alone, it is asked for that reason only.
    let world = group(&[("a", NO)], Some("a"), SWITCHOVER);
    assert_eq!(course(&world.apply().await), "+a -a");
    assert_eq!(ran(&world, "a"), ["leads"]);
    let world = group(&[("a", &[0, 0, 1])], Some("a"), SWITCHOVER);
    assert_eq!(course(&world.apply().await), "+a >a -a");
    let world = group(&[("a", YES)], Some("a"), "");
    assert_eq!(course(&world.apply().await), "+a -a");
    assert_eq!(ran(&world, "a"), Vec::<String>::new());
}

/// (codes of the leader, the time it has in seconds, words of the failure)
#[tokio::test]
async fn a_leader_that_keeps_its_place_does_not_go() {
    let table: [(&[i64], u64, &str); 4] = [
        (
            &[0, 0, 7],
            60,
            "the leader did not hand over; nothing was sent",
        ),
        (
            YES,
            1,
            "`switch over` ended well, and 1 s after it had begun it still answers as the leader; nothing was sent",
        ),
        (
            &[0, 0, 0, 127],
            1,
            "`switch over` ended well, and 1 s after it had begun whether it still leads is not known: ",
        ),
        (&[0, 127], 60, "whether it leads is not known: "),
    ];
    for (codes, timeout, words) in table {
        let mut world = group(&[("a", codes)], Some("a"), SWITCHOVER);
        world.update(|update| {
            update.timeout_seconds = timeout;
            // Of two, the other one up to date.
            update
                .leader
                .as_mut()
                .unwrap()
                .group
                .push("b".parse().unwrap());
        });
        let told = world.apply().await;
        let failure = told.failure();
        let kind = match words.starts_with("whether") {
            true => FailureKind::LeaderUnknown,
            false => FailureKind::NotHandedOver,
        };
        assert_eq!(failure.kind, kind);
        assert!(failure.message.starts_with(words), "{failure:?}");
        assert_eq!(world.sent().len(), 0);
        if codes.last() == Some(&7) {
            let task = &failure.tasks[0];
            assert_eq!(task.error, "`switch over` ended with 7");
            assert_eq!((task.task.as_str(), task.exit_code), ("a.1", Some(7)));
            assert_eq!(task.log, ["hard luck"]);
        }
    }
}

#[tokio::test]
async fn somebody_who_asks_to_stop_is_not_kept_waiting_for_a_leader() {
    let mut world = group(&[("a", YES)], Some("a"), SWITCHOVER);
    world.cancel_at = Some("handing_over");
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Stopped]);
    assert!(told.outcome.interrupted);
    assert_eq!(world.sent().len(), 0);
    // What was under way was waited for.
    assert_eq!(ran(&world, "a"), ["leads", "switch over"]);
    let mut world = group(&[("a", YES)], Some("a"), SWITCHOVER);
    world.cancel_at = Some("step_started");
    assert_eq!(world.apply().await.steps(), [StepOutcome::NotStarted]);
    assert_eq!(ran(&world, "a"), Vec::<String>::new());
}
