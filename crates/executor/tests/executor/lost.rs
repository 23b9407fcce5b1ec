//! An update whose answer was lost: what became of it is read, not guessed.

use imgstack_executor::{FailureKind, StepOutcome};
use serde_json::json;

use crate::scripted::Reply;
use crate::support::{
    UPDATE_WEB, WEB, World, after, before, image, old, refusal, says, service, spec, task,
    with_status,
};

/// The service is read as given; the first update is taken and not answered,
/// later ones are.
fn losing(names: &[&str], reads: &[Reply]) -> World {
    let world = World::planned(names);
    world.engine.on(WEB, reads);
    let answers = [Reply::HangUp, Reply::Json(200, json!({}))];
    world.engine.on(UPDATE_WEB, &answers);
    world
}

#[tokio::test]
async fn an_update_that_was_done_is_not_sent_again() {
    let world = losing(&["web"], &says(&[before(7), before(7), after(8)]));
    let told = world.tasks_follow().apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done]);
    assert_eq!(world.sent_versions(), ["7"]);
}

#[tokio::test]
async fn an_update_that_was_not_done_is_sent_again() {
    let reads = [before(7), before(7), before(7), after(8)];
    let world = losing(&["web"], &says(&reads));
    let told = world.tasks_follow().apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done]);
    assert_eq!(world.sent_versions(), ["7", "7"]);
}

#[tokio::test]
async fn a_proxy_that_gives_up_may_have_passed_the_update_on() {
    let world = World::web(&[before(7), before(7), after(8)]);
    let gave_up = refusal(504, "gateway timeout");
    world.engine.on(UPDATE_WEB, &[gave_up]);
    let told = world.tasks_follow().apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done]);
    assert_eq!(world.sent_versions(), ["7"]);
}

#[tokio::test]
async fn an_update_that_was_rolled_back_is_not_sent_again() {
    let back = with_status(before(10), "rollback_completed", "rollback completed");
    let world = losing(&["web"], &says(&[before(7), before(7), back]));
    world.tasks(&[vec![task("t1", &old(), "running")]]);
    let told = world.apply().await;
    let failure = told.failure();
    assert_eq!(failure.kind, FailureKind::RolledBack);
    assert_eq!(failure.now, Some(old()));
    // Nobody heard why, and that it is completed is no reason.
    assert!(failure.message.ends_with("(1 of 1 running)"), "{failure:?}");
    assert_eq!(world.sent_versions(), ["7"]);
    assert_eq!(told.steps(), [StepOutcome::Failed]);
}

#[tokio::test]
async fn a_version_that_moved_without_a_word_leaves_it_unknown() {
    let mut other = spec("web");
    other["TaskTemplate"]["ContainerSpec"]["Image"] = json!(image('c'));
    // A roll-back, but of somebody else's update.
    let elsewhere = with_status(service(9, &other), "rollback_completed", "done");
    for face in [before(8), elsewhere] {
        let now = face["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"].clone();
        let world = losing(&["web", "db"], &says(&[before(7), before(7), face]));
        let told = world.apply().await;
        let failure = told.failure();
        assert_eq!(failure.kind, FailureKind::Unknown);
        assert!(failure.message.contains("is not known"), "{failure:?}");
        assert_eq!(failure.now.as_deref(), now.as_str());
        assert_eq!(world.sent_versions(), ["7"]);
        assert_eq!(
            told.steps(),
            [StepOutcome::InFlight, StepOutcome::NotStarted]
        );
        assert!(world.engine.asked("id-db").is_empty());
    }
}

#[tokio::test]
async fn an_update_sent_again_after_the_first_one_arrived_late_is_known_to_be_done() {
    let reads = [before(7), before(7), before(7), after(8)];
    let world = losing(&["web"], &says(&reads));
    let late = refusal(500, "rpc error: update out of sequence");
    world.engine.on(UPDATE_WEB, &[Reply::HangUp, late]);
    let told = world.tasks_follow().apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done]);
    assert_eq!(world.sent_versions(), ["7", "7"]);
}

#[tokio::test]
async fn a_manager_that_is_down_for_a_while_is_asked_again() {
    let mut reads = says(&[before(7), before(7)]);
    // As often as one read is tried.
    reads.extend([Reply::HangUp, Reply::HangUp, Reply::HangUp]);
    reads.extend(says(&[after(8)]));
    let world = losing(&["web"], &reads);
    let told = world.tasks_follow().apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done]);
    assert_eq!(world.sent_versions(), ["7"]);
}

#[tokio::test]
async fn a_service_that_is_gone_after_a_lost_answer_leaves_it_unknown() {
    let mut reads = says(&[before(7), before(7)]);
    reads.push(refusal(404, "service id-web not found"));
    let world = losing(&["web"], &reads);
    let told = world.apply().await;
    assert_eq!(told.failure().kind, FailureKind::Unknown);
    assert_eq!(told.steps(), [StepOutcome::InFlight]);
    assert_eq!(world.sent_versions(), ["7"]);
}
