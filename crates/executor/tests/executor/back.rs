//! The way back: whose it is, what is sent, and how it ends.

use imgstack_executor::{BackState, Failure, FailureKind, StepOutcome, WentBack, Whose};
use imgstack_planner::{Change, SettingsChange};
use imgstack_spec::{FailureAction, ImageRef};
use imgstack_swarm::RegistryAuth;
use serde_json::{Value, json};

use crate::scripted::Reply;
use crate::support::{
    EVENTS, UPDATE_WEB, WEB, World, after, before, events, image, new, old, planned_spec, refusal,
    says, seen, service, spec, task, with_error, with_status,
};

const CREDENTIAL: &str = "eyJ1c2VybmFtZSI6ImEiLCJwYXNzd29yZCI6Imh1bnRlcjIifQ==";
const WHY: &str = "update paused due to failure or early termination of task t2";

pub fn paused(version: u64) -> Value {
    with_status(after(version), "paused", WHY)
}

pub fn back(version: u64) -> Value {
    with_status(before(version), "completed", "update completed")
}

fn failed() -> Value {
    with_error(task("t2", &new(), "failed"), "task: non-zero exit (3)", 3)
}

/// A rollout that the engine pauses. `then` are the faces of the service from
/// when it is read for the way back.
pub fn pausing(then: &[Value]) -> World {
    let mut faces = vec![before(7), before(7), paused(8)];
    faces.extend_from_slice(then);
    let world = World::web(&faces);
    world.tasks(&[
        vec![task("t1", &old(), "running")],
        vec![failed()],
        vec![failed(), task("t3", &old(), "starting")],
        vec![failed(), task("t3", &old(), "running")],
    ]);
    world
}

fn went_back(failure: &Failure) -> &WentBack {
    failure.went_back.as_ref().unwrap()
}

/// By whom, and how far.
#[track_caller]
fn is(failure: &Failure, by: Whose, state: BackState) {
    let back = went_back(failure);
    assert_eq!((back.by, back.state), (by, state), "{failure:?}");
}

#[tokio::test]
async fn a_paused_rollout_is_led_back_and_is_a_failure_all_the_same() {
    let world = pausing(&[paused(9), before(10), back(11)]);
    let told = world.apply().await;
    let failure = told.failure();
    assert_eq!(failure.kind, FailureKind::Paused);
    is(failure, Whose::Imgstack, BackState::Runs);
    let back = went_back(failure);
    assert_eq!((back.running, back.wanted), (1, 1));
    let end = "; imgstack went back to the previous spec (1 of 1 running)";
    let message = format!("the rollout stopped half-way: {WHY}{end}");
    assert_eq!(failure.message, message);
    assert_eq!(failure.now, Some(old()));
    let hint = failure.hint.as_ref().unwrap();
    // After a forward update that would lead to the build that has failed.
    assert!(!hint.contains("docker service rollback"), "{hint}");
    assert!(hint.contains("imgstack rollback web"), "{hint}");
    // The evidence is of the new build.
    assert_eq!(failure.tasks.len(), 1, "{failure:?}");
    assert_eq!(failure.tasks[0].exit_code, Some(3));
    // Against the version that was read for it, and to the byte.
    assert_eq!(world.sent_versions(), ["7", "9"]);
    let sent: Value = serde_json::from_str(&world.sent()[1].body).unwrap();
    assert_eq!(sent, spec("web"));
    assert_eq!(
        told.kinds(),
        [
            "apply_started",
            "step_started",
            "step_progress",
            "going_back",
            "step_progress",
            "step_failed",
            "apply_finished"
        ]
    );
    assert_eq!(told.steps(), [StepOutcome::Failed]);
}

