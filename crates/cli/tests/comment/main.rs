//! `imgstack comment` as a workflow runs it, on a simulated GitHub.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod place;

use imgstack_sim::{Fault, Trigger};
use place::{ANN, BOT, PULLS, Place, READS, Said, TOKEN};
use serde_json::Value;

const CHANGES: &str = "imgstack: changes";
const BLOCKED: &str = "imgstack: blocked";
const NOTHING: &str = "imgstack: no changes";

/// The stacks of the golden plans.
fn named(plan: &mut Value, name: &str) {
    plan["stacks"][0]["stack"]["name"] = name.into();
}

#[test]
fn a_plan_is_posted_edited_and_left_alone() {
    let place = Place::new();
    let plan = place.plan("a-tag-moved", |_| {});
    let hash = plan["stacks"][0]["hash"].as_str().unwrap();
    let said = place.comment().ends(0);
    said.says(&[
        "stack",
        ": posted: https://github.com/acme/stacks",
        "#issuecomment-",
        "label `imgstack: changes`: added",
    ]);
    assert_eq!(
        place.requests(),
        ["GET /7", "POST /7/comments", "POST /7/labels"]
    );
    let (author, body) = place.comments().remove(0);
    assert_eq!(author, BOT);
    let first = body.lines().next().unwrap();
    assert!(first.starts_with("<!-- imgstack stack="), "{first}");
    assert!(
        first.contains(&format!(" plan={hash} state=changes text=")),
        "{first}"
    );
    assert!(
        body.contains(&format!("imgstack apply --only-if-hash {hash}")),
        "{body}"
    );
    assert_eq!(place.labels(), [CHANGES]);

    // The same plan, made an hour later: what shows is the same but for that.
    place.plan("a-tag-moved", |plan| {
        plan["createdAt"] = "2031-01-01T00:00:00Z".into()
    });
    place.comment().ends(0).says(&[": unchanged: https://"]);
    assert_eq!(place.requests(), ["GET /7", "GET /7/comments"]);
    assert_eq!(place.comments(), [(author, body)]);

    // Another plan takes the place of the first, and its label.
    place.plan("a-tag-moved", |plan| {
        plan["stacks"][0]["steps"] = Value::Array(Vec::new());
        plan["stacks"][0]["hash"] = "0a".repeat(32).into();
    });
    place.comment().ends(0).says(&[
        ": edited: https://",
        "label `imgstack: no changes`: added",
        "label `imgstack: changes`: removed",
    ]);
    let requests = place.requests();
    assert_eq!(requests[..2], ["GET /7", "GET /7/comments"]);
    assert!(requests[2].starts_with("PATCH /comments/"), "{requests:?}");
    assert_eq!(
        requests[3..],
        ["POST /7/labels", "DELETE /7/labels/imgstack:%20changes"]
    );
    let comments = place.comments();
    assert_eq!(comments.len(), 1);
    assert!(comments[0].1.contains("state=nothing"), "{}", comments[0].1);
    assert_eq!(place.labels(), [NOTHING]);
}

#[test]
fn two_stacks_have_a_comment_each_and_labels_together() {
    let place = Place::new();
    // In one plan …
    let plan = place.plan("two-stacks", |_| {});
    let whole = plan["hash"].as_str().unwrap();
    place.comment().ends(0);
    let comments = place.comments();
    assert_eq!(comments.len(), 2);
    assert!(
        comments
            .iter()
            .all(|(_, body)| body.contains(&format!(" plan={whole} ")))
    );
    place.requests();
    place.comment().ends(0);
    assert_eq!(place.requests(), ["GET /7", "GET /7/comments"]);

    // … and in plans of their own.
    let place = Place::new();
    place.plan("a-tag-moved", |plan| named(plan, "one"));
    place.comment().ends(0);
    place.plan("up-to-date", |plan| named(plan, "two"));
    place.comment().ends(0);
    assert_eq!(place.comments().len(), 2);
    assert_eq!(place.labels(), [CHANGES], "that nothing changes is not so");
    place.plan("blocked", |plan| named(plan, "two"));
    place.comment().ends(0);
    assert_eq!(place.comments().len(), 2);
    assert_eq!(place.labels(), [BLOCKED, CHANGES]);
    place.plan("up-to-date", |plan| named(plan, "one"));
    place.comment().ends(0);
    place.plan("up-to-date", |plan| named(plan, "two"));
    place.comment().ends(0);
    assert_eq!(place.labels(), [NOTHING]);
}

/// Its number there is another pull request's.
#[test]
fn what_a_workflow_runs_for_is_not_looked_for_in_another_repository() {
    let place = Place::new();
    place.plan("a-tag-moved", |_| {});
    let run = |repository: &str| {
        let args = ["comment", "plan.json", "--repository", repository];
        Said::of(place.command(&args, TOKEN).output().unwrap())
    };
    run("acme/other").ends(1).says(&[
        "which pull request is meant is not known",
        "--pull-request NUMBER",
    ]);
    assert_eq!(place.requests(), Vec::<String>::new());
    run("Acme/Stacks").ends(0).says(&[": posted: "]);
}

