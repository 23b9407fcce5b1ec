//! What is sent, and that nothing more of it is told than may be.

use imgstack_executor::{FailureKind, StepOutcome};
use imgstack_planner::Change;
use imgstack_spec::Platform;
use imgstack_swarm::RegistryAuth;
use serde_json::{Value, json};

use crate::scripted::Reply;
use crate::support::{
    LABEL, PLAN, UPDATE_WEB, World, after, before, new, old, refusal, seen, service,
};

const CREDENTIAL: &str = "eyJ1c2VybmFtZSI6ImEiLCJwYXNzd29yZCI6Imh1bnRlcjIifQ==";

/// A spec with fields that no model of ours knows. Its keys are sorted, so
/// that it comes out in this order however a map is kept.
const ODD: &str = r#"{"Labels":{"com.docker.stack.image":"web:1","dev.imgstack.plan":"before"},"Mode":{"Replicated":{"Replicas":1}},"Name":"web","Novel":{"Deep":[null,{"Ratio":0.15,"Small":1e-7}],"Large":18446744073709551615},"TaskTemplate":{"ContainerSpec":{"Env":["A=1","B="],"Healthcheck":{"Retries":0,"Test":["CMD","true"]},"Image":"OLD","Mounts":[{"ClusterOptions":{},"Target":"/d","Type":"novel"}]},"ForceUpdate":0,"Placement":{"Constraints":["node.labels.x==y"],"Platforms":[{"Architecture":"amd64","OS":"linux"}]},"Runtime":"container"}}"#;

#[tokio::test]
async fn only_image_platforms_and_labels_differ_in_what_is_sent() {
    let text = ODD.replace("OLD", &old());
    let spec: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(spec.to_string(), text, "the text itself must be stable");
    let expected = text
        .replace(&old(), &new())
        .replace(r#""Architecture":"amd64""#, r#""Architecture":"arm64""#)
        .replace(r#""before""#, &format!("{PLAN:?}"));

    let done: Value = serde_json::from_str(&expected).unwrap();
    let (before, done) = (service(7, &spec), service(8, &done));
    let mut world = World::web(&[before.clone(), before, done]);
    world
        .plan
        .seen
        .insert("web".parse().unwrap(), seen(7, &spec));
    let platform = |architecture: &str| Platform {
        os: "linux".to_owned(),
        architecture: architecture.to_owned(),
        variant: None,
    };
    world.update(|update| {
        update.platforms = Some(Change {
            from: vec![platform("amd64")],
            to: vec![platform("arm64")],
        });
        let label = Change {
            from: Some("before".to_owned()),
            to: Some(PLAN.to_owned()),
        };
        update.labels.insert(LABEL.to_owned(), label);
    });

    let told = world.tasks_follow().apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done]);
    let sent = world.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].body, expected);
}

/// The credentials that the updates carried.
fn credentials(world: &World) -> Vec<String> {
    let headers = world.sent().into_iter().flat_map(|request| request.headers);
    headers
        .filter_map(|line| Some(line.strip_prefix("x-registry-auth: ")?.to_owned()))
        .collect()
}

fn with_credential(mut world: World, repository: &str) -> World {
    let auth = RegistryAuth::encoded(&CREDENTIAL.into()).unwrap();
    world
        .credentials
        .pulls
        .insert(repository.parse().unwrap(), auth);
    world
}

#[tokio::test]
async fn an_update_carries_the_credential_of_its_repository_and_no_other() {
    // The engine notes headers in small letters.
    let noted = CREDENTIAL.to_lowercase();
    for (repository, expected) in [
        (None, vec![]),
        (Some("ghcr.io/acme/web"), vec![noted]),
        (Some("ghcr.io/acme/db"), vec![]),
    ] {
        let mut world = World::web(&[before(7), before(7), after(8)]);
        if let Some(repository) = repository {
            world = with_credential(world, repository);
        }
        let told = world.tasks_follow().apply().await;
        assert_eq!(told.steps(), [StepOutcome::Done]);
        assert_eq!(world.sent().len(), 1);
        assert_eq!(credentials(&world), expected, "{repository:?}");
    }
}

#[tokio::test]
async fn no_event_tells_the_credential() {
    let refused = refusal(500, "rpc error: no");
    for reply in [Reply::Json(200, json!({})), refused, Reply::HangUp] {
        let world = World::web(&[before(7), before(7), after(8)]);
        let world = with_credential(world, "ghcr.io/acme/web");
        world.engine.on(UPDATE_WEB, &[reply]);
        let told = world.tasks_follow().apply().await;
        assert_eq!(credentials(&world).len(), 1);
        let shown = serde_json::to_string(&told.events).unwrap();
        assert!(shown.contains("apply_finished"), "{shown}");
        assert!(!shown.contains(CREDENTIAL), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[tokio::test]
async fn an_update_that_is_refused_is_not_sent_again() {
    let world = World::web(&[before(7)]);
    let why = "rpc error: code = InvalidArgument desc = name must be valid";
    world.engine.on(UPDATE_WEB, &[refusal(400, why)]);
    let told = world.apply().await;
    assert_eq!(told.failure().kind, FailureKind::Refused);
    assert!(told.failure().message.contains(why), "{:?}", told.failure());
    assert_eq!(told.failure().now, Some(old()));
    assert_eq!(world.sent().len(), 1);
    assert_eq!(told.steps(), [StepOutcome::Failed]);
}
