//! Stories: what a person does, what the cluster does.
//!
//! Each is ignored unless asked for, since it needs the lab, or docker's client
//! at least; `tests/run` brings both and asks for all of them.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod bases;
mod build;
mod credentials;
mod failures;
mod fleet;
mod gates;
mod held;
mod journal;
mod leader;
mod lists;
mod locks;
mod nodes;
mod pins;
mod plans;
mod policies;
mod reach;
mod reviews;
mod rollout;
mod secrets;
mod settings;
mod tags;
mod untouched;
