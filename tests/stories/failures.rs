//! Bad days: a build that dies, one that is unhealthy, a registry that is down,
//! a person who presses Ctrl-C.

use std::net::TcpListener;
use std::time::Duration;

use imgstack_tests::build::Kind;
use imgstack_tests::proxy::Proxy;
use imgstack_tests::story::Story;
use imgstack_tests::world::{World, wait_until};

imgstack_tests::both! {
    a_dying_build_is_rolled_back_and_the_next_service_is_not_touched,
    an_unhealthy_build_is_rolled_back,
    an_update_that_the_engine_pauses_is_a_failure,
    a_dying_build_is_a_failure_although_the_engine_goes_on,
    a_rollout_that_finds_no_node_ends_at_its_deadline_and_says_why,
    with_the_registry_down_nothing_changes_and_the_reason_is_said,
    a_missing_tag_and_a_missing_service_block_only_themselves,
    an_interrupt_before_anything_is_done_says_so,
    an_interrupt_in_mid_rollout_lists_done_in_flight_and_not_started,
}

async fn a_dying_build_is_rolled_back_and_the_next_service_is_not_touched(world: World) {
    let story = Story::new(&world, "dying");
    let good = story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg-1", &[]);
    story.create("pg-2", &[]);
    let untouched = story.inspect("pg-2")["Version"].clone();
    story.push(Kind::Dying, "bad0bad").await;
    story.spec(&[("pg-1", ""), ("pg-2", "")]);
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(1);
    apply.says(&[
        "the Swarm went back to the previous spec (1 of 1 running)",
        // Why: the task, its node, its exit code and its last words.
        "pg-1.1 on docker-infra-",
        "non-zero exit (1)",
        "FATAL: data directory has wrong ownership",
        "Apply failed. Resources: 3 added, 0 changed, 0 destroyed.",
        // The nodes had it before any service was touched.
        "done         node.docker-infra-3 image.pg",
        &format!("failed       service.{}", story.service("pg-1")),
        &format!("not started  service.{}", story.service("pg-2")),
        "help:",
    ]);
    let image = format!("{}:16@{}", story.repository(), good.digest);
    assert_eq!(story.running("pg-1"), [image]);
    assert_eq!(story.inspect("pg-2")["Version"], untouched);
}

async fn an_unhealthy_build_is_rolled_back(world: World) {
    let story = Story::new(&world, "unhealthy");
    story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg", &[]);
    story.push(Kind::Unhealthy, "bad0bad").await;
    story.spec(&[("pg", "")]);
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(1);
    apply.says(&["went back to the previous spec", "unhealthy"]);
}

async fn an_update_that_the_engine_pauses_is_a_failure(world: World) {
    let story = Story::new(&world, "paused");
    let good = story.push(Kind::Good, "9b1d2e7").await;
    story.create(
        "pg",
        // The delay keeps the updater at the first task until that one fails,
        // and the monitor lasts until that is heard of.
        &[
            "--replicas=3",
            "--update-monitor=15s",
            "--update-delay=20s",
            "--update-failure-action=pause",
        ],
    );
    let bad = story.push(Kind::Dying, "bad0bad").await;
    story.spec(&[("pg", "")]);
    let plan = story.imgstack(&["plan"]).expect(0);
    plan.says(&["on failure it stops there, and imgstack goes back (pause)"]);
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(1);
    apply
        .says(&[
            "the rollout stopped half-way",
            "FATAL: data directory",
            "going back to",
            "imgstack went back to the previous spec (3 of 3 running)",
            "imgstack rollback",
        ])
        // That would now lead to the build that has failed.
        .never_says(&["docker service rollback"]);
    all_run(&story, &good.digest);
    let config = &story.inspect("pg")["Spec"]["UpdateConfig"];
    assert_eq!(config["FailureAction"], "pause");

    // Somebody else's update, which nobody leads back: two tasks still run the
    // old build, and nothing pushes the dying one onto them, nor takes the
    // engine's way back.
    let image = format!("{}:16@{}", story.repository(), bad.digest);
    story.update("pg", &["--detach", "--image", &image]);
    wait_until("the update to pause", Duration::from_secs(60), || {
        story.inspect("pg")["UpdateStatus"]["State"] == "paused"
    });
    let previous = story.inspect("pg")["PreviousSpec"].clone();
    for command in [&["plan"][..], &["apply", "--auto-approve"]] {
        story.imgstack(command).expect(1).says(&[
            "blocked",
            "stopped half-way: 2 of 3 tasks run another",
            "the last update stopped half-way",
            "push a mended build",
            "undo it: docker service rollback",
        ]);
    }
    assert_eq!(story.inspect("pg")["PreviousSpec"], previous);
    // A mended build goes on from there.
    story.push(Kind::Good, "c0ffee0").await;
    story
        .imgstack(&["plan"])
        .expect(0)
        .says(&["restarts 3 tasks on"]);
}

