//! Services: taken, changed, removed, and shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::check;
use super::due::{Due, Id};
use super::events::attributes;
use super::spec::{self, Mode};
use super::state::{TaskState, UpdateState};
use super::task::Place;
use super::updater::Updater;
use super::{ApiError, Cluster, ServiceUpdate};
use crate::Credential;

/// What the updater says.
#[derive(Clone, Debug)]
pub(super) struct UpdateStatus {
    pub(super) state: UpdateState,
    pub(super) started: Timestamp,
    pub(super) completed: Option<Timestamp>,
    pub(super) message: String,
}

/// One service.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) version: u64,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    /// As it was sent, but for what the engine fills in.
    pub(super) spec: Value,
    /// `TaskTemplate` of the spec, shared with the tasks made from it.
    pub(super) template: Arc<Value>,
    pub(super) auth: Option<Arc<Credential>>,
    pub(super) previous: Option<(Value, Option<Arc<Credential>>)>,
    pub(super) status: Option<UpdateStatus>,
    pub(super) updater: Option<Updater>,
    /// Updaters before this one are void.
    pub(super) update: u64,
    /// The tasks of each place, the oldest first.
    pub(super) places: BTreeMap<Place, Vec<Id>>,
    /// How often a place was restarted under this template.
    pub(super) restarts: BTreeMap<Place, u64>,
    /// The run of a job.
    pub(super) iteration: u64,
    /// When that run began.
    pub(super) executed: Timestamp,
}

impl Service {
    pub(super) fn mode(&self) -> Mode {
        Mode::of(&self.spec)
    }

    /// A rollback is under way.
    pub(super) fn goes_back(&self) -> bool {
        let status = self.status.as_ref();
        status.is_some_and(|status| status.state == UpdateState::RollbackStarted)
    }

    /// Another spec, and a credential: a new one, or one that is there.
    fn take(&mut self, spec: Value, auth: Option<Credential>, from_previous: bool) {
        let before = self.previous.take();
        self.auth = match (auth, from_previous) {
            (Some(auth), _) => Some(Arc::new(auth)),
            (None, true) => before.and_then(|(_, auth)| auth),
            (None, false) => self.auth.take(),
        };
        self.spec = spec;
        self.status = None;
    }

    /// The previous spec, with the credential that it had.
    fn go_back(&mut self, id: &Id, now: Timestamp) -> Result<(), ApiError> {
        let Some((spec, auth)) = self.previous.take() else {
            return Err(ApiError::precondition(format!(
                "service {id} does not have a previous spec"
            )));
        };
        (self.spec, self.auth) = (spec, auth);
        self.status = Some(UpdateStatus {
            state: UpdateState::RollbackStarted,
            started: now,
            completed: None,
            message: "manually requested rollback".to_owned(),
        });
        Ok(())
    }

    fn json(&self, id: &Id) -> Value {
        let mut service = json!({
            "ID": &**id,
            "Version": {"Index": self.version},
            "CreatedAt": self.created.to_string(),
            "UpdatedAt": self.updated.to_string(),
            "Spec": self.spec,
            "Endpoint": {"Spec": {}},
        });
        // Without ports and networks there is nothing to be allocated.
        let networks = &self.spec["TaskTemplate"]["Networks"];
        let is_allocated = self.spec["EndpointSpec"]["Ports"].is_array() || networks.is_array();
        if let Some(endpoint) = self.spec.get("EndpointSpec").filter(|_| is_allocated) {
            service["Endpoint"]["Spec"] = endpoint.clone();
        }
        if let Some(ports) = self.spec["EndpointSpec"]["Ports"].as_array() {
            service["Endpoint"]["Ports"] = json!(ports);
        }
        if let Some((previous, _)) = &self.previous {
            service["PreviousSpec"] = previous.clone();
        }
        if let Some(status) = &self.status {
            service["UpdateStatus"] = json!({
                "State": status.state.word(),
                "StartedAt": status.started.to_string(),
                "Message": status.message,
            });
            if let Some(completed) = status.completed {
                service["UpdateStatus"]["CompletedAt"] = json!(completed.to_string());
            }
        }
        if self.mode().is_job() {
            service["JobStatus"] = json!({
                "JobIteration": spec::job_iteration(self.iteration),
                "LastExecution": self.executed.to_string(),
            });
        }
        service
    }
}

