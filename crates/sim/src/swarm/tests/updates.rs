//! Every way in which an update goes.

use serde_json::json;

use super::ground::{ABSENT, DYING, GOOD, Ground, NEXT, SICK, spec, state};
use crate::swarm::ServiceUpdate;

#[test]
fn an_update_replaces_one_after_another_and_is_watched() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({}));
    assert_eq!(
        (ground.running().as_str(), ground.state().as_str()),
        ("aaa", "none")
    );
    ground.roll_to(NEXT);
    ground.until_state("updating");
    let mut seen = vec![ground.running()];
    while ground.running() != "bbb" {
        ground.pass(0.01);
        if seen.last() != Some(&ground.running()) {
            seen.push(ground.running());
        }
    }
    // Stop-first, and the next is stopped the moment that one runs.
    assert_eq!(seen, ["aa", "ab", "bb", "bbb"]);
    let watched = ground.until_state("completed");
    assert!((1.98..2.03).contains(&watched), "{watched}");
    let service = ground.cluster.service("db").unwrap();
    assert_eq!(service["UpdateStatus"]["Message"], "update completed");
    assert_eq!(
        service["PreviousSpec"]["TaskTemplate"]["ContainerSpec"]["Image"],
        GOOD
    );
    assert_eq!(ground.told(), ["updating", "completed"]);
}

#[test]
fn start_first_keeps_the_old_one_until_the_new_one_runs() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({"UpdateConfig": {"Order": "start-first"}}));
    ground.roll_to(NEXT);
    let mut least = 3;
    while ground.state() != "completed" {
        ground.pass(0.01);
        least = least.min(ground.running().len());
    }
    assert_eq!((least, ground.running().as_str()), (3, "bbb"));
}

/// The old task still runs when the new one fails, and one more follows the
/// failed one.
#[test]
fn after_a_start_first_update_that_failed_no_place_has_two_tasks() {
    for mode in [
        json!({"Replicated": null, "Global": {}}),
        json!({"Replicated": {"Replicas": 3}}),
    ] {
        let mut ground = Ground::new();
        let config = json!({"Order": "start-first", "FailureAction": "rollback"});
        ground.create(GOOD, &json!({"UpdateConfig": config, "Mode": mode}));
        assert_eq!(ground.running(), "aaa", "{mode}");
        ground.roll_to(DYING);
        ground.until_state("rollback_completed");
        ground.pass(60.0);
        assert_eq!(ground.running(), "aaa", "{mode}");
    }
}

#[test]
fn an_update_that_was_done_when_the_leader_went_is_completed_by_the_next() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({}));
    ground.roll_to(NEXT);
    ground.until("all tasks", |cluster| {
        let tasks = cluster.tasks();
        let new = tasks.iter().filter(|task| {
            task["Spec"]["ContainerSpec"]["Image"] == NEXT && task["Status"]["State"] == "running"
        });
        new.count() == 3
    });
    assert_eq!(ground.state(), "updating");
    ground.cluster.fail_over(ground.now);
    ground.pass(10.0);
    assert_eq!(ground.state(), "completed");
}

/// The updater waits for a task that another has long replaced, and goes on
/// once it is heard of.
#[test]
fn a_node_that_goes_in_the_middle_of_an_update_holds_it_up_until_it_is_back() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({"UpdateConfig": {"Parallelism": 0}}));
    ground.roll_to(NEXT);
    ground.pass(0.1);
    ground.cluster.lose_node(ground.now, "n3");
    ground.pass(60.0);
    assert_eq!(
        (ground.state().as_str(), ground.running().as_str()),
        ("updating", "bbb")
    );
    ground.cluster.return_node(ground.now, "n3");
    ground.pass(20.0);
    assert_eq!(
        (ground.state().as_str(), ground.running().as_str()),
        ("completed", "bbb")
    );
}

#[test]
fn parallelism_and_delay_set_the_pace() {
    let table = [
        (json!({"Parallelism": 0}), 3, 0.0),
        (json!({"Parallelism": 2}), 2, 0.0),
        (
            json!({"Parallelism": 1, "Delay": 4_000_000_000_u64}),
            1,
            8.0,
        ),
    ];
    for (config, at_once, least) in table {
        let mut ground = Ground::new();
        ground.create(GOOD, &json!({"UpdateConfig": config}));
        ground.roll_to(NEXT);
        let mut away = 0;
        let start = ground.now;
        while ground.running() != "bbb" {
            ground.pass(0.01);
            away = away.max(3 - ground.running().len());
        }
        let took = ground.now.duration_since(start).as_secs_f64();
        assert_eq!(away, at_once, "{config}");
        assert!(took >= least && took < least + 3.0, "{config}: {took}");
        ground.until_state("completed");
    }
}

