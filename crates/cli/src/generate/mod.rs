//! Files for other programs, made from a spec. Pure: a spec in, a text out.

mod actions;
pub(crate) mod cloud_init;
pub(crate) mod review_action;
mod shell;
pub(crate) mod workflow;
