//! On a paused clock: waits are checked, not waited for.

use std::cell::Cell;

use super::*;

const LATER: Option<Again> = Some(Again {
    after: None,
    limited: false,
});

fn limited(after: Duration) -> Option<Again> {
    Some(Again {
        after: Some(after),
        limited: true,
    })
}

/// Plays the script, one entry an attempt; how many were made, and the end.
async fn play(gate: &Gate, script: &[Option<Again>]) -> (usize, End<usize>) {
    let made = Cell::new(0);
    let end = gate
        .pass(|| {
            let at = made.replace(made.get() + 1);
            async move {
                Attempt {
                    result: at,
                    again: script[at],
                    once: false,
                }
            }
        })
        .await;
    (made.get(), end)
}

#[tokio::test(start_paused = true)]
async fn four_attempts_and_less_than_two_seconds_for_a_closed_port() {
    let start = Instant::now();
    let (made, end) = play(&Gate::default(), &[LATER; 9]).await;
    assert_eq!(made, 4);
    assert!(matches!(end, End::Said(3, None)));
    assert!(start.elapsed() <= Duration::from_millis(250 + 500 + 1000));
}

#[tokio::test(start_paused = true)]
async fn a_final_answer_ends_the_attempts() {
    let (made, end) = play(&Gate::default(), &[LATER, None, LATER]).await;
    assert_eq!(made, 2);
    assert!(matches!(end, End::Said(1, None)));
}

#[tokio::test(start_paused = true)]
async fn the_host_decides_how_long() {
    let start = Instant::now();
    let gate = Gate::default();
    play(&gate, &[limited(Duration::from_secs(20)), None]).await;
    assert_eq!(start.elapsed().as_secs(), 20);

    // What GHCR writes is far below a sensible pause.
    let start = Instant::now();
    play(
        &Gate::default(),
        &[limited(Duration::from_micros(1160)), None],
    )
    .await;
    assert!(start.elapsed() >= Duration::from_millis(250));
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_is_told_and_closes_the_host() {
    let start = Instant::now();
    let gate = Gate::default();
    let hour = Duration::from_secs(3600);
    let (made, end) = play(&gate, &[limited(hour)]).await;
    assert_eq!(made, 1);
    assert!(matches!(end, End::Said(0, Some(wait)) if wait == hour));

    // Nobody else asks in the meantime.
    let (made, end) = play(&gate, &[None]).await;
    assert_eq!(made, 0);
    assert!(matches!(end, End::Closed(left) if left > hour - Duration::from_secs(1)));
    assert_eq!(start.elapsed().as_secs(), 0);

    tokio::time::advance(hour).await;
    assert_eq!(play(&gate, &[None]).await.0, 1);
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_end_of_the_clock_is_no_panic() {
    let (made, end) = play(&Gate::default(), &[limited(Duration::MAX)]).await;
    assert_eq!(made, 1);
    assert!(matches!(end, End::Said(0, Some(Duration::MAX))));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_down_costs_a_budget_not_four_attempts_each() {
    let gate = Gate::default();
    let mut made = 0;
    for _ in 0..20 {
        made += play(&gate, &[LATER; 4]).await.0;
    }
    assert_eq!(made, 20 + BUDGET as usize);
    // A success is worth one more retry.
    play(&gate, &[None]).await;
    assert_eq!(play(&gate, &[LATER; 4]).await.0, 2);
}

/// How many attempts run at once, at most.
async fn crowd(gate: &Gate) -> u32 {
    let (now, most) = (Cell::new(0), Cell::new(0));
    let one = || async {
        gate.pass(|| async {
            now.set(now.get() + 1);
            most.set(most.get().max(now.get()));
            tokio::time::sleep(Duration::from_millis(10)).await;
            now.set(now.get() - 1);
            Attempt {
                result: (),
                again: None,
                once: false,
            }
        })
        .await;
    };
    tokio::join!(
        one(),
        one(),
        one(),
        one(),
        one(),
        one(),
        one(),
        one(),
        one(),
        one()
    );
    most.get()
}

#[tokio::test(start_paused = true)]
async fn after_a_429_one_at_a_time() {
    let gate = Gate::default();
    assert_eq!(crowd(&gate).await, WIDTH);
    play(&gate, &[limited(Duration::ZERO), None]).await;
    assert_eq!(crowd(&gate).await, 1);
}
