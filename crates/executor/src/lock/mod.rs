//! One writer at a time for a stack: a lock in the cluster, as a Swarm config.
//!
//! The name of the config is taken once, so creating it is taking the lock. A
//! Swarm has no lease, so the holder writes a heartbeat into the config's
//! labels every [`HEARTBEAT`]. A lock that does not move for [`STALE`] has lost
//! its holder, and is taken over. That is judged by watching it, on our own
//! clock: no two clocks are compared, and time in which the manager did not
//! answer does not count.
//!
//! A removal asks for no version, so it must never hit the lock of another.
//! Hence a lock is never handed on: it is *condemned* first, by
//! compare-and-swap, so that of a heartbeat and of several takers exactly one
//! gets through; a condemned lock is nobody's for good, and whoever sees it
//! removes it, by its ID. The next one is a new config with a new ID, and of
//! several that create it exactly one succeeds.
//!
//! The lock keeps people and pipelines out of each other's way. What makes a
//! change safe is still the compare-and-swap on each service.
//!
//! - `standing`: the config: its name and labels, written and read;
//! - `watch`: does it move?
//! - `acquire`: taking it, waiting for it, taking it over;
//! - `hold`: the heartbeat, whether it is still ours, letting go;
//! - `unlock`: removing one whose holder is gone.

mod acquire;
mod hold;
mod standing;
mod unlock;
mod watch;

use std::time::Duration;

use imgstack_spec::StackName;
use imgstack_swarm::Error;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use acquire::acquire;
pub use hold::{Lock, Lost};
pub use standing::{Standing, config_name, standing};
pub use unlock::{Unlocked, unlock};

/// How often a holder gives a sign of life.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long a lock must be seen not to move until its holder counts as gone: as
/// long as a manager may be silent during an election, and many heartbeats.
pub const STALE: Duration = Duration::from_secs(60);
/// How often somebody who waits looks.
const LOOK: Duration = Duration::from_secs(1);

/// The clock of a lock. Holder and waiter must agree, so there is one for all;
/// tests have a faster one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// See [`HEARTBEAT`].
    pub heartbeat: Duration,
    /// See [`STALE`].
    pub stale: Duration,
    /// How often somebody who waits looks.
    pub look: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            heartbeat: HEARTBEAT,
            stale: STALE,
            look: LOOK,
        }
    }
}

/// Who asks for a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The person or the account.
    pub owner: String,
    /// The machine.
    pub host: String,
    /// The process there.
    pub process: u32,
    /// What it does, such as `imgstack apply`.
    pub command: String,
}

/// Who holds a lock, as its labels say. What is missing there is empty or None:
/// somebody may have made the config by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// The person or the account.
    pub owner: String,
    /// The machine.
    pub host: String,
    /// The process there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<u32>,
    /// What it does.
    pub command: String,
    /// Since when, on the holder's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When it last gave a sign of life, on the holder's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Timestamp>,
}

/// Why there is no lock to be had.
#[derive(Debug, Error)]
pub enum LockError {
    /// Somebody else has it, and lives.
    #[error("the stack {stack} is locked by somebody else")]
    Held {
        /// The stack.
        stack: StackName,
        /// By whom.
        holder: Box<Holder>,
    },
    /// The manager does not play along.
    #[error("the lock of the stack {stack} cannot be had: {error}")]
    Engine {
        /// The stack.
        stack: StackName,
        /// Why.
        error: Box<Error>,
    },
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl LockError {
    fn engine(stack: &StackName, error: Error) -> Self {
        Self::Engine {
            stack: stack.clone(),
            error: Box::new(error),
        }
    }
}
