//! Reads the world, concurrently, into an [`Inventory`].
//!
//! What does not answer becomes an unknown value with its trouble; observing
//! itself never fails (invariant 3). Everything is read anew each time: there
//! is no state file (invariant 8).
//!
//! Deliberately absent: any judgement of what was observed. That a detail is
//! not asked for where nothing can need it only saves requests. Of which tag a
//! policy will need the digest, the planner's own functions say (`policies`).
//!
//! [`Inventory`]: imgstack_planner::Inventory

mod builds;
mod credentials;
mod engines;
mod fleet;
mod freshness;
mod images;
mod leaders;
mod observe;
mod policies;
mod running;
mod services;
mod stack_files;

pub use engines::Engines;
pub use fleet::login;
pub use observe::{Details, Observation, Sources, observe};
pub use running::{RunningTask, running};
pub use stack_files::{image_in, stack_file_text, stack_files};
