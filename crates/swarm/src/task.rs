//! Tasks: the truth about what runs where.
//!
//! Read with a model of our own that knows a dozen fields. The full model
//! would refuse the whole list for one word in one task's spec that it does
//! not know.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::{NodeId, ServiceId, TaskId};

/// One attempt to run one container of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Identifier.
    pub id: TaskId,
    /// The service that it belongs to.
    pub service_id: ServiceId,
    /// Its place from 1 to the number of replicas; None in a global service.
    pub slot: Option<u64>,
    /// Where it was placed. None while it is pending.
    pub node_id: Option<NodeId>,
    /// What it was made with: `Spec.ContainerSpec.Image`.
    pub image: String,
    /// What it was made with: `Spec.ForceUpdate`.
    pub force_update: u64,
    /// What it was made with: `Spec.Placement`, as the engine has it. The Swarm
    /// leaves a task alone whose service has other rules by now.
    pub placement: Value,
    /// How far it got.
    pub state: TaskState,
    /// How far it is meant to get. Beyond [`TaskState::Running`] it is on its
    /// way out, or history.
    pub desired_state: TaskState,
    /// When `state` was reached, by the clock of its node.
    pub timestamp: Option<Timestamp>,
    /// When the task was made, by the clock of the leader.
    pub created_at: Option<Timestamp>,
    /// What it is doing, in Swarm's words.
    pub message: String,
    /// What went wrong, in Swarm's or the node's words.
    pub err: Option<String>,
    /// What its process ended with.
    pub exit_code: Option<i64>,
    /// The container on its node, once there is one.
    pub container_id: Option<String>,
    /// `Version.Index` of the task itself.
    pub version: u64,
}

impl Task {
    /// Whether Swarm still wants it: not history, not on its way out.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.desired_state <= TaskState::Running
    }

    /// Whether there may be a container of it: it has not ended.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.state <= TaskState::Running
    }

    /// The name in docker's tables: `web.1`, or with the node's identifier in
    /// a global service.
    #[must_use]
    pub fn name(&self, service: &str) -> String {
        match (self.slot, &self.node_id) {
            (Some(slot), _) => format!("{service}.{slot}"),
            (None, Some(node)) => format!("{service}.{node}"),
            (None, None) => format!("{service}.{}", self.id.short()),
        }
    }
}

/// How far a task got, in the order in which swarmkit counts: a task only ever
/// moves forward. Source: swarmkit `api/types.proto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskState {
    /// A word that this version does not know.
    Unknown,
    /// Made.
    New,
    /// Has its network addresses; no longer told apart from pending.
    Allocated,
    /// Waits for a node.
    Pending,
    /// Has a node.
    Assigned,
    /// The node took it.
    Accepted,
    /// The node pulls the image.
    Preparing,
    /// May start as soon as Swarm says so.
    Ready,
    /// The container starts, or is not healthy yet.
    Starting,
    /// The container runs, and was healthy once if there is a healthcheck.
    Running,
    /// Ended with status 0.
    Complete,
    /// Stopped because Swarm wanted it.
    Shutdown,
    /// Ended by itself with another status, or was unhealthy.
    Failed,
    /// The node could not make it: image, mounts, networks.
    Rejected,
    /// Its service is being removed.
    Remove,
    /// Its node has been gone for too long.
    Orphaned,
}

impl TaskState {
    /// Reads the engine's word.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "new" => Self::New,
            "allocated" => Self::Allocated,
            "pending" => Self::Pending,
            "assigned" => Self::Assigned,
            "accepted" => Self::Accepted,
            "preparing" => Self::Preparing,
            "ready" => Self::Ready,
            "starting" => Self::Starting,
            "running" => Self::Running,
            "complete" => Self::Complete,
            "shutdown" => Self::Shutdown,
            "failed" => Self::Failed,
            "rejected" => Self::Rejected,
            "remove" => Self::Remove,
            "orphaned" => Self::Orphaned,
            _ => Self::Unknown,
        }
    }

    /// The engine's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::New => "new",
            Self::Allocated => "allocated",
            Self::Pending => "pending",
            Self::Assigned => "assigned",
            Self::Accepted => "accepted",
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Shutdown => "shutdown",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Remove => "remove",
            Self::Orphaned => "orphaned",
        }
    }
}

impl std::fmt::Display for TaskState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// `GET /tasks`, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct WireTask {
    #[serde(rename = "ID")]
    id: String,
    version: Option<WireVersion>,
    created_at: Option<String>,
    spec: Option<WireSpec>,
    #[serde(rename = "ServiceID")]
    service_id: String,
    slot: Option<u64>,
    #[serde(rename = "NodeID")]
    node_id: Option<String>,
    status: Option<WireStatus>,
    desired_state: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WireVersion {
    index: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WireSpec {
    container_spec: Option<WireContainerSpec>,
    force_update: Option<u64>,
    placement: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WireContainerSpec {
    image: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WireStatus {
    timestamp: Option<String>,
    state: Option<String>,
    message: Option<String>,
    err: Option<String>,
    container_status: Option<WireContainerStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WireContainerStatus {
    #[serde(rename = "ContainerID")]
    container_id: Option<String>,
    exit_code: Option<i64>,
}

impl From<WireTask> for Task {
    fn from(wire: WireTask) -> Self {
        let status = wire.status.unwrap_or_default();
        let spec = wire.spec.unwrap_or_default();
        let container = status.container_status.unwrap_or_default();
        let state = TaskState::from_word(status.state.as_deref().unwrap_or_default());
        Self {
            id: TaskId::new(wire.id),
            service_id: ServiceId::new(wire.service_id),
            slot: wire.slot.filter(|slot| *slot > 0),
            node_id: wire.node_id.filter(|id| !id.is_empty()).map(NodeId::new),
            image: spec
                .container_spec
                .and_then(|spec| spec.image)
                .unwrap_or_default(),
            force_update: spec.force_update.unwrap_or(0),
            placement: spec.placement,
            state,
            desired_state: TaskState::from_word(wire.desired_state.as_deref().unwrap_or_default()),
            timestamp: status.timestamp.and_then(|time| time.parse().ok()),
            created_at: wire.created_at.and_then(|time| time.parse().ok()),
            message: status.message.unwrap_or_default(),
            err: status.err.filter(|err| !err.is_empty()),
            // Until the process has ended, the engine writes a 0 that means nothing.
            exit_code: container.exit_code.filter(|_| state > TaskState::Running),
            container_id: container.container_id.filter(|id| !id.is_empty()),
            version: wire.version.unwrap_or_default().index,
        }
    }
}
