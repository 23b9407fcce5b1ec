//! Rollout settings: alone, and in the update that they are to hold for.

use std::collections::BTreeMap;
use std::time::Duration;

use imgstack_executor::{Event, FailureKind, StepOutcome};
use imgstack_planner::{Action, AdjustService, Change, Moved, SettingsChange, Step};
use imgstack_spec::{FailureAction, ImageRef, UpdateOrder};
use imgstack_swarm::RegistryAuth;
use serde_json::{Value, json};

use crate::support::{
    LABEL, PLAN, WEB, World, before, old, planned_spec, says, service, service_address, spec, task,
};

/// Order and failure action become others.
fn settings() -> SettingsChange {
    SettingsChange {
        order: Some(Change {
            from: UpdateOrder::StopFirst,
            to: UpdateOrder::StartFirst,
        }),
        on_failure: Some(Change {
            from: FailureAction::Pause,
            to: FailureAction::Rollback,
        }),
        ..SettingsChange::default()
    }
}

/// A plan that adjusts `web`.
fn adjusting(faces: &[Value]) -> World {
    let mut world = World::web(faces);
    world.tasks(&[vec![task("t1", &old(), "running")]]);
    let label = Change {
        from: None,
        to: Some(PLAN.to_owned()),
    };
    let adjust = AdjustService {
        service: "web".parse().unwrap(),
        image: old(),
        settings: settings(),
        credential: None,
        labels: BTreeMap::from([(LABEL.to_owned(), label)]),
    };
    let action = Action::AdjustService(adjust);
    world.plan.steps = vec![Step::new(action, Vec::new(), Vec::new())];
    world
}

/// `web` as it is adjusted.
fn adjusted() -> Value {
    let mut spec = spec("web");
    spec["Labels"][LABEL] = json!(PLAN);
    with_settings(spec)
}

fn with_settings(mut spec: Value) -> Value {
    // A service without settings of its own is replaced one task at a time.
    if spec["UpdateConfig"].is_null() {
        spec["UpdateConfig"] = json!({"Parallelism": 1});
    }
    spec["UpdateConfig"]["Order"] = json!("start-first");
    spec["UpdateConfig"]["FailureAction"] = json!("rollback");
    spec
}

fn sent(world: &World) -> Vec<Value> {
    let sent = world.sent().into_iter();
    sent.map(|it| serde_json::from_str(&it.body).unwrap())
        .collect()
}

#[tokio::test]
async fn settings_alone_change_nothing_else_and_wait_for_no_task() {
    let world = adjusting(&[before(7)]);
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done], "{:?}", told.events);
    assert_eq!(sent(&world), [adjusted()]);
    assert!(world.engine.asked("/tasks").is_empty());
    // The Swarm keeps the credential that it has.
    let sent = world.sent().remove(0);
    let auth = |it: &String| it.starts_with("x-registry-auth");
    assert!(!sent.headers.iter().any(auth), "{sent:?}");
    let begun = told.events.iter().find_map(|event| match event {
        Event::StepStarted {
            action, restarts, ..
        } => Some((*action, *restarts)),
        _ => None,
    });
    assert_eq!(begun, Some(("adjust", 0)));
}

#[tokio::test]
async fn a_credential_comes_along_only_if_the_plan_says_so() {
    let mut world = adjusting(&[before(7), before(7)]);
    let repository = old().parse::<ImageRef>().unwrap().repository;
    let Action::AdjustService(adjust) = &mut world.plan.steps[0].action else {
        panic!("no adjustment")
    };
    adjust.credential = Some(repository.clone());
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Failed]);
    assert_eq!(sent(&world), [Value::Null; 0]);

    let auth = RegistryAuth::encoded(&"c2VjcmV0".into()).unwrap();
    world.credentials.pulls.insert(repository, auth);
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done], "{:?}", told.events);
    let sent = world.sent().remove(0);
    let auth = |it: &String| it == "x-registry-auth: c2vjcmv0";
    assert!(sent.headers.iter().any(auth), "{sent:?}");
}

#[tokio::test]
async fn a_setting_that_somebody_else_has_changed_is_named() {
    let mut world = adjusting(&[]);
    let with = |order: &str| {
        let mut spec = spec("web");
        spec["UpdateConfig"] = json!({"Parallelism": 1, "Order": order});
        spec
    };
    let seen = crate::support::seen(7, &with("stop-first"));
    world.plan.seen.insert("web".parse().unwrap(), seen);
    world
        .engine
        .on(WEB, &says(&[service(8, &with("start-first"))]));
    let told = world.apply().await;
    assert_eq!(told.failure().kind, FailureKind::Drifted);
    let moved = Moved {
        address: service_address("web"),
        field: "updateConfig.Order".to_owned(),
        from: "stop-first".to_owned(),
        to: "start-first".to_owned(),
    };
    assert_eq!(told.failure().moved, [moved]);
    assert_eq!(sent(&world), [Value::Null; 0]);
}

#[tokio::test]
async fn settings_go_with_the_image_and_its_own_monitor_is_waited_for() {
    let planned = with_settings(planned_spec("web"));
    let mut world = World::web(&[before(7), before(7), service(8, &planned)]);
    world.tasks_follow();
    world.update(|update| {
        update.settings = settings();
        update.monitor_ms = 700;
    });
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done], "{:?}", told.events);
    assert_eq!(sent(&world), [planned]);
    assert!(told.took >= Duration::from_millis(700), "{:?}", told.took);
}
