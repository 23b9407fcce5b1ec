//! Services of the cluster and their tasks.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_spec::{FailureAction, ImageRef, NodeName, Platform, UpdateOrder};
use serde::{Deserialize, Serialize};

use crate::plan::Seen;

/// A service of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedService {
    /// What binds a plan to this state of the service.
    pub seen: Seen,
    /// The image in the service's spec, as it is written there.
    pub image: String,
    /// `Placement.Platforms`; empty when the service has none.
    pub platforms: Vec<Platform>,
    /// The service labels that begin with `dev.imgstack.`.
    pub labels: BTreeMap<String, String>,
    /// Replicated, global or a job.
    pub mode: ServiceMode,
    /// How the engine rolls an update out.
    pub update: UpdateSettings,
    /// The engine's word on the last update.
    pub update_status: Option<UpdateStatus>,
    /// The tasks that are meant to run.
    pub tasks: Vec<ObservedTask>,
    /// How many tasks there should be.
    pub desired: u64,
    /// Why the latest task that asked for what the service asks for did not
    /// last, in the engine's words.
    pub failure: Option<String>,
    /// The nodes, by hostname, that the service's constraints allow, whatever
    /// their state and platform.
    pub allowed_nodes: BTreeSet<NodeName>,
}

impl ObservedService {
    /// What it asks for and what its tasks run; None for what names no image.
    pub fn references(&self) -> impl Iterator<Item = Option<ImageRef>> {
        let tasks = self.tasks.iter().map(|task| &task.image);
        let written = tasks.chain([&self.image]);
        written.map(|image| image.parse().ok())
    }
}

/// A service's mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ServiceMode {
    /// A number of tasks.
    Replicated(u64),
    /// One task a node.
    Global,
    /// Runs to an end; an update runs it again.
    Job,
}

/// The engine's update settings, its defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateSettings {
    /// Tasks at once; 0 is all of them.
    pub parallelism: u64,
    /// Which comes first.
    pub order: UpdateOrder,
    /// How long a new task is watched for failure, in milliseconds.
    pub monitor_ms: u64,
    /// What the engine does when tasks fail.
    pub on_failure: FailureAction,
}

/// `UpdateStatus` of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateStatus {
    /// Where the last update stands.
    pub state: UpdateState,
    /// The engine's words.
    pub message: String,
}

/// `UpdateStatus.State`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateState {
    /// Tasks are being replaced.
    Updating,
    /// Stopped after a failure.
    Paused,
    /// Done.
    Completed,
    /// Going back.
    RollbackStarted,
    /// Stopped while going back.
    RollbackPaused,
    /// Went back.
    RollbackCompleted,
    /// A word this version does not know.
    Unknown,
}

/// A task that is meant to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedTask {
    /// The task's ID.
    pub id: String,
    /// Hostname of its node; None while it has none.
    pub node: Option<NodeName>,
    /// The image it was created with: the truth about what runs.
    pub image: String,
    /// The engine's word for its state, such as `running`.
    pub state: String,
    /// Whether it runs on a node that answers the manager.
    pub running: bool,
    /// What it waits for, in the engine's words.
    pub error: Option<String>,
    /// Whether it was made from what the service asks for now, to the last
    /// field.
    pub as_asked: bool,
}
