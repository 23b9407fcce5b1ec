//! A lock that is lost on the way: nothing is sent without it.

use std::sync::Mutex;
use std::time::Duration;

use imgstack_executor::journal::Occasion;
use imgstack_executor::lock::{Claim, Pace, acquire};
use imgstack_executor::{BackState, Event, StepOutcome, apply};
use serde_json::json;

use crate::back::{back, paused, pausing};
use crate::scripted::Reply;
use crate::support::{Told, World, before, says};

const LOCK: &str = "GET /configs/imgstack.lock.shop";

/// The apply of somebody who is shown the lock as often as that, and then that
/// it is gone.
async fn seeing_it(world: &World, times: usize) -> Told {
    let manager = world.engine.connect().await.unwrap();
    let created = Reply::Json(201, json!({"ID": "c-1"}));
    world.engine.on("POST /configs/create", &[created]);
    let claim = Claim {
        owner: "ann".to_owned(),
        host: "ci-1".to_owned(),
        process: 17,
        command: "imgstack apply".to_owned(),
    };
    let pace = Pace {
        heartbeat: Duration::from_secs(60),
        ..Pace::default()
    };
    let (stack, cancel) = (&world.plan.stack.name, &world.cancel);
    let lock = acquire(
        &manager,
        stack,
        &claim,
        Duration::ZERO,
        pace,
        cancel,
        &|_| {},
    );
    let lock = lock.await.unwrap();
    let config = json!({
        "ID": "c-1", "Version": {"Index": 3},
        "Spec": {"Name": "imgstack.lock.shop", "Labels": {"dev.imgstack.lock.token": lock.token()}},
    });
    let mut shown = vec![Reply::Json(200, config); times];
    shown.push(Reply::Json(404, json!({"message": "no such config"})));
    // What a page of the journal is begun with.
    world.engine.on("GET /configs?", &says(&[json!([])]));
    world
        .engine
        .on("GET /services?", &says(&[json!([before(7)])]));
    world.engine.on(LOCK, &shown);
    let occasion = Occasion {
        owner: "ann".to_owned(),
        host: "ci-1".to_owned(),
        command: "imgstack apply".to_owned(),
        imgstack_version: "0.1.0".to_owned(),
        commit: None,
    };
    let events = Mutex::new(Vec::new());
    let tell = |event: Event| events.lock().unwrap().push(event);
    let outcome = apply(
        &world.plan,
        &world.world(&manager),
        &lock,
        &occasion,
        cancel,
        &tell,
    )
    .await;
    Told {
        events: events.into_inner().unwrap(),
        outcome,
        took: Duration::ZERO,
    }
}

/// What is asked before an update takes its time.
#[tokio::test]
async fn a_lock_that_goes_before_an_update_is_sent_stops_it() {
    let world = World::web(&[before(7)]);
    let told = seeing_it(&world, 1).await;
    assert!(told.kinds().contains(&"step_started".to_owned()));
    assert_eq!(told.steps(), [StepOutcome::NotStarted]);
    assert!(told.kinds().contains(&"lock_lost".to_owned()));
    assert!(world.sent().is_empty());
}

/// Who has it now may be at work on another service of the group.
#[tokio::test]
async fn no_service_is_led_back_without_the_lock() {
    for (seen, state, sent) in [(2, BackState::Unlocked, 1), (3, BackState::Runs, 2)] {
        let world = pausing(&[paused(8), before(9), back(10)]);
        let told = seeing_it(&world, seen).await;
        let failure = told.failure();
        let went = failure.went_back.as_ref().unwrap();
        assert_eq!(went.state, state, "{failure:?}");
        assert_eq!(world.sent().len(), sent);
        let lost = told.kinds().contains(&"lock_lost".to_owned());
        assert_eq!(lost, state == BackState::Unlocked);
        let begun = told.kinds().contains(&"going_back".to_owned());
        assert_eq!(begun, state == BackState::Runs);
        let hint = failure.hint.as_ref().unwrap();
        assert!(!hint.contains("docker service rollback"), "{hint}");
    }
}
