//! The client: questions about images, each answered once a run.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use imgstack_spec::{Digest, ImageRef, Registry, RegistryHost, Repository, Tag};
use oci_spec::image::ImageManifest;
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};

use super::build::Build;
use super::cache::{Cache, CacheOptions, Scope};
use super::classify::Subject;
use super::config::ImageConfig;
use super::error::Error;
use super::host::Standing;
use super::integrity;
use super::manifest::{self, Child, Manifest};
use super::session::{Errand, Session, Warning};
use super::tags;
use crate::credentials::{Credential, Environment, Fingerprint, Keychain};
use crate::github;
use crate::http::{Endpoints, Flights, Reply, RequestCount, RequestKind, Transport};

/// The most images of one index: there are not so many platforms.
const MOST_CHILDREN: usize = 100;
/// Manifests of one index that are asked for at once.
pub(super) const CONCURRENT: usize = 8;

/// What a client is told when it is made.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// What the spec says about registries. The first entry for a host counts.
    pub registries: Vec<Registry>,
    /// Where credentials are looked for.
    pub environment: Environment,
    /// Hosts that are asked elsewhere.
    pub endpoints: Endpoints,
    /// The cache of manifests and configs. None: no cache.
    pub cache: Option<CacheOptions>,
}

impl ClientOptions {
    /// The process's environment, no cache.
    #[must_use]
    pub fn new(registries: Vec<Registry>) -> Self {
        Self {
            registries,
            environment: Environment::of_process(),
            endpoints: Endpoints::default(),
            cache: None,
        }
    }
}

/// A client of all registries, for one run.
///
/// Cheap to clone; clones share everything. Callers who ask the same question,
/// at once or one after the other, share one answer, so that a client sees one
/// state of the world: make another one to look again.
#[derive(Clone)]
pub struct Client(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) session: Session,
    pub(super) github: github::Client,
    pub(super) fingerprints: Flights<(RegistryHost, String), Option<Fingerprint>, Error>,
    cache: Option<Cache>,
    pub(super) resolved: Flights<(Repository, Wanted), Resolved, Error>,
    contents: Flights<(Repository, Digest), Arc<[u8]>, Error>,
    /// Contents that came from the registry in this run.
    fetched: Mutex<HashSet<(Repository, Digest)>>,
    tags: Flights<Repository, Vec<Tag>, Error>,
}

/// What a reference leads to now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The digest of the manifest or index.
    pub digest: Digest,
    /// Its media type; empty if the registry did not say.
    pub media_type: String,
    /// Its own size in bytes, not the image's. None: the registry did not say.
    pub size: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wanted {
    Tag(Tag),
    Digest(Digest),
}

/// Where a content lives.
#[derive(Clone, Copy)]
pub(super) enum Shelf {
    Manifests,
    Blobs,
}

impl Client {
    /// A client. Nothing is read or asked before the first question.
    #[must_use]
    pub fn new(options: ClientOptions) -> Self {
        let ClientOptions {
            registries,
            environment,
            endpoints,
            cache,
        } = options;
        let keychain = Keychain::new(environment);
        let transport = Arc::new(Transport::default());
        Self(Arc::new(Inner {
            github: github::Client::new(Arc::clone(&transport), &endpoints),
            session: Session::new(transport, registries, endpoints, keychain),
            fingerprints: Flights::default(),
            cache: cache.map(Cache::new),
            resolved: Flights::default(),
            contents: Flights::default(),
            fetched: Mutex::default(),
            tags: Flights::default(),
        }))
    }

    /// The digest that a reference leads to: one HEAD, the first time.
    ///
    /// A digest in the reference wins over its tag, and is then looked for in
    /// the registry. A reference with neither means the tag `latest` here.
    ///
    /// # Errors
    /// Any of [`Error`] but those about content.
    pub async fn resolve(&self, image: &ImageRef) -> Result<Resolved, Error> {
        let wanted = match (&image.digest, &image.tag) {
            (Some(digest), _) => Wanted::Digest(digest.clone()),
            (None, Some(tag)) => Wanted::Tag(tag.clone()),
            (None, None) => Wanted::Tag(latest(&image.repository)?),
        };
        self.look_up_once(&image.repository, wanted).await
    }

