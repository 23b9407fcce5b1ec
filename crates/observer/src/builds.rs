//! Facts of the builds that may be spoken of.
//!
//! Where every service runs the wanted build and every node holds it, a plan
//! has nothing to tell, and nothing is asked.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _};
use imgstack_planner::{
    Build, Inventory, Known, ObservedNode, ObservedService, PlatformContent, PullSize, Trouble,
};
use imgstack_registry::oci::{self, Client, ErrorKind};
use imgstack_spec::{Digest, Image, Platform, Repository, Stack};

use crate::images::{CONCURRENT, trouble};
use crate::observe::Details;

/// Builds that are worth knowing of.
#[derive(Default)]
struct Questions {
    /// Their age, commit and platforms.
    facts: BTreeSet<(Repository, Digest)>,
    /// What the nodes would have to fetch of them.
    pulls: BTreeSet<(Repository, Digest)>,
    /// Whether they are the same but for their names.
    contents: BTreeSet<(Repository, Digest)>,
}

/// Asks for what a plan needs to know of builds.
pub(crate) async fn builds(
    stack: &Stack,
    inventory: &Inventory,
    registry: &Client,
    details: Details,
) -> BTreeMap<Digest, Known<Build>> {
    let questions = questions(stack, inventory, details);
    let platforms = platforms(inventory);
    let answers: Vec<_> = stream::iter(questions.facts)
        .map(|(repository, digest)| {
            let one = (repository, digest);
            let all = |asked: bool| if asked { &platforms[..] } else { &[] };
            let pulls = all(questions.pulls.contains(&one));
            let contents = all(questions.contents.contains(&one));
            let (repository, digest) = one;
            async move {
                let mut build = facts(registry, &repository, &digest, pulls).await;
                if let Known::Known(build) = &mut build {
                    build.contents = contents_of(registry, &repository, &digest, contents).await;
                }
                (digest, build)
            }
        })
        .buffered(CONCURRENT)
        .collect()
        .await;
    let mut builds: BTreeMap<Digest, Known<Build>> = BTreeMap::new();
    for (digest, build) in answers {
        // The same content in two repositories, of which one may be hidden.
        match builds.get(&digest) {
            Some(Known::Known(_)) => {}
            _ => {
                builds.insert(digest, build);
            }
        }
    }
    builds
}

fn questions(stack: &Stack, inventory: &Inventory, details: Details) -> Questions {
    let mut questions = Questions::default();
    let Known::Known(services) = &inventory.services else {
        return questions;
    };
    for image in &stack.images {
        let asked = inventory.images.get(&image.name);
        let wanted = asked.and_then(|image| image.digest.present());
        let may_wait = image.minimum_age.is_some() || image.rules().is_some();
        if wanted.is_none() && !may_wait {
            continue;
        }
        let users = stack
            .services
            .iter()
            .filter(|service| service.image == image.name);
        let users: Vec<&ObservedService> = users
            .filter_map(|service| services.get(&service.name))
            .collect();
        let of = |digest: &Digest| (image.repository.clone(), digest.clone());
        let moves = wanted.is_some_and(|wanted| moves(image, wanted, &users));
        let running = users.iter().flat_map(|it| it.references()).flatten();
        let running = running.filter(|it| it.repository == image.repository);
        let running: BTreeSet<Digest> = running.filter_map(|it| it.digest).collect();
        // A service that waits keeps the build that it has, and so do nodes.
        let needed = wanted
            .into_iter()
            .chain(running.iter().filter(|_| may_wait));
        let missing = needed.filter(|digest| is_missing(image, digest, &users, inventory));
        let pulls: BTreeSet<_> = wanted
            .filter(|_| moves)
            .into_iter()
            .chain(missing)
            .collect();
        let spoken_of = || running.iter().chain(wanted).map(of);
        if moves {
            questions.contents.extend(spoken_of());
        }
        if !pulls.is_empty() || details == Details::Always {
            questions.facts.extend(spoken_of());
        }
        questions.pulls.extend(pulls.into_iter().map(of));
    }
    questions
}

