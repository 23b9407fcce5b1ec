//! Pulling through a manager alone, on a real Swarm of three nodes.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test, and in what it looks with"
)]

mod ground;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_URL_SAFE, Engine as _};
use ground::{
    ANONYMOUS, Built, PRIVATE, Swept, build, build_in, docker, engine, host, local, password,
    socket,
};
use imgstack_spec::Platform;
use imgstack_swarm::prepull::{
    LABEL, Outcome, Prepull, PrepullError, Prepulled, Progress, run, sweep,
};
use imgstack_swarm::{Manager, NodeId, PullFailureKind, RegistryAuth, TaskId};
use tokio_util::sync::CancellationToken;

async fn manager() -> Manager {
    host(&local()).await.unwrap()
}

/// The three nodes by their numbers.
async fn members(manager: &Manager) -> BTreeMap<u32, NodeId> {
    let nodes = manager.nodes().await.unwrap();
    let number = |hostname: &str| hostname.strip_prefix("docker-infra-")?.parse().ok();
    let members: BTreeMap<u32, NodeId> = nodes
        .into_iter()
        .filter_map(|node| Some((number(&node.hostname)?, node.id)))
        .collect();
    (1..=3).map(|it| (it, members[&it].clone())).collect()
}

fn wanted(stack: &str, reference: &str, nodes: impl IntoIterator<Item = NodeId>) -> Prepull {
    Prepull {
        stack: format!("enginecrate-{stack}"),
        image: reference.parse().unwrap(),
        platforms: Vec::new(),
        nodes: nodes.into_iter().collect(),
        owner: "a test".to_owned(),
        within: Duration::from_secs(60),
    }
}

async fn pull(manager: &Manager, wanted: &Prepull, auth: Option<&RegistryAuth>) -> Prepulled {
    let done = run(manager, wanted, auth, &CancellationToken::new(), &|_, _| {}).await;
    let done = done.unwrap();
    assert!(done.left.is_none(), "{done:?}");
    done
}

