//! The planner against small worlds.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod credentials;
mod follow;
mod freshness;
mod held;
mod holdings;
mod leader;
mod major;
mod nodes;
mod order;
mod removals;
mod schema;
mod settings;
mod stack_files;
mod support;
mod verdicts;
