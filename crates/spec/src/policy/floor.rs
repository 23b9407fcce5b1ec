//! What no choice goes below: that which runs.
//!
//! A tag that the policy orders says where it stands. Where a service runs by a
//! digest alone, as after a pin, or by a tag of another kind, it stands where
//! the tags stand that lead to its build; and where none is found, the dates of
//! the builds are compared. What cannot be placed by these either might be above
//! everything: then the choice is unknown.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use jiff::Timestamp;

use super::choose::{Candidate, Decision, Found, Rules, World, sort};
use super::rank::Rank;
use super::{BuildDate, Place, Policy, Running};
use crate::Tag;

/// So many tags are asked where they lead, to find those of what runs.
const MOST_LEADS: usize = 32;

/// The highest of what runs: below that is a downgrade.
#[derive(Default)]
pub(super) struct Floor<'w> {
    /// By the policy's own order.
    ranked: Option<(&'w Running, Rank)>,
    /// Where that has no place, by the date of its build.
    dated: Option<(&'w Running, Timestamp)>,
}

impl<'w> Floor<'w> {
    /// The error says what is not known of something that runs.
    pub(super) fn of(rules: &Rules<'_>, world: &World<'w>) -> Result<Self, String> {
        let mut floor = Self::default();
        for running in world.running {
            if let Some(rank) = rank(rules.policy, running, world) {
                floor.raise(running, rank);
            } else if !rules.allow_downgrade {
                let built = built(&running.built, world).map_err(|why| {
                    format!("when {running}, which runs, was built is not known: {why}")
                })?;
                if floor.dated.is_none_or(|(_, latest)| built > latest) {
                    floor.dated = Some((running, built));
                }
            }
        }
        Ok(floor)
    }

    fn raise(&mut self, running: &'w Running, rank: Rank) {
        let highest = self.ranked.as_ref().map(|(_, highest)| highest);
        if highest.is_none_or(|it| rank.compare(it) == Some(Ordering::Greater)) {
            self.ranked = Some((running, rank));
        }
    }

    /// What runs and is above the candidate.
    pub(super) fn above(
        &self,
        candidate: &Candidate<'_>,
        world: &World<'_>,
    ) -> Result<Option<&'w Running>, Decision> {
        if let Some((running, rank)) = &self.ranked
            && candidate.rank.compare(rank) == Some(Ordering::Less)
        {
            return Ok(Some(running));
        }
        let Some((running, latest)) = self.dated else {
            return Ok(None);
        };
        let Some(date) = world.dates.get(candidate.tag) else {
            return Err(Decision::WantsDates(vec![candidate.tag.clone()]));
        };
        let built = built(date, world).map_err(|why| {
            let tag = candidate.tag;
            let why = format!("when `{tag}` was built is not known: {why}");
            Decision::unknown(format!(
                "{why}; it could be older than {running}, which runs"
            ))
        })?;
        Ok((built < latest).then_some(running))
    }
}

/// The error says why there is no date.
fn built(date: &BuildDate, world: &World<'_>) -> Result<Timestamp, String> {
    match date {
        BuildDate::Unknown(why) => Err(why.clone()),
        BuildDate::At(_) | BuildDate::None => date
            .credible(world.now)
            .ok_or_else(|| "it does not say".to_owned()),
    }
}

/// Where something that runs stands in the policy's order.
fn rank(policy: &Policy, running: &Running, world: &World<'_>) -> Option<Rank> {
    if let Policy::Newest { .. } = policy {
        return running.built.credible(world.now).map(Rank::Built);
    }
    let own = running.tag.as_ref().and_then(|tag| policy.measure(tag));
    let leads = world.leads.keys();
    let led = leads.filter(|tag| running.is_led_by(tag, world.leads));
    let led = led.filter_map(|tag| match policy.place(tag) {
        Place::At(rank) | Place::Outside(rank) => Some(rank),
        Place::ByDate | Place::Unordered | Place::Elsewhere => None,
    });
    let led = led.filter(|rank| rank.is_credible(world.now));
    own.or_else(|| led.max_by(|one, other| one.compare(other).unwrap_or(Ordering::Equal)))
}

/// The tags that may lead to something which runs and has no place yet: the best
/// of them first, which needs no other if nothing is to move.
pub(super) fn unled(rules: &Rules<'_>, found: &Found<'_>, world: &World<'_>) -> Vec<Tag> {
    let is_dated = matches!(rules.policy, Policy::Newest { .. });
    let lost = |it: &Running| it.digest.is_some() && rank(rules.policy, it, world).is_none();
    if is_dated || rules.allow_downgrade || !world.running.iter().any(lost) {
        return Vec::new();
    }
    let mut outside: Vec<_> = found
        .tags
        .iter()
        .filter_map(|tag| match rules.policy.place(tag) {
            Place::Outside(rank) => Some(Candidate { tag, rank }),
            Place::At(_) | Place::ByDate | Place::Unordered | Place::Elsewhere => None,
        })
        .collect();
    sort(&mut outside, &BTreeSet::new());
    let ordered = found.candidates.iter().chain(&outside).map(|it| it.tag);
    let unasked = |tag: &&Tag| !world.leads.contains_key(*tag);
    match found.candidates.first().map(|it| it.tag).filter(unasked) {
        Some(best) => vec![best.clone()],
        None => {
            let others = ordered.take(MOST_LEADS).filter(unasked);
            others.cloned().collect()
        }
    }
}
