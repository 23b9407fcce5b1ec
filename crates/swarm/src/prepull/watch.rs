//! Waits until each node has pulled, or certainly will not.
//!
//! Swarm has events for services and nodes and none for tasks. So an event
//! wakes the loop at once, and a slow beat sees what no event tells.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{Away, Outcome, Prepull, Progress};
use crate::{
    Availability, Error, EventStream, Manager, Node, NodeId, PullFailure, ServiceId, Subject, Task,
    TaskState,
};

/// How often tasks are looked at when nothing else happens.
const BEAT: Duration = Duration::from_millis(500);

/// How long Swarm may say that it finds no place before that is believed.
const PLACING: Duration = Duration::from_secs(2);

/// How long a manager may be silent, as during an election.
const SILENCE: Duration = Duration::from_secs(30);

/// The longest wait: a clock ends somewhere.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The nodes that are waited for.
pub(super) struct Watch<'a> {
    manager: &'a Manager,
    wanted: &'a Prepull,
    tell: &'a (dyn Fn(&NodeId, Progress) + Sync),
    outcomes: BTreeMap<NodeId, Outcome>,
    pulling: BTreeSet<NodeId>,
    /// How far each task was when it was last looked at.
    states: BTreeMap<NodeId, TaskState>,
    /// Since when there has been no place.
    unplaced: BTreeMap<NodeId, Instant>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(
        manager: &'a Manager,
        wanted: &'a Prepull,
        tell: &'a (dyn Fn(&NodeId, Progress) + Sync),
    ) -> Self {
        Self {
            manager,
            wanted,
            tell,
            outcomes: BTreeMap::new(),
            pulling: BTreeSet::new(),
            states: BTreeMap::new(),
            unplaced: BTreeMap::new(),
        }
    }

    /// What is known before anything is begun: nodes that take no tasks.
    pub(super) fn sort_out(&mut self, nodes: &[Node]) {
        for id in &self.wanted.nodes {
            if let Some(away) = away(find(nodes, id)) {
                self.end(id, Outcome::Away(away));
            }
        }
    }

    /// Whether every node has its outcome.
    pub(super) fn is_over(&self) -> bool {
        self.outcomes.len() == self.wanted.nodes.len()
    }

    pub(super) fn outcomes(self) -> BTreeMap<NodeId, Outcome> {
        self.outcomes
    }

    /// Somebody asked to stop.
    pub(super) fn interrupt(&mut self) {
        self.end_all(|_| Outcome::Interrupted);
    }

    /// Waits for all nodes, or until there is a reason to stop.
    pub(super) async fn follow(
        &mut self,
        service: &ServiceId,
        mut events: Option<EventStream>,
        cancel: &CancellationToken,
    ) {
        let deadline = Instant::now() + self.wanted.within.min(LONGEST);
        let mut heard = Instant::now();
        while !self.is_over() {
            // A manager that takes its time to answer holds up neither the
            // deadline nor a person who wants to stop.
            let look = tokio::select! {
                biased;
                look = self.look(service) => look,
                () = cancel.cancelled() => return self.interrupt(),
                () = sleep_until(deadline) => return self.time_out(),
            };
            match look {
                Ok((tasks, nodes)) => {
                    heard = Instant::now();
                    self.judge(&tasks, &nodes);
                }
                Err(error) if error.is_not_found() => {
                    let why = "the service that pulls was removed by somebody else";
                    return self.end_all(|_| Outcome::Unseen(why.to_owned()));
                }
                Err(error) if heard.elapsed() > SILENCE || !error.is_retryable() => {
                    let why = error.to_string();
                    return self.end_all(|_| Outcome::Unseen(why.clone()));
                }
                Err(_) => {}
            }
            if self.is_over() {
                return;
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => return self.interrupt(),
                () = sleep_until(deadline) => return self.time_out(),
                () = pause(service, &mut events) => {}
            }
        }
    }

    async fn look(&self, service: &ServiceId) -> Result<(Vec<Task>, Vec<Node>), Error> {
        let services = [service.clone()];
        tokio::try_join!(self.manager.tasks(&services), self.manager.nodes())
    }

    fn judge(&mut self, tasks: &[Task], nodes: &[Node]) {
        let waiting: Vec<NodeId> = self.waiting().cloned().collect();
        for id in waiting {
            let own = tasks
                .iter()
                .filter(|task| task.node_id.as_ref() == Some(&id));
            // There is one; should there be more, the one that got furthest
            // with the image counts.
            let task = own.max_by_key(|task| (has_pulled(task.state), task.created_at));
            let outcome = match task {
                Some(task) => self.judge_task(&id, task, find(nodes, &id)),
                None => away(find(nodes, &id)).map(Outcome::Away),
            };
            if let Some(outcome) = outcome {
                self.end(&id, outcome);
            }
        }
    }

    /// None: neither here nor there yet.
    fn judge_task(&mut self, id: &NodeId, task: &Task, node: Option<&Node>) -> Option<Outcome> {
        self.states.insert(id.clone(), task.state);
        match task.state {
            state if has_pulled(state) => Some(Outcome::Pulled),
            TaskState::Rejected => {
                let told = task.err.as_deref().unwrap_or(&task.message);
                let failure = PullFailure::of(told, &self.wanted.image);
                Some(Outcome::Rejected(failure))
            }
            TaskState::Shutdown | TaskState::Remove | TaskState::Orphaned => {
                Some(Outcome::Away(away(node).unwrap_or(Away::GaveUp)))
            }
            state => {
                if state == TaskState::Preparing && self.pulling.insert(id.clone()) {
                    (self.tell)(id, Progress::Pulling);
                }
                // A paused node goes on with what it has.
                let away = away(node).filter(|away| *away != Away::Paused);
                away.map(Outcome::Away).or_else(|| self.unplaced(id, task))
            }
        }
    }

    /// Swarm's reason for not placing a task, once it has been there for a
    /// while.
    fn unplaced(&mut self, id: &NodeId, task: &Task) -> Option<Outcome> {
        let why = task
            .err
            .as_deref()
            .filter(|_| task.state == TaskState::Pending);
        let Some(why) = why else {
            self.unplaced.remove(id);
            return None;
        };
        let since = self.unplaced.entry(id.clone()).or_insert_with(Instant::now);
        (since.elapsed() >= PLACING).then(|| Outcome::Unschedulable(why.to_owned()))
    }

    fn time_out(&mut self) {
        let seconds = self.wanted.within.as_secs();
        let states = std::mem::take(&mut self.states);
        self.end_all(|id| Outcome::TimedOut {
            state: states.get(id).copied(),
            seconds,
        });
    }

    fn end_all(&mut self, outcome: impl Fn(&NodeId) -> Outcome) {
        let waiting: Vec<NodeId> = self.waiting().cloned().collect();
        for id in waiting {
            let outcome = outcome(&id);
            self.end(&id, outcome);
        }
    }

    fn waiting(&self) -> impl Iterator<Item = &'a NodeId> {
        let nodes = self.wanted.nodes.iter();
        nodes.filter(|id| !self.outcomes.contains_key(id))
    }

    fn end(&mut self, id: &NodeId, outcome: Outcome) {
        (self.tell)(id, Progress::Done(outcome.clone()));
        self.outcomes.insert(id.clone(), outcome);
    }
}

