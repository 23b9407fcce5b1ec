//! Versions as tags write them, which is not quite as semver.org does.
//!
//! A leading `v` is allowed, missing parts are zero (`16` is 16.0.0), and
//! leading zeros count for nothing: a repository whose `2026.02` were no
//! version while its `2026.10` is one would be read right in autumn only. A tag
//! cannot have a `+`; as Helm does, `_` stands for it.
//!
//! Deliberately absent: numbers of more than five digits in the first place.
//! They are dates (`20260206`) and commits (`1234567`), and each would be above
//! every version.

use semver::{BuildMetadata, Prerelease, Version};

/// A longer number is no major version: a date or a commit.
pub(crate) const LONGEST_MAJOR: usize = 5;

/// A version, and how much of it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// The version, without build metadata, which orders nothing.
    pub(crate) version: Version,
    /// How many of its three numbers are written. The fewer, the likelier the
    /// tag moves: `16` follows what `16.4.1` names.
    pub(crate) parts: usize,
}

impl Written {
    /// The same without what follows its hyphen.
    pub(crate) fn release(&self) -> Self {
        let mut release = self.clone();
        release.version.pre = Prerelease::EMPTY;
        release
    }
}

/// Reads a version; None when the text is none.
pub(crate) fn read(text: &str) -> Option<Written> {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let (text, build) = match text.split_once('_') {
        Some((text, build)) => (text, Some(build)),
        None => (text, None),
    };
    if build.is_some_and(|build| build.is_empty() || BuildMetadata::new(build).is_err()) {
        return None;
    }
    let (numbers, pre) = match text.split_once('-') {
        Some((_, "")) => return None,
        Some((numbers, pre)) => (numbers, Prerelease::new(pre).ok()?),
        None => (text, Prerelease::EMPTY),
    };
    let parts: Vec<&str> = numbers.split('.').collect();
    if parts.len() > 3 || parts[0].trim_start_matches('0').len() > LONGEST_MAJOR {
        return None;
    }
    let mut three = [0; 3];
    for (number, part) in three.iter_mut().zip(&parts) {
        // A sign would be parsed as well.
        let digits = part.bytes().all(|b| b.is_ascii_digit());
        *number = part.parse().ok().filter(|_| digits)?;
    }
    let [major, minor, patch] = three;
    let mut version = Version::new(major, minor, patch);
    version.pre = pre;
    Some(Written {
        version,
        parts: parts.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_tags_have_them() {
        let cases = [
            ("1.2.3", Some(("1.2.3", 3))),
            ("v1.2.3", Some(("1.2.3", 3))),
            ("V1.2.3", Some(("1.2.3", 3))),
            ("16", Some(("16.0.0", 1))),
            ("16.4", Some(("16.4.0", 2))),
            ("v3", Some(("3.0.0", 1))),
            ("0", Some(("0.0.0", 1))),
            ("0.0.0", Some(("0.0.0", 3))),
            ("00", Some(("0.0.0", 1))),
            ("2026.02", Some(("2026.2.0", 2))),
            ("2026.10", Some(("2026.10.0", 2))),
            ("2026.02.06", Some(("2026.2.6", 3))),
            ("007.08.09", Some(("7.8.9", 3))),
            ("99999", Some(("99999.0.0", 1))),
            ("1.20260206.0", Some(("1.20260206.0", 3))),
            // What follows a hyphen is a pre-release by the grammar.
            ("1.2.3-rc.1", Some(("1.2.3-rc.1", 3))),
            ("16-alpine", Some(("16.0.0-alpine", 1))),
            ("16-abc1234", Some(("16.0.0-abc1234", 1))),
            ("16-20260206", Some(("16.0.0-20260206", 1))),
            ("1.2.3-rc.1-alpine", Some(("1.2.3-rc.1-alpine", 3))),
            ("1.2.3--", Some(("1.2.3--", 3))),
            // Build metadata is read, and gone.
            ("1.2.3_build.5", Some(("1.2.3", 3))),
            ("1.2.3-rc.1_abc", Some(("1.2.3-rc.1", 3))),
            ("1.2.3_007", Some(("1.2.3", 3))),
            // Dates and commits.
            ("20260206", None),
            ("202602", None),
            ("100000", None),
            ("1234567", None),
            ("20260206.1", None),
            ("000020260206", None),
            // Hostile ones.
            ("", None),
            ("v", None),
            ("vv1", None),
            ("v-1", None),
            ("1.", None),
            (".1", None),
            ("1..2", None),
            ("1.2.3.4", None),
            ("1.2.3-", None),
            ("1.2.3_", None),
            ("1.2.3-rc..1", None),
            ("1.2.3-01", None),
            ("1.2.3-rc_", None),
            ("1.2.3_a_b", None),
            ("1.+2", None),
            ("+1", None),
            ("1.-2", None),
            ("1.18446744073709551616.0", None),
            ("1.99999999999999999999.0", None),
            ("٣.1", None),
            ("latest", None),
            ("pg16", None),
            ("16rc1", None),
            ("bookworm", None),
        ];
        for (text, expected) in cases {
            let read = read(text);
            let read = read.as_ref().map(|it| (it.version.to_string(), it.parts));
            let read = read.as_ref().map(|(version, parts)| (&**version, *parts));
            assert_eq!(read, expected, "{text}");
        }
    }
}