/// No service of the stack is left, and soon no task of its image either.
async fn nothing_is_left(manager: &Manager, wanted: &Prepull) {
    let left = manager
        .services_labelled(LABEL, &wanted.stack)
        .await
        .unwrap();
    assert!(left.is_empty(), "{left:?}");
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let tasks = manager.all_tasks().await.unwrap();
        let image = wanted.image.to_string();
        if tasks.iter().all(|task| task.image != image) {
            return;
        }
        assert!(Instant::now() < end, "a task is left");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Every task of an image that is ever seen, by its node, until it is stopped.
async fn tasks_seen(
    manager: Manager,
    image: String,
    stop: CancellationToken,
) -> BTreeMap<NodeId, BTreeSet<TaskId>> {
    let mut seen: BTreeMap<NodeId, BTreeSet<TaskId>> = BTreeMap::new();
    while !stop.is_cancelled() {
        for task in manager.all_tasks().await.unwrap() {
            if let Some(node) = task.node_id.filter(|_| task.image == image) {
                seen.entry(node).or_default().insert(task.id);
            }
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    seen
}

async fn has(node: u32, built: &Built) -> bool {
    let engine = engine(&socket(node)).await;
    let repositories = [built.repository.clone()];
    let images = engine.images(&repositories).await.unwrap();
    images
        .iter()
        .any(|it| it.is(&built.repository, &built.digest))
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn each_node_pulls_with_exactly_one_task_and_nothing_is_left() {
    let manager = manager().await;
    let built = build("enginecrate/prepull", "ab11", &[]);
    let _swept = [1, 2, 3].map(|node| Swept::new(node, &built.repository));
    let members = members(&manager).await;
    let wanted = wanted("all", &built.reference(), members.values().cloned());
    let stop = CancellationToken::new();
    let image = wanted.image.to_string();
    let seen = tokio::spawn(tasks_seen(manager.clone(), image, stop.clone()));

    let told = Mutex::new(Vec::new());
    let tell = |node: &NodeId, progress| told.lock().unwrap().push((node.clone(), progress));
    let cancel = CancellationToken::new();
    let done = run(&manager, &wanted, None, &cancel, &tell).await.unwrap();
    assert!(done.left.is_none(), "{done:?}");
    nothing_is_left(&manager, &wanted).await;
    // Long enough for a task that would be started again.
    tokio::time::sleep(Duration::from_secs(3)).await;
    stop.cancel();

    let seen = seen.await.unwrap();
    let told = told.into_inner().unwrap();
    for (number, id) in &members {
        assert_eq!(done.outcomes[id], Outcome::Pulled);
        assert!(has(*number, &built).await, "node {number}");
        assert_eq!(seen[id].len(), 1, "{seen:?}");
        let ends = (id.clone(), Progress::Done(Outcome::Pulled));
        assert_eq!(told.iter().filter(|it| **it == ends).count(), 1, "{told:?}");
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn only_the_nodes_that_are_named_pull() {
    let manager = manager().await;
    let built = build("enginecrate/some", "ab22", &[]);
    let _swept = [1, 2, 3].map(|node| Swept::new(node, &built.repository));
    let members = members(&manager).await;
    let one = wanted("some", &built.reference(), [members[&3].clone()]);
    pull(&manager, &one, None).await;
    assert!(has(3, &built).await && !has(1, &built).await && !has(2, &built).await);
    let two = [members[&2].clone(), members[&3].clone()];
    let two = wanted("some", &built.reference(), two);
    let done = pull(&manager, &two, None).await;
    assert_eq!(done.outcomes.len(), 2);
    assert!(has(2, &built).await && !has(1, &built).await);
    nothing_is_left(&manager, &two).await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn what_cannot_be_pulled_is_told_for_each_node() {
    let manager = manager().await;
    let members = members(&manager).await;
    let digest = format!("sha256:{}", "0".repeat(64));
    let missing = format!("{ANONYMOUS}/enginecrate/missing:16@{digest}");
    let missing = wanted("missing", &missing, members.values().cloned());
    let done = pull(&manager, &missing, None).await;
    assert_eq!(done.outcomes.len(), 3);
    for (node, outcome) in &done.outcomes {
        let Outcome::Rejected(failure) = outcome else {
            panic!("{node}: {outcome:?}");
        };
        assert_eq!(failure.kind, PullFailureKind::Untold, "{failure}");
        assert!(failure.message.starts_with("No such image: "), "{failure}");
    }
    nothing_is_left(&manager, &missing).await;

    let built = build("enginecrate/platform", "ab33", &[]);
    let elsewhere = Prepull {
        platforms: vec![Platform {
            os: "linux".to_owned(),
            architecture: "s390x".to_owned(),
            variant: None,
        }],
        ..wanted("platform", &built.reference(), [members[&2].clone()])
    };
    let done = pull(&manager, &elsewhere, None).await;
    let Outcome::Unschedulable(why) = &done.outcomes[&members[&2]] else {
        panic!("{done:?}");
    };
    assert_eq!(why, "unsupported platform on 1 node");
    nothing_is_left(&manager, &elsewhere).await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_private_image_needs_its_credential() {
    let manager = manager().await;
    let built = build_in(PRIVATE, "enginecrate/hidden", "ab44", &[]);
    let _swept = [1, 2, 3].map(|node| Swept::new(node, &built.repository));
    let members = members(&manager).await;
    let wanted = wanted("hidden", &built.reference(), members.values().cloned());
    let done = pull(&manager, &wanted, None).await;
    let mut ends = done.outcomes.values();
    assert!(
        ends.all(|it| matches!(it, Outcome::Rejected(_))),
        "{done:?}"
    );

    let json = serde_json::json!({
        "username": "robot", "password": password("robot"), "serveraddress": PRIVATE,
    });
    let auth = RegistryAuth::encoded(&BASE64_URL_SAFE.encode(json.to_string()).into()).unwrap();
    let done = pull(&manager, &wanted, Some(&auth)).await;
    let mut ends = done.outcomes.values();
    assert!(ends.all(|it| *it == Outcome::Pulled), "{done:?}");
    nothing_is_left(&manager, &wanted).await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn whoever_stops_in_the_middle_leaves_nothing() {
    let manager = manager().await;
    let members = members(&manager).await;
    let digest = format!("sha256:{}", "0".repeat(64));
    // Nobody is at this address: the pull hangs until the network gives up.
    let hanging = format!("10.77.0.99:5000/enginecrate/hangs:16@{digest}");
    let hanging = wanted("hangs", &hanging, members.values().cloned());
    let cancel = CancellationToken::new();
    let tell = |_: &NodeId, progress| {
        if progress == Progress::Pulling {
            cancel.cancel();
        }
    };
    let done = run(&manager, &hanging, None, &cancel, &tell).await.unwrap();
    assert!(done.left.is_none(), "{done:?}");
    assert_eq!(done.outcomes.len(), 3);
    let mut ends = done.outcomes.values();
    assert!(ends.all(|it| *it == Outcome::Interrupted), "{done:?}");
    nothing_is_left(&manager, &hanging).await;

    let slow = Prepull {
        within: Duration::from_secs(1),
        ..hanging
    };
    let done = pull(&manager, &slow, None).await;
    let mut ends = done.outcomes.values();
    assert!(
        ends.all(|it| matches!(it, Outcome::TimedOut { seconds: 1, .. })),
        "{done:?}"
    );
    nothing_is_left(&manager, &slow).await;
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn what_a_killed_run_left_is_cleared_away() {
    let manager = manager().await;
    let built = build("enginecrate/killed", "ab55", &[]);
    let _swept = Swept::new(2, &built.repository);
    let members = members(&manager).await;
    let wanted = wanted("killed", &built.reference(), [members[&2].clone()]);
    let label = format!("{LABEL}={}", wanted.stack);
    let create = |name: &str, more: &[&str]| {
        let own = [
            "service",
            "create",
            "--detach",
            "--name",
            name,
            "--no-resolve-image",
        ];
        let nowhere = ["--constraint", "node.id==nowhere"];
        let image = built.reference();
        docker(1, &[&own[..], &nowhere, more, &[&image]].concat()).unwrap();
    };
    let name = wanted.service_name();
    create(&name, &["--label", &label]);
    let done = pull(&manager, &wanted, None).await;
    assert_eq!(done.outcomes[&members[&2]], Outcome::Pulled);
    nothing_is_left(&manager, &wanted).await;

    // One with another name is not in the way, and is swept.
    create("enginecrate-leftover", &["--label", &label]);
    create(
        "enginecrate-others",
        &["--label", &format!("{LABEL}=enginecrate-x")],
    );
    let swept = sweep(&manager, &wanted.stack).await.unwrap();
    assert_eq!(swept, ["enginecrate-leftover"]);
    let swept = sweep(&manager, "enginecrate-x").await.unwrap();
    assert_eq!(swept, ["enginecrate-others"], "another stack's was kept");
    nothing_is_left(&manager, &wanted).await;

    // A name that is somebody else's is left alone.
    create(&name, &[]);
    let cancel = CancellationToken::new();
    let error = run(&manager, &wanted, None, &cancel, &|_, _| {}).await;
    let is_there = docker(1, &["service", "rm", &name]).is_some();
    let error = error.unwrap_err();
    assert!(matches!(error, PrepullError::NameTaken { .. }), "{error:?}");
    assert!(is_there, "it was removed");
}
