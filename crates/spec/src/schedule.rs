//! When a build is made by itself: the five fields of cron, in UTC.
//!
//! Source of the rules: GitHub's description of `on.schedule`: the POSIX
//! fields with `*`, lists, ranges and steps, names of months and days, and at
//! least five minutes between two times.
//!
//! Deliberately absent: `@weekly` and the like, seconds, `L`, `W` and `#`,
//! none of which GitHub reads.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The least minutes between two times.
const LEAST: u8 = 5;

/// A field: its name, its least and greatest number, and its words, of which
/// the first stands for the least.
struct Field {
    name: &'static str,
    range: (u8, u8),
    words: &'static [&'static str],
}

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: [Field; 5] = [
    Field::new("minute", (0, 59), &[]),
    Field::new("hour", (0, 23), &[]),
    Field::new("day of the month", (1, 31), &[]),
    Field::new("month", (1, 12), &MONTHS),
    Field::new("day of the week", (0, 6), &DAYS),
];

/// A schedule, such as `0 4 * * 1`: Mondays at four in the morning, UTC.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct Schedule(String);

impl Schedule {
    /// The five fields as they were written, with one blank between them.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no schedule.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ScheduleError {
    /// With the number of fields that there are.
    #[error("a schedule has five fields (minute, hour, day, month, day of the week), not {0}")]
    Fields(usize),
    /// A part of a field that is not of cron's form, or out of its range.
    #[error("`{part}` is no {field} ({} to {})", .range.0, .range.1)]
    Part {
        /// As it is written.
        part: String,
        /// Where in the schedule it begins, in bytes.
        at: usize,
        /// The name of the field.
        field: &'static str,
        /// Its least and greatest number.
        range: (u8, u8),
    },
    /// Closer together than GitHub starts a workflow.
    #[error("minute {0} and minute {1} are less than {LEAST} minutes apart")]
    TooOften(u8, u8),
    /// No month has such a day.
    #[error("no month of it has such a day, so it never comes")]
    Never,
}

impl Field {
    const fn new(name: &'static str, range: (u8, u8), words: &'static [&'static str]) -> Self {
        Self { name, range, words }
    }

    /// The numbers that a field stands for, or which part of it is wrong.
    fn numbers<'t>(&self, text: &'t str) -> Result<BTreeSet<u8>, &'t str> {
        let mut numbers = BTreeSet::new();
        for part in text.split(',') {
            numbers.extend(self.part(part).ok_or(part)?);
        }
        Ok(numbers)
    }

    /// `*`, `7`, `1-5`, each with `/2` behind it; `7/2` goes on to the end.
    fn part(&self, text: &str) -> Option<impl Iterator<Item = u8> + use<>> {
        let (span, step) = match text.split_once('/') {
            Some((span, step)) => (span, Some(digits(step).filter(|step| *step > 0)?)),
            None => (text, None),
        };
        let (first, last) = match span.split_once('-') {
            _ if span == "*" => self.range,
            Some((first, last)) => (self.number(first)?, self.number(last)?),
            None => {
                let first = self.number(span)?;
                (first, if step.is_some() { self.range.1 } else { first })
            }
        };
        (first <= last).then(|| (first..=last).step_by(step.unwrap_or(1).into()))
    }

    fn number(&self, text: &str) -> Option<u8> {
        let mut words = (self.range.0..).zip(self.words);
        let word = words.find(|(_, word)| word.eq_ignore_ascii_case(text));
        let number = word.map(|(number, _)| number).or_else(|| digits(text))?;
        (self.range.0..=self.range.1)
            .contains(&number)
            .then_some(number)
    }
}

/// Digits alone: a sign would be read as well.
fn digits(text: &str) -> Option<u8> {
    let all = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| all)
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        if words.len() != FIELDS.len() {
            return Err(ScheduleError::Fields(words.len()));
        }
        let mut sets = Vec::new();
        for (word, field) in words.iter().zip(&FIELDS) {
            let numbers = field.numbers(word).map_err(|part| ScheduleError::Part {
                part: part.to_owned(),
                at: part.as_ptr() as usize - text.as_ptr() as usize,
                field: field.name,
                range: field.range,
            })?;
            sets.push(numbers);
        }
        if let [minutes, hours, days, months, _] = sets.as_slice() {
            rare_enough(minutes, hours)?;
            // With a day of the week, one of the two is enough.
            if words[4] == "*" && !months.iter().any(|month| has_day(*month, days)) {
                return Err(ScheduleError::Never);
            }
        }
        Ok(Self(words.join(" ")))
    }
}

