//! Whether the service is still the one that was planned for.

use imgstack_executor::{FailureKind, StepOutcome};
use imgstack_planner::Moved;
use serde_json::{Value, json};

use crate::support::{
    UPDATE_WEB, WEB, World, after, before, new, old, planned_spec, refusal, says, seen, service,
    service_address, spec, task,
};

const OUT_OF_SEQUENCE: &str = "rpc error: code = Unknown desc = update out of sequence";

/// `web` with three replicas, which was planned with one.
fn scaled(version: u64) -> Value {
    let mut spec = spec("web");
    spec["Mode"]["Replicated"]["Replicas"] = json!(3);
    service(version, &spec)
}

fn replicas_moved() -> Vec<Moved> {
    vec![Moved {
        address: service_address("web"),
        field: "mode.Replicated.Replicas".to_owned(),
        from: "1".to_owned(),
        to: "3".to_owned(),
    }]
}

#[tokio::test]
async fn a_service_that_moved_since_the_plan_is_left_alone_and_what_moved_is_named() {
    let world = World::planned(&["web", "db"]);
    world.engine.on(WEB, &says(&[scaled(9)]));
    let told = world.apply().await;
    let failure = told.failure();
    assert_eq!(failure.kind, FailureKind::Drifted);
    assert!(
        failure.message.ends_with("it is left as it is"),
        "{failure:?}"
    );
    assert_eq!(failure.moved, replicas_moved());
    assert_eq!(failure.now, Some(old()));
    assert!(world.sent().is_empty());
    assert!(world.engine.asked("id-db").is_empty());
    assert_eq!(told.steps(), [StepOutcome::Failed, StepOutcome::NotStarted]);
    assert!(!told.outcome.interrupted);
}

/// Somebody had it there for a moment, which is not what a roll-back may lead
/// to.
#[tokio::test]
async fn what_was_there_for_a_moment_is_drift_too() {
    let world = World::web(&[scaled(7), before(8), after(9)]);
    let told = world.tasks_follow().apply().await;
    assert_eq!(told.failure().kind, FailureKind::Drifted);
    assert_eq!(told.failure().moved, replicas_moved());
    assert!(world.sent().is_empty());
}

#[tokio::test]
async fn a_version_that_moved_alone_is_no_drift() {
    let world = World::web(&[before(9), before(9), after(10)]);
    let told = world.tasks_follow().apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done]);
    assert_eq!(world.sent_versions(), ["9"]);
}

#[tokio::test]
async fn out_of_sequence_with_the_same_spec_is_sent_again_with_the_new_version() {
    let world = World::web(&[before(7), before(7), before(8), after(9)]);
    let mut replies = says(&[json!({})]);
    replies.insert(0, refusal(500, OUT_OF_SEQUENCE));
    world.engine.on(UPDATE_WEB, &replies);
    let told = world.tasks_follow().apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done]);
    assert_eq!(world.sent_versions(), ["7", "8"]);
}

#[tokio::test]
async fn out_of_sequence_with_another_spec_is_drift() {
    let world = World::web(&[before(7), before(7), scaled(8)]);
    world
        .engine
        .on(UPDATE_WEB, &[refusal(500, OUT_OF_SEQUENCE)]);
    let told = world.apply().await;
    assert_eq!(told.failure().kind, FailureKind::Drifted);
    assert_eq!(told.failure().moved, replicas_moved());
    assert_eq!(world.sent_versions(), ["7"]);
    assert_eq!(told.steps(), [StepOutcome::Failed]);
}

#[tokio::test]
async fn a_service_that_was_removed_is_drift() {
    let gone = refusal(404, "service id-web not found");
    let mut between = says(&[before(7)]);
    between.push(gone.clone());
    for faces in [vec![gone], between] {
        let world = World::planned(&["web", "db"]);
        world.engine.on(WEB, &faces);
        let told = world.apply().await;
        let failure = told.failure();
        assert_eq!(failure.kind, FailureKind::Drifted);
        assert!(failure.message.contains("was removed"), "{failure:?}");
        assert!(failure.message.ends_with("nothing was sent"), "{failure:?}");
        assert!(world.sent().is_empty());
        assert_eq!(told.steps(), [StepOutcome::Failed, StepOutcome::NotStarted]);
    }
}

#[tokio::test]
async fn a_service_that_the_plan_did_not_see_is_not_touched() {
    let mut world = World::web(&[before(7)]);
    world.plan.seen.clear();
    let told = world.apply().await;
    assert_eq!(told.failure().kind, FailureKind::Drifted);
    assert!(world.engine.asked("id-web").is_empty());
}

#[tokio::test]
async fn an_update_that_would_change_nothing_is_never_sent() {
    let mut world = World::web(&[after(7)]);
    let seen = seen(7, &planned_spec("web"));
    world.plan.seen.insert("web".parse().unwrap(), seen);
    world.tasks(&[vec![task("t2", &new(), "running")]]);
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done]);
    assert!(world.sent().is_empty());
}
