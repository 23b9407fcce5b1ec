//! Keeps as many tasks as are wanted, where they are wanted.

use std::sync::Arc;

use super::Cluster;
use super::due::{Due, Id};
use super::spec::{self, Mode, RestartPolicy};
use super::state::TaskState;
use super::task::{Place, Task};
use crate::Credential;

/// Tasks of one place that are kept when they are over.
const HISTORY: usize = 5;

impl Cluster {
    /// Looks at a service: what is missing is made, what is too much stopped,
    /// what is not as the template says given to the updater.
    pub(super) fn reconcile(&mut self, id: &Id) {
        let Some(service) = self.services.get(id) else {
            return;
        };
        let mode = service.mode();
        let wanted: Vec<Place> = match mode {
            Mode::Replicated(replicas) => (1..=replicas).map(Place::Slot).collect(),
            Mode::ReplicatedJob { total, at_once } => self.job_slots(id, total, at_once),
            Mode::Global | Mode::GlobalJob => self.global_places(id),
        };
        let known: Vec<Place> = service.places.keys().cloned().collect();
        for place in known {
            if !wanted.contains(&place) {
                self.empty(id, &place);
            }
        }
        for place in wanted {
            self.fill(id, place);
        }
        if !mode.is_job() {
            self.update_dirty(id);
        }
    }

    /// The nodes that are to have a task. One that takes no new tasks keeps
    /// what it has.
    fn global_places(&self, id: &Id) -> Vec<Place> {
        let Some(service) = self.services.get(id) else {
            return Vec::new();
        };
        let nodes = self.nodes.iter().filter(|(node, it)| {
            let place = Place::Node((*node).clone());
            let has_one = service.places.get(&place).is_some_and(|tasks| {
                let mut tasks = tasks.iter().filter_map(|task| self.tasks.get(task));
                tasks.any(Task::is_wanted)
            });
            let stays = it.up && !it.is_drained() && has_one;
            (it.is_active() || stays) && self.fits_by_nature(&service.template, node)
        });
        nodes.map(|(node, _)| Place::Node(node.clone())).collect()
    }

    /// The slots of a job that are still to be run now.
    fn job_slots(&self, id: &Id, total: u64, at_once: u64) -> Vec<Place> {
        let Some(service) = self.services.get(id) else {
            return Vec::new();
        };
        let is_done = |slot: &u64| {
            let tasks = service
                .places
                .get(&Place::Slot(*slot))
                .into_iter()
                .flatten();
            let mut tasks = tasks.filter_map(|task| self.tasks.get(task));
            tasks.any(|task| {
                task.state == TaskState::Complete && task.job_iteration == Some(service.iteration)
            })
        };
        let done: Vec<u64> = (0..total).filter(is_done).collect();
        let open = (0..total).filter(|slot| !done.contains(slot));
        let at_once = usize::try_from(at_once).unwrap_or(usize::MAX);
        let open = open.take(at_once);
        done.iter().copied().chain(open).map(Place::Slot).collect()
    }

    /// Stops what is in a place. A slot that is too much is forgotten with all
    /// that ever ran in it; a node keeps its history.
    fn empty(&mut self, id: &Id, place: &Place) {
        let service = self.services.get(id);
        let shrinks = service.is_some_and(|it| matches!(it.mode(), Mode::Replicated(_)));
        let ends_as = match shrinks {
            true => TaskState::Remove,
            false => TaskState::Shutdown,
        };
        for task in self.wanted_in(id, place) {
            self.set_desired(&task, ends_as);
        }
        let tasks = self.services.get(id).and_then(|it| it.places.get(place));
        let over = |task: &&Id| self.tasks.get(*task).is_some_and(|it| it.state.is_over());
        let over: Vec<Id> = tasks.into_iter().flatten().filter(over).cloned().collect();
        if shrinks {
            over.iter().for_each(|task| self.forget(task));
        }
    }

    /// Makes a task where there is none that is wanted.
    fn fill(&mut self, id: &Id, place: Place) {
        let wanted = self.wanted_in(id, &place);
        let gone: Vec<Id> = wanted
            .iter()
            .filter(|task| self.is_lost(task))
            .cloned()
            .collect();
        for task in &gone {
            self.set_desired(task, TaskState::Shutdown);
        }
        if wanted.len() > gone.len() {
            return;
        }
        let Some(service) = self.services.get(id) else {
            return;
        };
        let newest = service.places.get(&place).and_then(|tasks| tasks.last());
        let newest = newest.and_then(|task| self.tasks.get(task));
        let iteration = service.mode().is_job().then_some(service.iteration);
        let ended = newest.is_some_and(|task| {
            // It had its end, and whether another follows was decided then.
            task.state.is_over()
                && !gone.contains(&task.id)
                && task.state != TaskState::Orphaned
                && task.job_iteration == iteration
                && Arc::ptr_eq(&task.template, &service.template)
                && task.desired <= TaskState::Shutdown
                && task.state != TaskState::Shutdown
        });
        if !ended {
            self.new_task(id, place, TaskState::Running);
        }
    }

    /// On a node that is to have none, or is not heard.
    fn is_lost(&self, task: &Id) -> bool {
        let node = self.tasks.get(task).and_then(|task| task.node.as_ref());
        node.is_some_and(|node| {
            self.nodes
                .get(node)
                .is_none_or(|node| !node.up || node.is_drained())
        })
    }

