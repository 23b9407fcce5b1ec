//! A connected manager: everything that is asked of a Swarm, and what is done
//! to it. Configs have a file of their own.
//!
//! Two clients share one socket. bollard reads what its models hold whole: the
//! engine's version and info, and the nodes. Services, tasks, events and logs
//! go through [`crate::http`]: bollard's service model loses fields, one
//! unknown word in any task makes it refuse the list, its event stream cannot
//! say when it has begun, and its log reader aborts on the engine's own error
//! frames.

mod configs;

use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error as BollardError;
use futures_util::StreamExt as _;
use imgstack_spec::{Endpoint, ServiceName};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::error::{ConnectFailure, chain};
use crate::event::{self, EventStream};
use crate::http::{Http, REQUEST, retrying};
use crate::logs::{self, LogLine};
use crate::task::WireTask;
use crate::transport::Link;
use crate::{Error, Node, RawService, RegistryAuth, ServiceId, Target, Task, TaskId};

/// The oldest API that is understood: that of Engine 19.03. Nodes older than
/// this lack fields that plans speak of.
pub const API_FLOOR: (u32, u32) = (1, 40);

/// How long the log of a task may take: it comes from the task's node, which
/// may be gone.
const LOGS: Duration = Duration::from_secs(5);

/// More of a task's output than this is of no use to a person.
const LOGS_MAX: usize = 1 << 20;

/// A connection to a manager. Clones share it; it closes with the last one.
#[derive(Clone, Debug)]
pub struct Manager {
    typed: Docker,
    http: Http,
    link: Arc<Link>,
    cluster: Cluster,
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// The Swarm's identifier.
    pub id: String,
    /// Version of the manager's engine.
    pub engine_version: String,
    /// The newest API that it speaks, which is the one that is spoken.
    pub api_version: String,
}

/// An update that was accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateOutcome {
    /// What the engine wants to be known, in its words.
    pub warnings: Vec<String>,
}

impl Manager {
    /// Connects, and makes sure that a manager of a Swarm is at the other end
    /// and speaks an API that is understood.
    ///
    /// # Errors
    /// All of [`Error`] but those of changes.
    pub async fn connect(target: &Target) -> Result<Self, Error> {
        Self::connect_with(target, REQUEST).await
    }

    /// As [`Manager::connect`], with another deadline for requests.
    ///
    /// # Errors
    /// As [`Manager::connect`].
    pub async fn connect_with(target: &Target, request: Duration) -> Result<Self, Error> {
        let link = Arc::new(Link::open(target).await?);
        let socket = link.socket().to_string_lossy().into_owned();
        let typed = Docker::connect_with_unix(
            &socket,
            request.as_secs().max(1),
            bollard::API_DEFAULT_VERSION,
        )
        .map_err(|error| from_bollard("the connection", link.endpoint(), &error))?;
        let (engine_version, api_version) = version(&typed, link.endpoint()).await?;
        let cluster = Cluster {
            id: swarm_id(&typed, link.endpoint()).await?,
            engine_version,
            api_version,
        };
        let http = Http::new(Arc::clone(&link), &cluster.api_version, request)?;
        Ok(Self {
            typed,
            http,
            link,
            cluster,
        })
    }

