//! A client of registries.

mod challenge;
mod classify;
mod delay;
mod error;
mod fault;
mod flight;
mod hint;
mod plain;
mod retry;
mod transport;

pub use error::{Answer, Error, ErrorKind, TlsFault};
pub use transport::{RequestCount, RequestKind};