    /// A manifest by its digest, from the cache if it is there.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn manifest(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Manifest, Error> {
        let content = self.content(repository, digest, Shelf::Manifests).await?;
        Manifest::read(repository, &content)
    }

    /// An image's config by its own digest, from the cache if it is there.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn config(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<ImageConfig, Error> {
        let content = self.content(repository, digest, Shelf::Blobs).await?;
        ImageConfig::read(repository, &content)
    }

    /// What a digest holds, by platform, and where it comes from.
    ///
    /// One request for the index, one for the manifest of each platform, and
    /// one for a single config if annotations leave something open. All of it
    /// comes from the cache the next time.
    ///
    /// # Errors
    /// Any of [`Error`]; [`Error::ManifestDeleted`] when the manifest of a
    /// platform is gone.
    pub async fn build(&self, repository: &Repository, digest: &Digest) -> Result<Build, Error> {
        let mut build = Build::new(digest);
        let manifest = self.manifest(repository, digest).await?;
        build.learn(&manifest.annotations());
        let children = manifest.children();
        if children.len() > MOST_CHILDREN {
            let cause =
                format!("sends an index of {repository} with more than {MOST_CHILDREN} images");
            return Err(Error::protocol(repository.host(), cause));
        }
        let images = stream::iter(children).map(|child| async move {
            match self.manifest(repository, &child.digest).await? {
                Manifest::Image(image) => Ok((child, image)),
                Manifest::Index(_) => {
                    let cause = format!("sends an index within an index of {repository}");
                    Err(Error::protocol(repository.host(), cause))
                }
            }
        });
        // Side by side, and in the order of the index.
        let images: Vec<_> = images.buffered(CONCURRENT).try_collect().await?;
        let mut first = None;
        for (child, image) in images {
            first = first.or_else(|| manifest::digest(image.config()));
            build.add(child.platform, child.digest, &image);
            build.learn(&Manifest::Image(image).annotations());
        }
        if let Manifest::Image(image) = &manifest {
            let alone = self.alone(repository, digest, image).await?;
            build.add(alone.platform, alone.digest, image);
            first = manifest::digest(image.config());
        }
        if let Some(config) = first.filter(|_| build.is_incomplete()) {
            let facts = self.config(repository, &config).await?;
            build.learn(&facts.labels);
            build.created = build.created.or(facts.created);
        }
        Ok(build)
    }

    /// All tags of a repository, in the registry's order.
    ///
    /// # Errors
    /// Any of [`Error`]; an incomplete list is one, too.
    pub async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>, Error> {
        let list = || tags::list(&self.0.session, repository);
        let flight = self.0.tags.to(repository.clone());
        flight.get(|_| true, list).await
    }

    /// The credential that the registry has let into the repository in this
    /// run: the one for nodes to pull with. None: none was needed, none was
    /// let in, or nothing was asked yet.
    #[must_use]
    pub fn accepted_credential(&self, repository: &Repository) -> Option<Arc<Credential>> {
        match self.0.session.standing(repository)? {
            Standing::Accepted(credential) => Some(credential),
            Standing::Refused(_)
            | Standing::Open
            | Standing::ShutOut(_)
            | Standing::Unanswered(_) => None,
        }
    }

    /// Whether the registry refused the credential in this run, and reads the
    /// repository out to anybody: nodes are to pull with none either, because a
    /// credential that is refused breaks even a public pull.
    #[must_use]
    pub fn has_refused_credential(&self, repository: &Repository) -> bool {
        let standing = self.0.session.standing(repository);
        matches!(standing, Some(Standing::Refused(_)))
    }

    /// What worked so far and still wants attention.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        self.0.session.warnings()
    }

    /// The client of GitHub's API that goes with this one: their requests are
    /// counted together.
    #[must_use]
    pub fn github(&self) -> &github::Client {
        &self.0.github
    }

    /// How many requests were sent so far, by host, method and kind.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestCount> {
        self.0.session.transport.counts()
    }

    /// An image that is in no index, as if it were. Only its config says what
    /// it runs on.
    pub(super) async fn alone(
        &self,
        repository: &Repository,
        digest: &Digest,
        image: &ImageManifest,
    ) -> Result<Child, Error> {
        let config = manifest::config_digest(repository, image)?;
        let facts = self.config(repository, &config).await?;
        Ok(Child {
            platform: facts.platform,
            digest: digest.clone(),
        })
    }

    /// Whether a digest is in the registry: one HEAD, unless its content was
    /// fetched in this run.
    pub(super) async fn prove(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<(), Error> {
        let content = (repository.clone(), digest.clone());
        let fetched = self.0.fetched().contains(&content);
        if !fetched {
            let wanted = Wanted::Digest(digest.clone());
            self.look_up_once(repository, wanted).await?;
        }
        Ok(())
    }

    async fn look_up_once(
        &self,
        repository: &Repository,
        wanted: Wanted,
    ) -> Result<Resolved, Error> {
        let flight = self.0.resolved.to((repository.clone(), wanted.clone()));
        let look = || self.0.look_up(repository, &wanted);
        flight.get(|_| true, look).await
    }

    /// What a digest names, checked, from the cache if it is there.
    pub(super) async fn content(
        &self,
        repository: &Repository,
        digest: &Digest,
        shelf: Shelf,
    ) -> Result<Arc<[u8]>, Error> {
        let flight = self.0.contents.to((repository.clone(), digest.clone()));
        let fetch = || self.0.fetch(repository, digest, shelf);
        flight.get(|_| true, fetch).await
    }
}

