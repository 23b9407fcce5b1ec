//! The Engine API of simulated nodes, on unix sockets and on loopback.
//!
//! The state is that of [`crate::swarm::Cluster`]; here is what clients see of
//! it: paths and versions, filters, streams, frames, and the refusals in the
//! engine's words. [`Engines`] owns the state and moves it on; each node's
//! engine is a [`Service`](crate::Service) of its own, with its own images and
//! its own part of the events.
//!
//! Answers are those of the engine's own newest API, whichever version a
//! client asks for: clients ignore what they do not know. Deliberately absent:
//! making containers by hand, volumes, plugins, builds, pushes, and
//! joining or leaving a Swarm: nobody can send a machine over a socket.

mod answers;
mod api;
mod attachments;
mod auth;
mod call;
mod configs;
mod containers;
mod defaults;
mod distribution;
mod engines;
mod events;
mod filters;
mod images;
mod logs;
mod moments;
mod networks;
mod nodes;
mod programs;
mod pull;
mod router;
mod services;
mod standing;
mod system;
mod tasks;
mod version;

pub use engines::Engines;
