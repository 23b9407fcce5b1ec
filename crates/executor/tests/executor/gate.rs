//! The gate: a rollout that has converged is done when its probe has held.

use std::time::Duration;

use imgstack_executor::{Event, FailureKind, Progress, StepOutcome};
use imgstack_spec::{Probe, Question};
use serde_json::{Value, json};

use crate::scripted::Reply;
use crate::support::{
    Told, WEB, World, after, before, events, new, old, says, service, spec, task, with_error,
    with_status,
};

const EVERY: Duration = Duration::from_millis(50);

/// A task with a container, on that node.
fn contained(id: &str, image: &str, state: &str, node: &str) -> Value {
    let mut task = task(id, image, state);
    task["NodeID"] = json!(node);
    task["Status"]["ContainerStatus"] = json!({"ContainerID": format!("c-{id}")});
    task
}

fn completed(version: u64) -> Value {
    with_status(after(version), "completed", "update completed")
}

/// A rollout that converges at once. The probe is a program in the task's
/// container; that of the new task ends with these codes, the last for ever.
/// `then` are the faces of the service once it has converged.
fn probed(codes: &[i64], hold: Duration, then: &[Value]) -> World {
    let mut faces = vec![before(7), before(7)];
    faces.extend_from_slice(then);
    let mut world = World::web(&faces);
    world.tasks(&[
        vec![contained("t1", &old(), "running", "n1")],
        vec![contained("t2", &new(), "running", "n1")],
    ]);
    answers(&world, "t1", &[1]);
    answers(&world, "t2", codes);
    world.update(|update| {
        update.monitor_ms = 0;
        update.probe = Some(Probe {
            question: Question::Exec(vec!["/ready".parse().unwrap()]),
            every: EVERY,
            hold,
            timeout: Duration::from_secs(1),
        });
    });
    world
}

/// What the program says in the container of a task.
fn answers(world: &World, task: &str, codes: &[i64]) {
    let engine = &world.engine;
    let path = |text: String| -> &'static str { text.leak() };
    let created = says(&[json!({"Id": format!("e-{task}")})]);
    engine.on(path(format!("POST /containers/c-{task}/exec")), &created);
    let quiet = Reply::Bytes(Vec::new());
    engine.on(path(format!("POST /exec/e-{task}/start")), &[quiet]);
    let ends: Vec<Value> = codes
        .iter()
        .map(|code| json!({"Running": false, "ExitCode": code}))
        .collect();
    engine.on(path(format!("GET /exec/e-{task}/json")), &says(&ends));
}

/// What was said of the probe.
fn said(told: &Told) -> Vec<String> {
    let said = told.events.iter().filter_map(|event| match event {
        Event::StepProgress {
            progress: progress @ Progress::Probe(_),
            ..
        } => Some(progress.to_string()),
        _ => None,
    });
    said.collect()
}

#[tokio::test]
async fn it_opens_when_the_task_says_yes_and_says_meanwhile_what_it_waits_for() {
    let world = probed(&[1, 1, 0], Duration::ZERO, &[completed(8)]);
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done], "{:?}", told.events);
    let said = said(&told);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].starts_with("probe: 0 of 1 say yes; web.1: "),
        "{said:?}"
    );
    assert_eq!(said[1], "probe: 1 of 1 say yes");
    // Once before the update, in the task that was there.
    assert_eq!(world.engine.asked("/containers/c-t1/exec").len(), 1);
    assert_eq!(world.engine.asked("/containers/c-t2/exec").len(), 3);
}

#[tokio::test]
async fn it_must_hold_without_a_no_in_between() {
    let hold = EVERY * 4;
    let world = probed(&[0, 0, 0, 1, 0], hold, &[completed(8)]);
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done], "{:?}", told.events);
    // Four that did not do, and the five of a hold of four times `every`.
    let asked = world.engine.asked("/containers/c-t2/exec").len();
    assert!((8..=9).contains(&asked), "{asked}");
}

