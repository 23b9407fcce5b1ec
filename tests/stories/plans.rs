//! Plans as things: the same bytes, shown again, refused when stale, narrowed.

use imgstack_tests::build::Kind;
use imgstack_tests::story::Story;
use imgstack_tests::world::World;
use serde_json::Value;

imgstack_tests::both! {
    a_plan_made_twice_is_the_same_but_for_the_time,
    show_prints_what_plan_printed,
    a_plan_made_stale_by_somebody_elses_update_is_refused_with_both_values,
    a_plan_made_stale_by_a_tag_that_moved_again_is_refused,
    a_plan_that_somebody_edited_is_refused,
    a_target_narrows_the_plan_and_a_mistyped_one_is_an_error,
    one_head_a_reference_and_no_other_request_when_nothing_moved,
    status_shows_which_build_runs_where,
    without_a_yes_nothing_is_done,
    a_yes_is_typed_out_and_does_what_was_shown,
    a_change_while_the_question_waits_is_not_overwritten,
    ndjson_is_one_event_a_line_from_the_plan_to_the_end,
}

async fn one_change(world: &World, name: &str) -> Story {
    let story = Story::new(world, name);
    story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg", &[]);
    story.push(Kind::Good, "abc1234").await;
    story.spec(&[("pg", "")]);
    story
}

async fn a_plan_made_twice_is_the_same_but_for_the_time(world: World) {
    let story = one_change(&world, "twice").await;
    let plan = || {
        let run = story.imgstack(&["plan", "-o", "json"]).expect(0);
        let mut plan: Value = serde_json::from_str(&run.stdout).unwrap();
        let time = plan["createdAt"].take();
        assert!(time.is_string());
        let time = time.as_str().unwrap().to_owned();
        run.stdout.replace(&time, "")
    };
    assert_eq!(plan(), plan());
}

async fn show_prints_what_plan_printed(world: World) {
    let story = one_change(&world, "show").await;
    let planned = story.imgstack(&["plan", "--out", "p.json"]).expect(0);
    planned.says(&["Saved the plan to p.json", "imgstack apply p.json"]);
    let shown = story.imgstack(&["show", "p.json"]).expect(0);
    assert_eq!(shown.stdout, planned.stdout);
    let json = story.imgstack(&["show", "p.json", "-o", "json"]).expect(0);
    assert_eq!(
        json.stdout,
        std::fs::read_to_string(story.file("p.json")).unwrap()
    );
}

async fn a_plan_made_stale_by_somebody_elses_update_is_refused_with_both_values(world: World) {
    let story = one_change(&world, "stale").await;
    story.imgstack(&["plan", "--out", "p.json"]).expect(0);
    let service = story.service("pg");
    let update = |options: &[&str]| {
        let start = ["service", "update", "--quiet"];
        story
            .world
            .docker(&[&start[..], options, &[&service]].concat());
    };
    update(&["--limit-memory", "64M"]);
    let version = story.inspect("pg")["Version"].clone();
    let refused = story.imgstack(&["apply", "p.json"]).expect(1);
    refused.says(&[
        "the plan is stale",
        &format!("service.{service}: resources.Limits.MemoryBytes: (none) -> 67108864"),
        // And the plan as it would be now.
        "Plan: 3 to add, 1 to change, 0 to destroy.",
    ]);
    assert_eq!(
        story.inspect("pg")["Version"],
        version,
        "a stale plan was carried out"
    );

    // A value that may be secret is named as moved, and not shown.
    story.imgstack(&["plan", "--out", "p.json"]).expect(0);
    update(&["--env-add", "PGPASSWORD=hunter2"]);
    let refused = story.imgstack(&["apply", "p.json"]).expect(1);
    refused
        .says(&["env: (none) -> PGPASSWORD"])
        .never_says(&["hunter2"]);

    // The image, by somebody who was faster.
    story.imgstack(&["plan", "--out", "p.json"]).expect(0);
    let other = format!("{}:16-9b1d2e7", story.repository());
    update(&["--image", &other]);
    let refused = story.imgstack(&["apply", "p.json"]).expect(1);
    refused.says(&[
        &format!("service.{service}: image: "),
        ":16@sha256:",
        " -> ",
        &other,
    ]);
}

