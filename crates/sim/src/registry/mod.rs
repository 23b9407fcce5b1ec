//! One simulated registry: the distribution protocol, with the manners of the
//! registries that people meet.
//!
//! The same answers serve sockets and the simulated engines: an engine's pull
//! (see [`upstream`](self::Registries)) asks them without a network between,
//! request by request, and each is recorded as if it had come in by one.
//!
//! Manners that matter to a client are here: who is asked for a token and how,
//! what a refusal is called, pages, limits. Deliberately absent: garbage
//! collection (a deleted manifest's blobs stay), the referrers API, ranges,
//! redirects to a storage, schema 1.

mod access;
mod blobs;
mod build;
mod compose;
mod limits;
mod manifests;
mod operations;
mod puller;
mod refusal;
mod reply;
mod route;
mod service;
mod settings;
mod store;
mod tags;
mod tokens;
mod upstream;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use access::User;
pub use build::{Base, Build, Layer, Pushed};
pub use operations::Version;
pub use settings::{Manner, Settings};
pub use upstream::Registries;

use crate::{Clock, Faults, Record, Server};
use store::State;

/// One registry. Clones are handles to the same one.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    host: String,
    settings: Settings,
    clock: Clock,
    record: Record,
    faults: Faults,
    state: Mutex<State>,
}

impl Registry {
    /// A registry without content, on the clock, the record and the faults of
    /// a world's servers. `host` is what references call it: `ghcr.io`,
    /// `docker.io`, `10.77.0.1:5000`. It is also its name in the record.
    #[must_use]
    pub fn new(host: &str, settings: Settings, server: &Server) -> Self {
        Self(Arc::new(Inner {
            host: host.to_owned(),
            settings,
            clock: server.clock,
            record: server.record.clone(),
            faults: server.faults.clone(),
            state: Mutex::default(),
        }))
    }

    /// What references call it.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// Whether it is known as an https host to engines.
    fn scheme(&self) -> &'static str {
        match self.0.settings.manner {
            Manner::Plain | Manner::Token => "http",
            Manner::Ghcr | Manner::Hub => "https",
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.0.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Registry").field(&self.0.host).finish()
    }
}