/// Whether something runs another build than the wanted one.
fn moves(image: &Image, wanted: &Digest, users: &[&ObservedService]) -> bool {
    let mut references = users.iter().flat_map(|it| it.references());
    references.any(|reference| {
        reference.is_none_or(|it| {
            it.repository != image.repository || it.digest.as_ref() != Some(wanted)
        })
    })
}

/// Whether a node that may run it is known to lack it.
fn is_missing(
    image: &Image,
    wanted: &Digest,
    users: &[&ObservedService],
    inventory: &Inventory,
) -> bool {
    let Known::Known(nodes) = &inventory.nodes else {
        return false;
    };
    let lacks = |node: &ObservedNode| match &node.engine {
        Some(Known::Known(engine)) => {
            let stored = engine.images.get(&image.repository);
            !stored.into_iter().flatten().any(|it| it.digest == *wanted)
        }
        Some(Known::Unknown(_)) | None => false,
    };
    let allowed = users.iter().flat_map(|service| &service.allowed_nodes);
    let mut allowed = allowed.filter_map(|name| nodes.get(name));
    allowed.any(|node| node.takes_tasks() && lacks(node))
}

/// What the nodes that take tasks are.
fn platforms(inventory: &Inventory) -> Vec<Platform> {
    let Known::Known(nodes) = &inventory.nodes else {
        return Vec::new();
    };
    let platforms = nodes.values().filter(|node| node.takes_tasks());
    let platforms: BTreeSet<&Platform> = platforms.map(|node| &node.platform).collect();
    platforms.into_iter().cloned().collect()
}

/// The facts of one build, and what nodes of those platforms would fetch of it.
pub(crate) async fn facts(
    registry: &Client,
    repository: &Repository,
    digest: &Digest,
    platforms: &[Platform],
) -> Known<Build> {
    let build = match registry.build(repository, digest).await {
        Ok(build) => build,
        Err(error) => return Known::Unknown(trouble(&error)),
    };
    match sizes(registry, repository, digest, platforms).await {
        Ok(sizes) => Known::Known(Build {
            platforms: build.platforms,
            sizes,
            contents: Vec::new(),
            created: build.created.and_then(|created| created.parse().ok()),
            revision: build.revision,
            version: build.version,
        }),
        Err(trouble) => Known::Unknown(trouble),
    }
}

/// What names the content of a build, as far as that can be told: it is worth a
/// word and nothing else.
async fn contents_of(
    registry: &Client,
    repository: &Repository,
    digest: &Digest,
    platforms: &[Platform],
) -> Vec<PlatformContent> {
    if platforms.is_empty() {
        return Vec::new();
    }
    let contents = registry.contents(repository, digest, platforms).await;
    let contents = contents.unwrap_or_default().into_iter();
    contents
        .map(|(platform, content)| PlatformContent { platform, content })
        .collect()
}

/// What nodes would fetch, as far as that can be told. That the registry still
/// has it is made sure of: a clean-up may have left a tag with nothing behind.
async fn sizes(
    registry: &Client,
    repository: &Repository,
    digest: &Digest,
    platforms: &[Platform],
) -> Result<Vec<PullSize>, Trouble> {
    if platforms.is_empty() {
        return Ok(Vec::new());
    }
    let gone = |error: &oci::Error| error.kind() == ErrorKind::ManifestDeleted;
    let found = match registry.pullable(repository, digest, platforms).await {
        Ok(found) => found,
        Err(error) if gone(&error) => return Err(trouble(&error)),
        Err(_) => return Ok(Vec::new()),
    };
    let mut sizes = Vec::new();
    for (platform, image) in found {
        match image {
            Ok(image) => sizes.push(PullSize {
                platform,
                bytes: image.size,
            }),
            Err(error) if gone(&error) => return Err(trouble(&error)),
            // A platform that the build lacks is for the plan to judge.
            Err(_) => {}
        }
    }
    Ok(sizes)
}
