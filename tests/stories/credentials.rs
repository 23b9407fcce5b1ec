//! A registry that asks for a token, as GHCR does.

use std::time::Duration;

use imgstack_tests::build::Kind;
use imgstack_tests::guest::Guest;
use imgstack_tests::story::Story;
use imgstack_tests::world::{World, wait_until};

both! {
    the_right_credential_is_asked_for_one_token_and_shown_nowhere,
    an_update_replaces_the_credential_that_the_service_carries,
    a_wrong_credential_is_named_with_its_source_and_nothing_changes,
    a_missing_credential_is_named_and_nothing_changes,
    a_user_without_access_is_told_so,
    the_docker_config_is_found,
    a_revoked_credential_is_replaced_in_three_services_and_no_task_restarts,
}

/// A story in the private registry with one service that has moved on, and
/// the spec's line for the registry.
async fn private(world: &World, name: &str) -> Story {
    let mut story = Story::in_registry(world, name, world.private());
    story
        .push_private(&story.path(), Kind::Good, "9b1d2e7")
        .await;
    let dir = story.dir().join(".robot");
    let config = dir.display().to_string();
    let docker = |args: &[&str]| {
        let all = [&["--config", &config][..], args].concat();
        world.docker(&all)
    };
    docker(&[
        "login",
        "-u",
        "robot",
        "-p",
        &world.password("robot"),
        world.private(),
    ]);
    let image = format!("{}:16", story.repository());
    let service = story.service("pg");
    docker(&[
        "service",
        "create",
        "--quiet",
        "--with-registry-auth",
        "--name",
        &service,
        "--update-monitor",
        "1s",
        "--update-failure-action",
        "rollback",
        &image,
    ]);
    story
        .push_private(&story.path(), Kind::Good, "abc1234")
        .await;
    story.set("LAB_PASSWORD", &world.password("robot"));
    story
}

fn spec(story: &Story, credential: &str) {
    spec_of(story, credential, &["pg"]);
}

fn spec_of(story: &Story, credential: &str, services: &[&str]) {
    let registry = format!(
        "- {{host: \"{}\", insecure: true{credential}}}",
        story.registry
    );
    let endpoint = story.world.endpoint();
    let services: Vec<(&str, &str)> = services.iter().map(|name| (*name, "")).collect();
    story.spec_full(&endpoint, &registry, "tag: \"16\"", &services);
}

async fn the_right_credential_is_asked_for_one_token_and_shown_nowhere(world: World) {
    let story = private(&world, "right").await;
    spec(&story, ", username: robot, password: {env: LAB_PASSWORD}");
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(2);
    assert_eq!(
        story.world.tokens(&story.path()),
        1,
        "more than one token for one repository"
    );
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(0);
    apply
        .says(&["Apply complete!"])
        .never_says(&[&story.world.password("robot")]);
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
}

/// The update must carry the credential: the service itself has one that is
/// no longer good, on every node that does not hold the image yet.
async fn an_update_replaces_the_credential_that_the_service_carries(world: World) {
    let story = private(&world, "carried").await;
    let service = story.service("pg");
    // An update by somebody with no rights leaves a useless credential behind.
    let config = story.dir().join(".limited").display().to_string();
    world.docker(&[
        "--config",
        &config,
        "login",
        "-u",
        "limited",
        "-p",
        &world.password("limited"),
        world.private(),
    ]);
    world.docker(&[
        "--config",
        &config,
        "service",
        "update",
        "--quiet",
        "--detach",
        "--with-registry-auth",
        "--no-resolve-image",
        "--label-add",
        "x=y",
        &service,
    ]);
    spec(&story, ", username: robot, password: {env: LAB_PASSWORD}");
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
}

async fn a_wrong_credential_is_named_with_its_source_and_nothing_changes(world: World) {
    let mut story = private(&world, "wrong").await;
    let version = story.inspect("pg")["Version"].clone();
    story.set("LAB_PASSWORD", "hunter2-marked");
    spec(&story, ", username: robot, password: {env: LAB_PASSWORD}");
    let run = story.imgstack(&["apply", "--auto-approve"]).expect(1);
    run.says(&[
        "the credential from",
        "LAB_PASSWORD",
        "was rejected",
        "help:",
        "blocked",
    ]);
    run.never_says(&["hunter2-marked", "No changes"]);
    assert_eq!(story.inspect("pg")["Version"], version);
}

async fn a_missing_credential_is_named_and_nothing_changes(world: World) {
    let story = private(&world, "missing").await;
    let version = story.inspect("pg")["Version"].clone();
    spec(&story, "");
    let run = story.imgstack(&["apply", "--auto-approve"]).expect(1);
    run.says(&["authentication required", "help:", "blocked"]);
    spec(
        &story,
        ", username: robot, password: {env: NO_SUCH_VARIABLE}",
    );
    let run = story.imgstack(&["plan"]).expect(1);
    run.says(&["NO_SUCH_VARIABLE", "not set"]);
    assert_eq!(story.inspect("pg")["Version"], version);
}

