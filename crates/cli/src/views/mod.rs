//! What people read. Every view is a function from data to text and decides
//! nothing (invariant 11).

pub(crate) mod apply;
pub(crate) mod auth;
pub(crate) mod build;
pub(crate) mod comment;
pub(crate) mod diff;
pub(crate) mod ending;
pub(crate) mod events;
pub(crate) mod fold;
pub(crate) mod graph;
pub(crate) mod history;
pub(crate) mod html;
mod leader;
pub(crate) mod lock;
pub(crate) mod markdown;
pub(crate) mod outline;
pub(crate) mod pins;
pub(crate) mod plan;
pub(crate) mod rebuild;
pub(crate) mod status;
pub(crate) mod steps;
pub(crate) mod style;
mod table;
pub(crate) mod tags;
pub(crate) mod typed;
