use std::time::Duration;

use imgstack_executor::journal::{KEPT, ReleaseResult, config_name};
use imgstack_executor::lock::{Lock, unlock};
use imgstack_executor::{Event, StepOutcome};
use tokio_util::sync::CancellationToken;

use crate::stage::{PACE, Stage, steps};

async fn locked(stage: &Stage) -> Lock {
    stage.lock_for("ann", Duration::ZERO).await.unwrap()
}

fn is_step(event: &Event) -> bool {
    matches!(event, Event::StepSucceeded { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_begun_before_the_first_step_and_ended_after_the_last() {
    let stage = Stage::new().await;
    let lock = locked(&stage).await;
    let outcome = stage.apply(steps(2), &lock).await;
    assert!(outcome.is_complete());
    let kinds = stage.kinds();
    let end = kinds.len() - 2;
    assert_eq!(kinds[0], "apply_started");
    assert_eq!(kinds[end..], ["release_written", "apply_finished"]);
    let journal = stage.journal().await;
    let [release] = journal.releases() else {
        panic!("{journal:?}");
    };
    assert_eq!(
        (release.begun.number, release.begun.plan.as_str()),
        (1, "9f2c")
    );
    assert_eq!(release.begun.occasion.owner, "ann");
    assert_eq!(release.begun.lock, lock.token());
    let ending = release.ending.as_ref().unwrap();
    assert_eq!(ending.result, ReleaseResult::Done);
    assert_eq!(ending.outcomes, [(StepOutcome::Done, 2)]);
    // Nothing to do is no release.
    stage.apply(steps(0), &lock).await;
    assert_eq!(stage.journal().await.releases().len(), 1);
    lock.release().await.unwrap();
}

/// What a kill leaves: the future is dropped after a step.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_leaves_a_trace() {
    let stage = Stage::new().await;
    let lock = locked(&stage).await;
    let (sender, mut killed) = tokio::sync::mpsc::unbounded_channel();
    let cancel = CancellationToken::new();
    let hear = |event: &Event| {
        if is_step(event) {
            sender.send(()).unwrap();
        }
    };
    tokio::select! {
        _ = stage.apply_until(steps(1_000), &lock, &cancel, hear) => panic!("not killed"),
        _ = killed.recv() => {}
    }
    let journal = stage.journal().await;
    let release = &journal.releases()[0];
    assert_eq!((release.begun.step_count, &release.ending), (1_000, &None));
    // The next one has a number of its own.
    stage.apply(steps(1), &lock).await;
    assert_eq!(stage.journal().await.releases()[0].begun.number, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_is_ended_in_the_journal() {
    let stage = Stage::new().await;
    let lock = locked(&stage).await;
    let cancel = CancellationToken::new();
    let hear = |event: &Event| {
        if is_step(event) {
            cancel.cancel();
        }
    };
    let outcome = stage.apply_until(steps(3), &lock, &cancel, hear).await;
    assert!(outcome.interrupted);
    let journal = stage.journal().await;
    let ending = journal.releases()[0].ending.as_ref().unwrap();
    assert_eq!(ending.result, ReleaseResult::Interrupted);
    let rows = [(StepOutcome::Done, 1), (StepOutcome::NotStarted, 2)];
    assert_eq!(ending.outcomes, rows);
}

/// Nothing further is begun, which is said and written.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_loses_its_lock_stops() {
    let stage = Stage::new().await;
    let lock = locked(&stage).await;
    let cancel = CancellationToken::new();
    let (manager, stack) = (stage.manager.clone(), stage.stack.clone());
    let hear = |event: &Event| {
        if is_step(event) {
            // Somebody insists, between the first step and the second.
            tokio::task::block_in_place(|| {
                let force = unlock(&manager, &stack, true, PACE, &cancel, &|_| {});
                tokio::runtime::Handle::current().block_on(force).unwrap();
            });
        }
    };
    let outcome = stage.apply_until(steps(3), &lock, &cancel, hear).await;
    let became: Vec<StepOutcome> = outcome.steps.iter().map(|(_, it)| *it).collect();
    use StepOutcome::{Done, NotStarted};
    assert_eq!(became, [Done, NotStarted, NotStarted]);
    assert!(!outcome.interrupted);
    let lost = stage.kinds().iter().filter(|it| *it == "lock_lost").count();
    assert_eq!(lost, 1);
    let journal = stage.journal().await;
    let ending = journal.releases()[0].ending.as_ref().unwrap();
    assert_eq!(ending.result, ReleaseResult::LockLost);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_fifty_are_kept_and_numbers_go_on() {
    let stage = Stage::new().await;
    let lock = locked(&stage).await;
    for _ in 0..KEPT + 3 {
        stage.apply(steps(1), &lock).await;
    }
    let journal = stage.journal().await;
    let numbers: Vec<u64> = journal
        .releases()
        .iter()
        .map(|it| it.begun.number)
        .collect();
    let expected: Vec<u64> = (4..=53).rev().collect();
    assert_eq!(numbers, expected);
}

/// Where the journal cannot be begun, nothing is done.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_page_nothing_is_begun() {
    let stage = Stage::new().await;
    let lock = locked(&stage).await;
    // Somebody has taken all names that it would try.
    for number in 1..=10 {
        let (name, labels) = (config_name(&stage.stack, number), Default::default());
        let config = imgstack_swarm::NewConfig {
            name: &name,
            labels: &labels,
            data: b"not ours",
        };
        stage.manager.create_config(&config).await.unwrap();
    }
    let outcome = stage.apply(steps(2), &lock).await;
    assert!(outcome.with(StepOutcome::NotStarted).count() == 2);
    assert_eq!(stage.kinds(), ["journal_failed", "apply_finished"]);
    let told = stage.told.lock().unwrap();
    let Event::JournalFailed {
        why, nothing_done, ..
    } = &told[0]
    else {
        panic!("{told:?}");
    };
    assert!(
        *nothing_done && why.contains("imgstack.release.shop.10"),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_few() {
    let stage = Stage::new().await;
    let lock = locked(&stage).await;
    let before = stage.asked();
    stage.apply(steps(1), &lock).await;
    let mut asked = stage.asked().split_off(before.len());
    // The lock before the step; the journal; the page, begun, read and ended.
    asked.retain(|it| it.contains("/configs"));
    let kinds: Vec<&str> = asked
        .iter()
        .map(|it| it.split(' ').next().unwrap())
        .collect();
    assert_eq!(kinds, ["GET", "POST", "GET", "GET", "POST"], "{asked:?}");
    let before = stage.asked();
    stage.journal().await;
    assert_eq!(stage.asked().len(), before.len() + 1);
}
