//! Two specs, compared: the older one from a file or from git, the newer one
//! from a file or as it lies here, and what the change means.
//!
//! The meaning is `imgstack_planner::spec_diff`'s. This reads both sides
//! (`sides`, `revision`), puts the diff of the texts beside it (`texts`) and,
//! where a cluster is to be asked, the difference of the plans (`live`).

mod error;
mod live;
mod revision;
mod sides;
mod texts;

pub(crate) use error::DiffError;
pub(crate) use live::beyond;
pub(crate) use sides::{Sides, since, two};
pub(crate) use texts::texts;
