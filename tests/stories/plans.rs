//! Plans as things: the same bytes, shown again, refused when stale, narrowed.

use imgstack_tests::build::Kind;
use imgstack_tests::story::Story;
use serde_json::Value;

async fn one_change(name: &str) -> Story {
    let story = Story::new(name);
    story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg", &[]);
    story.push(Kind::Good, "abc1234").await;
    story.spec(&[("pg", "")]);
    story
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_plan_made_twice_is_the_same_but_for_the_time() {
    let story = one_change("twice").await;
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

#[tokio::test]
#[ignore = "needs the lab"]
async fn show_prints_what_plan_printed() {
    let story = one_change("show").await;
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

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_plan_made_stale_by_somebody_elses_update_is_refused_with_both_values() {
    let story = one_change("stale").await;
    story.imgstack(&["plan", "--out", "p.json"]).expect(0);
    let service = story.service("pg");
    let update = |options: &[&str]| {
        let start = ["service", "update", "--quiet"];
        story
            .lab
            .docker(&[&start[..], options, &[&service]].concat());
    };
    update(&["--limit-memory", "64M"]);
    let version = story.inspect("pg")["Version"].clone();
    let refused = story.imgstack(&["apply", "p.json"]).expect(1);
    refused.says(&[
        "the plan is stale",
        &format!("service.{service}: resources.Limits.MemoryBytes: (none) -> 67108864"),
        // And the plan as it would be now.
        "Plan: 0 to add, 1 to change, 0 to destroy.",
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

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_plan_made_stale_by_a_tag_that_moved_again_is_refused() {
    let story = one_change("again").await;
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

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_target_narrows_the_plan_and_a_mistyped_one_is_an_error() {
    let story = one_change("target").await;
    story.create("pg-2", &[]);
    story.lab.docker(&[
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

#[tokio::test]
#[ignore = "needs the lab"]
async fn one_head_a_reference_and_no_other_request_when_nothing_moved() {
    let story = Story::new("requests");
    story.push(Kind::Good, "9b1d2e7").await;
    for name in ["pg-1", "pg-2", "pg-3"] {
        story.create(name, &[]);
    }
    story.spec(&[("pg-1", ""), ("pg-2", ""), ("pg-3", "")]);
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    let head = format!("HEAD /v2/{}/manifests/16", story.path());
    assert_eq!(story.lab.requests("anonymous", &story.path()), [head]);
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn status_shows_which_build_runs_where() {
    let story = one_change("status").await;
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

#[tokio::test]
#[ignore = "needs the lab"]
async fn without_a_yes_nothing_is_done() {
    let story = one_change("prompt").await;
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

#[tokio::test]
#[ignore = "needs the lab"]
async fn ndjson_is_one_event_a_line_from_the_plan_to_the_end() {
    let story = one_change("ndjson").await;
    let run = story
        .imgstack(&["apply", "-o", "ndjson", "--auto-approve"])
        .expect(0);
    let lines: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["formatVersion"], "1.0");
    assert_eq!(
        lines[0]["plan"]["stacks"][0]["steps"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let types: Vec<&str> = lines[1..]
        .iter()
        .map(|l| l["event"]["type"].as_str().unwrap())
        .collect();
    assert_eq!(types[..2], ["apply_started", "step_started"]);
    assert_eq!(
        types[types.len() - 2..],
        ["step_succeeded", "apply_finished"]
    );
}
