//! Steps on nodes: their rounds, what a failure stops, and that it is the node
//! that was planned for.

use std::collections::BTreeMap;

use imgstack_executor::{FailureKind, StepOutcome};
use imgstack_planner::{
    Action, Change, LogIn, PullImage, RemoveImage, RemoveLeftover, RotateCredential, Step, StepId,
    Via,
};
use imgstack_spec::{Endpoint, ImageRef};
use imgstack_swarm::RegistryAuth;
use serde_json::json;

use crate::scripted::Reply;
use crate::support::{LABEL, UPDATE_WEB, World, after, before, new, refusal, says, task};

const IMAGES: &str = "GET /images/json";
const PULL: &str = "POST /images/create";

fn endpoint(world: &World) -> Endpoint {
    format!("unix://{}", world.engine.socket().display())
        .parse()
        .unwrap()
}

fn pull(world: &World, node: &str, node_id: &str) -> Step {
    let action = Action::PullImage(PullImage {
        node: node.parse().unwrap(),
        node_id: node_id.to_owned(),
        image: "web".parse().unwrap(),
        reference: new().parse().unwrap(),
        kept: false,
        via: Via::Engine(endpoint(world)),
        bytes: None,
    });
    Step::new(action, Vec::new(), Vec::new())
}

fn remove(world: &World, node_id: &str) -> Step {
    let image: ImageRef = crate::support::old().parse().unwrap();
    let action = Action::RemoveImage(RemoveImage {
        node: "host-1".parse().unwrap(),
        node_id: node_id.to_owned(),
        engine: endpoint(world),
        repository: image.repository,
        digest: image.digest.unwrap(),
        tags: Vec::new(),
        bytes: 0,
    });
    Step::new(action, Vec::new(), Vec::new())
}

/// `web` is updated; the node's engine holds the new build after a pull.
async fn world() -> World {
    let mut world = World::web(&[before(7), before(7), after(8)]);
    world.tasks_follow();
    let image: ImageRef = new().parse().unwrap();
    let name = format!("{}@{}", image.repository, image.digest.unwrap());
    let held = json!([{"Id": "sha256:1", "RepoDigests": [name], "RepoTags": null, "Size": 1, "Created": 1}]);
    world.engine.on(IMAGES, &says(&[held]));
    world.engine.on("GET /containers/json", &says(&[json!([])]));
    world.engine.on(
        PULL,
        &[Reply::Stream(
            vec![b"{\"status\":\"Pull complete\",\"id\":\"a\"}\n".to_vec()],
            true,
        )],
    );
    world.engine.on(
        "GET /images/ghcr.io",
        &says(&[json!({"RepoDigests": [name], "Id": "sha256:1"})]),
    );
    world.connect_node("host-1").await;
    world
}

fn asked(world: &World, part: &str) -> usize {
    world.engine.asked(part).len()
}

#[tokio::test]
async fn nodes_pull_first_then_services_move_then_nodes_lose_what_is_old() {
    let mut world = world().await;
    let (pull, remove) = (pull(&world, "host-1", "n1"), remove(&world, "n1"));
    world.plan.steps[0].after = vec![pull.id.clone()];
    // Whatever their place in the plan.
    world.plan.steps.insert(0, remove);
    world.plan.steps.push(pull);
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done; 3], "{:?}", told.events);
    let begun = told.begun();
    let verbs: Vec<&str> = begun
        .iter()
        .map(|id| id.split(' ').next().unwrap())
        .collect();
    assert_eq!(verbs, ["pull", "update", "remove"]);
}

#[tokio::test]
async fn a_node_that_fails_stops_what_needs_it_and_nothing_else() {
    let mut world = world().await;
    world.engine.on(PULL, &[Reply::Stream(
        vec![b"{\"errorDetail\":{\"message\":\"no space left on device\"},\"error\":\"no space left on device\"}\n".to_vec()],
        true,
    )]);
    let pull = pull(&world, "host-1", "n1");
    // One that needs the node, and one that only stands behind it.
    let mut needs = world.plan.steps[0].clone();
    needs.action = match needs.action {
        Action::UpdateService(mut update) => {
            update.service = "db".parse().unwrap();
            Action::UpdateService(update)
        }
        other => other,
    };
    let mut needs = Step::new(needs.action, vec![pull.id.clone()], Vec::new());
    needs.follows = Vec::new();
    world.plan.steps[0].follows = vec![needs.id.clone()];
    world.plan.steps.insert(0, needs);
    world.plan.steps.insert(0, pull);
    let told = world.apply().await;
    assert_eq!(
        told.steps(),
        [
            StepOutcome::Failed,
            StepOutcome::NotStarted,
            StepOutcome::Done
        ]
    );
    let failure = told.failure();
    assert_eq!(failure.kind, FailureKind::PullFailed);
    assert!(
        failure.message.contains("no space left on device"),
        "{failure:?}"
    );
}

