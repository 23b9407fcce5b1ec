//! What the executor tells while it works, and how it ended.

use std::fmt;

use imgstack_planner::{Moved, StepId};
use imgstack_spec::{Address, ByteSize, StackName};
use serde::{Deserialize, Serialize};

use crate::journal::ReleaseResult;
use crate::lock::Holder;

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
        /// Which step.
        step: StepId,
        /// What it is done to.
        address: Address,
        /// What is done, in one word: `pull`, `update`.
        action: &'static str,
        /// Tasks that are expected to restart.
        restarts: u64,
    },
    /// A step is under way, and something changed.
    StepProgress {
        /// Which step.
        step: StepId,
        /// What it is done to.
        address: Address,
        /// How far it is.
        progress: Progress,
    },
    /// A step ended well.
    StepSucceeded {
        /// Which step.
        step: StepId,
        /// What it was done to.
        address: Address,
        /// How long it took, in milliseconds.
        elapsed_ms: u64,
    },
    /// A step failed. After a service that failed nothing later is begun; after
    /// a node that failed, nothing that needs that node.
    StepFailed {
        /// Which step.
        step: StepId,
        /// What it was done to.
        address: Address,
        /// Why, and what runs now.
        failure: Box<Failure>,
    },
    /// The new build of a service has failed, and imgstack brings the service
    /// back to what it was; how that ends is a part of the failure.
    GoingBack {
        /// Which step.
        step: StepId,
        /// What it is done to.
        address: Address,
        /// Why, as a lower-case fragment.
        why: String,
        /// The image that it goes back to.
        to: String,
    },
    /// The leader of a group is about to go, and is told to hand over first.
    HandingOver {
        /// Which step.
        step: StepId,
        /// What it is done to.
        address: Address,
        /// The task that leads, as docker's tables have it.
        task: String,
        /// What is run in it, as the spec has it.
        program: String,
    },
    /// Another service leads than did when the plan was made: what is left of
    /// its group goes in another order.
    OrderChanged {
        /// The stack.
        stack: StackName,
        /// The image of the group.
        image: Address,
        /// Who leads now.
        leader: Address,
        /// Who led until then; None: nobody.
        #[serde(skip_serializing_if = "Option::is_none")]
        was: Option<Address>,
        /// What is left of the group, in the order of going.
        left: Vec<Address>,
    },
    /// Something that was made on the way could not be taken away again.
    LeftBehind {
        /// The service.
        service: String,
        /// Why.
        why: String,
    },
    /// The stack is locked by somebody else, who is waited for.
    LockWaited {
        /// The stack.
        stack: StackName,
        /// By whom.
        holder: Box<Holder>,
    },
    /// The lock of somebody who gave no sign of life any more was taken over.
    LockTakenOver {
        /// The stack.
        stack: StackName,
        /// Who had it.
        holder: Box<Holder>,
    },
    /// The lock is no longer ours: nothing further is begun.
    LockLost {
        /// The stack.
        stack: StackName,
        /// How, as a lower-case fragment.
        why: String,
        /// Who has it now, if somebody does.
        #[serde(skip_serializing_if = "Option::is_none")]
        holder: Option<Box<Holder>>,
    },
    /// The journal has what was done.
    ReleaseWritten {
        /// The stack.
        stack: StackName,
        /// The number that `imgstack history` knows it by.
        number: u64,
        /// How it ended.
        result: ReleaseResult,
    },
    /// The journal could not be written.
    JournalFailed {
        /// The stack.
        stack: StackName,
        /// Why.
        why: String,
        /// Nothing was begun, since it could not be begun either.
        nothing_done: bool,
    },
    /// The plan of a stack has ended, well or not.
    ApplyFinished {
        /// The stack.
        stack: StackName,
        /// What became of each step.
        outcome: Outcome,
    },
}

/// How far a step is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Progress {
    /// A rollout.
    Tasks(TaskProgress),
    /// A rollout that has converged, and whose probe is to hold.
    Probe(ProbeProgress),
    /// A pull by the node's own engine.
    Bytes(ByteProgress),
    /// What a node does, in a word of the engine's.
    State(NodeProgress),
}

/// How far a pull is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ByteProgress {
    /// Bytes that have arrived.
    pub done: u64,
    /// Bytes to be fetched, as far as the engine has said by now.
    pub total: u64,
}

/// How far a node is that pulls for a manager's task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NodeProgress {
    /// Such as `preparing`.
    pub state: String,
}

/// How far a rollout is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TaskProgress {
    /// Tasks that run the new build.
    pub running: u64,
    /// Tasks that are wanted.
    pub wanted: u64,
    /// What the tasks that do not run yet are doing, such as "preparing".
    pub waiting_for: Option<String>,
}

