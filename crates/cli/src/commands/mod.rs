//! One file a command.

pub(crate) mod apply;
pub(crate) mod auth;
pub(crate) mod build;
pub(crate) mod comment;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod generate;
pub(crate) mod graph;
pub(crate) mod history;
pub(crate) mod pin;
pub(crate) mod plan;
pub(crate) mod rebuild;
pub(crate) mod schema;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod tags;
pub(crate) mod unlock;
pub(crate) mod validate;
