//! A small client of `api.github.com`.
//!
//! It answers what GHCR itself does not tell: whose a token is, what it may,
//! and when it ends. Transport, retries and rate limits are those of all
//! clients here; the requests count towards the same limits and are counted in
//! the same list as those to registries.
//!
//! - `client`: what can be asked, each once a run;
//! - `token`: kinds of tokens, and what GitHub says of one;
//! - `error`: what went wrong, and what helps.
//!
//! Deliberately absent: GraphQL, and anything that writes.

mod client;
mod error;
mod token;

pub use client::Client;
pub(crate) use client::GHCR;
pub use error::{Error, NotAsked};
pub use token::{Expiry, TokenFacts, TokenKind};
