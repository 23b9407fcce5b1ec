//! What nodes pull, and what they say when they cannot.

use serde_json::json;

use super::ground::{ABSENT, GOOD, Ground, NEXT};
use crate::PullError;

#[test]
fn what_a_digest_names_is_asked_for_once_a_node() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({"Mode": {"Replicated": {"Replicas": 6}}}));
    assert_eq!(ground.registry.asked.lock().unwrap().len(), 3);
    ground.change(|spec| spec["TaskTemplate"]["ForceUpdate"] = json!(1));
    ground.until_state("completed");
    assert_eq!(ground.registry.asked.lock().unwrap().len(), 3);
}

#[test]
fn a_tag_is_asked_for_each_time_and_falls_back_to_what_is_there() {
    let mut ground = Ground::new();
    ground.create(
        "reg.test/db:16",
        &json!({"Mode": {"Replicated": {"Replicas": 1}}}),
    );
    let before = ground.registry.asked.lock().unwrap().len();
    *ground.registry.refuses.lock().unwrap() = Some(PullError::Failed("503".to_owned()));
    let node = ground.tasks()[0]["NodeID"].as_str().unwrap().to_owned();
    ground.change(|spec| {
        spec["TaskTemplate"]["ForceUpdate"] = json!(1);
        spec["TaskTemplate"]["Placement"] = json!({"Constraints": [format!("node.id=={node}")]});
    });
    ground.pass(20.0);
    assert!(ground.registry.asked.lock().unwrap().len() > before);
    assert_eq!(ground.running().len(), 1);
}

#[test]
fn the_words_of_a_failed_pull_depend_on_the_engine() {
    let denied = PullError::Denied("pull access denied for reg.test/db, repository does not exist or may require 'docker login': denied".to_owned());
    for (engine, words) in [
        ("20.10.24", format!("No such image: {NEXT}")),
        ("29.5.0", format!("No such image: {NEXT}")),
        ("29.7.0", denied.to_string()),
    ] {
        let mut ground = Ground::of(engine);
        ground.create(GOOD, &json!({}));
        *ground.registry.refuses.lock().unwrap() = Some(denied.clone());
        ground.roll_to(NEXT);
        ground.until_state("paused");
        let rejected = ground
            .tasks()
            .into_iter()
            .find(|task| task["Status"]["State"] == "rejected")
            .unwrap();
        assert_eq!(rejected["Status"]["Err"], words, "{engine}");
    }
}

/// Facts on Swarm: 29.6 alone asks first.
#[test]
fn engine_29_6_rejects_what_it_has_when_the_registry_refuses() {
    for (engine, state) in [("29.6.1", "paused"), ("29.7.0", "completed")] {
        let mut ground = Ground::of(engine);
        ground.create(GOOD, &json!({}));
        *ground.registry.refuses.lock().unwrap() = Some(PullError::Denied("denied".to_owned()));
        ground.change(|spec| spec["TaskTemplate"]["ForceUpdate"] = json!(1));
        ground.until_state(state);
    }
}

#[test]
fn a_full_disk_takes_no_image() {
    let mut ground = Ground::of("29.7.0");
    ground.create(GOOD, &json!({}));
    for node in ["n1", "n2", "n3"] {
        ground.cluster.fill_disk(node, 1 << 20);
        assert_eq!(ground.cluster.free_bytes(node), 1 << 20);
    }
    ground.roll_to(NEXT);
    ground.until_state("paused");
    let rejected = ground
        .tasks()
        .into_iter()
        .find(|task| task["Status"]["State"] == "rejected")
        .unwrap();
    assert!(
        rejected["Status"]["Err"]
            .as_str()
            .unwrap()
            .contains("no space left on device")
    );
}

#[test]
fn a_pull_by_hand_takes_its_time_and_leaves_the_image() {
    let mut ground = Ground::new();
    let ticket = ground
        .cluster
        .begin_pull(ground.now, "n2", NEXT, None)
        .unwrap();
    assert_eq!(ticket.total_bytes, 10 << 20);
    assert!(ground.cluster.pull_outcome("n2", NEXT).is_err());
    ground.pass(1.0);
    ground.cluster.pull_outcome("n2", NEXT).unwrap();
    let image = ground.cluster.node_image("n2", NEXT).unwrap();
    assert_eq!(image["RepoDigests"][0], NEXT.replace(":16@", "@"));
    assert_eq!(
        ground
            .cluster
            .begin_pull(ground.now, "n2", NEXT, None)
            .unwrap()
            .total_bytes,
        0
    );
    let refused = ground
        .cluster
        .begin_pull(ground.now, "n2", ABSENT, None)
        .unwrap_err();
    assert_eq!(refused.status, 404);
}

#[test]
fn a_slow_line_makes_the_next_pull_long() {
    let mut ground = Ground::new();
    ground.cluster.set_bandwidth("n2", 1 << 20);
    for (node, seconds) in [("n2", 10), ("n3", 0)] {
        let ticket = ground.cluster.begin_pull(ground.now, node, NEXT, None);
        let takes = ticket.unwrap().done_at.duration_since(ground.now);
        assert_eq!(takes.as_secs(), seconds, "{node}");
    }
}