/// Until an event of a node or of this service, or the next beat.
async fn pause(service: &ServiceId, events: &mut Option<EventStream>) {
    let beat = Instant::now() + BEAT;
    let event = async {
        let Some(stream) = events.as_mut() else {
            return std::future::pending().await;
        };
        loop {
            match stream.next().await {
                Some(Ok(event)) if event.is_about(service) => return true,
                Some(Ok(event)) if matches!(event.subject, Subject::Node(_)) => return true,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return false,
            }
        }
    };
    if timeout_at(beat, event).await == Ok(false) {
        // A stream that broke is not worth more than the beat.
        *events = None;
        sleep_until(beat).await;
    }
}

/// Whether a task that got so far has its image: a container was made of it.
/// One that could not be made is rejected, never failed.
fn has_pulled(state: TaskState) -> bool {
    match state {
        TaskState::Ready
        | TaskState::Starting
        | TaskState::Running
        | TaskState::Complete
        | TaskState::Failed => true,
        TaskState::Unknown
        | TaskState::New
        | TaskState::Allocated
        | TaskState::Pending
        | TaskState::Assigned
        | TaskState::Accepted
        | TaskState::Preparing
        | TaskState::Shutdown
        | TaskState::Rejected
        | TaskState::Remove
        | TaskState::Orphaned => false,
    }
}

fn find<'n>(nodes: &'n [Node], id: &NodeId) -> Option<&'n Node> {
    nodes.iter().find(|node| node.id == *id)
}

/// Why a node gets no new task, if it gets none.
fn away(node: Option<&Node>) -> Option<Away> {
    let Some(node) = node else {
        return Some(Away::Left);
    };
    match (node.is_live(), node.availability) {
        (false, _) => Some(Away::Silent(node.state)),
        (true, Availability::Drain) => Some(Away::Drained),
        (true, Availability::Pause) => Some(Away::Paused),
        (true, Availability::Active) => None,
    }
}
