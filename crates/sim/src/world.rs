//! A whole world, put together: registries, a GitHub, the engines of a Swarm,
//! and where all of them are reached.
//!
//! A world is laid out first and started then. What is laid out has happened
//! already: nodes joined, services were created and pulled, a [`Layout::pass`]
//! later they run, and none of it takes time. Once started, a world lives by
//! its [`Clock`]. Nothing here knows any particular cluster.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::engine::Engines;
use crate::github::GitHub;
use crate::registry::{Registries, Registry, Settings};
use crate::swarm::{ApiError, Cluster, NodeSetup, Role};
use crate::{Clock, Credential, Server, Service};

/// What GitHub's API is called.
const GITHUB: &str = "api.github.com";
/// How often somebody who waits looks again.
const GLANCE: Duration = Duration::from_millis(20);

/// A world before it starts.
pub struct Layout {
    server: Server,
    swarm: Cluster,
    /// The Swarm's date, which has not come to the clock's yet.
    date: Timestamp,
    nodes: Vec<(String, Role)>,
    registries: Registries,
    /// Each with its port, if it was named after one.
    doors: Vec<(Registry, Option<TcpListener>)>,
    github: Option<GitHub>,
    sockets: Sockets,
}

/// Which engines have a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sockets {
    /// Those of all nodes.
    #[default]
    All,
    /// Those of managers: with a thousand nodes there are not files enough.
    Managers,
}

impl Layout {
    /// A world whose clock shows `now`, with an empty Swarm that was founded
    /// `age` ago. The seed is for the Swarm's identifiers and small delays. To
    /// be called inside a tokio runtime.
    #[must_use]
    pub fn new(now: Timestamp, age: SignedDuration, seed: u64) -> Self {
        let registries = Registries::default();
        let mut swarm = Cluster::new(seed);
        swarm.set_upstream(Arc::new(registries.clone()));
        Self {
            server: Server::new(Clock::starting(now)),
            swarm,
            date: now.saturating_sub(age).unwrap_or(now),
            nodes: Vec::new(),
            registries,
            doors: Vec::new(),
            github: None,
            sockets: Sockets::default(),
        }
    }

    /// What all servers of the world share: clock, record, faults.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The Swarm's date: what is laid out next happens then.
    #[must_use]
    pub fn date(&self) -> Timestamp {
        self.date
    }

    /// Adds a node. The first manager leads.
    pub fn add_node(&mut self, setup: NodeSetup) -> &mut Self {
        self.nodes.push((setup.hostname.clone(), setup.role));
        self.swarm.add_node(self.date, setup);
        self
    }

    /// Adds a registry that references call `host`; clients are sent to a port
    /// of loopback by [`World::endpoints`].
    pub fn add_registry(&mut self, host: &str, settings: Settings) -> Registry {
        self.door(host, settings, None)
    }

    /// Adds a registry that is called by the port of loopback that it has.
    ///
    /// # Errors
    /// There is no free port.
    pub fn add_local_registry(&mut self, settings: Settings) -> io::Result<Registry> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let registry = self.door(&address.to_string(), settings, Some(listener));
        registry.set_base_url(&format!("http://{address}"));
        Ok(registry)
    }

    fn door(&mut self, host: &str, settings: Settings, port: Option<TcpListener>) -> Registry {
        let registry = Registry::new(host, settings, &self.server);
        self.registries.add(&registry);
        self.doors.push((registry.clone(), port));
        registry
    }

    /// Adds a GitHub, or replaces the one that is there. Its packages are what
    /// that registry holds.
    pub fn add_github(&mut self, packages: Option<&Registry>) -> GitHub {
        let github = GitHub::new(&self.server, packages);
        self.github = Some(github.clone());
        github
    }

    /// Creates a service from its spec, as the Engine API takes it, and
    /// returns its ID.
    ///
    /// # Errors
    /// The spec is not one, or its name is taken.
    pub fn add_service(
        &mut self,
        spec: Value,
        auth: Option<Credential>,
    ) -> Result<String, ApiError> {
        self.swarm.create_service(self.date, spec, auth)
    }

    /// Lets time pass in the Swarm, up to the clock's date at most.
    pub fn pass(&mut self, time: SignedDuration) -> &mut Self {
        let now = self.server.clock.now();
        self.date = self.date.saturating_add(time).unwrap_or(now).min(now);
        self.swarm.advance(self.date);
        self
    }

    /// The Swarm as it is laid out so far, to do anything else to it at
    /// [`Layout::date`].
    pub fn swarm(&mut self) -> &mut Cluster {
        &mut self.swarm
    }

    /// Which engines have a socket; without this, all.
    pub fn sockets(&mut self, sockets: Sockets) -> &mut Self {
        self.sockets = sockets;
        self
    }

    /// Starts the world: its past ends, its servers listen. `folder` is for
    /// the sockets of the engines, and stays its owner's to remove.
    ///
    /// # Errors
    /// A socket or a port cannot be had.
    pub async fn start(self, folder: &Path) -> io::Result<World> {
        let Self { server, swarm, .. } = self;
        let engines = Engines::start(&server, swarm, Arc::new(self.registries.clone()));
        let mut world = World {
            server,
            engines,
            registries: self.registries,
            addresses: Vec::new(),
            github: None,
            folder: folder.to_owned(),
        };
        for (registry, port) in self.doors {
            world.open(registry, port).await?;
        }
        if let Some(github) = self.github {
            let service: Arc<dyn Service> = Arc::new(github.clone());
            let address = world.server.tcp(GITHUB, None, service).await?;
            world.github = Some((github, address));
        }
        for (hostname, role) in &self.nodes {
            match (self.sockets, role) {
                (Sockets::All, _) | (Sockets::Managers, Role::Manager) => {
                    world
                        .engines
                        .listen_unix(hostname, &world.socket(hostname))?;
                }
                (Sockets::Managers, Role::Worker) => {}
            }
        }
        Ok(world)
    }
}

