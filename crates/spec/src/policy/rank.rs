//! Where a tag stands among the others.

use std::cmp::Ordering;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::dates;
use crate::version::Written;

/// Where a tag stands. All ranks that one policy gives are of one kind.
#[derive(Clone, Debug)]
pub(super) enum Rank {
    Version(Written),
    Numbers(Vec<(usize, String)>),
    Text(String),
    Date(DateTime),
    Built(Timestamp),
}

impl Rank {
    /// How exactly the tag names what it names. Of equal ones the most exact is
    /// the one that moves least.
    pub(super) fn exactness(&self) -> usize {
        match self {
            Self::Version(written) => written.parts,
            Self::Numbers(_) | Self::Text(_) | Self::Date(_) | Self::Built(_) => 0,
        }
    }

    /// Whether it may stand there: a date that has not come yet is a slip or
    /// a number, and would be the latest for good.
    pub(super) fn is_credible(&self, now: Timestamp) -> bool {
        match self {
            Self::Date(date) => Offset::UTC
                .to_timestamp(*date)
                .is_ok_and(|date| date <= dates::latest(now)),
            Self::Version(_) | Self::Numbers(_) | Self::Text(_) | Self::Built(_) => true,
        }
    }

    /// Below, equal or above; None for ranks of different kinds.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        Some(match (self, other) {
            (Self::Version(one), Self::Version(other)) => {
                one.version.cmp_precedence(&other.version)
            }
            (Self::Numbers(one), Self::Numbers(other)) => one.cmp(other),
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            (Self::Date(one), Self::Date(other)) => one.cmp(other),
            (Self::Built(one), Self::Built(other)) => one.cmp(other),
            (
                Self::Version(_)
                | Self::Numbers(_)
                | Self::Text(_)
                | Self::Date(_)
                | Self::Built(_),
                _,
            ) => return None,
        })
    }
}
