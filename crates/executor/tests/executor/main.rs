//! What the executor promises, kept against an engine that says what it is
//! told to, over a unix socket.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, and in the engine that it talks to"
)]

mod back;
mod drift;
mod gate;
mod leader;
mod locked;
mod lost;
mod nodes;
mod order;
mod rollout;
// One engine for the client's tests and for these: what it says stays the same.
#[path = "../../../swarm/tests/scripted/mod.rs"]
mod scripted;
mod sending;
mod settings;
mod stopping;
mod support;
mod verdicts;
