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

/// The incident of the mission: a prune takes what no container uses, and what
/// has only a digest is not dangling.
#[test]
fn a_prune_takes_what_no_container_uses() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({}));
    ground.roll_to(NEXT);
    ground.until_state("completed");
    let (gone, bytes) = ground.cluster.prune_images(ground.now, "n1", false);
    assert!(gone.is_empty() && bytes == 0);
    let (gone, bytes) = ground.cluster.prune_images(ground.now, "n1", true);
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