impl Cluster {
    /// Creates a service, and returns its ID.
    ///
    /// # Errors
    /// The name is taken or malformed, or a config or secret does not exist.
    pub fn create_service(
        &mut self,
        now: Timestamp,
        mut spec: Value,
        auth: Option<Credential>,
    ) -> Result<String, ApiError> {
        self.advance(now);
        check::sent(&spec)?;
        spec::complete(&mut spec);
        self.check(&spec)?;
        let name = spec["Name"].as_str().unwrap_or_default().to_owned();
        if self.names.contains_key(&name.to_lowercase()) {
            return Err(ApiError::exists(format!(
                "name conflicts with an existing object: service {name} already exists"
            )));
        }
        let (id, version, now) = (self.identifier(), self.write(), self.now);
        let service = Service {
            name: name.clone(),
            version,
            created: now,
            updated: now,
            template: Arc::new(spec["TaskTemplate"].clone()),
            spec,
            auth: auth.map(Arc::new),
            previous: None,
            status: None,
            updater: None,
            update: 0,
            places: BTreeMap::new(),
            restarts: BTreeMap::new(),
            iteration: 0,
            executed: now,
        };
        self.names.insert(name.to_lowercase(), id.clone());
        self.services.insert(id.clone(), service);
        self.tell("service", "create", &id, attributes([("name", name)]));
        self.ask(4, Due::Reconcile(id.clone()));
        Ok(id.to_string())
    }

    /// Changes a service.
    ///
    /// # Errors
    /// There is none, somebody wrote in between, or it cannot be changed so.
    pub fn update_service(
        &mut self,
        now: Timestamp,
        id_or_name: &str,
        update: ServiceUpdate,
    ) -> Result<(), ApiError> {
        self.advance(now);
        let id = self.find_service(id_or_name)?;
        let mut spec = update.spec;
        check::sent(&spec)?;
        spec::complete(&mut spec);
        self.check(&spec)?;
        let service = &self.services[&id];
        if service.version != update.version {
            return Err(ApiError::out_of_sequence());
        }
        if !update.rollback && spec["Name"] != service.spec["Name"] {
            return Err(ApiError::unimplemented(
                "renaming services is not supported",
            ));
        }
        if !update.rollback && !Mode::of(&spec).is_like(service.mode()) {
            return Err(ApiError::unimplemented(
                "service mode change is not allowed",
            ));
        }
        let (version, now) = (self.write(), self.now);
        let Some(service) = self.services.get_mut(&id) else {
            return Err(ApiError::not_found("service", id_or_name));
        };
        let current = (service.spec.clone(), service.auth.clone());
        let before = current.0.clone();
        match update.rollback {
            true => service.go_back(&id, now)?,
            false => service.take(spec, update.auth, update.auth_from_previous),
        }
        service.previous = Some(current);
        service.version = version;
        service.updated = now;
        service.updater = None;
        service.update += 1;
        if service.mode().is_job() {
            // With every update a job runs again, whatever has changed.
            service.iteration += 1;
            service.executed = now;
        }
        let mut told = attributes([("name", service.name.clone())]);
        let image = |spec: &Value| spec::image(&spec["TaskTemplate"]).to_owned();
        let (old, new) = (image(&before), image(&service.spec));
        if old != new {
            told.insert("image.old".to_owned(), json!(old));
            told.insert("image.new".to_owned(), json!(new));
        }
        self.take_template(&id);
        self.tell("service", "update", &id, told);
        self.ask(4, Due::Reconcile(id));
        Ok(())
    }

    /// The template that tasks are made from, after the spec has changed. An
    /// equal one stays the same, so that tasks need not be compared.
    pub(super) fn take_template(&mut self, id: &Id) {
        let Some(service) = self.services.get_mut(id) else {
            return;
        };
        let template = &service.spec["TaskTemplate"];
        if *service.template != *template {
            service.template = Arc::new(template.clone());
            service.restarts.clear();
        }
    }

