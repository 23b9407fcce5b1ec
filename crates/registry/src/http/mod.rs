//! The way to a host and back, for every client in this crate.
//!
//! - `transport`: time limits, redirects, sizes, counts;
//! - `retry`, `delay`: when to ask again, and how long a host wants to be left
//!   alone;
//! - `flight`: one question, asked once;
//! - `link`: where the next page of a list is;
//! - `endpoints`, `plain`: where a host is asked, and in which protocol;
//! - `failure`, `fault`, `answer`, `wait`: why nothing came, and what did.
//!
//! Deliberately absent: what an answer means. That is the clients' business.

mod answer;
mod delay;
mod endpoints;
mod failure;
mod fault;
mod flight;
mod link;
mod plain;
mod retry;
mod transport;
mod wait;

pub use answer::Answer;
pub use endpoints::{Endpoints, EndpointsError};
pub(crate) use failure::{Cause, Failure};
pub use fault::TlsFault;
pub(crate) use flight::{Flight, Flights, Passing};
pub(crate) use link::next_in;
pub(crate) use plain::PlainHttp;
pub(crate) use transport::{Ask, Body, Excess, Reply, Transport, next_to, sensitive};
pub use transport::{RequestCount, RequestKind};
pub(crate) use wait::Wait;
