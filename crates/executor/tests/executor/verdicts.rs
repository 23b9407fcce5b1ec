//! The ways in which a rollout ends badly, and the evidence that is told.

use imgstack_executor::{FailureKind, StepOutcome};
use serde_json::{Value, json};

use crate::scripted::Reply;
use crate::support::{
    EVENTS, LABEL, WEB, World, after, before, events, image, new, old, planned_spec, refusal, says,
    service, task, with_error, with_status,
};

const PAUSED: &str = "update paused due to failure or early termination of task t2";

/// What a task wrote, in the engine's frames.
fn frames(lines: &[&str]) -> Reply {
    let mut bytes = Vec::new();
    for line in lines {
        let length = u32::try_from(line.len() + 1).unwrap().to_be_bytes();
        bytes.extend([2, 0, 0, 0]);
        bytes.extend(length);
        bytes.extend(format!("{line}\n").bytes());
    }
    Reply::Bytes(bytes)
}

/// A task of the new build that failed as the update's first.
fn failed(id: &str) -> Value {
    let error = "task: non-zero exit (3)";
    with_error(task(id, &new(), "failed"), error, 3)
}

#[tokio::test]
async fn a_paused_rollout_is_told_with_its_evidence() {
    let world = World::planned(&["web", "db"]);
    let paused = with_status(after(8), "paused", PAUSED);
    world.engine.on(WEB, &says(&[before(7), before(7), paused]));
    // An attempt of yesterday with the same build is no evidence of today.
    let yesterday = failed("t0");
    let running = task("t1", &old(), "running");
    world.tasks(&[
        vec![yesterday.clone(), running.clone()],
        vec![yesterday, running, failed("t2")],
    ]);
    let log = frames(&["starting", "FATAL: no space left"]);
    world.engine.on("GET /tasks/t2/logs", &[log]);
    let told = world.apply().await;

    let failure = told.failure();
    assert_eq!(failure.kind, FailureKind::Paused);
    assert!(failure.message.contains(PAUSED), "{failure:?}");
    assert_eq!(failure.now, Some(new()));
    assert_eq!(failure.tasks.len(), 1, "{failure:?}");
    let task = &failure.tasks[0];
    assert_eq!(task.task, "web.1");
    assert_eq!(task.node.as_deref(), Some("host-1"));
    assert_eq!(task.error, "task: non-zero exit (3)");
    assert_eq!(task.exit_code, Some(3));
    assert_eq!(task.log, ["starting", "FATAL: no space left"]);
    assert!(world.engine.asked("/tasks/t0/logs").is_empty());
    assert_eq!(told.steps(), [StepOutcome::Failed, StepOutcome::NotStarted]);
}

#[tokio::test]
async fn a_roll_back_is_waited_for_and_told_with_its_counts() {
    let reason = "update rolled back due to failure or early termination of task t2";
    let faces = [
        before(7),
        before(7),
        with_status(after(8), "updating", "update in progress"),
        with_status(before(9), "rollback_started", reason),
        with_status(before(10), "rollback_completed", "rollback completed"),
    ];
    let mut world = World::web(&faces);
    // Without being woken, these looks would take longer than a second.
    world.update(|update| update.timeout_seconds = 1);
    world
        .engine
        .on(EVENTS, &[Reply::StreamThenSilence(events(5))]);
    world.tasks(&[
        vec![task("t1", &old(), "running")],
        vec![task("t1", &old(), "shutdown"), failed("t2")],
        vec![failed("t2"), task("t3", &old(), "pending")],
        // The engine calls it completed before the last task runs.
        vec![failed("t2"), task("t3", &old(), "starting")],
        vec![failed("t2"), task("t3", &old(), "running")],
    ]);
    world
        .engine
        .on("GET /tasks/t2/logs", &[frames(&["FATAL: no"])]);
    let told = world.apply().await;

    let failure = told.failure();
    assert_eq!(failure.kind, FailureKind::RolledBack);
    assert!(failure.message.contains("1 of 1"), "{failure:?}");
    // Why it went back, not that it has arrived.
    assert!(failure.message.contains(reason), "{failure:?}");
    assert_eq!(failure.now, Some(old()));
    assert_eq!(failure.tasks.len(), 1, "{failure:?}");
    assert_eq!(failure.tasks[0].log, ["FATAL: no"]);
    assert_eq!(world.engine.asked("/tasks/t2/logs").len(), 1);
    assert_eq!(world.sent().len(), 1);
    assert_eq!(told.steps(), [StepOutcome::Failed]);
}