#[test]
fn labels_of_others_stay_and_ours_may_be_left_alone() {
    let place = Place::new();
    place.plan("a-tag-moved", |_| {});
    let args = ["comment", "plan.json", "--no-labels"];
    let said = Said::of(place.command(&args, place::TOKEN).output().unwrap());
    said.ends(0);
    assert_eq!(place.requests(), ["GET /7", "POST /7/comments"]);
    assert!(place.labels().is_empty());
    place
        .github
        .give_label("acme", "stacks", 7, "IMGSTACK: Changes");
    place.github.give_label("acme", "stacks", 7, "urgent");
    place.comment().ends(0);
    // The label is there already, whatever its case.
    assert_eq!(place.requests(), ["GET /7", "GET /7/comments"]);
    assert_eq!(place.labels(), ["IMGSTACK: Changes", "urgent"]);
}

#[test]
fn a_comment_that_is_deleted_meanwhile_is_posted_anew() {
    let place = Place::new();
    place.plan("a-tag-moved", |_| {});
    place.comment().ends(0);
    place.plan("up-to-date", |_| {});
    place.requests();
    let gone = Fault::Answer {
        status: 404,
        headers: Vec::new(),
        body: r#"{"message":"Not Found"}"#.to_owned(),
    };
    let faults = &place.world().server.faults;
    faults.set(Trigger::once("PATCH", "/issues/comments/"), gone);
    let said = place.comment().ends(0);
    said.says(&[": posted: https://"]);
    let requests = place.requests();
    assert!(requests[2].starts_with("PATCH /comments/"), "{requests:?}");
    assert_eq!(requests[3], "POST /7/comments");
}

/// Anybody may write a marker; the author counts.
#[test]
fn a_marker_of_somebody_else_is_none() {
    let place = Place::new();
    place.plan("a-tag-moved", |_| {});
    place.comment().ends(0);
    let (_, body) = place.comments().remove(0);
    let place = Place::new();
    place.plan("a-tag-moved", |_| {});
    let repository = ("acme", "stacks");
    place.github.add_comment(repository, 7, "eve", &body);
    place
        .github
        .add_comment(repository, 7, BOT, &format!("> {body}"));
    place.comment().ends(0).says(&[": posted: https://"]);
    assert_eq!(place.comments().len(), 3);
    // With one's own token it is one's own comment that counts.
    place.requests();
    place.comment_as(ANN).ends(0).says(&[": posted: https://"]);
    assert_eq!(
        place.requests()[..3],
        ["GET /7", "GET /7/comments", "GET /user"]
    );
    place
        .comment_as(ANN)
        .ends(0)
        .says(&[": unchanged: https://"]);
    // Two of ours, from two jobs at once, become one.
    place.github.add_comment(repository, 7, BOT, &body);
    place.comment().ends(0).says(&[": unchanged: https://"]);
    let ours = place
        .comments()
        .into_iter()
        .filter(|(author, text)| author == BOT && *text == body);
    assert_eq!(ours.count(), 1);
}

#[test]
fn a_refusal_names_what_is_missing() {
    let place = Place::new();
    place.plan("a-tag-moved", |_| {});
    place.comment_as(READS).ends(1).says(&[
        "Error: the credential from GITHUB_TOKEN in the environment may not comment on acme/stacks#7 (HTTP 403: Resource not accessible by integration; GitHub names: issues=write; pull_requests=write",
        "help: add `pull-requests: write` to the `permissions` of the job that runs this",
    ]);
    // The summary was written before.
    let summary = std::fs::read_to_string(place.file("summary.md")).unwrap();
    assert!(summary.starts_with("### imgstack plan: "), "{summary}");
    assert!(!summary.contains("<!--"), "{summary}");
    // The comment is there, and the labels are not.
    place.comment_as(PULLS).ends(1).says(&[
        ": posted: https://",
        "You do not have permission to create labels on this repository.",
        "help: add `issues: write` to the `permissions` of the job, beside `pull-requests: write`; or make the labels once by hand",
    ]);
    for label in [CHANGES, BLOCKED, NOTHING] {
        place.github.add_label("acme", "stacks", label);
    }
    place
        .comment_as(PULLS)
        .ends(0)
        .says(&[": unchanged: ", "label `imgstack: changes`: added"]);

    let place = Place::new();
    place.event("eve/stacks");
    place.plan("a-tag-moved", |_| {});
    place.comment_as(READS).ends(1).says(&[
        "Error: acme/stacks#7 comes from a fork, where a workflow's token only reads",
        "help: no `permissions` of the workflow change that. The plan is in the summary of the run; for a comment, push the branch to the repository itself",
    ]);
    assert!(place.file("summary.md").exists());
}