/// The incident of the mission: a prune takes what no container is made of,
/// and what has only a digest even without being asked for all.
#[test]
fn a_prune_takes_what_no_container_uses() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({}));
    ground.roll_to(NEXT);
    ground.until_state("completed");
    let (gone, bytes) = ground.cluster.prune_images(ground.now, "n1", false);
    assert!(gone.is_empty() && bytes == 0);
    // The container that was stopped uses its image still.
    let (gone, bytes) = ground.cluster.prune_images(ground.now, "n1", true);
    assert!(gone.is_empty() && bytes == 0);
    let gone = ground.cluster.prune_containers(ground.now, "n1", |_| true);
    assert_eq!(gone.len(), 1);
    let (gone, bytes) = ground.cluster.prune_images(ground.now, "n1", false);
    assert_eq!(bytes, 30 << 20);
    assert!(gone.iter().any(|it| it["Deleted"].is_string()));
    ground.cluster.node_image("n1", NEXT).unwrap();
    assert!(ground.cluster.node_image("n1", GOOD).is_err());
    let refused = ground
        .cluster
        .remove_image(ground.now, "n1", NEXT, false)
        .unwrap_err();
    assert_eq!(refused.status, 409);
}

/// An image with these names, on the first node, of which one is removed.
fn removed(names: &[&str], reference: &str) -> (Vec<String>, bool) {
    let digest = GOOD.split_once('@').unwrap().1;
    let mut ground = Ground::new();
    ground
        .cluster
        .begin_pull(ground.now, "n1", GOOD, None)
        .unwrap();
    ground.pass(5.0);
    let node = ground.cluster.hostnames["n1"].clone();
    let store = &mut ground.cluster.nodes.get_mut(&node).unwrap().store;
    let stored = store.images.values_mut().next().unwrap();
    stored.digests.clear();
    for name in names {
        match name.strip_suffix('@') {
            Some(repository) => stored.digests.insert(format!("{repository}@{digest}")),
            None => stored.tags.insert((*name).to_owned()),
        };
    }
    let reference = match reference.strip_suffix('@') {
        Some(repository) => format!("{repository}@{digest}"),
        None => reference.to_owned(),
    };
    let told = ground
        .cluster
        .remove_image(ground.now, "n1", &reference, false);
    let told = told.unwrap();
    let deleted = told.iter().any(|it| it["Deleted"].is_string());
    let untagged = told.iter().filter_map(|it| it["Untagged"].as_str());
    let untagged = untagged.map(|name| name.replace(digest, ""));
    (untagged.collect(), deleted)
}

/// moby `daemon/images/image_delete.go`.
#[test]
fn names_go_and_with_the_last_one_the_image() {
    let table: [(&[&str], &str, &[&str], bool); 7] = [
        (&["a/db@"], "a/db@", &["a/db@"], true),
        (&["a/db@", "b/db@"], "a/db@", &["a/db@"], false),
        (&["a/db:1", "a/db@"], "a/db@", &["a/db@"], false),
        // With the last tag of a repository go its digests.
        (&["a/db:1", "a/db@"], "a/db:1", &["a/db:1", "a/db@"], true),
        (&["a/db:1", "a/db:2", "a/db@"], "a/db:1", &["a/db:1"], false),
        (
            &["a/db:1", "a/db@", "b/db@"],
            "a/db:1",
            &["a/db:1", "a/db@"],
            false,
        ),
        (&["a/db:1", "b/db:1", "b/db@"], "a/db:1", &["a/db:1"], false),
    ];
    for (names, reference, untagged, deleted) in table {
        let (told, went) = removed(names, reference);
        let untagged: Vec<String> = untagged.iter().map(|it| (*it).to_owned()).collect();
        assert_eq!((told, went), (untagged, deleted), "{names:?}");
    }
}

/// Facts on Swarm, pre-pulling through a manager alone.
#[test]
fn a_global_service_without_an_entrypoint_pulls_once_a_node() {
    let mut ground = Ground::new();
    let container = json!({"Image": NEXT, "Command": ["/imgstack-prepull"]});
    let more = json!({
        "Mode": {"Replicated": null, "Global": {}},
        "TaskTemplate": {"ContainerSpec": container, "RestartPolicy": {"Condition": "none"}},
    });
    ground
        .cluster
        .create_service(ground.now, super::ground::spec(NEXT, &more), None)
        .unwrap();
    ground.pass(60.0);
    let tasks = ground.tasks();
    assert_eq!(tasks.len(), 3);
    for task in tasks {
        assert_eq!(task["Status"]["State"], "failed");
        assert!(
            task["Status"]["Err"]
                .as_str()
                .unwrap()
                .starts_with("starting container failed")
        );
    }
    for node in ["n1", "n2", "n3"] {
        ground.cluster.node_image(node, NEXT).unwrap();
    }
}
