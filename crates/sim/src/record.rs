//! What was asked of the world: one entry a request, of every server.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

/// One request and how it was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// When it came in.
    pub at: Timestamp,
    /// Who was asked: `ghcr.io`, `api.github.com`, `docker-infra-1`.
    pub server: String,
    /// `GET`
    pub method: String,
    /// With the query, as it was sent: `/v2/acme/db/manifests/16`.
    pub path: String,
    /// Who asked, as the server knows them. Never a secret.
    pub identity: Option<String>,
    /// `User-Agent`
    pub agent: Option<String>,
    /// None: the connection was closed without an answer.
    pub status: Option<u16>,
}

/// The entries, in the order of their answers. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Record(Arc<Mutex<Vec<Recorded>>>);

impl Record {
    /// Adds an entry.
    pub fn add(&self, entry: Recorded) {
        self.entries_mut().push(entry);
    }

    /// All entries so far.
    #[must_use]
    pub fn entries(&self) -> Vec<Recorded> {
        self.entries_mut().clone()
    }

    /// Forgets what was, so that a test counts from here.
    pub fn clear(&self) {
        self.entries_mut().clear();
    }

    /// How many requests of this method went to paths that contain `part`.
    #[must_use]
    pub fn count(&self, method: &str, part: &str) -> usize {
        let entries = self.entries_mut();
        let of = entries
            .iter()
            .filter(|entry| entry.method == method && entry.path.contains(part));
        of.count()
    }

    fn entries_mut(&self) -> std::sync::MutexGuard<'_, Vec<Recorded>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
