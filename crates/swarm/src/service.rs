//! A service as the engine sent it, with readers for the few fields that
//! matter here.
//!
//! It stays raw JSON (see [`crate::patch`] for the reason), so every reader
//! copes with fields that are missing, null or of another type.

use std::collections::BTreeMap;
use std::time::Duration;

use imgstack_spec::{FailureAction, Platform, UpdateOrder};
use jiff::Timestamp;
use serde_json::Value;

use crate::{ServiceId, Task};

/// One service, as `GET /services` gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct RawService(Value);

/// How many tasks a service wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceMode {
    /// That many tasks, wherever they fit.
    Replicated(u64),
    /// One task on each eligible node.
    Global,
    /// Tasks that end. Not managed by rollouts.
    ReplicatedJob,
    /// One task that ends on each eligible node. Not managed by rollouts.
    GlobalJob,
}

/// How Swarm rolls a service out, with the engine's defaults filled in.
/// Source of the defaults: swarmkit `api/defaults/service.go`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UpdateConfig {
    /// Tasks updated at a time; 0 means all at once.
    pub parallelism: u64,
    /// Pause between batches.
    pub delay: Duration,
    /// Whether the new task starts before the old one stops.
    pub order: UpdateOrder,
    /// How long a new task must run before it counts as good.
    pub monitor: Duration,
    /// What Swarm does when too many new tasks fail.
    pub failure_action: FailureAction,
    /// The share of failed tasks that is still accepted, from 0 to 1.
    pub max_failure_ratio: f64,
}

/// `UpdateStatus`: what Swarm's updater says about the latest update. Absent
/// until the updater notices, and for good when no task had to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateStatus {
    /// Where it stands.
    pub state: UpdateState,
    /// In Swarm's words.
    pub message: String,
    /// When this update began, by the leader's clock.
    pub started_at: Option<Timestamp>,
    /// When it completed, by the leader's clock.
    pub completed_at: Option<Timestamp>,
}

/// `UpdateStatus.State`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateState {
    /// Under way.
    Updating,
    /// Stopped by a failure, with `failure_action: pause`.
    Paused,
    /// Every task was replaced, and each was watched for `monitor`.
    Completed,
    /// Going back after a failure.
    RollbackStarted,
    /// Going back failed, too.
    RollbackPaused,
    /// Gone back to the previous spec: the update failed. Some of its tasks may
    /// still be starting, or waiting for their restart.
    RollbackCompleted,
    /// A word that this version does not know.
    Unknown,
}

impl UpdateState {
    /// Reads the engine's word, as in `UpdateStatus.State` and in the
    /// `updatestate.new` of an event.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "updating" => Self::Updating,
            "paused" => Self::Paused,
            "completed" => Self::Completed,
            "rollback_started" => Self::RollbackStarted,
            "rollback_paused" => Self::RollbackPaused,
            "rollback_completed" => Self::RollbackCompleted,
            _ => Self::Unknown,
        }
    }

    /// Whether the update has failed, or is on its way back because it failed.
    #[must_use]
    pub fn is_failure(self) -> bool {
        match self {
            Self::Paused
            | Self::RollbackStarted
            | Self::RollbackPaused
            | Self::RollbackCompleted => true,
            Self::Updating | Self::Completed | Self::Unknown => false,
        }
    }
}

impl RawService {
    /// Takes a service as `GET /services/ID` gives it.
    #[must_use]
    pub fn new(service: Value) -> Self {
        Self(service)
    }

    /// The whole of it.
    #[must_use]
    pub fn as_value(&self) -> &Value {
        &self.0
    }

    /// `ID`.
    #[must_use]
    pub fn id(&self) -> ServiceId {
        ServiceId::new(self.text("/ID"))
    }