async fn a_plan_made_stale_by_a_tag_that_moved_again_is_refused(world: World) {
    let story = one_change(&world, "again").await;
    story.imgstack(&["plan", "--out", "p.json"]).expect(0);
    let newest = story.push(Kind::Good, "fffffff").await;
    let refused = story.imgstack(&["apply", "p.json"]).expect(1);
    refused.says(&["the plan is stale", "image.pg", " -> ", &newest.digest]);
    story.imgstack(&["plan", "--out", "p.json"]).expect(0);
    story
        .imgstack(&["apply", "p.json"])
        .expect(0)
        .says(&["Apply complete!"]);
    // A plan that was carried out is stale.
    story
        .imgstack(&["apply", "p.json"])
        .expect(1)
        .says(&["the plan is stale"]);
}

async fn a_plan_that_somebody_edited_is_refused(world: World) {
    let story = one_change(&world, "edited").await;
    let version = story.inspect("pg")["Version"].clone();
    story.imgstack(&["plan", "--out", "p.json"]).expect(0);
    let text = std::fs::read_to_string(story.file("p.json")).unwrap();
    let evil = format!("evil.example/x:1@sha256:{}", "0".repeat(64));
    // (the step, the value in it)
    for (action, pointer, words) in [
        ("updateService", "/image/to", "image.to"),
        ("pullImage", "/reference", "reference"),
    ] {
        let mut plan: Value = serde_json::from_str(&text).unwrap();
        let steps = plan["stacks"][0]["steps"].as_array_mut().unwrap();
        let step = steps.iter_mut().find_map(|it| it["action"].get_mut(action));
        *step.unwrap().pointer_mut(pointer).unwrap() = evil.as_str().into();
        std::fs::write(story.file("p.json"), plan.to_string()).unwrap();
        let refused = story.imgstack(&["apply", "p.json"]).expect(1);
        refused.says(&[&format!("{words}: {evil} -> "), "nothing was done"]);
    }
    assert_eq!(story.inspect("pg")["Version"], version);
}

async fn a_target_narrows_the_plan_and_a_mistyped_one_is_an_error(world: World) {
    let story = one_change(&world, "target").await;
    story.create("pg-2", &[]);
    story.world.docker(&[
        "service",
        "update",
        "--quiet",
        "--image",
        &format!("{}:16-9b1d2e7", story.repository()),
        &story.service("pg-2"),
    ]);
    story.spec(&[("pg", ""), ("pg-2", "")]);
    let target = format!("service.{}", story.service("pg-2"));
    let plan = story.imgstack(&["plan", "-target", &target]).expect(0);
    plan.says(&["1 to change", "1 more change is left out by --target"]);
    let wrong = format!("service.{}", story.service("pg-3"));
    let refused = story.imgstack(&["plan", "--target", &wrong]).expect(1);
    refused.says(&["is not in the spec", "did you mean"]);
}

/// Three services, and two entries for one reference: one question.
async fn one_head_a_reference_and_no_other_request_when_nothing_moved(world: World) {
    let story = Story::new(&world, "requests");
    story.push(Kind::Good, "9b1d2e7").await;
    for name in ["pg-1", "pg-2", "pg-3"] {
        story.create(name, &[]);
    }
    let (endpoint, repository) = (world.endpoint(), story.repository());
    let registry = format!("- {{host: \"{}\", insecure: true}}", story.registry);
    let twice = format!(
        "tag: \"16\"\n    - name: again\n      repository: {repository}\n      tag: \"16\""
    );
    let services = [("pg-1", ""), ("pg-2", ""), ("pg-3", "      image: again\n")];
    story.spec_full(&endpoint, &registry, &twice, &services);
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    let head = format!("HEAD /v2/{}/manifests/16", story.path());
    let requests = story.world.requests("anonymous", &story.path());
    assert_eq!(requests, std::slice::from_ref(&head));
    // Two stacks that know the registry in the same way ask it once.
    let file = story.file("imgstack.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let both = ["pg-1", "pg-2"].map(|name| {
        story.spec(&[(name, "")]);
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.replace("metadata: {name: ", &format!("metadata: {{name: {name}-"));
        // Names of images are unique over all stacks.
        text.replace("name: pg\n", &format!("name: image-{name}\n"))
            .replace("image: pg\n", &format!("image: image-{name}\n"))
    });
    std::fs::write(&file, both.join("---\n")).unwrap();
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    let requests = story.world.requests("anonymous", &story.path());
    assert_eq!(requests, [head.clone(), head.clone()]);
    std::fs::write(&file, text).unwrap();
    // A tag that moved is asked for by name once a run, too; what the builds
    // hold is read by digest, and kept. A build is pulled once a node.
    story.push(Kind::Good, "abc1234").await;
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says(&["Plan: 3 to add, 3 to change"]);
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    let requests = story.world.requests("anonymous", &story.path());
    let named = requests.iter().filter(|request| request.ends_with("/16"));
    assert_eq!(named.clone().count(), 4, "{requests:?}");
    assert!(
        named.clone().all(|request| **request == head),
        "{requests:?}"
    );
    let mut unique = requests.clone();
    unique.retain(|request| *request != head);
    unique.sort();
    let all = unique.len();
    unique.dedup();
    assert_eq!(unique.len(), all, "asked for a digest twice: {requests:?}");
}