impl std::fmt::Debug for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Layout");
        debug.field("date", &self.date).field("nodes", &self.nodes);
        debug.finish_non_exhaustive()
    }
}

/// A world that runs, until it is dropped.
#[derive(Debug)]
pub struct World {
    /// What all its servers share: clock, record, faults.
    pub server: Server,
    /// The Swarm and its engines.
    pub engines: Engines,
    registries: Registries,
    addresses: Vec<(Registry, SocketAddr)>,
    github: Option<(GitHub, SocketAddr)>,
    folder: PathBuf,
}

impl World {
    async fn open(&mut self, registry: Registry, port: Option<TcpListener>) -> io::Result<()> {
        let (name, service) = (registry.host().to_owned(), Arc::new(registry.clone()));
        let address = match port {
            Some(listener) => self.server.listen(&name, listener, service)?,
            None => self.server.tcp(&name, None, service).await?,
        };
        self.addresses.push((registry, address));
        Ok(())
    }

    /// The registry of that host.
    #[must_use]
    pub fn registry(&self, host: &str) -> Option<Registry> {
        self.registries.get(host)
    }

    /// Another host by which nodes know a registry; its door for clients is
    /// the caller's affair.
    pub fn add_alias(&self, host: &str, registry: &Registry) {
        self.registries.add_as(host, registry);
    }

    /// Nodes know no registry by that host any more.
    pub fn remove_alias(&self, host: &str) {
        self.registries.remove(host);
    }

    /// The GitHub, if there is one.
    #[must_use]
    pub fn github(&self) -> Option<&GitHub> {
        self.github.as_ref().map(|(github, _)| github)
    }

    /// Where each host that has another address is reached, as
    /// `IMGSTACK_ENDPOINTS` has it.
    #[must_use]
    pub fn endpoints(&self) -> String {
        let registries = self.addresses.iter();
        let registries = registries.map(|(registry, address)| (registry.host(), address));
        let github = self.github.iter().map(|(_, address)| (GITHUB, address));
        let moved = registries
            .chain(github)
            .filter(|(host, address)| *host != address.to_string());
        let entries: Vec<_> = moved
            .map(|(host, address)| format!("{host}=http://{address}"))
            .collect();
        entries.join(",")
    }

    /// The socket of a node's engine.
    #[must_use]
    pub fn socket(&self, hostname: &str) -> PathBuf {
        self.folder.join(format!("{hostname}.sock"))
    }

    /// Waits until every service has as many tasks running as it wants and
    /// none is being updated; false when that takes longer than `patience`.
    pub async fn settles(&self, patience: Duration) -> bool {
        let settling = async {
            while !self.engines.read(is_settled) {
                tokio::time::sleep(GLANCE).await;
            }
        };
        tokio::time::timeout(patience, settling).await.is_ok()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.stop.cancel();
    }
}