#[test]
fn a_dying_build_pauses_rolls_back_or_goes_on_as_the_service_says() {
    let table = [
        ("pause", vec!["updating", "paused"]),
        (
            "rollback",
            vec!["updating", "rollback_started", "rollback_completed"],
        ),
        ("continue", vec!["updating", "completed"]),
    ];
    for (action, told) in table {
        let mut ground = Ground::new();
        let config = json!({"FailureAction": action, "Delay": 3_000_000_000_u64});
        ground.create(GOOD, &json!({"UpdateConfig": config}));
        ground.roll_to(DYING);
        ground.until_state(told.last().unwrap());
        assert_eq!(ground.told(), told, "{action}");
        let service = ground.cluster.service("db").unwrap();
        let image = service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"].clone();
        match action {
            "rollback" => {
                assert_eq!(image, GOOD);
                assert!(service.get("PreviousSpec").is_none());
                ground.until("the old build", |cluster| {
                    let tasks = cluster.tasks();
                    let good = tasks.iter().filter(|task| {
                        task["Status"]["State"] == "running" && task["DesiredState"] == "running"
                    });
                    good.count() == 3
                });
                assert_eq!(ground.running(), "aaa");
            }
            "pause" => {
                assert_eq!(image, DYING);
                assert_eq!(ground.running(), "aa");
                let message = service["UpdateStatus"]["Message"].as_str().unwrap();
                let words = "update paused due to failure or early termination of task ";
                assert!(message.starts_with(words), "{message}");
                // It stays so: nobody goes on.
                ground.pass(60.0);
                assert!(ground.running().starts_with("aa"));
            }
            _ => assert_eq!(image, DYING),
        }
        let failed = ground
            .tasks()
            .into_iter()
            .find(|task| task["Status"]["State"] == "failed");
        let failed = failed.unwrap();
        assert_eq!(failed["Status"]["Err"], "task: non-zero exit (1)");
        assert_eq!(failed["Status"]["ContainerStatus"]["ExitCode"], 1);
        let logs = ground.cluster.logs(failed["ID"].as_str().unwrap());
        assert_eq!((logs[0].text.as_str(), logs[0].stderr), ("FATAL", true));
    }
}

#[test]
fn a_failure_ratio_forgives_some() {
    let mut ground = Ground::new();
    let config = json!({"FailureAction": "pause", "MaxFailureRatio": 1.0});
    ground.create(GOOD, &json!({"UpdateConfig": config}));
    ground.roll_to(DYING);
    ground.until_state("completed");
}

#[test]
fn an_unhealthy_container_never_runs() {
    let mut ground = Ground::new();
    ground.create(
        GOOD,
        &json!({"UpdateConfig": {"FailureAction": "rollback"}}),
    );
    ground.roll_to(SICK);
    ground.until_state("rollback_completed");
    let sick = ground
        .tasks()
        .into_iter()
        .find(|task| task["Status"]["State"] == "failed")
        .unwrap();
    assert_eq!(
        sick["Status"]["Err"],
        "task: non-zero exit (137): dockerexec: unhealthy container"
    );
}

#[test]
fn a_roll_back_that_fails_is_paused() {
    let mut ground = Ground::new();
    ground.create(
        GOOD,
        &json!({"UpdateConfig": {"FailureAction": "rollback", "Delay": 3_000_000_000_u64}}),
    );
    ground.roll_to(DYING);
    // What it would go back to has been taken away meanwhile.
    *ground.registry.refuses.lock().unwrap() = Some(crate::PullError::Failed("503".to_owned()));
    for node in ["n1", "n2", "n3"] {
        ground
            .cluster
            .remove_image(ground.now, node, GOOD, true)
            .ok();
    }
    ground.until("an end", |cluster| {
        state(cluster).ends_with("paused") || state(cluster) == "rollback_completed"
    });
    assert!(
        ground.told().contains(&"rollback_started".to_owned()),
        "{:?}",
        ground.told()
    );
}

