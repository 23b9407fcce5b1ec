//! One file a command.

pub(crate) mod apply;
pub(crate) mod demo;
pub(crate) mod plan;
pub(crate) mod schema;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod validate;
