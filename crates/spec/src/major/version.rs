//! The major version that a tag or a label names.
//!
//! Looser than `crate::version`, which must order versions: this must only find
//! the number, in `16-abc1234`, `pg16`, `v3` and `PostgreSQL 16.4` alike, and
//! not find one in dates, calendar versions, commits and counters.

use std::collections::BTreeMap;

use crate::version::LONGEST_MAJOR;

/// A longer text is no version.
const LONGEST: usize = 128;

/// The shortest form of a commit.
const SHORTEST_COMMIT: usize = 7;

/// Words whose number counts builds, or pre-releases of one version.
const COUNTERS: [&str; 27] = [
    "a", "alpha", "b", "beta", "build", "ci", "cu", "dev", "develop", "job", "ls", "main",
    "master", "nightly", "p", "patch", "pr", "pre", "preview", "r", "rc", "rev", "run", "sha",
    "snapshot", "trunk", "git",
];

/// Words whose number is the version of a data format, also behind another
/// version: an extension's `2.14.2-pg16`.
const DATA: [&str; 6] = ["mariadb", "mongo", "mysql", "pg", "postgres", "postgresql"];

/// What a text says of a major version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// It names one.
    Named(Named),
    /// It is a date or a calendar version, which has no major.
    Date,
    /// It is a commit.
    Commit,
    /// It names none.
    Nothing,
}

/// Words whose number is the version of what an image is built on, not its own:
/// `ubi8-15.4`. It speaks where nothing else does.
const BASES: [&str; 17] = [
    "alma",
    "almalinux",
    "alpine",
    "centos",
    "deb",
    "debian",
    "el",
    "fedora",
    "leap",
    "ltsc",
    "ol",
    "oraclelinux",
    "rhel",
    "rocky",
    "rockylinux",
    "ubi",
    "ubuntu",
];

/// Names of machines, whose numbers are no versions of anything.
const MACHINES: [&str; 19] = [
    "aarch64", "amd64", "arm32v5", "arm32v6", "arm32v7", "arm64", "arm64v8", "armv5", "armv6",
    "armv7", "i386", "i586", "i686", "mips64le", "ppc64le", "riscv64", "s390x", "x64", "x86",
];

/// A major version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// The whole as it is shown; letters, digits, `.`, `_` and `-` alone.
    pub(super) text: String,
    /// The number.
    pub(super) major: u32,
    /// The numbers of data formats, by their words.
    data: BTreeMap<&'static str, u32>,
}

impl Reading {
    pub(super) fn named(&self) -> Option<&Named> {
        match self {
            Self::Named(named) => Some(named),
            Self::Date | Self::Commit | Self::Nothing => None,
        }
    }
}

impl Named {
    /// Whether both may speak of the same thing.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        let mine = self.data.values().chain([&self.major]);
        let theirs: Vec<_> = other.data.values().chain([&other.major]).collect();
        mine.into_iter().any(|major| theirs.contains(&major))
    }

    /// The first data format that both name, and not alike.
    pub(super) fn data_change(&self, other: &Self) -> Option<(u32, u32)> {
        let mut both = self.data.iter().filter_map(|(word, from)| {
            let to = other.data.get(word)?;
            Some((*from, *to))
        });
        both.find(|(from, to)| from != to)
    }
}