#[tokio::test]
async fn nothing_is_removed_after_a_service_that_failed() {
    let mut world = world().await;
    world.engine.on(UPDATE_WEB, &[refusal(400, "bad spec")]);
    let remove = remove(&world, "n1");
    world.plan.steps.push(remove);
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Failed, StepOutcome::NotStarted]);
    assert_eq!(asked(&world, "DELETE"), 0);
}

/// An address may lead to another machine by now.
#[tokio::test]
async fn another_node_at_the_address_is_left_alone() {
    let mut world = world().await;
    world.plan.steps = vec![
        pull(&world, "host-1", "n9"),
        remove(&world, "n9"),
        pull(&world, "host-2", "n2"),
    ];
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Failed; 3]);
    assert_eq!(asked(&world, "/images"), 0, "nothing was asked of it");
    let words = serde_json::to_string(&told.events).unwrap();
    assert!(words.contains("leads to the node n1, not to n9"), "{words}");
    assert!(words.contains("there is no connection to"), "{words}");
}

#[tokio::test]
async fn a_pull_that_ends_without_the_image_has_failed() {
    let mut world = world().await;
    world.engine.on(IMAGES, &says(&[json!([])]));
    world
        .engine
        .on("GET /images/ghcr.io", &[refusal(404, "no such image")]);
    world.plan.steps = vec![pull(&world, "host-1", "n1")];
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Failed], "{:?}", told.events);
}

#[tokio::test]
async fn a_rotation_changes_labels_carries_the_credential_and_waits_for_no_task() {
    let mut world = World::web(&[before(7), before(7)]);
    world.tasks(&[vec![task("t1", &crate::support::old(), "running")]]);
    let image: ImageRef = crate::support::old().parse().unwrap();
    let label = Change {
        from: None,
        to: Some("f2".to_owned()),
    };
    let rotate = RotateCredential {
        service: "web".parse().unwrap(),
        repository: image.repository.clone(),
        image: crate::support::old(),
        labels: BTreeMap::from([(LABEL.to_owned(), label)]),
    };
    let step = Step::new(Action::RotateCredential(rotate), Vec::new(), Vec::new());
    world.plan.steps = vec![step];
    // Without the credential nothing is sent: the label would lie.
    let told = world.apply().await;
    assert_eq!(
        (told.steps(), world.sent().len()),
        (vec![StepOutcome::Failed], 0)
    );

    let auth = RegistryAuth::encoded(&"c2VjcmV0".into()).unwrap();
    world.credentials.pulls.insert(image.repository, auth);
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Done], "{:?}", told.events);
    let sent = world.sent().remove(0);
    assert!(
        sent.headers
            .iter()
            .any(|it| it == "x-registry-auth: c2vjcmv0"),
        "{sent:?}"
    );
    let mut expected = crate::support::spec("web");
    expected["Labels"][LABEL] = json!("f2");
    let body: serde_json::Value = serde_json::from_str(&sent.body).unwrap();
    assert_eq!(body, expected);
    assert_eq!(asked(&world, "/tasks"), 0);
}

#[tokio::test]
async fn what_a_killed_run_left_goes_and_what_is_gone_is_as_good() {
    for reply in [Reply::Json(200, json!({})), refusal(404, "no such service")] {
        let mut world = World::web(&[before(7)]);
        world.engine.on("DELETE /services/id-left", &[reply]);
        let left = RemoveLeftover {
            service: "imgstack-prepull-1f".parse().unwrap(),
            service_id: "id-left".to_owned(),
        };
        let step = Step::new(Action::RemoveLeftover(left), Vec::new(), Vec::new());
        world.plan.steps = vec![step];
        let told = world.apply().await;
        assert_eq!(told.steps(), [StepOutcome::Done]);
        assert_eq!(asked(&world, "DELETE"), 1);
    }
}

#[tokio::test]
async fn a_login_needs_the_credential_that_was_planned() {
    let mut world = world().await;
    let login = LogIn {
        node: "host-1".parse().unwrap(),
        node_id: "n1".to_owned(),
        engine: endpoint(&world),
        registry: imgstack_spec::RegistryHost::new("ghcr.io"),
        username: "robot".to_owned(),
        credential: "f1".to_owned(),
        replaces: false,
    };
    world.plan.steps = vec![Step::new(
        Action::LogIn(login),
        Vec::<StepId>::new(),
        Vec::new(),
    )];
    let told = world.apply().await;
    assert_eq!(told.steps(), [StepOutcome::Failed]);
    assert_eq!(told.failure().kind, FailureKind::Drifted);
}
