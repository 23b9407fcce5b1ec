//! What `order` may be: how the parts that a pattern finds are compared.

use std::str::FromStr;

use jiff::civil::DateTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PolicyError;
use super::rank::Rank;
use crate::version;

/// How the parts that a pattern finds are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Order {
    /// As versions. What follows a hyphen ranks below what stands before it;
    /// the pattern decides what may follow.
    Semver,
    /// As whole numbers joined by `.`, `-` or `_`, one after another and of any
    /// length: `20260206.10` is above `20260206.9`, and `1.25` above `1.5`.
    Numeric,
    /// As text, byte by byte.
    Alphabetical,
    /// As dates, with or without a time: `20260206`, `2026-02-06`, `2026.02`,
    /// `20260206T0400Z`.
    Date,
}

impl Order {
    /// Every order, as it is written.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("semver", Self::Semver),
        ("numeric", Self::Numeric),
        ("alphabetical", Self::Alphabetical),
        ("date", Self::Date),
    ];

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Semver => "semver",
            Self::Numeric => "numeric",
            Self::Alphabetical => "alphabetical",
            Self::Date => "date",
        }
    }

    /// Where the text stands in this order; None when it has no place there.
    pub(super) fn rank(self, text: &str) -> Option<Rank> {
        match self {
            Self::Semver => version::read(text).map(Rank::Version),
            Self::Numeric => numbers(text).map(Rank::Numbers),
            Self::Alphabetical => Some(Rank::Text(text.to_owned())),
            Self::Date => date(text).map(Rank::Date),
        }
    }

    /// What is ordered, in words.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Semver => "version",
            Self::Numeric => "number",
            Self::Alphabetical => "text",
            Self::Date => "date",
        }
    }

    /// The best of several in this order, in words.
    pub(super) fn best(self) -> &'static str {
        match self {
            Self::Semver => "the highest version",
            Self::Numeric => "the highest number",
            Self::Alphabetical => "the last by name",
            Self::Date => "the latest date",
        }
    }
}

impl FromStr for Order {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let found = Self::NAMES.iter().find(|(name, _)| *name == text);
        let found = found.map(|(_, order)| *order);
        found.ok_or_else(|| PolicyError::Order(text.to_owned()))
    }
}

/// Each number as its length and its digits, so that it may have any length.
fn numbers(text: &str) -> Option<Vec<(usize, String)>> {
    let numbers = text.split(['.', '-', '_']).map(|number| {
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let number = number.trim_start_matches('0');
        digits.then(|| (number.len(), number.to_owned()))
    });
    numbers.collect()
}

/// A date of the calendar from 1970 on, with or without a time. A month by
/// itself is its first day.
fn date(text: &str) -> Option<DateTime> {
    let text = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    // Century, year, month, day, hour, minute, second.
    let mut pieces = Vec::new();
    for part in text.split(['-', '.', '_', ':', 'T', 't']) {
        match (pieces.len(), part.len()) {
            (0, 4 | 8 | 12 | 14) | (4, 4 | 6) => pieces.extend(pairs(part)?),
            (2.., 1 | 2) => pieces.push(part),
            _ => return None,
        }
    }
    let numbers = pieces.iter().map(|piece| {
        let digits = piece.bytes().all(|b| b.is_ascii_digit());
        piece.parse::<i8>().ok().filter(|_| digits)
    });
    let mut numbers = numbers.collect::<Option<Vec<_>>>()?;
    match numbers.len() {
        3 => numbers.extend([1, 0, 0, 0]),
        4 => numbers.extend([0, 0, 0]),
        6 => numbers.push(0),
        _ => {}
    }
    let [century, year, month, day, hour, minute, second] = *numbers.as_slice() else {
        return None;
    };
    let year = i16::from(century) * 100 + i16::from(year);
    let date = DateTime::new(year, month, day, hour, minute, second, 0).ok();
    date.filter(|_| year >= 1970)
}

/// `20260206` as `20`, `26`, `02`, `06`.
fn pairs(digits: &str) -> Option<Vec<&str>> {
    let pairs = (0..digits.len()).step_by(2);
    pairs.map(|at| digits.get(at..at + 2)).collect()
}
