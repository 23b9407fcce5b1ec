//! The planner against small worlds.

mod order;
mod support;
mod verdicts;
