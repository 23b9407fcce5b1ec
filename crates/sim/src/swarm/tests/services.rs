//! What a service is, and what it refuses.

use serde_json::json;

use super::ground::{GOOD, Ground, NEXT, spec};
use crate::Credential;
use crate::swarm::ServiceUpdate;

#[test]
fn what_changes_nothing_of_a_task_restarts_none() {
    type Case<'a> = (&'a str, &'a dyn Fn(&mut serde_json::Value), bool);
    let table: [Case<'_>; 7] = [
        ("a label", &|spec| spec["Labels"]["a"] = json!("b"), false),
        (
            "the pace",
            &|spec| spec["UpdateConfig"]["Delay"] = json!(1),
            false,
        ),
        (
            "platforms",
            &|spec| {
                spec["TaskTemplate"]["Placement"] =
                    json!({"Platforms": [{"OS": "linux", "Architecture": "amd64"}]})
            },
            false,
        ),
        (
            "constraints that hold where it is",
            &|spec| {
                spec["TaskTemplate"]["Placement"] =
                    json!({"Constraints": ["node.labels.disk!=none"]})
            },
            false,
        ),
        (
            "the image",
            &|spec| spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(NEXT),
            true,
        ),
        (
            "a forced update",
            &|spec| spec["TaskTemplate"]["ForceUpdate"] = json!(1),
            true,
        ),
        (
            "a variable",
            &|spec| spec["TaskTemplate"]["ContainerSpec"]["Env"] = json!(["A=1"]),
            true,
        ),
    ];
    for (what, change, restarts) in table {
        let mut ground = Ground::new();
        ground.create(GOOD, &json!({}));
        let before: Vec<_> = ground
            .tasks()
            .iter()
            .map(|task| task["ID"].clone())
            .collect();
        ground.change(change);
        ground.pass(30.0);
        let after: Vec<_> = ground
            .tasks()
            .iter()
            .map(|task| task["ID"].clone())
            .collect();
        assert_eq!(before.len() != after.len(), restarts, "{what}");
    }
}

/// Either alone restarts nothing.
#[test]
fn another_credential_and_other_platforms_together_restart_everything() {
    for (auth, platforms, restarts) in [(true, false, 0), (false, true, 0), (true, true, 3)] {
        let mut ground = Ground::new();
        ground.create(GOOD, &json!({}));
        let service = ground.cluster.service("db").unwrap();
        let mut spec = service["Spec"].clone();
        if platforms {
            spec["TaskTemplate"]["Placement"] =
                json!({"Platforms": [{"OS": "linux", "Architecture": "amd64"}]});
        }
        let update = ServiceUpdate {
            version: service["Version"]["Index"].as_u64().unwrap(),
            spec,
            auth: auth.then(|| Credential {
                username: "robot".to_owned(),
                password: "secret".into(),
            }),
            ..ServiceUpdate::default()
        };
        ground
            .cluster
            .update_service(ground.now, "db", update)
            .unwrap();
        ground.pass(30.0);
        assert_eq!(ground.tasks().len() - 3, restarts);
        // No API returns it.
        let all = format!(
            "{:?} {:?}",
            ground.cluster.services(),
            ground.cluster.tasks()
        );
        assert!(!all.contains("secret"));
    }
}

#[test]
fn refusals_are_in_the_engines_words() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({}));
    let again = ground
        .cluster
        .create_service(ground.now, spec(GOOD, &json!({})), None)
        .unwrap_err();
    assert_eq!(again.status, 409);
    assert_eq!(
        again.message,
        "rpc error: code = AlreadyExists desc = name conflicts with an existing object: service db already exists"
    );
    let missing = ground.cluster.service("nobody").unwrap_err();
    assert_eq!(
        (missing.status, missing.message.as_str()),
        (404, "service nobody not found")
    );
    let config = json!({"ConfigID": "x", "ConfigName": "settings"});
    let more = json!({"Name": "web", "TaskTemplate": {"ContainerSpec": {"Configs": [config]}}});
    let refused = ground
        .cluster
        .create_service(ground.now, spec(GOOD, &more), None)
        .unwrap_err();
    assert!(
        refused.message.ends_with("config not found: settings"),
        "{refused}"
    );
    let service = ground.cluster.service("db").unwrap();
    for (change, words) in [
        (
            json!({"Name": "other"}),
            "renaming services is not supported",
        ),
        (
            json!({"Mode": {"Global": {}}}),
            "service mode change is not allowed",
        ),
    ] {
        let mut spec = service["Spec"].clone();
        for (key, value) in change.as_object().unwrap() {
            spec[key] = value.clone();
        }
        let update = ServiceUpdate {
            version: service["Version"]["Index"].as_u64().unwrap(),
            spec,
            ..ServiceUpdate::default()
        };
        let refused = ground
            .cluster
            .update_service(ground.now, "db", update)
            .unwrap_err();
        assert!(refused.message.ends_with(words), "{refused}");
    }
}

#[test]
fn scaling_makes_and_stops_tasks_and_removing_forgets_them() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({}));
    ground.change(|spec| spec["Mode"]["Replicated"]["Replicas"] = json!(5));
    ground.pass(5.0);
    assert_eq!(ground.running(), "aaaaa");
    ground.change(|spec| spec["Mode"]["Replicated"]["Replicas"] = json!(1));
    ground.pass(5.0);
    assert_eq!(ground.running(), "a");
    ground.cluster.remove_service(ground.now, "db").unwrap();
    ground.pass(5.0);
    assert!(ground.cluster.tasks().is_empty());
    assert!(ground.cluster.service("db").is_err());
}

#[test]
fn a_spec_comes_back_as_it_was_sent() {
    let mut ground = Ground::new();
    let more = json!({"TaskTemplate": {"ContainerSpec": {"Healthcheck": {"Test": ["NONE"]}, "Novel": [1, null]}}});
    ground.create(GOOD, &more);
    let service = ground.cluster.service("db").unwrap();
    let container = &service["Spec"]["TaskTemplate"]["ContainerSpec"];
    assert_eq!(container["Healthcheck"], json!({"Test": ["NONE"]}));
    assert_eq!(container["Novel"], json!([1, null]));
}

/// As docker's client sends them.
#[test]
fn a_service_without_a_number_of_replicas_has_one() {
    for mode in [json!({"Replicated": {}}), json!({}), json!(null)] {
        let mut ground = Ground::new();
        let mut spec = spec(GOOD, &json!({}));
        spec["Mode"] = mode;
        let id = ground
            .cluster
            .create_service(ground.now, spec, None)
            .unwrap();
        let service = ground.cluster.service(&id).unwrap();
        assert_eq!(
            service["Spec"]["Mode"],
            json!({"Replicated": {"Replicas": 1}})
        );
    }
}

/// As on real engines: the containers go as well.
#[test]
fn a_service_that_shrinks_forgets_the_tasks_of_its_last_slots() {
    let mut ground = Ground::new();
    ground.create(GOOD, &json!({"Mode": {"Replicated": {"Replicas": 3}}}));
    assert_eq!(ground.tasks().len(), 3);
    ground.change(|spec| spec["Mode"] = json!({"Replicated": {"Replicas": 1}}));
    ground.pass(20.0);
    let slots: Vec<_> = ground.tasks().iter().map(|it| it["Slot"].clone()).collect();
    assert_eq!(slots, [1]);
}
