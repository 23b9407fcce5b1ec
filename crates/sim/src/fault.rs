//! Bad days at will: faults of the network and of servers, at named points.
//!
//! A fault is set with a [`Trigger`] that says which requests it hits and how
//! often. Faults of the world itself, such as a lost node or a full disk, are
//! methods of that world.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What goes wrong with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request is carried out, and the answer comes that much later.
    Delay(Duration),
    /// The connection is closed; nothing was carried out.
    Refuse,
    /// The request is carried out, and the connection is closed without an
    /// answer.
    Cut,
    /// The request is carried out; half of the answer's body arrives, and of a
    /// stream its first piece.
    CutBody,
    /// Nothing is carried out; this is answered instead.
    Answer {
        /// HTTP status.
        status: u16,
        /// Headers beside `Content-Type: application/json`.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// The request is carried out; in the answer one byte of the body is
    /// another one, while its headers stay.
    Corrupt,
}

/// Which requests a fault hits. Empty texts match everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trigger {
    /// The server's name.
    pub server: String,
    /// The method.
    pub method: String,
    /// A part of the path with its query.
    pub path: String,
    /// So many requests that match go unharmed first.
    pub skip: usize,
    /// So many are hit then; None: all.
    pub times: Option<usize>,
}

impl Trigger {
    /// The next request of this method to a path that contains `part`.
    #[must_use]
    pub fn once(method: &str, part: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: part.to_owned(),
            times: Some(1),
            ..Self::default()
        }
    }

    fn matches(&self, server: &str, method: &str, path: &str) -> bool {
        (self.server.is_empty() || self.server == server)
            && (self.method.is_empty() || self.method == method)
            && path.contains(&self.path)
    }
}

/// The faults that are set. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Set>>);

#[derive(Debug, Default)]
struct Set {
    faults: Vec<(Trigger, Fault)>,
    hits: usize,
}

impl Faults {
    /// Sets a fault. Where several match a request, the first set one hits.
    pub fn set(&self, trigger: Trigger, fault: Fault) {
        self.lock().faults.push((trigger, fault));
    }

    /// Takes all faults away.
    pub fn clear(&self) {
        self.lock().faults.clear();
    }

    /// How many requests were hit so far, by whatever fault.
    #[must_use]
    pub fn hits(&self) -> usize {
        self.lock().hits
    }

    /// The fault that hits this request, if any; it is counted.
    pub(crate) fn hit(&self, server: &str, method: &str, path: &str) -> Option<Fault> {
        let mut set = self.lock();
        let Set { faults, hits } = &mut *set;
        for (trigger, fault) in faults {
            if !trigger.matches(server, method, path) || trigger.times == Some(0) {
                continue;
            }
            if trigger.skip > 0 {
                trigger.skip -= 1;
                continue;
            }
            trigger.times = trigger.times.map(|times| times - 1);
            *hits += 1;
            return Some(fault.clone());
        }
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Set> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_what_its_trigger_says_and_as_often() {
        let faults = Faults::default();
        let trigger = Trigger {
            skip: 1,
            times: Some(2),
            ..Trigger::once("GET", "/manifests/16")
        };
        faults.set(trigger, Fault::Cut);
        let hit = |method, path| faults.hit("ghcr.io", method, path).is_some();
        assert!(!hit("HEAD", "/v2/db/manifests/16"));
        assert!(!hit("GET", "/v2/db/manifests/17"));
        let hits: Vec<bool> = (0..4).map(|_| hit("GET", "/v2/db/manifests/16")).collect();
        assert_eq!(hits, [false, true, true, false]);
        faults.set(Trigger::default(), Fault::Refuse);
        assert!(hit("POST", "/anything"));
        faults.clear();
        assert!(!hit("POST", "/anything"));
        assert_eq!(faults.hits(), 3);
    }
}