/// Whether any two times are far enough from each other, also those around
/// the turn of an hour.
fn rare_enough(minutes: &BTreeSet<u8>, hours: &BTreeSet<u8>) -> Result<(), ScheduleError> {
    let close = |from: u8, to: u8| Err(ScheduleError::TooOften(from, to));
    for (minute, next) in minutes.iter().zip(minutes.iter().skip(1)) {
        if next - minute < LEAST {
            return close(*minute, *next);
        }
    }
    let turns = hours.iter().any(|hour| hours.contains(&((hour + 1) % 24)));
    match (minutes.last(), minutes.first()) {
        (Some(last), Some(first)) if turns && first + 60 - last < LEAST => close(*last, *first),
        _ => Ok(()),
    }
}

fn has_day(month: u8, days: &BTreeSet<u8>) -> bool {
    let last = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    days.iter().any(|day| *day <= last)
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Schedule {
    type Error = ScheduleError;

    fn try_from(text: String) -> Result<Self, ScheduleError> {
        text.parse()
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> String {
        schedule.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules() {
        let good = [
            "0 4 * * 1",
            "*/5 * * * *",
            "0-59/5 * * * *",
            "3/15 * * * *",
            "0,30 0-23/2 1,15 JAN-mar mon,FRI",
            "00 04 * * 0",
            // Two times a day, far from each other though the minutes are close.
            "58 3 * * *",
            "0,55 3 * * *",
            "0 0 29 2 *",
            "0 0 31 2 MON",
            "0 0 31 1-2 *",
        ];
        for text in good {
            let schedule: Schedule = text.parse().unwrap_or_else(|it| panic!("{text}: {it}"));
            assert_eq!(schedule.as_str(), text);
        }
        let spaced: Schedule = " 0  4\t* * 1 ".parse().unwrap();
        assert_eq!(spaced.as_str(), "0 4 * * 1");
    }

    #[test]
    fn what_is_no_schedule() {
        use ScheduleError::{Fields, Never, TooOften};
        let part = |part: &str, at, index: usize| ScheduleError::Part {
            part: part.to_owned(),
            at,
            field: FIELDS[index].name,
            range: FIELDS[index].range,
        };
        let cases = [
            ("", Fields(0)),
            ("@weekly", Fields(1)),
            ("0 4 * *", Fields(4)),
            ("0 0 4 * * 1", Fields(6)),
            ("60 4 * * 1", part("60", 0, 0)),
            ("0 24 * * 1", part("24", 2, 1)),
            ("0 4 0 * *", part("0", 4, 2)),
            ("0 4 32 * *", part("32", 4, 2)),
            ("0 4 * 13 *", part("13", 6, 3)),
            ("0 4 * * 7", part("7", 8, 4)),
            ("0 4 * * MON,FREITAG", part("FREITAG", 12, 4)),
            ("0 4 * MON *", part("MON", 6, 3)),
            ("0 4 L * *", part("L", 4, 2)),
            ("0 4 * * 5#1", part("5#1", 8, 4)),
            ("0 4 ? * 1", part("?", 4, 2)),
            ("0 5-3 * * *", part("5-3", 2, 1)),
            ("*/0 * * * *", part("*/0", 0, 0)),
            ("*/ * * * *", part("*/", 0, 0)),
            ("0 */+2 * * *", part("*/+2", 2, 1)),
            ("+5 4 * * *", part("+5", 0, 0)),
            ("0,,5 4 * * *", part("", 2, 0)),
            ("256 4 * * *", part("256", 0, 0)),
            ("* * * * *", TooOften(0, 1)),
            ("*/4 * * * *", TooOften(0, 4)),
            ("10,12 4 * * *", TooOften(10, 12)),
            ("0,58 * * * *", TooOften(58, 0)),
            ("0,58 23,0 * * *", TooOften(58, 0)),
            ("0 0 30 2 *", Never),
            ("0 0 31 4,6 *", Never),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Schedule>(), Err(error), "{text}");
        }
    }
}
