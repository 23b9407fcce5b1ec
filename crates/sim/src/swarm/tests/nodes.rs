//! Nodes that are paused, drained, lost and found again.

use serde_json::json;

use super::ground::{GOOD, Ground, NEXT};

fn set(ground: &mut Ground, hostname: &str, availability: &str) {
    let node = ground.cluster.node(hostname).unwrap();
    let mut spec = node["Spec"].clone();
    spec["Availability"] = json!(availability);
    let version = node["Version"]["Index"].as_u64().unwrap();
    ground
        .cluster
        .update_node(ground.now, hostname, version, spec)
        .unwrap();
}

fn on(ground: &Ground, hostname: &str) -> usize {
    let id = ground.cluster.node(hostname).unwrap()["ID"].clone();
    let tasks = ground.tasks();
    let here = tasks.iter().filter(|task| {
        task["NodeID"] == id
            && task["Status"]["State"] == "running"
            && task["DesiredState"] == "running"
    });
    here.count()
}

#[test]
fn a_drained_node_is_left_and_does_not_win_its_tasks_back() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({}));
    assert_eq!(on(&ground, "n2"), 1);
    set(&mut ground, "n2", "drain");
    ground.pass(10.0);
    assert_eq!((on(&ground, "n2"), ground.running().as_str()), (0, "aaa"));
    set(&mut ground, "n2", "active");
    ground.pass(10.0);
    assert_eq!((on(&ground, "n2"), ground.running().as_str()), (0, "aaa"));
}

#[test]
fn a_global_service_follows_the_nodes() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({"Mode": {"Replicated": null, "Global": {}}}));
    assert_eq!(ground.running(), "aaa");
    set(&mut ground, "n3", "drain");
    ground.pass(10.0);
    assert_eq!(ground.running(), "aa");
    set(&mut ground, "n3", "active");
    ground.pass(10.0);
    assert_eq!(ground.running(), "aaa");
}

#[test]
fn a_global_services_task_on_a_paused_node_is_left_alone() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({"Mode": {"Replicated": null, "Global": {}}}));
    set(&mut ground, "n2", "pause");
    ground.roll_to(NEXT);
    ground.until_state("completed");
    assert_eq!(ground.running(), "abb");
}

#[test]
fn what_dies_on_a_paused_node_is_followed_when_it_takes_tasks_again() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({"Mode": {"Replicated": null, "Global": {}}}));
    set(&mut ground, "n2", "pause");
    let id = ground.cluster.node("n2").unwrap()["ID"].clone();
    let tasks = ground.tasks();
    let task = tasks.iter().find(|task| task["NodeID"] == id).unwrap();
    let task = task["ID"].as_str().unwrap();
    ground.cluster.kill_task(ground.now, task, 137);
    ground.pass(30.0);
    assert_eq!((ground.running().as_str(), ground.tasks().len()), ("aa", 3));
    set(&mut ground, "n2", "active");
    ground.pass(10.0);
    assert_eq!(ground.running(), "aaa");
}

#[test]
fn a_lost_node_is_noticed_and_its_tasks_are_run_elsewhere() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({}));
    ground.cluster.lose_node(ground.now, "n3");
    ground.pass(10.0);
    assert_eq!(
        ground.cluster.node("n3").unwrap()["Status"]["State"],
        "ready"
    );
    ground.pass(20.0);
    assert_eq!(
        ground.cluster.node("n3").unwrap()["Status"]["State"],
        "down"
    );
    assert_eq!(ground.running(), "aaa");
    // Its last word stands.
    let left = ground
        .tasks()
        .into_iter()
        .filter(|task| task["DesiredState"] == "shutdown" && task["Status"]["State"] == "running");
    assert_eq!(left.count(), 1);
    ground.cluster.return_node(ground.now, "n3");
    ground.pass(10.0);
    assert_eq!(
        ground.cluster.node("n3").unwrap()["Status"]["State"],
        "ready"
    );
    assert!(ground.tasks().iter().all(|task| {
        task["DesiredState"] != "shutdown" || task["Status"]["State"] != "running"
    }));
    assert_eq!(ground.running(), "aaa");
}

#[test]
fn where_a_task_may_run_is_asked_in_turn() {
    let table = [
        (json!({"Constraints": ["node.hostname==n2"]}), None),
        (json!({"Constraints": ["node.role!=manager"]}), None),
        (json!({"Constraints": ["node.labels.disk==d3"]}), None),
        (
            json!({"Platforms": [{"OS": "linux", "Architecture": "arm64"}]}),
            Some("unsupported platform on 3 nodes"),
        ),
        (
            json!({"Constraints": ["node.role==worker"], "Platforms": [{"OS": "windows"}]}),
            Some("unsupported platform on 2 nodes; scheduling constraints not satisfied on 1 node"),
        ),
    ];
    for (placement, why) in table {
        let mut ground = Ground::new();
        let more = json!({"Mode": {"Replicated": {"Replicas": 1}}, "TaskTemplate": {"Placement": placement}});
        let spec = super::ground::spec(GOOD, &more);
        ground
            .cluster
            .create_service(ground.now, spec, None)
            .unwrap();
        ground.pass(5.0);
        match why {
            None => assert_eq!(ground.running(), "a", "{placement}"),
            Some(why) => {
                let err = ground.tasks()[0]["Status"]["Err"].clone();
                assert_eq!(err, format!("no suitable node ({why})"), "{placement}");
            }
        }
    }
}

#[test]
fn resources_and_replicas_of_a_node_are_bounded() {
    for (more, why) in [
        (
            json!({"Resources": {"Reservations": {"MemoryBytes": 10_u64 << 30}}}),
            "insufficient resources on 3 nodes",
        ),
        (
            json!({"Placement": {"MaxReplicas": 1}}),
            "max replicas per node limit exceed",
        ),
    ] {
        let mut ground = Ground::new();
        let more = json!({"Mode": {"Replicated": {"Replicas": 4}}, "TaskTemplate": more});
        let spec = super::ground::spec(GOOD, &more);
        ground
            .cluster
            .create_service(ground.now, spec, None)
            .unwrap();
        ground.pass(5.0);
        assert_eq!(ground.running(), "aaa");
        let waiting = ground
            .tasks()
            .into_iter()
            .find(|task| task["Status"]["State"] == "pending");
        assert_eq!(
            waiting.unwrap()["Status"]["Err"],
            format!("no suitable node ({why})")
        );
    }
}

#[test]
fn without_a_leader_nothing_is_answered_and_the_rollout_goes_on_later() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({}));
    ground.roll_to(NEXT);
    ground.until_state("updating");
    ground.cluster.fail_over(ground.now);
    ground.pass(1.0);
    assert!(
        ground
            .cluster
            .available()
            .unwrap_err()
            .message
            .contains("does not have a leader")
    );
    ground.pass(3.0);
    ground.cluster.available().unwrap();
    ground.until_state("completed");
    assert_eq!(ground.running(), "bbb");
}

#[test]
fn a_node_that_is_there_is_not_removed() {
    let mut ground = Ground::new();
    let refused = ground
        .cluster
        .remove_node(ground.now, "n3", false)
        .unwrap_err();
    assert!(
        refused
            .message
            .ends_with("is not down and can't be removed"),
        "{refused}"
    );
    ground.cluster.remove_node(ground.now, "n3", true).unwrap();
    assert_eq!(ground.cluster.nodes().len(), 2);
}
