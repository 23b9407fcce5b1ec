//! A registry that asks for a token, as GHCR does.

use imgstack_tests::build::Kind;
use imgstack_tests::story::Story;
use imgstack_tests::world::World;

imgstack_tests::both! {
    the_right_credential_is_asked_for_one_token_and_shown_nowhere,
    an_update_replaces_the_credential_that_the_service_carries,
    a_wrong_credential_is_named_with_its_source_and_nothing_changes,
    a_missing_credential_is_named_and_nothing_changes,
    a_user_without_access_is_told_so,
    the_docker_config_is_found,
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
    let registry = format!(
        "- {{host: \"{}\", insecure: true{credential}}}",
        story.registry
    );
    let endpoint = story.world.endpoint();
    story.spec_full(&endpoint, &registry, "tag: \"16\"", &[("pg", "")]);
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
