//! The guard of major versions: is this an update, or a migration?
//!
//! A database of version 17 does not start on the data of version 16, so such a
//! step is not taken because a tag says so. Tags and the label
//! `org.opencontainers.image.version` are the facts, and neither wins: the step
//! is of a major version when either says so. A label has no say where tags
//! name versions with which it agrees on neither side: then it speaks of
//! something else, most likely of the base, whose labels an image inherits.
//!
//! Deliberately absent: versions whose second number is what matters (0.9 and
//! 0.10, MariaDB 10.5 and 10.6), which no rule could tell from others; and a
//! verdict on what names no version. [`Verdict::Unknown`] is no reason to stop:
//! nothing speaks for a migration, and it would stop every `latest`.

use std::cmp::Ordering;

use crate::Tag;

mod procedure;
mod version;

pub use procedure::{Files, procedure};
use version::{Named, Reading};

/// What is known of a build's version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts<'a> {
    /// The tag that it runs by or is wanted by. None: it is named by its digest
    /// alone.
    pub tag: Option<&'a Tag>,
    /// Its label `org.opencontainers.image.version`. None: it has none, or it
    /// is not known.
    pub version: Option<&'a str>,
}

/// Whether a major version changes, and why. The reasons are for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    SameMajor {
        /// By what.
        why: String,
    },
    /// It goes up.
    Upgrade {
        /// The major version that runs.
        from: u32,
        /// The major version that is wanted.
        to: u32,
        /// By what.
        why: String,
    },
    /// It goes down.
    Downgrade {
        /// The major version that runs.
        from: u32,
        /// The major version that is wanted.
        to: u32,
        /// By what.
        why: String,
    },
    /// Nothing says.
    Unknown {
        /// What is missing.
        why: String,
    },
}

impl Verdict {
    /// The major versions, if they differ.
    #[must_use]
    pub fn change(&self) -> Option<(u32, u32)> {
        match self {
            Self::Upgrade { from, to, .. } | Self::Downgrade { from, to, .. } => Some((*from, *to)),
            Self::SameMajor { .. } | Self::Unknown { .. } => None,
        }
    }

    /// The reason.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            Self::SameMajor { why }
            | Self::Upgrade { why, .. }
            | Self::Downgrade { why, .. }
            | Self::Unknown { why } => why,
        }
    }
}

/// Compares what runs with what is wanted.
#[must_use]
pub fn judge(runs: Facts<'_>, wants: Facts<'_>) -> Verdict {
    let (runs, wants) = (Side::of(runs), Side::of(wants));
    let tags = runs.tag.named().zip(wants.tag.named());
    let labels = runs.label.named().zip(wants.label.named());
    let tags = tags.map(|(from, to)| compare(from, to, Source::Tags));
    let labels = labels.map(|(from, to)| compare(from, to, Source::Labels));
    match (tags, labels) {
        (Some(tags), _) if tags.change().is_some() => tags,
        (Some(_), Some(labels))
            if labels.change().is_some() && (runs.agrees() || wants.agrees()) =>
        {
            labels
        }
        (Some(tags), _) => tags,
        (None, Some(labels)) => labels,
        (None, None) => match runs.any().zip(wants.any()) {
            Some((from, to)) => compare(from, to, Source::Both),
            None => Verdict::Unknown {
                why: unknown(&runs, &wants),
            },
        },
    }
}

/// What one side's facts say.
struct Side<'a> {
    facts: Facts<'a>,
    tag: Reading,
    label: Reading,
}

/// What is compared with what.
#[derive(Clone, Copy)]
enum Source {
    Tags,
    Labels,
    /// A tag with a label.
    Both,
}

impl<'a> Side<'a> {
    fn of(facts: Facts<'a>) -> Self {
        let read = |text: Option<&str>| text.map_or(Reading::Nothing, version::read);
        Self {
            facts,
            tag: read(facts.tag.map(Tag::as_str)),
            label: read(facts.version),
        }
    }

    /// Whether tag and label speak of the same thing.
    fn agrees(&self) -> bool {
        self.tag
            .named()
            .zip(self.label.named())
            .is_some_and(|(tag, label)| tag.agrees(label))
    }

    fn any(&self) -> Option<&Named> {
        self.tag.named().or_else(|| self.label.named())
    }

    /// The facts, none of which names a version, in words.
    fn nameless(&self) -> String {
        let name = match (self.facts.tag, &self.tag) {
            (None, _) => "a digest".to_owned(),
            (Some(tag), Reading::Date) => format!("`{tag}`, a date"),
            (Some(tag), Reading::Commit) => format!("`{tag}`, a commit"),
            (Some(tag), Reading::Named(_) | Reading::Nothing) => format!("`{tag}`"),
        };
        match self.facts.version {
            Some(_) => format!("{name}, with a version label that names none"),
            None => format!("{name}, without a version label"),
        }
    }
}

fn compare(from: &Named, to: &Named, source: Source) -> Verdict {
    let data = from.data_change(to);
    let (from_major, to_major) = data.unwrap_or((from.major, to.major));
    let why = match source {
        Source::Tags => format!("`{}` runs and `{}` is wanted", from.text, to.text),
        Source::Labels => format!(
            "what runs calls itself {}, and what is wanted {}",
            from.text, to.text
        ),
        Source::Both => format!("{} runs and {} is wanted", from.text, to.text),
    };
    match to_major.cmp(&from_major) {
        Ordering::Equal => Verdict::SameMajor { why },
        Ordering::Greater => Verdict::Upgrade {
            from: from_major,
            to: to_major,
            why,
        },
        Ordering::Less => Verdict::Downgrade {
            from: from_major,
            to: to_major,
            why,
        },
    }
}

fn unknown(runs: &Side<'_>, wants: &Side<'_>) -> String {
    let sides = [("what runs", runs), ("what is wanted", wants)];
    let sides = sides.iter().filter(|(_, side)| side.any().is_none());
    let sides = sides.map(|(whose, side)| format!("{whose} ({})", side.nameless()));
    let sides: Vec<_> = sides.collect();
    format!("no major version is named by {}", sides.join(" nor by "))
}
