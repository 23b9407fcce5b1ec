//! An image's config: what it runs on, when it was made, and what it says of
//! itself.

use std::collections::BTreeMap;

use imgstack_spec::{Digest, Platform, Repository};
use serde::Deserialize;

use super::error::Error;

/// The facts of an image's config that a plan is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageConfig {
    /// When it was made, in RFC 3339, as the builder wrote it. May be the
    /// epoch when the build is reproducible.
    pub created: Option<String>,
    /// Labels, those of the base image included.
    pub labels: BTreeMap<String, String>,
    /// What it runs on.
    pub platform: Platform,
    /// The digests of the layers, uncompressed, the base's first.
    pub diff_ids: Vec<Digest>,
}

// Not oci-spec's type: it wants fields that images in the wild leave out, such
// as `history[].created` in the right form, of which nothing is needed here.
#[derive(Deserialize)]
struct Document {
    created: Option<String>,
    os: String,
    architecture: String,
    variant: Option<String>,
    config: Option<Runtime>,
    #[serde(default)]
    rootfs: Layers,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Runtime {
    labels: Option<BTreeMap<String, Option<String>>>,
}

#[derive(Default, Deserialize)]
struct Layers {
    diff_ids: Option<Vec<Digest>>,
}

impl ImageConfig {
    /// Reads a content whose digest has been checked.
    pub(crate) fn read(repository: &Repository, content: &[u8]) -> Result<Self, Error> {
        let document: Document = serde_json::from_slice(content).map_err(|_| {
            let cause = format!("sends a config of {repository} that cannot be read");
            Error::protocol(repository.host(), cause)
        })?;
        let labels = document.config.and_then(|config| config.labels);
        Ok(Self {
            created: document.created.filter(|created| !created.is_empty()),
            labels: labels
                .unwrap_or_default()
                .into_iter()
                .map(|(name, value)| (name, value.unwrap_or_default()))
                .collect(),
            platform: Platform {
                os: document.os,
                architecture: document.architecture,
                variant: document.variant.filter(|variant| !variant.is_empty()),
            },
            diff_ids: document.rootfs.diff_ids.unwrap_or_default(),
        })
    }
}
