//! What a builder would push: one image for several platforms.
//!
//! A build is described, not built: its layers have the sizes that the
//! description says, while the registry holds a few bytes of each.

use std::collections::BTreeMap;

use imgstack_spec::Platform;
use jiff::Timestamp;

use crate::Behaviour;

/// One build. The same one has the same digest.
#[derive(Clone, Debug)]
pub struct Build {
    /// Without the registry: `acme/db`.
    pub repository: String,
    /// The commit that it was made from.
    pub sha: String,
    /// When it was made.
    pub created: Timestamp,
    /// The version that its maker gave it.
    pub version: Option<String>,
    /// Where its source is, such as a repository's URL.
    pub source: Option<String>,
    /// What it runs on. Several, or one with `index`, are listed by an index.
    pub platforms: Vec<Platform>,
    /// Whether a single platform is listed by an index, too.
    pub index: bool,
    /// What it was built upon: its layers come first.
    pub base: Option<Base>,
    /// Its own layers. Their content depends on `repository`, `sha` and the
    /// platform, not on the date.
    pub layers: Vec<Layer>,
    /// Labels beside those that the rest of the description makes.
    pub labels: BTreeMap<String, String>,
    /// What a container of it does.
    pub behaviour: Behaviour,
    /// Whether it has a healthcheck.
    pub healthcheck: bool,
    /// Whether each platform has an attestation that names the base, as
    /// BuildKit adds it. Only within an index.
    pub provenance: bool,
}

/// A base image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// As a Dockerfile has it: `postgres:16-alpine`.
    pub name: String,
    /// What that led to when the build was made.
    pub digest: String,
    /// Its layers. Builds upon the same base share them.
    pub layers: Vec<Layer>,
}

/// The sizes of one layer, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// In the registry and on the network.
    pub compressed: u64,
    /// On the disk.
    pub unpacked: u64,
}

/// What was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// What the tags lead to: the index, or without one the manifest.
    pub digest: String,
    /// The manifest of each platform.
    pub manifests: BTreeMap<Platform, String>,
}

impl Build {
    /// A build as most worlds want it: for `linux/amd64` and `linux/arm64`,
    /// 95 MB to download, healthy, without a base.
    #[must_use]
    pub fn new(repository: &str, sha: &str, created: Timestamp) -> Self {
        Self {
            repository: repository.to_owned(),
            sha: sha.to_owned(),
            created,
            version: None,
            source: None,
            platforms: vec![linux("amd64"), linux("arm64")],
            index: true,
            base: None,
            layers: vec![
                Layer {
                    compressed: 83_000_000,
                    unpacked: 221_000_000,
                },
                Layer {
                    compressed: 12_000_000,
                    unpacked: 41_000_000,
                },
            ],
            labels: BTreeMap::new(),
            behaviour: Behaviour::default(),
            healthcheck: true,
            provenance: false,
        }
    }
}

/// Linux on that architecture.
fn linux(architecture: &str) -> Platform {
    Platform {
        os: "linux".to_owned(),
        architecture: architecture.to_owned(),
        variant: None,
    }
}
