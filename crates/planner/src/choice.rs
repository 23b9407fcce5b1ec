//! The tag that a policy chooses, from what was observed.
//!
//! The choice is the plan's (invariant 1). An observer has to know of which tags
//! to ask: it calls these same pure functions on the same inventory, so that
//! what it has asked for is what the plan comes to. Were it another tag, the
//! plan would take that one for unknown, and not what was asked for instead.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_spec::policy::{
    BuildDate, Choice, Rules, Running, TagList, World, choose, wanted_dates, wanted_leads,
};
use imgstack_spec::{Digest, Image, ImageRef, Stack, Tag};
use jiff::Timestamp;

use crate::inventory::{ObservedService, ObservedTags};
use crate::service::observed;
use crate::{Inventory, Known, Observed};

/// What the policy of an image comes to. None: the spec names the tag, or holds
/// a build; or the tags were not observed.
#[must_use]
pub fn choice(stack: &Stack, image: &Image, inventory: &Inventory) -> Option<Choice> {
    let (rules, facts) = Facts::of(stack, image, inventory)?;
    Some(choose(&rules, &facts.world()))
}

/// The tags whose digests, and whose builds, the policy of an image needs to
/// know before it can choose. There may be others once these are known.
#[must_use]
pub fn undated(stack: &Stack, image: &Image, inventory: &Inventory) -> Vec<Tag> {
    Facts::of(stack, image, inventory)
        .map(|(rules, facts)| wanted_dates(&rules, &facts.world()))
        .unwrap_or_default()
}

/// The tags of which the policy of an image needs to know where they lead, and
/// nothing else: one of them may lead to what runs.
#[must_use]
pub fn unled(stack: &Stack, image: &Image, inventory: &Inventory) -> Vec<Tag> {
    Facts::of(stack, image, inventory)
        .map(|(rules, facts)| wanted_leads(&rules, &facts.world()))
        .unwrap_or_default()
}

/// The builds that run whose dates the policy of an image turns on.
#[must_use]
pub fn running_builds(stack: &Stack, image: &Image, inventory: &Inventory) -> BTreeSet<Digest> {
    match image.rules() {
        Some(rules) => references(stack, image, inventory)
            .filter(|reference| turns_on_date(&rules, reference.tag.as_ref()))
            .filter_map(|reference| reference.digest)
            .collect(),
        None => BTreeSet::new(),
    }
}

/// Of a tag that the policy orders the date does not matter, but for its age.
fn turns_on_date(rules: &Rules<'_>, tag: Option<&Tag>) -> bool {
    rules.minimum_age.is_some() || !tag.is_some_and(|tag| rules.policy.orders(tag))
}

/// What a policy chooses from.
struct Facts<'i> {
    list: &'i TagList,
    dates: BTreeMap<Tag, BuildDate>,
    leads: BTreeMap<Tag, Option<Digest>>,
    running: Vec<Running>,
    now: Timestamp,
}

impl<'i> Facts<'i> {
    fn of<'s>(
        stack: &Stack,
        image: &'s Image,
        inventory: &'i Inventory,
    ) -> Option<(Rules<'s>, Self)> {
        let rules = image.rules()?;
        let tags = inventory.images.get(&image.name)?.tags.as_ref()?;
        let facts = Self {
            list: &tags.list,
            dates: dates(tags, image, inventory),
            leads: leads(tags),
            running: running(stack, image, inventory),
            now: inventory.observed_at,
        };
        Some((rules, facts))
    }

    fn world(&self) -> World<'_> {
        World {
            tags: self.list,
            dates: &self.dates,
            leads: &self.leads,
            running: &self.running,
            now: self.now,
        }
    }
}

fn dates(tags: &ObservedTags, image: &Image, inventory: &Inventory) -> BTreeMap<Tag, BuildDate> {
    let dates = tags.digests.iter().filter_map(|(tag, digest)| {
        let date = match digest {
            Observed::Present(digest) => date(digest, image, inventory)?,
            // The list names it: it went just now, or is there after all.
            Observed::Absent(trouble) | Observed::Unknown(trouble) => {
                BuildDate::Unknown(trouble.why.clone())
            }
        };
        Some((tag.clone(), date))
    });
    dates.collect()
}

fn leads(tags: &ObservedTags) -> BTreeMap<Tag, Option<Digest>> {
    let leads = tags.digests.iter();
    leads
        .map(|(tag, digest)| (tag.clone(), digest.present().cloned()))
        .collect()
}

/// What the services of the image run.
fn running(stack: &Stack, image: &Image, inventory: &Inventory) -> Vec<Running> {
    let mut running: Vec<Running> = Vec::new();
    for reference in references(stack, image, inventory) {
        let built = match &reference.digest {
            Some(digest) => date(digest, image, inventory),
            None => Some(BuildDate::Unknown("it runs without a digest".to_owned())),
        };
        let built = built.unwrap_or_else(|| BuildDate::Unknown("it was not asked for".to_owned()));
        let ImageRef { tag, digest, .. } = reference;
        let one = Running { tag, digest, built };
        if !running.contains(&one) {
            running.push(one);
        }
    }
    running
}

/// What services and their tasks name of the image's repository.
fn references<'a>(
    stack: &'a Stack,
    image: &'a Image,
    inventory: &'a Inventory,
) -> impl Iterator<Item = ImageRef> + use<'a> {
    let users = users(stack, image, inventory);
    let references = users.flat_map(ObservedService::references).flatten();
    references.filter(|it| it.repository == image.repository)
}

/// The services of the image, as they were observed.
pub(crate) fn users<'a>(
    stack: &'a Stack,
    image: &'a Image,
    inventory: &'a Inventory,
) -> impl Iterator<Item = &'a ObservedService> + use<'a> {
    let services = stack.services.iter();
    services
        .filter(|service| service.image == image.name)
        .filter_map(|service| observed(inventory, &service.name))
}

/// When a build was built. Where its registry does not tell, as of one that it
/// no longer has, a node that holds it may. None: nobody was asked.
pub(crate) fn date(digest: &Digest, image: &Image, inventory: &Inventory) -> Option<BuildDate> {
    let built = |created: Option<Timestamp>| created.map_or(BuildDate::None, BuildDate::At);
    match inventory.builds.get(digest) {
        Some(Known::Known(build)) => Some(built(build.created)),
        Some(Known::Unknown(trouble)) => Some(match stored(digest, image, inventory) {
            Some(created) => BuildDate::At(created),
            None => BuildDate::Unknown(trouble.why.clone()),
        }),
        None => stored(digest, image, inventory).map(BuildDate::At),
    }
}

fn stored(digest: &Digest, image: &Image, inventory: &Inventory) -> Option<Timestamp> {
    let Known::Known(nodes) = &inventory.nodes else {
        return None;
    };
    let engines = nodes.values().filter_map(|node| match &node.engine {
        Some(Known::Known(engine)) => Some(engine),
        Some(Known::Unknown(_)) | None => None,
    });
    let mut builds = engines.flat_map(|it| it.images.get(&image.repository).into_iter().flatten());
    builds.find(|it| it.digest == *digest)?.created
}

/// Whether the policy could choose if it might go down.
pub(crate) fn may_go_down(stack: &Stack, image: &Image, inventory: &Inventory) -> bool {
    Facts::of(stack, image, inventory).is_some_and(|(rules, facts)| {
        let rules = Rules {
            allow_downgrade: true,
            ..rules
        };
        !matches!(choose(&rules, &facts.world()), Choice::Unknown { .. })
    })
}