#[test]
fn an_answer_that_is_lost_posts_nothing_twice() {
    let place = Place::new();
    place.plan("a-tag-moved", |_| {});
    let faults = &place.world().server.faults;
    faults.set(Trigger::once("POST", "/issues/7/comments"), Fault::Cut);
    place
        .comment()
        .ends(0)
        .says(&[": posted: https://github.com/acme/stacks"]);
    assert_eq!(place.comments().len(), 1);
    let requests = place.requests();
    let posts = requests.iter().filter(|it| *it == "POST /7/comments");
    assert_eq!(posts.count(), 1, "{requests:?}");
}

#[test]
fn a_limit_is_waited_for() {
    let place = Place::new();
    place.plan("a-tag-moved", |_| {});
    let limited = Fault::Answer {
        status: 429,
        headers: vec![("retry-after".to_owned(), "1".to_owned())],
        body: r#"{"message":"API rate limit exceeded"}"#.to_owned(),
    };
    let faults = &place.world().server.faults;
    for (method, part) in [("GET", "/issues/7"), ("POST", "/issues/7/comments")] {
        faults.set(Trigger::once(method, part), limited.clone());
    }
    place.comment().ends(0).says(&[": posted: "]);
    assert_eq!(place.comments().len(), 1);
    assert_eq!(faults.hits(), 2);
}

/// Growing up to the limit, and beyond what fits.
#[test]
fn a_body_at_the_limit_is_taken() {
    let place = Place::new();
    let mut longest = 0;
    for count in [20, 40, 60, 80] {
        place.plan("many-nodes", |plan| {
            let steps = plan["stacks"][0]["steps"].as_array_mut().unwrap();
            let is_pull = |step: &&Value| step["action"]["pullImage"].is_object();
            let mut pull = steps.iter().find(is_pull).unwrap().clone();
            pull["reasons"] = vec!["words ".repeat(150)].into();
            for n in 0..count {
                let node = format!("another-{n}");
                pull["id"] = format!("pull node.{node} image.web").into();
                pull["address"] = format!("node.{node}").into();
                pull["action"]["pullImage"]["node"] = node.into();
                steps.push(pull.clone());
            }
        });
        place.comment().ends(0);
        let (_, body) = place.comments().remove(0);
        let length = body.chars().count();
        assert!(length <= 65_536, "{length}");
        assert!(
            body.contains("imgstack apply --only-if-hash "),
            "the end is there"
        );
        longest = longest.max(length);
    }
    assert!(longest > 50_000, "{longest}");
    assert_eq!(place.comments().len(), 1);
}

/// Names and values.
type Variables<'a> = &'a [(&'a str, &'a str)];

#[test]
fn what_is_not_known_is_asked_for() {
    let place = Place::new();
    place.plan("a-tag-moved", |_| {});
    let run = |variables: Variables<'_>, args: &[&str]| {
        let args = [&["comment", "plan.json"], args].concat();
        let mut command = place.command(&args, place::TOKEN);
        command.env_remove("GITHUB_EVENT_PATH");
        for (name, value) in variables {
            command.env(name, value);
        }
        Said::of(command.output().unwrap())
    };
    #[rustfmt::skip]
    let table: [(Variables<'_>, &[&str], &str); 7] = [
        (&[("GITHUB_REF", "refs/heads/main")], &[],
            "which pull request is meant is not known help: name it with --pull-request NUMBER"),
        (&[("GITHUB_REPOSITORY", "")], &[],
            "which repository of GitHub is meant is not known help: name it with --repository OWNER/NAME"),
        (&[("GITHUB_REPOSITORY", "acme")], &[], "GITHUB_REPOSITORY does not name a repository"),
        (&[("GITHUB_TOKEN", "")], &[], "there is no token for GitHub help: in a workflow, give the step: env: {GITHUB_TOKEN:"),
        (&[], &["--token-env", "OTHER"], "there is no token for GitHub in OTHER"),
        (&[], &["--pull-request", "8"], "GitHub shows the credential from GITHUB_TOKEN in the environment no pull request acme/stacks#8"),
        (&[("GITHUB_API_URL", "http://ghe.acme.test")], &[], "the URL of GitHub's API is not https"),
    ];
    for (variables, args, words) in table {
        run(variables, args).ends(1).says(&[words]);
    }
    // Typed, it is known.
    let args = [
        "--pull-request",
        "7",
        "--repository",
        "acme/stacks",
        "--token-env",
        "OTHER",
    ];
    let bare = [
        ("GITHUB_REF", ""),
        ("GITHUB_REPOSITORY", ""),
        ("GITHUB_TOKEN", ""),
        ("OTHER", place::TOKEN),
    ];
    run(&bare, &args).ends(0).says(&[": posted: "]);
}
