//! Files for other programs, made from a spec. Pure: a spec in, a text out.

mod actions;
pub(crate) mod cloud_init;
mod shell;
pub(crate) mod workflow;
