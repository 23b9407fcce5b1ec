//! A rollout that is watched until it has converged.

use imgstack_executor::{Event, FailureKind, Progress, StepOutcome, TaskProgress};
use serde_json::{Value, json};

use crate::scripted::Reply;
use crate::support::{
    EVENTS, WEB, World, after, before, events, new, old, planned_spec, says, seen, service,
    service_address, spec, task, with_status,
};

#[tokio::test]
async fn steps_are_told_in_their_order() {
    let world = World::planned(&["web", "db"]);
    let faces = |name: &str| {
        let (before, after) = (service(7, &spec(name)), service(8, &planned_spec(name)));
        says(&[before.clone(), before, after])
    };
    world.engine.on(WEB, &faces("web"));
    world.engine.on("GET /services/id-db", &faces("db"));
    let mut of_db = task("t3", &new(), "running");
    of_db["ServiceID"] = "id-db".into();
    world.tasks(&[vec![task("t2", &new(), "running"), of_db]]);
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done, StepOutcome::Done]);
    assert!(told.outcome.is_complete() && !told.outcome.interrupted);
    let one_step = ["step_started", "step_progress", "step_succeeded"];
    let mut expected = vec!["apply_started"];
    expected.extend([one_step, one_step].concat());
    expected.push("apply_finished");
    assert_eq!(told.kinds(), expected);
    let of = |event: &Event| match event {
        Event::StepStarted { address, .. }
        | Event::StepProgress { address, .. }
        | Event::StepSucceeded { address, .. }
        | Event::StepFailed { address, .. }
        | Event::HandingOver { address, .. }
        | Event::GoingBack { address, .. } => Some(address.clone()),
        Event::ApplyStarted { .. }
        | Event::OrderChanged { .. }
        | Event::LeftBehind { .. }
        | Event::LockWaited { .. }
        | Event::LockTakenOver { .. }
        | Event::LockLost { .. }
        | Event::ReleaseWritten { .. }
        | Event::JournalFailed { .. }
        | Event::ApplyFinished { .. } => None,
    };
    let mut addresses: Vec<_> = told.events.iter().filter_map(of).collect();
    addresses.dedup();
    assert_eq!(addresses, ["web", "db"].map(service_address));
    assert_eq!(
        told.events[0],
        Event::ApplyStarted {
            stack: "shop".parse().unwrap(),
            steps: 2
        }
    );
    let paths: Vec<_> = world
        .sent()
        .iter()
        .map(|request| request.line.contains("id-web"))
        .collect();
    assert_eq!(paths, [true, false]);
}

#[tokio::test]
async fn a_failed_step_is_told_before_the_end() {
    let world = World::planned(&["web", "db"]);
    let stuck = with_status(before(8), "rollback_paused", "update paused");
    world.engine.on(WEB, &says(&[before(7), before(7), stuck]));
    let told = world.apply().await;
    assert_eq!(
        told.kinds(),
        [
            "apply_started",
            "step_started",
            "step_progress",
            "step_failed",
            "apply_finished"
        ]
    );
    let last = told.events.last();
    assert!(
        matches!(last, Some(Event::ApplyFinished { outcome, .. }) if *outcome == told.outcome),
        "{last:?}"
    );
}

#[tokio::test]
async fn progress_is_told_when_it_changes_and_only_then() {
    let world = World::web(&[before(7), before(7), after(8)]);
    world
        .engine
        .on(EVENTS, &[Reply::StreamThenSilence(events(3))]);
    let starting = vec![task("t2", &new(), "starting")];
    world.tasks(&[
        vec![task("t1", &old(), "running")],
        starting.clone(),
        starting,
        vec![task("t2", &new(), "running")],
    ]);
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done]);
    let progress: Vec<Progress> = told
        .events
        .iter()
        .filter_map(|event| match event {
            Event::StepProgress { progress, .. } => Some(progress.clone()),
            _ => None,
        })
        .collect();
    let told = |running, waiting_for: Option<&str>| {
        Progress::Tasks(TaskProgress {
            running,
            wanted: 1,
            waiting_for: waiting_for.map(str::to_owned),
        })
    };
    assert_eq!(progress, [told(0, Some("starting")), told(1, None)]);
}

#[tokio::test]
async fn it_has_not_converged_while_the_engine_is_still_updating() {
    let updating = with_status(after(8), "updating", "update in progress");
    let mut world = World::web(&[before(7), before(7), updating]);
    world.update(|update| update.timeout_seconds = 1);
    let told = world.tasks_follow().apply().await;
    assert_eq!(told.failure().kind, FailureKind::TimedOut);
    assert!(
        told.failure().message.contains("1/1 running"),
        "{:?}",
        told.failure()
    );
}

#[tokio::test]
async fn it_has_not_converged_while_an_old_task_is_left() {
    let mut world = World::web(&[before(7), before(7), after(8)]);
    world.update(|update| update.timeout_seconds = 1);
    world.tasks(&[vec![
        task("t1", &old(), "running"),
        task("t2", &new(), "running"),
    ]]);
    let told = world.apply().await;
    assert_eq!(told.failure().kind, FailureKind::TimedOut);
    assert_eq!(told.steps(), [StepOutcome::Failed]);
}

#[tokio::test]
async fn events_that_break_off_are_made_up_for_by_looking_now_and_then() {
    for ends_well in [true, false] {
        let world = World::web(&[before(7), before(7), after(8)]);
        world
            .engine
            .on(EVENTS, &[Reply::Stream(events(1), ends_well)]);
        let told = world.tasks_follow().apply().await;
        assert_eq!(told.steps(), [StepOutcome::Done], "{ends_well}");
        // Two before the update; after it one for the event and a few beats.
        let reads = world.engine.asked("GET /v1.41/services/id-web").len();
        assert!(reads <= 6, "{reads} reads");
    }
}

/// The engine calls an update completed when it has watched the last task for
/// `monitor`; to watch it as long again would be twice.
#[tokio::test]
async fn tasks_are_watched_once() {
    let updating = with_status(after(8), "updating", "update in progress");
    let completed = with_status(after(9), "completed", "update completed");
    let mut world = World::web(&[
        before(7),
        before(7),
        updating.clone(),
        updating.clone(),
        updating,
        completed,
    ]);
    world.update(|update| {
        update.monitor_ms = 1000;
        update.timeout_seconds = 10;
    });
    let told = world.tasks_follow().apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done]);
    // Three looks half a second apart, and the one that sees the end.
    assert!(
        told.took < std::time::Duration::from_millis(2300),
        "{:?}",
        told.took
    );
}

/// All of its tasks had ended for good; the orchestrator makes new ones a moment
/// after the update.
#[tokio::test]
async fn a_global_service_without_tasks_is_not_done_before_it_had_time_to_get_some() {
    let global = |mut service: Value| {
        service["Spec"]["Mode"] = json!({"Global": {}});
        service
    };
    let mut world = World::web(&[global(before(7)), global(before(7)), global(after(8))]);
    let sight = seen(7, &global(before(7))["Spec"]);
    world.plan.seen.insert("web".parse().unwrap(), sight);
    world.update(|update| update.monitor_ms = 600);
    world.tasks(&[vec![], vec![], vec![task("t2", &new(), "failed")]]);
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Failed], "{:?}", told.events);
}
