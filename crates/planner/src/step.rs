//! The steps of a plan: what is done, to what, and after what.
//!
//! Every choice is a literal value here (invariant 1): where to pull and from
//! whom, which labels a service gets. A step holds no secret.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use imgstack_spec::{
    Address, Digest, Endpoint, FailureAction, ImageName, ImageRef, NodeName, Platform, Probe,
    RegistryHost, Repository, RolloutSettings, ServiceName, Tag, UpdateOrder,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Leader;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Tells it from the others of its stack's plan.
    pub id: StepId,
    /// What it is done to.
    pub address: Address,
    /// What is done.
    pub action: Action,
    /// Steps of this plan that must have succeeded first.
    pub after: Vec<StepId>,
    /// Steps that come first by their place in the file alone: it does not wait
    /// for their success.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follows: Vec<StepId>,
    /// Why, for people. Nothing branches on it (invariant 4).
    pub reasons: Vec<String>,
}

/// What tells a step from the others of its stack's plan, and says what it
/// does: `update service.web`, `pull node.docker-infra-1 image.web`.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct StepId(String);

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Removes a service that a run which was killed had made for its pulls.
    RemoveLeftover(RemoveLeftover),
    /// Logs a node's own docker client in to a registry.
    LogIn(LogIn),
    /// Makes a node hold an image.
    PullImage(PullImage),
    /// Brings a service to another image.
    UpdateService(Box<UpdateService>),
    /// Gives a service other rollout settings, without a restart.
    AdjustService(AdjustService),
    /// Puts another credential into a service, without a restart.
    RotateCredential(RotateCredential),
    /// Removes an old build from a node.
    RemoveImage(RemoveImage),
}

/// What an action means for the thing that it is done to, as the closing line
/// of a plan counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It will be there and is not.
    Add,
    /// It will be changed in place.
    Change,
    /// It will go.
    Destroy,
}

/// The removal of a service of our own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemoveLeftover {
    /// Its name.
    pub service: ServiceName,
    /// Its ID, so that no other goes.
    pub service_id: String,
}

/// `docker login` on a node, for people who type `docker pull` there. Tasks do
/// not use it (facts on Swarm).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogIn {
    /// The node's hostname.
    pub node: NodeName,
    /// The node's ID, so that no other machine is logged in.
    pub node_id: String,
    /// How its engine is reached: over ssh.
    pub engine: Endpoint,
    /// Where it logs in.
    pub registry: RegistryHost,
    /// As whom.
    pub username: String,
    /// Which credential, by its fingerprint.
    pub credential: String,
    /// Whether another login stands there.
    pub replaces: bool,
}

/// The pull of one image on one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PullImage {
    /// The node's hostname.
    pub node: NodeName,
    /// The node's ID, so that it is this one that pulls.
    pub node_id: String,
    /// The image of the spec.
    pub image: ImageName,
    /// `repository:tag@digest`
    pub reference: ImageRef,
    /// Whether a service keeps that build, while the image follows another one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
    /// Who tells the node to pull.
    pub via: Via,
    /// What goes over the network at most, compressed, in bytes; layers that
    /// the node has are not fetched again. None: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// Who tells a node to pull.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Via {
    /// The node's own engine is asked.
    Engine(Endpoint),
    /// A manager places a task there whose node pulls and which then ends.
    Manager,
}

/// The update of one service. The patch touches these fields and no others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateService {
    /// The service's name, a key of [`StackPlan::seen`].
    ///
    /// [`StackPlan::seen`]: crate::StackPlan::seen
    pub service: ServiceName,
    /// `TaskTemplate.ContainerSpec.Image`
    pub image: Change<String>,
    /// `TaskTemplate.Placement.Platforms`, when they follow the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platforms: Option<Change<Vec<Platform>>>,
    /// Settings of `UpdateConfig`, which hold for this update already.
    #[serde(default, skip_serializing_if = "SettingsChange::is_empty")]
    pub settings: SettingsChange,
    /// Service labels `dev.imgstack.*`.
    pub labels: BTreeMap<String, Change<Option<String>>>,
    /// What the engine will restart.
    pub restarts: Restarts,
    /// Which comes first when a task is replaced.
    pub order: UpdateOrder,
    /// What the engine does when a new task fails.
    pub on_failure: FailureAction,
    /// How long a new task is watched, in milliseconds.
    pub monitor_ms: u64,
    /// How long the service may take to converge, in seconds.
    pub timeout_seconds: u64,
    /// What must hold before the service counts as rolled out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// What is asked just before it goes, where the leader of a group goes last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<Leader>,
}

