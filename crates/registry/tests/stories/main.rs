//! Stories: the client against a registry on loopback that does as told.

#![expect(
    clippy::unwrap_used,
    reason = "a story whose scaffolding breaks has failed"
)]

mod actions;
mod auth;
mod base;
mod check;
mod content;
mod github;
mod packages;
mod pulls;
mod push;
mod resolve;
mod server;
mod tags;
mod ways;
