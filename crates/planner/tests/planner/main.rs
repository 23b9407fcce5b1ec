//! The planner against small worlds.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod credentials;
mod follow;
mod freshness;
mod held;
mod leader;
mod major;
mod nodes;
mod order;
mod removals;
mod settings;
mod stack_files;
mod support;
mod verdicts;
