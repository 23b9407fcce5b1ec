//! The planner against small worlds.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod credentials;
mod follow;
mod nodes;
mod order;
mod support;
mod verdicts;
