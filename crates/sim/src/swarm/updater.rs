//! Brings a service's tasks to its template, a few at a time.
//!
//! The parallel workers of swarmkit are counted rather than run: each has one
//! place under way, or waits for its delay. The updater waits for a new task to
//! run for as long as that takes.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::Cluster;
use super::due::{Due, Id};
use super::spec::{FailureAction, UpdateConfig};
use super::state::{TaskState, UpdateState};
use super::task::Place;

/// One update, or one roll-back, that is going on.
#[derive(Debug)]
pub(super) struct Updater {
    config: UpdateConfig,
    is_rollback: bool,
    /// Places that are still to be done.
    queue: VecDeque<Place>,
    /// How many there were.
    total: usize,
    /// The new tasks under way, with the old ones of their places.
    active: BTreeMap<Id, Vec<Id>>,
    /// Workers that wait for their delay.
    resting: usize,
    /// The new tasks, and whether they have failed.
    updated: BTreeMap<Id, bool>,
    /// When a worker was last done with a place, or with its delay.
    last: Timestamp,
}

impl Updater {
    /// All places are done, and the workers have waited for their delays.
    fn is_done(&self) -> bool {
        self.queue.is_empty() && self.active.is_empty() && self.resting == 0
    }

    /// How long a new task counts as one that may fail. In the end that is
    /// never less than a delay and a second.
    fn watched_for(&self) -> SignedDuration {
        let (delay, monitor) = (self.config.delay, self.config.monitor);
        match self.is_done() && delay >= monitor {
            true => delay + SignedDuration::from_secs(1),
            false => monitor,
        }
    }
}

impl Cluster {
    /// Begins an update, if tasks need one and none is going on.
    pub(super) fn update_dirty(&mut self, id: &Id) {
        let Some(service) = self.services.get(id) else {
            return;
        };
        let state = service.status.as_ref().map(|status| status.state);
        let stopped = matches!(
            state,
            Some(UpdateState::Paused | UpdateState::RollbackPaused)
        );
        if service.updater.is_some() || stopped {
            return;
        }
        let dirty: VecDeque<Place> = service
            .places
            .keys()
            .filter(|place| self.is_dirty_place(id, place))
            .cloned()
            .collect();
        let is_rollback = service.goes_back();
        if dirty.is_empty() {
            if state.is_some_and(UpdateState::is_going_on) {
                self.complete(id, is_rollback);
            }
            return;
        }
        let config = UpdateConfig::of(&service.spec, is_rollback);
        let updater = Updater {
            config,
            is_rollback,
            total: dirty.len(),
            queue: dirty,
            active: BTreeMap::new(),
            resting: 0,
            updated: BTreeMap::new(),
            last: self.now,
        };
        if let Some(service) = self.services.get_mut(id) {
            service.updater = Some(updater);
            service.update += 1;
        }
        // One that was completed stays so while what came later is brought.
        if state.is_none() {
            self.say(id, UpdateState::Updating, "update in progress".to_owned());
        }
        self.pump(id);
    }

    /// A place with several tasks is to be tidied up, too. The updater leaves
    /// a global service's task alone on a node that takes none.
    fn is_dirty_place(&self, id: &Id, place: &Place) -> bool {
        if let Place::Node(node) = place
            && !self
                .nodes
                .get(node)
                .is_some_and(super::node::Node::is_active)
        {
            return false;
        }
        let tasks = self.updatable_in(id, place);
        tasks.len() > 1 || tasks.iter().any(|task| self.is_dirty_task(task))
    }

    fn is_dirty_task(&self, task: &Id) -> bool {
        self.tasks.get(task).is_some_and(|task| self.is_dirty(task))
    }

    /// Gives places to the workers that are free.
    fn pump(&mut self, id: &Id) {
        loop {
            let Some(updater) = self.updater_mut(id) else {
                return;
            };
            let busy = updater.active.len() + updater.resting;
            let workers = match updater.config.parallelism {
                0 => usize::MAX,
                workers => usize::try_from(workers).unwrap_or(usize::MAX),
            };
            if busy >= workers {
                return;
            }
            let Some(place) = updater.queue.pop_front() else {
                break;
            };
            if self.is_dirty_place(id, &place) && !self.replace(id, &place) {
                self.rest(id);
            }
        }
        let Some(service) = self.services.get(id) else {
            return;
        };
        let update = service.update;
        if let Some(updater) = &service.updater
            && updater.is_done()
        {
            let at = updater.last + updater.watched_for();
            let service = id.clone();
            self.queue
                .push(at.max(self.now), Due::Watched { service, update });
        }
    }

    /// Brings a place to the template. False if that needs no waiting, since
    /// there is a task already that is as the template says.
    fn replace(&mut self, id: &Id, place: &Place) -> bool {
        let old = self.updatable_in(id, place);
        let clean = |held_back: bool| {
            let mut tasks = old.iter().filter(|task| !self.is_dirty_task(task));
            tasks.find(|task| {
                let task = self.tasks.get(*task);
                task.is_some_and(|task| (task.desired < TaskState::Running) == held_back)
            })
        };
        if let Some(kept) = clean(false).or_else(|| clean(true)).cloned() {
            let others: Vec<Id> = old.into_iter().filter(|task| *task != kept).collect();
            self.hold_back(&kept, &others);
            for task in &others {
                self.set_desired(task, TaskState::Shutdown);
            }
            return false;
        }
        let Some(updater) = self.updater_mut(id) else {
            return false;
        };
        let start_first = updater.config.start_first;
        let Some(new) = self.new_task(id, place.clone(), TaskState::Ready) else {
            return false;
        };
        if let Some(updater) = self.updater_mut(id) {
            updater.active.insert(new.clone(), old.clone());
            updater.updated.insert(new.clone(), false);
        }
        match start_first {
            true => self.release(&new),
            false => {
                self.hold_back(&new, &old);
                for task in &old {
                    self.set_desired(task, TaskState::Shutdown);
                }
            }
        }
        true
    }

