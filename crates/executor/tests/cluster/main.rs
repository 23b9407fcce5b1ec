//! The lock and the journal, on a simulated Swarm in real time, with a lock
//! whose clock is faster than people's.

#![expect(clippy::unwrap_used, reason = "in a test")]

mod journal;
mod lock;
mod stage;
