//! Choosing a tag.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::dates::{Age, BuildDate};
use super::rank::Rank;
use super::{Choice, Place, Policy, TagList, Waiting, tags, words};
use crate::Tag;

/// What the spec says.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// `policy`.
    pub policy: &'a Policy,
    /// `minimumAge`. None: builds of any age, also of none.
    pub minimum_age: Option<Duration>,
    /// `allowDowngrade`.
    pub allow_downgrade: bool,
}

/// What is known of the world.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// The repository's tags.
    pub tags: &'a TagList,
    /// When each tag's build was built. A tag that is missing was not asked
    /// for: [`wanted_dates`] says which are needed.
    pub dates: &'a BTreeMap<Tag, BuildDate>,
    /// What runs, in any order: not all services need run the same. Empty:
    /// nothing does, or by no tag.
    pub running: &'a [Running],
    /// The time.
    pub now: Timestamp,
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The tag that it runs by.
    pub tag: Tag,
    /// When the build that runs was built, which is not the one that the tag
    /// names now if the tag has moved.
    pub built: BuildDate,
}

/// Chooses a tag.
///
/// The order of the list and duplicates in it have no influence.
#[must_use]
pub fn choose(rules: &Rules<'_>, world: &World<'_>) -> Choice {
    match decide(rules, world) {
        Decision::Made(choice) => choice,
        Decision::Wants(tags) => Choice::Unknown {
            why: format!("the build dates of {} tags were not asked for", tags.len()),
        },
    }
}

/// The tags whose build dates [`choose`] needs and does not have. With a
/// `minimumAge` there may be others once these are known, so ask again, until
/// there is none.
#[must_use]
pub fn wanted_dates(rules: &Rules<'_>, world: &World<'_>) -> Vec<Tag> {
    match decide(rules, world) {
        Decision::Made(_) => Vec::new(),
        Decision::Wants(tags) => tags,
    }
}

enum Decision {
    Made(Choice),
    Wants(Vec<Tag>),
}

/// A tag that may be chosen.
pub(super) struct Candidate<'a> {
    pub(super) tag: &'a Tag,
    pub(super) rank: Rank,
}

/// What was found in the list of tags.
pub(super) struct Found<'a> {
    /// All that may be builds.
    pub(super) tags: BTreeSet<&'a Tag>,
    /// What the policy means, the best first.
    pub(super) candidates: Vec<Candidate<'a>>,
}

/// The best that is old enough, and a better one that is not.
struct Best<'a> {
    ready: Option<&'a Candidate<'a>>,
    young: Option<Young<'a>>,
}

#[derive(Clone, Copy)]
struct Young<'a> {
    candidate: &'a Candidate<'a>,
    until: Timestamp,
}

impl Young<'_> {
    fn waiting(&self) -> Waiting {
        Waiting {
            tag: self.candidate.tag.clone(),
            until: self.until,
        }
    }
}

fn decide(rules: &Rules<'_>, world: &World<'_>) -> Decision {
    let unknown = |why: String| Decision::Made(Choice::Unknown { why });
    let tags = match world.tags {
        TagList::Complete(tags) => tags::builds(tags),
        TagList::Incomplete(why) => {
            return unknown(format!("the list of tags is incomplete: {why}"));
        }
    };
    let candidates = match candidates(&tags, rules.policy, world) {
        Ok(candidates) => candidates,
        Err(decision) => return decision,
    };
    if candidates.is_empty() {
        return Decision::Made(words::none(rules.policy, &tags));
    }
    let found = Found { tags, candidates };
    let best = match old_enough(&found.candidates, rules.minimum_age, world) {
        Ok(best) => best,
        Err(decision) => return decision,
    };
    match floor(rules, world) {
        Ok(floor) => Decision::Made(settle(rules, &found, &best, floor.as_ref())),
        Err(why) => unknown(why),
    }
}

/// The tags that the policy means, the best first.
fn candidates<'a>(
    tags: &BTreeSet<&'a Tag>,
    policy: &Policy,
    world: &World<'_>,
) -> Result<Vec<Candidate<'a>>, Decision> {
    let mut candidates = Vec::new();
    let mut wanted = Vec::new();
    for &tag in tags {
        let rank = match policy.place(tag) {
            Place::At(rank) => rank,
            Place::Outside(_) | Place::Unordered | Place::Elsewhere => continue,
            Place::ByDate => match world.dates.get(tag) {
                None => {
                    wanted.push(tag.clone());
                    continue;
                }
                // It could be the newest.
                Some(BuildDate::Unknown(why)) => {
                    let why = format!("when `{tag}` was built is not known: {why}");
                    return Err(Decision::Made(Choice::Unknown { why }));
                }
                Some(date) => match date.credible(world.now) {
                    None => continue,
                    Some(built) => Rank::Built(built),
                },
            },
        };
        if rank.is_credible(world.now) {
            candidates.push(Candidate { tag, rank });
        }
    }
    if !wanted.is_empty() {
        return Err(Decision::Wants(wanted));
    }
    sort(&mut candidates, world.running);
    Ok(candidates)
}

