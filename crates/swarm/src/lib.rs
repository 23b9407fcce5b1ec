//! The clients of a Swarm manager and of a node's own engine.
//!
//! [`Target`] finds the engine to talk to, [`Manager`] talks to it. What it
//! reads is plain data; a service stays the JSON that the engine sent
//! ([`RawService`]), and is changed by a [`ServicePatch`] only. What tasks and
//! nodes say about a rollout is worked out in [`rollout`], and which nodes a
//! service may run on in [`placement`], both without any I/O.
//!
//! [`NodeEngine`] asks one node for its images and its disk, pulls and removes
//! there. Where there is no way to a node, [`prepull`] has the Swarm pull.
//!
//! [`probe`] puts the questions of a rollout to a task, from its node.
//!
//! Deliberately absent: any decision. Which image a service should run is the
//! planner's, when to stop waiting is the executor's.

mod auth;
mod config;
mod context;
mod digest;
pub mod engine;
mod error;
mod event;
mod fields;
mod http;
mod id;
mod logs;
mod manager;
mod node;
mod patch;
pub mod placement;
pub mod prepull;
mod previous;
pub mod probe;
mod pull_failure;
pub mod rollout;
mod service;
mod target;
mod task;
mod transport;

pub use auth::RegistryAuth;
pub use config::{Config, NewConfig};
pub use digest::spec_digest;
pub use engine::NodeEngine;
pub use error::{ConnectFailure, Error};
pub use event::{Event, EventStream, Subject};
pub use fields::open_fields;
pub use id::{ConfigId, ImageId, NodeId, ServiceId, TaskId};
pub use logs::{LogLine, LogStream};
pub use manager::{API_FLOOR, Cluster, Manager, UpdateOutcome};
pub use node::{Availability, Node, NodeRole, NodeState};
pub use patch::{PatchError, ServicePatch, UpdateConfigPatch};
pub use previous::PreviousSpec;
pub use pull_failure::{PullFailure, PullFailureKind};
pub use service::{RawService, ServiceMode, UpdateConfig, UpdateState, UpdateStatus};
pub use target::{Environment, Target, TargetError, TlsFiles};
pub use task::{Task, TaskState};
pub use transport::{SshError, SshFailure};