    /// The Swarm, and the engine that speaks for it.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Where this manager is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        self.link.endpoint()
    }

    /// The connection, for what is asked of the manager's own engine.
    pub(crate) fn connection(&self) -> (&Http, &Arc<Link>) {
        (&self.http, &self.link)
    }

    /// Every service of the Swarm.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn services(&self) -> Result<Vec<RawService>, Error> {
        let services: Vec<Value> = self
            .http
            .get("the list of services", "/services", &[])
            .await?;
        Ok(services.into_iter().map(RawService::new).collect())
    }

    /// The services of these names, as far as they exist, in one call.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn services_named(&self, names: &[ServiceName]) -> Result<Vec<RawService>, Error> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: Vec<&str> = names.iter().map(ServiceName::as_str).collect();
        let query = [("filters", json!({ "name": wanted }).to_string())];
        let services: Vec<Value> = self
            .http
            .get("the list of services", "/services", &query)
            .await?;
        // The engine takes a name in a filter for a beginning.
        let services = services.into_iter().map(RawService::new);
        Ok(services
            .filter(|service| wanted.contains(&service.name()))
            .collect())
    }

    /// One service, as it is now.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::is_not_found`] when it does not exist.
    pub async fn service(&self, id: &ServiceId) -> Result<RawService, Error> {
        let call = format!("service {}", id.short());
        let service = self
            .http
            .get(&call, &format!("/services/{id}"), &[])
            .await?;
        Ok(RawService::new(service))
    }

    /// Writes a service's spec, if its version index is still `version`. Sent
    /// once, never again. Without `auth`, the stored credential stays.
    ///
    /// A write that changes nothing is no harmless thing: it destroys what
    /// Swarm would roll back to. Compare before calling.
    ///
    /// # Errors
    /// [`Error::OutOfSequence`] when the index moved: nothing was changed.
    /// [`Error::AnswerLost`] when it is unknown whether it was done.
    pub async fn update_service(
        &self,
        id: &ServiceId,
        version: u64,
        spec: &Value,
        auth: Option<&RegistryAuth>,
    ) -> Result<UpdateOutcome, Error> {
        let auth = auth.map(RegistryAuth::header);
        let warnings = self.http.update_service(id, version, spec, auth).await?;
        Ok(UpdateOutcome { warnings })
    }

    /// The services that carry this label with this value.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn services_labelled(
        &self,
        key: &str,
        value: &str,
    ) -> Result<Vec<RawService>, Error> {
        let label = format!("{key}={value}");
        let query = [("filters", json!({ "label": [label] }).to_string())];
        let services: Vec<Value> = self
            .http
            .get("the list of services", "/services", &query)
            .await?;
        Ok(services.into_iter().map(RawService::new).collect())
    }

    /// Makes a service of a spec. Sent once, never again.
    ///
    /// # Errors
    /// [`Error::is_conflict`] when there is one of that name;
    /// [`Error::AnswerLost`] when it is unknown whether it was made.
    pub async fn create_service(
        &self,
        spec: &Value,
        auth: Option<&RegistryAuth>,
    ) -> Result<ServiceId, Error> {
        let name = spec.get("Name").and_then(Value::as_str).unwrap_or_default();
        let call = format!("the creation of service {name}");
        let auth = auth.map(RegistryAuth::header);
        let id = self
            .http
            .create(&call, "/services/create", spec, auth)
            .await?;
        Ok(ServiceId::new(id))
    }

    /// Removes a service and its tasks. None of that name is an error, too:
    /// [`Error::is_not_found`].
    ///
    /// # Errors
    /// See [`Error`]; [`Error::AnswerLost`] when it is unknown whether it was
    /// done, and then it may be sent again.
    pub async fn remove_service(&self, id: &ServiceId) -> Result<(), Error> {
        let call = format!("the removal of service {}", id.short());
        let path = format!("/services/{id}");
        self.http.delete(&call, &path, &[]).await.map(drop)
    }

    /// The tasks of these services, history included. None of no services.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::is_not_found`] when one of them does not exist.
    pub async fn tasks(&self, services: &[ServiceId]) -> Result<Vec<Task>, Error> {
        if services.is_empty() {
            return Ok(Vec::new());
        }
        let query = [("filters", json!({ "service": services }).to_string())];
        self.list_tasks(&query).await
    }

    /// The tasks of all services, history included.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn all_tasks(&self) -> Result<Vec<Task>, Error> {
        self.list_tasks(&[]).await
    }

    async fn list_tasks(&self, query: &[(&str, String)]) -> Result<Vec<Task>, Error> {
        let tasks: Vec<WireTask> = self.http.get("the list of tasks", "/tasks", query).await?;
        Ok(tasks.into_iter().map(Task::from).collect())
    }

    /// The members of the Swarm.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn nodes(&self) -> Result<Vec<Node>, Error> {
        let call = "the list of nodes";
        let nodes = retrying(|| async {
            let nodes = self.typed.list_nodes(None).await;
            nodes.map_err(|error| self.typed_error(call, &error))
        })
        .await?;
        Ok(nodes.into_iter().map(Node::from).collect())
    }

    /// What happens to services and nodes from now on. Returns once the engine
    /// has begun to answer, so that nothing that is done afterwards is missed.
    ///
    /// # Errors
    /// See [`Error`]; later ones come in the stream.
    pub async fn events(&self) -> Result<EventStream, Error> {
        let filters = json!({ "type": ["service", "node"], "scope": ["swarm"] });
        let query = [("filters", filters.to_string())];
        let chunks = self.http.stream("the events", "/events", &query).await?;
        Ok(event::decode(chunks))
    }

    /// The last `tail` lines that a task wrote, from whichever node it ran on.
    /// After five seconds, what has come by then.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::Deadline`] when nothing came.
    pub async fn task_logs(&self, task: &TaskId, tail: u32) -> Result<Vec<LogLine>, Error> {
        let query = [
            ("stdout", "1".to_owned()),
            ("stderr", "1".to_owned()),
            ("tail", tail.to_string()),
        ];
        let path = format!("/tasks/{task}/logs");
        let mut body = Vec::new();
        match timeout(
            LOGS,
            self.collect("the log of a task", &path, &query, &mut body),
        )
        .await
        {
            Ok(done) => done?,
            Err(_) if body.is_empty() => {
                return Err(Error::Deadline {
                    call: "the log of a task".to_owned(),
                    seconds: LOGS.as_secs(),
                });
            }
            Err(_) => {}
        }
        Ok(logs::lines(&body))
    }

    async fn collect(
        &self,
        call: &'static str,
        path: &str,
        query: &[(&str, String)],
        body: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let mut chunks = self.http.stream(call, path, query).await?;
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk?);
            if body.len() > LOGS_MAX {
                break;
            }
        }
        Ok(())
    }

    fn typed_error(&self, call: &str, error: &BollardError) -> Error {
        match error {
            BollardError::DockerResponseServerError {
                status_code,
                message,
            } => self.http.refused(call, *status_code, message.clone()),
            other => from_bollard(call, self.link.endpoint(), other),
        }
    }
}