/// By rank; what is equal as the head of `policy` says.
pub(super) fn sort(candidates: &mut [Candidate<'_>], running: &[Running]) {
    let runs = |tag: &Tag| running.iter().any(|running| running.tag == *tag);
    candidates.sort_by(|one, other| {
        // Ranks of one policy are always of one kind.
        let by_rank = other.rank.compare(&one.rank).unwrap_or(Ordering::Equal);
        let rest = |it: &Candidate<'_>| Reverse((runs(it.tag), it.rank.exactness()));
        by_rank
            .then_with(|| rest(one).cmp(&rest(other)))
            .then_with(|| one.tag.cmp(other.tag))
    });
}

/// Goes down the candidates to the first that is old enough.
fn old_enough<'a>(
    candidates: &'a [Candidate<'a>],
    minimum_age: Option<Duration>,
    world: &World<'_>,
) -> Result<Best<'a>, Decision> {
    let mut young = None;
    let Some(minimum_age) = minimum_age else {
        let ready = candidates.first();
        return Ok(Best { ready, young });
    };
    for candidate in candidates {
        let Some(date) = world.dates.get(candidate.tag) else {
            return Err(Decision::Wants(vec![candidate.tag.clone()]));
        };
        // Two builds of one tag without dates cannot be told apart here.
        let runs = |it: &Running| it.tag == *candidate.tag && it.built == *date;
        let age = match date.age(minimum_age, world.now) {
            // What runs already has nothing to wait for.
            Age::Waits(_) | Age::Undated if world.running.iter().any(runs) => Age::Enough,
            age => age,
        };
        match age {
            Age::Enough => {
                let ready = Some(candidate);
                return Ok(Best { ready, young });
            }
            Age::Waits(until) => young = young.or(Some(Young { candidate, until })),
            Age::Undated => {}
            Age::Unknown(why) => {
                let why = format!("when `{}` was built is not known: {why}", candidate.tag);
                return Err(Decision::Made(Choice::Unknown { why }));
            }
        }
    }
    Ok(Best { ready: None, young })
}

/// What runs, and where it stands.
struct Floor<'a> {
    running: &'a Running,
    rank: Rank,
}

/// The highest of what runs: below that is a downgrade. None: nothing runs, or
/// nothing of the kind that the policy orders.
fn floor<'a>(rules: &Rules<'_>, world: &World<'a>) -> Result<Option<Floor<'a>>, String> {
    let mut floor: Option<Floor<'a>> = None;
    for running in world.running {
        let rank = match (rules.policy, &running.built) {
            (Policy::Newest { .. }, BuildDate::Unknown(why)) if !rules.allow_downgrade => {
                return Err(format!(
                    "when `{}`, which runs, was built is not known: {why}",
                    running.tag
                ));
            }
            (Policy::Newest { .. }, date) => date.credible(world.now).map(Rank::Built),
            (Policy::Semver { .. } | Policy::Regex { .. }, _) => rules.policy.measure(&running.tag),
        };
        let Some(rank) = rank else { continue };
        let is_higher = floor
            .as_ref()
            .is_none_or(|floor| rank.compare(&floor.rank) == Some(Ordering::Greater));
        if is_higher {
            floor = Some(Floor { running, rank });
        }
    }
    Ok(floor)
}

/// What comes of the best candidates, given what runs.
fn settle(
    rules: &Rules<'_>,
    found: &Found<'_>,
    best: &Best<'_>,
    floor: Option<&Floor<'_>>,
) -> Choice {
    let below = |candidate: &Candidate<'_>| {
        floor.and_then(|floor| candidate.rank.compare(&floor.rank)) == Some(Ordering::Less)
    };
    let chosen = |ready: &Candidate<'_>| Choice::Chosen {
        tag: ready.tag.clone(),
        why: words::chosen(rules.policy, &found.candidates, ready),
        waiting: best.young.as_ref().map(Young::waiting),
    };
    let held = |young: &Young<'_>| Choice::Held {
        waiting: young.waiting(),
        why: words::held(rules.policy, &found.candidates, young.candidate),
    };
    match (best.ready, best.young) {
        (None, None) => words::undated(rules.policy, &found.candidates),
        (Some(ready), _) if !below(ready) => chosen(ready),
        // It will be above what runs: nothing is gained by going down till then.
        (_, Some(young)) if !below(young.candidate) => held(&young),
        (Some(ready), _) if rules.allow_downgrade => chosen(ready),
        (None, Some(young)) if rules.allow_downgrade => held(&young),
        (Some(to), _) | (None, Some(Young { candidate: to, .. })) => match floor {
            Some(Floor { running, .. }) => Choice::Downgrade {
                from: running.tag.clone(),
                to: to.tag.clone(),
                why: words::downgrade(rules.policy, found, running, to),
            },
            // Without a floor there is nothing to be below of.
            None => chosen(to),
        },
    }
}
