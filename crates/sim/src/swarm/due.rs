//! What is to happen, by when: a heap of due times.
//!
//! Nothing is ever taken out before its time. What has become void by then is
//! known by its epoch, or by the state of the thing itself.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use jiff::Timestamp;

/// Identifier of a node, a service or a task.
pub(super) type Id = Arc<str>;

/// Something that is to happen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A new task has its network addresses.
    Allocate(Id),
    /// The scheduler looks at the tasks without a node.
    Schedule,
    /// The agent of a task's node takes its next step.
    Step { task: Id, epoch: u64 },
    /// A pull of a node ends.
    PullEnds { node: Id, pull: u64 },
    /// The orchestrator looks at a service.
    Reconcile(Id),
    /// The orchestrator looks at what a service of every node has on one.
    ReconcileNode { service: Id, node: Id },
    /// The orchestrator hears of a task's end.
    Ended(Id),
    /// A task that was held back may start, perhaps.
    Release(Id),
    /// The updater has waited for its delay.
    WorkerFree { service: Id, update: u64 },
    /// The updater has watched for long enough.
    Watched { service: Id, update: u64 },
    /// A lost node has missed its heartbeats.
    NodeDown { node: Id, epoch: u64 },
    /// A node that came back is heard.
    NodeReady { node: Id, epoch: u64 },
    /// A node has been gone for a day.
    Orphan { node: Id, epoch: u64 },
    /// The managers have elected.
    Elected,
}

impl Due {
    /// Goes on without a manager.
    pub(super) fn is_local(&self) -> bool {
        matches!(self, Self::PullEnds { .. } | Self::Elected)
    }
}

/// What is to happen, the next first; of the same time in the order of asking.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<(Timestamp, u64, Due)>>,
    asked: u64,
}

impl Queue {
    pub(super) fn push(&mut self, at: Timestamp, due: Due) {
        self.asked += 1;
        self.heap.push(Reverse((at, self.asked, due)));
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse((at, _, _))| *at)
    }

    /// Takes the next that is due by `now`.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<(Timestamp, Due)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((at, _, due))| (at, due))
    }
}