/// The settings that came with the update go, and what is said of its
/// credential stays: it is carried again.
#[tokio::test]
async fn settings_go_back_and_the_credential_is_a_fresh_one() {
    let label = "dev.imgstack.credential";
    let mut old_spec = spec("web");
    old_spec["UpdateConfig"] = json!({"Parallelism": 1, "FailureAction": "pause"});
    old_spec["Labels"][label] = json!("old");
    let mut new_spec = planned_spec("web");
    new_spec["UpdateConfig"] = json!({"Parallelism": 1, "FailureAction": "continue"});
    new_spec["Labels"][label] = json!("new");
    let stuck = with_status(service(8, &new_spec), "paused", WHY);
    let first = service(7, &old_spec);
    let mut last = old_spec.clone();
    last["Labels"][label] = json!("new");
    let mut world = World::web(&[
        first.clone(),
        first,
        stuck.clone(),
        stuck,
        service(9, &last),
    ]);
    world.tasks(&[
        vec![task("t1", &old(), "running")],
        vec![failed()],
        vec![task("t3", &old(), "running")],
    ]);
    let sight = seen(7, &old_spec);
    world.plan.seen.insert("web".parse().unwrap(), sight);
    world.update(|update| {
        let change = Change {
            from: FailureAction::Pause,
            to: FailureAction::Continue,
        };
        update.settings = SettingsChange {
            on_failure: Some(change),
            ..SettingsChange::default()
        };
        let change = Change {
            from: Some("old".to_owned()),
            to: Some("new".to_owned()),
        };
        update.labels.insert(label.to_owned(), change);
    });
    let repository = new().parse::<ImageRef>().unwrap().repository;
    let auth = RegistryAuth::encoded(&CREDENTIAL.into()).unwrap();
    world.credentials.pulls.insert(repository, auth);
    let told = world.apply().await;
    is(told.failure(), Whose::Imgstack, BackState::Runs);
    let sent = world.sent();
    assert_eq!(sent.len(), 2);
    let body: Value = serde_json::from_str(&sent[1].body).unwrap();
    assert_eq!(body, last);
    let header = format!("x-registry-auth: {}", CREDENTIAL.to_lowercase());
    let carries = sent[1]
        .headers
        .iter()
        .any(|it| it.starts_with(&header[..40]));
    assert!(carries, "{:?}", sent[1].headers);
    let text = format!("{:?}", told.events);
    assert!(!text.contains(&CREDENTIAL[..20]), "{text}");
}

#[tokio::test]
async fn what_dies_afterwards_and_what_never_converges_is_led_back_too() {
    // The engine is content, and the task dies.
    let completed = with_status(after(8), "completed", "update completed");
    let faces = [before(7), before(7), completed.clone(), completed.clone()];
    let mut world = World::web(&[&faces[..], &[completed, before(9)]].concat());
    world.update(|update| update.monitor_ms = 600);
    world
        .engine
        .on(EVENTS, &[Reply::StreamThenSilence(events(2))]);
    world.tasks(&[
        vec![task("t1", &old(), "running")],
        vec![task("t2", &new(), "running")],
        vec![failed()],
        vec![task("t3", &old(), "running")],
    ]);
    let told = world.apply().await;
    assert_eq!(told.failure().kind, FailureKind::Unstable);
    is(told.failure(), Whose::Imgstack, BackState::Runs);
    assert_eq!(told.failure().now, Some(old()));

    // The engine would go on for ever. Two looks in its second.
    let updating = with_status(after(8), "updating", "update in progress");
    let faces = [before(7), before(7), updating.clone(), updating.clone()];
    let mut world = World::web(&[&faces[..], &[updating, before(9)]].concat());
    world.update(|update| update.timeout_seconds = 1);
    world.tasks(&[
        vec![task("t1", &old(), "running")],
        vec![task("t2", &new(), "pending")],
        vec![task("t2", &new(), "pending")],
        vec![task("t1", &old(), "running")],
    ]);
    let told = world.apply().await;
    let failure = told.failure();
    assert_eq!(failure.kind, FailureKind::TimedOut);
    is(failure, Whose::Imgstack, BackState::Runs);
    let hint = failure.hint.as_ref().unwrap();
    assert!(hint.contains("docker service ps --no-trunc web"), "{hint}");
    assert_eq!(world.sent().len(), 2);
}

