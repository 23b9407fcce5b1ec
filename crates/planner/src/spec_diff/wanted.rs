//! The build that an image asks for, and the step from one to another.

use imgstack_spec::major::{Facts, judge};
use imgstack_spec::policy::Policy;
use imgstack_spec::{Digest, Follow, Image, MajorUpgrade, Pin, Tag};

/// The step from what one spec asks for to what another one does.
pub(super) enum Step {
    /// Both ask for the same.
    Same,
    /// They may mean another build.
    Moves {
        /// Whether nothing can run it already.
        is_elsewhere: bool,
        /// The major versions, where they change.
        allowed: Option<(u32, u32)>,
    },
    /// The guard of major versions stops it.
    Blocked { from: u32, to: u32 },
}

/// What an image asks for.
#[derive(PartialEq)]
enum Wanted<'a> {
    Tag(&'a Tag),
    Digest(&'a Digest),
    Policy(&'a Policy),
}

/// Compares two images; the second has the say on major versions.
pub(super) fn step(old: &Image, new: &Image) -> Step {
    let (from, to) = (Wanted::of(old), Wanted::of(new));
    let is_elsewhere = old.repository != new.repository;
    if !is_elsewhere && from == to {
        return Step::Same;
    }
    // Tags of another repository are another's words.
    let change = match is_elsewhere {
        true => None,
        false => major(&from, &to),
    };
    match (change, new.major_upgrade) {
        (Some((from, to)), MajorUpgrade::Block) => Step::Blocked { from, to },
        (allowed, MajorUpgrade::Block | MajorUpgrade::Allow) => Step::Moves {
            is_elsewhere,
            allowed,
        },
    }
}

/// Whether the step is to another major version, which the newer spec allows.
pub(super) fn is_allowed_major(old: &Image, new: &Image) -> bool {
    match step(old, new) {
        Step::Moves { allowed, .. } => allowed.is_some(),
        Step::Same | Step::Blocked { .. } => false,
    }
}

/// Whether the second image takes builds that the first one holds back, where
/// both follow the same.
pub(super) fn lets_more_through(old: &Image, new: &Image) -> bool {
    let takes_major = |image: &Image| image.major_upgrade == MajorUpgrade::Allow;
    if takes_major(new) && !takes_major(old) {
        return true;
    }
    // A pin alone decides.
    if new.pin.is_some() {
        return false;
    }
    let goes_back = |image: &Image| match &image.follow {
        Follow::Policy {
            allow_downgrade, ..
        } => *allow_downgrade,
        Follow::Tag(_) => false,
    };
    new.minimum_age < old.minimum_age || goes_back(new) && !goes_back(old)
}

/// Why nothing moves, and until when.
pub(super) fn blocked(image: &Image, from: u32, to: u32, stay: &str) -> String {
    format!(
        "blocked: major version {from} to {to} is a migration, not an update; {stay} until \
         `majorUpgrade: allow` or `imgstack apply --allow-major {}`",
        image.name
    )
}

/// The addition on a step that the newer spec allows.
pub(super) fn allowed(majors: Option<(u32, u32)>) -> String {
    majors.map_or_else(String::new, |(from, to)| {
        format!("; from major version {from} to {to}, which is allowed")
    })
}

fn major(from: &Wanted<'_>, to: &Wanted<'_>) -> Option<(u32, u32)> {
    let (from, to) = (from.tag()?, to.tag()?);
    let facts = |tag| Facts {
        tag: Some(tag),
        version: None,
    };
    judge(facts(&from), facts(&to)).change()
}

impl<'a> Wanted<'a> {
    fn of(image: &'a Image) -> Self {
        match (&image.pin, &image.follow) {
            (Some(Pin::Tag(tag)), _) | (None, Follow::Tag(tag)) => Self::Tag(tag),
            (Some(Pin::Digest(digest)), _) => Self::Digest(digest),
            (None, Follow::Policy { policy, .. }) => Self::Policy(policy),
        }
    }

    /// A tag that speaks of its major version; none does of a digest.
    fn tag(&self) -> Option<Tag> {
        match self {
            Self::Tag(tag) => Some((*tag).clone()),
            Self::Digest(_) => None,
            Self::Policy(policy) => policy.major()?.to_string().parse().ok(),
        }
    }
}