#[test]
fn without_a_node_the_updater_waits_for_ever() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({}));
    ground.change(|spec| {
        spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(NEXT);
        spec["TaskTemplate"]["Placement"] = json!({"Constraints": ["node.labels.disk==none"]});
    });
    ground.pass(3600.0);
    assert_eq!(ground.state(), "updating");
    let waiting = ground
        .tasks()
        .into_iter()
        .find(|task| task["Status"]["State"] == "pending")
        .unwrap();
    assert_eq!(
        waiting["Status"]["Err"],
        "no suitable node (scheduling constraints not satisfied on 3 nodes)"
    );
}

#[test]
fn the_updaters_own_writes_make_an_update_come_too_late() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({}));
    ground.roll_to(NEXT);
    let read = ground.cluster.service("db").unwrap();
    ground.until_state("updating");
    let late = ServiceUpdate {
        version: read["Version"]["Index"].as_u64().unwrap(),
        spec: read["Spec"].clone(),
        ..ServiceUpdate::default()
    };
    let refused = ground
        .cluster
        .update_service(ground.now, "db", late)
        .unwrap_err();
    assert_eq!(refused.status, 500);
    assert!(
        refused.message.ends_with("update out of sequence"),
        "{refused}"
    );
}

#[test]
fn a_no_op_loses_the_way_back_and_restarts_nothing() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({}));
    ground.roll_to(NEXT);
    ground.until_state("completed");
    let before = ground.tasks().len();
    ground.change(|_| {});
    let service = ground.cluster.service("db").unwrap();
    assert_eq!(
        service["PreviousSpec"]["TaskTemplate"]["ContainerSpec"]["Image"],
        NEXT
    );
    assert!(service.get("UpdateStatus").is_none());
    ground.pass(60.0);
    assert_eq!(
        (ground.tasks().len(), ground.state().as_str()),
        (before, "none")
    );
}

#[test]
fn a_person_may_go_back() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({}));
    ground.roll_to(NEXT);
    ground.until_state("completed");
    let service = ground.cluster.service("db").unwrap();
    let back = ServiceUpdate {
        version: service["Version"]["Index"].as_u64().unwrap(),
        spec: service["Spec"].clone(),
        rollback: true,
        ..ServiceUpdate::default()
    };
    ground
        .cluster
        .update_service(ground.now, "db", back)
        .unwrap();
    assert_eq!(ground.state(), "rollback_started");
    ground.until_state("rollback_completed");
    assert_eq!(ground.running(), "aaa");
}

#[test]
fn an_image_that_is_nowhere_is_rejected_and_pauses() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({}));
    ground.roll_to(ABSENT);
    ground.until_state("paused");
    let rejected = ground
        .tasks()
        .into_iter()
        .find(|task| task["Status"]["State"] == "rejected")
        .unwrap();
    assert_eq!(
        rejected["Status"]["Err"],
        format!("No such image: {ABSENT}")
    );
}

#[test]
fn another_update_takes_over() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({}));
    ground.roll_to(NEXT);
    ground.until_state("updating");
    ground.roll_to(GOOD);
    ground.until("the old build again", |cluster| {
        state(cluster) == "completed"
    });
    assert_eq!(ground.running(), "aaa");
}

#[test]
fn the_same_seed_and_calls_give_the_same_swarm() {
    let run = || {
        let mut ground = Ground::new();
        ground.create(
            GOOD,
            &json!({"UpdateConfig": {"FailureAction": "rollback"}}),
        );
        ground.roll_to(DYING);
        ground.until_state("rollback_completed");
        (
            ground.cluster.services(),
            ground.cluster.tasks(),
            ground.cluster.events().to_vec(),
        )
    };
    assert_eq!(run(), run());
}

#[test]
fn a_large_swarm_is_there_at_once() {
    let started = std::time::Instant::now();
    let mut ground = Ground::new();
    for number in 4..=1000 {
        let setup = crate::swarm::NodeSetup {
            hostname: format!("n{number}"),
            ..crate::swarm::NodeSetup::default()
        };
        ground.cluster.add_node(ground.now, setup);
    }
    for number in 0..10_000 {
        let mut spec = spec(GOOD, &json!({"Mode": {"Replicated": {"Replicas": 1}}}));
        spec["Name"] = json!(format!("s{number}"));
        ground
            .cluster
            .create_service(ground.now, spec, None)
            .unwrap();
    }
    assert_eq!(ground.cluster.services().len(), 10_000);
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}
