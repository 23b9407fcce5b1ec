//! The world's time: a date that moves with tokio's clock.

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Duration, Instant};

/// A date that moves with tokio's clock, so that a test that pauses that clock
/// moves the world's date with it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
    at: Timestamp,
}

impl Clock {
    /// A clock that shows `at` now. To be called inside a tokio runtime.
    #[must_use]
    pub fn starting(at: Timestamp) -> Self {
        Self {
            began: Instant::now(),
            at,
        }
    }

    /// The date now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.began.elapsed()).unwrap_or(SignedDuration::MAX);
        self.at.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// When the clock will show `date`; now, if it has.
    #[must_use]
    pub fn instant_of(&self, date: Timestamp) -> Instant {
        let left = date.duration_since(self.now());
        Instant::now() + Duration::try_from(left).unwrap_or_default()
    }

    /// Waits until the clock shows `date`.
    pub async fn until(&self, date: Timestamp) {
        tokio::time::sleep_until(self.instant_of(date)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_day_passes_with_the_paused_clock_and_not_otherwise() {
        let start: Timestamp = "2026-02-09T04:00:00Z".parse().unwrap();
        let clock = Clock::starting(start);
        assert_eq!(clock.now(), start);
        let tomorrow = start + SignedDuration::from_hours(24);
        clock.until(tomorrow).await;
        assert_eq!(clock.now(), tomorrow);
        clock.until(start).await;
        assert_eq!(clock.now(), tomorrow);
    }
}
