//! What is left when somebody asks to stop.

use std::time::{Duration, Instant};

use imgstack_executor::{Event, FailureKind, StepOutcome};

use crate::scripted::Reply;
use crate::support::{WEB, World, after, before, old, says, task, with_status};

#[tokio::test]
async fn stopped_before_it_begins_nothing_is_even_read() {
    let world = World::planned(&["web", "db"]);
    world.engine.on(WEB, &says(&[before(7)]));
    world.cancel.cancel();
    let told = world.apply().await;
    assert_eq!(
        told.steps(),
        [StepOutcome::NotStarted, StepOutcome::NotStarted]
    );
    assert!(told.outcome.interrupted);
    assert_eq!(told.kinds(), ["apply_started", "apply_finished"]);
    assert!(world.engine.asked("/services").is_empty());
}

#[tokio::test]
async fn stopped_before_it_is_sent_a_step_was_not_started() {
    let mut world = World::planned(&["web", "db"]);
    world.engine.on(WEB, &says(&[before(7)]));
    world.cancel_at = Some("step_started");
    let told = world.apply().await;
    assert_eq!(
        told.steps(),
        [StepOutcome::NotStarted, StepOutcome::NotStarted]
    );
    assert!(told.outcome.interrupted);
    assert!(world.sent().is_empty());
}

#[tokio::test]
async fn stopped_during_the_rollout_a_step_is_in_flight_and_nothing_more_is_sent() {
    let mut world = World::planned(&["web", "db"]);
    world
        .engine
        .on(WEB, &says(&[before(7), before(7), after(8)]));
    world.cancel_at = Some("step_progress");
    let told = world.tasks_follow().apply().await;
    assert_eq!(
        told.steps(),
        [StepOutcome::InFlight, StepOutcome::NotStarted]
    );
    // Without another look, which comes after half a second.
    assert!(told.took < Duration::from_millis(400), "{:?}", told.took);
    assert!(told.outcome.interrupted);
    assert_eq!(world.sent().len(), 1);
    assert!(world.engine.asked("id-db").is_empty());
    // Neither well nor badly: how it ends is not known.
    assert_eq!(
        told.kinds(),
        [
            "apply_started",
            "step_started",
            "step_progress",
            "apply_finished"
        ]
    );
}

#[tokio::test]
async fn stopped_after_the_last_step_nothing_was_interrupted() {
    let mut world = World::web(&[before(7), before(7), after(8)]);
    world.cancel_at = Some("step_succeeded");
    let told = world.tasks_follow().apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done]);
    assert!(!told.outcome.interrupted);
}

#[tokio::test]
async fn stopped_while_the_engine_goes_back_the_failure_is_told_all_the_same() {
    let back = with_status(before(9), "rollback_started", "task t2 failed");
    let mut world = World::web(&[before(7), before(7), back]);
    world.tasks(&[vec![task("t1", &old(), "running")]]);
    world.cancel_at = Some("step_progress");
    let told = world.apply().await;
    let failure = told.failure();
    assert_eq!(failure.kind, FailureKind::RolledBack);
    assert!(failure.message.contains("still going back"), "{failure:?}");
    assert!(failure.message.contains("task t2 failed"), "{failure:?}");
    assert_eq!(told.steps(), [StepOutcome::Failed]);
    assert!(told.outcome.interrupted);
}

#[tokio::test]
async fn a_manager_that_does_not_answer_holds_nobody_up() {
    let mut world = World::planned(&["web"]);
    let mut reads = says(&[before(7), before(7), after(8)]);
    reads.push(Reply::Silence);
    world.engine.on(WEB, &reads);
    world.update(|update| update.timeout_seconds = 60);
    let stop = async {
        // Until the second look of the rollout has begun, or it should have.
        for _ in 0..200 {
            if world.engine.asked("GET /v1.41/services/id-web").len() >= 4 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        world.cancel.cancel();
        Instant::now()
    };
    let (told, stopped) = tokio::join!(world.apply(), stop);
    // The read itself would have taken a second.
    assert!(stopped.elapsed() < Duration::from_millis(700));
    assert_eq!(told.steps(), [StepOutcome::InFlight]);
    let last = told.events.last();
    assert!(
        matches!(last, Some(Event::ApplyFinished { .. })),
        "{last:?}"
    );
}
