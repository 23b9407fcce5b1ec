//! Pulls an image on nodes that only a manager reaches.
//!
//! A service is made whose tasks cannot start: one on each of the nodes, with
//! an entrypoint that no image has. Each node pulls the image for its task,
//! and that the task then fails to start shows that the image is there. It is
//! a *global service* without restarts, so that each node gets exactly one
//! task; a global job would try again for ever.
//!
//! The nodes are those of the plan, named one by one, and not those that the
//! constraints of some service select at the moment: all choices are the
//! plan's. The service goes in every outcome. What a killed run leaves behind
//! carries [`LABEL`] and is found by [`sweep`].
//!
//! Deliberately absent: progress in bytes, which no manager knows.

mod service;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use imgstack_spec::{ImageRef, Platform};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::{Error, Manager, NodeId, NodeState, PullFailure, RegistryAuth, TaskState};

/// The label that each service of ours carries; its value is the stack.
pub const LABEL: &str = "dev.imgstack.prepull";
/// The label with who made it.
pub const OWNER: &str = "dev.imgstack.prepull.owner";
/// The label with when it was made.
pub const CREATED: &str = "dev.imgstack.prepull.created";

/// An image that is to be on nodes.
#[derive(Clone, Debug)]
pub struct Prepull {
    /// The stack that wants it.
    pub stack: String,
    /// Repository, tag and digest as the services will name it.
    pub image: ImageRef,
    /// What the image is for. A node of another kind then is unschedulable,
    /// where it would fail to pull and, on an older engine, not say why. None
    /// means any.
    pub platforms: Vec<Platform>,
    /// The nodes.
    pub nodes: BTreeSet<NodeId>,
    /// Who asks, for people that look at the service's labels meanwhile.
    pub owner: String,
    /// How long it may take on all of them together.
    pub within: Duration,
}

/// What became of it.
#[derive(Debug)]
pub struct Prepulled {
    /// How it ended on each node that was asked for.
    pub outcomes: BTreeMap<NodeId, Outcome>,
    /// The service could not be removed: its name, and why. The next
    /// [`sweep`] tries again.
    pub left: Option<(String, Error)>,
}

/// How it ended on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The image is there.
    Pulled,
    /// The node could not pull.
    Rejected(PullFailure),
    /// Swarm places no task there, in its words.
    Unschedulable(String),
    /// The node is not there to pull.
    Away(Away),
    /// It was not done in time.
    TimedOut {
        /// How far its task was; None if there was none.
        state: Option<TaskState>,
        /// How long it was allowed to take.
        seconds: u64,
    },
    /// The Swarm could no longer be asked, or somebody removed the service.
    Unseen(String),
    /// Somebody asked to stop.
    Interrupted,
}

/// Why a node cannot pull for the Swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Away {
    /// It is no member any more.
    Left,
    /// The managers do not hear it.
    Silent(NodeState),
    /// It is drained.
    Drained,
    /// It is paused: it takes no new tasks.
    Paused,
    /// It gave the task up, as when it was drained for a moment.
    GaveUp,
}

/// What is told of a node meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The node has begun.
    Pulling,
    /// It has ended there.
    Done(Outcome),
}

/// Why nothing was begun.
#[derive(Debug, Error)]
pub enum PrepullError {
    /// The manager.
    #[error(transparent)]
    Engine(#[from] Error),
    /// Somebody else has a service of that name.
    #[error("the name {name} is taken by a service that is not imgstack's")]
    NameTaken {
        /// The name.
        name: String,
    },
}

impl Prepull {
    /// The name of the service that it makes: the same for the same image on
    /// the same nodes for the same stack, so that what a killed run left is in
    /// the way of the next one and not beside it.
    #[must_use]
    pub fn service_name(&self) -> String {
        service::name(self)
    }
}

impl PrepullError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Engine(error) => error.hint(),
            Self::NameTaken { name } => Some(format!("look at it: docker service inspect {name}")),
        }
    }
}

impl Outcome {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Rejected(failure) => failure.hint(),
            Self::Unschedulable(_) => Some(
                "see what the node offers: docker node inspect; a service of this image cannot run there either",
            ),
            Self::Away(away) => away.hint(),
            Self::TimedOut { .. } | Self::Unseen(_) => {
                Some("run the command again: layers that are done are not pulled twice")
            }
            Self::Pulled | Self::Interrupted => None,
        }
    }
}

impl Away {
    fn hint(self) -> Option<&'static str> {
        match self {
            Self::Left => Some("plan again: imgstack plan"),
            Self::Silent(_) => Some("bring the node back, or remove it: docker node rm"),
            Self::Drained | Self::Paused => {
                Some("make it active, docker node update --availability active, and plan again")
            }
            Self::GaveUp => Some("run the command again"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pulled => f.write_str("pulled"),
            Self::Rejected(failure) => failure.fmt(f),
            Self::Unschedulable(why) | Self::Unseen(why) => f.write_str(why),
            Self::Away(away) => away.fmt(f),
            Self::TimedOut { state, seconds } => {
                write!(f, "not done within {seconds} s")?;
                match state {
                    Some(state) => write!(f, "; the task is {state}"),
                    None => f.write_str("; there is no task"),
                }
            }
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Left => "the node has left the Swarm",
            Self::Silent(NodeState::Down) => "the node is down",
            Self::Silent(NodeState::Disconnected) => "the node has just gone",
            Self::Silent(NodeState::Unknown | NodeState::Ready) => {
                "the managers do not hear the node"
            }
            Self::Drained => "the node is drained",
            Self::Paused => "the node is paused",
            Self::GaveUp => "the node gave the task up",
        })
    }
}

/// Pulls an image on nodes, and removes what it made for that. To be stopped
/// with `cancel`: when it is dropped half-way, the service stays for a
/// [`sweep`].
///
/// # Errors
/// When nothing was begun; what went wrong on a node is its [`Outcome`].
pub async fn run(
    manager: &Manager,
    wanted: &Prepull,
    auth: Option<&RegistryAuth>,
    cancel: &CancellationToken,
    tell: &(dyn Fn(&NodeId, Progress) + Sync),
) -> Result<Prepulled, PrepullError> {
    // Before the service is there, so that nothing is missed. Without events
    // there is still the beat.
    let events = manager.events().await.ok();
    let nodes = manager.nodes().await?;
    let mut watch = watch::Watch::new(manager, wanted, tell);
    watch.sort_out(&nodes);
    if watch.is_over() {
        return Ok(Prepulled {
            outcomes: watch.outcomes(),
            left: None,
        });
    }
    if cancel.is_cancelled() {
        watch.interrupt();
        return Ok(Prepulled {
            outcomes: watch.outcomes(),
            left: None,
        });
    }
    let id = service::create(manager, wanted, &nodes, auth).await?;
    watch.follow(&id, events, cancel).await;
    let left = service::remove(manager, &id).await.err();
    Ok(Prepulled {
        outcomes: watch.outcomes(),
        left: left.map(|error| (wanted.service_name(), error)),
    })
}

/// Removes what runs of this stack that were killed have left behind, and
/// gives the names. Must not be called while one is under way elsewhere.
///
/// # Errors
/// See [`Error`]; what could be removed by then is gone.
pub async fn sweep(manager: &Manager, stack: &str) -> Result<Vec<String>, Error> {
    let mut swept = Vec::new();
    for leftover in manager.services_labelled(LABEL, stack).await? {
        service::remove(manager, &leftover.id()).await?;
        swept.push(leftover.name().to_owned());
    }
    Ok(swept)
}