/// The engine replaces what the roll-back has left over, and says that an
/// update is completed: the one back.
#[tokio::test]
async fn a_roll_back_is_one_whatever_the_engine_calls_it_afterwards() {
    let faces = [
        before(7),
        before(7),
        with_status(before(9), "rollback_started", "update rolled back"),
        with_status(before(10), "completed", "update completed"),
    ];
    let world = World::web(&faces);
    world
        .engine
        .on(EVENTS, &[Reply::StreamThenSilence(events(3))]);
    world.tasks(&[vec![task("t1", &old(), "running")]]);
    let told = world.apply().await;
    let failure = told.failure();
    assert_eq!(failure.kind, FailureKind::RolledBack, "{failure:?}");
    assert_eq!(failure.now, Some(old()));
}

#[tokio::test]
async fn a_roll_back_that_stops_half_way_is_paused() {
    let paused = with_status(before(9), "rollback_paused", "rollback paused");
    let world = World::web(&[before(7), before(7), paused]);
    let told = world.apply().await;
    assert_eq!(told.failure().kind, FailureKind::Paused);
    assert!(
        told.failure()
            .message
            .contains("roll-back to the previous spec stopped half-way"),
        "{:?}",
        told.failure()
    );
}

#[tokio::test]
async fn a_service_that_somebody_else_changes_is_overtaken() {
    let mut other_image = planned_spec("web");
    other_image["TaskTemplate"]["ContainerSpec"]["Image"] = json!(image('c'));
    // The same build, by another plan.
    let mut other_plan = planned_spec("web");
    other_plan["Labels"][LABEL] = json!("77aa");
    for (spec, now) in [(other_image, image('c')), (other_plan, new())] {
        let faces = [before(7), before(7), after(8), service(9, &spec)];
        let world = World::web(&faces);
        world
            .engine
            .on(EVENTS, &[Reply::StreamThenSilence(events(2))]);
        world.tasks(&[vec![task("t1", &old(), "running")]]);
        let told = world.apply().await;
        let failure = told.failure();
        assert_eq!(failure.kind, FailureKind::Overtaken);
        assert!(failure.message.contains(&now), "{failure:?}");
        assert_eq!(failure.now, Some(now));
        assert_eq!(world.sent().len(), 1);
        assert_eq!(told.steps(), [StepOutcome::Failed]);
    }
}

#[tokio::test]
async fn a_service_that_is_removed_in_mid_rollout_is_overtaken() {
    let world = World::planned(&["web"]);
    let mut reads = says(&[before(7), before(7), after(8)]);
    reads.push(refusal(404, "service id-web not found"));
    world.engine.on(WEB, &reads);
    let told = world.apply().await;
    let failure = told.failure();
    assert_eq!(failure.kind, FailureKind::Overtaken);
    assert!(failure.message.contains("was removed"), "{failure:?}");
    assert_eq!(world.sent().len(), 1);
}

#[tokio::test]
async fn a_rollout_without_an_end_is_timed_out_with_what_it_waits_for() {
    let why = "no suitable node (insufficient resources on 1 node)";
    let updating = with_status(after(8), "updating", "update in progress");
    let mut world = World::web(&[before(7), before(7), updating]);
    world.update(|update| update.timeout_seconds = 1);
    world.tasks(&[
        vec![task("t1", &old(), "running")],
        vec![
            task("t1", &old(), "shutdown"),
            with_error(task("t2", &new(), "pending"), why, 0),
        ],
    ]);
    let told = world.apply().await;
    let failure = told.failure();
    assert_eq!(failure.kind, FailureKind::TimedOut);
    assert!(failure.message.contains("within 1 s"), "{failure:?}");
    assert!(failure.message.contains("0/1 running"), "{failure:?}");
    assert!(failure.message.contains(why), "{failure:?}");
    assert_eq!(failure.tasks[0].error, why);
    assert_eq!(told.steps(), [StepOutcome::Failed]);
}

#[tokio::test]
async fn tasks_that_die_after_the_engine_is_content_make_it_unstable() {
    let completed = with_status(after(8), "completed", "update completed");
    let mut world = World::web(&[before(7), before(7), completed]);
    // Longer than the task lives.
    world.update(|update| update.monitor_ms = 10_000);
    world
        .engine
        .on(EVENTS, &[Reply::StreamThenSilence(events(2))]);
    world.tasks(&[
        vec![task("t1", &old(), "running")],
        vec![task("t2", &new(), "running")],
        vec![failed("t2"), task("t3", &new(), "running")],
    ]);
    let told = world.apply().await;
    assert_eq!(told.failure().kind, FailureKind::Unstable);
    assert_eq!(told.failure().tasks[0].exit_code, Some(3));
}
