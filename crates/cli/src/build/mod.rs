//! A build, made by hand: from a folder to three tags in a registry.
//!
//! - `work`: the whole way, as a table of contents;
//! - `git`: which commit the folder is, and whether it is just that; `ignored`:
//!   what docker does not get to see of it;
//! - `names`: under which tags; `taken`: whether they are free; `older`: whether
//!   the one that moves would go back;
//! - `dockerfile`, `base`, `labels`: what a build tells of itself;
//! - `docker`: who builds and pushes, and the arguments for it; `login`: the
//!   credential for that;
//! - `push`: the tags, in the order in which they may be there;
//! - `program`: how other programs are run;
//! - `error`: why there is no build.
//!
//! It tells what happens as [`Progress`] and prints nothing. Deliberately
//! absent: building itself, of which docker knows more.

mod base;
mod docker;
mod dockerfile;
mod error;
pub(crate) mod git;
mod ignored;
mod labels;
mod login;
mod names;
mod older;
mod program;
mod push;
mod taken;
mod work;

pub(crate) use error::BuildError;
pub(crate) use work::{Goal, Job, Outcome, Progress, TagState, Wish, run};
