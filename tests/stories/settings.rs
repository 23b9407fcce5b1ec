//! Rollout settings of the spec: alone, with an image, and on a bad day.

use imgstack_tests::build::Kind;
use imgstack_tests::story::Story;
use imgstack_tests::world::World;
use serde_json::{Value, json};

imgstack_tests::both! {
    settings_alone_restart_nothing_and_then_there_are_no_changes,
    settings_and_an_image_are_one_update,
    what_happens_on_failure_is_what_the_update_itself_carries,
    a_saved_plan_names_a_setting_that_moved,
}

/// `UpdateConfig` as the engine has it.
fn config(story: &Story, service: &str) -> Value {
    story.inspect(service)["Spec"]["UpdateConfig"].clone()
}

async fn settings_alone_restart_nothing_and_then_there_are_no_changes(world: World) {
    let story = Story::new(&world, "settings");
    story.push(Kind::Good, "9b1d2e7").await;
    let options = ["--replicas=2", "--update-delay=3s", "--env=A=1"];
    story.create("pg", &options);
    story.create("bare", &[]);
    let (tasks, before) = (story.tasks("pg"), story.inspect("pg"));
    let rollout = "      rollout: {order: start-first, parallelism: 0, monitor: 2s, onFailure: pause, timeout: 1m}\n";
    story.spec(&[("pg", rollout), ("bare", "")]);
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says(&[
        "the spec asks for another `order`, `parallelism`, `monitor`, `onFailure`",
        &format!("~ adjust   service.{}", story.service("pg")),
        "restarts nothing",
        "~ update_config.order  stop-first -> start-first",
        "~ update_config.parallelism  1 -> 0 (all at once)",
        "~ update_config.monitor  1s -> 2s",
        "~ update_config.failure_action  rollback -> pause",
        "Plan: 0 to add, 1 to change, 0 to destroy.",
    ]);
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(0);
    apply.says(&[
        "Changing the settings...",
        "Settings changed after",
        "Apply complete! Resources: 0 added, 1 changed, 0 destroyed.",
    ]);
    assert_eq!(story.tasks("pg"), tasks, "a task was restarted");
    let mut expected = before["Spec"].clone();
    let set = &mut expected["UpdateConfig"];
    set["Order"] = json!("start-first");
    set["Parallelism"] = json!(0);
    set["Monitor"] = json!(2_000_000_000_u64);
    set["FailureAction"] = json!("pause");
    let mut after = story.inspect("pg")["Spec"].clone();
    let label = |spec: &Value| spec["Labels"]["dev.imgstack.plan"].clone();
    assert!(label(&after).is_string(), "{after}");
    after["Labels"] = expected["Labels"].clone();
    assert_eq!(after, expected, "something else has changed");
    let done = story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    done.says(&["No changes."]);
    // What the spec no longer says stays as it is.
    story.spec(&[("pg", ""), ("bare", "")]);
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
}

async fn settings_and_an_image_are_one_update(world: World) {
    let story = Story::new(&world, "together");
    story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg", &[]);
    let before = story.inspect("pg")["Spec"].clone();
    let new = story.push(Kind::Good, "abc1234").await;
    let rollout = "      rollout: {order: start-first, monitor: 3s}\n";
    story.spec(&[("pg", rollout)]);
    let plan = story.imgstack(&["plan"]).expect(0);
    plan.says(&[
        "the tag `16` moved",
        "start-first, on failure it goes back (rollback)",
        "~ image",
        "~ update_config.order  stop-first -> start-first",
        "~ update_config.monitor  1s -> 3s",
        "1 to change",
    ])
    .never_says(&["adjust"]);
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    let image = format!("{}:16@{}", story.repository(), new.digest);
    assert_eq!(story.running("pg"), [image]);
    assert_eq!(config(&story, "pg")["Order"], "start-first");
    assert_eq!(config(&story, "pg")["Monitor"], 3_000_000_000_u64);
    // One update has led here from there.
    let previous = story.inspect("pg")["PreviousSpec"].clone();
    for place in ["/TaskTemplate/ContainerSpec/Image", "/UpdateConfig"] {
        assert_eq!(previous.pointer(place), before.pointer(place), "{place}");
    }
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
}

async fn what_happens_on_failure_is_what_the_update_itself_carries(world: World) {
    let story = Story::new(&world, "onfailure");
    let good = story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg", &["--update-failure-action=pause"]);
    story.push(Kind::Dying, "bad0bad").await;
    let rollout = "      rollout: {onFailure: rollback, monitor: 10s}\n";
    story.spec(&[("pg", rollout)]);
    story.imgstack(&["plan"]).expect(0).says(&[
        "on failure it goes back (rollback)",
        "~ update_config.failure_action  pause -> rollback",
    ]);
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(1);
    apply.says(&[
        "went back to the previous spec (1 of 1 running)",
        "FATAL: data directory",
    ]);
    let image = format!("{}:16@{}", story.repository(), good.digest);
    assert_eq!(story.running("pg"), [image]);
    // The engine went back to all that was there before.
    assert_eq!(config(&story, "pg")["FailureAction"], "pause");
    assert_eq!(config(&story, "pg")["Monitor"], 1_000_000_000_u64);
    // With the good build held, the settings come alone.
    let tasks = story.tasks("pg");
    let pin = format!("tag: \"16\"\n      pin: {}", good.digest);
    story.spec_with(&pin, &[("pg", rollout)]);
    story
        .imgstack(&["plan"])
        .expect(0)
        .says(&["~ adjust", "restarts nothing"]);
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    assert_eq!(story.tasks("pg"), tasks);
    assert_eq!(config(&story, "pg")["FailureAction"], "rollback");
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
}

async fn a_saved_plan_names_a_setting_that_moved(world: World) {
    let story = Story::new(&world, "setmoved");
    story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg", &[]);
    story.spec(&[("pg", "      rollout: {order: start-first}\n")]);
    story.imgstack(&["plan", "--out", "it.plan"]).expect(0);
    story.update("pg", &["--update-parallelism=7"]);
    let version = story.inspect("pg")["Version"].clone();
    let refused = story.imgstack(&["apply", "it.plan"]).expect(1);
    refused.says(&[
        &format!("service.{}", story.service("pg")),
        "updateConfig.Parallelism",
        "1",
        "7",
        "~ update_config.order  stop-first -> start-first",
    ]);
    assert_eq!(story.inspect("pg")["Version"], version);
    story.imgstack(&["plan", "--out", "it.plan"]).expect(0);
    story.imgstack(&["apply", "it.plan"]).expect(0);
    assert_eq!(config(&story, "pg")["Parallelism"], 7);
    assert_eq!(config(&story, "pg")["Order"], "start-first");
}