fn is_settled(swarm: &Cluster) -> bool {
    swarm.services().iter().all(|service| {
        let status = swarm.service_status(service["ID"].as_str().unwrap_or_default());
        let going_on = matches!(
            service["UpdateStatus"]["State"].as_str(),
            Some("updating" | "rollback_started")
        );
        !going_on && status["RunningTasks"] == status["DesiredTasks"]
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::registry::{Build, Manner, User};

    const MINUTE: SignedDuration = SignedDuration::from_mins(1);

    /// A world whose Swarm is that old.
    fn layout(age: SignedDuration) -> Layout {
        let now = "2026-02-09T04:00:00Z".parse().unwrap();
        let mut layout = Layout::new(now, age, 1);
        for (hostname, role) in [("a", Role::Manager), ("b", Role::Worker)] {
            layout.add_node(NodeSetup {
                hostname: hostname.to_owned(),
                role,
                ..NodeSetup::default()
            });
        }
        layout
    }

    fn service(image: &str) -> Value {
        json!({
            "Name": "db",
            "TaskTemplate": {"ContainerSpec": {"Image": image}},
            "Mode": {"Replicated": {"Replicas": 2}},
        })
    }

    #[tokio::test]
    async fn what_is_laid_out_runs_when_the_world_starts() {
        let mut layout = layout(MINUTE * 60);
        let ghcr = layout.add_registry("ghcr.io", Settings::new(Manner::Ghcr));
        ghcr.add_user(User::reader("robot", "good", ""));
        ghcr.push_build(&Build::new("acme/db", "9b1d2e7", layout.date()), &["16"]);
        let auth = Credential {
            username: "robot".to_owned(),
            password: "good".into(),
        };
        layout
            .add_service(service("ghcr.io/acme/db:16"), Some(auth))
            .unwrap();
        assert_eq!(layout.date().to_string(), "2026-02-09T03:00:00Z");
        layout.pass(MINUTE);
        let folder = tempfile::tempdir().unwrap();
        let world = layout.start(folder.path()).await.unwrap();
        assert!(world.settles(Duration::ZERO).await, "a minute was enough");
        let created = world
            .engines
            .read(|swarm| swarm.services()[0]["CreatedAt"].clone());
        assert_eq!(created, "2026-02-09T03:00:00Z");
    }

    #[tokio::test]
    async fn a_service_that_cannot_run_does_not_settle() {
        let mut layout = layout(MINUTE);
        layout
            .add_service(service("ghcr.io/acme/db:16"), None)
            .unwrap();
        layout.pass(MINUTE);
        let folder = tempfile::tempdir().unwrap();
        let world = layout.start(folder.path()).await.unwrap();
        assert!(!world.settles(Duration::from_millis(50)).await);
    }

    #[tokio::test]
    async fn the_past_ends_where_the_clock_begins() {
        let mut layout = layout(MINUTE);
        layout.pass(MINUTE * 2);
        let now = layout.server().clock.now();
        assert!(layout.date() <= now && now.duration_since(layout.date()) < MINUTE);
    }

    #[tokio::test]
    async fn everybody_is_reached_where_the_world_says() {
        let mut layout = layout(MINUTE);
        let ghcr = layout.add_registry("ghcr.io", Settings::new(Manner::Ghcr));
        let local = layout
            .add_local_registry(Settings::new(Manner::Plain))
            .unwrap();
        layout.add_github(Some(&ghcr));
        layout.sockets(Sockets::Managers);
        let folder = tempfile::tempdir().unwrap();
        let world = layout.start(folder.path()).await.unwrap();
        // Another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let status = async |url: String| reqwest::get(url).await.unwrap().status().as_u16();
        let endpoints = world.endpoints();
        let hosts: Vec<_> = endpoints
            .split(',')
            .map(|entry| entry.split_once('=').unwrap())
            .collect();
        let [("ghcr.io", ghcr), ("api.github.com", github)] = hosts[..] else {
            panic!("{endpoints}");
        };
        assert_eq!(status(format!("{ghcr}/v2/")).await, 401);
        assert_eq!(status(format!("http://{}/v2/", local.host())).await, 200);
        // It does not speak to those who do not say who they are.
        assert_eq!(status(format!("{github}/user")).await, 403);
        assert!(world.socket("a").exists() && !world.socket("b").exists());
        world.add_alias("mirror.test", &local);
        assert_eq!(world.registry("mirror.test").unwrap().host(), local.host());
        world.remove_alias("mirror.test");
        assert!(world.registry("mirror.test").is_none());
    }
}
