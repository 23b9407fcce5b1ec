//! The questions of a rollout, put to a task.
//!
//! An address on an overlay network can be reached from no host, so a task is
//! asked from its own node, which reaches it over a bridge of the node's own
//! ([`address`]), or in its container. Over ssh a connection of the node's goes
//! through the one that is there.
//!
//! Deliberately absent: how often, for how long, and what an answer means for a
//! rollout. A task that says nothing is not ready, but whether it leads nobody
//! knows; so that is an answer of its own.

mod address;
mod exec;
mod http;
mod leads;
mod unasked;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use imgstack_spec::{Question, TaskPlace, TaskTemplate};
use serde::de::IgnoredAny;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::engine::Ran;
use crate::transport::{Expected, NotCarried};
use crate::{Manager, Node, NodeEngine, NodeId, Task};
use address::Addresses;

pub use exec::RunError;
pub use unasked::Unasked;

/// Puts questions to tasks. Clones share what was looked up.
#[derive(Clone, Debug)]
pub struct Asker {
    manager: Manager,
    engines: Arc<BTreeMap<NodeId, NodeEngine>>,
    /// The manager's own engine, once a task on its node was asked.
    own: Arc<OnceCell<NodeEngine>>,
    addresses: Arc<Addresses>,
}

/// Who is asked: a task, and the node that it is on.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The task.
    pub task: &'a Task,
    /// Its node.
    pub node: &'a Node,
}

/// What a task says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Yes,
    /// No, and what it said: a status, an exit code, or that it takes no
    /// connection where a connection is all that was asked for.
    No(String),
    /// It was asked, and nothing came that answers the question: nobody listens,
    /// nothing came in time, there is no such program, the container does not
    /// run. Not ready; whether it leads, this does not tell.
    Silent(String),
    /// It could not be asked. This says nothing about the task.
    Unknown(Unasked),
}

