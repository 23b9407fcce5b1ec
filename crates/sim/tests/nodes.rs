//! Nodes and their images as the product's own clients see them: pulls on a
//! node's engine, and through the manager alone.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use imgstack_sim::registry::{Build, Layer, Manner, Registry, Settings};
use imgstack_sim::swarm::{NodeSetup, Role};
use imgstack_sim::{Layout, World};
use imgstack_spec::{Digest, Repository};
use imgstack_swarm::engine::{PullError, PullProgress, Removal};
use imgstack_swarm::prepull::{self, Away, LABEL, Outcome, Prepull, Progress};
use imgstack_swarm::{Manager, NodeEngine, NodeId, NodeState, PullFailureKind, Target};
use jiff::SignedDuration;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const MIB: u64 = 1 << 20;

/// Nodes, of which the first is the manager, and a registry.
struct Stage {
    world: World,
    registry: Registry,
    _folder: TempDir,
}

impl Stage {
    async fn new(nodes: u8) -> Self {
        let now = "2026-02-09T04:00:00Z".parse().unwrap();
        let mut layout = Layout::new(now, SignedDuration::from_hours(1), 1);
        for number in 1..=nodes {
            layout.add_node(NodeSetup {
                hostname: format!("n{number}"),
                role: if number == 1 {
                    Role::Manager
                } else {
                    Role::Worker
                },
                bandwidth_bytes_per_s: 10 * MIB,
                ..NodeSetup::default()
            });
        }
        let registry = layout.add_registry("ghcr.io", Settings::new(Manner::Ghcr));
        let folder = tempfile::tempdir().unwrap();
        let world = layout.start(folder.path()).await.unwrap();
        registry.set_public("acme/db", true);
        Self {
            world,
            registry,
            _folder: folder,
        }
    }

    fn target(&self, hostname: &str) -> Target {
        let endpoint = format!("unix://{}", self.world.socket(hostname).display());
        Target {
            endpoint: endpoint.parse().unwrap(),
            tls: None,
            source: "a test".to_owned(),
        }
    }

    async fn manager(&self) -> Manager {
        Manager::connect(&self.target("n1")).await.unwrap()
    }

    async fn engine(&self, hostname: &str) -> NodeEngine {
        NodeEngine::connect(&self.target(hostname)).await.unwrap()
    }

    /// Pushes a build of that size and gives its digest.
    fn push(&self, repository: &str, sha: &str, mib: u64) -> Digest {
        let now = self.world.server.clock.now();
        let mut build = Build::new(repository, sha, now);
        let layer = Layer {
            compressed: mib * MIB / 2,
            unpacked: mib * MIB,
        };
        build.layers = vec![layer, layer];
        let pushed = self.registry.push_build(&build, &["16"]);
        pushed.digest.as_str().parse().unwrap()
    }

    /// Does something to a node's entry in the Swarm.
    fn set_availability(&self, hostname: &str, availability: &str) {
        self.world.engines.with(|cluster, now| {
            let node = cluster.node(hostname).unwrap();
            let mut spec = node["Spec"].clone();
            spec["Availability"] = json!(availability);
            let (id, version) = (node["ID"].as_str().unwrap(), &node["Version"]["Index"]);
            cluster
                .update_node(now, id, version.as_u64().unwrap(), spec)
                .unwrap();
        });
    }
}

fn db() -> Repository {
    "ghcr.io/acme/db".parse().unwrap()
}

async fn pull(
    engine: &NodeEngine,
    repository: &Repository,
    digest: &Digest,
) -> Result<Vec<PullProgress>, PullError> {
    let told = Mutex::new(Vec::new());
    let tell = |progress| told.lock().unwrap().push(progress);
    let within = Duration::from_secs(600);
    let done = engine.pull(repository, digest, None, within, &tell).await;
    done.map(|()| told.into_inner().unwrap())
}

