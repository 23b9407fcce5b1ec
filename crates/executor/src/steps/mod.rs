//! What each kind of step does.

pub(crate) mod adjust;
pub(crate) mod leftover;
pub(crate) mod login;
pub(crate) mod pull;
pub(crate) mod remove;
pub(crate) mod rotate;
pub(crate) mod update;

mod node;

use crate::event::Failure;

/// How a step ended.
pub(crate) enum End {
    /// It is done, and the world is as it should be.
    Done,
    /// It will not be, or not in time.
    Failed(Box<Failure>),
    /// Somebody asked to stop; the Swarm goes on.
    Interrupted,
    /// Somebody asked to stop, and it was given up; nothing is half-way.
    Stopped,
    /// Somebody asked to stop before anything was sent.
    NotBegun,
}
