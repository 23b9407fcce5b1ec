//! The simulated world, as stories use it: one for each, in real time, on a
//! thread of its own.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use imgstack_sim::engine::Engines;
use imgstack_sim::registry::{Manner, Registries, Registry, Settings, User};
use imgstack_sim::swarm::{Cluster, NodeSetup, Role};
use imgstack_sim::{
    Clock, Credential, Descriptor, Image, Pull, PullError, Recorded, Server, Service, Upstream,
};
use jiff::Timestamp;
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
    server: Server,
    anonymous: String,
    private: String,
    doors: Arc<Doors>,
    folder: TempDir,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.server.stop.cancel();
    }
}

impl Sim {
    /// Starts a world like the lab's.
    ///
    /// # Panics
    /// Without a port or a folder.
    pub fn start() -> Self {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async {
                let inner = Inner::build().await;
                let server = inner.server.clone();
                sender.send(inner).expect("somebody waits for it");
                server.stop.cancelled().await;
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
        self.0.folder.path().join(format!("{node}.sock"))
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
        let mut entries = self.0.server.record.entries();
        entries.retain(|it| {
            let agent = it.agent.as_deref().unwrap_or_default();
            agent.starts_with("imgstack/")
        });
        entries
    }

    /// Another address of the anonymous registry.
    pub fn add_door(&self, address: &str) {
        self.0.doors.lock().push(address.to_owned());
    }
}

impl Inner {
    async fn build() -> Self {
        let server = Server::new(Clock::starting(Timestamp::now()));
        let anonymous = registry(&server, Manner::Plain).await;
        let private = registry(&server, Manner::Ghcr).await;
        private.set_base_url(&format!("http://{}", private.host()));
        for (name, pull, push) in USERS {
            private.add_user(User {
                pull: vec![pull.to_owned()],
                push: vec![push.to_owned()],
                ..User::reader(name, &format!("simulated-password-of-{name}"), pull)
            });
        }
        let doors = Arc::new(Doors {
            anonymous: anonymous.host().to_owned(),
            registries: [anonymous.clone(), private.clone()].into_iter().collect(),
            addresses: Mutex::default(),
        });
        let engines = Engines::start(&server, cluster(server.clock.now()), doors.clone());
        let folder = tempfile::tempdir().expect("a folder for sockets");
        for node in 1..=3 {
            let socket = folder.path().join(format!("{node}.sock"));
            let listens = engines.listen_unix(&format!("docker-infra-{node}"), &socket);
            listens.expect("a socket");
        }
        Self {
            server,
            anonymous: anonymous.host().to_owned(),
            private: private.host().to_owned(),
            doors,
            folder,
        }
    }
}

/// A registry that is called by the port that it has.
async fn registry(server: &Server, manner: Manner) -> Registry {
    loop {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let address = free.expect("a free port");
        let registry = Registry::new(&address.to_string(), Settings::new(manner), server);
        let service: Arc<dyn Service> = Arc::new(registry.clone());
        // Somebody else may have been quicker.
        let name = registry.host().to_owned();
        if server
            .tcp(&name, Some(address.port()), service)
            .await
            .is_ok()
        {
            return registry;
        }
    }
}

/// Three nodes as the lab's, `docker-infra-1` being the manager.
fn cluster(now: Timestamp) -> Cluster {
    let mut cluster = Cluster::new(1);
    for node in 1..=3 {
        let setup = NodeSetup {
            hostname: format!("docker-infra-{node}"),
            role: if node == 1 {
                Role::Manager
            } else {
                Role::Worker
            },
            engine_version: "20.10.24+dfsg1".to_owned(),
            address: format!("10.77.0.1{node}"),
            ..NodeSetup::default()
        };
        cluster.add_node(now, setup);
    }
    cluster
}

/// The registries as the nodes reach them: the anonymous one by several
/// addresses.
#[derive(Debug)]
struct Doors {
    anonymous: String,
    registries: Registries,
    addresses: Mutex<Vec<String>>,
}

impl Doors {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The address by which a door's reference is known inside.
    fn door(&self, reference: &str) -> Option<(String, String)> {
        let (host, rest) = reference.split_once('/')?;
        let is_door = self.lock().iter().any(|door| door == host);
        is_door.then(|| (host.to_owned(), format!("{}/{rest}", self.anonymous)))
    }
}

impl Upstream for Doors {
    fn pull(&self, pull: &Pull<'_>) -> Result<Image, PullError> {
        let Some((host, inside)) = self.door(pull.reference) else {
            return self.registries.pull(pull);
        };
        let mut image = self.registries.pull(&Pull {
            reference: &inside,
            ..*pull
        })?;
        image.repository = image.repository.replacen(&self.anonymous, &host, 1);
        Ok(image)
    }

    fn login(&self, host: &str, credential: &Credential) -> Result<(), PullError> {
        self.registries.login(host, credential)
    }

    fn describe(&self, pull: &Pull<'_>) -> Result<Descriptor, PullError> {
        match self.door(pull.reference) {
            None => self.registries.describe(pull),
            Some((_, inside)) => self.registries.describe(&Pull {
                reference: &inside,
                ..*pull
            }),
        }
    }
}
