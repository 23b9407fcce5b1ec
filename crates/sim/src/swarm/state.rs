//! How far a task is, in the order in which swarmkit counts.

/// A task's state, or the one that is wanted of it. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TaskState {
    New,
    Pending,
    Assigned,
    Accepted,
    Preparing,
    Ready,
    Starting,
    Running,
    Complete,
    Shutdown,
    Failed,
    Rejected,
    Remove,
    Orphaned,
}

impl TaskState {
    /// The engine's word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Pending => "pending",
            Self::Assigned => "assigned",
            Self::Accepted => "accepted",
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Shutdown => "shutdown",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Remove => "remove",
            Self::Orphaned => "orphaned",
        }
    }

    /// There is no container of it any more that runs.
    pub(super) fn is_over(self) -> bool {
        self > Self::Running
    }

    /// As the state that is wanted: the task is to come to something. That of
    /// a job is to be complete, that of any other to run.
    pub(super) fn is_to_run(self) -> bool {
        self <= Self::Complete
    }
}

/// What the updater says of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UpdateState {
    Updating,
    Paused,
    Completed,
    RollbackStarted,
    RollbackPaused,
    RollbackCompleted,
}

impl UpdateState {
    /// The engine's word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Updating => "updating",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::RollbackStarted => "rollback_started",
            Self::RollbackPaused => "rollback_paused",
            Self::RollbackCompleted => "rollback_completed",
        }
    }

    /// The updater is at work.
    pub(super) fn is_going_on(self) -> bool {
        matches!(self, Self::Updating | Self::RollbackStarted)
    }
}
