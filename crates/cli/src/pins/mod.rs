//! Pins: one build of an image held in the spec, and in the stack files of its
//! services, until it is let go.
//!
//! The way of a pin: what was typed, or else the last build that was good
//! (`last_good`), becomes a build that the registry has (`build`), the files
//! become texts that say it (`changes`), and these take the place of the files
//! (`file`). The spec comes first: it is what counts, and the
//! same command mends a stack file that was left behind.
//!
//! Deliberately absent: any change of the cluster. That is `apply`'s.

mod build;
mod changes;
mod error;
mod file;
mod last_good;

pub(crate) use build::{Held, Typed, resolve};
pub(crate) use changes::{Changes, StackFileChange, of_spec};
pub(crate) use error::PinError;
pub(crate) use last_good::last_good;
