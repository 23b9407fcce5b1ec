//! Nodes of the cluster, and what their own engines say.

use std::collections::BTreeMap;

use imgstack_spec::{ByteSize, Digest, Endpoint, Platform, RegistryHost, Repository, Tag};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Known;

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedNode {
    /// The node's ID.
    pub id: String,
    /// What it runs, in OCI's words.
    pub platform: Platform,
    /// Whether its engine answers the manager.
    pub ready: bool,
    /// Whether tasks may be placed on it.
    pub availability: Availability,
    /// What its own engine says; None where the spec names no way to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<Known<ObservedEngine>>,
    /// `nodes.minimumFreeDisk` of the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_free_disk: Option<ByteSize>,
}

/// Whether tasks may be placed on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Availability {
    /// Yes.
    Active,
    /// No new ones.
    Pause,
    /// None; those that were there are moved.
    Drain,
}

/// What a node's own engine says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedEngine {
    /// How it was reached.
    pub endpoint: Endpoint,
    /// The builds that it holds, of the repositories of the stack.
    pub images: BTreeMap<Repository, Vec<StoredBuild>>,
    /// The file system of its data root.
    pub disk: Known<Disk>,
    /// `docker login` there, for the registries with a credential, where the
    /// spec asks for it.
    pub logins: BTreeMap<RegistryHost, Known<LoginState>>,
}

/// A build on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredBuild {
    /// As `RepoDigests` has it.
    pub digest: Digest,
    /// Its tags there, of the same repository.
    pub tags: Vec<Tag>,
    /// On the disk, unpacked, in bytes.
    pub bytes: u64,
    /// When it was built, by its configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// Whether a container there, running or not, was made from it.
    pub in_use: bool,
}

/// The file system of an engine's data root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Disk {
    /// What is free for the engine, in bytes.
    pub free: u64,
    /// All of it, in bytes.
    pub total: u64,
}

/// Who a node's docker client is at a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LoginState {
    /// Nobody.
    None,
    /// Somebody with another credential.
    Other,
    /// The credential of the spec.
    Same,
}

impl ObservedNode {
    /// Whether tasks may be placed on it now.
    #[must_use]
    pub fn takes_tasks(&self) -> bool {
        self.ready && self.availability == Availability::Active
    }
}
