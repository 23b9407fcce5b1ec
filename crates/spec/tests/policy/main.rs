//! Tag policies, in tables: what is written, which tags there are, what comes
//! of it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use imgstack_spec::policy::{
    BuildDate, Choice, Order, Policy, Rules, Running, TagList, World, choose,
};
use imgstack_spec::{Digest, Tag};
use jiff::Timestamp;

mod age;
mod downgrade;
mod hostile;
mod manners;
mod mistakes;
mod newest;
mod ordered;
mod reasons;
mod semver;

/// A Monday, at noon.
const NOW: &str = "2026-02-09T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn tag(text: &str) -> Tag {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn list(text: &str) -> Vec<Tag> {
    text.split_whitespace().map(tag).collect()
}

/// `~3.3`, or `~3.3 -alpine` with a suffix.
fn semver(text: &str) -> Policy {
    let (range, suffix) = match text.rsplit_once(" -") {
        Some((range, suffix)) => (range, Some(format!("-{suffix}").parse().unwrap())),
        None => (text, None),
    };
    let range = range
        .parse()
        .unwrap_or_else(|error| panic!("{range}: {error}"));
    Policy::Semver { range, suffix }
}

fn regex(pattern: &str, order: Order) -> Policy {
    let pattern = pattern
        .parse()
        .unwrap_or_else(|error| panic!("{pattern}: {error}"));
    Policy::Regex { pattern, order }
}

fn newest(pattern: &str) -> Policy {
    Policy::Newest {
        pattern: pattern.parse().unwrap(),
    }
}

fn rules(policy: &Policy) -> Rules<'_> {
    Rules {
        policy,
        minimum_age: None,
        allow_downgrade: false,
    }
}

/// `16-a=2026-02-01 16-b=none 16-c=?`: tags with the days they were built on.
fn dated(text: &str) -> BTreeMap<Tag, BuildDate> {
    let pairs = text
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, date)| (tag(name), date_of(date)))
        .collect()
}

fn names(text: &str) -> Vec<Tag> {
    let pairs = text.split_whitespace();
    pairs
        .map(|pair| tag(pair.split('=').next().unwrap()))
        .collect()
}

/// A day, an instant, `none`, or `?` for no answer.
fn date_of(text: &str) -> BuildDate {
    match text {
        "none" => BuildDate::None,
        "?" => BuildDate::Unknown("the registry does not answer".to_owned()),
        day if day.len() == 10 => BuildDate::At(format!("{day}T00:00:00Z").parse().unwrap()),
        instant => BuildDate::At(instant.parse().unwrap()),
    }
}

/// What a policy comes to where nothing runs and no date is asked for.
fn of(policy: &Policy, tags: &str) -> String {
    let world = (TagList::Complete(list(tags)), BTreeMap::new());
    short(&choose(&rules(policy), &at(&world, None)))
}

fn at<'a>(
    (tags, dates): &'a (TagList, BTreeMap<Tag, BuildDate>),
    running: Option<&'a Running>,
) -> World<'a> {
    World {
        tags,
        dates,
        leads: &NOWHERE,
        running: running.map_or(&[], std::slice::from_ref),
        now: now(),
    }
}

/// Where no tag was asked where it leads.
static NOWHERE: BTreeMap<Tag, Option<Digest>> = BTreeMap::new();

/// What runs by a tag, and when it was built.
fn runs(name: &str, built: BuildDate) -> Running {
    Running {
        tag: Some(tag(name)),
        digest: None,
        built,
    }
}

/// A choice as the tables write it, without its reason.
fn short(choice: &Choice) -> String {
    match choice {
        Choice::Chosen {
            tag, waiting: None, ..
        } => tag.to_string(),
        Choice::Chosen {
            tag,
            waiting: Some(waiting),
            ..
        } => format!("{tag}, {} at {}", waiting.tag, waiting.until),
        Choice::Held { waiting, .. } => format!("held: {} at {}", waiting.tag, waiting.until),
        Choice::Downgrade { from, to, .. } => {
            format!("refused: {} to {to}", from.to_string().trim_matches('`'))
        }
        Choice::NoMatch { nearest, .. } => {
            let nearest: Vec<_> = nearest.iter().map(Tag::as_str).collect();
            format!("none: {}", nearest.join(" "))
        }
        Choice::Unknown { .. } => "unknown".to_owned(),
    }
}

fn why(choice: &Choice) -> &str {
    match choice {
        Choice::Chosen { why, .. }
        | Choice::Held { why, .. }
        | Choice::Downgrade { why, .. }
        | Choice::NoMatch { why, .. }
        | Choice::Unknown { why } => why,
    }
}
