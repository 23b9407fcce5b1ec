//! What a rollout asks of a service's tasks before it goes on: is the
//! application ready (`rollout.probe`), and does it lead (`rollout.lastIf`).
//!
//! Deliberately absent: who asks, and from where. That is `swarm::probe`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::milliseconds;
use crate::TaskTemplate;

/// The default of `every`.
pub const DEFAULT_EVERY: Duration = Duration::from_secs(2);
/// The default of `timeout` of one question.
pub const DEFAULT_ANSWER: Duration = Duration::from_secs(5);

/// A question that is put to one task. It is asked from the task's own node, or
/// in its container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Question {
    /// `http`: a GET of this URL. Yes is any status of 200 to 299.
    Http(TaskTemplate),
    /// `tcp`: a connection to this `host:port`. Yes is that it comes about.
    Tcp(TaskTemplate),
    /// `exec`: a program in the task's container, without a shell. Yes is exit
    /// code 0.
    Exec(Vec<TaskTemplate>),
}

/// `rollout.probe`: a service counts as rolled out when every one of its tasks
/// has answered yes for `hold`, without a no in between.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// What is asked.
    pub question: Question,
    /// `every`: how often. Serialised in milliseconds.
    #[serde(rename = "everyMs", with = "milliseconds")]
    #[schemars(with = "u64")]
    pub every: Duration,
    /// `for`: how long every answer must have been yes. Serialised in
    /// milliseconds.
    #[serde(rename = "forMs", with = "milliseconds")]
    #[schemars(with = "u64")]
    pub hold: Duration,
    /// `timeout`: how long one answer may take. Serialised in milliseconds.
    #[serde(rename = "timeoutMs", with = "milliseconds")]
    #[schemars(with = "u64")]
    pub timeout: Duration,
}

/// `rollout.lastIf` and what belongs to it: of the services of one image that
/// have it, the one whose task answers yes goes last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastIf {
    /// What is asked; yes means that it leads.
    pub question: Question,
    /// How long one answer may take. Serialised in milliseconds.
    #[serde(rename = "timeoutMs", with = "milliseconds")]
    #[schemars(with = "u64")]
    pub timeout: Duration,
    /// `rollout.onLeaderChange`: what becomes of an apply in which another
    /// service leads than did when the plan was made.
    pub on_change: LeaderChange,
    /// `rollout.beforeLast`: a program that is run in a container of the leader
    /// before it goes, such as a switchover. Exit code 0 is success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Vec<TaskTemplate>>,
}

/// `rollout.onLeaderChange`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LeaderChange {
    /// The remaining order is worked out again, and said.
    #[default]
    Replan,
    /// Nothing further is begun.
    Stop,
}

impl LeaderChange {
    /// Each, in the word that the language has for it.
    pub const NAMES: [(&'static str, Self); 2] = [("replan", Self::Replan), ("stop", Self::Stop)];
}
