//! The Swarm as a state machine: nodes, services and tasks, and the clock is
//! whoever calls.
//!
//! Nothing here does I/O or waits: every call says what time it is, and
//! [`Cluster::advance`] carries out what has come due since. So a rollout is a
//! table of events, and the same seed and calls give the same ids in the same
//! order.
//!
//! The parts are swarmkit's: an orchestrator that keeps tasks where they are
//! wanted, an updater that replaces them, a scheduler that finds them nodes,
//! and the agents of the nodes, which pull and run.

mod agent;
mod check;
mod due;
mod error;
mod events;
mod images;
mod kinds;
mod node;
mod objects;
mod orchestrator;
mod removal;
mod scheduler;
mod service;
mod spec;
mod state;
mod store;
mod task;
mod updater;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::Upstream;
use due::{Due, Id, Queue};
use node::Node;
use objects::Objects;
use service::Service;
use task::Task;

pub use kinds::{ApiError, LogLine, NodeContainer, NodeSetup, PullTicket, Role, ServiceUpdate};

/// How long managers take to elect a leader after one has gone.
const ELECTION: SignedDuration = SignedDuration::from_secs(3);

/// A Swarm.
pub struct Cluster {
    id: String,
    /// When its first node was there.
    created: Timestamp,
    rng: Rng,
    now: Timestamp,
    /// Raft's index: every write has one.
    index: u64,
    queue: Queue,
    upstream: Option<Arc<dyn Upstream>>,
    nodes: BTreeMap<Id, Node>,
    hostnames: HashMap<String, Id>,
    /// The nodes by how many tasks they have.
    loads: BTreeSet<(usize, Id)>,
    services: BTreeMap<Id, Service>,
    names: HashMap<String, Id>,
    tasks: BTreeMap<Id, Task>,
    /// Tasks that have no node yet.
    unscheduled: BTreeSet<Id>,
    /// Tasks that followed another and may not start before their delay is over.
    held: BTreeSet<Id>,
    /// The scheduler has been asked to look.
    schedule_asked: bool,
    configs: Objects,
    secrets: Objects,
    events: Vec<Value>,
    /// There is no leader until then.
    election: Option<Timestamp>,
}

impl Cluster {
    /// A Swarm without nodes. The seed gives its identifiers and the small
    /// delays of its machines.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        Self {
            id: identifier(&mut rng),
            created: Timestamp::UNIX_EPOCH,
            rng,
            now: Timestamp::UNIX_EPOCH,
            index: 10,
            queue: Queue::default(),
            upstream: None,
            nodes: BTreeMap::new(),
            hostnames: HashMap::new(),
            loads: BTreeSet::new(),
            services: BTreeMap::new(),
            names: HashMap::new(),
            tasks: BTreeMap::new(),
            unscheduled: BTreeSet::new(),
            held: BTreeSet::new(),
            schedule_asked: false,
            configs: Objects::new("config"),
            secrets: Objects::new("secret"),
            events: Vec::new(),
            election: None,
        }
    }

    /// Where the nodes pull from. Without it no registry can be reached.
    pub fn set_upstream(&mut self, upstream: Arc<dyn Upstream>) {
        self.upstream = Some(upstream);
    }

    /// When something is due next.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.queue.next()
    }

    /// Carries out all that is due by `now`, each at its own time.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some((at, due)) = self.queue.pop(now) {
            self.now = self.now.max(at);
            match self.election {
                // Nobody decides anything until there is a leader.
                Some(until) if !due.is_local() => self.queue.push(until, due),
                _ => self.carry_out(due),
            }
        }
        self.now = self.now.max(now);
    }

    fn carry_out(&mut self, due: Due) {
        match due {
            Due::Allocate(task) => self.allocate(&task),
            Due::Schedule => self.schedule(),
            Due::Step { task, epoch } => self.step(&task, epoch),
            Due::PullEnds { node, pull } => self.pull_ends(&node, pull),
            Due::Reconcile(service) => self.reconcile(&service),
            Due::ReconcileNode { service, node } => self.reconcile_node(&service, &node),
            Due::Ended(task) => self.ended(&task),
            Due::Release(task) => self.delayed(&task),
            Due::WorkerFree { service, update } => self.worker_free(&service, update),
            Due::Watched { service, update } => self.watched(&service, update),
            Due::NodeDown { node, epoch } => self.node_down(&node, epoch),
            Due::NodeReady { node, epoch } => self.node_ready(&node, epoch),
            Due::Orphan { node, epoch } => self.orphan(&node, epoch),
            Due::Elected => self.election = None,
        }
    }

    /// Whether there is a leader.
    ///
    /// # Errors
    /// There is none: the engine answers it to every call about the Swarm,
    /// reads included.
    pub fn available(&self) -> Result<(), ApiError> {
        match self.election {
            None => Ok(()),
            Some(_) => Err(ApiError::unknown(
                "The swarm does not have a leader. It's possible that too few managers are online. Make sure more than half of the managers are online.",
            )),
        }
    }

    /// The leader goes; another is elected in three seconds. What updaters
    /// have done stays, and they start anew.
    pub fn fail_over(&mut self, now: Timestamp) {
        self.advance(now);
        let until = now + ELECTION;
        self.election = Some(until);
        self.queue.push(until, Due::Elected);
        for service in self.services.values_mut() {
            service.updater = None;
        }
        let services: Vec<Id> = self.services.keys().cloned().collect();
        for service in services {
            self.queue.push(until, Due::Reconcile(service));
        }
    }

    /// The next index of a write.
    fn write(&mut self) -> u64 {
        self.index += 1;
        self.index
    }

    fn identifier(&mut self) -> Id {
        identifier(&mut self.rng).into()
    }

    /// A time so many milliseconds from now, give or take a half.
    fn soon(&mut self, millis: u32) -> Timestamp {
        let micros = self.rng.u32(millis * 500..=millis * 1500);
        self.now + SignedDuration::from_micros(i64::from(micros))
    }

    fn ask(&mut self, millis: u32, due: Due) {
        let at = self.soon(millis);
        self.queue.push(at, due);
    }
}

/// As swarmkit's: 25 small letters and digits.
fn identifier(rng: &mut Rng) -> String {
    const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    (0..25)
        .map(|_| char::from(DIGITS[rng.usize(..DIGITS.len())]))
        .collect()
}

#[cfg(test)]
mod tests;