/// Settings of a service's `UpdateConfig` that become others. All else of it
/// stays, and `RollbackConfig` is the service's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SettingsChange {
    /// `Order`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Change<UpdateOrder>>,
    /// `Parallelism`; 0 is all at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<Change<u64>>,
    /// `Monitor`, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitor_ms: Option<Change<u64>>,
    /// `FailureAction`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Change<FailureAction>>,
}

/// An update that changes rollout settings and nothing that tasks are made of:
/// none restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdjustService {
    /// The service's name, a key of [`StackPlan::seen`].
    ///
    /// [`StackPlan::seen`]: crate::StackPlan::seen
    pub service: ServiceName,
    /// The image of the service, which stays.
    pub image: String,
    /// What becomes of its settings.
    pub settings: SettingsChange,
    /// Whose credential it is to carry, where another one is due as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Repository>,
    /// Service labels `dev.imgstack.*`.
    pub labels: BTreeMap<String, Change<Option<String>>>,
}

/// An update that carries another credential and changes nothing else but
/// labels: no task restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RotateCredential {
    /// The service's name, a key of [`StackPlan::seen`].
    ///
    /// [`StackPlan::seen`]: crate::StackPlan::seen
    pub service: ServiceName,
    /// Whose credential the service is to carry.
    pub repository: Repository,
    /// The image of the service, which stays.
    pub image: String,
    /// Service labels `dev.imgstack.*`, the credential's fingerprint among them.
    pub labels: BTreeMap<String, Change<Option<String>>>,
}

/// The removal of one build of one repository from one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemoveImage {
    /// The node's hostname.
    pub node: NodeName,
    /// The node's ID, so that no other machine loses an image.
    pub node_id: String,
    /// How its engine is reached.
    pub engine: Endpoint,
    /// The repository. References of others to the same content stay.
    pub repository: Repository,
    /// The build.
    pub digest: Digest,
    /// Its tags on that node.
    pub tags: Vec<Tag>,
    /// On the node's disk, in bytes; layers that other images share stay.
    pub bytes: u64,
}

/// A value before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change<T> {
    /// What is there.
    pub from: T,
    /// What will be.
    pub to: T,
}

/// Tasks that a step restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Restarts {
    /// How many.
    pub tasks: u64,
    /// On which nodes, by hostname, as far as tasks are placed.
    pub nodes: Vec<NodeName>,
}

impl Step {
    /// A step, named after what it does.
    #[must_use]
    pub fn new(action: Action, after: Vec<StepId>, reasons: Vec<String>) -> Self {
        Self {
            id: action.id(),
            address: action.address(),
            action,
            after,
            follows: Vec::new(),
            reasons,
        }
    }
}

impl StepId {
    /// The update of that service.
    #[must_use]
    pub fn update(service: &ServiceName) -> Self {
        Self(format!("update service.{service}"))
    }

    /// The pull of that image on that node.
    #[must_use]
    pub fn pull(node: &NodeName, image: &ImageName) -> Self {
        Self(format!("pull node.{node} image.{image}"))
    }

    /// The pull on that node of a build that a service keeps, while the image
    /// follows another one.
    #[must_use]
    pub fn pull_kept(node: &NodeName, image: &ImageName, digest: &Digest) -> Self {
        Self(format!("pull node.{node} image.{image}@{digest}"))
    }
}

impl SettingsChange {
    /// Whether nothing becomes another.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What the service is to have, of what becomes another.
    #[must_use]
    pub fn wanted(&self) -> RolloutSettings {
        let monitor = self.monitor_ms.as_ref();
        RolloutSettings {
            order: self.order.as_ref().map(|it| it.to),
            parallelism: self.parallelism.as_ref().map(|it| it.to),
            monitor: monitor.map(|it| Duration::from_millis(it.to)),
            on_failure: self.on_failure.as_ref().map(|it| it.to),
        }
    }
}

