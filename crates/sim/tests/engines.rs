//! The simulated engines as the product's own client sees them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use imgstack_sim::engine::Engines;
use imgstack_sim::registry::{Build, Manner, Registries, Registry, Settings, User};
use imgstack_sim::swarm::{Cluster, NodeSetup, Role};
use imgstack_sim::{Behaviour, Clock, Fault, Server, Trigger};
use imgstack_swarm::rollout::assess;
use imgstack_swarm::{Error, Manager, ServicePatch, Target, UpdateConfigPatch, UpdateState};
use serde_json::json;
use tempfile::TempDir;

/// Three engines and a registry.
struct World {
    server: Server,
    engines: Engines,
    registry: Registry,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        Self::with(Manner::Plain)
    }

    fn with(manner: Manner) -> Self {
        let server = Server::new(Clock::starting("2026-02-09T04:00:00Z".parse().unwrap()));
        let registry = Registry::new("ghcr.io", Settings::new(manner), &server);
        let mut cluster = Cluster::new(1);
        for number in 1..=3 {
            let role = if number == 1 {
                Role::Manager
            } else {
                Role::Worker
            };
            let setup = NodeSetup {
                hostname: format!("n{number}"),
                role,
                ..NodeSetup::default()
            };
            cluster.add_node(server.clock.now(), setup);
        }
        let registries: Registries = [registry.clone()].into_iter().collect();
        let engines = Engines::start(&server, cluster, Arc::new(registries));
        let folder = tempfile::tempdir().unwrap();
        for number in 1..=3 {
            let path = folder.path().join(format!("n{number}.sock"));
            engines.listen_unix(&format!("n{number}"), &path).unwrap();
        }
        Self {
            server,
            engines,
            registry,
            folder,
        }
    }

    fn socket(&self, node: u8) -> PathBuf {
        self.folder.path().join(format!("n{node}.sock"))
    }

    /// A client of no manners.
    fn client(&self, node: u8) -> reqwest::Client {
        // Another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().unix_socket(self.socket(node));
        client.build().unwrap()
    }

    async fn connect(&self, node: u8) -> Result<Manager, Error> {
        let endpoint = format!("unix://{}", self.socket(node).display());
        let target = Target {
            endpoint: endpoint.parse().unwrap(),
            tls: None,
            source: "a test".to_owned(),
        };
        Manager::connect(&target).await
    }

    /// Pushes a build and returns the reference to it.
    fn push(&self, sha: &str, behaviour: Behaviour) -> String {
        let mut build = Build::new("acme/db", sha, self.server.clock.now());
        build.behaviour = behaviour;
        let pushed = self.registry.push_build(&build, &["16"]);
        format!("ghcr.io/acme/db:16@{}", pushed.digest)
    }

    /// A service that goes back when a build fails.
    fn create(&self, image: &str) {
        let spec = json!({
            "Name": "db",
            "TaskTemplate": {"ContainerSpec": {"Image": image}},
            "Mode": {"Replicated": {"Replicas": 3}},
            "UpdateConfig": {"Parallelism": 1, "FailureAction": "rollback"},
        });
        let created = self
            .engines
            .with(|cluster, now| cluster.create_service(now, spec, None));
        created.unwrap();
    }
}

fn dying() -> Behaviour {
    Behaviour {
        ends_after_ms: Some(100),
        exit_code: 1,
        stderr: vec!["FATAL: no".to_owned()],
        ..Behaviour::default()
    }
}

/// The events of a rollout to `image`, up to its end.
async fn roll(world: &World, image: &str) -> Vec<UpdateState> {
    let manager = world.connect(1).await.unwrap();
    let names = ["db".parse().unwrap()];
    let service = manager.services_named(&names).await.unwrap().remove(0);
    let mut events = manager.events().await.unwrap();
    let patch = ServicePatch {
        image: image.to_owned(),
        platforms: None,
        update_config: UpdateConfigPatch::default(),
        labels: std::collections::BTreeMap::new(),
    };
    let spec = patch.apply(service.spec()).unwrap();
    let (id, version) = (service.id(), service.version());
    manager
        .update_service(&id, version, &spec, None)
        .await
        .unwrap();
    let late = manager.update_service(&id, version, &spec, None).await;
    assert!(matches!(late, Err(Error::OutOfSequence { .. })), "{late:?}");
    let mut states = Vec::new();
    while !states.last().is_some_and(|state| {
        matches!(
            state,
            UpdateState::Completed | UpdateState::RollbackCompleted
        )
    }) {
        let event = events.next().await.unwrap().unwrap();
        states.extend(event.update_state());
    }
    states
}

