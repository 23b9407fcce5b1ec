//! The tags of a build that is in the registry: one after another, and the one
//! that moves last, so that it never leads to a build without the others.

use imgstack_registry::oci::Client;
use imgstack_spec::{Digest, Repository, Tag};
use tokio_util::sync::CancellationToken;

use super::error::BuildError;
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
    /// In the order in which they may be there.
    pub(super) tags: &'a [Tag],
    /// Those among them that may lead to another build until now.
    pub(super) may_move: &'a Tag,
}

/// Gives the build its tags, those that it has already excepted.
pub(super) async fn tag(
    what: &Tagging<'_>,
    registry: &Client,
    tell: &(dyn Fn(Progress) + Sync),
    cancel: &CancellationToken,
) -> Tagged {
    let (mut tags, mut failure) = (Vec::new(), None);
    for tag in what.tags {
        let state = match &failure {
            Some(_) => TagState::Missing,
            None => match one(what, tag, registry, cancel).await {
                Ok(state) => state,
                Err(error) => {
                    failure = Some(error);
                    TagState::Missing
                }
            },
        };
        if state == TagState::Pushed {
            tell(Progress::Pushed(tag.clone()));
        }
        tags.push((tag.clone(), state));
    }
    Tagged { tags, failure }
}

async fn one(
    what: &Tagging<'_>,
    tag: &Tag,
    registry: &Client,
    cancel: &CancellationToken,
) -> Result<TagState, BuildError> {
    if cancel.is_cancelled() {
        return Err(BuildError::Interrupted);
    }
    match leads_to(registry, what.repository, tag).await? {
        Some(digest) if digest == *what.digest => return Ok(TagState::There),
        Some(digest) if tag != what.may_move => {
            let tag = tag.clone();
            return Err(BuildError::Overtaken { tag, digest });
        }
        Some(_) | None => {}
    }
    registry.tag(what.repository, what.digest, tag).await?;
    Ok(TagState::Pushed)
}