    /// Removes a service; its tasks are stopped and forgotten.
    ///
    /// # Errors
    /// There is none.
    pub fn remove_service(&mut self, now: Timestamp, id_or_name: &str) -> Result<(), ApiError> {
        self.advance(now);
        let id = self.find_service(id_or_name)?;
        self.write();
        let Some(service) = self.services.remove(&id) else {
            return Err(ApiError::not_found("service", id_or_name));
        };
        self.names.remove(&service.name.to_lowercase());
        let name = attributes([("name", service.name)]);
        self.tell("service", "remove", &id, name);
        for task in service.places.into_values().flatten() {
            self.set_desired(&task, TaskState::Remove);
            if self
                .tasks
                .get(&task)
                .is_some_and(|task| task.state.is_over() || task.node.is_none())
            {
                self.forget(&task);
            }
        }
        Ok(())
    }

    /// A service, by ID, name, or the beginning of an ID.
    ///
    /// # Errors
    /// There is none.
    pub fn service(&self, id_or_name: &str) -> Result<Value, ApiError> {
        let id = self.find_service(id_or_name)?;
        Ok(self.services[&id].json(&id))
    }

    /// All services.
    #[must_use]
    pub fn services(&self) -> Vec<Value> {
        let services = self.services.iter();
        services.map(|(id, service)| service.json(id)).collect()
    }

    /// `ServiceStatus` of a service, by its ID.
    #[must_use]
    pub fn service_status(&self, id: &str) -> Value {
        let Some(service) = self.services.get(id) else {
            return json!({});
        };
        let tasks = service.places.values().flatten();
        let tasks = tasks.filter_map(|task| self.tasks.get(task));
        let count =
            |wanted: &dyn Fn(&super::Task) -> bool| tasks.clone().filter(|it| wanted(it)).count();
        let running = count(&|task| task.state == TaskState::Running && task.desired.is_to_run());
        let desired = match service.mode() {
            Mode::Replicated(replicas) => usize::try_from(replicas).unwrap_or(usize::MAX),
            _ => count(&|task| task.desired.is_to_run()),
        };
        json!({
            "RunningTasks": running,
            "DesiredTasks": desired,
            "CompletedTasks": count(&|task| task.state == TaskState::Complete),
        })
    }

    pub(super) fn find_service(&self, what: &str) -> Result<Id, ApiError> {
        if let Some((id, _)) = self.services.get_key_value(what) {
            return Ok(id.clone());
        }
        // Taken in any case, found in its own.
        if let Some(id) = self.names.get(&what.to_lowercase())
            && self.services[id].name == what
        {
            return Ok(id.clone());
        }
        let mut found = self.services.keys().filter(|id| id.starts_with(what));
        match (found.next(), found.next()) {
            (Some(id), None) if !what.is_empty() => Ok(id.clone()),
            _ => Err(ApiError::not_found("service", what)),
        }
    }

    /// Writes what the updater says, and tells it.
    pub(super) fn say(&mut self, id: &Id, state: UpdateState, message: String) {
        let (version, now) = (self.write(), self.now);
        let Some(service) = self.services.get_mut(id) else {
            return;
        };
        let old = service.status.as_ref().map(|status| status.state);
        let started = service.status.as_ref().map(|status| status.started);
        let is_completed = matches!(
            state,
            UpdateState::Completed | UpdateState::RollbackCompleted
        );
        service.status = Some(UpdateStatus {
            state,
            started: started.unwrap_or(now),
            completed: is_completed.then_some(now),
            message,
        });
        service.version = version;
        service.updated = now;
        let mut told = attributes([
            ("name", service.name.clone()),
            ("updatestate.new", state.word().to_owned()),
        ]);
        if let Some(old) = old {
            told.insert("updatestate.old".to_owned(), json!(old.word()));
        }
        self.tell("service", "update", id, told);
    }
}
