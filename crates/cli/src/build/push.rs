//! The tags of a build that is in the registry: one after another, and the one
//! that moves last, so that it never leads to a build without the others.
//!
//! An answer may get lost after the tag was given. So what failed is looked at
//! once more, and what cannot be seen then is told as not known.

use imgstack_registry::oci::Client;
use imgstack_spec::{Digest, Repository, Tag};
use tokio_util::sync::CancellationToken;

use super::error::BuildError;
use super::names::Names;
use super::taken::leads_to;
use super::work::{Progress, TagState};

/// The tags of a build, as far as they came.
pub(super) struct Tagged {
    pub(super) tags: Vec<(Tag, TagState)>,
    /// Why the rest is not there.
    pub(super) failure: Option<BuildError>,
}

/// What is to be tagged.
pub(super) struct Tagging<'a> {
    pub(super) repository: &'a Repository,
    pub(super) digest: &'a Digest,
    pub(super) names: &'a Names,
}

/// Gives the build its tags, those that it has already excepted.
pub(super) async fn tag(
    what: &Tagging<'_>,
    registry: &Client,
    tell: &(dyn Fn(Progress) + Sync),
    cancel: &CancellationToken,
) -> Tagged {
    let left = what.names.left.iter();
    let mut tags: Vec<_> = left
        .map(|(tag, digest)| (tag.clone(), TagState::Left(digest.clone())))
        .collect();
    let (mut failure, mut answers) = (None, true);
    for tag in what.names.in_order() {
        let state = match &failure {
            Some(_) if answers => seen(what, &tag, registry, TagState::NotGiven).await,
            Some(_) => TagState::NotGiven,
            None => {
                let (state, error) = one(what, &tag, registry, cancel).await;
                // Nobody waits for a registry that is away, or after a stop.
                answers = !matches!(state, TagState::NotKnown | TagState::NotGiven);
                failure = error;
                state
            }
        };
        if state == TagState::Pushed {
            tell(Progress::Pushed(tag.clone()));
        }
        tags.push((tag, state));
    }
    Tagged { tags, failure }
}

/// Gives the build one tag: what becomes of it, and why if that is not what was
/// wished.
async fn one(
    what: &Tagging<'_>,
    tag: &Tag,
    registry: &Client,
    cancel: &CancellationToken,
) -> (TagState, Option<BuildError>) {
    if cancel.is_cancelled() {
        return (TagState::NotGiven, Some(BuildError::Interrupted));
    }
    match leads_to(registry, what.repository, tag).await {
        Ok(Some(digest)) if digest == *what.digest => return (TagState::There, None),
        Ok(Some(digest)) if what.names.moving.as_ref() != Some(tag) => {
            let tag = tag.clone();
            let error = BuildError::Overtaken { tag, digest };
            return (TagState::Missing, Some(error));
        }
        Ok(Some(_) | None) => {}
        Err(error) => return (TagState::NotGiven, Some(error.into())),
    }
    let Err(error) = registry.tag(what.repository, what.digest, tag).await else {
        return (TagState::Pushed, None);
    };
    match seen(what, tag, registry, TagState::NotKnown).await {
        TagState::There => (TagState::There, None),
        state => (state, Some(error.into())),
    }
}

/// Whether a tag leads to the build; `otherwise` if that is not told.
async fn seen(what: &Tagging<'_>, tag: &Tag, registry: &Client, otherwise: TagState) -> TagState {
    match leads_to(registry, what.repository, tag).await {
        Ok(Some(digest)) if digest == *what.digest => TagState::There,
        Ok(Some(_) | None) => TagState::Missing,
        Err(_) => otherwise,
    }
}
