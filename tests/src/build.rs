//! A "build" as the mission's workflow makes one, without an engine: a real OCI
//! index over a busybox image, pushed under `16`, `16-<sha>` and `16-<date>`.
//!
//! The same build twice has the same digest; another sha has another one. What
//! a build does when it runs is its [`Kind`].
//!
//! A build may be made upon another one, its base, and say so in any of the
//! manners that builders have ([`Note`]).
//!
//! Absent on purpose: compressed layers (an uncompressed one is as valid, and
//! its digest depends on no compressor).

mod image;
mod layer;
mod provenance;
mod upload;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use jiff::civil::Date;
use serde::Serialize;

/// What a build does when it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Runs until it is told to end, and is healthy.
    Good,
    /// Prints why and ends at once with 1.
    Dying,
    /// Ends at once with 0, as a job does.
    Ending,
    /// Runs, but its healthcheck fails.
    Unhealthy,
    /// Answers as Patroni does, and holds elections with its like.
    Patroni,
    /// The same, but as a replica it never catches up.
    PatroniLagging,
    /// The same, but after five seconds it is not ready any more.
    PatroniFading,
}

/// One build.
#[derive(Debug, Clone)]
pub struct Build {
    /// Without the registry: `stacks/postgres`.
    pub repository: String,
    /// What it does.
    pub kind: Kind,
    /// The short commit it was made from; `/etc/build` holds it.
    pub sha: String,
    /// The day it was made.
    pub date: Date,
    /// The mutable tag, and what the other two begin with.
    pub major: String,
    /// At least one.
    pub platforms: Vec<Platform>,
    /// Without an index the tags name the manifest of the first platform.
    pub index: bool,
    /// What it is built upon.
    pub base: Option<Base>,
    /// A static busybox for all platforms; only the machine's own can run.
    pub busybox: PathBuf,
    /// Bytes that it carries for nothing but its size.
    pub ballast: usize,
}

/// What a build is built upon: a build that was pushed.
#[derive(Debug, Clone)]
pub struct Base {
    /// As a Dockerfile has it: `10.77.0.1:5000/stacks/base:16-alpine`.
    pub name: String,
    /// The commit it was made from.
    pub sha: String,
    /// What its tag led to.
    pub digest: String,
    /// How the build says so.
    pub note: Note,
}

/// How a build says what it is built upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// A statement beside each platform's image, in SLSA's version 1: BuildKit's
    /// way.
    ProvenanceV1,
    /// The same in version 0.2.
    ProvenanceV02,
    /// Annotations of the index.
    Annotations,
    /// Labels.
    Labels,
    /// It says nothing, and begins with the base's layers.
    Layers,
    /// It says nothing, and its layers are its own, as if it was squashed.
    Nothing,
}

impl Build {
    /// A build as most tests want it: two platforms and an index.
    pub fn new(repository: &str, kind: Kind, sha: &str, date: Date) -> Self {
        Self {
            repository: repository.to_owned(),
            kind,
            sha: sha.to_owned(),
            date,
            major: "16".to_owned(),
            platforms: vec![Platform::linux("amd64"), Platform::linux("arm64")],
            index: true,
            base: None,
            busybox: PathBuf::from("/bin/busybox"),
            ballast: 0,
        }
    }

    /// The tags in the order they are pushed: whoever sees the mutable one move
    /// finds the immutable ones there.
    pub fn tags(&self) -> [String; 3] {
        let Self { major, sha, .. } = self;
        [
            format!("{major}-{sha}"),
            format!("{major}-{}", self.date.strftime("%Y%m%d")),
            major.clone(),
        ]
    }
}

/// `linux/amd64`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Platform {
    os: String,
    architecture: String,
}

impl Platform {
    /// Linux on that architecture, in Go's words.
    pub fn linux(architecture: &str) -> Self {
        Self {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
        }
    }
}

impl FromStr for Platform {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((os, architecture)) if !os.is_empty() && !architecture.is_empty() => Ok(Self {
                os: os.to_owned(),
                architecture: architecture.to_owned(),
            }),
            _ => Err(format!("`{text}` is not of the form linux/amd64")),
        }
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.os, self.architecture)
    }
}

/// Where a build goes.
#[derive(Debug, Clone)]
pub struct Destination {
    /// `http://10.77.0.1:5000`.
    pub registry: String,
    /// For a registry that asks.
    pub login: Option<Login>,
}

/// A user and a password.
#[derive(Clone)]
pub struct Login {
    /// The user.
    pub username: String,
    /// Never shown.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Login({})", self.username)
    }
}

/// What was pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pushed {
    /// What the tags name: the index, or with no index the manifest.
    pub digest: String,
    /// In the order they were pushed.
    pub tags: Vec<String>,
    /// The manifest of each platform.
    pub manifests: BTreeMap<String, String>,
}

/// Why there is no build.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The file system of the image.
    #[error("cannot make a layer of {path}: {source}")]
    Layer {
        /// What was read.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A build for no platform at all.
    #[error("a build needs a platform")]
    NoPlatform,
    /// No answer.
    #[error("no answer from the registry")]
    Unreachable(#[from] reqwest::Error),
    /// Another answer than expected.
    #[error("{method} {url}: {status} {body}")]
    Refused {
        /// What was asked.
        method: String,
        /// Of whom.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the registry said about it.
        body: String,
    },
    /// An answer that makes no sense.
    #[error("the registry's answer has no usable {0}")]
    Incomplete(&'static str),
}

/// Makes the build and pushes it: blobs, manifests, index, and the tags last.
pub async fn push(build: &Build, destination: &Destination) -> Result<Pushed, BuildError> {
    let image = image::compose(build)?;
    let registry = upload::Repository::open(destination, &build.repository).await?;
    for blob in &image.blobs {
        registry.upload_blob(blob).await?;
    }
    for manifest in image.manifests.values().chain(&image.attestations) {
        registry.put_manifest(&manifest.digest, manifest).await?;
    }
    let tags = build.tags();
    for tag in &tags {
        registry.put_manifest(tag, &image.top).await?;
    }
    Ok(Pushed {
        digest: image.top.digest.clone(),
        tags: tags.into(),
        manifests: image
            .manifests
            .iter()
            .map(|(platform, manifest)| (platform.to_string(), manifest.digest.clone()))
            .collect(),
    })
}
