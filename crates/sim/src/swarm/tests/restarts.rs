//! Tasks that end, and what follows.

use serde_json::json;

use super::ground::{ABSENT, DYING, GOOD, Ground, spec};

fn created(condition: &str, attempts: u64) -> Ground {
    let mut ground = Ground::new();
    let policy = json!({"Condition": condition, "MaxAttempts": attempts, "Delay": 1_000_000_000});
    let more =
        json!({"Mode": {"Replicated": {"Replicas": 1}}, "TaskTemplate": {"RestartPolicy": policy}});
    ground
        .cluster
        .create_service(ground.now, spec(DYING, &more), None)
        .unwrap();
    ground
}

#[test]
fn a_failed_task_is_followed_by_another_as_the_policy_says() {
    for (condition, attempts, tasks) in [("none", 0, 1), ("on-failure", 2, 3), ("any", 3, 4)] {
        let mut ground = created(condition, attempts);
        ground.pass(120.0);
        assert_eq!(ground.tasks().len(), tasks, "{condition} {attempts}");
        assert_eq!(ground.running(), "");
    }
}

#[test]
fn restarts_go_on_for_ever_and_five_tasks_a_place_are_kept() {
    let mut ground = created("any", 0);
    ground.pass(120.0);
    assert!(ground.tasks().len() <= 6, "{}", ground.tasks().len());
    let events = ground.cluster.node_events("n1").len()
        + ground.cluster.node_events("n2").len()
        + ground.cluster.node_events("n3").len();
    assert!(events > 60, "{events}");
}

/// The task that follows is prepared while it is held back, and must not be
/// followed at once when that fails.
#[test]
fn an_image_that_is_nowhere_is_asked_for_once_a_delay() {
    let mut ground = Ground::new();
    let policy = json!({"Delay": 1_000_000_000});
    let more =
        json!({"Mode": {"Replicated": {"Replicas": 1}}, "TaskTemplate": {"RestartPolicy": policy}});
    ground
        .cluster
        .create_service(ground.now, spec(ABSENT, &more), None)
        .unwrap();
    ground.pass(60.0);
    let asked = ground.registry.asked.lock().unwrap().len();
    assert!((50..=62).contains(&asked), "{asked}");
}

#[test]
fn a_killed_container_is_replaced_after_its_delay() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({"Mode": {"Replicated": {"Replicas": 1}}}));
    let task = ground.tasks()[0]["ID"].as_str().unwrap().to_owned();
    ground.cluster.kill_task(ground.now, &task, 137);
    ground.pass(0.5);
    assert_eq!(ground.running(), "");
    ground.pass(3.0);
    assert_eq!(ground.running(), "a");
    let dead = ground.cluster.task(&task).unwrap();
    assert_eq!(dead["Status"]["Err"], "task: non-zero exit (137)");
    assert_eq!(dead["DesiredState"], "shutdown");
}

/// Facts on Swarm: hundreds of tasks a minute, whatever the condition says.
#[test]
fn a_failing_global_job_is_a_storm() {
    let mut ground = Ground::new();
    let more = json!({
        "Mode": {"Replicated": null, "GlobalJob": {}},
        "TaskTemplate": {"RestartPolicy": {"Condition": "none"}},
    });
    ground
        .cluster
        .create_service(ground.now, spec(DYING, &more), None)
        .unwrap();
    ground.pass(60.0);
    let creates = ["n1", "n2", "n3"].map(|node| {
        let events = ground.cluster.node_events(node).iter();
        events.filter(|event| event["Action"] == "create").count()
    });
    assert!(creates.iter().sum::<usize>() > 300, "{creates:?}");
}