#[tokio::test]
async fn every_task_has_to_say_yes() {
    let mut world = probed(&[0], Duration::ZERO, &[completed(8)]);
    let mut two = completed(8);
    two["Spec"]["Mode"]["Replicated"]["Replicas"] = json!(2);
    let mut first = before(7);
    first["Spec"]["Mode"]["Replicated"]["Replicas"] = json!(2);
    let sight = crate::support::seen(7, &first["Spec"]);
    world.plan.seen.insert("web".parse().unwrap(), sight);
    world.engine.on(WEB, &says(&[first.clone(), first, two]));
    let mut second = contained("t3", &new(), "running", "n1");
    second["Slot"] = json!(2);
    world.tasks(&[
        vec![contained("t1", &old(), "running", "n1")],
        vec![contained("t2", &new(), "running", "n1"), second],
    ]);
    answers(&world, "t3", &[7, 0]);
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done], "{:?}", told.events);
    let said = said(&told);
    assert!(
        said[0].starts_with("probe: 1 of 2 say yes; web.2: "),
        "{said:?}"
    );
    assert_eq!(said[1], "probe: 2 of 2 say yes");
}

#[tokio::test]
async fn one_that_never_opens_fails_with_the_last_answer_and_is_led_back() {
    let mut world = probed(&[1], Duration::ZERO, &[completed(8)]);
    world.update(|update| update.timeout_seconds = 1);
    let log = Reply::Bytes([&[2, 0, 0, 0, 0, 0, 0, 8][..], b"not yet\n"].concat());
    world.engine.on("GET /tasks/t2/logs", &[log]);
    let told = world.apply().await;
    let failure = told.failure();
    assert_eq!(failure.kind, FailureKind::ProbeFailed);
    let start = "the probe did not hold within 1 s: 0 of 1 say yes; web.1: ";
    assert!(failure.message.starts_with(start), "{failure:?}");
    // The task runs, and what it wrote is told.
    assert_eq!(failure.tasks.len(), 1, "{failure:?}");
    assert_eq!(failure.tasks[0].state, "running");
    assert_eq!(failure.tasks[0].log, ["not yet"]);
    assert!(told.kinds().contains(&"going_back".to_owned()));
    assert_eq!(world.sent().len(), 2);
    assert_eq!(told.steps(), [StepOutcome::Failed]);
}

/// It says yes when the time is over, or was reached just before: that is known
/// of no build to be its fault.
#[tokio::test]
async fn one_that_runs_out_of_time_is_led_back_and_not_blamed() {
    for (codes, words) in [(0, "1 of 1 say yes"), (1, "0 of 1 say yes; web.1: ")] {
        let mut world = probed(&[codes], Duration::from_secs(3), &[completed(8)]);
        world.update(|update| update.timeout_seconds = 1);
        let told = world.apply().await;
        let failure = told.failure();
        assert_eq!(failure.kind, FailureKind::TimedOut, "{failure:?}");
        let start = format!(
            "not converged within 1 s: 1/1 running, and its probe has not held for long enough yet: {words}"
        );
        assert!(failure.message.starts_with(&start), "{failure:?}");
        assert!(told.kinds().contains(&"going_back".to_owned()));
        assert_eq!(world.sent().len(), 2);
    }
}

/// What is not seen has not held.
#[tokio::test]
async fn a_manager_that_is_silent_meanwhile_makes_it_begin_anew() {
    let hold = Duration::from_millis(1_500);
    let mut world = probed(&[0], hold, &[completed(8)]);
    world.update(|update| update.timeout_seconds = 60);
    let faces = [before(7), before(7), completed(8)];
    let mut replies = says(&faces);
    // Each is heard of after a second.
    replies.extend([Reply::Silence, Reply::Silence]);
    replies.extend(says(&[completed(8)]));
    world.engine.on(WEB, &replies);
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done], "{:?}", told.events);
    // The hold was over when the manager was heard of again.
    assert!(told.took > hold * 2, "{:?}", told.took);
}

