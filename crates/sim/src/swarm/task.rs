//! One task: a place to fill, and how far it has come.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::due::Id;
use super::state::TaskState;
use super::{ApiError, Cluster, LogLine};
use crate::{Credential, Image};

/// Where in its service a task stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// The number of a replica.
    Slot(u64),
    /// The node of a global service.
    Node(Id),
}

/// What runs, or has run.
#[derive(Clone, Debug)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) pid: u32,
    pub(super) exit_code: Option<i64>,
    /// Its node has nothing of it any more.
    pub(super) removed: bool,
}

/// One task. Its state moves forward only; what is wanted of it, too.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) id: Id,
    pub(super) service: Id,
    pub(super) service_name: String,
    pub(super) place: Place,
    pub(super) node: Option<Id>,
    pub(super) version: u64,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) template: Arc<Value>,
    pub(super) auth: Option<Arc<Credential>>,
    /// `EndpointSpec` of the service when it was made; null without one.
    pub(super) endpoint: Value,
    pub(super) desired: TaskState,
    pub(super) state: TaskState,
    pub(super) since: Timestamp,
    pub(super) message: String,
    pub(super) err: Option<String>,
    pub(super) container: Option<Container>,
    pub(super) image: Option<Image>,
    /// Steps that were asked for before this are void.
    pub(super) epoch: u64,
    /// When it was first seen running.
    pub(super) running_at: Option<Timestamp>,
    pub(super) job_iteration: Option<u64>,
    /// It starts when these are over, whatever has become of their updater.
    pub(super) waits_for: Vec<Id>,
    pub(super) log: Vec<LogLine>,
}

impl Task {
    /// Swarm wants it to run, sooner or later, and it may.
    pub(super) fn is_wanted(&self) -> bool {
        self.desired.is_to_run() && !self.state.is_over()
    }

    /// `web.1.ID`, or with the node in place of the number.
    pub(super) fn name(&self) -> String {
        match &self.place {
            Place::Slot(slot) => format!("{}.{slot}.{}", self.service_name, self.id),
            Place::Node(node) => format!("{}.{node}.{}", self.service_name, self.id),
        }
    }

    /// As the Engine API has it.
    pub(super) fn json(&self) -> Value {
        let mut status = json!({
            "Timestamp": self.since.to_string(),
            "State": self.state.word(),
            "Message": self.message,
            "PortStatus": {},
        });
        if let Some(err) = &self.err {
            status["Err"] = json!(err);
        }
        if let Some(container) = &self.container {
            let runs = self.state == TaskState::Running;
            status["ContainerStatus"] = json!({
                "ContainerID": container.id,
                "PID": if runs { container.pid } else { 0 },
                "ExitCode": container.exit_code.unwrap_or(0),
            });
        } else if self.state == TaskState::Rejected && self.node.is_some() {
            status["ContainerStatus"] = json!({"ContainerID": "", "PID": 0, "ExitCode": 0});
        }
        let mut task = json!({
            "ID": &*self.id,
            "Version": {"Index": self.version},
            "CreatedAt": self.created.to_string(),
            "UpdatedAt": self.updated.to_string(),
            "Labels": {},
            "Spec": self.spec(),
            "ServiceID": &*self.service,
            "Status": status,
            "DesiredState": self.desired.word(),
        });
        match &self.place {
            // A zero is not said.
            Place::Slot(0) | Place::Node(_) => {}
            Place::Slot(slot) => task["Slot"] = json!(slot),
        }
        if let Some(node) = &self.node {
            task["NodeID"] = json!(&**node);
        }
        if let Some(iteration) = self.job_iteration {
            task["JobIteration"] = super::spec::job_iteration(iteration);
        }
        task
    }

    /// The template as tasks have it: the runtime is the service's to say.
    fn spec(&self) -> Value {
        let mut spec = (*self.template).clone();
        if let Value::Object(fields) = &mut spec {
            fields.remove("Runtime");
        }
        spec
    }
}

impl Cluster {
    /// All tasks, those that are over included.
    #[must_use]
    pub fn tasks(&self) -> Vec<Value> {
        self.tasks.values().map(Task::json).collect()
    }

    /// The tasks of these services.
    #[must_use]
    pub fn tasks_of(&self, service_ids: &[String]) -> Vec<Value> {
        let services = service_ids.iter().filter_map(|id| self.services.get(&**id));
        services
            .flat_map(|service| service.places.values().flatten())
            .filter_map(|task| Some(self.tasks.get(task)?.json()))
            .collect()
    }

    /// One task, by its ID or the beginning of it.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn task(&self, id: &str) -> Result<Value, ApiError> {
        if let Some(task) = self.tasks.get(id) {
            return Ok(task.json());
        }
        let from = self
            .tasks
            .range::<str, _>((std::ops::Bound::Included(id), std::ops::Bound::Unbounded));
        let mut found = from.take_while(|(known, _)| known.starts_with(id));
        match (found.next(), found.next()) {
            (Some((_, task)), None) if !id.is_empty() => Ok(task.json()),
            _ => Err(ApiError::not_found("task", id)),
        }
    }

    /// What a task's container has written, the oldest first.
    #[must_use]
    pub fn logs(&self, task_id: &str) -> Vec<LogLine> {
        let task = self.tasks.get(task_id);
        task.map(|task| task.log.clone()).unwrap_or_default()
    }

    /// A container ends by itself, or is killed by the kernel.
    pub fn kill_task(&mut self, now: Timestamp, task_id: &str, exit_code: i64) {
        self.advance(now);
        let running = self
            .tasks
            .get(task_id)
            .filter(|task| matches!(task.state, TaskState::Starting | TaskState::Running));
        if let Some(id) = running.map(|task| task.id.clone()) {
            self.end_container(&id, exit_code, None);
        }
    }

    /// A task's new state, written down.
    pub(super) fn set_state(
        &mut self,
        id: &Id,
        state: TaskState,
        message: &str,
        err: Option<String>,
    ) {
        let (now, version) = (self.now, self.write());
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        if task.state == state && task.err == err {
            return;
        }
        task.state = state;
        task.message = message.to_owned();
        task.err = err;
        task.since = now;
        task.updated = now;
        task.version = version;
        if state == TaskState::Running {
            task.running_at = Some(now);
        }
        let over = state.is_over();
        if over {
            self.free_node_of(id);
        }
        self.updater_hears(id);
        if over {
            self.start_successor(id);
            self.ask(2, super::Due::Ended(id.clone()));
        }
    }

    /// A task that has waited for this one, and for no other, may start.
    fn start_successor(&mut self, id: &Id) {
        let Some(task) = self.tasks.get(id) else {
            return;
        };
        let service = self.services.get(&task.service);
        let others = service.and_then(|service| service.places.get(&task.place));
        let waiting = others.into_iter().flatten().find(|other| {
            let other = self.tasks.get(*other);
            other.is_some_and(|other| other.waits_for.contains(id))
        });
        let Some(waiting) = waiting.cloned() else {
            return;
        };
        let waits_for = self.tasks.get(&waiting).map(|task| &task.waits_for);
        let mut waits_for = waits_for.into_iter().flatten();
        if waits_for.all(|task| self.tasks.get(task).is_none_or(|task| task.state.is_over())) {
            self.release(&waiting);
        }
    }

    /// What is wanted of a task from now on, written down. It never goes back.
    pub(super) fn set_desired(&mut self, id: &Id, desired: TaskState) {
        let (now, version) = (self.now, self.write());
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        if task.desired >= desired {
            return;
        }
        task.desired = desired;
        task.updated = now;
        task.version = version;
        self.next_step(id, 10);
    }
}
