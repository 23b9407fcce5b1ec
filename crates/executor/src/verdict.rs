//! The ways in which a rollout ends badly, and what is said of each.

use imgstack_planner::UpdateService;
use imgstack_swarm::probe::Unasked;

use crate::event::{BackState, Failure, FailureKind, TaskFailure, WentBack, Whose};

/// How the waiting for a rollout ended.
pub(crate) enum Waited {
    /// It has converged, and its probe has held.
    Done,
    /// Somebody asked to stop; the Swarm goes on.
    Interrupted,
    /// It will not be, or not in time.
    Badly(Box<Bad>),
}

/// A rollout that ended badly, with its evidence.
pub(crate) struct Bad {
    pub(crate) verdict: Verdict,
    /// The engine's words when things turned for the worse; empty, if nobody
    /// was quick enough to hear them.
    pub(crate) why: String,
    pub(crate) tasks: Vec<TaskFailure>,
    /// The image that the service asks for now.
    pub(crate) now: Option<String>,
}

/// Why a rollout is not waited for any longer.
pub(crate) enum Verdict {
    /// The engine went back to the previous spec.
    RolledBack {
        /// Tasks of the previous spec that run.
        running: u64,
        /// Tasks of it that are wanted.
        desired: u64,
    },
    /// The engine is still going back.
    GoingBack,
    /// The engine stopped half-way.
    Stuck,
    /// The engine stopped half-way back.
    StuckBack,
    /// The engine is content, and tasks die.
    Unstable,
    /// The probe said no; how it went, in these words.
    ProbeFailed(String),
    /// The probe could not be asked any more, for this reason.
    ProbeUnasked(Unasked),
    /// Somebody else changed the service, in these words.
    Overtaken(String),
    /// Not converged in time; where it stood.
    TimedOut(String),
    /// The manager fell silent, for this reason.
    Unseen(String),
}

impl Verdict {
    /// Whether imgstack goes back: the new build is known not to do, and the
    /// engine is not at it.
    pub(crate) fn leads_back(&self) -> bool {
        match self {
            Self::Stuck | Self::Unstable | Self::ProbeFailed(_) | Self::TimedOut(_) => true,
            // The engine's own, or another's, or not known.
            Self::RolledBack { .. }
            | Self::GoingBack
            | Self::StuckBack
            | Self::ProbeUnasked(_)
            | Self::Overtaken(_)
            | Self::Unseen(_) => false,
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::RolledBack { .. } | Self::GoingBack => FailureKind::RolledBack,
            Self::Stuck | Self::StuckBack => FailureKind::Paused,
            Self::Unstable => FailureKind::Unstable,
            Self::ProbeFailed(_) => FailureKind::ProbeFailed,
            Self::Overtaken(_) => FailureKind::Overtaken,
            Self::TimedOut(_) => FailureKind::TimedOut,
            Self::ProbeUnasked(_) | Self::Unseen(_) => FailureKind::Unknown,
        }
    }

    /// How far the engine went back by itself.
    fn engines(&self) -> Option<WentBack> {
        let (state, running, wanted) = match self {
            Self::RolledBack { running, desired } if running >= desired => {
                (BackState::Runs, *running, *desired)
            }
            Self::RolledBack { running, desired } => (BackState::Stuck, *running, *desired),
            Self::GoingBack => (BackState::UnderWay, 0, 0),
            Self::StuckBack => (BackState::Stuck, 0, 0),
            Self::Stuck
            | Self::Unstable
            | Self::ProbeFailed(_)
            | Self::ProbeUnasked(_)
            | Self::Overtaken(_)
            | Self::TimedOut(_)
            | Self::Unseen(_) => return None,
        };
        Some(WentBack {
            by: Whose::Engine,
            state,
            running,
            wanted,
            why: None,
        })
    }
}

impl Bad {
    /// Why, in one sentence.
    pub(crate) fn message(&self, update: &UpdateService) -> String {
        let why = match self.why.as_str() {
            "" => String::new(),
            why => format!(": {why}"),
        };
        match &self.verdict {
            Verdict::RolledBack { running, desired } => format!(
                "the new build failed, and the Swarm went back to the previous spec ({running} of {desired} running){why}"
            ),
            Verdict::GoingBack => format!(
                "the new build failed, and the Swarm is still going back to the previous spec{why}"
            ),
            Verdict::Stuck => format!("the rollout stopped half-way{why}"),
            Verdict::StuckBack => format!(
                "the new build failed, and the Swarm's roll-back to the previous spec stopped half-way{why}"
            ),
            Verdict::Unstable => {
                "the Swarm calls the update completed, yet tasks of the new build die".to_owned()
            }
            Verdict::ProbeFailed(how) => how.clone(),
            Verdict::ProbeUnasked(why) => {
                format!("the service has converged, and its probe could not be asked: {why}")
            }
            Verdict::Overtaken(message) => message.clone(),
            Verdict::TimedOut(state) => {
                format!("not converged within {} s: {state}", update.timeout_seconds)
            }
            Verdict::Unseen(why) => {
                format!("the rollout was begun, and its end was not seen: {why}")
            }
        }
    }

    /// The failure, with what became of the way back if imgstack took it.
    pub(crate) fn failure(self, update: &UpdateService, back: Option<WentBack>) -> Box<Failure> {
        let message = match &back {
            None => self.message(update),
            Some(back) => format!("{}; {back}", self.message(update)),
        };
        let went_back = back.or_else(|| self.verdict.engines());
        Box::new(Failure {
            kind: self.verdict.kind(),
            hint: Some(hint(&self.verdict, went_back.as_ref(), update)),
            message,
            tasks: self.tasks,
            now: self.now,
            went_back,
            ..Failure::empty()
        })
    }
}

/// What to type next.
fn hint(verdict: &Verdict, back: Option<&WentBack>, update: &UpdateService) -> String {
    let service = &update.service;
    let status = "see where things stand: imgstack status";
    let tasks = format!("docker service ps --no-trunc {service}");
    match (back.map(|back| back.state), verdict) {
        // It may be the Swarm's fault: there is no build to be held.
        (Some(BackState::Runs), Verdict::TimedOut(_)) => {
            format!("see what it waited for: {tasks}; then: imgstack plan")
        }
        (Some(BackState::Runs), _) => format!(
            "push a mended build, or hold the last good one: imgstack rollback {service}; then: imgstack plan"
        ),
        (Some(BackState::Stuck), _) => format!(
            "see why: {tasks}; then hold a build that runs: imgstack rollback {service} --to BUILD, and imgstack apply"
        ),
        (Some(BackState::Overtaken), _) => "see what is planned now: imgstack plan".to_owned(),
        (Some(BackState::Needless), Verdict::TimedOut(_)) => {
            format!("the Swarm goes on trying; see what it waits for: {tasks}")
        }
        (Some(BackState::Needless), _) => format!(
            "push a mended build, or hold a good one: imgstack rollback {service}; then: imgstack apply"
        ),
        (Some(BackState::Refused), _) => format!("go back now: docker service rollback {service}"),
        (None, Verdict::ProbeUnasked(unasked)) => match &unasked.hint {
            Some(hint) => format!("{hint}; {status}"),
            None => status.to_owned(),
        },
        (Some(BackState::UnderWay | BackState::Unlocked), _) | (None, _) => status.to_owned(),
    }
}
