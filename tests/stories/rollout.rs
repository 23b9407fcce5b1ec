//! A tag that moved: planned, applied, and nothing left to do.

use std::time::Duration;

use imgstack_tests::build::Kind;
use imgstack_tests::story::Story;
use imgstack_tests::world::{World, wait_until};

both! {
    a_moved_tag_is_planned_applied_and_then_there_are_no_changes,
    a_bare_tag_is_brought_to_the_digest,
    the_same_build_under_another_tag_restarts_nothing,
    a_pin_holds_a_build_and_going_back_is_an_apply,
    an_update_that_is_going_on_is_left_alone,
}

/// Every service runs `build` and nothing else.
fn all_run(story: &Story, services: &[&str], digest: &str) {
    let image = format!("{}:16@{digest}", story.repository());
    for service in services {
        let running = story.running(service);
        assert!(!running.is_empty(), "{service} runs nothing");
        assert!(
            running.iter().all(|other| *other == image),
            "{service}: {running:?}"
        );
    }
}

async fn a_moved_tag_is_planned_applied_and_then_there_are_no_changes(world: World) {
    let story = Story::new(&world, "moved");
    let services = ["pg-1", "pg-2", "pg-3"];
    let old = story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg-1", &[]);
    story.create("pg-2", &["--replicas", "2"]);
    story.create("pg-3", &["--mode", "global"]);
    let after = format!(
        "      after: [{}, {}]\n",
        story.service("pg-2"),
        story.service("pg-3")
    );
    story.spec(&[("pg-1", &after), ("pg-2", ""), ("pg-3", "")]);
    story
        .imgstack(&["plan", "--detailed-exitcode"])
        .expect(0)
        .says(&["No changes."]);

    let new = story.push(Kind::Good, "abc1234").await;
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says(&[
        &old.digest[..19],
        &new.digest[..19],
        "the tag `16` moved",
        "restarts 1 task on",
        "restarts 2 tasks on",
        "restarts 3 tasks on docker-infra-1, docker-infra-2, docker-infra-3",
        "Plan: 3 to add, 3 to change, 0 to destroy.",
    ]);
    // Planning changes nothing.
    all_run(&story, &services, &old.digest);

    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(0);
    apply.says(&["Apply complete! Resources: 3 added, 3 changed, 0 destroyed."]);
    all_run(&story, &services, &new.digest);
    let at = |name: &str| {
        apply
            .stderr
            .find(&format!("{}: Updating", story.service(name)))
    };
    assert!(
        at("pg-2") < at("pg-3") && at("pg-3") < at("pg-1"),
        "{}",
        apply.stderr
    );
    // No service is touched before all nodes have what it is to run.
    let pulled = apply.stderr.rfind("image.pg: Pulled after");
    assert!(pulled.is_some() && pulled < at("pg-2"), "{}", apply.stderr);

    let done = story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    assert_eq!(
        done.stdout,
        "No changes. Your infrastructure matches the configuration.\n"
    );
    let versions = || services.map(|name| story.inspect(name)["Version"]["Index"].clone());
    let before = versions();
    story
        .imgstack(&["apply", "--auto-approve"])
        .expect(0)
        .says(&["No changes."]);
    assert_eq!(
        versions(),
        before,
        "an apply with nothing to do has sent an update"
    );
}

async fn a_bare_tag_is_brought_to_the_digest(world: World) {
    let story = Story::new(&world, "bare");
    let build = story.push(Kind::Good, "9b1d2e7").await;
    let image = format!("{}:16", story.repository());
    story.create_with("pg", &image, &["--no-resolve-image"]);
    assert_eq!(story.running("pg"), [image]);
    story.spec(&[("pg", "")]);
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says(&["runs a tag without a digest", "restarts 1 task"]);
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    all_run(&story, &["pg"], &build.digest);
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
}

async fn the_same_build_under_another_tag_restarts_nothing(world: World) {
    let story = Story::new(&world, "name");
    story.push(Kind::Good, "9b1d2e7").await;
    let image = format!("{}:16-9b1d2e7", story.repository());
    story.create_with("pg", &image, &[]);
    let tasks = story.tasks("pg");
    story.spec(&[("pg", "")]);
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    plan.says(&["under the name", "16-9b1d2e7", "(0 tasks)"]);
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    assert_eq!(story.tasks("pg"), tasks);
}

async fn a_pin_holds_a_build_and_going_back_is_an_apply(world: World) {
    let story = Story::new(&world, "pin");
    let good = story.push(Kind::Good, "9b1d2e7").await;
    story.push(Kind::Good, "abc1234").await;
    story.create("pg", &[]);
    story.spec_with("tag: \"16\"\n      pin: 16-9b1d2e7", &[("pg", "")]);
    story
        .imgstack(&["plan"])
        .expect(0)
        .says(&["the spec pins `16-9b1d2e7`", "pinned"]);
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    let image = format!("{}:16-9b1d2e7@{}", story.repository(), good.digest);
    assert_eq!(story.running("pg"), [image]);
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    // By digest: the same build, so nothing restarts.
    let pin = format!("tag: \"16\"\n      pin: {}", good.digest);
    story.spec_with(&pin, &[("pg", "")]);
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
}

async fn an_update_that_is_going_on_is_left_alone(world: World) {
    let story = Story::new(&world, "going");
    story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg", &["--replicas", "2"]);
    let new = story.push(Kind::Good, "abc1234").await;
    let image = format!("{}:16@{}", story.repository(), new.digest);
    let service = story.service("pg");
    // One task is replaced, then the delay keeps the update going.
    let args = [
        "service",
        "update",
        "--detach",
        "--update-delay",
        "1h",
        "--image",
        &image,
    ];
    story.world.docker(&[&args[..], &[&service]].concat());
    let replaced = || {
        story
            .running("pg")
            .iter()
            .filter(|running| **running == image)
            .count()
    };
    wait_until("one task to be replaced", Duration::from_secs(20), || {
        replaced() == 1
    });
    let version = story.inspect("pg")["Version"].clone();
    story.spec(&[("pg", "")]);
    for command in [&["plan"][..], &["apply", "--auto-approve"]] {
        story
            .imgstack(command)
            .expect(1)
            .says(&["an update is going on", "blocked"]);
    }
    assert_eq!(story.inspect("pg")["Version"], version);
}
