//! When to ask a registry again, and when to leave it alone.
//!
//! What is asked again: requests that change nothing, after a network error, a
//! 408, a 429 or a 5xx. Four attempts, with a random pause of up to 0.25 s,
//! 0.5 s, 1 s … 8 s between them, longer when the registry says so. Besides:
//!
//! - A 429 is about the host, not about the request: everybody waits for it,
//!   and from then on the host gets one request at a time.
//! - Retries come out of a budget per host that successes refill, so that a
//!   host that is down costs a few attempts, not four for every image.
//! - A wait of more than 30 s is not worth it: the error says how long.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

const ATTEMPTS: u32 = 4;
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// Longer than this nobody is kept waiting.
const PATIENCE: Duration = Duration::from_secs(30);
/// Requests to one host at a time, while it does not complain.
const WIDTH: u32 = 8;
/// Retries that one host is worth before a success.
const BUDGET: u32 = 16;

/// The door to one host.
pub(crate) struct Gate {
    permits: Semaphore,
    state: Mutex<State>,
}

struct State {
    limited: bool,
    not_before: Option<Instant>,
    budget: u32,
}

/// What came of one attempt.
pub(crate) struct Attempt<T> {
    pub(crate) result: T,
    /// None: that is final.
    pub(crate) again: Option<Again>,
    /// It failed, and is not worth another attempt all the same.
    pub(crate) once: bool,
}

/// Why and when another attempt makes sense.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Again {
    /// How long the host wants to be left alone.
    pub(crate) after: Option<Duration>,
    /// The host says that there are too many requests.
    pub(crate) limited: bool,
}

/// The end of the attempts.
pub(crate) enum End<T> {
    /// The last attempt's result, and, if a wait was too long, how long.
    Said(T, Option<Duration>),
    /// Nothing was sent: the host wants to be left alone for so long.
    Closed(Duration),
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            permits: Semaphore::new(WIDTH as usize),
            state: Mutex::new(State {
                limited: false,
                not_before: None,
                budget: BUDGET,
            }),
        }
    }
}

impl Gate {
    /// Makes attempts until one is final, or no more are worth it.
    pub(crate) async fn pass<T, F>(&self, mut attempt: impl FnMut() -> F) -> End<T>
    where
        F: Future<Output = Attempt<T>>,
    {
        let mut made = 0;
        loop {
            let permit = match self.enter().await {
                Ok(permit) => permit,
                Err(wait) => return End::Closed(wait),
            };
            let Attempt {
                result,
                again,
                once,
            } = attempt().await;
            drop(permit);
            made += 1;
            let Some(again) = again else {
                self.refill();
                return End::Said(result, None);
            };
            let wait = pause(made, again);
            if again.limited {
                self.leave_alone(wait);
            }
            if wait > PATIENCE {
                return End::Said(result, Some(wait));
            }
            if once || made == ATTEMPTS || !self.spend() {
                return End::Said(result, again.after.filter(|_| again.limited));
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Waits for a turn; how long is left when that is too long.
    async fn enter(&self) -> Result<Option<SemaphorePermit<'_>>, Duration> {
        loop {
            let (limited, not_before) = {
                let state = self.state();
                (state.limited, state.not_before)
            };
            if let Some(not_before) = not_before {
                let left = not_before.saturating_duration_since(Instant::now());
                if left > PATIENCE {
                    return Err(left);
                }
                tokio::time::sleep_until(not_before).await;
            }
            let places = if limited { WIDTH } else { 1 };
            // The semaphore is never closed, so there always is a permit.
            let permit = self.permits.acquire_many(places).await.ok();
            let state = self.state();
            if state.limited == limited && state.not_before == not_before {
                return Ok(permit);
            }
        }
    }

    fn leave_alone(&self, wait: Duration) {
        let mut state = self.state();
        state.limited = true;
        // A wait beyond the clock's end closes nothing, rather than everything.
        let until = Instant::now().checked_add(wait);
        state.not_before = state.not_before.max(until);
    }

    fn spend(&self) -> bool {
        let mut state = self.state();
        let left = state.budget.checked_sub(1);
        state.budget = left.unwrap_or(0);
        left.is_some()
    }

    fn refill(&self) {
        let mut state = self.state();
        state.budget = BUDGET.min(state.budget + 1);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pause after that many attempts: full jitter below a doubling bound,
/// and never less than the host asked for.
fn pause(made: u32, again: Again) -> Duration {
    let bound = SHORTEST_PAUSE
        .saturating_mul(1 << (made - 1).min(16))
        .min(LONGEST_PAUSE);
    let jittered = bound.mul_f64(fastrand::f64());
    let asked = again.after.unwrap_or_default();
    let floor = if again.limited {
        asked.max(SHORTEST_PAUSE)
    } else {
        asked
    };
    jittered.max(floor)
}

#[cfg(test)]
mod tests;
