use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use imgstack_executor::lock::{LockError, Lost, Unlocked, standing, unlock};
use imgstack_sim::{Fault, Trigger};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::stage::{PACE, Stage};

const NO_WAIT: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_second_is_told_who_was_first() {
    let stage = Stage::new().await;
    let lock = stage.lock_for("ann", NO_WAIT).await.unwrap();
    let error = stage.lock_for("bob", NO_WAIT).await.unwrap_err();
    let LockError::Held { stack, holder } = error else {
        panic!("{error:?}");
    };
    assert_eq!(stack, stage.stack);
    assert_eq!((holder.owner.as_str(), holder.process), ("ann", Some(17)));
    assert!(holder.heartbeat > holder.since);
    lock.check().await.unwrap();
    lock.release().await.unwrap();
    assert_eq!(stage.config().await, None);
    let lock = stage.lock_for("bob", NO_WAIT).await.unwrap();
    lock.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_gets_it_when_the_first_lets_go() {
    let stage = Stage::new().await;
    let lock = stage.lock_for("ann", NO_WAIT).await.unwrap();
    // Longer than a lock without a heartbeat would stand.
    let first = async {
        sleep(PACE.stale * 2).await;
        lock.check().await.unwrap();
        lock.release().await.unwrap();
        Instant::now()
    };
    let (let_go, second) = tokio::join!(first, stage.lock_for("bob", LONG));
    assert!(let_go.elapsed() < Duration::from_secs(2));
    second.unwrap().check().await.unwrap();
    assert_eq!(stage.kinds(), ["lock_waited"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_and_an_interrupt_ends_it_sooner() {
    let stage = Stage::new().await;
    let _lock = stage.lock_for("ann", NO_WAIT).await.unwrap();
    let wait = Duration::from_millis(400);
    let began = Instant::now();
    let error = stage.lock_for("bob", wait).await.unwrap_err();
    assert!(matches!(error, LockError::Held { .. }), "{error:?}");
    assert!(began.elapsed() >= wait);
    let cancel = CancellationToken::new();
    let stop = async {
        sleep(wait).await;
        cancel.cancel();
    };
    let (error, ()) = tokio::join!(stage.lock_until("bob", LONG, &cancel), stop);
    assert!(matches!(error, Err(LockError::Interrupted)));
    // What was asked for in vain is not there.
    let holder = standing(&stage.manager, &stage.stack).await.unwrap();
    assert_eq!(holder.unwrap().holder.owner, "ann");
}

/// Ten come upon a lock whose holder is gone: one at a time has it.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_takers_exactly_one_at_a_time_gets_through() {
    let stage = Stage::new().await;
    for round in 0..2 {
        // Dropped without a release, as if it had been killed.
        drop(stage.lock_for("gone", NO_WAIT).await.unwrap());
        let began = Instant::now();
        let (inside, turns) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let take = |number: usize| {
            let (stage, inside, turns) = (&stage, &inside, &turns);
            async move {
                let lock = stage.lock_for(&format!("taker-{number}"), LONG).await;
                let lock = lock.unwrap();
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                assert!(began.elapsed() >= PACE.stale);
                sleep(Duration::from_millis(50)).await;
                lock.check().await.unwrap();
                inside.fetch_sub(1, Ordering::SeqCst);
                turns.fetch_add(1, Ordering::SeqCst);
                lock.release().await.unwrap();
            }
        };
        join_all((0..10).map(take)).await;
        assert_eq!(turns.into_inner(), 10);
        let taken = stage
            .kinds()
            .iter()
            .filter(|it| *it == "lock_taken_over")
            .count();
        assert_eq!(taken, round + 1, "one of them took it over");
    }
}

/// A holder that was only slow finds out, and harms nobody by letting go.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_was_lost_is_known_to_be() {
    let stage = Stage::new().await;
    let slow = stage.lock_for("slow", NO_WAIT).await.unwrap();
    let cancel = CancellationToken::new();
    let (manager, stack) = (&stage.manager, &stage.stack);
    let removed = unlock(manager, stack, true, PACE, &cancel, &|_| {})
        .await
        .unwrap();
    let Unlocked::Removed(holder) = removed else {
        panic!("{removed:?}");
    };
    assert_eq!(holder.owner, "slow");
    assert!(matches!(slow.check().await, Err(Lost::Removed)));
    let next = stage.lock_for("next", NO_WAIT).await.unwrap();
    match slow.check().await {
        Err(Lost::TakenOver(holder)) => assert_eq!(holder.owner, "next"),
        other => panic!("{other:?}"),
    }
    slow.release().await.unwrap();
    sleep(PACE.heartbeat * 3).await;
    next.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn unlock_spares_the_living() {
    let stage = Stage::new().await;
    let cancel = CancellationToken::new();
    let (manager, stack) = (&stage.manager, &stage.stack);
    let unlock = || unlock(manager, stack, false, PACE, &cancel, &|_| {});
    assert_eq!(unlock().await.unwrap(), Unlocked::NotLocked);
    let lock = stage.lock_for("ann", NO_WAIT).await.unwrap();
    let error = unlock().await.unwrap_err();
    assert!(matches!(error, LockError::Held { .. }), "{error:?}");
    lock.check().await.unwrap();
    drop(lock);
    let began = Instant::now();
    assert!(matches!(unlock().await.unwrap(), Unlocked::Removed(_)));
    assert!(began.elapsed() >= PACE.stale);
    assert_eq!(stage.config().await, None);
}

/// It may have been made all the same, or not: either way it is had.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_whose_creation_was_not_answered_is_had() {
    for fault in [Fault::Cut, Fault::Refuse] {
        let stage = Stage::new().await;
        let faults = &stage.world.server.faults;
        faults.set(Trigger::once("POST", "/configs/create"), fault);
        let lock = stage.lock_for("ann", NO_WAIT).await.unwrap();
        assert_eq!(faults.hits(), 1);
        lock.check().await.unwrap();
        lock.release().await.unwrap();
        assert_eq!(stage.config().await, None);
    }
}

/// A manager that takes nothing and yet answers questions is not asked without
/// a pause, and not for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_cannot_be_made_is_not_tried_without_a_pause() {
    let stage = Stage::new().await;
    let faults = &stage.world.server.faults;
    let creation = Trigger {
        times: None,
        ..Trigger::once("POST", "/configs/create")
    };
    faults.set(creation, Fault::Refuse);
    let cancel = CancellationToken::new();
    let stop = async {
        sleep(PACE.look * 50).await;
        cancel.cancel();
    };
    let (taken, ()) = tokio::join!(stage.lock_until("ann", LONG, &cancel), stop);
    assert!(taken.is_err());
    assert!(faults.hits() <= 60, "{} attempts", faults.hits());
}

/// Who is forced out is who was found: not the next one, who came while the
/// manager was slow.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_came_meanwhile_is_not_forced() {
    let stage = Stage::new().await;
    let ann = stage.lock_for("ann", NO_WAIT).await.unwrap();
    let faults = &stage.world.server.faults;
    let overtaken = Fault::Answer {
        status: 500,
        headers: Vec::new(),
        body: r#"{"message": "rpc error: update out of sequence"}"#.to_owned(),
    };
    let updates = Trigger {
        times: None,
        ..Trigger::once("POST", "/update")
    };
    faults.set(updates, overtaken);
    let cancel = CancellationToken::new();
    let (manager, stack) = (&stage.manager, &stage.stack);
    let forced = unlock(manager, stack, true, PACE, &cancel, &|_| {});
    let meanwhile = async {
        while faults.hits() == 0 {
            sleep(PACE.look).await;
        }
        ann.release().await.unwrap();
        let bob = stage.lock_for("bob", NO_WAIT).await.unwrap();
        faults.clear();
        bob
    };
    let (forced, bob) = tokio::join!(forced, meanwhile);
    bob.check().await.unwrap();
    match forced {
        Err(LockError::Held { holder, .. }) => assert_eq!(holder.owner, "bob"),
        // It looked while there was none.
        Ok(Unlocked::NotLocked) => {}
        other => panic!("{other:?}"),
    }
}

/// What a taker that was killed on the way has left is nobody's: the next one
/// need not wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_condemned_lock_is_in_nobodys_way() {
    let stage = Stage::new().await;
    drop(stage.lock_for("gone", NO_WAIT).await.unwrap());
    let config = stage.config().await.unwrap();
    let mut labels = config.labels.clone();
    labels.insert(
        "dev.imgstack.lock.condemned".to_owned(),
        "a taker".to_owned(),
    );
    stage.manager.label_config(&config, &labels).await.unwrap();
    let began = Instant::now();
    let lock = stage.lock_for("next", NO_WAIT).await.unwrap();
    assert!(began.elapsed() < PACE.stale);
    assert_ne!(stage.config().await.unwrap().id, config.id);
    lock.release().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_nobody_has_costs_one_request() {
    let stage = Stage::new().await;
    let before = stage.asked().len();
    let lock = stage.lock_for("ann", NO_WAIT).await.unwrap();
    assert_eq!(stage.asked().len(), before + 1);
    lock.check().await.unwrap();
    assert_eq!(stage.asked().len(), before + 2);
}
