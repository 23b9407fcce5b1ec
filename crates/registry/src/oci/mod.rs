//! A client of OCI registries.
//!
//! [`Client`] answers questions about images with as few requests as can be:
//! for N tags of a repository one token and N HEADs, however many callers ask
//! and however often. Below it, from the question to the wire:
//!
//! - `client`: what can be asked; answers are shared (`flight`), contents are
//!   checked (`integrity`) and kept (`cache`);
//! - `session`: in whose name, and what to do when that is refused;
//! - `host`, `challenge`, `token`: how one gets in;
//! - `transport`, `retry`, `delay`, `plain`: the way to the host and back;
//! - `error`, `classify`, `fault`, `hint`: what went wrong, and what helps.
//!
//! A tag's digest lives as long as the client, which is one run; only what a
//! digest names is kept longer. Deliberately absent: pushing, layers, and the
//! referrers API, which GHCR does not have.

mod build;
mod cache;
mod challenge;
mod classify;
mod client;
mod config;
mod delay;
mod endpoints;
mod error;
mod fault;
mod flight;
mod hint;
mod host;
mod integrity;
mod manifest;
mod plain;
mod retry;
mod session;
mod tags;
mod token;
mod transport;

pub use build::Build;
pub use cache::CacheOptions;
pub use client::{Client, ClientOptions, Resolved};
pub use config::ImageConfig;
pub use endpoints::{Endpoints, EndpointsError};
pub use error::{Answer, Error, ErrorKind, TlsFault};
pub use manifest::{Child, Manifest};
pub use oci_spec::image as image_spec;
pub use session::Warning;
pub use transport::{RequestCount, RequestKind};
