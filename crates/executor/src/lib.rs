//! Carries out a plan, step by step, and tells what happens.
//!
//! The executor decides nothing but whether the world is still the one that
//! was planned for (invariant 1). What it does and sees it says as [`Event`]s,
//! the documented interface between doing and showing; how it ended is the
//! [`Outcome`].
//!
//! Deliberately absent: output of any kind, and every choice of what to do.

mod converge;
mod event;
mod evidence;
mod execute;
mod send;
mod steps;
mod verdict;

pub use event::{
    ByteProgress, Event, Failure, FailureKind, NodeProgress, Outcome, Progress, StepOutcome,
    TaskFailure, TaskProgress,
};
pub use execute::{Credentials, World, execute};