    pub(super) fn wanted_in(&self, id: &Id, place: &Place) -> Vec<Id> {
        let service = self.services.get(id);
        let tasks = service.and_then(|service| service.places.get(place));
        let tasks = tasks
            .into_iter()
            .flatten()
            .filter_map(|id| self.tasks.get(id));
        tasks
            .filter(|task| task.is_wanted())
            .map(|task| task.id.clone())
            .collect()
    }

    /// A new task from the template as it is now.
    pub(super) fn new_task(&mut self, id: &Id, place: Place, desired: TaskState) -> Option<Id> {
        let (task, version, now) = (self.identifier(), self.write(), self.now);
        let service = self.services.get_mut(id)?;
        let made = Task {
            id: task.clone(),
            service: id.clone(),
            service_name: service.name.clone(),
            node: match &place {
                Place::Slot(_) => None,
                Place::Node(node) => Some(node.clone()),
            },
            place: place.clone(),
            version,
            created: now,
            updated: now,
            template: Arc::clone(&service.template),
            auth: service.auth.clone(),
            desired,
            state: TaskState::New,
            since: now,
            message: "created".to_owned(),
            err: None,
            container: None,
            image: None,
            epoch: 0,
            running_at: None,
            job_iteration: service.mode().is_job().then_some(service.iteration),
            waits_for: Vec::new(),
            log: Vec::new(),
        };
        service
            .places
            .entry(place.clone())
            .or_default()
            .push(task.clone());
        self.tasks.insert(task.clone(), made);
        self.ask(6, Due::Allocate(task.clone()));
        self.reap(id, &place);
        Some(task)
    }

    /// Forgets what is over, but for the last few.
    fn reap(&mut self, id: &Id, place: &Place) {
        let service = self.services.get(id);
        let tasks = service.and_then(|service| service.places.get(place));
        let tasks: Vec<Id> = tasks.into_iter().flatten().cloned().collect();
        let over = |task: &&Id| {
            self.tasks
                .get(*task)
                .is_none_or(|task| task.state.is_over())
        };
        let over: Vec<Id> = tasks.iter().filter(over).cloned().collect();
        for task in over.iter().take(over.len().saturating_sub(HISTORY - 1)) {
            self.forget(task);
        }
    }

    pub(super) fn forget(&mut self, id: &Id) {
        self.free_node_of(id);
        self.unscheduled.remove(id);
        let Some(task) = self.tasks.remove(id) else {
            return;
        };
        if let Some(service) = self.services.get_mut(&task.service)
            && let Some(tasks) = service.places.get_mut(&task.place)
        {
            tasks.retain(|other| other != id);
            if tasks.is_empty() {
                service.places.remove(&task.place);
            }
        }
    }

    /// A task is over: another follows, or none.
    pub(super) fn ended(&mut self, id: &Id) {
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        let (service_id, place) = (task.service.clone(), task.place.clone());
        let (state, desired) = (task.state, task.desired);
        if desired == TaskState::Remove {
            return self.forget(id);
        }
        let Some(service) = self.services.get(&service_id) else {
            return self.forget(id);
        };
        if desired > TaskState::Running {
            return;
        }
        let (mode, policy) = (service.mode(), RestartPolicy::of(&service.template));
        let spent = service.restarts.get(&place).copied().unwrap_or(0);
        let follows = match (mode, state) {
            // Jobs run to an end, and a failing one of every node is tried
            // again at once, whatever the condition says.
            (_, TaskState::Complete) if mode.is_job() => false,
            (Mode::GlobalJob, _) => true,
            (_, TaskState::Complete) => policy.on_success,
            _ => policy.on_failure,
        };
        let follows = follows && (policy.max_attempts == 0 || spent < policy.max_attempts);
        self.set_desired(id, TaskState::Shutdown);
        if mode.is_job() && state == TaskState::Complete {
            return self.reconcile(&service_id);
        }
        if !follows {
            return;
        }
        if let Some(service) = self.services.get_mut(&service_id) {
            *service.restarts.entry(place.clone()).or_default() += 1;
        }
        let at_once = mode == Mode::GlobalJob;
        if let Some(next) = self.new_task(&service_id, place, TaskState::Ready) {
            let delay = if at_once {
                jiff::SignedDuration::ZERO
            } else {
                policy.delay
            };
            self.queue.push(self.now + delay, Due::Release(next));
        }
    }

    /// A task that was held back may start.
    pub(super) fn release(&mut self, id: &Id) {
        self.set_desired(id, TaskState::Running);
    }

    /// Whether a task has to be replaced for the service as it is now.
    ///
    /// As swarmkit has it: another credential alone is none, other places alone
    /// are none where the task may stay, and both together are one.
    pub(super) fn is_dirty(&self, task: &Task) -> bool {
        let Some(service) = self.services.get(&task.service) else {
            return false;
        };
        let same_template =
            Arc::ptr_eq(&task.template, &service.template) || *task.template == *service.template;
        if same_template {
            return false;
        }
        if spec::differs_beyond_placement(&task.template, &service.template) {
            return true;
        }
        if !is_same_auth(task.auth.as_ref(), service.auth.as_ref()) {
            return true;
        }
        let node = task.node.as_ref();
        node.is_some_and(|node| !self.fits_by_nature(&service.template, node))
    }
}

fn is_same_auth(one: Option<&Arc<Credential>>, other: Option<&Arc<Credential>>) -> bool {
    use secrecy::ExposeSecret as _;
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            Arc::ptr_eq(one, other)
                || (one.username == other.username
                    && one.password.expose_secret() == other.password.expose_secret())
        }
        _ => false,
    }
}
