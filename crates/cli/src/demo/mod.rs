//! `imgstack demo`: the whole loop, shown on a simulated world that lives in
//! this process.
//!
//! The world is a cluster as people have it (`cluster`), on a stage with a
//! folder and an environment of its own (`stage`). The story is a list
//! (`scenes`); `walk` tells it, and runs this very program for each command,
//! with what a user would set. Nothing of the machine is read or changed, and
//! a scene that does not go as told is an error: a demo must not lie. `keep`
//! leaves the world to the user instead.

mod cluster;
mod keep;
mod scenes;
mod stage;
mod walk;

pub(crate) use keep::keep;
pub(crate) use stage::Stage;
pub(crate) use walk::walk;

use crate::views::style::{DIM, paint};

/// What the demo itself says, told apart from what the commands print: as
/// comments in a shell.
fn told(lines: &[impl AsRef<str>]) -> String {
    let line = |line: &str| match line {
        "" => "\n".to_owned(),
        words => format!("{}\n", paint(DIM, format!("# {words}"))),
    };
    lines.iter().map(|words| line(words.as_ref())).collect()
}
