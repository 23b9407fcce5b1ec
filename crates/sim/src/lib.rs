//! A world in one process that speaks the real protocols.
//!
//! A registry, a GitHub and the engines of a Swarm, on loopback and on unix
//! sockets, so that the product runs as it is against them: the same clients,
//! retries and parsers as in production. Its time is tokio's: with the clock
//! of a runtime paused, a rollout of ten minutes takes milliseconds.
//!
//! - `registry`: the distribution protocol with the manners of GHCR and of
//!   Docker Hub.
//! - `github`: what imgstack asks of `api.github.com`.
//! - `swarm`: nodes, services and tasks as a state machine; no I/O, no clock
//!   of its own.
//! - `engine`: the Engine API over that state.
//! - [`World`]: all of them together, and where they are reached.
//! - [`Record`]: every request of every server. [`Faults`]: bad days at will.
//!
//! What the real engines do is settled by the contract suite, which runs
//! against the lab too: where they differ, this crate is wrong.

mod clock;
pub mod engine;
mod fault;
pub mod github;
mod image;
mod record;
pub mod registry;
mod serve;
pub mod swarm;
mod world;

pub use clock::Clock;
pub use fault::{Fault, Faults, Trigger};
pub use image::{Behaviour, Credential, Descriptor, Image, Program, Pull, PullError, Upstream};
pub use record::{Record, Recorded};
pub use serve::{Answer, Asked, Body, Served, Server, Service};
pub use world::{Layout, Sockets, World};
