//! The observed world, as far as one stack needs it.

use std::collections::BTreeMap;

use imgstack_spec::{Digest, ImageName, ImageRef, Platform, RegistryHost, ServiceName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::plan::Seen;
use crate::{Known, Observed, Trouble};

/// What was observed for one stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    /// The cluster's ID, if a manager answered.
    pub cluster: Known<String>,
    /// How the manager was found, in words: "ssh://root@m1, from spec.swarm.endpoint".
    pub endpoint: String,
    /// Each image of the stack.
    pub images: BTreeMap<ImageName, ObservedImage>,
    /// Facts of builds that run or are wanted, by digest. A build that is
    /// missing here was not asked for.
    pub builds: BTreeMap<Digest, Known<Build>>,
    /// Every service of the cluster that the stack names, or that carries its label.
    pub services: Known<BTreeMap<ServiceName, ObservedService>>,
    /// Names of all services of the cluster, to suggest the nearest.
    pub service_names: Vec<String>,
    /// The cluster's nodes, by hostname.
    pub nodes: Known<BTreeMap<String, ObservedNode>>,
    /// What a registry's answers gave cause to warn of.
    pub warnings: Vec<RegistryWarning>,
}

/// What worked at a registry and still wants attention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryWarning {
    /// The registry.
    pub host: RegistryHost,
    /// Whether a credential was refused; otherwise a place where credentials
    /// are looked for could not be read.
    pub refused: bool,
    /// What and why.
    pub trouble: Trouble,
}

impl Inventory {
    /// Facts of a build, if they were asked for and answered.
    #[must_use]
    pub fn build(&self, digest: &Digest) -> Option<&Build> {
        match self.builds.get(digest)? {
            Known::Known(build) => Some(build),
            Known::Unknown(_) => None,
        }
    }
}

/// The image of the spec, as its registry has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedImage {
    /// What was asked for: repository with the tag, or with the pin.
    pub reference: ImageRef,
    /// The index digest that the registry answered.
    pub digest: Observed<Digest>,
}

/// Facts of one build, from its index, manifests and config. They never
/// change for a digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Build {
    /// What it runs on; attestations left out.
    pub platforms: Vec<Platform>,
    /// When it was built, by its config or annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// `org.opencontainers.image.revision`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// `org.opencontainers.image.version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

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

/// Whether the old task stops before the new one starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateOrder {
    /// The old one stops first.
    StopFirst,
    /// The new one starts first.
    StartFirst,
}

/// What the engine does when an update fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FailureAction {
    /// Stops and leaves things as they are: the engine's default.
    Pause,
    /// Goes on.
    Continue,
    /// Goes back to the previous spec.
    Rollback,
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
    pub node: Option<String>,
    /// The image it was created with: the truth about what runs.
    pub image: String,
    /// The engine's word for its state, such as `running`.
    pub state: String,
    /// Whether it runs on a node that answers the manager.
    pub running: bool,
    /// What it waits for, in the engine's words.
    pub error: Option<String>,
}

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
    /// Whether tasks may be placed on it (availability `active`).
    pub active: bool,
}
