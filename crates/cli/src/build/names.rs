//! Under which tags a build is pushed.
//!
//! The order is that in which they are pushed: whoever sees the moving tag
//! lead to a build finds the others there.

use imgstack_spec::{Digest, ReferenceError, Tag};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::git::Commit;

/// What a name that may be moved at will has among its parts.
const TRIAL: &str = "trial";

/// The tags of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// Those that never move, by commit and by day.
    pub(super) fixed: Vec<Tag>,
    /// Such ones that stay with an earlier build of the same commit, and what
    /// they lead to.
    pub(super) left: Vec<(Tag, Digest)>,
    /// The one that moves. None: a trial under a name that does not.
    pub(super) moving: Option<Tag>,
}

impl Names {
    /// `16-abc1234` (if there is a commit), `16-20260209` and `16`.
    pub(super) fn of(
        tag: &Tag,
        commit: Option<&Commit>,
        created: Timestamp,
    ) -> Result<Self, ReferenceError> {
        let commit = commit.map(|commit| by_commit(tag, commit)).transpose()?;
        Ok(Self {
            fixed: commit.into_iter().chain([by_day(tag, created)?]).collect(),
            left: Vec::new(),
            moving: Some(tag.clone()),
        })
    }

    /// The one of a trial.
    pub(super) fn trial(tag: &Tag) -> Self {
        let moves = may_move(tag);
        Self {
            fixed: Some(tag.clone()).filter(|_| !moves).into_iter().collect(),
            left: Vec::new(),
            moving: Some(tag.clone()).filter(|_| moves),
        }
    }

    /// All that the build gets, as they are pushed.
    pub(super) fn in_order(&self) -> Vec<Tag> {
        self.fixed.iter().chain(&self.moving).cloned().collect()
    }
}

/// `16-abc1234`
pub(super) fn by_commit(tag: &Tag, commit: &Commit) -> Result<Tag, ReferenceError> {
    format!("{tag}-{}", commit.short()).parse()
}

/// `16-20260209`
pub(super) fn by_day(tag: &Tag, created: Timestamp) -> Result<Tag, ReferenceError> {
    format!("{tag}-{}", day(created)).parse()
}

/// `16-20260209.153000`: one more build of a commit on a day. A workflow writes
/// its run instead of the time.
pub(super) fn by_time(
    tag: &Tag,
    created: Timestamp,
    now: Timestamp,
) -> Result<Tag, ReferenceError> {
    let time = now.to_zoned(TimeZone::UTC).strftime("%H%M%S").to_string();
    format!("{tag}-{}.{time}", day(created)).parse()
}

fn day(time: Timestamp) -> String {
    let day = time.to_zoned(TimeZone::UTC);
    day.strftime("%Y%m%d").to_string()
}

/// Whether a tag reads like one that never moves: `16-` and a day, a day with
/// what tells its builds apart, or the digits of a commit.
pub(super) fn is_audit(tag: &Tag, name: &Tag) -> bool {
    let rest = name.as_str().strip_prefix(tag.as_str());
    let Some(rest) = rest.and_then(|rest| rest.strip_prefix('-')) else {
        return false;
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let mut parts = rest.split('.');
    let day = parts
        .next()
        .is_some_and(|day| day.len() == 8 && digits(day));
    let commit = (7..=40).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_hexdigit());
    commit || day && parts.all(digits)
}

/// Whether a trial may move a tag that is there: its name says that it is for
/// trials. Whose build is under any other name nobody knows.
pub(super) fn may_move(name: &Tag) -> bool {
    let mut parts = name.as_str().split(['-', '.', '_']);
    parts.any(|part| part == TRIAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(text: &str) -> Tag {
        text.parse().unwrap()
    }

    #[test]
    fn three_tags_and_the_one_that_moves_is_last() {
        let table = [
            (
                Some("abc1234"),
                "2026-02-09T04:00:00Z",
                "16-abc1234 16-20260209 16",
            ),
            // The day is UTC's.
            (None, "2026-02-09T23:30:00-02:00", "16-20260210 16"),
        ];
        for (commit, created, expected) in table {
            let commit = commit.map(|hash: &str| Commit {
                hash: hash.to_owned(),
                changed: Vec::new(),
            });
            let names = Names::of(&tag("16"), commit.as_ref(), created.parse().unwrap()).unwrap();
            let names: Vec<_> = names.in_order().iter().map(ToString::to_string).collect();
            assert_eq!(names.join(" "), expected);
        }
        let long = tag(&"x".repeat(125));
        assert!(Names::of(&long, None, Timestamp::UNIX_EPOCH).is_err());
    }

    #[test]
    fn which_tags_never_move() {
        let table = [
            ("16-20260209", true),
            ("16-abc1234", true),
            ("16-20260209.57.2", true),
            ("16-20260209.153000", true),
            ("16-20260209.", false),
            ("16-20260209.rc1", false),
            ("16-2026020.1", false),
            ("16-abc123", false),
            ("16-trial", false),
            ("16", false),
            ("17-abc1234", false),
            ("16abc1234", false),
        ];
        for (name, expected) in table {
            assert_eq!(is_audit(&tag("16"), &tag(name)), expected, "{name}");
        }
    }

    #[test]
    fn which_names_are_for_trials() {
        let table = [
            ("16-trial", true),
            ("trial", true),
            ("trial.2", true),
            ("16-trial_of-a-fix", true),
            ("16-trials", false),
            ("16-test", false),
            ("16", false),
        ];
        for (name, expected) in table {
            let names = Names::trial(&tag(name));
            assert_eq!(names.moving.is_some(), expected, "{name}");
            assert_eq!(names.in_order(), [tag(name)]);
        }
    }
}