#[tokio::test(start_paused = true)]
async fn ten_nodes_pull_at_once_and_each_tells_of_it() {
    let stage = Stage::new(10).await;
    let digest = stage.push("acme/db", "9b1d2e7", 200);
    let mut engines = Vec::new();
    for number in 1..=10 {
        engines.push(stage.engine(&format!("n{number}")).await);
    }
    let begun = Instant::now();
    let (repository, digest) = (&db(), &digest);
    let pulls = engines.iter().map(|it| pull(it, repository, digest));
    let all = futures_util::future::try_join_all(pulls).await.unwrap();
    // 200 MiB at 10 MiB a second.
    let took = begun.elapsed().as_secs();
    assert!((20..25).contains(&took), "{took} s");
    for told in all {
        let last = told.last().unwrap();
        assert_eq!((last.bytes, last.total / MIB), (last.total, 200));
        assert_eq!((last.layers, last.done), (2, 2));
        assert!(told.iter().any(|it| it.bytes > 0 && it.bytes < it.total));
    }
    for engine in &engines {
        let images = engine.images(&[db()]).await.unwrap();
        assert!(images[0].is(repository, digest), "{images:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn why_a_pull_fails() {
    let stage = Stage::new(2).await;
    let digest = stage.push("acme/db", "9b1d2e7", 20);
    let secret = stage.push("acme/secret", "9b1d2e7", 20);
    let engine = stage.engine("n2").await;
    let nothing: Digest = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
    let at = |name: &str| name.parse::<Repository>().unwrap();
    let kind = |error: Result<_, PullError>| match error {
        Err(PullError::Failed(failure)) => failure.kind,
        other => panic!("{other:?}"),
    };
    let table = [
        (db(), &nothing, PullFailureKind::NotFound),
        (at("ghcr.io/acme/secret"), &secret, PullFailureKind::Denied),
        (
            at("nowhere.test/acme/db"),
            &digest,
            PullFailureKind::Unreachable,
        ),
    ];
    for (repository, digest, expected) in table {
        let failed = pull(&engine, &repository, digest).await;
        assert_eq!(kind(failed), expected, "{repository}");
    }
    stage
        .world
        .engines
        .with(|cluster, _| cluster.fill_disk("n2", MIB));
    assert_eq!(
        kind(pull(&engine, &db(), &digest).await),
        PullFailureKind::NoSpace
    );
    stage
        .world
        .engines
        .with(|cluster, _| cluster.fill_disk("n2", 1 << 30));
    pull(&engine, &db(), &digest).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_build_goes_when_nothing_is_made_of_it() {
    let stage = Stage::new(1).await;
    let (old, new) = (
        stage.push("acme/db", "aaa", 20),
        stage.push("acme/db", "bbb", 20),
    );
    let engine = stage.engine("n1").await;
    pull(&engine, &db(), &old).await.unwrap();
    pull(&engine, &db(), &new).await.unwrap();
    let spec = json!({
        "Name": "db",
        "TaskTemplate": {"ContainerSpec": {"Image": format!("{}:16@{new}", db())}},
    });
    stage
        .world
        .engines
        .with(|cluster, now| cluster.create_service(now, spec, None))
        .unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    let removal = engine.remove_image(&db(), &new).await.unwrap();
    assert!(matches!(removal, Removal::InUse { .. }), "{removal:?}");
    let removal = engine.remove_image(&db(), &old).await.unwrap();
    assert!(
        matches!(removal, Removal::Removed { deleted: true, .. }),
        "{removal:?}"
    );
    assert_eq!(
        engine.remove_image(&db(), &old).await.unwrap(),
        Removal::AlreadyGone
    );
    let images = engine.images(&[db()]).await.unwrap();
    assert!(images.len() == 1 && images[0].is(&db(), &new), "{images:?}");
}

async fn wanted(manager: &Manager, digest: &Digest) -> (Prepull, BTreeMap<String, NodeId>) {
    let nodes = manager.nodes().await.unwrap();
    let ids: BTreeMap<String, NodeId> = nodes
        .into_iter()
        .map(|node| (node.hostname, node.id))
        .collect();
    let wanted = Prepull {
        stack: "pg".to_owned(),
        image: format!("{}:16@{digest}", db()).parse().unwrap(),
        platforms: Vec::new(),
        nodes: ids.values().cloned().collect(),
        owner: "a test".to_owned(),
        within: Duration::from_secs(600),
    };
    (wanted, ids)
}

#[tokio::test(start_paused = true)]
async fn nodes_that_go_in_the_middle_are_told_and_not_waited_for() {
    let stage = Stage::new(4).await;
    let digest = stage.push("acme/db", "9b1d2e7", 200);
    let manager = stage.manager().await;
    let (wanted, ids) = wanted(&manager, &digest).await;
    let pulling = Mutex::new(0);
    let tell = |_: &NodeId, progress| {
        if progress != Progress::Pulling {
            return;
        }
        let mut pulling = pulling.lock().unwrap();
        *pulling += 1;
        if *pulling == 4 {
            stage.set_availability("n2", "drain");
            stage.set_availability("n4", "pause");
            stage
                .world
                .engines
                .with(|cluster, now| cluster.lose_node(now, "n3"));
        }
    };
    let cancel = CancellationToken::new();
    let done = prepull::run(&manager, &wanted, None, &cancel, &tell).await;
    let done = done.unwrap();
    let expected = [
        ("n1", Outcome::Pulled),
        ("n2", Outcome::Away(Away::Drained)),
        ("n3", Outcome::Away(Away::Silent(NodeState::Down))),
        // It goes on with what it has.
        ("n4", Outcome::Pulled),
    ];
    for (hostname, outcome) in expected {
        assert_eq!(done.outcomes[&ids[hostname]], outcome, "{hostname}");
    }
    assert!(done.left.is_none(), "{done:?}");
    assert!(manager.services().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_run_left_is_replaced() {
    let stage = Stage::new(3).await;
    let digest = stage.push("acme/db", "9b1d2e7", 200);
    let manager = stage.manager().await;
    let (wanted, _) = wanted(&manager, &digest).await;
    let cancel = CancellationToken::new();
    let begun = CancellationToken::new();
    let kill = |_: &NodeId, _| begun.cancel();
    tokio::select! {
        done = prepull::run(&manager, &wanted, None, &cancel, &kill) => panic!("{done:?}"),
        () = begun.cancelled() => {}
    }
    let left = manager.services_labelled(LABEL, "pg").await.unwrap();
    assert_eq!(left.len(), 1);

    let done = prepull::run(&manager, &wanted, None, &cancel, &|_, _| {}).await;
    let done = done.unwrap();
    let mut ends = done.outcomes.values();
    assert!(ends.all(|it| *it == Outcome::Pulled), "{done:?}");
    assert!(manager.services().await.unwrap().is_empty());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(manager.all_tasks().await.unwrap().is_empty());
}