/// How far a probe is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProbeProgress {
    /// Tasks that say yes.
    pub yes: u64,
    /// Tasks that are asked.
    pub asked: u64,
    /// What one says that does not say yes: `web.2: HTTP 503`.
    pub answer: Option<String>,
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
    /// How far the service went back to what it was, and who saw to it. Absent
    /// where nobody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub went_back: Option<WentBack>,
    /// What to do about it: the next command to type where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// It converged, and its probe did not hold.
    ProbeFailed,
    /// Another service of its image is being updated, or has the new build and
    /// is not ready; nothing was sent.
    NotReady,
    /// Another service leads than did when the plan was made; nothing was sent.
    LeaderMoved,
    /// Who leads is not clear; nothing was sent.
    LeaderUnknown,
    /// The leader did not hand over; nothing was sent.
    NotHandedOver,
    /// A node could not be reached, or is not the one that was planned for.
    Unreachable,
    /// A node could not pull.
    PullFailed,
    /// A node could not be logged in.
    LoginFailed,
    /// A build could not be removed.
    RemovalFailed,
}

/// How far a service went back to what it was before its rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WentBack {
    /// Who saw to it. It is never both.
    pub by: Whose,
    /// How far it is.
    pub state: BackState,
    /// Tasks of the previous build that ran when that was seen last.
    pub running: u64,
    /// Tasks of it that were wanted then; 0 if nobody has looked.
    pub wanted: u64,
    /// Why it is not there, as a lower-case fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Who sees to it that a service goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// The Swarm, since the failure action of the service is `rollback`.
    Engine,
    /// imgstack, by another update.
    Imgstack,
}

/// How far a service is on its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BackState {
    /// The previous build runs.
    Runs,
    /// It was begun, and its end was not seen.
    UnderWay,
    /// It was begun, and the previous build does not run either.
    Stuck,
    /// Somebody else changed the service, which is left as they made it.
    Overtaken,
    /// It could not be begun.
    Refused,
    /// It was not begun: the lock was lost by then.
    Unlocked,
    /// It was not begun: no task of the previous spec ran before either.
    Needless,
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
    pub steps: Vec<(StepId, StepOutcome)>,
    /// Somebody asked to stop.
    pub interrupted: bool,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// Done and converged.
    Done,
    /// Begun, and not known to have converged: the Swarm goes on with it.
    InFlight,
    /// Failed.
    Failed,
    /// Given up when somebody asked to stop; nothing is half-way.
    Stopped,
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
            went_back: None,
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
    pub fn with(&self, outcome: StepOutcome) -> impl Iterator<Item = &StepId> {
        let wanted = move |step: &&(StepId, StepOutcome)| step.1 == outcome;
        self.steps.iter().filter(wanted).map(|(step, _)| step)
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tasks(tasks) => tasks.fmt(f),
            Self::Probe(probe) => write!(f, "probe: {}", probe.words()),
            Self::Bytes(bytes) => bytes.fmt(f),
            Self::State(node) => f.write_str(&node.state),
        }
    }
}

impl ProbeProgress {
    /// `1 of 3 say yes; web.2: HTTP 503`
    pub(crate) fn words(&self) -> String {
        let Self { yes, asked, answer } = self;
        match answer {
            Some(answer) => format!("{yes} of {asked} say yes; {answer}"),
            None => format!("{yes} of {asked} say yes"),
        }
    }
}

impl fmt::Display for ByteProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |bytes| ByteSize::new(bytes).rounded();
        write!(f, "{} of {}", size(self.done), size(self.total))
    }
}

impl fmt::Display for WentBack {
    /// A lower-case fragment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            running, wanted, ..
        } = self;
        let who = match self.by {
            Whose::Engine => "the Swarm",
            Whose::Imgstack => "imgstack",
        };
        match self.state {
            BackState::Runs => write!(
                f,
                "{who} went back to the previous spec ({running} of {wanted} running)"
            )?,
            BackState::UnderWay => write!(f, "{who} is going back to the previous spec")?,
            BackState::Stuck if *running > 0 => write!(
                f,
                "{who} went back to the previous spec, of which {running} of {wanted} tasks run"
            )?,
            BackState::Stuck => write!(
                f,
                "{who} went back to the previous spec, which does not run either ({running} of {wanted} running)"
            )?,
            BackState::Overtaken
            | BackState::Refused
            | BackState::Unlocked
            | BackState::Needless => {
                write!(f, "{who} did not go back")?;
            }
        }
        match &self.why {
            Some(why) => write!(f, ": {why}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for TaskProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} running", self.running, self.wanted)?;
        match &self.waiting_for {
            Some(what) => write!(f, ", {what}"),
            None => Ok(()),
        }
    }
}
