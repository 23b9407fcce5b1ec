//! The ways in which a rollout ends badly, and what is said of each.

use imgstack_planner::UpdateService;

use crate::event::{Failure, FailureKind};

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
    /// The engine stopped half-way in this.
    Stuck(&'static str),
    /// The engine is content, and tasks die.
    Unstable,
    /// Somebody else changed the service, in these words.
    Overtaken(String),
    /// Not converged in time; where it stood.
    TimedOut(String),
    /// The manager fell silent, for this reason.
    Unseen(String),
}

impl Verdict {
    /// The failure without its evidence. `why` are the engine's words when
    /// things turned for the worse; empty, if nobody was quick enough to hear
    /// them.
    pub(crate) fn failure(self, update: &UpdateService, why: &str) -> Failure {
        Failure {
            kind: self.kind(),
            hint: Some(self.hint(update)),
            message: self.message(update, why),
            ..Failure::empty()
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::RolledBack { .. } | Self::GoingBack => FailureKind::RolledBack,
            Self::Stuck(_) => FailureKind::Paused,
            Self::Unstable => FailureKind::Unstable,
            Self::Overtaken(_) => FailureKind::Overtaken,
            Self::TimedOut(_) => FailureKind::TimedOut,
            Self::Unseen(_) => FailureKind::Unknown,
        }
    }

    fn message(self, update: &UpdateService, why: &str) -> String {
        let why = match why {
            "" => String::new(),
            why => format!(": {why}"),
        };
        match self {
            Self::RolledBack { running, desired } => format!(
                "the new build failed, and the Swarm went back to the previous spec ({running} of {desired} running){why}"
            ),
            Self::GoingBack => format!(
                "the new build failed, and the Swarm is still going back to the previous spec{why}"
            ),
            Self::Stuck(what) => format!("the {what} stopped half-way{why}"),
            Self::Unstable => {
                "the Swarm calls the update completed, yet tasks of the new build die".to_owned()
            }
            Self::Overtaken(message) => message,
            Self::TimedOut(state) => {
                format!("not converged within {} s: {state}", update.timeout_seconds)
            }
            Self::Unseen(why) => {
                format!("the rollout was begun, and its end was not seen: {why}")
            }
        }
    }

    fn hint(&self, update: &UpdateService) -> String {
        let service = &update.service;
        match self {
            Self::RolledBack { .. } => format!(
                "push a mended build, or hold the last good one: imgstack rollback {service}; then: imgstack plan"
            ),
            Self::Stuck(_) | Self::Unstable => format!(
                "hold the last good build: imgstack rollback {service}, then imgstack apply; or go back now: docker service rollback {service}"
            ),
            // No other build gets in between an update that is going on.
            Self::TimedOut(_) => format!(
                "the Swarm goes on trying; see what it waits for: docker service ps --no-trunc {service}; or go back now: docker service rollback {service}"
            ),
            Self::GoingBack | Self::Overtaken(_) | Self::Unseen(_) => {
                "see where things stand: imgstack status".to_owned()
            }
        }
    }
}
