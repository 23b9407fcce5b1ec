//! The simulated world, as stories use it: one for each, in real time, on a
//! thread of its own.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use imgstack_sim::registry::{Build, Layer, Manner, Registry, Settings, User};
use imgstack_sim::swarm::{NodeSetup, Role};
use imgstack_sim::{Faults, Layout, Recorded, World};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

/// The users of the private registry, as the lab has them.
const USERS: [(&str, &str, &str); 3] = [
    ("publisher", "", ""),
    ("robot", "", "nothing"),
    ("limited", "limited", "nothing"),
];

/// A simulation that runs until it is dropped. Clones share it.
#[derive(Clone, Debug)]
pub struct Sim(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    world: World,
    nodes: u8,
    anonymous: String,
    private: String,
    /// Of the sockets.
    _folder: TempDir,
}

impl Sim {
    /// Starts a world like the lab's.
    ///
    /// # Panics
    /// Without a port or a folder.
    pub fn start() -> Self {
        Self::of(3)
    }

    /// Starts a world of so many nodes.
    ///
    /// # Panics
    /// Without a port or a folder.
    pub fn of(nodes: u8) -> Self {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async {
                let inner = Inner::build(nodes).await;
                let stop = inner.world.server.stop.clone();
                sender.send(inner).expect("somebody waits for it");
                stop.cancelled().await;
            });
        });
        Self(Arc::new(receiver.recv().expect("a simulated world")))
    }

    /// Host and port of the registry that asks for nothing.
    pub fn anonymous(&self) -> &str {
        &self.0.anonymous
    }

    /// Host and port of the registry that asks for a token.
    pub fn private(&self) -> &str {
        &self.0.private
    }

    /// The socket of a node's engine.
    pub fn socket(&self, node: u8) -> PathBuf {
        self.world().socket(&hostname(node))
    }

    /// A registry by its host, to push to it, take from it and break it.
    ///
    /// # Panics
    /// When there is no such registry.
    pub fn registry(&self, host: &str) -> Registry {
        self.world().registry(host).expect("the world has it")
    }

    /// What goes wrong with requests.
    pub fn faults(&self) -> &Faults {
        &self.world().server.faults
    }

    /// The machine's own `PATH`.
    pub fn path(&self) -> String {
        std::env::var("PATH").unwrap_or_default()
    }

    /// The password of a user of the private registry.
    ///
    /// # Panics
    /// When there is no such user.
    pub fn password(&self, user: &str) -> String {
        let known = USERS.iter().any(|(name, ..)| *name == user);
        assert!(known, "no user {user}");
        format!("simulated-password-of-{user}")
    }

    /// The requests of imgstack's for a repository, as "METHOD URI".
    pub fn requests(&self, registry: &str, path: &str) -> Vec<String> {
        let host = match registry {
            "anonymous" => self.anonymous(),
            _ => self.private(),
        };
        let prefix = format!("/v2/{path}/");
        let own = self.own_requests();
        let own = own
            .iter()
            .filter(|it| it.server == host && it.path.starts_with(&prefix));
        own.map(|it| format!("{} {}", it.method, it.path)).collect()
    }

    /// How many tokens imgstack asked for, for a repository.
    pub fn tokens(&self, path: &str) -> usize {
        let scope = format!("repository%3A{}%3A", path.replace('/', "%2F"));
        let plain = format!("repository:{path}:");
        let own = self.own_requests();
        let own = own.iter().filter(|it| it.path.contains("scope="));
        own.filter(|it| it.path.contains(&scope) || it.path.contains(&plain))
            .count()
    }

    fn own_requests(&self) -> Vec<Recorded> {
        let mut entries = self.world().server.record.entries();
        entries.retain(|it| {
            let agent = it.agent.as_deref().unwrap_or_default();
            agent.starts_with("imgstack/")
        });
        entries
    }

    /// The world itself.
    pub fn world(&self) -> &World {
        &self.0.world
    }

    /// Another address of a registry.
    pub fn add_door(&self, address: &str, registry: &str) {
        self.world().add_alias(address, &self.registry(registry));
    }

    /// That address leads nowhere any more.
    pub fn remove_door(&self, address: &str) {
        self.world().remove_alias(address);
    }

    /// Pushes a build of that size to the anonymous registry, under `16`;
    /// nobody has to carry the bytes. Returns its digest.
    pub fn push_of_size(&self, path: &str, sha: &str, bytes: u64) -> String {
        let size = |part| Layer {
            compressed: part,
            unpacked: part * 2,
        };
        let build = Build {
            layers: vec![size(bytes / 4 * 3), size(bytes - bytes / 4 * 3)],
            ..Build::new(path, sha, self.world().server.clock.now())
        };
        let anonymous = self.registry(self.anonymous());
        anonymous.push_build(&build, &["16"]).digest
    }

    /// Adds a user of the private registry, who may read all, or gives one
    /// another password.
    pub fn set_user(&self, name: &str, password: &str) {
        let private = self.registry(self.private());
        private.add_user(User {
            push: vec![String::new()],
            ..User::reader(name, password, "")
        });
    }

    /// Makes a user's password good no more.
    pub fn revoke(&self, name: &str) {
        self.registry(self.private()).revoke(name);
    }

    /// How fast all nodes pull from now on, in bytes a second.
    pub fn set_bandwidth(&self, bytes_per_s: u64) {
        self.world().engines.with(|swarm, _| {
            for node in 1..=self.0.nodes {
                swarm.set_bandwidth(&hostname(node), bytes_per_s);
            }
        });
    }

    /// Something else fills a node's disk, up to so many bytes.
    pub fn fill_disk(&self, node: u8, leave: u64) {
        let engines = &self.world().engines;
        engines.with(|swarm, _| swarm.fill_disk(&hostname(node), leave));
    }
}

impl Inner {
    async fn build(nodes: u8) -> Self {
        let mut layout = Layout::new(Timestamp::now(), SignedDuration::ZERO, 1);
        for node in 1..=nodes {
            layout.add_node(setup(node));
        }
        let mut registry = |manner| {
            let registry = layout.add_local_registry(Settings::new(manner));
            registry.expect("a free port")
        };
        let (anonymous, private) = (registry(Manner::Plain), registry(Manner::Ghcr));
        for (name, pull, push) in USERS {
            private.add_user(User {
                pull: vec![pull.to_owned()],
                push: vec![push.to_owned()],
                ..User::reader(name, &format!("simulated-password-of-{name}"), pull)
            });
        }
        let folder = tempfile::tempdir().expect("a folder for sockets");
        Self {
            world: layout.start(folder.path()).await.expect("a world"),
            nodes,
            anonymous: anonymous.host().to_owned(),
            private: private.host().to_owned(),
            _folder: folder,
        }
    }
}

fn hostname(node: u8) -> String {
    format!("docker-infra-{node}")
}

/// A node as the lab's; the first is the manager.
fn setup(node: u8) -> NodeSetup {
    NodeSetup {
        hostname: hostname(node),
        role: match node {
            1 => Role::Manager,
            _ => Role::Worker,
        },
        engine_version: "20.10.24+dfsg1".to_owned(),
        address: format!("10.77.0.{}", 10 + node),
        ..NodeSetup::default()
    }
}
