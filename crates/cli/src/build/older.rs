//! Whether a build would move its tag back, to an older commit.

use std::path::Path;

use imgstack_registry::oci::Build;
use imgstack_spec::Tag;

use super::error::BuildError;
use super::git::{Standing, compare};
use super::taken::{leads_to_if_any, shown};
use super::work::{Facts, Job, Progress};

/// What is under the tag that moves, as far as that is known, once it is made
/// sure that it is of no newer commit.
///
/// # Errors
/// It is, and nobody said that it is to be so.
pub(super) async fn check(
    job: &Job<'_>,
    tag: &Tag,
    folder: &Path,
    facts: &Facts,
    tell: &(dyn Fn(Progress) + Sync),
) -> Result<Option<Build>, BuildError> {
    let (registry, repository) = (job.client, &job.image.repository);
    let Some(digest) = leads_to_if_any(registry, repository, tag).await? else {
        return Ok(None);
    };
    let unknown = |why: &str| {
        let why = format!("whether `{tag}` leads to a newer commit's build is not known: {why}");
        tell(Progress::Warning(why, None));
    };
    let found = match registry.build(repository, &digest).await {
        Ok(found) => found,
        // A new build is what mends it.
        Err(error) => {
            unknown(&error.to_string());
            return Ok(None);
        }
    };
    let Some(commit) = &facts.commit else {
        return Ok(Some(found));
    };
    let Some(revision) = found.revision.as_deref() else {
        unknown("it does not say its commit");
        return Ok(Some(found));
    };
    let there = shown(revision);
    match compare(folder, commit, revision).await {
        Standing::Level => {}
        Standing::Older if job.wish.allow_older => tell(Progress::Warning(
            format!(
                "`{tag}` goes back from commit {there} to {}",
                commit.short()
            ),
            None,
        )),
        Standing::Older => {
            return Err(BuildError::Older {
                tag: tag.clone(),
                here: commit.short().to_owned(),
                there: there.to_owned(),
                digest,
            });
        }
        Standing::Apart => tell(Progress::Warning(
            format!(
                "`{tag}` leads to a build of commit {there}, which is not part of {}",
                commit.short()
            ),
            None,
        )),
        Standing::Unknown => unknown(&format!("commit {there} is not known here")),
    }
    Ok(Some(found))
}