/// A run that was stopped at the gate of `db` has left it with the new build:
/// (the probe's answer there, whether `db` runs the new build, what is sent).
#[tokio::test]
async fn a_gate_that_an_earlier_run_left_shut_keeps_what_comes_after_it() {
    for (code, image, sent) in [(1, new(), 0), (0, new(), 1), (1, old(), 1)] {
        let mut world = probed(&[0], Duration::ZERO, &[completed(8)]);
        let probe = "rollout: {probe: {exec: [/ready]}}";
        let text = format!(
            "apiVersion: imgstack.dev/v1alpha1
kind: ImageStack
metadata: {{name: shop}}
spec:
  images: [{{name: web, repository: ghcr.io/acme/web, tag: '1'}}]
  services:
    - {{name: db, image: web, {probe}}}
    - {{name: web, image: web, {probe}}}
    - {{name: later, image: web, {probe}}}
"
        );
        let set = imgstack_spec::read(&[imgstack_spec::Input::new("a", text)]).unwrap();
        world.plan.stack = set.stacks.into_iter().next().unwrap();
        let mut db = service(3, &spec("db"));
        db["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] = json!(image);
        world.engine.on("GET /services/db", &says(&[db]));
        let mut there = contained("t9", &image, "running", "n1");
        there["ServiceID"] = json!("id-db");
        answers(&world, "t9", &[code]);
        world.tasks(&[
            vec![contained("t1", &old(), "running", "n1"), there.clone()],
            vec![contained("t1", &old(), "running", "n1"), there.clone()],
            vec![contained("t2", &new(), "running", "n1"), there],
        ]);
        if image == old() {
            // It is not even asked of its tasks.
            world.tasks(&[
                vec![contained("t1", &old(), "running", "n1")],
                vec![contained("t2", &new(), "running", "n1")],
            ]);
        }
        let told = world.apply().await;
        assert_eq!(world.sent().len(), sent, "{:?}", told.events);
        if sent == 0 {
            let failure = told.failure();
            assert_eq!(failure.kind, FailureKind::NotReady);
            let words = "service.db, of the same image, runs the new build, and its probe does not hold: 0 of 1 say yes; db.1: ";
            assert!(failure.message.starts_with(words), "{failure:?}");
            assert!(
                failure
                    .hint
                    .as_ref()
                    .unwrap()
                    .contains("imgstack rollback db")
            );
        } else {
            assert_eq!(told.steps(), [StepOutcome::Done], "{:?}", told.events);
        }
    }
}

/// One whose rollout an earlier run has left, wherever it stands, and one that
/// does not run: two of a group would be away at once.
#[tokio::test]
async fn nothing_goes_while_another_one_of_its_group_is_away() {
    let text = "apiVersion: imgstack.dev/v1alpha1
kind: ImageStack
metadata: {name: shop}
spec:
  images: [{name: web, repository: ghcr.io/acme/web, tag: '1'}]
  services:
    - {name: db, image: web, rollout: {lastIf: {exec: [leads]}}}
    - {name: web, image: web}
    - {name: later, image: web, rollout: {lastIf: {exec: [leads]}}}
";
    let set = imgstack_spec::read(&[imgstack_spec::Input::new("a", text)]).unwrap();
    let table = [
        ("later", Some("updating"), Some("is being updated")),
        ("later", Some("rollback_started"), Some("is being updated")),
        ("db", None, Some("runs the new build, with 0 of 1 tasks")),
        ("later", None, None),
    ];
    for (name, state, words) in table {
        let mut world = probed(&[0], Duration::ZERO, &[completed(8)]);
        world.plan.stack = set.stacks[0].clone();
        let mut other = service(3, &crate::support::planned_spec(name));
        if let Some(state) = state {
            other = with_status(other, state, "x");
        }
        let path = format!("GET /services/{name}").leak();
        world.engine.on(path, &says(&[other]));
        let before = vec![contained("t1", &old(), "running", "n1")];
        let lists = match name {
            "db" => vec![before.clone(), before],
            _ => vec![before],
        };
        world.tasks(&[lists, vec![vec![contained("t2", &new(), "running", "n1")]]].concat());
        let told = world.apply().await;
        let Some(words) = words else {
            assert_eq!(told.steps(), [StepOutcome::Done], "{:?}", told.events);
            continue;
        };
        assert!(world.sent().is_empty());
        let expected = format!("service.{name}, of the same image, {words}; nothing was sent");
        assert_eq!(told.failure().message, expected);
    }
}

/// A task that is replaced between two looks has to hold for itself.
#[tokio::test]
async fn another_task_makes_it_begin_anew() {
    let hold = Duration::from_millis(300);
    let world = probed(&[0], hold, &[completed(8)]);
    let old = vec![contained("t1", &old(), "running", "n1")];
    let first = vec![contained("t2", &new(), "running", "n1")];
    let second = vec![contained("t3", &new(), "running", "n1")];
    let lists = [&[old], &vec![first; 4][..], &[second]].concat();
    world.tasks(&lists);
    answers(&world, "t3", &[0]);
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done], "{:?}", told.events);
    let asked = world.engine.asked("/containers/c-t3/exec").len();
    assert!(asked >= 5, "{asked}");
}