async fn status_shows_which_build_runs_where(world: World) {
    let story = one_change(&world, "status").await;
    let status = story.imgstack(&["status"]).expect(0);
    status.says(&[
        "SERVICE",
        &story.service("pg"),
        "docker-infra-",
        "running",
        "another build",
    ]);
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    let status = story.imgstack(&["status"]).expect(0);
    status.says(&["wanted"]).never_says(&["another build"]);
    let json = story.imgstack(&["status", "-o", "json"]).expect(0);
    let status: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(status["stacks"][0]["images"][0]["tasks"][0]["wanted"], true);
}

async fn without_a_yes_nothing_is_done(world: World) {
    let story = one_change(&world, "prompt").await;
    let version = story.inspect("pg")["Version"].clone();
    let refused = story.imgstack(&["apply"]).expect(1);
    refused.says(&[
        "Only 'yes' will be accepted",
        "nothing was done",
        "--auto-approve",
    ]);
    let refused = story.imgstack(&["apply", "-o", "ndjson"]).expect(1);
    refused.says(&["does not ask", "--auto-approve"]);
    assert_eq!(story.inspect("pg")["Version"], version);
}

async fn a_yes_is_typed_out_and_does_what_was_shown(world: World) {
    let story = one_change(&world, "yes").await;
    let version = story.inspect("pg")["Version"].clone();
    for answer in ["y", "YES", ""] {
        let mut apply = story.start_attended(&["apply"]);
        apply.hear("Enter a value: ");
        apply.type_line(answer);
        apply
            .wait()
            .expect(1)
            .says(&["apply cancelled", "nothing was done"]);
    }
    assert_eq!(story.inspect("pg")["Version"], version);
    let mut apply = story.start_attended(&["apply"]);
    apply.hear("Enter a value: ");
    apply.type_line("yes");
    apply.wait().expect(0).says(&["Apply complete!"]);
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
}

/// The last guard is the executor's: a person may take an hour to answer.
async fn a_change_while_the_question_waits_is_not_overwritten(world: World) {
    let story = one_change(&world, "late").await;
    let mut apply = story.start_attended(&["apply"]);
    apply.hear("Enter a value: ");
    let service = story.service("pg");
    let change = ["service", "update", "--quiet", "--env-add", "A=1", &service];
    story.world.docker(&change);
    let image = story.inspect("pg")["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"].clone();
    apply.type_line("yes");
    apply.wait().expect(1).says(&[
        "the service was changed since the plan was made",
        "Apply failed.",
        "imgstack plan",
    ]);
    let spec = &story.inspect("pg")["Spec"]["TaskTemplate"]["ContainerSpec"];
    assert_eq!(spec["Image"], image);
    assert_eq!(spec["Env"], serde_json::json!(["A=1"]));
}

async fn ndjson_is_one_event_a_line_from_the_plan_to_the_end(world: World) {
    let story = one_change(&world, "ndjson").await;
    let run = story
        .imgstack(&["apply", "-o", "ndjson", "--auto-approve"])
        .expect(0);
    let lines: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["formatVersion"], "1.0");
    let steps = lines[0]["plan"]["stacks"][0]["steps"].as_array().unwrap();
    let ids: Vec<&Value> = steps.iter().map(|step| &step["id"]).collect();
    assert_eq!(ids.len(), 4, "three pulls and an update: {ids:?}");
    let events: Vec<&Value> = lines[1..].iter().map(|line| &line["event"]).collect();
    let of = |kind: &str| -> Vec<&Value> {
        let events = events.iter().filter(|event| event["type"] == kind);
        events.map(|event| &event["step"]).collect()
    };
    let types: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(types[..2], ["apply_started", "step_started"]);
    assert_eq!(
        types[types.len() - 3..],
        ["step_succeeded", "release_written", "apply_finished"]
    );
    // The update is last; nodes pull side by side and end as they do.
    assert_eq!(of("step_started"), ids);
    let mut ended = of("step_succeeded");
    assert_eq!(ended.last(), ids.last());
    ended.sort_by_key(|id| id.to_string());
    assert_eq!(ended, ids);
}
