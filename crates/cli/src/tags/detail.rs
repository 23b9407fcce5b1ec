//! What takes requests for each build: platforms, labels, the base.
//!
//! All of it is named by digests, so that it is asked for once and then comes
//! from the cache.

use futures_util::stream::{self, StreamExt as _};
use imgstack_planner::Known;
use imgstack_spec::{Digest, Platform};
use jiff::Timestamp;
use serde::Serialize;

use super::{CONCURRENT, Inquiry, Row, Standing, trouble};

/// What a build says of itself.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Details {
    pub(crate) platforms: Vec<Platform>,
    /// When it was made, by its own words.
    pub(crate) created: Option<Timestamp>,
    pub(crate) revision: Option<String>,
    pub(crate) version: Option<String>,
    /// The build of the spec's `base` that it was made on. None: the spec names
    /// no base, or the build does not tell.
    pub(crate) base: Option<Known<BuiltOn>>,
}

/// A base, and who says so.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BuiltOn {
    pub(crate) digest: Digest,
    /// `provenance`, `annotations` or `labels`.
    pub(crate) by: String,
}

/// Asks for the details of what is a build; signatures have none.
pub(super) async fn add(inquiry: &Inquiry<'_>, rows: &mut [Row]) {
    let answers = stream::iter(rows.iter_mut().filter(|row| is_build(row)));
    let answers = answers.for_each_concurrent(CONCURRENT, |row| async move {
        let details = details(inquiry, &row.digest).await;
        if let Known::Known(details) = &details {
            row.commit = row.commit.take().or_else(|| details.revision.clone());
        }
        row.details = Some(details);
    });
    answers.await;
}

fn is_build(row: &Row) -> bool {
    let runs = row.runs.as_ref().is_some_and(|runs| !runs.is_empty());
    let is_for_people = row.tags.iter().any(|tag| !tag.is_of_referrers());
    runs || is_for_people || row.pinned
}

/// The last made first, if all say when; a build that is not in the list stays
/// below it.
pub(super) fn sort(rows: &mut [Row]) {
    let created = |row: &Row| match &row.details {
        Some(Known::Known(details)) => details.created,
        Some(Known::Unknown(_)) | None => None,
    };
    let mut listed = rows.iter().filter(|row| row.standing == Standing::Listed);
    if listed.all(|row| created(row).is_some()) {
        let is_listed = |row: &Row| row.standing == Standing::Listed;
        rows.sort_by_key(|row| std::cmp::Reverse((is_listed(row), created(row))));
    }
}

async fn details(inquiry: &Inquiry<'_>, digest: &Digest) -> Known<Details> {
    let (registry, image) = (inquiry.registry, inquiry.image);
    let build = match registry.build(&image.repository, digest).await {
        Ok(build) => build,
        Err(error) => return Known::Unknown(trouble(&error)),
    };
    let base = match &image.base {
        None => None,
        Some(base) => match registry.built_on(&image.repository, digest, base).await {
            Ok(found) => found.map(|(digest, how)| {
                let by = how.to_string();
                Known::Known(BuiltOn { digest, by })
            }),
            Err(error) => Some(Known::Unknown(trouble(&error))),
        },
    };
    Known::Known(Details {
        platforms: build.platforms,
        created: build.created.and_then(|created| created.parse().ok()),
        revision: build.revision,
        version: build.version,
        base,
    })
}