/// Every task of `pg` runs that build.
#[track_caller]
fn all_run(story: &Story, digest: &str) {
    let image = format!("{}:16@{digest}", story.repository());
    let running = story.running("pg");
    assert!(running.iter().all(|it| *it == image), "{running:?}");
}

/// The engine calls it completed; imgstack looks at the tasks.
async fn a_dying_build_is_a_failure_although_the_engine_goes_on(world: World) {
    let story = Story::new(&world, "continue");
    let good = story.push(Kind::Good, "9b1d2e7").await;
    story.create(
        "pg",
        &[
            "--update-failure-action",
            "continue",
            "--restart-delay",
            "1s",
        ],
    );
    let bad = story.push(Kind::Dying, "bad0bad").await;
    story.spec(&[("pg", "      rollout: {timeout: 30s}\n")]);
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(1);
    apply.says(&[
        "FATAL: data directory",
        "the Swarm calls the update completed, yet tasks of the new build die",
        "imgstack went back to the previous spec (1 of 1 running)",
        "Apply failed.",
    ]);
    all_run(&story, &good.digest);
    // Somebody else's update, which nobody leads back.
    let image = format!("{}:16@{}", story.repository(), bad.digest);
    story.update("pg", &["--detach", "--image", &image]);
    wait_until("the update to end", Duration::from_secs(60), || {
        story.inspect("pg")["UpdateStatus"]["State"] == "completed"
    });
    // The service asks for what the spec wants, and that is not enough.
    for command in [&["plan"][..], &["apply", "--auto-approve"]] {
        story
            .imgstack(command)
            .expect(1)
            .says(&["asks for the wanted build, and 0 of 1 tasks run", "blocked"])
            .never_says(&["No changes", "Apply complete"]);
    }
}

/// The engine would wait for ever.
async fn a_rollout_that_finds_no_node_ends_at_its_deadline_and_says_why(world: World) {
    let story = Story::new(&world, "deadline");
    let good = story.push(Kind::Good, "9b1d2e7").await;
    // Two of them on one node do not fit, and the new one is to start first.
    let whole = "--constraint=node.hostname==docker-infra-2";
    story.create(
        "pg",
        &[
            "--reserve-memory",
            "13G",
            "--update-order",
            "start-first",
            whole,
        ],
    );
    story.push(Kind::Good, "abc1234").await;
    story.spec(&[("pg", "      rollout: {timeout: 8s}\n")]);
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(1);
    apply.says(&[
        "not converged within 8 s",
        "no suitable node",
        "insufficient resources",
        "imgstack went back to the previous spec (1 of 1 running)",
        "docker service ps --no-trunc",
    ]);
    all_run(&story, &good.digest);
    // Nothing of the attempt is left, so the next plan is not held up by it.
    story
        .imgstack(&["plan"])
        .expect(0)
        .never_says(&["an update is going on"]);
}

async fn with_the_registry_down_nothing_changes_and_the_reason_is_said(world: World) {
    let proxy = Proxy::to_anonymous(&world);
    let story = Story::in_registry(&world, "down", proxy.address());
    let build = story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg", &[]);
    let version = story.inspect("pg")["Version"].clone();
    story.push(Kind::Good, "abc1234").await;
    story.spec(&[("pg", "")]);
    story
        .imgstack(&["plan", "--detailed-exitcode", "--out", "p.json"])
        .expect(2);
    let address = proxy.address().to_owned();
    drop(proxy);
    for command in [
        &["plan", "--detailed-exitcode"][..],
        &["apply", "--auto-approve"],
    ] {
        let run = story.imgstack(command).expect(1);
        run.says(&[
            &address,
            "Connection refused",
            "image.pg",
            "unknown",
            "blocked",
        ]);
        run.never_says(&["No changes", "Apply complete"]);
    }
    // Whether a plan still fits is unknown, which is not stale.
    let unchecked = story.imgstack(&["apply", "p.json"]).expect(1);
    unchecked
        .says(&["cannot be held against the world", &address])
        .never_says(&["stale"]);
    // A plan that could not be made is none to be carried out, and says so.
    story.imgstack(&["plan", "--out", "q.json"]).expect(1);
    let blocked = story.imgstack(&["apply", "q.json"]).expect(1);
    blocked.says(&["blocked", &address]);
    assert_eq!(story.inspect("pg")["Version"], version);
    let image = format!("{}:16@{}", story.repository(), build.digest);
    assert_eq!(story.running("pg"), [image]);
}

