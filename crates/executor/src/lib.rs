//! Carries out a plan, step by step, and tells what happens.
//!
//! The executor decides nothing but whether the world is still the one that
//! was planned for (invariant 1). What it does and sees it says as [`Event`]s,
//! the documented interface between doing and showing; how it ended is the
//! [`Outcome`].
//!
//! [`execute`] does the steps and no more. [`apply`] does them under the stack's
//! [`lock`], and keeps what was done in its [`journal`]; both live in the
//! cluster.
//!
//! Deliberately absent: output of any kind, and every choice of what to do.

mod apply;
mod back;
mod before;
mod converge;
mod event;
mod evidence;
mod execute;
mod gate;
pub mod journal;
mod leader;
pub mod lock;
mod order;
mod send;
mod settled;
mod steps;
mod verdict;

use imgstack_spec::StackName;

pub use apply::apply;
pub use event::{
    BackState, ByteProgress, Event, Failure, FailureKind, NodeProgress, Outcome, ProbeProgress,
    Progress, StepOutcome, TaskFailure, TaskProgress, WentBack, Whose,
};
pub use execute::{Credentials, World, execute};

/// A stack as names and labels in the Swarm have it: in small letters, since
/// the Swarm's names are one in any case, and so are those of stacks.
fn stack_key(stack: &StackName) -> String {
    stack.as_str().to_lowercase()
}
