//! Whether the tags of a build are free. Those that never move are never
//! overwritten; what is found under them decides what is to be done:
//!
//! - another commit's build, or one of which that is not known: it stops;
//! - a build of the same commit that would not come out otherwise now: that is
//!   finished, and nothing is built. It was made today, of a clean tree, on
//!   what the base is now, and is not older than `maximumAge`;
//! - an earlier build of the same commit: a new one is made, which goes without
//!   the names that are taken, as in the workflow that is generated.
//!
//! A tag that cannot be read is not one that is free.

use imgstack_registry::oci::{BaseState, Build, Client, Error};
use imgstack_spec::{Digest, Follow, Image, Pin, Repository, Tag};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::error::{BuildError, Reliance, Same};
use super::git::Commit;
use super::labels::revision;
use super::names::{Names, by_commit, by_day, by_time, is_audit, may_move};
use super::work::{Facts, Job, Progress};

/// What is to be done about a build.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Todo {
    /// It is to be made, and gets these names.
    Build(Names),
    /// It is in the registry, and gets these names, as far as it lacks them.
    Finish(Digest, Names),
}

/// Looks at the tags of a build. `moving` is what is under the one that moves,
/// as far as that is known.
pub(super) async fn look(
    job: &Job<'_>,
    tag: &Tag,
    facts: &Facts,
    moving: Option<&Build>,
    tell: &(dyn Fn(Progress) + Sync),
) -> Result<Todo, BuildError> {
    let commit = facts.commit.as_ref().filter(|commit| !commit.is_dirty());
    let wanted = wanted(job, tag, facts, commit).await?;
    let builds = wanted.iter().filter_map(|(_, there)| there.as_ref());
    let latest = builds
        .chain(moving.filter(|build| is_of(build, commit)))
        .filter(|build| is_of_now(job, build, facts))
        .max_by_key(|build| created(build));
    let done = match latest {
        Some(build) if stands_on_base(job, build, facts, tell).await => Some(build.clone()),
        Some(_) | None => None,
    };
    let (mut fixed, mut left) = (Vec::new(), Vec::new());
    for (name, there) in wanted {
        let done = done.as_ref().map(|done| &done.digest);
        match there.map(|there| there.digest) {
            Some(digest) if Some(&digest) != done => left.push((name, digest)),
            Some(_) | None => fixed.push(name),
        }
    }
    if done.is_none() && fixed.is_empty() {
        fixed.push(one_more(job, tag, facts).await?);
    }
    let names = Names {
        fixed,
        left,
        moving: Some(tag.clone()),
    };
    let Some(done) = done else {
        return Ok(Todo::Build(names));
    };
    // To move a tag back would be a step back of every service.
    if let Some(now) = moving.filter(|now| now.digest != done.digest)
        && created(now) > created(&done)
        && !job.wish.allow_older
    {
        return Err(BuildError::MovedOn {
            tag: tag.clone(),
            digest: done.digest.clone(),
        });
    }
    Ok(Todo::Finish(done.digest, names))
}

/// The names that never move, and which build of the same commit each leads to.
///
/// # Errors
/// One leads to another commit's.
async fn wanted(
    job: &Job<'_>,
    tag: &Tag,
    facts: &Facts,
    clean: Option<&Commit>,
) -> Result<Vec<(Tag, Option<Build>)>, BuildError> {
    let named = facts.commit.as_ref();
    let named = named.filter(|commit| !commit.is_dirty() || job.wish.allow_dirty);
    let by_commit = named.map(|commit| by_commit(tag, commit)).transpose()?;
    let by_commit = by_commit.map(|name| (name, Same::Commit));
    let by_day = (by_day(tag, facts.created)?, Same::Day);
    let mut wanted = Vec::new();
    for (name, same) in by_commit.into_iter().chain([by_day]) {
        match found_under(job, &name).await? {
            Some(there) if !is_of(&there, clean) => return Err(taken(job, name, there, same)),
            there => wanted.push((name, there)),
        }
    }
    Ok(wanted)
}

/// The name of one more build of a commit on a day.
async fn one_more(job: &Job<'_>, tag: &Tag, facts: &Facts) -> Result<Tag, BuildError> {
    let name = by_time(tag, facts.created, job.now)?;
    match found_under(job, &name).await? {
        Some(there) => Err(taken(job, name, there, Same::Name)),
        None => Ok(name),
    }
}

/// Whether a tag for a trial may be used.
///
/// None that anybody relies on, whether or not it is there; and of those that
/// are there only one that says that it is for trials.
pub(super) async fn trial(job: &Job<'_>, tag: &Tag) -> Result<(), BuildError> {
    for image in job.siblings {
        if let Some(by) = reliance(image, tag) {
            let image = image.name.clone();
            return Err(BuildError::Relied {
                tag: tag.clone(),
                image,
                by,
                followed: job.image.tag().cloned(),
            });
        }
    }
    if may_move(tag) {
        return Ok(());
    }
    match found_under(job, tag).await? {
        Some(there) => Err(taken(job, tag.clone(), there, Same::Name)),
        None => Ok(()),
    }
}

