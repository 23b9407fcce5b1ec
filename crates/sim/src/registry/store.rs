//! What a registry holds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::access::User;
use super::tokens::Granted;

/// Everything that changes.
#[derive(Default)]
pub(super) struct State {
    pub(super) repositories: BTreeMap<String, Shelf>,
    /// By digest, of all repositories.
    pub(super) blobs: BTreeMap<String, Blob>,
    pub(super) uploads: BTreeMap<String, Bytes>,
    /// Repositories that need no login to be read, existing or not.
    pub(super) public: BTreeSet<String>,
    /// By name.
    pub(super) users: BTreeMap<String, User>,
    pub(super) tokens: BTreeMap<String, Granted>,
    /// Where the token server is said to be; None: where the request went to.
    pub(super) base_url: Option<String>,
    pub(super) off: bool,
    /// So many requests are still to be answered with a 429.
    pub(super) throttled: usize,
    /// The GETs of manifests by caller.
    pub(super) pulls: BTreeMap<String, VecDeque<Timestamp>>,
    /// Counts requests, tokens and uploads, so that each has its own name.
    serial: u64,
}

/// One repository.
#[derive(Default)]
pub(super) struct Shelf {
    /// By digest.
    pub(super) manifests: BTreeMap<String, Manifest>,
    pub(super) tags: BTreeMap<String, Tag>,
    /// The digests of the blobs that were pushed here.
    pub(super) blobs: BTreeSet<String>,
}

/// A manifest or an index.
pub(super) struct Manifest {
    pub(super) media_type: String,
    pub(super) bytes: Bytes,
    pub(super) pushed: Timestamp,
    /// Its place in the order of pushes.
    pub(super) serial: u64,
}

pub(super) struct Tag {
    pub(super) digest: String,
    /// What is said to be the digest, where that is wrong.
    pub(super) lie: Option<String>,
    /// Its place in the order in which tags were first pushed.
    pub(super) serial: u64,
}

/// A blob. Layers of simulated builds are not as large as they say.
#[derive(Clone)]
pub(super) struct Blob {
    pub(super) bytes: Bytes,
    /// Its size, as manifests have it.
    pub(super) size: u64,
    /// On a node's disk; None: nobody said, so it is estimated.
    pub(super) unpacked: Option<u64>,
}

impl State {
    pub(super) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// Whether the repository has anything.
    pub(super) fn exists(&self, name: &str) -> bool {
        let shelf = self.repositories.get(name);
        shelf.is_some_and(|shelf| !shelf.manifests.is_empty())
    }

    /// Keeps a blob in a repository, under a digest that was checked.
    pub(super) fn keep_blob(&mut self, name: &str, digest: &str, blob: Blob) {
        let shelf = self.repositories.entry(name.to_owned()).or_default();
        shelf.blobs.insert(digest.to_owned());
        self.blobs.entry(digest.to_owned()).or_insert(blob);
    }

    pub(super) fn blob(&self, name: &str, digest: &str) -> Option<&Blob> {
        let shelf = self.repositories.get(name)?;
        let here = shelf.blobs.contains(digest);
        self.blobs.get(digest).filter(|_| here)
    }

    /// Keeps a manifest; its digest. A second push of the same changes nothing.
    pub(super) fn keep_manifest(
        &mut self,
        name: &str,
        media_type: &str,
        bytes: Bytes,
        pushed: Timestamp,
    ) -> String {
        let (digest, serial) = (sha256(&bytes), self.next_serial());
        let shelf = self.repositories.entry(name.to_owned()).or_default();
        let manifest = Manifest {
            media_type: media_type.to_owned(),
            bytes,
            pushed,
            serial,
        };
        shelf.manifests.entry(digest.clone()).or_insert(manifest);
        digest
    }

    /// Points a tag at a digest. A tag that moves keeps its place.
    pub(super) fn point(&mut self, name: &str, tag: &str, digest: &str) {
        let serial = self.next_serial();
        let shelf = self.repositories.entry(name.to_owned()).or_default();
        let tag = shelf.tags.entry(tag.to_owned()).or_insert_with(|| Tag {
            digest: String::new(),
            lie: None,
            serial,
        });
        digest.clone_into(&mut tag.digest);
        tag.lie = None;
    }
}

impl Shelf {
    /// What a tag or a digest leads to: the digest told, and the manifest.
    pub(super) fn find(&self, reference: &str) -> Option<(&str, &Manifest)> {
        if let Some((digest, manifest)) = self.manifests.get_key_value(reference) {
            return Some((digest, manifest));
        }
        let tag = self.tags.get(reference)?;
        let told = tag.lie.as_deref().unwrap_or(&tag.digest);
        Some((told, self.manifests.get(&tag.digest)?))
    }

    /// Removes a manifest and the tags that lead to it; whether it was there.
    pub(super) fn remove(&mut self, digest: &str) -> bool {
        self.tags.retain(|_, tag| tag.digest != digest);
        self.manifests.remove(digest).is_some()
    }
}

impl Manifest {
    /// The content. What was let in is JSON.
    pub(super) fn content(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }
}

/// `sha256:…`
pub(super) fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
