//! Whether the tags of a build are free. Those that never move are never
//! overwritten; what is found under them decides what is to be done.

use std::collections::BTreeMap;

use imgstack_registry::oci::{Build, Client, Error};
use imgstack_spec::{Digest, ImageName, Repository, Tag};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::error::{BuildError, Same};
use super::labels::revision;
use super::names::{Names, is_audit};
use super::work::Facts;

/// What is to be done about a build.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Todo {
    /// It is to be made.
    Build,
    /// It is in the registry, since an earlier push of the same commit on the
    /// same day; it may lack tags.
    Finish(Digest),
}

/// Looks at the tags of a build.
pub(super) async fn look(
    image: &ImageName,
    repository: &Repository,
    names: &Names,
    facts: &Facts,
    registry: &Client,
) -> Result<Todo, BuildError> {
    let mut there = BTreeMap::new();
    for tag in &names.audit {
        if let Some(digest) = leads_to(registry, repository, tag).await? {
            there.insert(tag, digest);
        }
    }
    let Some((tag, digest)) = names.audit.iter().find_map(|tag| there.get_key_value(tag)) else {
        return Ok(Todo::Build);
    };
    let found = registry.build(repository, digest).await?;
    let alone = there.values().all(|it| it == digest);
    if !alone || !is_same(&found, facts) {
        let by_commit = facts.commit.as_ref().map(|commit| commit.short());
        let ends_so = |ending: &str| tag.as_str().ends_with(&format!("-{ending}"));
        return Err(BuildError::Taken {
            image: image.clone(),
            tag: (*tag).clone(),
            digest: digest.clone(),
            facts: words(&found),
            same: match by_commit {
                Some(commit) if ends_so(commit) => Same::Commit,
                Some(_) | None => Same::Day,
            },
        });
    }
    // To move a tag back would be a step back of every service.
    let now = leads_to(registry, repository, &names.moving).await?;
    if let Some(now) = now.filter(|now| now != digest) {
        let newer = registry.build(repository, &now).await?;
        if created(&newer) > created(&found) {
            return Err(BuildError::MovedOn {
                tag: names.moving.clone(),
                digest: digest.clone(),
            });
        }
    }
    Ok(Todo::Finish(digest.clone()))
}

/// Whether a tag for a trial may be used: it may be moved, if it is not one of
/// those that never do.
pub(super) async fn trial(
    image: &ImageName,
    repository: &Repository,
    followed: &Tag,
    tag: &Tag,
    registry: &Client,
) -> Result<(), BuildError> {
    if tag == followed {
        return Err(BuildError::TrialMoves(tag.clone()));
    }
    if !is_audit(followed, tag) {
        return Ok(());
    }
    let Some(digest) = leads_to(registry, repository, tag).await? else {
        return Ok(());
    };
    let found = registry.build(repository, &digest).await?;
    Err(BuildError::Taken {
        image: image.clone(),
        tag: tag.clone(),
        facts: words(&found),
        digest,
        same: Same::Name,
    })
}

/// What a tag leads to at this moment. None: it is not there.
///
/// Whoever asks here may push, which was found out before, and whoever pushes
/// reads: to them a registry refuses to read only what does not exist, as GHCR
/// does.
pub(super) async fn leads_to(
    registry: &Client,
    repository: &Repository,
    tag: &Tag,
) -> Result<Option<Digest>, BuildError> {
    match registry.resolve_anew(repository, tag).await {
        Ok(found) => Ok(Some(found.digest)),
        Err(
            Error::TagNotFound { .. }
            | Error::RepositoryNotFound { .. }
            | Error::NoPackageAccess { .. },
        ) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether a build in the registry is what would be built now: the same
/// commit with nothing changed, on the same day.
fn is_same(found: &Build, facts: &Facts) -> bool {
    let Some(commit) = facts.commit.as_ref().filter(|commit| !commit.is_dirty()) else {
        return false;
    };
    let day = |time: Timestamp| time.to_zoned(TimeZone::UTC).date();
    found.revision.as_ref() == Some(&revision(commit))
        && created(found).is_some_and(|created| day(created) == day(facts.created))
}

fn created(build: &Build) -> Option<Timestamp> {
    build.created.as_ref()?.parse().ok()
}

/// Where a build comes from.
fn words(build: &Build) -> String {
    let revision = build.revision.as_deref().map(|revision| {
        let hash = revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit());
        let shown = if hash { &revision[..7] } else { revision };
        format!(", from {shown}")
    });
    let created = build.created.as_deref().map(|it| format!(", built {it}"));
    revision.unwrap_or_default() + &created.unwrap_or_default()
}
