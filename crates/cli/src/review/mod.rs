//! A plan on a pull request: shown there for review, and found there again when
//! it is to be carried out.
//!
//! - `place`: which pull request, and in whose name;
//! - `marker`: what tells our comments from others, and what they are of;
//! - `draft`: the comment of a stack;
//! - `post`: what becomes of the comments and labels that are there;
//! - `ours`: whose comment counts;
//! - `reviewed`: which plan was shown;
//! - `summary`: the same on the page of a workflow's run.
//!
//! The hash of a reviewed plan is read from the comment itself, since that is
//! what a reviewer has seen. So there is nothing to hand from the job that plans
//! to the one that applies, which is another run, on another day, of another
//! commit. Whoever may edit the comments of others there may also change what
//! counts as reviewed; GitHub gives that right to those who may push.

mod draft;
mod error;
mod marker;
mod ours;
mod place;
mod post;
mod reviewed;
mod summary;

pub(crate) use draft::drafts;
pub(crate) use error::ReviewError;
pub(crate) use place::Place;
pub(crate) use post::{Done, Fate, Posted, post};
pub(crate) use reviewed::{Reviewed, reviewed};
pub(crate) use summary::write as write_summary;
