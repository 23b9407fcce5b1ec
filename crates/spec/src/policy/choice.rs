//! What a policy comes to.

use jiff::Timestamp;

use super::Running;
use crate::Tag;

/// What a policy comes to. The reasons are for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This tag is to be followed.
    Chosen {
        /// The tag.
        tag: Tag,
        /// Why this one.
        why: String,
        /// A better one that is too young as yet.
        waiting: Option<Waiting>,
    },
    /// What would be chosen is too young: what runs stays until then.
    Held {
        /// What would be chosen, and from when on.
        waiting: Waiting,
        /// Why nothing else is.
        why: String,
    },
    /// What would be chosen is below what runs, and `allowDowngrade` is not
    /// set: what runs stays.
    Downgrade {
        /// What runs.
        from: Running,
        /// What would be chosen.
        to: Tag,
        /// Why that would be chosen.
        why: String,
    },
    /// No tag is a candidate.
    NoMatch {
        /// The nearest to being one, the best first. At most three.
        nearest: Vec<Tag>,
        /// Why there is none.
        why: String,
    },
    /// Too little is known to choose: what runs stays.
    Unknown {
        /// What is not known.
        why: String,
    },
}

/// A build that is too young.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its tag.
    pub tag: Tag,
    /// When it is old enough.
    pub until: Timestamp,
}
