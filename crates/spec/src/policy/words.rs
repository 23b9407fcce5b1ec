//! The reasons of a choice, and the choices that are nothing but reasons.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::choose::{Candidate, Found};
use super::rank::Rank;
use super::{Choice, Place, Policy, Running, VersionRange};
use crate::Tag;

/// So many tags are named where none is a candidate.
const NEAREST: usize = 3;

/// Why this one.
pub(super) fn chosen(
    policy: &Policy,
    candidates: &[Candidate<'_>],
    chosen: &Candidate<'_>,
) -> String {
    let equal = candidates.iter().filter(|it| {
        it.tag != chosen.tag && it.rank.compare(&chosen.rank) == Some(Ordering::Equal)
    });
    let equal: Vec<_> = equal.map(|it| it.tag).collect();
    let equal = match equal.as_slice() {
        [] => String::new(),
        [one] => format!("; `{one}` is equal to it"),
        [one, rest @ ..] => format!("; `{one}` and {} more are equal to it", rest.len()),
    };
    // Better ones are too young, or have no age.
    let age = match candidates.first() {
        Some(first) if first.rank.compare(&chosen.rank) != Some(Ordering::Equal) => {
            " that is old enough"
        }
        _ => "",
    };
    format!("{}{age}{equal}", best(policy, candidates))
}

/// Why the best waits.
pub(super) fn held(
    policy: &Policy,
    candidates: &[Candidate<'_>],
    waiting: &Candidate<'_>,
) -> String {
    format!(
        "`{}`, {}, is too young",
        waiting.tag,
        best(policy, candidates)
    )
}

/// What is below what runs, and why it would be chosen all the same.
pub(super) fn downgrade(
    policy: &Policy,
    found: &Found<'_>,
    running: &Running,
    to: &Candidate<'_>,
) -> String {
    let gone = match &running.tag {
        Some(tag) if !found.tags.contains(tag) => ", which the repository no longer has",
        Some(_) | None => "",
    };
    format!(
        "{running} runs{gone}; `{}`, {}, is older",
        to.tag,
        best(policy, &found.candidates)
    )
}

/// `minimumAge` cannot be judged.
pub(super) fn undated(policy: &Policy, candidates: &[Candidate<'_>]) -> Choice {
    Choice::NoMatch {
        nearest: three(candidates.iter().map(|it| it.tag)),
        why: format!(
            "{}, and none says when it was built, which `minimumAge` needs",
            matches(candidates.len(), policy)
        ),
    }
}

/// There is no candidate.
pub(super) fn none(policy: &Policy, tags: &BTreeSet<&Tag>) -> Choice {
    let mut outside = Vec::new();
    let mut matching = Vec::new();
    let mut unordered = 0;
    // From the last by name, which is the newest more often than the first is.
    for &tag in tags.iter().rev() {
        match policy.place(tag) {
            Place::Outside(rank) => outside.push(Candidate { tag, rank }),
            Place::Unordered => {
                unordered += 1;
                matching.push(tag);
            }
            // They match, and only their dates cannot be true or are missing.
            Place::At(_) | Place::ByDate => matching.push(tag),
            Place::Elsewhere => {}
        }
    }
    let all = count(tags.len(), "tag");
    let why = match policy {
        _ if tags.is_empty() => "the repository has no tags".to_owned(),
        Policy::Semver { range, .. } if !outside.is_empty() => {
            outside_words(policy, range, &outside)
        }
        Policy::Semver { suffix: None, .. } => format!("of {all}, none is a version"),
        Policy::Semver {
            suffix: Some(suffix),
            ..
        } => format!("of {all}, none is a version with `{suffix}`"),
        _ if matching.is_empty() => format!("of {all}, none matches {policy}"),
        Policy::Regex { order, .. } if unordered == matching.len() => format!(
            "{}, and what it finds there is no {}",
            matches(unordered, policy),
            order.noun()
        ),
        Policy::Regex { .. } => format!(
            "{}, and no date there has come yet",
            matches(matching.len(), policy)
        ),
        Policy::Newest { .. } => format!(
            "{}, and none says when it was built",
            matches(matching.len(), policy)
        ),
    };
    super::choose::sort(&mut outside, &BTreeSet::new());
    let outside = outside.iter().map(|it| it.tag);
    let rest = tags.iter().rev().copied();
    let nearest = match (outside.len(), matching.len()) {
        (1.., _) => three(outside),
        (0, 1..) => three(matching.into_iter()),
        (0, 0) => three(rest),
    };
    Choice::NoMatch { nearest, why }
}

/// All versions are out of the range; it is said if some are so only for what
/// follows their hyphen.
fn outside_words(policy: &Policy, range: &VersionRange, outside: &[Candidate<'_>]) -> String {
    let variant = outside.iter().find(|it| match &it.rank {
        Rank::Version(written) => range.admits(&written.release()),
        Rank::Numbers(_) | Rank::Text(_) | Rank::Date(_) | Rank::Built(_) => false,
    });
    let all = count(outside.len(), "version");
    let hint = variant.map_or(String::new(), |variant| {
        format!(
            "; `{}` is a pre-release or a variant: the range can name the one, `suffix` the other",
            variant.tag
        )
    });
    format!("of {all}, none is in {policy}{hint}")
}

/// `the highest version of 4 tags in …`.
fn best(policy: &Policy, candidates: &[Candidate<'_>]) -> String {
    let (one, several) = match policy {
        Policy::Semver { .. } => ("in", "in"),
        Policy::Regex { .. } | Policy::Newest { .. } => ("that matches", "that match"),
    };
    match candidates.len() {
        1 => format!("the only tag {one} {policy}"),
        many => format!("{} of {many} tags {several} {policy}", policy.best()),
    }
}

fn matches(count: usize, policy: &Policy) -> String {
    match count {
        1 => format!("one tag matches {policy}"),
        many => format!("{many} tags match {policy}"),
    }
}

fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("one {noun}"),
        many => format!("{many} {noun}s"),
    }
}

fn three<'a>(tags: impl Iterator<Item = &'a Tag>) -> Vec<Tag> {
    tags.take(NEAREST).cloned().collect()
}
