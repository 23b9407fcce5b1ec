//! What a change of the spec means: that no field is forgotten, and which
//! effect each has.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod draw;
mod effects;
mod every_field;
mod flat;
