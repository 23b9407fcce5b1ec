//! What the executor tells while it works, and how it ended.

use std::fmt;

use imgstack_planner::Moved;
use imgstack_spec::{Address, StackName};
use serde::Serialize;

/// Something that happened. In `-o ndjson` each is one line.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The plan of a stack is begun.
    ApplyStarted {
        /// The stack.
        stack: StackName,
        /// How many steps it has.
        steps: usize,
    },
    /// A step is begun.
    StepStarted {
        /// What it is done to.
        address: Address,
        /// Tasks that are expected to restart.
        restarts: u64,
    },
    /// A step is under way, and something changed.
    StepProgress {
        /// What it is done to.
        address: Address,
        /// How far it is.
        progress: Progress,
    },
    /// A step ended well.
    StepSucceeded {
        /// What it was done to.
        address: Address,
        /// How long it took, in milliseconds.
        elapsed_ms: u64,
    },
    /// A step failed; nothing that comes later is begun.
    StepFailed {
        /// What it was done to.
        address: Address,
        /// Why, and what runs now.
        failure: Box<Failure>,
    },
    /// The plan of a stack has ended, well or not.
    ApplyFinished {
        /// The stack.
        stack: StackName,
        /// What became of each step.
        outcome: Outcome,
    },
}

/// How far a rollout is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Tasks that run the new build.
    pub running: u64,
    /// Tasks that are wanted.
    pub wanted: u64,
    /// What the tasks that do not run yet are doing, such as "preparing".
    pub waiting_for: Option<String>,
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What kind of failure, for programs.
    pub kind: FailureKind,
    /// What happened, as a lower-case fragment.
    pub message: String,
    /// What moved, when the service is no longer the one that was planned for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<Moved>,
    /// Tasks of the new build that failed, the first to fail first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskFailure>,
    /// The image that the service asks for now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<String>,
    /// What to do about it: the next command to type where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The service is not as the plan saw it; nothing was sent.
    Drifted,
    /// The manager refused the update or could not be reached; nothing was
    /// changed.
    Refused,
    /// The update may have been done, and what became of it was not seen.
    Unknown,
    /// The engine went back to the previous spec, or is doing so.
    RolledBack,
    /// The engine stopped half-way.
    Paused,
    /// New tasks die although the engine calls the update completed.
    Unstable,
    /// Somebody else changed the service while it was rolling out.
    Overtaken,
    /// Not converged within the time allowed.
    TimedOut,
}

/// A task that failed, with the evidence that was there when it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskFailure {
    /// Its name in docker's tables, such as `web.1`.
    pub task: String,
    /// Hostname of its node, if it had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `failed` or `rejected`, or what it still waits for.
    pub state: String,
    /// The engine's words.
    pub error: String,
    /// What its process ended with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// Its last lines of output.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
}

/// What became of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Each step of the plan, in its order.
    pub steps: Vec<(Address, StepOutcome)>,
    /// Somebody asked to stop.
    pub interrupted: bool,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// Done and converged.
    Done,
    /// Begun, and not known to have converged: the Swarm goes on with it.
    InFlight,
    /// Failed.
    Failed,
    /// Not begun.
    NotStarted,
}

impl Failure {
    /// Nothing but a kind to be replaced: for struct update syntax.
    pub(crate) fn empty() -> Self {
        Self {
            kind: FailureKind::Unknown,
            message: String::new(),
            moved: Vec::new(),
            tasks: Vec::new(),
            now: None,
            hint: None,
        }
    }
}

impl Outcome {
    /// Whether every step is done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.steps
            .iter()
            .all(|(_, outcome)| *outcome == StepOutcome::Done)
    }

    /// The steps with that outcome.
    pub fn with(&self, outcome: StepOutcome) -> impl Iterator<Item = &Address> {
        let wanted = move |step: &&(Address, StepOutcome)| step.1 == outcome;
        self.steps.iter().filter(wanted).map(|(address, _)| address)
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} running", self.running, self.wanted)?;
        match &self.waiting_for {
            Some(what) => write!(f, ", {what}"),
            None => Ok(()),
        }
    }
}
