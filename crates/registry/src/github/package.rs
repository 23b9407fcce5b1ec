//! Versions of container packages: what has been pushed to GHCR, when, and
//! which tags lead there.
//!
//! A version is a manifest. A push of several platforms leaves one for the
//! index, which has the tags, and one without tags for each platform and
//! attestation. When a tag moved is not told: `created_at` is when the manifest
//! was pushed.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use imgstack_spec::{Digest, Tag};
use jiff::Timestamp;
use reqwest::Url;
use serde::Deserialize;

use super::api::{ApiToken, Question, json, malformed, next_page};
use super::client::Client;
use super::error::{Error, NotAsked};
use super::wanted::{Package, Wanted};
use crate::credentials::Credential;
use crate::http::RequestKind;

/// The most that GitHub gives.
const PER_PAGE: &str = "100";
/// More pages than this are an endless list.
const PAGES: usize = 500;

/// GitHub has a door of its own for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OwnerKind {
    User,
    Organization,
}

impl OwnerKind {
    fn door(self) -> &'static str {
        match self {
            Self::User => "users",
            Self::Organization => "orgs",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::User => Self::Organization,
            Self::Organization => Self::User,
        }
    }
}

/// How far a list of versions is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Until so many versions have tags for people. None: to the end.
    pub builds: Option<usize>,
    /// And until these are among them, with tags or without.
    pub digests: BTreeSet<Digest>,
    /// But with no more requests than so many, a wrong guess at the owner
    /// included. None: as many as it takes.
    pub requests: Option<usize>,
}

impl Extent {
    /// Whether what was read is enough.
    fn is_reached(&self, versions: &[PackageVersion]) -> bool {
        let builds = versions.iter().filter(|it| it.is_build()).count();
        let has = |digest: &Digest| versions.iter().any(|it| it.digest == *digest);
        self.builds.is_some_and(|wanted| builds >= wanted) && self.digests.iter().all(has)
    }
}

/// The versions of a package, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackageVersions {
    /// As far as was read.
    pub versions: Vec<PackageVersion>,
    /// Whether that is all of them.
    pub complete: bool,
}

/// A manifest of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageVersion {
    /// Its digest.
    pub digest: Digest,
    /// The tags that lead to it now, in GitHub's order.
    pub tags: Vec<Tag>,
    /// When it was pushed.
    pub created_at: Timestamp,
    /// When anything of it was changed, such as its tags.
    pub updated_at: Timestamp,
}

impl PackageVersion {
    /// Whether it has a tag for people: tags of referrers, such as those of
    /// signatures, are for programs.
    #[must_use]
    pub fn is_build(&self) -> bool {
        self.tags.iter().any(|tag| !tag.is_of_referrers())
    }
}

#[derive(Deserialize)]
struct Row {
    name: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    container: Container,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Container {
    tags: Vec<String>,
}

impl Client {
    /// The versions of a package, as far as is wanted. One request for a hundred
    /// versions, and one more the first time if the owner is not what was
    /// guessed.
    ///
    /// # Errors
    /// Any of [`Error`] but those about workflows.
    pub async fn package_versions(
        &self,
        package: &Package,
        credential: &Credential,
        extent: &Extent,
    ) -> Result<PackageVersions, Error> {
        let token = ApiToken::of_github(credential).ok_or_else(|| Error::NotAsked {
            origin: credential.source().to_owned(),
            why: NotAsked::NoToken,
        })?;
        let known = {
            let owners = self.0.owners.lock();
            let owners = owners.unwrap_or_else(PoisonError::into_inner);
            owners.get(&package.owner).copied()
        };
        let most = extent.requests.unwrap_or(PAGES);
        if let Some(kind) = known {
            return self.versions(package, &token, kind, (extent, most)).await;
        }
        // Somebody's own token is most often for their own packages.
        let own = credential
            .username()
            .is_some_and(|name| name.eq_ignore_ascii_case(&package.owner));
        let guess = match own {
            true => OwnerKind::User,
            false => OwnerKind::Organization,
        };
        let (kind, found) = match self.versions(package, &token, guess, (extent, most)).await {
            Err(Error::NotFound { .. }) => {
                let (other, rest) = (guess.other(), (extent, most.saturating_sub(1)));
                (other, self.versions(package, &token, other, rest).await)
            }
            found => (guess, found),
        };
        if found.is_ok() {
            let owners = self.0.owners.lock();
            let mut owners = owners.unwrap_or_else(PoisonError::into_inner);
            owners.insert(package.owner.clone(), kind);
        }
        found
    }

    async fn versions(
        &self,
        package: &Package,
        token: &ApiToken,
        kind: OwnerKind,
        (extent, most): (&Extent, usize),
    ) -> Result<PackageVersions, Error> {
        let wanted = Wanted::Package(package.clone());
        let Package { owner, name } = package;
        let path = [
            kind.door(),
            owner,
            "packages",
            "container",
            name,
            "versions",
        ];
        let mut url = self.0.api.url(&path, &[("per_page", PER_PAGE)])?;
        let mut list = PackageVersions::default();
        for asked in 1..=PAGES {
            let page = self.page(&wanted, token, url.clone()).await?;
            list.versions.extend(page.versions);
            match page.next {
                None => {
                    list.complete = true;
                    return Ok(list);
                }
                Some(_) if asked >= most || extent.is_reached(&list.versions) => return Ok(list),
                Some(next) if next == url => break,
                Some(next) => url = next,
            }
        }
        Err(malformed("the list of versions has no end"))
    }

    async fn page(&self, wanted: &Wanted, token: &ApiToken, url: Url) -> Result<Page, Error> {
        let question = Question::get(wanted, token, RequestKind::Package, url.clone());
        let reply = self.0.api.ask(&question).await?;
        let rows: Vec<Row> = json(&reply.body, "a list of versions")?;
        let versions = rows.into_iter().map(version).collect::<Result<_, _>>()?;
        Ok(Page {
            versions,
            next: next_page(&reply, &url)?,
        })
    }
}

struct Page {
    versions: Vec<PackageVersion>,
    next: Option<Url>,
}

fn version(row: Row) -> Result<PackageVersion, Error> {
    let odd = |_| malformed("a version of the package has a name that is no digest");
    let tags = row.metadata.container.tags.into_iter();
    let tags = tags.map(|tag| tag.parse().map_err(|_| malformed("a tag cannot be one")));
    Ok(PackageVersion {
        digest: row.name.parse().map_err(odd)?,
        tags: tags.collect::<Result<_, _>>()?,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}
