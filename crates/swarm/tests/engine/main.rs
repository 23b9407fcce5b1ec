//! What the clients make of what an engine says, and of what it does not say.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, and in the engine that it talks to"
)]

#[path = "../scripted/mod.rs"]
mod scripted;

mod manager;
mod node;
mod prepull;
mod probe;
mod pull;
