//! Under which tags a build is pushed.
//!
//! The order is that in which they are pushed: whoever sees the moving tag
//! lead to a build finds the others there.

use imgstack_spec::{ReferenceError, Tag};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The tags of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// Those that never move, by commit and by day.
    pub(super) audit: Vec<Tag>,
    /// The one that moves.
    pub(super) moving: Tag,
}

impl Names {
    /// `16-abc1234` (if there is a commit), `16-20260209` and `16`.
    pub(super) fn of(
        tag: &Tag,
        commit: Option<&str>,
        created: Timestamp,
    ) -> Result<Self, ReferenceError> {
        let day = created
            .to_zoned(TimeZone::UTC)
            .strftime("%Y%m%d")
            .to_string();
        let endings = commit.into_iter().chain([day.as_str()]);
        let audit = endings.map(|ending| format!("{tag}-{ending}").parse());
        Ok(Self {
            audit: audit.collect::<Result<_, _>>()?,
            moving: tag.clone(),
        })
    }

    /// All, as they are pushed.
    pub(super) fn in_order(&self) -> Vec<Tag> {
        let audit = self.audit.iter().cloned();
        audit.chain([self.moving.clone()]).collect()
    }
}

/// Whether a tag reads like one that never moves: `16-` and a day, or the
/// digits of a commit.
pub(super) fn is_audit(tag: &Tag, name: &Tag) -> bool {
    let rest = name.as_str().strip_prefix(tag.as_str());
    rest.and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|rest| {
            (7..=40).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_hexdigit())
        })
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
            let names = Names::of(&tag("16"), commit, created.parse().unwrap()).unwrap();
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
}