/// A roll-back has one owner: when the engine begins at the same moment, ours
/// is refused by the version, and is not sent again.
#[tokio::test]
async fn an_engine_that_begins_to_go_back_meanwhile_is_left_to_it() {
    let started = with_status(before(9), "rollback_started", "update rolled back");
    let completed = with_status(before(10), "rollback_completed", "rollback completed");
    let world = pausing(&[
        paused(8),
        started.clone(),
        started.clone(),
        completed.clone(),
    ]);
    let sequence = refusal(500, "rpc error: update out of sequence");
    let taken = Reply::Json(200, json!({}));
    world
        .engine
        .on(UPDATE_WEB, &[taken.clone(), sequence.clone()]);
    let told = world.apply().await;
    is(told.failure(), Whose::Engine, BackState::Runs);
    assert_eq!(world.sent_versions(), ["7", "8"]);
    let message = &told.failure().message;
    assert!(message.contains("the Swarm went back"), "{message}");

    // It had begun before ours was sent.
    let world = pausing(&[started.clone(), started, completed]);
    let told = world.apply().await;
    is(told.failure(), Whose::Engine, BackState::Runs);
    assert_eq!(world.sent_versions(), ["7"]);
    assert!(!told.kinds().contains(&"going_back".to_owned()));

    // A conflict without a cause is no reason to give up.
    let world = pausing(&[paused(8), paused(9), before(10), back(11)]);
    world
        .engine
        .on(UPDATE_WEB, &[taken.clone(), sequence, taken]);
    let told = world.apply().await;
    is(told.failure(), Whose::Imgstack, BackState::Runs);
    assert_eq!(world.sent_versions(), ["7", "8", "9"]);
    let begun = told
        .events
        .iter()
        .filter(|it| format!("{it:?}").starts_with("GoingBack"));
    assert_eq!(begun.count(), 1);
}

#[tokio::test]
async fn what_somebody_else_has_changed_is_not_touched() {
    let mut other_image = planned_spec("web");
    other_image["TaskTemplate"]["ContainerSpec"]["Image"] = json!(image('c'));
    // Ours in all that we know of, and yet not as it was.
    let mut scaled = planned_spec("web");
    scaled["Mode"]["Replicated"]["Replicas"] = json!(3);
    for (other, now) in [(other_image, image('c')), (scaled, new())] {
        // The paused update has been seen, so what we left is known; the
        // change comes between that and the way back.
        let mut world = World::web(&[before(7), before(7), after(8), after(8), service(9, &other)]);
        world.update(|update| {
            update.timeout_seconds = 1;
            update.monitor_ms = 10_000;
        });
        world.tasks(&[vec![task("t1", &old(), "running")]]);
        let told = world.apply().await;
        let failure = told.failure();
        is(failure, Whose::Imgstack, BackState::Overtaken);
        assert_eq!(failure.kind, FailureKind::TimedOut);
        assert_eq!(failure.now, Some(now));
        assert_eq!(world.sent().len(), 1);
        let words = "imgstack did not go back: somebody else has changed the service";
        assert!(failure.message.contains(words), "{failure:?}");
        assert_eq!(
            failure.hint.as_deref(),
            Some("see what is planned now: imgstack plan")
        );
    }
}

