//! What a policy turns on: where tags lead, when builds were built, and in the
//! end the digest of the tag that is chosen.
//!
//! Which tag that is, is the plan's to decide. The same pure functions say here
//! what has to be asked for, and nothing that they come to is kept but answers
//! of registries.

use futures_util::stream::{self, StreamExt as _};
use imgstack_planner::{
    Build, Inventory, Known, Observed, ObservedImage, Trouble, choice, running_builds, undated,
    unled,
};
use imgstack_registry::oci::Client;
use imgstack_spec::policy::Choice;
use imgstack_spec::{Digest, Image, Repository, Stack, Tag};

use crate::builds::facts;
use crate::images::{CONCURRENT, resolve};

/// With `minimumAge` one tag is asked for after another, from the best down.
/// Nobody pushes so many within that time; builds without dates there may be.
const MOST_ROUNDS: usize = 100;

/// Says which tags have to be asked for.
type Wanted = fn(&Stack, &Image, &Inventory) -> Vec<Tag>;

/// Asks for what the policies of the stack need to choose, and where the tags
/// lead that they choose.
pub(crate) async fn follow(stack: &Stack, inventory: &mut Inventory, registry: &Client) {
    let images: Vec<&Image> = stack
        .images
        .iter()
        .filter(|image| image.rules().is_some())
        .collect();
    running(stack, &images, inventory, registry).await;
    for round in 0.. {
        let of_all = |wanted: Wanted| -> Vec<(&Image, Tag)> {
            let tags = images.iter().flat_map(|image| {
                let tags = wanted(stack, image, inventory).into_iter();
                tags.map(|tag| (*image, tag))
            });
            tags.collect()
        };
        let (tags, names) = (of_all(undated), of_all(unled));
        if tags.is_empty() && names.is_empty() {
            break;
        }
        match round < MOST_ROUNDS {
            true => {
                lead_all(names, inventory, registry).await;
                dates(tags, inventory, registry).await;
            }
            false => give_up(tags.into_iter().chain(names), inventory),
        }
    }
    let chosen = images.iter().filter_map(|image| {
        let Choice::Chosen { tag, .. } = choice(stack, image, inventory)? else {
            return None;
        };
        Some((*image, image.tagged(&tag)))
    });
    let chosen: Vec<_> = chosen.collect();
    let answers: Vec<_> = stream::iter(chosen)
        .map(|(image, reference)| async move {
            let digest = resolve(&reference, registry).await;
            (image, reference, digest)
        })
        .buffered(CONCURRENT)
        .collect()
        .await;
    for (image, reference, digest) in answers {
        if let Some(observed) = inventory.images.get_mut(&image.name) {
            let tags = observed.tags.take();
            *observed = ObservedImage {
                reference,
                digest,
                tags,
            };
        }
    }
}

/// When what runs was built.
async fn running(stack: &Stack, images: &[&Image], inventory: &mut Inventory, registry: &Client) {
    let builds = images.iter().flat_map(|image| {
        let builds = running_builds(stack, image, inventory).into_iter();
        builds.map(|digest| (image.repository.clone(), digest))
    });
    let builds: Vec<_> = builds.collect();
    learn(builds, inventory, registry).await;
}

/// Where those tags lead. The digests are those of builds.
async fn lead_all(
    tags: Vec<(&Image, Tag)>,
    inventory: &mut Inventory,
    registry: &Client,
) -> Vec<(Repository, Digest)> {
    let answers: Vec<_> = stream::iter(tags)
        .map(|(image, tag)| async move {
            let digest = resolve(&image.tagged(&tag), registry).await;
            (image, tag, digest)
        })
        .buffered(CONCURRENT)
        .collect()
        .await;
    let mut builds = Vec::new();
    for (image, tag, digest) in answers {
        if let Some(digest) = digest.present() {
            builds.push((image.repository.clone(), digest.clone()));
        }
        lead(inventory, image, tag, digest);
    }
    builds
}

/// Where those tags lead, and when what is there was built.
async fn dates(tags: Vec<(&Image, Tag)>, inventory: &mut Inventory, registry: &Client) {
    let mut builds = lead_all(tags, inventory, registry).await;
    builds.retain(|(_, digest)| !inventory.builds.contains_key(digest));
    builds.sort();
    builds.dedup();
    learn(builds, inventory, registry).await;
}

async fn learn(builds: Vec<(Repository, Digest)>, inventory: &mut Inventory, registry: &Client) {
    let answers: Vec<(Digest, Known<Build>)> = stream::iter(builds)
        .map(|(repository, digest)| async move {
            let build = facts(registry, &repository, &digest, &[]).await;
            (digest, build)
        })
        .buffered(CONCURRENT)
        .collect()
        .await;
    inventory.builds.extend(answers);
}

fn give_up<'a>(tags: impl Iterator<Item = (&'a Image, Tag)>, inventory: &mut Inventory) {
    for (image, tag) in tags {
        let why = format!("it was not asked for after {MOST_ROUNDS} others");
        lead(inventory, image, tag, Observed::Unknown(Trouble::new(why)));
    }
}

fn lead(inventory: &mut Inventory, image: &Image, tag: Tag, digest: Observed<Digest>) {
    let observed = inventory.images.get_mut(&image.name);
    if let Some(tags) = observed.and_then(|it| it.tags.as_mut()) {
        tags.digests.insert(tag, digest);
    }
}
