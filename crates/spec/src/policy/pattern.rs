//! Regular expressions over tags.
//!
//! A pattern describes whole tags: `16` alone would otherwise find the date
//! `20260116`. A group, at most one, marks the part that is ordered.
//!
//! A pattern is bounded in text and in compiled size, and tags are short, so
//! that no pattern takes long; the expressions themselves never backtrack.

use std::fmt;
use std::str::FromStr;

use regex::bytes::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PolicyError;
use crate::Tag;

/// The longest pattern, in characters.
pub(super) const LONGEST_PATTERN: usize = 500;

/// The most that a compiled pattern may take, in bytes.
const LARGEST: usize = 32 << 10;

/// A pattern for whole tags.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    text: String,
    whole: Regex,
}

impl Pattern {
    /// The part of the tag that is ordered: its group, else all of it. None
    /// when the tag does not match, or its group has no part in the match.
    pub(super) fn extract<'t>(&self, tag: &'t Tag) -> Option<&'t str> {
        let groups = self.whole.captures(tag.as_str().as_bytes())?;
        let found = groups.get(self.whole.captures_len() - 1)?;
        tag.as_str().get(found.range())
    }
}

/// Tags are ASCII, and without Unicode's tables patterns are small.
fn compile(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text)
        .unicode(false)
        .nest_limit(50)
        .size_limit(LARGEST)
        .build()
}

impl FromStr for Pattern {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let length = text.chars().count();
        if length == 0 {
            return Err(PolicyError::EmptyPattern);
        }
        if length > LONGEST_PATTERN {
            return Err(PolicyError::LongPattern(length));
        }
        let refused = |error| match error {
            regex::Error::CompiledTooBig(_) => PolicyError::LargePattern(text.to_owned()),
            error => PolicyError::Pattern {
                pattern: text.to_owned(),
                cause: cause(&error),
            },
        };
        // By itself first: `a)|(?:b` is a pattern only between our brackets.
        compile(text).map_err(refused)?;
        // The line break ends a comment of a pattern with the flag `x`.
        let whole = compile(&format!("\\A(?:{text})\\z"))
            .or_else(|_| compile(&format!("\\A(?:{text}\n)\\z")))
            .map_err(refused)?;
        match whole.captures_len() - 1 {
            groups @ 2.. => Err(PolicyError::Groups(groups)),
            _ => Ok(Self {
                text: text.to_owned(),
                whole,
            }),
        }
    }
}

/// The last line of what the parser says; the ones before draw the pattern.
fn cause(error: &regex::Error) -> String {
    let said = error.to_string();
    let last = said.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

super::through_text!(Pattern);