/// Version of the engine and of its API, which must not be below the floor.
pub(crate) async fn version(
    typed: &Docker,
    endpoint: &Endpoint,
) -> Result<(String, String), Error> {
    let call = "the engine's version";
    let version = retrying(|| async {
        let version = typed.version().await;
        version.map_err(|error| from_bollard(call, endpoint, &error))
    })
    .await?;
    let engine = version.version.unwrap_or_default();
    let api = version.api_version.unwrap_or_default();
    let number = api
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    match number {
        Some(number) if number >= API_FLOOR => Ok((engine, api)),
        Some(_) => Err(Error::EngineTooOld {
            endpoint: Box::new(endpoint.clone()),
            engine,
            api,
        }),
        None => Err(Error::Unintelligible {
            call: call.to_owned(),
            cause: format!("`{api}` is not an API version"),
        }),
    }
}

/// The Swarm's identifier, which only a manager tells.
async fn swarm_id(typed: &Docker, endpoint: &Endpoint) -> Result<String, Error> {
    let info = retrying(|| async {
        let info = typed.info().await;
        info.map_err(|error| from_bollard("the engine's info", endpoint, &error))
    })
    .await?;
    let swarm = info.swarm.unwrap_or_default();
    if swarm.control_available == Some(true) {
        let cluster = swarm.cluster.unwrap_or_default();
        return Ok(cluster.id.unwrap_or_default());
    }
    let state = swarm.local_node_state.map(|state| state.to_string());
    if let Some(state) = state.filter(|it| ["locked", "pending", "error"].contains(&it.as_str())) {
        return Err(Error::NotReady {
            endpoint: Box::new(endpoint.clone()),
            state,
            detail: swarm.error.unwrap_or_default(),
        });
    }
    let peers = swarm.remote_managers.unwrap_or_default();
    let mut managers: Vec<_> = peers.into_iter().filter_map(|peer| peer.addr).collect();
    managers.sort();
    Err(Error::NotAManager {
        endpoint: Box::new(endpoint.clone()),
        member: swarm.node_id.is_some_and(|id| !id.is_empty()),
        managers,
    })
}

pub(crate) fn from_bollard(call: &str, endpoint: &Endpoint, error: &BollardError) -> Error {
    let call = call.to_owned();
    match error {
        BollardError::DockerResponseServerError {
            status_code,
            message,
        } => Error::Refused {
            call,
            status: *status_code,
            message: message.clone(),
        },
        BollardError::RequestTimeoutError => Error::Deadline {
            call,
            seconds: REQUEST.as_secs(),
        },
        BollardError::JsonDataError { message, .. } => Error::Unintelligible {
            call,
            cause: message.clone(),
        },
        BollardError::JsonSerdeError { err } => Error::Unintelligible {
            call,
            cause: err.to_string(),
        },
        BollardError::SocketNotFoundError(path) => Error::Connect {
            endpoint: Box::new(endpoint.clone()),
            failure: ConnectFailure::NobodyListens,
            cause: format!("{path} does not exist"),
        },
        other => Error::Broken {
            call,
            cause: chain(other),
        },
    }
}
