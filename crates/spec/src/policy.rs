//! Tag policies: which of a repository's tags to follow.
//!
//! A [`Policy`] says which tags are candidates and how they are ordered;
//! [`choose`] takes the best, unless it is too young, or below what runs, or
//! cannot be known. What is equal by the policy is decided thus: the tag that
//! runs stays, then the more exact version (`1.2.3` before `1.2`), then the
//! first by name (`1.2.3` before `v1.2.3`).
//!
//! Pure: the time, all dates and where tags lead are arguments. Deliberately
//! absent: whether the chosen tag has moved, which is the planner's to see.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Tag, version};

mod choice;
mod choose;
mod dates;
mod error;
mod floor;
mod order;
mod pattern;
mod range;
mod rank;
mod running;
mod tags;
mod words;

pub use choice::{Choice, Waiting};
pub use choose::{Rules, World, choose, wanted_dates, wanted_leads};
pub use dates::{Age, BuildDate};
pub use error::PolicyError;
pub use order::Order;
pub use pattern::Pattern;
pub use range::{Suffix, VersionRange};
pub use running::Running;
pub use tags::{TagList, is_attachment};

use rank::Rank;

/// Which tag to follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Policy {
    /// `semver`: the highest version in a range.
    Semver {
        /// The range.
        range: VersionRange,
        /// What follows the version in each tag. None: nothing does.
        suffix: Option<Suffix>,
    },
    /// `regex`: the highest of the tags that match.
    Regex {
        /// Which tags, and which part of them is ordered.
        pattern: Pattern,
        /// How.
        order: Order,
    },
    /// `newest`: the build with the latest date of the tags that match.
    Newest {
        /// Which tags.
        pattern: Pattern,
    },
}

/// What a policy makes of one tag.
enum Place {
    /// A candidate.
    At(Rank),
    /// A candidate that only its build's date can rank.
    ByDate,
    /// Of the right form, but out of the range.
    Outside(Rank),
    /// Matches, and what the pattern finds has no place in the order.
    Unordered,
    /// Not meant.
    Elsewhere,
}

impl Policy {
    fn place(&self, tag: &Tag) -> Place {
        match self {
            Self::Semver { range, suffix } => {
                let version = match suffix {
                    None => Some(tag.as_str()),
                    Some(suffix) => suffix.strip(tag),
                };
                match version.and_then(version::read) {
                    None => Place::Elsewhere,
                    Some(version) if range.admits(&version) => Place::At(Rank::Version(version)),
                    Some(version) => Place::Outside(Rank::Version(version)),
                }
            }
            Self::Regex { pattern, order } => match pattern.extract(tag) {
                None => Place::Elsewhere,
                Some(part) => order.rank(part).map_or(Place::Unordered, Place::At),
            },
            Self::Newest { pattern } => match pattern.extract(tag) {
                None => Place::Elsewhere,
                Some(_) => Place::ByDate,
            },
        }
    }

    /// Whether [`choose`] takes the tag into account, were it there.
    #[must_use]
    pub fn may_choose(&self, tag: &Tag) -> bool {
        match self.place(tag) {
            Place::At(_) | Place::ByDate => true,
            Place::Outside(_) | Place::Unordered | Place::Elsewhere => false,
        }
    }

    /// Whether a tag that runs says by itself where it stands in the order.
    #[must_use]
    pub fn orders(&self, running: &Tag) -> bool {
        self.measure(running).is_some()
    }

    /// Where a tag that runs stands among the candidates, also when it is none
    /// itself: out of the range, or of another variant.
    fn measure(&self, running: &Tag) -> Option<Rank> {
        match self.place(running) {
            Place::At(rank) | Place::Outside(rank) => Some(rank),
            Place::ByDate | Place::Unordered => None,
            Place::Elsewhere => match self {
                Self::Semver { .. } => version::read(running.as_str()).map(Rank::Version),
                Self::Regex { .. } | Self::Newest { .. } => None,
            },
        }
    }

    /// The one major version that it leads to, if its range has just that one.
    #[must_use]
    pub fn major(&self) -> Option<u64> {
        match self {
            Self::Semver { range, .. } => range.major(),
            Self::Regex { .. } | Self::Newest { .. } => None,
        }
    }

    /// As the spec has it, for headings: `semver "~3.3"`.
    #[must_use]
    pub fn written(&self) -> String {
        match self {
            Self::Semver {
                range,
                suffix: None,
            } => format!("semver \"{range}\""),
            Self::Semver {
                range,
                suffix: Some(suffix),
            } => format!("semver \"{range}\" suffix \"{suffix}\""),
            Self::Regex { pattern, order } => format!("regex \"{pattern}\" order {}", order.name()),
            Self::Newest { pattern } => format!("newest \"{pattern}\""),
        }
    }

    /// The best of several candidates, in words.
    fn best(&self) -> &'static str {
        match self {
            Self::Semver { .. } => "the highest version",
            Self::Regex { order, .. } => order.best(),
            Self::Newest { .. } => "the newest build",
        }
    }
}

/// What the policy asks for, as messages name it.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Semver {
                range,
                suffix: None,
            } => write!(f, "`{range}`"),
            Self::Semver {
                range,
                suffix: Some(suffix),
            } => write!(f, "`{range}` with `{suffix}`"),
            Self::Regex { pattern, .. } | Self::Newest { pattern } => write!(f, "`{pattern}`"),
        }
    }
}

/// serde goes through the text, so that nothing unchecked comes out of a file.
macro_rules! through_text {
    ($($type:ident),*) => {$(
        impl TryFrom<String> for $type {
            type Error = PolicyError;

            fn try_from(text: String) -> Result<Self, PolicyError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.to_string()
            }
        }
    )*};
}
use through_text;