/// How an image relies on a tag of its repository.
fn reliance(image: &Image, tag: &Tag) -> Option<Reliance> {
    if let Some(Pin::Tag(pin)) = &image.pin
        && pin == tag
    {
        return Some(Reliance::Pinned);
    }
    match &image.follow {
        Follow::Tag(followed) if followed == tag => Some(Reliance::Followed),
        Follow::Tag(followed) => is_audit(followed, tag).then_some(Reliance::Audit),
        Follow::Policy { policy, .. } => policy.may_choose(tag).then_some(Reliance::Policy),
    }
}

/// What a tag leads to at this moment. None: it is not there.
///
/// # Errors
/// Any of the registry's. That it refuses to tell is no "no": whoever asks
/// here has pushed to the repository before.
pub(super) async fn leads_to(
    registry: &Client,
    repository: &Repository,
    tag: &Tag,
) -> Result<Option<Digest>, Error> {
    match registry.resolve_anew(repository, tag).await {
        Ok(found) => Ok(Some(found.digest)),
        Err(Error::TagNotFound { .. } | Error::RepositoryNotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The same where there may be no repository yet. Registries such as GHCR
/// refuse to read what does not exist; then the list of tags is refused, too.
pub(super) async fn leads_to_if_any(
    registry: &Client,
    repository: &Repository,
    tag: &Tag,
) -> Result<Option<Digest>, BuildError> {
    let refused = match leads_to(registry, repository, tag).await {
        Err(refused @ Error::NoPackageAccess { .. }) => refused,
        told => return Ok(told?),
    };
    match registry.tags(repository).await {
        Err(Error::NoPackageAccess { .. } | Error::RepositoryNotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
        Ok(_) => Err(BuildError::Unreadable {
            tag: tag.clone(),
            cause: Box::new(refused),
        }),
    }
}

async fn found_under(job: &Job<'_>, tag: &Tag) -> Result<Option<Build>, BuildError> {
    let (registry, repository) = (job.client, &job.image.repository);
    match leads_to_if_any(registry, repository, tag).await? {
        Some(digest) => Ok(Some(registry.build(repository, &digest).await?)),
        None => Ok(None),
    }
}

fn taken(job: &Job<'_>, tag: Tag, there: Build, same: Same) -> BuildError {
    BuildError::Taken {
        image: job.image.name.clone(),
        tag,
        facts: words(&there),
        digest: there.digest,
        same,
    }
}

/// Whether a build was made of that commit, with nothing changed. None: no
/// commit is what would be built.
fn is_of(found: &Build, commit: Option<&Commit>) -> bool {
    commit.is_some_and(|commit| found.revision.as_ref() == Some(&revision(commit)))
}

/// Whether a build of the same commit is young enough to be the one that would
/// be made now: a later one has the patches of its day.
fn is_of_now(job: &Job<'_>, found: &Build, facts: &Facts) -> bool {
    let Some(created) = created(found) else {
        return false;
    };
    let day = |time: Timestamp| time.to_zoned(TimeZone::UTC).date();
    let most = job.image.build.as_ref().and_then(|it| it.maximum_age);
    let overdue = most.is_some_and(|most| {
        created
            .saturating_add(most)
            .is_ok_and(|until| until < job.now)
    });
    day(created) == day(facts.created) && !overdue
}

/// Whether a build is on what its base is now. Where nobody knows, that is
/// said, and it is no reason to build again.
async fn stands_on_base(
    job: &Job<'_>,
    build: &Build,
    facts: &Facts,
    tell: &(dyn Fn(Progress) + Sync),
) -> bool {
    let Some(base) = &job.image.base else {
        return true;
    };
    // What the Dockerfile pins a new build has as well.
    if facts.base.as_ref().is_some_and(|base| base.pinned) {
        return true;
    }
    let repository = &job.image.repository;
    match job.client.base(repository, &build.digest, base).await {
        BaseState::Current { .. } => true,
        BaseState::Moved { .. } => false,
        BaseState::Unknown { why, hint } => {
            let why = format!(
                "whether base {} moved since the build of today is not known: {why}",
                base.familiar()
            );
            tell(Progress::Warning(why, hint));
            true
        }
    }
}

fn created(build: &Build) -> Option<Timestamp> {
    build.created.as_ref()?.parse().ok()
}

/// A commit as people write it.
pub(super) fn shown(revision: &str) -> &str {
    let hash = revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit());
    if hash { &revision[..7] } else { revision }
}

/// Where a build comes from.
fn words(build: &Build) -> String {
    let revision = build.revision.as_deref();
    let revision = revision.map(|revision| format!(", from {}", shown(revision)));
    let created = build.created.as_deref().map(|it| format!(", built {it}"));
    revision.unwrap_or_default() + &created.unwrap_or_default()
}
