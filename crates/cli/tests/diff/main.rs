//! `imgstack diff` as a user runs it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod golden;
mod history;
mod hostile;
mod live;
#[path = "../outputs/markup.rs"]
mod markup;
#[path = "../pins/place.rs"]
#[expect(dead_code, reason = "made for pins, which need more of it")]
mod place;
mod run;
#[path = "../outputs/stopwatch.rs"]
mod stopwatch;
