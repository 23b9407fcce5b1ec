//! Dispatches, runs, jobs and logs.

use super::*;

const DISPATCH: &str = "/repos/acme/stacks/actions/workflows/build.yml/dispatches";

#[tokio::test(start_paused = true)]
async fn a_dispatched_run_goes_its_way_and_its_build_arrives() {
    let world = World::new().await;
    world.github.set_head("acme", "stacks", "main", "abc1234");
    let body = json!({"ref": "main", "inputs": {"nonce": "n-7"}, "return_run_details": true});
    let told = world
        .send("POST", DISPATCH, "github_pat_write", &body)
        .await;
    assert_eq!(told.status(), 200);
    let told: Value = told.json().await.unwrap();
    let id = told["workflow_run_id"].as_u64().unwrap();
    let path = format!("/repos/acme/stacks/actions/runs/{id}");
    assert_eq!(told["run_url"], format!("{}{path}", world.url));
    assert_eq!(
        told["html_url"],
        format!("https://github.com/acme/stacks/actions/runs/{id}")
    );

    let run = world.get(&path).await;
    assert_eq!(run["display_title"], "Build n-7");
    assert_eq!(run["path"], ".github/workflows/build.yml");
    assert_eq!(
        (&run["event"], &run["head_sha"]),
        (&json!("workflow_dispatch"), &json!("abc1234"))
    );
    assert_eq!(
        (&run["status"], &run["conclusion"]),
        (&json!("queued"), &Value::Null)
    );
    let jobs = format!("{path}/jobs");
    assert_eq!(world.get(&jobs).await["jobs"][0]["steps"], json!([]));
    wait(20).await;
    let job = world.get(&jobs).await["jobs"][0].clone();
    let step = |n: usize| {
        let step = &job["steps"][n];
        format!("{} {} {}", step["name"], step["status"], step["conclusion"])
    };
    assert_eq!(job["status"], "in_progress");
    assert_eq!(step(0), r#""checkout" "completed" "success""#);
    assert_eq!(step(1), r#""push" "in_progress" null"#);
    assert_eq!(world.registry.digest("acme/db", "16"), None);
    wait(46).await;
    let run = world.get(&path).await;
    assert_eq!(
        (&run["status"], &run["conclusion"]),
        (&json!("completed"), &json!("success"))
    );
    assert_eq!(run["updated_at"], "2026-02-09T04:01:05Z");
    assert!(world.registry.digest("acme/db", "16").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_fails_says_where_and_its_log_why() {
    let world = World::new().await;
    let steps = vec![
        Step::new("checkout", 10),
        Step::failing(
            "build",
            20,
            &["pip install patroni==9", "ERROR: no such version"],
        ),
        Step::new("push", 30),
    ];
    let bad = Script::new("build", steps).then(|_| panic!("nothing was built"));
    world.github.set_script("acme", "stacks", "build.yml", bad);
    let id = world
        .github
        .start(("acme", "stacks"), "build.yml", "push", "main")
        .unwrap();
    let path = format!("/repos/acme/stacks/actions/runs/{id}");
    let job = world.get(&format!("{path}/jobs")).await["jobs"][0].clone();
    let logs = format!("/repos/acme/stacks/actions/jobs/{}/logs", job["id"]);
    assert_eq!(
        world.outcome("GET", &logs, "ghp_all", &Value::Null).await,
        "404 Not Found"
    );
    wait(36).await;
    assert_eq!(world.get(&path).await["conclusion"], "failure");
    let job = world.get(&format!("{path}/jobs")).await["jobs"][0].clone();
    let steps = job["steps"].as_array().unwrap().iter();
    let conclusions: Vec<_> = steps
        .map(|step| step["conclusion"].as_str().unwrap())
        .collect();
    assert_eq!(conclusions, ["success", "failure", "skipped"]);

    let redirect = world.send("GET", &logs, "ghp_all", &Value::Null).await;
    assert_eq!(redirect.status(), 302);
    let there = header(&redirect, "location");
    let log = world
        .http
        .get(there)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        log.contains("2026-02-09T04:00:35.0000000Z ERROR: no such version\n"),
        "{log}"
    );
    assert!(log.contains("##[error]") && !log.contains("push"), "{log}");
    let forged = there.split('?').next().unwrap();
    assert_eq!(world.http.get(forged).send().await.unwrap().status(), 403);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_or_takes_too_long_pushes_nothing() {
    let world = World::new().await;
    let start = || {
        let repository = ("acme", "stacks");
        world.github.start(repository, "build.yml", "push", "main")
    };
    let path = |id: u64| format!("/repos/acme/stacks/actions/runs/{id}");
    let id = start().unwrap();
    wait(20).await;
    world.github.cancel(id);
    wait(100).await;
    assert_eq!(world.get(&path(id)).await["conclusion"], "cancelled");
    let job = world.get(&format!("{}/jobs", path(id))).await["jobs"][0].clone();
    let conclusions = |job: &Value| {
        let steps = job["steps"].as_array().unwrap().iter();
        let words = steps.map(|step| step["conclusion"].as_str().unwrap_or("none").to_owned());
        words.collect::<Vec<_>>()
    };
    assert_eq!(conclusions(&job), ["success", "cancelled"]);
    assert_eq!(job["completed_at"], "2026-02-09T04:00:20Z");
    assert_eq!(world.registry.digest("acme/db", "16"), None);

    let steps = vec![Step::endless("build", 20), Step::new("push", 30)];
    let bad = Script::new("build", steps).then(|_| panic!("nothing was built"));
    world.github.set_script("acme", "stacks", "build.yml", bad);
    let id = start().unwrap();
    wait(100).await;
    assert_eq!(world.get(&path(id)).await["conclusion"], "timed_out");
    let job = world.get(&format!("{}/jobs", path(id))).await["jobs"][0].clone();
    assert_eq!(conclusions(&job), ["timed_out", "skipped"]);
    let runs = world.github.runs();
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[1].id, id);
}

#[tokio::test]
async fn who_may_dispatch_what() {
    let world = World::new().await;
    let open = DISPATCH.replace("stacks", "open");
    let none = DISPATCH.replace("build.yml", "none.yml");
    let main = json!({"ref": "main"});
    let pat = "403 Resource not accessible by personal access token";
    let table = [
        (DISPATCH, "github_pat_write", &main, "204"),
        (DISPATCH, "ghp_all", &main, "204"),
        (DISPATCH, "github_pat_read", &main, pat),
        (&open, "github_pat_read", &main, pat),
        (DISPATCH, "ghp_none", &main, "404 Not Found"),
        (
            &open,
            "ghp_none",
            &main,
            "403 Must have admin rights to Repository.",
        ),
        (DISPATCH, "ghp_eve", &main, "404 Not Found"),
        (DISPATCH, "", &main, "404 Not Found"),
        (&open, "", &main, "401 Requires authentication"),
        (DISPATCH, "ghp_wrong", &main, "401 Bad credentials"),
        (&none, "ghp_all", &main, "404 Not Found"),
        (
            DISPATCH,
            "ghp_all",
            &json!({"ref": "dev"}),
            "422 No ref found for: dev",
        ),
        (
            DISPATCH,
            "ghp_all",
            &json!({"ref": "refs/heads/main"}),
            "204",
        ),
        (
            DISPATCH,
            "ghp_all",
            &json!({}),
            "422 Invalid request.\n\n\"ref\" wasn't supplied.",
        ),
        (DISPATCH, "ghp_all", &json!([]), "400 Problems parsing JSON"),
        (
            DISPATCH,
            "ghp_all",
            &json!({"ref": "main", "inputs": {"x": "y"}}),
            "422 Unexpected inputs provided: [\"x\"]",
        ),
    ];
    for (path, token, body, expected) in table {
        let found = world.outcome("POST", path, token, body).await;
        assert_eq!(found, expected, "{path} {token} {body}");
    }
    world.github.set_run_details(false);
    let details = json!({"ref": "main", "return_run_details": true});
    assert_eq!(
        world.outcome("POST", DISPATCH, "ghp_all", &details).await,
        "204"
    );
}

#[tokio::test(start_paused = true)]
async fn runs_are_found_by_what_is_known_of_them() {
    let world = World::new().await;
    let place = ("acme", "stacks");
    world
        .github
        .start(place, "build.yml", "schedule", "main")
        .unwrap();
    wait(120).await;
    let last = world
        .github
        .start(place, "build.yml", "push", "main")
        .unwrap();
    assert_eq!(world.github.start(place, "build.yml", "push", "dev"), None);
    assert_eq!(world.github.start(place, "none.yml", "push", "main"), None);
    let table = [
        ("runs", 2),
        ("workflows/build.yml/runs", 2),
        ("runs?event=push", 1),
        ("runs?branch=dev", 0),
        ("runs?status=success", 1),
        ("runs?status=queued", 1),
        ("runs?created=2026-02-09", 2),
        ("runs?created=%3E%3D2026-02-09T04:02:00Z", 1),
    ];
    for (query, expected) in table {
        let list = world
            .get(&format!("/repos/acme/stacks/actions/{query}"))
            .await;
        assert_eq!(list["total_count"], expected, "{query}");
    }
    let list = world
        .get("/repos/acme/stacks/actions/runs?per_page=1")
        .await;
    assert_eq!(list["workflow_runs"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&list["workflow_runs"][0]["id"], &list["total_count"]),
        (&json!(last), &json!(2))
    );
    let id = &list["workflow_runs"][0]["workflow_id"];
    let same = world
        .get(&format!("/repos/acme/stacks/actions/workflows/{id}/runs"))
        .await;
    assert_eq!(same["total_count"], 2);
}
