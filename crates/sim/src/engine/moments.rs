//! Waiting, for the streams of one engine: for the next change of the Swarm,
//! or for a date, and never beyond the end of the host.

use std::io;

use jiff::Timestamp;
use tokio::sync::watch;

use super::Engines;
use super::call::Call;
use crate::swarm::Cluster;

/// One stream's eye on the Swarm.
pub(super) struct Moments {
    engines: Engines,
    hostname: String,
    changes: watch::Receiver<u64>,
}

impl Moments {
    pub(super) fn of(call: &Call<'_>) -> Self {
        Self {
            engines: call.engines.clone(),
            hostname: call.hostname.to_owned(),
            changes: call.engines.moments(),
        }
    }

    /// Looks at the Swarm as it is now.
    ///
    /// # Errors
    /// The host is gone, and with it the stream.
    pub(super) fn look<R>(&mut self, look: impl FnOnce(&Cluster) -> R) -> io::Result<R> {
        // Before the look: what changes in between is a moment of its own.
        self.changes.mark_unchanged();
        let hostname = &self.hostname;
        let seen = self
            .engines
            .read(|cluster| cluster.reachable(hostname).then(|| look(cluster)));
        seen.ok_or_else(|| io::Error::new(io::ErrorKind::ConnectionReset, "the host is gone"))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.engines.clock().now()
    }

    /// Waits for a change since the last look, or until just after a date.
    pub(super) async fn next(&mut self, until: Option<Timestamp>) {
        let clock = self.engines.clock();
        let date = async {
            match until {
                Some(date) => clock.until(date).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = self.changes.changed() => {
                // The sender lives as long as the engines that are held here.
                debug_assert!(changed.is_ok());
            }
            () = date => {}
        }
    }
}