/// What one tag or one service lacks blocks what needs it and no others.
async fn a_missing_tag_and_a_missing_service_block_only_themselves(world: World) {
    let story = Story::new(&world, "missing");
    story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg-1", &[]);
    story.create("pg-2", &[]);
    story.push(Kind::Good, "abc1234").await;
    let (endpoint, repository) = (world.endpoint(), story.repository());
    let registry = format!("- {{host: \"{}\", insecure: true}}", story.registry);
    let later = format!(
        "tag: \"16\"\n    - name: later\n      repository: {repository}\n      tag: \"17\""
    );
    story.spec_full(
        &endpoint,
        &registry,
        &later,
        &[("pg-1", ""), ("pg-l", ""), ("pg-2", "      image: later\n")],
    );
    let plan = story.imgstack(&["plan"]).expect(1);
    plan.says(&[
        "there is no such service in the Swarm",
        &format!("did you mean `{}`?", story.service("pg-1")),
        "image.later: ",
        "no tag `17`",
        "absent",
        "waits for image.later",
        // What is blocked has nothing pulled for it.
        "Plan: 3 to add, 1 to change, 0 to destroy. 2 blocked.",
    ]);
    let untouched = story.inspect("pg-2")["Version"].clone();
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(1);
    apply.says(&["Resources: 3 added, 1 changed, 0 destroyed."]);
    assert_eq!(story.inspect("pg-2")["Version"], untouched);
}

async fn an_interrupt_before_anything_is_done_says_so(world: World) {
    let story = Story::new(&world, "prompt-int");
    story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg", &[]);
    story.push(Kind::Good, "abc1234").await;
    story.spec(&[("pg", "")]);
    let version = story.inspect("pg")["Version"].clone();
    let mut apply = story.start_attended(&["apply"]);
    apply.hear("Enter a value: ");
    apply.signal("INT");
    apply.wait().expect(130).says(&["nothing was done"]);
    // While the world is read: a registry that takes a connection and is silent.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let repository = format!("{}/{}", silent.local_addr().unwrap(), story.path());
    let spec = story.file("imgstack.yaml");
    let text = std::fs::read_to_string(&spec).unwrap();
    std::fs::write(&spec, text.replace(&story.repository(), &repository)).unwrap();
    let apply = story.start(&["apply", "--auto-approve"]);
    // It has asked: its handlers are in place.
    drop(silent.accept().unwrap());
    apply.signal("INT");
    apply.wait().expect(130).says(&["nothing was done"]);
    assert_eq!(story.inspect("pg")["Version"], version);
}

async fn an_interrupt_in_mid_rollout_lists_done_in_flight_and_not_started(world: World) {
    let story = Story::new(&world, "interrupt");
    story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg-1", &[]);
    // Long enough to be interrupted in.
    story.create("pg-2", &["--update-monitor", "20s"]);
    story.create("pg-3", &[]);
    let untouched = story.inspect("pg-3")["Version"].clone();
    let new = story.push(Kind::Good, "abc1234").await;
    story.spec(&[("pg-1", ""), ("pg-2", ""), ("pg-3", "")]);
    let apply = story.start(&["apply", "--auto-approve"]);
    let image = format!("{}:16@{}", story.repository(), new.digest);
    wait_until(
        "the second service to be in flight",
        Duration::from_secs(40),
        || {
            story.inspect("pg-2")["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
                == image.as_str()
        },
    );
    apply.signal("INT");
    let apply = apply.wait().expect(130);
    apply.says(&[
        "Apply interrupted.",
        &format!("done         service.{}", story.service("pg-1")),
        &format!("in flight    service.{}", story.service("pg-2")),
        &format!("not started  service.{}", story.service("pg-3")),
        "imgstack status",
    ]);
    assert_eq!(story.inspect("pg-3")["Version"], untouched);
    // Nothing is half-done that a second apply does not finish.
    wait_until(
        "the Swarm to end the rollout in flight",
        Duration::from_secs(60),
        || story.inspect("pg-2")["UpdateStatus"]["State"] == "completed",
    );
    story
        .imgstack(&["apply", "--auto-approve"])
        .expect(0)
        .says(&["1 changed"]);
}
