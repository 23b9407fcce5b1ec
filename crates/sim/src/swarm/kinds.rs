//! What goes in and comes out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::{Credential, Image};

/// An error as the Engine API answers it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// The engine's words.
    pub message: String,
}

/// What a node may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Has the cluster's state.
    Manager,
    /// Runs tasks.
    #[default]
    Worker,
}

/// A node to be.
#[derive(Clone, Debug)]
pub struct NodeSetup {
    /// Its name.
    pub hostname: String,
    /// Manager or worker.
    pub role: Role,
    /// Labels of the node in the Swarm.
    pub labels: BTreeMap<String, String>,
    /// Labels of the engine.
    pub engine_labels: BTreeMap<String, String>,
    /// `linux`
    pub os: String,
    /// `x86_64` or `aarch64`, as nodes say it; `amd64` and `arm64` will do.
    pub architecture: String,
    /// `20.10.24`
    pub engine_version: String,
    /// `10.0.0.11`
    pub address: String,
    /// Cores, in billionths.
    pub nano_cpus: i64,
    /// Memory.
    pub memory_bytes: i64,
    /// The disk for images.
    pub disk_bytes: u64,
    /// How fast it pulls.
    pub bandwidth_bytes_per_s: u64,
}

impl Default for NodeSetup {
    fn default() -> Self {
        Self {
            hostname: "node-1".to_owned(),
            role: Role::default(),
            labels: BTreeMap::new(),
            engine_labels: BTreeMap::new(),
            os: "linux".to_owned(),
            architecture: "x86_64".to_owned(),
            engine_version: "29.7.0".to_owned(),
            address: "10.0.0.11".to_owned(),
            nano_cpus: 8_000_000_000,
            memory_bytes: 16 << 30,
            disk_bytes: 64 << 30,
            bandwidth_bytes_per_s: 100 << 20,
        }
    }
}

/// A change of a service.
#[derive(Clone, Debug, Default)]
pub struct ServiceUpdate {
    /// The version that is changed.
    pub version: u64,
    /// The whole new spec.
    pub spec: Value,
    /// A new credential; None keeps one.
    pub auth: Option<Credential>,
    /// Without a new credential: keep that of the previous spec.
    pub auth_from_previous: bool,
    /// Back to the previous spec; `spec` is not looked at but checked.
    pub rollback: bool,
}

/// A pull that was begun.
#[derive(Clone, Debug, PartialEq)]
pub struct PullTicket {
    /// What is pulled.
    pub image: Image,
    /// When it is there.
    pub done_at: Timestamp,
    /// What the network carries: 0 where the image was present.
    pub total_bytes: u64,
}

/// A container on a node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeContainer {
    /// The task that it is of, as the Engine API has it.
    pub task: Value,
    /// The name of that task's service.
    pub service: String,
    /// What it was made from; None if that was never there.
    pub image: Option<Image>,
}

/// A line of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// Otherwise stdout.
    pub stderr: bool,
    /// Without its line end.
    pub text: String,
}