    /// A task starts when these are over, which may be at once.
    fn hold_back(&mut self, id: &Id, old: &[Id]) {
        let running = |task: &&Id| self.tasks.get(*task).is_some_and(|it| !it.state.is_over());
        let waits_for: Vec<Id> = old.iter().filter(running).cloned().collect();
        if waits_for.is_empty() {
            return self.release(id);
        }
        if let Some(task) = self.tasks.get_mut(id) {
            task.waits_for = waits_for;
        }
    }

    /// A task has come to another state.
    pub(super) fn updater_hears(&mut self, id: &Id) {
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        let (service, state, running_at) = (task.service.clone(), task.state, task.running_at);
        let by_itself = task.desired.is_to_run();
        let now = self.now;
        let Some(updater) = self.updater_mut(&service) else {
            return;
        };
        if !updater.updated.contains_key(id) {
            return;
        }
        if state == TaskState::Running {
            let old = updater.active.remove(id).unwrap_or_default();
            for task in old {
                self.set_desired(&task, TaskState::Shutdown);
            }
            self.rest(&service);
            return self.pump(&service);
        }
        if !state.is_over() {
            return;
        }
        // One that was stopped, as on a drained node, is not waited for either.
        let watched = by_itself
            && running_at.is_none_or(|since| now.duration_since(since) <= updater.watched_for());
        let was_active = updater.active.remove(id).is_some();
        let is_news = watched && updater.updated.insert(id.clone(), true) == Some(false);
        if is_news && self.fails(&service, id) {
            return;
        }
        if was_active {
            self.rest(&service);
            self.pump(&service);
        }
    }

    /// A worker is done with a place, and waits for its delay, also when there
    /// is nothing left to be done.
    fn rest(&mut self, id: &Id) {
        let now = self.now;
        let Some(service) = self.services.get_mut(id) else {
            return;
        };
        let update = service.update;
        let Some(updater) = &mut service.updater else {
            return;
        };
        updater.last = now;
        if updater.config.delay.is_zero() {
            return;
        }
        updater.resting += 1;
        let at = now + updater.config.delay;
        let service = id.clone();
        self.queue.push(at, Due::WorkerFree { service, update });
    }

    pub(super) fn worker_free(&mut self, id: &Id, update: u64) {
        let now = self.now;
        if self
            .services
            .get(id)
            .is_some_and(|service| service.update == update)
        {
            if let Some(updater) = self.updater_mut(id) {
                updater.resting = updater.resting.saturating_sub(1);
                updater.last = now;
            }
            self.pump(id);
        }
    }

    /// Nothing has failed for as long as was to be watched.
    pub(super) fn watched(&mut self, id: &Id, update: u64) {
        let now = self.now;
        let Some(service) = self.services.get_mut(id).filter(|it| it.update == update) else {
            return;
        };
        let Some(updater) = &service.updater else {
            return;
        };
        if !updater.is_done() || updater.last + updater.watched_for() > now {
            return;
        }
        let is_rollback = updater.is_rollback;
        service.updater = None;
        self.complete(id, is_rollback);
        // What came in between is next.
        self.ask(4, Due::Reconcile(id.clone()));
    }

    fn complete(&mut self, id: &Id, is_rollback: bool) {
        let (state, message) = match is_rollback {
            false => (UpdateState::Completed, "update completed"),
            true => (UpdateState::RollbackCompleted, "rollback completed"),
        };
        self.say(id, state, message.to_owned());
    }

    /// A new task has failed. Whether that ends the update.
    fn fails(&mut self, id: &Id, task: &Id) -> bool {
        let Some(updater) = self.updater_mut(id) else {
            return true;
        };
        let failed = updater.updated.values().filter(|failed| **failed).count();
        #[expect(clippy::cast_precision_loss, reason = "there are not so many tasks")]
        let ratio = failed as f64 / updater.total as f64;
        if ratio <= updater.config.max_failure_ratio {
            return false;
        }
        let (action, is_rollback) = (updater.config.action, updater.is_rollback);
        let why = format!("due to failure or early termination of task {task}");
        let Some(service) = self.services.get_mut(id) else {
            return true;
        };
        match action {
            FailureAction::Continue => return false,
            FailureAction::Rollback if service.previous.is_some() => {
                service.updater = None;
                self.roll_back(id, format!("update rolled back {why}"));
            }
            FailureAction::Rollback | FailureAction::Pause => {
                service.updater = None;
                let state = match is_rollback {
                    false => UpdateState::Paused,
                    true => UpdateState::RollbackPaused,
                };
                // Of a rollback, too, it is said so.
                self.say(id, state, format!("update paused {why}"));
            }
        }
        true
    }

    /// The engine itself goes back: afterwards there is nothing to go back to.
    fn roll_back(&mut self, id: &Id, message: String) {
        let Some(service) = self.services.get_mut(id) else {
            return;
        };
        let Some((spec, auth)) = service.previous.take() else {
            return;
        };
        service.spec = spec;
        service.auth = auth;
        service.update += 1;
        self.take_template(id);
        self.say(id, UpdateState::RollbackStarted, message);
        self.ask(4, Due::Reconcile(id.clone()));
    }

    fn updater_mut(&mut self, id: &Id) -> Option<&mut Updater> {
        self.services.get_mut(id)?.updater.as_mut()
    }
}
