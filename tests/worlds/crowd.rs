//! A Swarm of a thousand nodes and ten thousand services.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use imgstack_sim::registry::{Build, Manner, Settings};
use imgstack_sim::swarm::{Cluster, NodeSetup, Role};
use imgstack_sim::{Layout, Sockets, World};
use imgstack_swarm::{Manager, Target};
use jiff::SignedDuration;
use serde_json::json;

use crate::seeds::say;

const NODES: usize = 1000;
const SERVICES: usize = 10_000;
/// The bound of the issue that asked for it.
const START: Duration = Duration::from_secs(5);
/// No list may take longer.
const LIST: Duration = Duration::from_secs(2);

/// The world, serving: its managers do.
async fn start(folder: &Path) -> World {
    let now = "2026-02-09T04:00:00Z".parse().unwrap();
    let mut layout = Layout::new(now, SignedDuration::ZERO, 1);
    let registry = layout.add_registry("ghcr.io", Settings::new(Manner::Plain));
    registry.push_build(&Build::new("acme/web", "9b1d2e7", now), &["16"]);
    for number in 0..NODES {
        let role = match number {
            0..7 => Role::Manager,
            _ => Role::Worker,
        };
        let zone = format!("z{}", number % 10);
        layout.add_node(NodeSetup {
            hostname: format!("node-{number:04}"),
            role,
            labels: BTreeMap::from([("zone".to_owned(), zone)]),
            ..NodeSetup::default()
        });
    }
    for number in 0..SERVICES {
        let spec = json!({
            "Name": format!("web-{number:05}"),
            "Labels": {"tier": format!("t{}", number % 100)},
            "TaskTemplate": {"ContainerSpec": {
                "Image": "ghcr.io/acme/web:16", "Env": ["A=1"],
            }},
            "Mode": {"Replicated": {"Replicas": 1}},
        });
        layout.add_service(spec, None).unwrap();
    }
    layout.sockets(Sockets::Managers);
    layout.start(folder).await.unwrap()
}

fn target(world: &World) -> Target {
    let socket = world.socket("node-0000");
    Target {
        endpoint: format!("unix://{}", socket.display()).parse().unwrap(),
        tls: None,
        source: "a test".to_owned(),
    }
}

/// How long it took, said and bounded. What counts is the time that a core
/// worked: the other tests, and whoever else is on the machine, want some, too.
async fn timed<T>(what: &str, bound: Duration, work: impl Future<Output = T>) -> T {
    let (began, worked) = (Instant::now(), worked());
    let done = work.await;
    let (passed, took) = (began.elapsed(), self::worked().saturating_sub(worked));
    say(&format!(
        "crowd: {what}: {:.2} s of one core, {:.2} s by the clock",
        took.as_secs_f64(),
        passed.as_secs_f64()
    ));
    assert!(took < bound, "{what} took {took:?}, more than {bound:?}");
    done
}

/// For how long a core has worked for this thread, which has the whole world.
fn worked() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanos = text.split_whitespace().next().unwrap();
    Duration::from_nanos(nanos.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_thousand_nodes_and_ten_thousand_services_start_at_once_and_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let start = timed("start of 1,000 nodes and 10,000 services", START, async {
        let crowd = start(folder.path()).await;
        let manager = Manager::connect(&target(&crowd)).await.unwrap();
        assert_eq!(manager.services().await.unwrap().len(), SERVICES);
        (crowd, manager)
    });
    let (crowd, manager) = start.await;
    let running = async {
        let all_run = || {
            let tasks = crowd.engines.read(Cluster::tasks);
            let running = tasks.iter().filter(|it| it["Status"]["State"] == "running");
            running.count() == SERVICES
        };
        while !all_run() {
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    };
    timed("until every task runs", 4 * START, running).await;
    let services = timed("/services", LIST, manager.services()).await.unwrap();
    assert_eq!(services.len(), SERVICES);
    let nodes = timed("/nodes", LIST, manager.nodes()).await.unwrap();
    assert_eq!(nodes.len(), NODES);
    let tasks = timed("/tasks", LIST, manager.all_tasks()).await.unwrap();
    assert_eq!(tasks.len(), SERVICES);
    let names = ["web-00007".parse().unwrap(), "web-09999".parse().unwrap()];
    let named = timed("/services by name", LIST, manager.services_named(&names));
    let named = named.await.unwrap();
    assert_eq!(named.len(), 2);
    let ids: Vec<_> = services.iter().take(50).map(|it| it.id()).collect();
    let of_services = timed("/tasks of 50 services", LIST, manager.tasks(&ids));
    assert_eq!(of_services.await.unwrap().len(), 50);
}
