//! The client on a real Swarm: every way to reach it, and what it says.
//!
//! Needs the lab up, and its environment (`eval "$(tests/lab/lab env)"`).

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test, and in what it looks with"
)]

mod ground;

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use ground::{build, docker, host, lab, local};
use imgstack_swarm::rollout::assess;
use imgstack_swarm::{
    Availability, ConnectFailure, Environment, Error, EventStream, LogStream, Manager, NodeRole,
    NodeState, RawService, ServiceId, ServicePatch, SshFailure, Target, Task, UpdateConfigPatch,
    UpdateState, spec_digest,
};
use tokio::time::timeout;

/// Connects as docker's settings would have it.
async fn connect(variables: &[(&str, &str)]) -> Result<Manager, Error> {
    let target = Target::find(None, &Environment::of(variables))?;
    Manager::connect(&target).await
}

fn tls(name: &str) -> String {
    lab().join("tls").join(name).display().to_string()
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn every_way_leads_to_the_same_swarm() {
    let cluster = host(&local()).await.unwrap().cluster().clone();
    assert!(!cluster.id.is_empty());
    let certificates = tls("");
    let table: &[&[(&str, &str)]] = &[
        &[("DOCKER_HOST", "ssh://root@docker-infra-1")],
        &[("DOCKER_HOST", "ssh://docker-infra-1/run/docker.sock")],
        &[
            ("DOCKER_HOST", "tcp://10.77.0.11:2376"),
            ("DOCKER_TLS_VERIFY", "1"),
            ("DOCKER_CERT_PATH", &certificates),
        ],
        &[
            ("DOCKER_HOST", "tcp://10.77.0.11:2376"),
            ("DOCKER_TLS", "1"),
            ("DOCKER_CERT_PATH", &certificates),
        ],
    ];
    for variables in table {
        let manager = connect(variables).await.unwrap();
        assert_eq!(manager.cluster(), &cluster, "{variables:?}");
        assert_eq!(manager.nodes().await.unwrap().len(), 3, "{variables:?}");
        manager.services().await.unwrap();
        manager.all_tasks().await.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn nodes_are_told_in_images_words() {
    let nodes = host(&local()).await.unwrap().nodes().await.unwrap();
    let leader = nodes.iter().find(|node| node.leader).unwrap();
    assert_eq!(leader.hostname, "docker-infra-1");
    assert_eq!(leader.role, NodeRole::Manager);
    assert_eq!(leader.address.as_deref(), Some("10.77.0.11"));
    for node in &nodes {
        assert_eq!(node.state, NodeState::Ready, "{node:?}");
        assert_eq!(node.availability, Availability::Active, "{node:?}");
        assert!(
            ["linux/amd64", "linux/arm64"].contains(&node.platform.to_string().as_str()),
            "{node:?}"
        );
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_worker_names_the_manager() {
    // Node 3 forbids stream forwarding, so this is the fall-back, too.
    for address in ["ssh://docker-infra-2", "ssh://docker-infra-3"] {
        let error = host(address).await.unwrap_err();
        assert!(
            matches!(error, Error::NotAManager { member: true, .. }),
            "{error:?}"
        );
        assert_eq!(
            error.hint().unwrap(),
            "name the manager 10.77.0.11 in spec.swarm.endpoint"
        );
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn ssh_that_leads_nowhere() {
    let table = [
        ("ssh://nosuchuser@docker-infra-1", SshFailure::Auth),
        ("ssh://root@10.77.0.1", SshFailure::Unreachable),
        ("ssh://root@no-such-host.invalid", SshFailure::Unreachable),
        (
            "ssh://root@docker-infra-1/run/nothing.sock",
            SshFailure::NoEngine,
        ),
        (
            "ssh://root@docker-infra-3/run/nothing.sock",
            SshFailure::NoEngine,
        ),
    ];
    for (address, failure) in table {
        let error = host(address).await.unwrap_err();
        let Error::Ssh(ssh) = &error else {
            panic!("{address}: {error:?}");
        };
        assert_eq!(ssh.failure, failure, "{address}: {error}");
        assert!(!ssh.detail.contains("without an answer"), "{error}");
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn addresses_that_lead_nowhere() {
    let bare = tempfile::tempdir().unwrap();
    std::fs::copy(tls("ca.pem"), bare.path().join("ca.pem")).unwrap();
    let other = tempfile::tempdir().unwrap();
    std::fs::copy(tls("server-cert.pem"), other.path().join("ca.pem")).unwrap();
    let tcp = "tcp://10.77.0.11:2376";
    let verify = ("DOCKER_TLS_VERIFY", "1");
    let path = |folder: &Path| folder.display().to_string();
    let (bare_path, other_path) = (path(bare.path()), path(other.path()));
    let table: &[(&[(&str, &str)], ConnectFailure)] = &[
        (&[("DOCKER_HOST", tcp)], ConnectFailure::WantsTls),
        (
            &[
                ("DOCKER_HOST", tcp),
                verify,
                ("DOCKER_CERT_PATH", &bare_path),
            ],
            ConnectFailure::Tls,
        ),
        (
            &[
                ("DOCKER_HOST", tcp),
                verify,
                ("DOCKER_CERT_PATH", &other_path),
            ],
            ConnectFailure::Tls,
        ),
        (
            &[
                ("DOCKER_HOST", "tcp://10.77.0.1:5000"),
                verify,
                ("DOCKER_CERT_PATH", &bare_path),
            ],
            ConnectFailure::Tls,
        ),
        (
            &[("DOCKER_HOST", "tcp://10.77.0.11:2375")],
            ConnectFailure::NobodyListens,
        ),
        (
            &[("DOCKER_HOST", "tcp://no-such-host.invalid:2375")],
            ConnectFailure::Unreachable,
        ),
        (
            &[("DOCKER_HOST", "unix:///nonexistent/docker.sock")],
            ConnectFailure::NobodyListens,
        ),
    ];
    for (variables, wanted) in table {
        let error = connect(variables).await.unwrap_err();
        assert!(
            matches!(&error, Error::Connect { failure, .. } if failure == wanted),
            "{variables:?}: {error:?}"
        );
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn nothing_is_left_behind() {
    // By a name that no other test calls the host.
    let manager = host("ssh://root@10.77.0.11").await.unwrap();
    manager.nodes().await.unwrap();
    assert_eq!(masters("10.77.0.11"), 1);
    drop(manager);
    let end = Instant::now() + Duration::from_secs(5);
    while masters("10.77.0.11") > 0 {
        assert!(Instant::now() < end, "the ssh process lives on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The ssh masters of ours to this host.
fn masters(host: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap();
    processes
        .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
        .filter(|line| {
            let words: Vec<_> = line
                .split(|byte| *byte == 0)
                .map(String::from_utf8_lossy)
                .collect();
            let is_ours = words.iter().any(|word| word.contains(".ssh-connection"));
            is_ours && words.iter().any(|word| word == host)
        })
        .count()
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_rollout_as_it_is_seen() {
    let repository = "swarmcrate/rollout";
    let good = build(repository, "a1", &[]).reference();
    let dying = build(repository, "b2", &["--kind", "dying"]).reference();
    let created = Created::new("swarmcrate-rollout", &good);
    let manager = host(&local()).await.unwrap();
    let names = [created.0.parse().unwrap()];
    let service = manager.services_named(&names).await.unwrap().remove(0);

    let mut events = manager.events().await.unwrap();
    let patched = patch(&dying).apply(service.spec()).unwrap();
    manager
        .update_service(&service.id(), service.version(), &patched, None)
        .await
        .unwrap();
    let late = manager
        .update_service(&service.id(), service.version(), &patched, None)
        .await;
    assert!(matches!(late, Err(Error::OutOfSequence { .. })), "{late:?}");

    let states = states_until(&mut events, &service.id(), UpdateState::RollbackCompleted).await;
    let expected = [
        UpdateState::Updating,
        UpdateState::RollbackStarted,
        UpdateState::RollbackCompleted,
    ];
    assert_eq!(states, expected);

    let after = manager.service(&service.id()).await.unwrap();
    assert_eq!(spec_digest(after.spec()), spec_digest(service.spec()));
    assert_eq!(after.previous_spec(), None);
    let tasks = settled(&manager, &after, &good).await;
    let nodes = manager.nodes().await.unwrap();
    let seen = assess(&after, &tasks, &nodes, &dying);
    let failure = seen.failures.first().unwrap();
    assert_eq!(failure.exit_code, Some(1));
    assert_eq!(failure.err.as_deref(), Some("task: non-zero exit (1)"));
    let lines = manager.task_logs(&failure.task, 20).await.unwrap();
    assert!(
        lines
            .iter()
            .any(|line| line.stream == LogStream::Stderr && line.text.contains("FATAL")),
        "{lines:?}"
    );
}

/// The states that the events tell, up to and with this one.
async fn states_until(
    events: &mut EventStream,
    service: &ServiceId,
    last: UpdateState,
) -> Vec<UpdateState> {
    let mut states = Vec::new();
    while states.last() != Some(&last) {
        let event = timeout(Duration::from_secs(60), events.next()).await;
        let event = event.unwrap().unwrap().unwrap();
        states.extend(event.update_state().filter(|_| event.is_about(service)));
    }
    states
}

/// The tasks once they are in place. Swarm calls a roll-back completed when its
/// updater has nothing left to replace; a task that was waiting for its restart
/// then may still have to start.
async fn settled(manager: &Manager, service: &RawService, image: &str) -> Vec<Task> {
    let nodes = manager.nodes().await.unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let tasks = manager.tasks(&[service.id()]).await.unwrap();
        let seen = assess(service, &tasks, &nodes, image);
        if seen.is_in_place() {
            return tasks;
        }
        assert!(Instant::now() < end, "{seen:#?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn patch(image: &str) -> ServicePatch {
    ServicePatch {
        image: image.to_owned(),
        platforms: None,
        update_config: UpdateConfigPatch::default(),
        labels: [("dev.imgstack.stack".to_owned(), Some("test".to_owned()))].into(),
    }
}

/// A service that goes when the test ends.
struct Created(&'static str);

impl Created {
    fn new(name: &'static str, image: &str) -> Self {
        docker(1, &["service", "rm", name]);
        let create = [
            "service",
            "create",
            "--name",
            name,
            "--replicas",
            "2",
            "--no-resolve-image",
            "--update-monitor",
            "1s",
            "--update-failure-action",
            "rollback",
            "--rollback-monitor",
            "1s",
            image,
        ];
        assert!(docker(1, &create).is_some(), "{name} was not created");
        Self(name)
    }
}

impl Drop for Created {
    fn drop(&mut self) {
        docker(1, &["service", "rm", self.0]);
    }
}