#[tokio::test]
async fn a_way_back_that_cannot_be_sent_is_said_with_the_command() {
    let world = pausing(&[paused(8)]);
    let answers = [
        Reply::Json(200, json!({})),
        refusal(400, "the Swarm is full"),
    ];
    world.engine.on(UPDATE_WEB, &answers);
    let told = world.apply().await;
    let failure = told.failure();
    is(failure, Whose::Imgstack, BackState::Refused);
    assert!(failure.message.contains("the Swarm is full"), "{failure:?}");
    assert_eq!(failure.now, Some(new()));
    let hint = failure.hint.as_ref().unwrap();
    assert!(hint.contains("docker service rollback web"), "{hint}");
    assert_eq!(world.sent().len(), 2);

    let mut reads = says(&[before(7), before(7), paused(8)]);
    reads.push(refusal(404, "service id-web not found"));
    let world = pausing(&[]);
    world.engine.on(WEB, &reads);
    let told = world.apply().await;
    is(told.failure(), Whose::Imgstack, BackState::Overtaken);
    assert!(told.failure().message.contains("was removed"));
}

/// Neither the new build runs nor the one before.
#[tokio::test]
async fn a_way_back_that_fails_itself_is_said_with_what_is_so() {
    let stuck = with_status(before(10), "paused", "update paused: t3");
    // The settings of the previous spec may lead back to where it came from.
    let reverted = with_status(after(10), "rollback_completed", "rollback completed");
    for (face, now, words) in [
        (stuck, old(), "update paused: t3"),
        (
            reverted,
            new(),
            "the Swarm took it back: rollback completed",
        ),
    ] {
        let world = pausing(&[paused(8), before(9), face]);
        world.tasks(&[
            vec![task("t1", &old(), "running")],
            vec![failed()],
            vec![failed(), task("t3", &old(), "starting")],
        ]);
        let told = world.apply().await;
        let failure = told.failure();
        is(failure, Whose::Imgstack, BackState::Stuck);
        assert!(
            failure.message.contains("does not run either"),
            "{failure:?}"
        );
        assert!(failure.message.ends_with(words), "{failure:?}");
        assert_eq!(failure.now, Some(now));
        let hint = failure.hint.as_ref().unwrap();
        assert!(hint.contains("imgstack rollback web --to BUILD"), "{hint}");
    }
    // Or it never comes, which is waited for as long as for a rollout.
    let mut world = pausing(&[paused(8), before(9)]);
    world.update(|update| update.timeout_seconds = 1);
    world.tasks(&[
        vec![task("t1", &old(), "running")],
        vec![failed()],
        vec![task("t3", &old(), "preparing")],
    ]);
    let told = world.apply().await;
    is(told.failure(), Whose::Imgstack, BackState::Stuck);
    assert!(
        told.failure().message.ends_with("preparing"),
        "{:?}",
        told.failure()
    );
    // Or all of it runs when the time is over, and nobody knows for how long.
    let mut world = pausing(&[paused(8), before(9), back(10)]);
    world.update(|update| {
        update.timeout_seconds = 1;
        update.monitor_ms = 10_000;
    });
    let told = world.apply().await;
    is(told.failure(), Whose::Imgstack, BackState::Stuck);
    let words = "of which 1 of 1 tasks run: they have only just come up";
    assert!(
        told.failure().message.ends_with(words),
        "{:?}",
        told.failure()
    );
}

#[tokio::test]
async fn an_answer_that_is_lost_on_the_way_back_is_not_guessed() {
    // It was done; it was not done.
    for (then, versions) in [
        (vec![paused(8), before(9), back(10)], vec!["7", "8"]),
        (
            vec![paused(8), paused(8), before(9), back(10)],
            vec!["7", "8", "8"],
        ),
    ] {
        let world = pausing(&then);
        let taken = Reply::Json(200, json!({}));
        let answers = [taken.clone(), Reply::HangUp, taken];
        world.engine.on(UPDATE_WEB, &answers);
        let told = world.apply().await;
        is(told.failure(), Whose::Imgstack, BackState::Runs);
        assert_eq!(world.sent_versions(), versions);
    }
}