impl PullImage {
    pub(crate) fn id(&self) -> StepId {
        match &self.reference.digest {
            Some(digest) if self.kept => StepId::pull_kept(&self.node, &self.image, digest),
            Some(_) | None => StepId::pull(&self.node, &self.image),
        }
    }
}

impl Action {
    /// What it does, in one word.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Self::LogIn(_) => "login",
            Self::PullImage(_) => "pull",
            Self::UpdateService(_) => "update",
            Self::AdjustService(_) => "adjust",
            Self::RotateCredential(_) => "rotate",
            Self::RemoveImage(_) | Self::RemoveLeftover(_) => "remove",
        }
    }

    /// What it is done to.
    #[must_use]
    pub fn address(&self) -> Address {
        match self {
            Self::LogIn(LogIn { node, .. })
            | Self::PullImage(PullImage { node, .. })
            | Self::RemoveImage(RemoveImage { node, .. }) => Address::Node(node.clone()),
            Self::UpdateService(update) => Address::Service(update.service.clone()),
            Self::AdjustService(adjust) => Address::Service(adjust.service.clone()),
            Self::RotateCredential(rotate) => Address::Service(rotate.service.clone()),
            Self::RemoveLeftover(left) => Address::Service(left.service.clone()),
        }
    }

    /// What it means for that thing.
    #[must_use]
    pub fn effect(&self) -> Effect {
        match self {
            Self::LogIn(LogIn { replaces: true, .. })
            | Self::UpdateService(_)
            | Self::AdjustService(_)
            | Self::RotateCredential(_) => Effect::Change,
            Self::LogIn(_) | Self::PullImage(_) => Effect::Add,
            Self::RemoveImage(_) | Self::RemoveLeftover(_) => Effect::Destroy,
        }
    }

    fn id(&self) -> StepId {
        match self {
            Self::UpdateService(update) => StepId::update(&update.service),
            Self::PullImage(pull) => pull.id(),
            Self::RemoveLeftover(left) => StepId(format!("remove service.{}", left.service)),
            Self::AdjustService(adjust) => StepId(format!("adjust service.{}", adjust.service)),
            Self::RotateCredential(rotate) => StepId(format!("rotate service.{}", rotate.service)),
            Self::LogIn(login) => StepId(format!(
                "login node.{} registry.{}",
                login.node, login.registry
            )),
            Self::RemoveImage(remove) => StepId(format!(
                "remove node.{} {}@{}",
                remove.node, remove.repository, remove.digest
            )),
        }
    }

    /// The labels that it sets on a service.
    pub(crate) fn labels_mut(&mut self) -> Option<&mut BTreeMap<String, Change<Option<String>>>> {
        match self {
            Self::UpdateService(update) => Some(&mut update.labels),
            Self::AdjustService(adjust) => Some(&mut adjust.labels),
            Self::RotateCredential(rotate) => Some(&mut rotate.labels),
            Self::LogIn(_)
            | Self::PullImage(_)
            | Self::RemoveImage(_)
            | Self::RemoveLeftover(_) => None,
        }
    }

    /// The update that brings a service to another image, if it is one.
    #[must_use]
    pub fn update(&self) -> Option<&UpdateService> {
        match self {
            Self::UpdateService(update) => Some(update),
            Self::RemoveLeftover(_)
            | Self::LogIn(_)
            | Self::PullImage(_)
            | Self::AdjustService(_)
            | Self::RotateCredential(_)
            | Self::RemoveImage(_) => None,
        }
    }

    /// The service that it changes.
    #[must_use]
    pub fn service(&self) -> Option<&ServiceName> {
        match self {
            Self::UpdateService(update) => Some(&update.service),
            Self::AdjustService(adjust) => Some(&adjust.service),
            Self::RotateCredential(rotate) => Some(&rotate.service),
            Self::LogIn(_)
            | Self::PullImage(_)
            | Self::RemoveImage(_)
            | Self::RemoveLeftover(_) => None,
        }
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Restarts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.tasks == 1 { "task" } else { "tasks" };
        write!(f, "{} {noun}", self.tasks)?;
        if self.nodes.is_empty() {
            return Ok(());
        }
        let nodes: Vec<&str> = self.nodes.iter().map(NodeName::as_str).collect();
        write!(f, " on {}", nodes.join(", "))
    }
}
