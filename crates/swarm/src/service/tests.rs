//! What is read of a service, complete, sparse or odd.

use std::time::Duration;

use imgstack_spec::{FailureAction, UpdateOrder};
use serde_json::{Value, json};

use super::{RawService, ServiceMode, UpdateConfig, UpdateState};
use crate::ServiceId;

fn with_spec(spec: Value) -> RawService {
    RawService::new(json!({"ID": "s1", "Version": {"Index": 7}, "Spec": spec}))
}

#[test]
fn a_rich_service() {
    let service = RawService::new(
        serde_json::from_str(include_str!("../../tests/data/rich-service.json")).unwrap(),
    );
    assert_eq!(service.id(), ServiceId::new("3yx7dxsaopi2bmklo8loo1a4h"));
    assert_eq!(service.version(), 354);
    assert_eq!(service.name(), "rich");
    assert!(
        service
            .image()
            .starts_with("registry.example.org/stacks/postgres:16@sha256:")
    );
    assert_eq!(service.label("team"), Some("data"));
    assert_eq!(service.labels().len(), 2);
    assert_eq!(service.mode(), ServiceMode::Replicated(0));
    assert_eq!(
        service.update_config(),
        UpdateConfig {
            parallelism: 0,
            delay: Duration::from_secs(2),
            order: UpdateOrder::StartFirst,
            monitor: Duration::from_secs(7),
            failure_action: FailureAction::Rollback,
            max_failure_ratio: 0.1,
        }
    );
    assert!(service.has_healthcheck());
    assert_eq!(service.platforms(), []);
    assert_eq!(service.update_status(), None);
    assert_eq!(service.previous_spec(), None);
    assert_eq!(service.force_update(), 0);
}

#[test]
fn modes() {
    for (mode, expected) in [
        (Value::Null, ServiceMode::Replicated(1)),
        (json!({}), ServiceMode::Replicated(1)),
        (json!({"Replicated": {}}), ServiceMode::Replicated(1)),
        (
            json!({"Replicated": {"Replicas": 0}}),
            ServiceMode::Replicated(0),
        ),
        (
            json!({"Replicated": {"Replicas": 3}}),
            ServiceMode::Replicated(3),
        ),
        (json!({"Global": {}}), ServiceMode::Global),
        (
            json!({"Global": null, "Replicated": {"Replicas": 2}}),
            ServiceMode::Replicated(2),
        ),
        (
            json!({"ReplicatedJob": {"TotalCompletions": 1}}),
            ServiceMode::ReplicatedJob,
        ),
        (json!({"GlobalJob": {}}), ServiceMode::GlobalJob),
    ] {
        assert_eq!(with_spec(json!({"Mode": mode})).mode(), expected, "{mode}");
    }
}

#[test]
fn the_engine_s_defaults() {
    let defaults = UpdateConfig {
        parallelism: 1,
        delay: Duration::ZERO,
        order: UpdateOrder::StopFirst,
        monitor: Duration::from_secs(5),
        failure_action: FailureAction::Pause,
        max_failure_ratio: 0.0,
    };
    assert_eq!(with_spec(json!({})).update_config(), defaults);
    assert_eq!(
        with_spec(json!({"UpdateConfig": null})).update_config(),
        defaults
    );
    let sparse =
        with_spec(json!({"UpdateConfig": {"Monitor": 0, "Order": "", "FailureAction": ""}}));
    assert_eq!(
        sparse.update_config(),
        UpdateConfig {
            parallelism: 0,
            ..defaults
        }
    );
    let go_on = with_spec(json!({"UpdateConfig": {"Parallelism": 2, "FailureAction": "continue"}}));
    assert_eq!(
        go_on.update_config(),
        UpdateConfig {
            parallelism: 2,
            failure_action: FailureAction::Continue,
            ..defaults
        }
    );
}

#[test]
fn update_states() {
    for (word, state, failed) in [
        ("updating", UpdateState::Updating, false),
        ("paused", UpdateState::Paused, true),
        ("completed", UpdateState::Completed, false),
        ("rollback_started", UpdateState::RollbackStarted, true),
        ("rollback_paused", UpdateState::RollbackPaused, true),
        ("rollback_completed", UpdateState::RollbackCompleted, true),
        ("new_in_the_future", UpdateState::Unknown, false),
    ] {
        let service = RawService::new(json!({"UpdateStatus": {"State": word}}));
        let status = service.update_status().unwrap();
        assert_eq!(
            (status.state, status.state.is_failure()),
            (state, failed),
            "{word}"
        );
    }
    for none in [json!(null), json!({}), json!({"State": ""})] {
        assert_eq!(
            RawService::new(json!({"UpdateStatus": none})).update_status(),
            None
        );
    }
    let paused = RawService::new(json!({"UpdateStatus": {
        "State": "paused",
        "StartedAt": "2026-02-09T11:09:26.922562026Z",
        "Message": "update paused due to failure or early termination of task x",
    }}));
    let status = paused.update_status().unwrap();
    assert_eq!(
        status.started_at,
        "2026-02-09T11:09:26.922562026Z".parse().ok()
    );
    assert_eq!(status.completed_at, None);
    assert!(status.message.ends_with("task x"));
}

#[test]
fn healthchecks() {
    for (test, expected) in [
        (json!(["CMD", "true"]), true),
        (json!(["CMD-SHELL", "true"]), true),
        (json!(["NONE"]), false),
        (json!([]), false),
        (Value::Null, false),
    ] {
        let spec = json!({"TaskTemplate": {"ContainerSpec": {"Healthcheck": {"Test": test}}}});
        assert_eq!(with_spec(spec).has_healthcheck(), expected, "{test}");
    }
}

#[test]
fn nothing_in_a_service_makes_it_panic() {
    let odd = |value: Value| {
        json!({
            "ID": value, "Version": value, "Spec": {
                "Name": value, "Labels": value, "Mode": value, "UpdateConfig": value,
                "TaskTemplate": {"ContainerSpec": value, "Placement": {"Platforms": [value]}},
            },
            "UpdateStatus": {"State": value}, "PreviousSpec": value,
        })
    };
    for value in [
        json!(null),
        json!(-1),
        json!("x"),
        json!([1]),
        json!({"a": {}}),
        json!(1e300),
    ] {
        for service in [RawService::new(value.clone()), RawService::new(odd(value))] {
            let _ = (
                service.id(),
                service.version(),
                service.name(),
                service.image(),
            );
            let _ = (service.labels(), service.mode(), service.update_config());
            let _ = (
                service.platforms(),
                service.update_status(),
                service.previous_spec(),
            );
            let _ = (
                service.force_update(),
                service.has_healthcheck(),
                service.label("a"),
            );
        }
    }
}
