//! A release as data.

use std::collections::BTreeMap;

use imgstack_planner::{SettingsChange, StepId};
use imgstack_spec::{Address, ServiceName};
use imgstack_swarm::PreviousSpec;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::builds::FailedBuild;
use crate::event::{FailureKind, StepOutcome};

/// Version of the pages' form: a reader refuses a greater major.
pub(super) const FORMAT_VERSION: &str = "1.0";

/// One apply that had something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// What was about to be done.
    pub begun: Begun,
    /// How it ended; None for one that goes on, or was killed.
    pub ending: Option<Ending>,
}

/// The occasion of a release: what the executor cannot know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Occasion {
    /// The person or the account.
    pub owner: String,
    /// The machine.
    pub host: String,
    /// What was typed, such as `imgstack apply`.
    pub command: String,
    /// Version of the program.
    pub imgstack_version: String,
    /// The commit of the folder of the spec, where git knows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
}

/// A commit of the spec's folder.
pub type Commit = imgstack_planner::Commit;

/// A release as it was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Begun {
    /// [`FORMAT_VERSION`] of the writer.
    pub(super) format_version: String,
    /// The stack.
    pub stack: String,
    /// Counts the releases of a stack.
    pub number: u64,
    /// When it was begun.
    pub started_at: Timestamp,
    /// Who did it, where, and with what.
    pub occasion: Occasion,
    /// The taking of the lock that it belongs to.
    pub lock: String,
    /// Digest of the stack as it was read from the spec.
    pub spec_digest: String,
    /// Identifies the plan; services that it changed have it as a label.
    pub plan: String,
    /// How many steps the plan had.
    pub step_count: usize,
    /// The steps, in the plan's order.
    pub steps: Vec<PlannedStep>,
    /// The services that were to be changed, as they were.
    pub previous: BTreeMap<ServiceName, PreviousSpec>,
    /// What had no room.
    #[serde(default, skip_serializing_if = "LeftOut::is_nothing")]
    pub left_out: LeftOut,
}

/// What of a huge plan is not in its page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOut {
    /// The reasons of the steps.
    #[serde(default)]
    pub reasons: bool,
    /// So many steps: those of nodes first.
    #[serde(default)]
    pub steps: usize,
    /// So many services as they were.
    #[serde(default)]
    pub previous: usize,
}

/// A step that was planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// Its place in the plan, from 0.
    pub place: usize,
    /// Which step.
    pub id: StepId,
    /// What it is done to.
    pub address: Address,
    /// What is done, in one word.
    pub action: String,
    /// For the update of a service: from which image to which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageChange>,
    /// The rollout settings of a service that change.
    #[serde(default, skip_serializing_if = "SettingsChange::is_empty")]
    pub settings: SettingsChange,
    /// Why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// The image of a service before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageChange {
    /// The service.
    pub service: ServiceName,
    /// What it asked for.
    pub from: String,
    /// What it was to ask for.
    pub to: String,
}

/// How a release ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ending {
    /// When.
    pub ended_at: Timestamp,
    /// In one word.
    pub result: ReleaseResult,
    /// What became of the steps of the plan, in its order: so many in a row.
    pub outcomes: Vec<(StepOutcome, usize)>,
    /// Why steps failed, as far as there is room.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<StepFailure>,
    /// Builds that services could not run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_builds: Vec<FailedBuild>,
    /// When another service led than the plan said, the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaders: Vec<LeaderMove>,
}

/// That another service leads than did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaderMove {
    /// When it was seen.
    pub at: Timestamp,
    /// The image of the group.
    pub image: Address,
    /// Who leads.
    pub leader: Address,
    /// Who led until then; None: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<Address>,
    /// What was left of the group, in the order of going.
    pub left: Vec<Address>,
}

/// How a release ended, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseResult {
    /// Every step is done.
    Done,
    /// A step failed, or was not begun since another failed.
    Failed,
    /// Somebody asked to stop.
    Interrupted,
    /// The lock was lost on the way, so nothing further was begun.
    LockLost,
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepFailure {
    /// Which step.
    pub step: StepId,
    /// What kind of failure.
    pub kind: FailureKind,
    /// What happened, as a lower-case fragment.
    pub message: String,
    /// Tasks of the new build that failed, without what they wrote.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskEnd>,
}

/// A task that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskEnd {
    /// Its name in docker's tables, such as `web.1`.
    pub task: String,
    /// Hostname of its node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `failed` or `rejected`, or what it still waits for.
    pub state: String,
    /// The engine's words.
    pub error: String,
    /// What its process ended with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
}

impl ReleaseResult {
    /// The word for it, as it stands in a label.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::LockLost => "lock_lost",
        }
    }
}

impl LeftOut {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Release {
    /// What became of the step at that place of the plan; None while the
    /// release has no end.
    #[must_use]
    pub fn outcome(&self, place: usize) -> Option<StepOutcome> {
        let mut before = 0;
        for (outcome, count) in &self.ending.as_ref()?.outcomes {
            before += count;
            if place < before {
                return Some(*outcome);
            }
        }
        None
    }

    /// The updates of services with what became of them.
    pub fn updates(&self) -> impl Iterator<Item = (&ImageChange, Option<StepOutcome>)> {
        self.begun.steps.iter().filter_map(|step| {
            let change = step.image.as_ref()?;
            Some((change, self.outcome(step.place)))
        })
    }
}

/// So many in a row.
pub(super) fn in_rows(outcomes: impl Iterator<Item = StepOutcome>) -> Vec<(StepOutcome, usize)> {
    let mut rows: Vec<(StepOutcome, usize)> = Vec::new();
    for outcome in outcomes {
        match rows.last_mut() {
            Some((last, count)) if *last == outcome => *count += 1,
            _ => rows.push((outcome, 1)),
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_counted_in_rows_and_found_again() {
        use StepOutcome::{Done, Failed, NotStarted};
        let outcomes = [Done, Done, Done, Failed, NotStarted, NotStarted];
        let rows = in_rows(outcomes.into_iter());
        assert_eq!(rows, [(Done, 3), (Failed, 1), (NotStarted, 2)]);
        let release = Release {
            begun: super::super::page::tests::begun(0),
            ending: Some(Ending {
                ended_at: Timestamp::UNIX_EPOCH,
                result: ReleaseResult::Failed,
                outcomes: rows,
                failures: Vec::new(),
                failed_builds: Vec::new(),
                leaders: Vec::new(),
            }),
        };
        for (place, outcome) in outcomes.into_iter().enumerate() {
            assert_eq!(release.outcome(place), Some(outcome));
        }
        assert_eq!(release.outcome(6), None);
    }
}