async fn a_user_without_access_is_told_so(world: World) {
    let mut story = private(&world, "limited").await;
    story.set("LAB_PASSWORD", &story.world.password("limited"));
    spec(&story, ", username: limited, password: {env: LAB_PASSWORD}");
    let run = story.imgstack(&["plan"]).expect(1);
    run.says(&["gives no access", "DENIED", "help:"]);
}

/// As `docker login` leaves it, without a word in the spec.
async fn the_docker_config_is_found(world: World) {
    let mut story = private(&world, "config").await;
    let config = story.dir().join(".robot").display().to_string();
    story.set("DOCKER_CONFIG", &config);
    spec(&story, "");
    story
        .imgstack(&["apply", "--auto-approve"])
        .expect(0)
        .says(&["Apply complete!"]);
}

/// The services that carry the credential, and one that is not in the spec.
const CARRIERS: [&str; 3] = ["pg-1", "pg-2", "pg-3"];
const STRAY: &str = "stray";

async fn a_revoked_credential_is_replaced_in_three_services_and_no_task_restarts(world: World) {
    let mut story = Story::in_registry(&world, "rotation", world.private());
    let secret = |which: &str| format!("{which}-{}", story.name);
    let (old, new, third) = (secret("old"), secret("new"), secret("third"));
    let guest = Guest::new(&world, &story.name, &old);
    let build = story
        .push_private(&story.path(), Kind::Good, "5ec4e70")
        .await;
    let config = story.log_in(guest.name(), &old);
    for name in CARRIERS.into_iter().chain([STRAY]) {
        let here = "--constraint=node.hostname==docker-infra-1";
        story.create_as(&config, name, &[here]);
    }
    let credential = ", username: {}, password: {env: LAB_PASSWORD}";
    let credential = credential.replace("{}", guest.name());
    spec_of(&story, &credential, &CARRIERS);
    // From now on it is known what they carry.
    story.set("LAB_PASSWORD", &old);
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);

    guest.revoke();
    nobody_accepts(&story, &old);

    guest.set_password(&new);
    story.set("LAB_PASSWORD", &new);
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(2);
    for name in CARRIERS {
        plan.says(&[&format!("~ rotate service.{}", story.service(name))]);
    }
    plan.says(&[
        "carries another credential than LAB_PASSWORD in the environment",
        "Plan: 0 to add, 3 to change, 0 to destroy.",
    ]);
    let check = story.imgstack(&["auth", "check"]).expect(0);
    check.says(&["3 services", "imgstack auth rotate"]);
    rotated(&story, &["auth", "rotate", "--auto-approve"]);
    assert!(!story.is_held(3, &build.digest));
    move_to(&story, "pg-1", 3, &[]);

    // An apply does as much.
    guest.set_password(&third);
    story.set("LAB_PASSWORD", &third);
    rotated(&story, &["apply", "--auto-approve"]);
    assert!(!story.is_held(2, &build.digest));
    move_to(&story, "pg-2", 2, &[]);
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
}

/// The credential is revoked: that is said, and nothing is done.
fn nobody_accepts(story: &Story, old: &str) {
    let versions = || CARRIERS.map(|name| story.inspect(name)["Version"].clone());
    let untouched = versions();
    for command in [
        &["plan"][..],
        &["apply", "--auto-approve"],
        &["auth", "check"],
        &["auth", "rotate", "--auto-approve"],
    ] {
        let run = story.imgstack(command).expect(1);
        run.says(&["LAB_PASSWORD", "was rejected"]);
        run.never_says(&["No changes", "Apply complete", old]);
    }
    assert_eq!(versions(), untouched);
    // What that means: whatever moves does not start again.
    move_to(story, STRAY, 3, &["--detach"]);
    let service = story.service(STRAY);
    wait_until("the stray to be refused", Duration::from_secs(60), || {
        let list = ["service", "ps", "--format", "{{.CurrentState}}", &service];
        story.world.docker(&list).contains("Rejected")
    });
}

/// All three services get what is the credential now, and no task restarts.
fn rotated(story: &Story, command: &[&str]) {
    let tasks = || CARRIERS.map(|name| story.tasks(name));
    let before = tasks();
    let run = story.imgstack(command).expect(0);
    run.says(&["Apply complete! Resources: 0 added, 3 changed, 0 destroyed."]);
    assert_eq!(tasks(), before, "a task was restarted");
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
}

/// Moves a service from the first node to another; unless detached, it is
/// there and runs when this returns.
fn move_to(story: &Story, name: &str, node: u8, options: &[&str]) {
    let there = format!("node.hostname==docker-infra-{node}");
    let from = ["--constraint-rm", "node.hostname==docker-infra-1"];
    let to = ["--constraint-add", &there];
    story.update(name, &[options, &from, &to].concat());
    if options.is_empty() {
        assert_eq!(story.nodes_of(name), [format!("docker-infra-{node}")]);
    }
}
