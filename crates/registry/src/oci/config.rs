//! An image's config: what it runs on, when it was made, and what it says of
//! itself.

use std::collections::BTreeMap;

use imgstack_spec::{Digest, Platform, Repository};
use serde::Deserialize;
use serde_json::Value;

use super::error::Error;

/// What docker's classic builder notes of the container that it built in.
const NOTES: [&str; 3] = ["Hostname", "Domainname", "Image"];

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
    /// What a container of it is started with: environment, command, user and
    /// the like, as far as there is something. Without the labels, and without
    /// what builders note of their own work.
    pub runtime: BTreeMap<String, Value>,
    /// The steps that it was made by, the base's first, in the builder's words.
    pub history: Vec<String>,
}

// Not oci-spec's type: it wants fields that images in the wild leave out, such
// as `history[].created` in the right form, of which nothing is needed here.
#[derive(Deserialize)]
struct Document {
    created: Option<String>,
    os: String,
    architecture: String,
    variant: Option<String>,
    config: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    rootfs: Layers,
    history: Option<Vec<Step>>,
}

#[derive(Deserialize)]
struct Step {
    created_by: Option<String>,
}

type Labels = Option<BTreeMap<String, Option<String>>>;

#[derive(Default, Deserialize)]
struct Layers {
    diff_ids: Option<Vec<Digest>>,
}

impl ImageConfig {
    /// Reads a content whose digest has been checked.
    pub(crate) fn read(repository: &Repository, content: &[u8]) -> Result<Self, Error> {
        let malformed = |_| {
            let cause = format!("sends a config of {repository} that cannot be read");
            Error::protocol(repository.host(), cause)
        };
        let document: Document = serde_json::from_slice(content).map_err(malformed)?;
        let mut runtime = document.config.unwrap_or_default();
        let labels = runtime.remove("Labels").unwrap_or_default();
        let labels: Labels = serde_json::from_value(labels).map_err(malformed)?;
        runtime.retain(|key, value| !NOTES.contains(&key.as_str()) && says_something(value));
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
            runtime,
            history: document
                .history
                .unwrap_or_default()
                .into_iter()
                .map(|step| step.created_by.unwrap_or_default())
                .collect(),
        })
    }
}

/// Some builders write what is empty, and others leave it out.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(it) => *it,
        Value::Number(it) => it.as_i64() != Some(0),
        Value::String(it) => !it.is_empty(),
        Value::Array(it) => !it.is_empty(),
        Value::Object(it) => !it.is_empty(),
    }
}