impl Inner {
    pub(super) async fn look_up(
        &self,
        repository: &Repository,
        wanted: &Wanted,
    ) -> Result<Resolved, Error> {
        let head = manifest_errand(repository, wanted, Method::HEAD);
        let reply = self.session.run(repository, &head).await?;
        if let Some(resolved) = resolved(repository, wanted, &reply)? {
            return Ok(resolved);
        }
        // No HEAD here, or one that does not tell the digest.
        let get = manifest_errand(repository, wanted, Method::GET);
        let reply = self.session.run(repository, &get).await?;
        resolved(repository, wanted, &reply)?.ok_or_else(|| {
            let cause = format!("sends an empty manifest of {repository}");
            Error::protocol(repository.host(), cause)
        })
    }

    async fn fetch(
        &self,
        repository: &Repository,
        digest: &Digest,
        shelf: Shelf,
    ) -> Result<Arc<[u8]>, Error> {
        if let Some(content) = self.cached(repository, digest).await? {
            return Ok(content.into());
        }
        let wanted = Wanted::Digest(digest.clone());
        let errand = match shelf {
            Shelf::Manifests => manifest_errand(repository, &wanted, Method::GET),
            Shelf::Blobs => Errand {
                kind: RequestKind::Blob,
                method: Method::GET,
                target: format!("/v2/{}/blobs/{}", repository.path(), digest.as_str()),
                headers: &[],
                subject: Subject::Digest(digest),
            },
        };
        let reply = self.session.run(repository, &errand).await?;
        integrity::check(repository, digest, &reply.body)?;
        self.fetched().insert((repository.clone(), digest.clone()));
        if let Some(cache) = &self.cache {
            let scope = self.scope(repository).await?;
            cache.write(&scope, digest, reply.body.clone()).await;
        }
        Ok(reply.body.into())
    }

    fn fetched(&self) -> MutexGuard<'_, HashSet<(Repository, Digest)>> {
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the identity in use has seen before, or anybody could have.
    async fn cached(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<Vec<u8>>, Error> {
        let Some(cache) = &self.cache else {
            return Ok(None);
        };
        let own = self.scope(repository).await?;
        let public = Scope::new(repository.host(), None);
        Ok(match cache.read(&own, digest).await {
            None if own != public => cache.read(&public, digest).await,
            found => found,
        })
    }

    async fn scope(&self, repository: &Repository) -> Result<Scope, Error> {
        let credential = self.session.credential(repository).await?;
        let label = credential.map(|credential| credential.label());
        Ok(Scope::new(repository.host(), label.as_deref()))
    }
}

fn latest(repository: &Repository) -> Result<Tag, Error> {
    "latest"
        .parse()
        .map_err(|_| Error::protocol(repository.host(), "`latest` is no tag"))
}

fn manifest_errand<'a>(repository: &Repository, wanted: &'a Wanted, method: Method) -> Errand<'a> {
    let (name, subject) = match wanted {
        Wanted::Tag(tag) => (tag.as_str(), Subject::Tag(tag)),
        Wanted::Digest(digest) => (digest.as_str(), Subject::Digest(digest)),
    };
    Errand {
        kind: RequestKind::Manifest,
        method,
        target: format!("/v2/{}/manifests/{name}", repository.path()),
        headers: manifest::HEADERS,
        subject,
    }
}

/// What a reply says of the digest; None if it says nothing. A body that came
/// along counts more than a header about it.
fn resolved(
    repository: &Repository,
    wanted: &Wanted,
    reply: &Reply,
) -> Result<Option<Resolved>, Error> {
    if !reply.status.is_success() {
        return Ok(None);
    }
    let media_type = text(&reply.headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    // A page of a proxy's has a digest, too: nothing is taken for a manifest
    // that neither says that it is one nor reads like one.
    if reply.body.is_empty() && !manifest::is_media_type(media_type) {
        return Ok(None);
    }
    let told = text(&reply.headers, "docker-content-digest").and_then(|it| it.parse().ok());
    let mut size = text(&reply.headers, CONTENT_LENGTH.as_str()).and_then(|it| it.parse().ok());
    let mut digest: Option<Digest> = told;
    if let Wanted::Digest(wanted) = wanted
        && let Some(digest) = &digest
        && digest != wanted
    {
        return Err(mismatch(repository, wanted, digest));
    }
    if !reply.body.is_empty() {
        Manifest::read(repository, &reply.body)?;
        let expected = match (wanted, digest) {
            (Wanted::Digest(wanted), _) => Some(wanted.clone()),
            (Wanted::Tag(_), told) => told,
        };
        if let Some(expected) = &expected {
            integrity::check(repository, expected, &reply.body)?;
        }
        digest = expected.or_else(|| integrity::sha256(&reply.body));
        size = Some(reply.body.len() as u64);
    }
    Ok(digest.map(|digest| Resolved {
        digest,
        media_type: media_type.to_owned(),
        size,
    }))
}

fn mismatch(repository: &Repository, expected: &Digest, actual: &Digest) -> Error {
    Error::Integrity {
        repository: repository.clone(),
        expected: expected.clone(),
        actual: actual.clone(),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
