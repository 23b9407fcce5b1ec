//! Builds by GitHub's list of a package's versions.
//!
//! A version without tags is an image within an index, an attestation, or a
//! build whose tags have all moved; like signatures, such are shown when they
//! are asked for, or run.

use imgstack_planner::Trouble;
use imgstack_registry::github::{self, Extent, Package, PackageVersion, PackageVersions};

use super::{Found, Inquiry, Listing, More, trouble};

/// The most requests, unless everything is wanted. A build of two platforms
/// leaves three versions, with provenance five.
const REQUESTS: usize = 8;

/// None: the repository is no package of GitHub's.
///
/// # Errors
/// Why GitHub does not tell.
pub(super) async fn list(inquiry: &Inquiry<'_>) -> Option<Result<Listing, Trouble>> {
    let package = Package::of(&inquiry.image.repository)?;
    Some(read(inquiry, &package).await)
}

async fn read(inquiry: &Inquiry<'_>, package: &Package) -> Result<Listing, Trouble> {
    let host = inquiry.image.repository.host();
    let credential = inquiry.registry.credential(host).await;
    let credential = credential.map_err(|error| trouble(&error))?;
    let credential = credential.ok_or_else(|| Trouble {
        why: format!("there is no credential for {host}"),
        hint: Some("a classic token with `read:packages`, where imgstack looks for it".to_owned()),
    })?;
    let extent = Extent {
        builds: inquiry.wish.limit,
        digests: inquiry.needed.clone(),
        requests: (!inquiry.wish.all).then_some(REQUESTS),
    };
    let github = inquiry.registry.github();
    let versions = github.package_versions(package, &credential, &extent).await;
    match versions {
        Ok(versions) => Ok(listing(inquiry, versions)),
        Err(error) => Err(of_github(&error)),
    }
}

fn listing(inquiry: &Inquiry<'_>, versions: PackageVersions) -> Listing {
    let PackageVersions {
        mut versions,
        complete,
    } = versions;
    versions.sort_by_key(|version| std::cmp::Reverse(version.created_at));
    let limit = inquiry.wish.limit.unwrap_or(usize::MAX);
    let (mut listing, mut shown, mut left) = (Listing::default(), 0, 0);
    for version in versions {
        let is_shown = inquiry.wish.all || version.is_build();
        if is_shown && shown < limit {
            shown += 1;
        } else if !is_needed(inquiry, &version) {
            left += usize::from(is_shown);
            continue;
        }
        listing.found.push(found(inquiry, version));
    }
    listing.whole = complete;
    listing.more = (left > 0 || !complete).then(|| More {
        builds: complete.then_some(left),
        ..More::default()
    });
    listing
}

/// Whether it is shown wherever it is in the list.
fn is_needed(inquiry: &Inquiry<'_>, version: &PackageVersion) -> bool {
    let is_marked = |tag| version.tags.contains(tag);
    inquiry.needed.contains(&version.digest) || inquiry.marks.tags().any(is_marked)
}

fn found(inquiry: &Inquiry<'_>, version: PackageVersion) -> Found {
    let mut tags = version.tags;
    tags.retain(|tag| inquiry.wish.all || !tag.is_of_referrers());
    Found {
        digest: version.digest,
        tags,
        pushed_at: Some(version.created_at),
    }
}

fn of_github(error: &github::Error) -> Trouble {
    Trouble {
        why: error.to_string(),
        hint: Some(error.hint()),
    }
}