/// Whether it was done is not known, so nothing may be typed that would undo
/// it: after a forward update the engine's own way leads to the bad build.
#[tokio::test]
async fn what_is_not_known_to_be_sent_is_not_called_unsent() {
    let mut world = pausing(&[paused(8)]);
    let taken = Reply::Json(200, json!({}));
    world.engine.on(UPDATE_WEB, &[taken, Reply::HangUp]);
    world.cancel_at = Some("going_back");
    let told = world.apply().await;
    let failure = told.failure();
    is(failure, Whose::Imgstack, BackState::UnderWay);
    let words = "whether the update got through is not known";
    assert!(failure.message.contains(words), "{failure:?}");
    let hint = failure.hint.as_ref().unwrap();
    assert!(!hint.contains("docker service rollback"), "{hint}");
}

#[tokio::test]
async fn who_asks_to_stop_while_it_goes_back_is_told_that_it_does() {
    let mut world = pausing(&[paused(8), before(9)]);
    world.cancel_at = Some("going_back");
    let told = world.apply().await;
    is(told.failure(), Whose::Imgstack, BackState::UnderWay);
    assert!(told.failure().message.contains("imgstack is going back"));
    // The call in flight is finished.
    assert_eq!(world.sent().len(), 2);
    assert_eq!(told.steps(), [StepOutcome::Failed]);
    assert!(told.outcome.interrupted);
    let took = told.took;
    assert!(took < std::time::Duration::from_millis(400), "{took:?}");
}

/// No task ran before: there is nothing to go back to.
#[tokio::test]
async fn what_did_not_run_before_is_left_where_it_is() {
    let world = pausing(&[paused(8)]);
    world.tasks(&[vec![task("t1", &old(), "pending")], vec![failed()]]);
    let told = world.apply().await;
    is(told.failure(), Whose::Imgstack, BackState::Needless);
    assert_eq!(world.sent().len(), 1);
    assert_eq!(told.failure().now, Some(new()));
    assert!(!told.kinds().contains(&"going_back".to_owned()));
}

/// Two tasks are wanted, and one of them ran before. `then` is what runs after
/// the way back was begun.
fn in_part(then: &[Vec<Value>]) -> World {
    let two = |mut service: Value| {
        service["Spec"]["Mode"]["Replicated"]["Replicas"] = json!(2);
        service
    };
    let faces = [before(7), before(7), paused(8), paused(8), back(9)];
    let mut world = World::web(&faces.map(two));
    let sight = seen(7, &two(before(7))["Spec"]);
    world.plan.seen.insert("web".parse().unwrap(), sight);
    world.update(|update| update.timeout_seconds = 60);
    let mut lists = vec![
        vec![task("t1", &old(), "running"), second("pending")],
        vec![failed()],
    ];
    lists.extend_from_slice(then);
    world.tasks(&lists);
    world
}

fn second(state: &str) -> Value {
    let mut task = task("t4", &old(), state);
    task["Slot"] = json!(2);
    task
}

/// What was not whole before is not waited for to become so.
#[tokio::test]
async fn a_service_that_ran_in_part_is_back_when_as_much_runs() {
    let world = in_part(&[vec![task("t3", &old(), "running"), second("pending")]]);
    let told = world.apply().await;
    is(told.failure(), Whose::Imgstack, BackState::Stuck);
    let words = "went back to the previous spec, of which 1 of 2 tasks run: pending";
    assert!(
        told.failure().message.contains(words),
        "{:?}",
        told.failure()
    );
    assert!(told.took < std::time::Duration::from_secs(5));
}

/// It is no failure of the way back that more runs than before.
#[tokio::test]
async fn a_service_that_ran_in_part_and_becomes_whole_meanwhile_runs() {
    let part = vec![task("t3", &old(), "running"), second("pending")];
    let whole = vec![task("t3", &old(), "running"), second("running")];
    // The whole comes when the part has been there for long enough.
    let world = in_part(&[part.clone(), part.clone(), part, whole]);
    let told = world.apply().await;
    is(told.failure(), Whose::Imgstack, BackState::Runs);
    let back = went_back(told.failure());
    assert_eq!((back.running, back.wanted), (2, 2));
}