/// Minutes of a rollout pass in the time that the machine needs for them.
#[tokio::test(start_paused = true)]
async fn a_rollout_is_seen_by_the_products_own_client() {
    let world = World::new();
    let (old, new) = (
        world.push("9b1d2e7", Behaviour::default()),
        world.push("abc1234", Behaviour::default()),
    );
    world.create(&old);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let states = roll(&world, &new).await;
    assert_eq!(states, [UpdateState::Updating, UpdateState::Completed]);
    let manager = world.connect(1).await.unwrap();
    let service = manager.services().await.unwrap().remove(0);
    let tasks = manager.tasks(&[service.id()]).await.unwrap();
    let seen = assess(&service, &tasks, &manager.nodes().await.unwrap(), &new);
    assert!(seen.is_in_place() && seen.desired == 3, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dying_build_is_rolled_back_and_its_last_words_are_there() {
    let world = World::new();
    let (old, new) = (
        world.push("9b1d2e7", Behaviour::default()),
        world.push("bad0bad", dying()),
    );
    world.create(&old);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let states = roll(&world, &new).await;
    let back = [
        UpdateState::Updating,
        UpdateState::RollbackStarted,
        UpdateState::RollbackCompleted,
    ];
    assert_eq!(states, back);
    let manager = world.connect(1).await.unwrap();
    let service = manager.services().await.unwrap().remove(0);
    assert_eq!(service.image(), old);
    let tasks = manager.tasks(&[service.id()]).await.unwrap();
    let seen = assess(&service, &tasks, &manager.nodes().await.unwrap(), &new);
    let failure = &seen.failures[0];
    assert_eq!(failure.err.as_deref(), Some("task: non-zero exit (1)"));
    let lines = manager.task_logs(&failure.task, 20).await.unwrap();
    assert_eq!(lines[0].text, "FATAL: no");
}

#[tokio::test]
async fn a_worker_has_no_say() {
    let world = World::new();
    let error = world.connect(2).await.unwrap_err();
    assert!(matches!(error, Error::NotAManager { .. }), "{error:?}");
}

#[tokio::test]
async fn a_bad_day_reaches_the_client() {
    let world = World::new();
    let image = world.push("9b1d2e7", Behaviour::default());
    world.create(&image);
    let manager = world.connect(1).await.unwrap();
    let service = manager.services().await.unwrap().remove(0);
    // Carried out, and nobody is told.
    world
        .server
        .faults
        .set(Trigger::once("POST", "/update"), Fault::Cut);
    let mut spec = service.spec().clone();
    spec["Labels"] = json!({"a": "b"});
    let lost = manager
        .update_service(&service.id(), service.version(), &spec, None)
        .await;
    assert!(matches!(lost, Err(Error::AnswerLost { .. })), "{lost:?}");
    let service = manager.service(&service.id()).await.unwrap();
    assert_eq!(service.label("a"), Some("b"));
    world.engines.with(|cluster, now| cluster.fail_over(now));
    let error = manager.all_tasks().await.unwrap_err();
    assert!(error.hint().unwrap().contains("quorum"), "{error:?}");
    assert_eq!(world.server.record.count("POST", "/update"), 1);
}

/// A stream has no end that a fault could wait for.
#[tokio::test]
async fn a_bad_day_reaches_streams_too() {
    let world = World::new();
    let image = world.push("9b1d2e7", Behaviour::default());
    let client = world.client(1);
    let mut open = Vec::new();
    for fault in [Fault::CutBody, Fault::Corrupt] {
        world
            .server
            .faults
            .set(Trigger::once("GET", "/events"), fault);
        let answer = client.get("http://docker/events").send().await.unwrap();
        open.push(answer);
    }
    world.create(&image);
    let [cut, corrupt] = &mut open[..] else {
        panic!("two streams");
    };
    let first = cut.chunk().await.unwrap().unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&first).is_ok());
    assert!(cut.chunk().await.is_err(), "the stream goes on");
    let first = corrupt.chunk().await.unwrap().unwrap();
    assert_eq!(first.last(), Some(&(b'\n' + 1)));
}

/// What `docker login` asks an engine.
#[tokio::test]
async fn a_login_is_let_in_with_the_right_password_alone() {
    let world = World::with(Manner::Token);
    world
        .registry
        .add_user(User::reader("robot", "good", "acme"));
    let client = world.client(2);
    for (password, status) in [("good", 200), ("bad", 401)] {
        let login = json!({"username": "robot", "password": password, "serveraddress": "ghcr.io"});
        let request = client
            .post("http://docker/v1.44/auth")
            .body(login.to_string());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{password}");
        assert!(!answer.text().await.unwrap().contains(password));
    }
}
