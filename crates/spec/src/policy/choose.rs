//! Choosing a tag.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::dates::{Age, BuildDate};
use super::floor::{Floor, unled};
use super::rank::Rank;
use super::{Choice, Place, Policy, Running, TagList, Waiting, tags, words};
use crate::{Digest, Tag};

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
    /// Where tags lead, as far as that was asked for: [`wanted_leads`] says of
    /// which it is needed. None in it: that is not known.
    pub leads: &'a BTreeMap<Tag, Option<Digest>>,
    /// What runs, in any order: not all services need run the same. Empty:
    /// nothing does.
    pub running: &'a [Running],
    /// The time.
    pub now: Timestamp,
}

/// Chooses a tag.
///
/// The order of the list and duplicates in it have no influence.
#[must_use]
pub fn choose(rules: &Rules<'_>, world: &World<'_>) -> Choice {
    match decide(rules, world) {
        Decision::Made(choice) => choice,
        Decision::WantsDates(tags) => Choice::Unknown {
            why: format!("the build dates of {} tags were not asked for", tags.len()),
        },
        Decision::WantsLeads(tags) => Choice::Unknown {
            why: format!("where {} tags lead was not asked for", tags.len()),
        },
    }
}

/// The tags whose build dates [`choose`] needs and does not have. There may be
/// others once these are known, or [`wanted_leads`], so ask again, until there
/// is none of either.
#[must_use]
pub fn wanted_dates(rules: &Rules<'_>, world: &World<'_>) -> Vec<Tag> {
    match decide(rules, world) {
        Decision::WantsDates(tags) => tags,
        Decision::Made(_) | Decision::WantsLeads(_) => Vec::new(),
    }
}

/// The tags of which [`choose`] needs to know where they lead, since one of
/// them may lead to what runs without a tag that speaks of it.
#[must_use]
pub fn wanted_leads(rules: &Rules<'_>, world: &World<'_>) -> Vec<Tag> {
    match decide(rules, world) {
        Decision::WantsLeads(tags) => tags,
        Decision::Made(_) | Decision::WantsDates(_) => Vec::new(),
    }
}

pub(super) enum Decision {
    Made(Choice),
    WantsDates(Vec<Tag>),
    WantsLeads(Vec<Tag>),
}

impl Decision {
    pub(super) fn unknown(why: String) -> Self {
        Self::Made(Choice::Unknown { why })
    }
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
    decided(rules, world).unwrap_or_else(|decision| decision)
}

/// The error is a decision as well, come to before all was looked at.
fn decided(rules: &Rules<'_>, world: &World<'_>) -> Result<Decision, Decision> {
    let tags = match world.tags {
        TagList::Complete(tags) => tags::builds(tags),
        TagList::Incomplete(why) => {
            let why = format!("the list of tags is incomplete: {why}");
            return Err(Decision::unknown(why));
        }
    };
    let candidates = candidates(&tags, rules.policy, world)?;
    if candidates.is_empty() {
        return Ok(Decision::Made(words::none(rules.policy, &tags)));
    }
    let found = Found { tags, candidates };
    let unled = unled(rules, &found, world);
    if !unled.is_empty() {
        return Err(Decision::WantsLeads(unled));
    }
    let best = old_enough(&found.candidates, rules.minimum_age, world)?;
    let floor = Floor::of(rules, world).map_err(Decision::unknown)?;
    settle(rules, &found, &best, &floor, world).map(Decision::Made)
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
                    return Err(Decision::unknown(why));
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
        return Err(Decision::WantsDates(wanted));
    }
    let running = names(&candidates, world);
    sort(&mut candidates, &running);
    Ok(candidates)
}

/// Those of the candidates that what runs goes by: its own tag, or else all that
/// lead to it.
fn names<'a>(candidates: &[Candidate<'a>], world: &World<'_>) -> BTreeSet<&'a Tag> {
    let tags: BTreeSet<&Tag> = candidates.iter().map(|it| it.tag).collect();
    let runs = |tag: &Tag| {
        let mut running = world.running.iter();
        running.any(|it| match &it.tag {
            Some(own) if tags.contains(own) => own == tag,
            Some(_) | None => it.is_led_by(tag, world.leads),
        })
    };
    tags.iter().copied().filter(|tag| runs(tag)).collect()
}

/// By rank; what is equal as the head of `policy` says.
pub(super) fn sort(candidates: &mut [Candidate<'_>], running: &BTreeSet<&Tag>) {
    candidates.sort_by(|one, other| {
        // Ranks of one policy are always of one kind.
        let by_rank = other.rank.compare(&one.rank).unwrap_or(Ordering::Equal);
        let rest = |it: &Candidate<'_>| Reverse((running.contains(it.tag), it.rank.exactness()));
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
            return Err(Decision::WantsDates(vec![candidate.tag.clone()]));
        };
        // Where it is not known where the tag leads, two builds of it without
        // dates cannot be told apart.
        let runs = |it: &Running| {
            let same = it.tag.as_ref() == Some(candidate.tag) && it.built == *date;
            same || it.is_led_by(candidate.tag, world.leads)
        };
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
                return Err(Decision::unknown(why));
            }
        }
    }
    Ok(Best { ready: None, young })
}

/// What comes of the best candidates, given what runs.
fn settle(
    rules: &Rules<'_>,
    found: &Found<'_>,
    best: &Best<'_>,
    floor: &Floor<'_>,
    world: &World<'_>,
) -> Result<Choice, Decision> {
    let chosen = |ready: &Candidate<'_>| Choice::Chosen {
        tag: ready.tag.clone(),
        why: words::chosen(rules.policy, &found.candidates, ready),
        waiting: best.young.as_ref().map(Young::waiting),
    };
    let held = |young: &Young<'_>| Choice::Held {
        waiting: young.waiting(),
        why: words::held(rules.policy, &found.candidates, young.candidate),
    };
    if let Some(ready) = best.ready
        && floor.above(ready, world)?.is_none()
    {
        return Ok(chosen(ready));
    }
    // It will be above what runs: nothing is gained by going down till then.
    if let Some(young) = &best.young
        && floor.above(young.candidate, world)?.is_none()
    {
        return Ok(held(young));
    }
    Ok(match (best.ready, best.young) {
        (None, None) => words::undated(rules.policy, &found.candidates),
        (Some(ready), _) if rules.allow_downgrade => chosen(ready),
        (None, Some(young)) if rules.allow_downgrade => held(&young),
        (Some(to), _) | (None, Some(Young { candidate: to, .. })) => {
            match floor.above(to, world)? {
                Some(running) => Choice::Downgrade {
                    from: running.clone(),
                    to: to.tag.clone(),
                    why: words::downgrade(rules.policy, found, running, to),
                },
                // Nothing runs that it could be below of.
                None => chosen(to),
            }
        }
    })
}
