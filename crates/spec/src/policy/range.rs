//! `semver`: a range of versions, and the suffix of one variant of the image.
//!
//! The grammar is cargo's (`~3.3`, `^16`, `=16.4`, `16.x`, `>=16.2, <17`, `*`),
//! but for a version without an operator: it means three different things in
//! cargo, npm and Go, and a wrong guess would be a wrong database.
//!
//! Pre-releases are out unless the range names one of the same version, as in
//! cargo and npm: `>=3.4.0-rc.1` lets `3.4.0-rc.2` in, but not `3.5.0-rc.1`.
//! They are ordered as semver.org says: `rc.10` above `rc.9`, `rc10` below `rc9`.
//! What else follows a hyphen (`-alpine`, `-abc1234`, `-20260206`) is a
//! variant or a build and never in, unless `suffix` names it.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use semver::{Op, Prerelease, VersionReq};
use serde::{Deserialize, Serialize};

use super::PolicyError;
use crate::Tag;
use crate::version::{self, Written};

/// Words that begin a part of a pre-release. The range may name others.
const PRE_WORDS: [&str; 14] = [
    "a",
    "alpha",
    "b",
    "beta",
    "canary",
    "cr",
    "dev",
    "m",
    "milestone",
    "nightly",
    "pre",
    "preview",
    "rc",
    "snapshot",
];

/// A range of versions, such as `~3.3`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct VersionRange {
    text: String,
    range: VersionReq,
}

/// What follows the version in the tags of one variant: `-alpine`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Suffix(String);

impl VersionRange {
    /// Whether the range lets the version in.
    pub(super) fn admits(&self, written: &Written) -> bool {
        self.range.matches(&written.version) && self.is_pre_release(&written.version.pre)
    }

    /// The major version of all that it lets in, if that is one.
    pub(super) fn major(&self) -> Option<u64> {
        let (mut lowest, mut highest) = (None::<u64>, None::<u64>);
        for bound in &self.range.comparators {
            let is_round = bound.minor.unwrap_or(0) == 0 && bound.patch.unwrap_or(0) == 0;
            let (low, high) = match bound.op {
                Op::Exact | Op::Tilde | Op::Caret | Op::Wildcard => {
                    (Some(bound.major), Some(bound.major))
                }
                Op::Greater | Op::GreaterEq => (Some(bound.major), None),
                // Below 17 is 16, and below 17.1 may be 17.
                Op::Less if is_round => (None, bound.major.checked_sub(1)),
                Op::Less | Op::LessEq => (None, Some(bound.major)),
                // Of a later version of the grammar.
                _ => (None, None),
            };
            lowest = lowest.max(low);
            highest = [highest, high].into_iter().flatten().min();
        }
        lowest.filter(|_| lowest == highest)
    }

    /// Whether it is a release, or what follows the hyphen a pre-release and
    /// not a variant or a build.
    fn is_pre_release(&self, pre: &Prerelease) -> bool {
        let mut parts = pre.split('.').enumerate();
        pre.is_empty() || parts.all(|(at, part)| self.is_pre_part(at, part))
    }

    fn is_pre_part(&self, at: usize, part: &str) -> bool {
        let letters = part.trim_end_matches(|c: char| c.is_ascii_digit());
        let digits = part.len() - letters.len();
        let word = letters.to_ascii_lowercase();
        let named = |word: &str| {
            let mut pres = self.range.comparators.iter().map(|it| &it.pre);
            pres.any(|pre| pre.split('.').any(|part| part.starts_with(word)))
        };
        match word.as_str() {
            // `rc.20260206` may be; `16-20260206` is a build.
            "" => at > 0 || digits <= version::LONGEST_MAJOR,
            _ if digits > version::LONGEST_MAJOR => false,
            word => PRE_WORDS.contains(&word) || named(word),
        }
    }
}

impl Suffix {
    /// The tag without the suffix; None when it does not end so.
    pub(super) fn strip<'t>(&self, tag: &'t Tag) -> Option<&'t str> {
        tag.as_str().strip_suffix(&self.0)
    }
}

impl FromStr for VersionRange {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let refused = |cause: String| PolicyError::Range {
            text: text.to_owned(),
            cause,
        };
        let text = text.trim();
        let range = VersionReq::parse(text).map_err(|error| refused(error.to_string()))?;
        let written = text.split(',').map(str::trim);
        for (comparator, written) in range.comparators.iter().zip(written) {
            if comparator.op == Op::Caret && !written.starts_with('^') {
                return Err(PolicyError::Bare(written.to_owned()));
            }
        }
        Ok(Self {
            text: text.to_owned(),
            range,
        })
    }
}

impl FromStr for Suffix {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        // With a digit before it, it stands where it would in a tag.
        let tag = format!("1{text}").parse::<Tag>();
        let digit = text.starts_with(|c: char| c.is_ascii_digit());
        match tag {
            Ok(_) if !text.is_empty() && !digit => Ok(Self(text.to_owned())),
            _ => Err(PolicyError::Suffix(text.to_owned())),
        }
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Suffix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

super::through_text!(VersionRange, Suffix);
