//! When builds were built, and how long a young one waits.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The beginning of 2013, the year of Docker's first release.
const FIRST: Timestamp = Timestamp::constant(1_356_998_400, 0);

/// How far ahead of ours another machine's clock may be, time zones included.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// When a build was built, as far as its registry tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BuildDate {
    /// By its config or annotations.
    At(Timestamp),
    /// It does not say.
    None,
    /// The registry did not answer; why, in words.
    Unknown(String),
}

/// Whether a build is old enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Age {
    /// It is.
    Enough,
    /// It is not before then.
    Waits(Timestamp),
    /// It has no date, or none that can be true, and so no age.
    Undated,
    /// The registry did not answer; why, in words.
    Unknown(String),
}

impl BuildDate {
    /// The date, if it can be true. Tools that make builds reproducible write
    /// 1970 or 1980, years before the first image: such a build is not old.
    /// One from the future would be the newest for good.
    #[must_use]
    pub fn credible(&self, now: Timestamp) -> Option<Timestamp> {
        let Self::At(built) = self else {
            return None;
        };
        Some(*built).filter(|built| (FIRST..=latest(now)).contains(built))
    }

    /// Whether the build has reached `minimumAge`.
    #[must_use]
    pub fn age(&self, minimum: Duration, now: Timestamp) -> Age {
        if let Self::Unknown(why) = self {
            return Age::Unknown(why.clone());
        }
        let Some(built) = self.credible(now) else {
            return Age::Undated;
        };
        let until = built.saturating_add(minimum).unwrap_or(Timestamp::MAX);
        match until <= now {
            true => Age::Enough,
            false => Age::Waits(until),
        }
    }
}

/// The latest date that something made by now can bear.
pub(super) fn latest(now: Timestamp) -> Timestamp {
    now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX)
}
