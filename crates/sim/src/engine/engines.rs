//! All engines of one Swarm: the state they share, and what moves it on.
//!
//! The state machine has no clock and no tasks of its own. One task, the
//! driver, sleeps until the state has something due, or until a call changed
//! it, and lets it act. Every call lets the state catch up first, so nobody
//! ever sees a past. The lock is never held across an await.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};

use super::api::EngineApi;
use super::networks::Networks;
use super::programs::Programs;
use crate::swarm::Cluster;
use crate::{Clock, Server, Upstream};

/// The engines of a Swarm. Clones share them.
#[derive(Clone)]
pub struct Engines(Arc<Shared>);

struct Shared {
    server: Server,
    cluster: Mutex<Cluster>,
    networks: Mutex<Networks>,
    programs: Mutex<Programs>,
    upstream: Arc<dyn Upstream>,
    /// For the driver: look again when the next thing is due.
    stirred: Notify,
    /// For streams: counts the moments of change.
    moments: watch::Sender<u64>,
}

impl Engines {
    /// Takes a Swarm over and drives it, until the servers are stopped. Its
    /// engines pull from `upstream`. To be called inside a tokio runtime.
    #[must_use]
    pub fn start(server: &Server, mut cluster: Cluster, upstream: Arc<dyn Upstream>) -> Self {
        cluster.set_upstream(Arc::clone(&upstream));
        let engines = Self(Arc::new(Shared {
            server: server.clone(),
            cluster: Mutex::new(cluster),
            networks: Mutex::new(Networks::of_new_swarm(server.clock.now())),
            programs: Mutex::default(),
            upstream,
            stirred: Notify::new(),
            moments: watch::Sender::new(0),
        }));
        server.tasks.spawn(engines.clone().drive());
        engines
    }

    /// Serves a node's engine on a unix socket. In the record and for faults
    /// the server's name is the node's.
    ///
    /// # Errors
    /// There is no such node, or the socket cannot be made.
    pub fn listen_unix(&self, hostname: &str, path: &Path) -> io::Result<()> {
        let api = self.api(hostname)?;
        self.0.server.unix(hostname, path, api)
    }

    /// Serves a node's engine on a free port of loopback.
    ///
    /// # Errors
    /// There is no such node, or no port.
    pub async fn listen_tcp(&self, hostname: &str) -> io::Result<SocketAddr> {
        let api = self.api(hostname)?;
        self.0.server.tcp(hostname, None, api).await
    }

    /// Does something to the Swarm, as it is now.
    pub fn with<R>(&self, change: impl FnOnce(&mut Cluster, Timestamp) -> R) -> R {
        let result = {
            let (mut cluster, now) = self.caught_up();
            change(&mut cluster, now)
        };
        self.0.stirred.notify_one();
        self.moment();
        result
    }

    /// Looks at the Swarm, as it is now.
    pub fn read<R>(&self, look: impl FnOnce(&Cluster) -> R) -> R {
        let (cluster, _) = self.caught_up();
        look(&cluster)
    }

    /// The world's time.
    pub(super) fn clock(&self) -> Clock {
        self.0.server.clock
    }

    /// Changes at each moment at which the Swarm may have changed.
    pub(super) fn moments(&self) -> watch::Receiver<u64> {
        self.0.moments.subscribe()
    }

    pub(super) fn upstream(&self) -> &dyn Upstream {
        self.0.upstream.as_ref()
    }

    pub(super) fn networks(&self) -> MutexGuard<'_, Networks> {
        let networks = self.0.networks.lock();
        networks.unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn programs(&self) -> MutexGuard<'_, Programs> {
        let programs = self.0.programs.lock();
        programs.unwrap_or_else(PoisonError::into_inner)
    }

    fn api(&self, hostname: &str) -> io::Result<Arc<EngineApi>> {
        let found = self.read(|cluster| cluster.node(hostname));
        found.map_err(|error| io::Error::new(io::ErrorKind::NotFound, error))?;
        Ok(Arc::new(EngineApi::new(self.clone(), hostname)))
    }

    async fn drive(self) {
        let (clock, stop) = (self.clock(), self.0.server.stop.clone());
        loop {
            let due = self.read(Cluster::next_due);
            let nap = async {
                match due {
                    // Never at once: a state that asks for the past must not
                    // keep the runtime busy.
                    Some(due) => clock.until(due.max(soon(clock.now()))).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.0.stirred.notified() => {}
                () = nap => {
                    drop(self.caught_up());
                    self.moment();
                }
            }
        }
    }

    fn caught_up(&self) -> (MutexGuard<'_, Cluster>, Timestamp) {
        let cluster = self.0.cluster.lock();
        let mut cluster = cluster.unwrap_or_else(PoisonError::into_inner);
        // Read under the lock: the state never sees time run backwards.
        let now = self.clock().now();
        cluster.advance(now);
        (cluster, now)
    }

    fn moment(&self) {
        self.0.moments.send_modify(|count| *count += 1);
    }
}

impl std::fmt::Debug for Engines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engines").finish_non_exhaustive()
    }
}

fn soon(now: Timestamp) -> Timestamp {
    let step = SignedDuration::from_millis(1);
    now.saturating_add(step).unwrap_or(Timestamp::MAX)
}
