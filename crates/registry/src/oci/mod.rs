//! A client of OCI registries.
//!
//! [`Client`] answers questions about images with as few requests as can be:
//! for N tags of a repository one token and N HEADs, however many callers ask
//! and however often. Below it, from the question to the wire:
//!
//! - `client`: what can be asked; answers are shared, contents are checked
//!   (`integrity`) and kept (`cache`);
//! - `base`: has the base of an image moved; `content`: are two builds the same
//!   but for their names; `opened`: what a digest leads to;
//! - `check`, `access`: whether a credential is good, and for what; `sizes`: what
//!   a node would have to fetch;
//! - `push`: may one push, and one more tag for a build, the only things that
//!   write;
//! - `workflow_token`: in whose name a workflow is started;
//! - `session`: in whose name, and what to do when that is refused;
//! - `host`, `challenge`, `token`: how one gets in;
//! - `error`, `classify`, `hint`: what went wrong, and what helps.
//!
//! A tag's digest lives as long as the client, which is one run; only what a
//! digest names is kept longer. Deliberately absent: pushing builds, layers, and
//! the referrers API, which GHCR does not have.

mod access;
mod base;
mod build;
mod cache;
mod challenge;
mod check;
mod classify;
mod client;
mod config;
mod content;
mod error;
mod hint;
mod host;
mod integrity;
mod manifest;
mod opened;
mod push;
mod session;
mod sizes;
mod tags;
mod token;
mod workflow_token;

pub use access::Access;
pub use base::{BaseState, Evidence};
pub use build::Build;
pub use cache::CacheOptions;
pub use check::{Checked, Concern, CredentialCheck};
pub use client::{Client, ClientOptions, Resolved};
pub use config::ImageConfig;
pub use error::{Error, ErrorKind};
pub use manifest::{Child, Manifest};
pub use oci_spec::image as image_spec;
pub use session::Warning;
pub use sizes::PlatformImage;

pub use crate::http::{Answer, Endpoints, EndpointsError, RequestCount, RequestKind, TlsFault};
