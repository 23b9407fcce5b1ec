//! The settings of `rollout` that the engine follows: a service's
//! `UpdateConfig`, as far as the language has it.
//!
//! Deliberately absent: defaults. What a spec does not say stays the service's
//! own, as do its delay, its failure ratio and its `RollbackConfig`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::optional_seconds;

/// What the spec asks of a service's `UpdateConfig`. None: as the service has
/// it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RolloutSettings {
    /// `rollout.order`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<UpdateOrder>,
    /// `rollout.parallelism`: tasks at once; 0 is all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<u64>,
    /// `rollout.monitor`: how long a new task is watched. Serialised in whole
    /// seconds.
    #[serde(
        rename = "monitorSeconds",
        with = "optional_seconds",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<u64>")]
    pub monitor: Option<Duration>,
    /// `rollout.onFailure`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<FailureAction>,
}

/// Which comes first when a task is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateOrder {
    /// The old task is stopped first: the engine's default.
    StopFirst,
    /// The new task is started first.
    StartFirst,
}

/// What the engine does when too many new tasks fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FailureAction {
    /// Stops and leaves things as they are: the engine's default.
    Pause,
    /// Goes on regardless.
    Continue,
    /// Goes back to the previous spec.
    Rollback,
}

impl RolloutSettings {
    /// Whether everything stays as the service has it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl UpdateOrder {
    /// Each, in the word that the engine and the language have for it.
    pub const NAMES: [(&'static str, Self); 2] = [
        ("stop-first", Self::StopFirst),
        ("start-first", Self::StartFirst),
    ];

    /// The word that the engine and the language have for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::StopFirst => "stop-first",
            Self::StartFirst => "start-first",
        }
    }
}

impl FailureAction {
    /// Each, in the word that the engine and the language have for it.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("rollback", Self::Rollback),
        ("pause", Self::Pause),
        ("continue", Self::Continue),
    ];

    /// The word that the engine and the language have for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Continue => "continue",
            Self::Rollback => "rollback",
        }
    }
}