    /// `Version.Index`: what an update must name.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.number("/Version/Index").unwrap_or(0)
    }

    /// `Spec.Name`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("/Spec/Name")
    }

    /// `Spec`: what an update sends back, patched.
    #[must_use]
    pub fn spec(&self) -> &Value {
        self.at("/Spec")
    }

    /// `PreviousSpec`: where Swarm's own rollback would go. A rollback clears
    /// it, and an update that changes nothing overwrites it with `Spec`.
    #[must_use]
    pub fn previous_spec(&self) -> Option<&Value> {
        Some(self.at("/PreviousSpec")).filter(|value| value.is_object())
    }

    /// The image reference; empty when the service runs no containers.
    #[must_use]
    pub fn image(&self) -> &str {
        self.text("/Spec/TaskTemplate/ContainerSpec/Image")
    }

    /// One service label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.at("/Spec/Labels").get(key)?.as_str()
    }

    /// All service labels.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        let labels = self.at("/Spec/Labels").as_object();
        labels
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect()
    }

    /// `Spec.Mode`. None written means one replica, as for the engine.
    #[must_use]
    pub fn mode(&self) -> ServiceMode {
        let mode = self.at("/Spec/Mode");
        let is = |key| mode.get(key).is_some_and(|mode: &Value| !mode.is_null());
        if is("Global") {
            ServiceMode::Global
        } else if is("ReplicatedJob") {
            ServiceMode::ReplicatedJob
        } else if is("GlobalJob") {
            ServiceMode::GlobalJob
        } else {
            ServiceMode::Replicated(self.number("/Spec/Mode/Replicated/Replicas").unwrap_or(1))
        }
    }

    /// `Spec.UpdateConfig` with the engine's defaults.
    #[must_use]
    pub fn update_config(&self) -> UpdateConfig {
        let config = self.at("/Spec/UpdateConfig");
        let number = |key| config.get(key).and_then(Value::as_u64);
        let word = |key| config.get(key).and_then(Value::as_str);
        UpdateConfig {
            // Written without a parallelism, it is Go's zero: all at once.
            parallelism: match (config.is_object(), number("Parallelism")) {
                (_, Some(parallelism)) => parallelism,
                (true, None) => 0,
                (false, None) => 1,
            },
            delay: Duration::from_nanos(number("Delay").unwrap_or(0)),
            order: match word("Order") {
                Some("start-first") => UpdateOrder::StartFirst,
                _ => UpdateOrder::StopFirst,
            },
            monitor: number("Monitor")
                .filter(|nanos| *nanos > 0)
                .map_or(Duration::from_secs(5), Duration::from_nanos),
            failure_action: match word("FailureAction") {
                Some("continue") => FailureAction::Continue,
                Some("rollback") => FailureAction::Rollback,
                _ => FailureAction::Pause,
            },
            max_failure_ratio: config
                .get("MaxFailureRatio")
                .and_then(Value::as_f64)
                .unwrap_or(0.0),
        }
    }

    /// `UpdateStatus`, if there is one.
    #[must_use]
    pub fn update_status(&self) -> Option<UpdateStatus> {
        let status = self.at("/UpdateStatus");
        let word = status
            .get("State")?
            .as_str()
            .filter(|word| !word.is_empty())?;
        let time = |key| status.get(key)?.as_str()?.parse().ok();
        Some(UpdateStatus {
            state: UpdateState::from_word(word),
            message: status
                .get("Message")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            started_at: time("StartedAt"),
            completed_at: time("CompletedAt"),
        })
    }

    /// Whether a task was made under the rules of placement that the service has
    /// now. "None" is written in several ways.
    #[must_use]
    pub fn places_like(&self, task: &Task) -> bool {
        let none = |rules: &Value| rules.as_object().is_none_or(serde_json::Map::is_empty);
        let now = self.at("/Spec/TaskTemplate/Placement");
        *now == task.placement || (none(now) && none(&task.placement))
    }

    /// `Placement.Constraints` as written; all of them must hold.
    #[must_use]
    pub fn constraints(&self) -> Vec<&str> {
        let constraints = self.at("/Spec/TaskTemplate/Placement/Constraints");
        let constraints = constraints.as_array().into_iter().flatten();
        constraints.filter_map(Value::as_str).collect()
    }

    /// `Placement.Platforms` as written. An empty architecture, or an empty
    /// list, means any.
    #[must_use]
    pub fn platforms(&self) -> Vec<Platform> {
        let word = |platform: &Value, key| {
            let word = platform.get(key).and_then(Value::as_str);
            word.unwrap_or_default().to_owned()
        };
        self.at("/Spec/TaskTemplate/Placement/Platforms")
            .as_array()
            .into_iter()
            .flatten()
            .map(|platform| Platform {
                os: word(platform, "OS"),
                architecture: word(platform, "Architecture"),
                variant: None,
            })
            .collect()
    }

    /// `TaskTemplate.ForceUpdate`: a counter whose only effect is to restart
    /// every task when it is raised.
    #[must_use]
    pub fn force_update(&self) -> u64 {
        self.number("/Spec/TaskTemplate/ForceUpdate").unwrap_or(0)
    }

    /// Whether the service itself says how to check its health. The image may
    /// do so, too, and `NONE` switches that off.
    #[must_use]
    pub fn has_healthcheck(&self) -> bool {
        let test = self.at("/Spec/TaskTemplate/ContainerSpec/Healthcheck/Test");
        match test.as_array().and_then(|words| words.first()) {
            Some(first) => first.as_str() != Some("NONE"),
            None => false,
        }
    }

    fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or(&Value::Null)
    }

    fn text(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or_default()
    }

    fn number(&self, pointer: &str) -> Option<u64> {
        self.at(pointer).as_u64()
    }
}

#[cfg(test)]
mod tests;
