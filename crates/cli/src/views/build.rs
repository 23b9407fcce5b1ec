//! A build, as it is made and when it is there.

use std::fmt::Write;
use std::path::PathBuf;

use imgstack_planner::FORMAT_VERSION;
use imgstack_spec::{Address, Digest, Image, ImageName, ImageRef, Repository, Tag};
use jiff::Timestamp;
use serde::Serialize;

use super::fold::prose;
use super::style::{BOLD, DIM, WARN, inline, lasting, paint, short};
use crate::build::{Outcome, Progress, TagState};

/// What happens, as it happens.
pub(crate) fn progress(image: &ImageName, it: &Progress) -> String {
    let name = Address::Image(image.clone());
    match it {
        Progress::Warning(why, hint) => {
            let text = format!("{} {name}: {}", paint(WARN, "Warning:"), inline(why));
            let mut out = prose(&text, 2) + "\n";
            if let Some(hint) = hint {
                let _ = writeln!(out, "{}", prose(&format!("  help: {}", inline(hint)), 8));
            }
            out
        }
        Progress::Building(builder) => format!("{name}: Building with {builder}...\n"),
        Progress::Line(line) => format!("  {} {}\n", paint(DIM, "│"), inline(line)),
        Progress::Still(doing, since) => {
            format!(
                "{name}: Still {doing}... [{} elapsed]\n",
                lasting(since.as_secs())
            )
        }
        Progress::Built(took) => format!("{name}: Built after {}\n", lasting(took.as_secs())),
        Progress::Found(digest) => {
            let text = format!(
                "{name}: the build of this commit is in the registry since earlier today ({}); \
                 only tags that it lacks are added",
                short(digest)
            );
            prose(&text, 2) + "\n"
        }
        Progress::Pushing(tag) => format!("{name}: Pushing {tag}...\n"),
        Progress::Pushed(tag) => format!("{name}: Pushed {tag}\n"),
    }
}

/// A build that was made, and what comes next.
pub(crate) struct Page<'a> {
    pub(crate) image: &'a Image,
    /// The tag that services follow.
    pub(crate) tag: &'a Tag,
    pub(crate) outcome: &'a Outcome,
    /// The files of the spec, as they were typed, for the next command.
    pub(crate) spec: &'a [PathBuf],
}

impl<'a> Page<'a> {
    /// For people.
    pub(crate) fn render(&self) -> String {
        let Self { image, outcome, .. } = self;
        let mut out = String::new();
        let name = Address::Image(image.name.clone());
        let _ = writeln!(out, "\n{}", paint(BOLD, name));
        let _ = writeln!(out, "    {}", image.repository);
        if let Some(digest) = &outcome.digest {
            let _ = writeln!(out, "    {digest}");
        }
        if let Some(id) = &outcome.image_id {
            let _ = writeln!(out, "    {}", inline(id));
        }
        let widths = outcome.tags.iter().map(|(tag, _)| tag.as_str().len());
        let width = widths.max().unwrap_or_default();
        for (tag, state) in &outcome.tags {
            let _ = writeln!(out, "    {:<width$}  {}", tag.as_str(), words(*state));
        }
        if let Some(next) = self.next() {
            let _ = writeln!(out, "\n{}", prose(&next, 0));
        }
        out
    }

    fn next(&self) -> Option<String> {
        let Self { tag, outcome, .. } = self;
        if outcome.failure.is_some() {
            return Some(format!(
                "`{tag}` leads to what it did before. When the cause is mended, run the same \
                 command again: what is there stays."
            ));
        }
        let follows = outcome.digest.is_some() && outcome.tags.iter().any(|(it, _)| it == *tag);
        let files: String = self
            .spec
            .iter()
            .map(|file| format!(" -f {}", file.display()))
            .collect();
        follows.then(|| format!("To see what it changes: imgstack plan{files}"))
    }

    /// The same for programs.
    pub(crate) fn document(&self) -> BuildDocument<'a> {
        let Self { image, outcome, .. } = self;
        document(image, outcome)
    }
}

fn words(state: TagState) -> &'static str {
    match state {
        TagState::Pushed => "pushed",
        TagState::There => "was there",
        TagState::Missing => "missing",
        TagState::Local => "in the engine alone",
    }
}

/// A build, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BuildDocument<'a> {
    format_version: &'static str,
    image: &'a ImageName,
    repository: &'a Repository,
    /// In the registry.
    digest: Option<&'a Digest>,
    /// In the engine.
    image_id: Option<&'a str>,
    tags: Vec<BuiltTag<'a>>,
    created: Timestamp,
    commit: Option<BuiltFrom<'a>>,
    source: Option<&'a str>,
    base: Option<BuiltOn<'a>>,
    error: Option<Told>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BuiltTag<'a> {
    tag: &'a Tag,
    /// `pushed`, `there`, `missing` or `local`.
    state: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BuiltFrom<'a> {
    hash: &'a str,
    /// What is not as in the commit.
    changed: &'a [String],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct BuiltOn<'a> {
    name: &'a ImageRef,
    digest: &'a Digest,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    message: String,
    hint: Option<String>,
}

fn document<'a>(image: &'a Image, outcome: &'a Outcome) -> BuildDocument<'a> {
    let facts = &outcome.facts;
    let tag = |(tag, state): &'a (Tag, TagState)| BuiltTag {
        tag,
        state: match state {
            TagState::Pushed => "pushed",
            TagState::There => "there",
            TagState::Missing => "missing",
            TagState::Local => "local",
        },
    };
    BuildDocument {
        format_version: FORMAT_VERSION,
        image: &image.name,
        repository: &image.repository,
        digest: outcome.digest.as_ref(),
        image_id: outcome.image_id.as_deref(),
        tags: outcome.tags.iter().map(tag).collect(),
        created: facts.created,
        commit: facts.commit.as_ref().map(|commit| BuiltFrom {
            hash: &commit.hash,
            changed: &commit.changed,
        }),
        source: facts.source.as_deref(),
        base: facts.base.as_ref().map(|base| BuiltOn {
            name: &base.name,
            digest: &base.digest,
        }),
        error: outcome.failure.as_ref().map(|error| Told {
            message: error.to_string(),
            hint: error.hint(),
        }),
    }
}
