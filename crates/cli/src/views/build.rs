//! A build, as it is made and when it is there.

use std::fmt::Write;
use std::path::PathBuf;

use imgstack_planner::FORMAT_VERSION;
use imgstack_spec::{Address, Digest, Image, ImageName, ImageRef, Repository, Tag};
use jiff::Timestamp;
use serde::Serialize;

use super::fold::prose;
use super::style::{BOLD, DIM, WARN, inline, lasting, paint, short};
use super::typed;
use crate::build::{Goal, Outcome, Progress, TagState};

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
    pub(crate) goal: &'a Goal<'a>,
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
            let _ = writeln!(out, "    {:<width$}  {}", tag.as_str(), words(state));
        }
        if let Some(next) = self.next() {
            let _ = writeln!(out, "\n{}", prose(&next, 0));
        }
        out
    }

    fn next(&self) -> Option<String> {
        if self.outcome.failure.is_some() {
            return Some(format!("{} {}", self.moved(), self.again()));
        }
        let Goal::Release(tag) = self.goal else {
            return None;
        };
        let tags = &self.outcome.tags;
        let follows = self.outcome.digest.is_some() && tags.iter().any(|(it, _)| it == *tag);
        let files = typed::files(self.spec);
        follows.then(|| format!("To see what it changes: imgstack plan{files}"))
    }

    /// What the tag that was to be moved leads to, after a failure.
    fn moved(&self) -> String {
        let tag = self.goal.tag();
        let state = self.outcome.tags.iter().find(|(it, _)| it == tag);
        match state.map(|(_, state)| state) {
            Some(TagState::Pushed | TagState::There | TagState::Local) => {
                format!("`{tag}` leads to the build.")
            }
            Some(TagState::NotKnown) => format!(
                "Whether `{tag}` leads to the build by now is not known: its registry did not \
                 answer."
            ),
            Some(TagState::Missing | TagState::NotGiven | TagState::Left(_)) | None => {
                format!("`{tag}` leads to what it did before.")
            }
        }
    }

    /// What to do after a failure. Only a commit's build is found again.
    fn again(&self) -> String {
        let Self { image, outcome, .. } = self;
        let commit = outcome.facts.commit.as_ref();
        let is_found = matches!(self.goal, Goal::Release(_))
            && commit.is_some_and(|commit| !commit.is_dirty());
        if is_found {
            return "When the cause is mended, run the same command again: what is there stays."
                .to_owned();
        }
        let moving = self.goal.tag();
        let is_given = |(tag, state): &(Tag, TagState)| {
            tag != moving && matches!(state, TagState::Pushed | TagState::There)
        };
        let Some(digest) = outcome
            .digest
            .as_ref()
            .filter(|_| outcome.tags.iter().any(is_given))
        else {
            return "When the cause is mended, run the same command again: it builds anew."
                .to_owned();
        };
        let lacking = outcome.tags.iter().filter(|(_, state)| match state {
            TagState::Missing | TagState::NotKnown | TagState::NotGiven => true,
            TagState::Pushed | TagState::There | TagState::Left(_) | TagState::Local => false,
        });
        let repository = &image.repository;
        let tags: String = lacking
            .map(|(tag, _)| format!(" --tag {repository}:{tag}"))
            .collect();
        format!(
            "Without a commit the same command would not find this build, and stop at the tags \
             that it has. Give it the others: docker buildx imagetools create{tags} \
             {repository}@{digest}"
        )
    }

    /// The same for programs.
    pub(crate) fn document(&self) -> BuildDocument<'a> {
        let Self { image, outcome, .. } = self;
        document(image, outcome)
    }
}

fn words(state: &TagState) -> String {
    let text = match state {
        TagState::Pushed => "pushed",
        TagState::There => "there",
        TagState::Missing => "missing",
        TagState::NotKnown => "not known",
        TagState::NotGiven => "not given",
        TagState::Left(digest) => {
            return format!(
                "stays with {}, an earlier build of the commit",
                short(digest)
            );
        }
        TagState::Local => "in the engine alone",
    };
    text.to_owned()
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
    /// `pushed`, `there`, `missing`, `notKnown`, `notGiven`, `left` or `local`.
    state: &'static str,
    /// What a tag leads to that was left.
    #[serde(skip_serializing_if = "Option::is_none")]
    leads_to: Option<&'a Digest>,
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
            TagState::NotKnown => "notKnown",
            TagState::NotGiven => "notGiven",
            TagState::Left(_) => "left",
            TagState::Local => "local",
        },
        leads_to: match state {
            TagState::Left(digest) => Some(digest),
            TagState::Pushed
            | TagState::There
            | TagState::Missing
            | TagState::NotKnown
            | TagState::NotGiven
            | TagState::Local => None,
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