/// Reads a tag or a label.
pub(super) fn read(text: &str) -> Reading {
    let text = text.trim();
    if text.len() > LONGEST {
        return Reading::Nothing;
    }
    let lower = text.to_ascii_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric() && c != '.');
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let (mut first, mut base, mut format) = (None, None, None);
    let mut data = BTreeMap::new();
    for (at, word) in words.iter().enumerate() {
        let before = at.checked_sub(1).map_or("", |before| words[before]);
        if !word.bytes().any(|b| b.is_ascii_digit()) || is_machine(word, before) {
            continue;
        }
        let after = words.get(at + 1).copied().unwrap_or_default();
        let found = part(word, before, after);
        if let Part::Major(name, major) = &found {
            if BASES.contains(name) {
                base = base.or(Some(*major));
                continue;
            }
            if let Some(name) = DATA.iter().find(|data| *data == name) {
                format = format.or(Some(*major));
                data.insert(*name, *major);
            }
        }
        first = first.or(Some(found));
    }
    // A date or a commit before it takes nothing from a format of data.
    let major = match first {
        Some(Part::Major(_, major)) => Some(major),
        Some(Part::Date | Part::Commit | Part::Other) | None => format.or(base),
    };
    match (major, first) {
        (Some(major), _) => Reading::Named(Named {
            text: shown(text),
            major,
            data,
        }),
        (None, Some(Part::Date)) => Reading::Date,
        (None, Some(Part::Commit)) => Reading::Commit,
        (None, Some(Part::Major(..) | Part::Other) | None) => Reading::Nothing,
    }
}

/// Whether a word is a machine's name, or the second half of `x86_64`.
fn is_machine(word: &str, before: &str) -> bool {
    MACHINES.contains(&word) || (before, word) == ("x86", "64")
}

/// What a word with a digit in it is.
#[derive(Clone, Copy)]
enum Part<'t> {
    /// A major version, of what is called so.
    Major(&'t str, u32),
    Date,
    Commit,
    /// A counter, or no number that stands by itself.
    Other,
}

/// Judges a word, by its neighbours too.
fn part<'t>(word: &'t str, before: &'t str, after: &str) -> Part<'t> {
    let digits_alone = word.bytes().all(|b| b.is_ascii_digit());
    if digits_alone && matches!(word.len(), 8 | 12 | 14) && is_date(&word[..8]) {
        return Part::Date;
    }
    if word.len() >= SHORTEST_COMMIT && word.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Part::Commit;
    }
    let letters = word.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (letters, rest) = word.split_at(letters);
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = rest.split_at(digits);
    let name = match letters {
        "" | "v" => before,
        letters => letters,
    };
    let number = digits
        .parse()
        .ok()
        .filter(|_| digits.len() <= LONGEST_MAJOR);
    match number {
        None => Part::Other,
        Some(_) if COUNTERS.contains(&name) || !ends(rest) => Part::Other,
        Some(year) if matches!(letters, "" | "v") && is_calendar(year, rest, after) => Part::Date,
        Some(major) => Part::Major(name, major),
    }
}

/// Whether the number ends there: with the word, with a dot, or with a
/// pre-release such as the one of `17rc1`.
fn ends(rest: &str) -> bool {
    let pre = rest.trim_end_matches(|c: char| c.is_ascii_digit());
    rest.is_empty() || rest.starts_with('.') || COUNTERS.contains(&pre)
}

/// Whether it is a year with a month behind it: `2026.02`, `2026-02-06`. A year
/// by itself may be the name of a product, such as SQL Server 2022.
fn is_calendar(year: u32, rest: &str, after: &str) -> bool {
    let next = match rest.strip_prefix('.') {
        Some(rest) => rest.split('.').next().unwrap_or_default(),
        None => after.split('.').next().unwrap_or_default(),
    };
    is_year(year) && next.len() <= 2 && next.parse().is_ok_and(|month| (1..=12).contains(&month))
}

/// Whether eight digits are a day of the calendar, roughly.
fn is_date(digits: &str) -> bool {
    let number = |from, to| digits.get(from..to).and_then(|it: &str| it.parse().ok());
    number(0, 4).is_some_and(is_year)
        && number(4, 6).is_some_and(|month: u32| (1..=12).contains(&month))
        && number(6, 8).is_some_and(|day: u32| (1..=31).contains(&day))
}

fn is_year(number: u32) -> bool {
    (1990..=2199).contains(&number)
}

/// Text of somebody else's, safe to show.
fn shown(text: &str) -> String {
    let safe = |c: char| c.is_ascii_graphic() || c == ' ';
    text.chars().filter(|c| safe(*c) && *c != '`').collect()
}
