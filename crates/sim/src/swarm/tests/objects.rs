//! Configs and secrets.

use serde_json::json;

use super::ground::{GOOD, Ground, spec};

fn config(name: &str) -> serde_json::Value {
    json!({"Name": name, "Data": "YQ==", "Labels": {}})
}

#[test]
fn a_name_is_taken_whatever_its_case() {
    let mut ground = Ground::new();
    ground
        .cluster
        .create_config(ground.now, config("imgstack.lock.db"))
        .unwrap();
    let refused = ground
        .cluster
        .create_config(ground.now, config("IMGSTACK.lock.db"))
        .unwrap_err();
    assert_eq!(refused.status, 409);
    assert!(refused.message.contains("already exists"), "{refused}");
    for name in ["", "-a", "a b", &"a".repeat(65)] {
        assert_eq!(
            ground
                .cluster
                .create_config(ground.now, config(name))
                .unwrap_err()
                .status,
            400
        );
    }
}

#[test]
fn only_labels_change_and_only_in_sequence() {
    let mut ground = Ground::new();
    let id = ground
        .cluster
        .create_config(ground.now, config("a"))
        .unwrap();
    let read = ground.cluster.config("a").unwrap();
    let version = read["Version"]["Index"].as_u64().unwrap();
    let mut spec = read["Spec"].clone();
    spec["Labels"]["owner"] = json!("me");
    ground
        .cluster
        .update_config(ground.now, &id, version, spec.clone())
        .unwrap();
    assert_eq!(
        ground.cluster.config(&id).unwrap()["Spec"]["Labels"]["owner"],
        "me"
    );
    let late = ground
        .cluster
        .update_config(ground.now, &id, version, spec.clone())
        .unwrap_err();
    assert!(late.message.contains("update out of sequence"), "{late}");
    spec["Data"] = json!("Yg==");
    let version = ground.cluster.config(&id).unwrap()["Version"]["Index"]
        .as_u64()
        .unwrap();
    let refused = ground
        .cluster
        .update_config(ground.now, &id, version, spec)
        .unwrap_err();
    assert!(
        refused
            .message
            .contains("only updates to Labels are allowed"),
        "{refused}"
    );
}

#[test]
fn what_a_service_uses_stays() {
    let mut ground = Ground::new();
    let id = ground
        .cluster
        .create_secret(ground.now, config("password"))
        .unwrap();
    assert!(
        ground.cluster.secret("password").unwrap()["Spec"]
            .get("Data")
            .is_none()
    );
    let used = json!({"SecretID": id, "SecretName": "password"});
    let more = json!({"TaskTemplate": {"ContainerSpec": {"Secrets": [used]}}});
    ground
        .cluster
        .create_service(ground.now, spec(GOOD, &more), None)
        .unwrap();
    let refused = ground.cluster.remove_secret(ground.now, &id).unwrap_err();
    assert!(
        refused
            .message
            .ends_with("secret 'password' is in use by the following service: db"),
        "{refused}"
    );
    ground.cluster.remove_service(ground.now, "db").unwrap();
    ground.cluster.remove_secret(ground.now, &id).unwrap();
    assert_eq!(ground.cluster.secret(&id).unwrap_err().status, 404);
}

#[test]
fn configs_are_larger_on_newer_engines() {
    for (engine, fits) in [("20.10.24", false), ("29.7.0", true)] {
        let mut ground = Ground::of(engine);
        let large = json!({"Name": "a", "Data": "YWFh".repeat(200_000)});
        assert_eq!(
            ground.cluster.create_config(ground.now, large).is_ok(),
            fits,
            "{engine}"
        );
    }
}