impl Asker {
    /// Who asks by these engines; tasks on the manager's node by the manager's
    /// connection, where that node has no engine among them.
    #[must_use]
    pub fn new<'a>(manager: &Manager, engines: impl IntoIterator<Item = &'a NodeEngine>) -> Self {
        let engines = engines.into_iter();
        let known = engines.filter_map(|engine| Some((engine.node_id()?.clone(), engine.clone())));
        Self {
            manager: manager.clone(),
            engines: Arc::new(known.collect()),
            own: Arc::default(),
            addresses: Arc::default(),
        }
    }

    /// Puts a question to a task. Not longer than `within` each: to find out
    /// where the task is, the first time; to ask it; and, where it is silent, to
    /// see that this is no silence of its node's engine, which tells nothing of
    /// the task.
    pub async fn ask(&self, question: &Question, within: Duration, at: &Asked<'_>) -> Answer {
        let answer = match question {
            Question::Http(url) => self.ask_http(url, within, at).await,
            Question::Tcp(to) => self.ask_tcp(to, within, at).await,
            Question::Exec(command) => self.ask_exec(command, within, at).await,
        };
        match answer.unwrap_or_else(Answer::from) {
            Answer::Silent(_) if !self.hears(at.node, within).await => {
                Answer::Unknown(Unasked::slow_engine(at.node, within))
            }
            answer => answer,
        }
    }

    /// Whether the engine of a node answers at all.
    async fn hears(&self, node: &Node, within: Duration) -> bool {
        let Ok(engine) = self.engine(node).await else {
            return true;
        };
        let http = engine.http();
        let version = http.get::<IgnoredAny>("the engine's version", "/version", &[]);
        match timeout(within, version).await {
            Ok(Ok(_)) => true,
            // A no is an answer.
            Ok(Err(error)) => !error.is_retryable(),
            Err(_) => false,
        }
    }

    /// Runs a program in a task's container to its end.
    ///
    /// # Errors
    /// See [`RunError`]. A program that ends with a code other than 0 is none.
    pub async fn run(
        &self,
        command: &[TaskTemplate],
        within: Duration,
        at: &Asked<'_>,
    ) -> Result<Ran, RunError> {
        let (engine, words) = self.prepared(command, within, at).await?;
        Ok(engine.exec(at.container()?, &words, within).await?)
    }

    async fn ask_http(
        &self,
        url: &TaskTemplate,
        within: Duration,
        at: &Asked<'_>,
    ) -> Result<Answer, Early> {
        let (engine, urls) = self.prepared(std::slice::from_ref(url), within, at).await?;
        let url = http::Url::read(&urls.concat())?;
        Ok(http::get(&engine, at.expected(), &url, within).await?)
    }

    async fn ask_tcp(
        &self,
        to: &TaskTemplate,
        within: Duration,
        at: &Asked<'_>,
    ) -> Result<Answer, Early> {
        let (engine, to) = self.prepared(std::slice::from_ref(to), within, at).await?;
        let (host, port) = http::host_and_port(&to.concat(), None)?;
        let knocked = engine.link().knock(at.expected(), (&host, port), within);
        match timeout(within, knocked).await {
            Ok(Ok(())) => Ok(Answer::Yes),
            Ok(Err(NotCarried::Refused(words))) => Ok(Answer::No(words)),
            Ok(Err(not_carried)) => Err(Unasked::from(not_carried).into()),
            Err(_) => Ok(Answer::Silent(too_slow(within))),
        }
    }

    async fn ask_exec(
        &self,
        command: &[TaskTemplate],
        within: Duration,
        at: &Asked<'_>,
    ) -> Result<Answer, Early> {
        let (engine, words) = self.prepared(command, within, at).await?;
        let ran = engine.exec(at.container()?, &words, within).await;
        exec::answer(&words, ran)
    }

    /// The engine to go by, and the texts as they are for this task.
    async fn prepared(
        &self,
        texts: &[TaskTemplate],
        within: Duration,
        at: &Asked<'_>,
    ) -> Result<(NodeEngine, Vec<String>), Early> {
        let engine = self.engine(at.node).await?;
        let address = match texts.iter().any(TaskTemplate::needs_task_address) {
            true => {
                let found = timeout(within, self.addresses.of(&engine, at.container()?)).await;
                Some(found.unwrap_or_else(|_| Err(Unasked::slow_engine(at.node, within).into()))?)
            }
            false => None,
        };
        let place = at.place(address);
        let filled = texts.iter().map(|text| text.fill(&place));
        let words = filled
            .collect::<Result<_, _>>()
            .map_err(|error| Unasked::text(&error))?;
        Ok((engine, words))
    }

    async fn engine(&self, node: &Node) -> Result<NodeEngine, Unasked> {
        if let Some(engine) = self.engines.get(&node.id) {
            return Ok(engine.clone());
        }
        let own = self
            .own
            .get_or_try_init(|| NodeEngine::of_manager(&self.manager));
        let own = own.await.map_err(|error| Unasked::engine(&error))?;
        match own.node_id() == Some(&node.id) {
            true => Ok(own.clone()),
            false => Err(Unasked::no_engine(node)),
        }
    }
}

impl<'a> Asked<'a> {
    fn container(&self) -> Result<&'a str, Early> {
        let container = self.task.container_id.as_deref();
        container.ok_or_else(|| Early::Silent("it has no container yet".to_owned()))
    }

    fn place(&self, address: Option<IpAddr>) -> TaskPlace<'a> {
        TaskPlace {
            address,
            slot: self.task.slot,
            hostname: &self.node.hostname,
            node_address: self.node_address(),
        }
    }

    fn expected(&self) -> Expected<'a> {
        Expected {
            hostname: &self.node.hostname,
            address: self.node_address(),
        }
    }

    fn node_address(&self) -> Option<IpAddr> {
        self.node.address.as_deref()?.parse().ok()
    }
}

/// What is known before anything was asked.
enum Early {
    /// There is nobody to ask.
    Silent(String),
    /// There is no way to ask.
    Unknown(Unasked),
}

impl From<Unasked> for Early {
    fn from(unasked: Unasked) -> Self {
        Self::Unknown(unasked)
    }
}

impl From<Early> for Answer {
    fn from(early: Early) -> Self {
        match early {
            Early::Silent(why) => Self::Silent(why),
            Early::Unknown(unasked) => Self::Unknown(unasked),
        }
    }
}

/// Nothing came in time.
fn too_slow(within: Duration) -> String {
    format!("no answer within {} s", within.as_secs_f64())
}