/// It held, and has failed for as long as it should have held: the deadline is
/// not waited for.
#[tokio::test]
async fn one_that_shuts_again_is_led_back_at_once() {
    let mut world = probed(&[0, 1], EVERY * 4, &[completed(8)]);
    world.update(|update| update.timeout_seconds = 60);
    let told = world.apply().await;
    let failure = told.failure();
    assert_eq!(failure.kind, FailureKind::ProbeFailed, "{failure:?}");
    assert!(
        failure
            .message
            .starts_with("the probe held at first, and has failed")
    );
    assert!(told.kinds().contains(&"going_back".to_owned()));
    assert_eq!(world.sent().len(), 2);
    assert!(told.took < Duration::from_secs(5), "{:?}", told.took);
}

#[tokio::test]
async fn when_nobody_can_be_asked_nothing_is_sent() {
    let world = probed(&[0], Duration::ZERO, &[completed(8)]);
    on_another_node(&world, &[vec![contained("t1", &old(), "running", "n2")]]);
    let told = world.apply().await;
    let failure = told.failure();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(
        failure
            .message
            .contains("no way to the engine of node host-2")
    );
    assert!(failure.message.ends_with("nothing was sent"), "{failure:?}");
    let hint = failure.hint.as_ref().unwrap();
    assert!(hint.contains("spec.nodes"), "{hint}");
    assert!(world.sent().is_empty());
    assert_eq!(told.steps(), [StepOutcome::Failed]);
}

/// The new task is where nobody can be asked: that says nothing of the build.
#[tokio::test]
async fn what_cannot_be_asked_is_not_the_builds_fault() {
    let mut world = probed(&[0], Duration::ZERO, &[completed(8)]);
    world.update(|update| update.timeout_seconds = 1);
    on_another_node(
        &world,
        &[
            vec![contained("t1", &old(), "running", "n1")],
            vec![contained("t2", &new(), "running", "n2")],
        ],
    );
    let told = world.apply().await;
    let failure = told.failure();
    assert_eq!(failure.kind, FailureKind::Unknown, "{failure:?}");
    assert!(
        failure.message.contains("could not be asked: web.1: "),
        "{failure:?}"
    );
    assert!(failure.hint.as_ref().unwrap().contains("spec.nodes"));
    assert!(failure.went_back.is_none());
    assert_eq!(world.sent().len(), 1);
    assert_eq!(told.steps(), [StepOutcome::InFlight]);
}

fn on_another_node(world: &World, tasks: &[Vec<Value>]) {
    let node = |id: &str, hostname: &str| {
        json!({
            "ID": id, "Spec": {"Role": "manager", "Availability": "active"},
            "Description": {"Hostname": hostname}, "Status": {"State": "ready"},
        })
    };
    let nodes = json!([node("n1", "host-1"), node("n2", "host-2")]);
    world.engine.on("GET /nodes", &says(&[nodes]));
    world.tasks(tasks);
}

#[tokio::test]
async fn a_task_that_dies_at_the_gate_makes_it_unstable() {
    let world = probed(&[1], Duration::ZERO, &[completed(8)]);
    let died = with_error(task("t2", &new(), "failed"), "task: non-zero exit (3)", 3);
    world.tasks(&[
        vec![contained("t1", &old(), "running", "n1")],
        vec![contained("t2", &new(), "running", "n1")],
        vec![died, contained("t3", &new(), "running", "n1")],
    ]);
    let told = world.apply().await;
    assert_eq!(told.failure().kind, FailureKind::Unstable);
}

#[tokio::test]
async fn who_asks_to_stop_at_the_gate_leaves_it_in_flight() {
    let mut world = probed(&[1], Duration::ZERO, &[completed(8)]);
    world
        .engine
        .on("GET /events", &[Reply::StreamThenSilence(events(1))]);
    world.update(|update| update.timeout_seconds = 60);
    let stop = async {
        while world.engine.asked("/containers/c-t2/exec").is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        world.cancel.cancel();
    };
    let (told, ()) = tokio::join!(world.apply(), stop);
    assert_eq!(told.steps(), [StepOutcome::InFlight]);
    assert_eq!(world.sent().len(), 1);
}

#[tokio::test]
async fn a_service_without_tasks_has_nobody_to_be_asked() {
    let mut world = probed(&[1], Duration::ZERO, &[completed(8)]);
    let none = |mut service: Value| {
        service["Spec"]["Mode"]["Replicated"]["Replicas"] = json!(0);
        service
    };
    let sight = crate::support::seen(7, &none(before(7))["Spec"]);
    world.plan.seen.insert("web".parse().unwrap(), sight);
    let faces = [none(before(7)), none(before(7)), none(completed(8))];
    world.engine.on(WEB, &says(&faces));
    world.tasks(&[vec![]]);
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done], "{:?}", told.events);
}
