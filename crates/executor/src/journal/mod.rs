//! What was done to a stack, kept in the cluster: one Swarm config a release.
//!
//! A release is one apply that had something to do. Its page is made before
//! the first step, with what is about to be done and what it needs to be undone,
//! so that a run that is killed leaves a trace; a config's data never change.
//! How it ended is written into the page's labels, by one compare-and-swap. So
//! a page without an end is of a run that goes on or that was killed, and the
//! lock tells which: the page names the taking of the lock that it belongs to.
//!
//! What is kept: who, when, where, with which program and from which commit;
//! the steps and what became of them; why some failed, with the engine's words
//! and exit codes; the builds that failed; and of each service that is changed
//! the fields that imgstack changes, as they were ([`PreviousSpec`]). Not kept:
//! anything else of a service's spec, which may hold secrets and which no way
//! back needs, and what containers wrote, which may be anything.
//!
//! [`PreviousSpec`]: imgstack_swarm::PreviousSpec
//!
//! Whoever may ask a manager for a config can read the journal, as they can
//! read the services.
//!
//! - `release`: a release as data;
//! - `page`: the same as a config, cut to the size that old engines take;
//! - `read`: the journal of a stack, in one request; `builds`: what it knows of
//!   builds, good and failed; `history`: the same for a plan;
//! - `record`: what a run has to tell; `write`: begins and ends a page, and
//!   removes the oldest.

mod builds;
mod history;
mod page;
mod read;
mod record;
mod release;
mod write;

pub use builds::{FailedBuild, GoodBuild, Proof};
pub use page::config_name;
pub use read::{Journal, Unreadable};
pub(crate) use record::Record;
pub use release::{
    Begun, Commit, Ending, ImageChange, LeaderMove, LeftOut, Occasion, PlannedStep, Release,
    ReleaseResult, StepFailure, TaskEnd,
};
pub(crate) use write::Page;

/// So many releases are kept.
pub const KEPT: usize = 50;
