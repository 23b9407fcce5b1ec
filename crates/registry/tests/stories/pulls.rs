//! Comments and labels of a pull request, on a GitHub that does as told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use imgstack_registry::credentials::Environment;
use imgstack_registry::github::{
    ApiToken, Client as GitHub, Comment, Edited, Error, Oneself, PullId, PullRequest,
};
use imgstack_registry::oci::{Client, ClientOptions, Endpoints};
use serde_json::{Value, json};

use super::server::{Answer, Asked, Server, answer};

const LOOK: &str = "GET /repos/acme/web/issues/7";
const LIST: &str = "GET /repos/acme/web/issues/7/comments";
const POST: &str = "POST /repos/acme/web/issues/7/comments";
const EDIT: &str = "PATCH /repos/acme/web/issues/comments/11";
const LABEL: &str = "POST /repos/acme/web/issues/7/labels";
/// How a workflow's token begins.
const OF_WORKFLOW: &str = "ghs_mArKeD0secret";

async fn asker(host: &str, token: &str) -> (GitHub, ApiToken) {
    let endpoints = format!("ghcr.io=http://{host},api.github.com=http://{host}");
    let client = Client::new(ClientOptions {
        registries: Vec::new(),
        environment: [("GITHUB_TOKEN", token)]
            .into_iter()
            .collect::<Environment>(),
        cache: None,
        endpoints: Endpoints::parse(&endpoints).unwrap(),
    });
    let token = client.comment_token(Some("GITHUB_TOKEN")).await.unwrap();
    (client.github().clone(), token)
}

async fn pull(host: &str, token: &str) -> PullRequest {
    let (client, token) = asker(host, token).await;
    let id = PullId {
        repository: "acme/web".parse().unwrap(),
        number: 7,
    };
    client.pull_request(id, token)
}

fn comment(id: u64, login: &str, body: &str) -> Value {
    let kind = if login.ends_with("[bot]") {
        "Bot"
    } else {
        "User"
    };
    json!({
        "id": id, "body": body, "user": {"login": login, "type": kind},
        "html_url": format!("https://github.com/acme/web/pull/7#issuecomment-{id}"),
    })
}

fn message(status: u16, text: &str) -> Answer {
    answer(status).body(json!({"message": text}).to_string())
}

/// A GitHub that answers a post like that; `does` says whether the comment is
/// there then.
async fn github(does: bool, post: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Server {
    let there: Arc<Mutex<Vec<Value>>> = Arc::default();
    Server::start(move |_, asked| match asked.method.as_str() {
        "POST" => {
            let body: Value = serde_json::from_str(&asked.body).unwrap();
            let body = body["body"].as_str().unwrap().replace('\n', "\r\n");
            let made = comment(11, "github-actions[bot]", &body);
            there.lock().unwrap().extend(does.then_some(made));
            post(asked)
        }
        _ => answer(200).body(Value::from(there.lock().unwrap().clone()).to_string()),
    })
    .await
}

#[tokio::test]
async fn a_glance_and_all_pages_of_comments() {
    let server = Server::start(|host, asked| match asked.query.contains("page=2") {
        _ if asked.is(LOOK) => answer(200).body(
            json!({"comments": 2, "labels": [{"name": "a b"}], "pull_request": {}}).to_string(),
        ),
        false => answer(200)
            .with(
                "link",
                &format!("<http://{host}/repos/acme/web/issues/7/comments?page=2>; rel=\"next\""),
            )
            .body(json!([comment(1, "ann", "one")]).to_string()),
        true => answer(200).body(json!([comment(2, "github-actions[bot]", "two")]).to_string()),
    })
    .await;
    let pull = pull(&server.host, OF_WORKFLOW).await;
    let sight = pull.look().await.unwrap();
    assert_eq!((sight.comments, sight.labels), (2, vec!["a b".to_owned()]));
    let comments = pull.comments().await.unwrap();
    let app = |it: &Comment| it.author.as_ref().is_some_and(|author| author.is_app());
    let found: Vec<_> = comments
        .iter()
        .map(|it| (it.body.as_str(), app(it)))
        .collect();
    assert_eq!(found, [("one", false), ("two", true)]);
    assert_eq!(server.lines(), [LOOK, LIST, LIST]);
    assert_eq!(server.asked(LIST)[0].query, "per_page=100");
}

#[tokio::test]
async fn an_issue_is_no_pull_request() {
    let server = Server::start(|_, _| answer(200).body(r#"{"comments":0,"labels":[]}"#)).await;
    let error = pull(&server.host, OF_WORKFLOW)
        .await
        .look()
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "acme/web#7 is an issue, and no pull request"
    );
}

#[tokio::test]
async fn a_comment_is_posted_with_one_request() {
    let server = github(true, |_| {
        answer(201).body(comment(11, "github-actions[bot]", "a plan").to_string())
    })
    .await;
    let posted = pull(&server.host, OF_WORKFLOW)
        .await
        .post("a plan")
        .await
        .unwrap();
    assert_eq!(posted.id.to_string(), "11");
    assert_eq!(server.lines(), [POST]);
    let asked = &server.asked(POST)[0];
    assert_eq!(asked.body, r#"{"body":"a plan"}"#);
    assert_eq!(asked.header("authorization"), "Bearer ghs_mArKeD0secret");
}

/// What may have been done is looked for, and never asked for again.
#[tokio::test(start_paused = true)]
async fn a_post_whose_answer_is_lost_is_looked_for() {
    for reply in [
        answer(502),
        answer(504),
        answer(408),
        answer(201).body("{}"),
    ] {
        let shown = format!("{reply:?}");
        let answers = reply.clone();
        let server = github(true, move |_| answers.clone()).await;
        let pull = pull(&server.host, OF_WORKFLOW).await;
        let posted = pull.post("line\nline").await.unwrap();
        assert_eq!(posted.id.to_string(), "11", "{shown}");
        assert_eq!(server.lines(), [POST, LIST], "{shown}");
    }
    let server = github(false, |_| answer(502)).await;
    let error = pull(&server.host, OF_WORKFLOW)
        .await
        .post("a plan")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::CommentLost { .. }), "{error}");
    let shown = format!("{error} — {}", error.hint());
    for words in [
        "acme/web#7",
        "HTTP 502",
        "it is not there",
        "run the command again",
    ] {
        assert!(shown.contains(words), "{shown}");
    }
    assert_eq!(server.count(POST), 1);
    assert!((2..10).contains(&server.count(LIST)));
}

#[tokio::test(start_paused = true)]
async fn a_post_that_is_refused_for_its_time_is_posted_then() {
    let limited = || message(403, "You have exceeded a secondary rate limit.");
    let server = github(false, move |asked| match asked.before {
        0 => limited().with("retry-after", "7"),
        _ => answer(201).body(comment(11, "github-actions[bot]", "a plan").to_string()),
    })
    .await;
    let began = tokio::time::Instant::now();
    pull(&server.host, OF_WORKFLOW)
        .await
        .post("a plan")
        .await
        .unwrap();
    assert!(began.elapsed() >= Duration::from_secs(7));
    assert_eq!(server.lines(), [POST, POST]);

    // Longer than anybody waits, for ever, or who knows how long.
    let table = [
        (limited().with("retry-after", "3600"), 1),
        (limited(), 1),
        (answer(429).with("retry-after", "1"), 3),
    ];
    for (reply, posts) in table {
        let shown = format!("{reply:?}");
        let server = github(false, move |_| reply.clone()).await;
        let error = pull(&server.host, OF_WORKFLOW)
            .await
            .post("a plan")
            .await
            .unwrap_err();
        assert!(matches!(error, Error::RateLimited { .. }), "{error}");
        assert_eq!(server.count(POST), posts, "{shown}");
    }
}

/// An edit leads to the same however often it is asked for.
#[tokio::test(start_paused = true)]
async fn an_edit_is_repeated_and_says_what_is_gone() {
    let server = Server::start(|_, asked| match asked.before {
        _ if !asked.is(EDIT) => answer(200).body(json!([comment(11, "ann", "a plan")]).to_string()),
        0 => answer(502),
        1 => answer(200).body("{}"),
        _ => message(404, "Not Found"),
    })
    .await;
    let pull = pull(&server.host, OF_WORKFLOW).await;
    let id = pull.comments().await.unwrap()[0].id;
    assert_eq!(pull.edit(id, "another").await.unwrap(), Edited::Done);
    assert_eq!(server.count(EDIT), 2);
    assert_eq!(pull.edit(id, "another").await.unwrap(), Edited::Gone);
    assert_eq!(
        pull.remove(id).await.map_err(|error| error.to_string()),
        Ok(())
    );
}

#[tokio::test]
async fn a_refusal_names_the_permission_that_is_missing() {
    let takes = "issues=write; pull_requests=write";
    let app = "Resource not accessible by integration";
    let pat = "Resource not accessible by personal access token";
    let labels = "You do not have permission to create labels on this repository.";
    let fine = "github_pat_mArKeD0secret";
    #[rustfmt::skip]
    let table = [
        (POST, OF_WORKFLOW, message(403, app),
            "add `pull-requests: write` to the `permissions` of the job"),
        (POST, OF_WORKFLOW, message(403, app), "GitHub names: issues=write; pull_requests=write"),
        (POST, fine, message(403, pat), "the permission `Pull requests: read and write`"),
        (POST, fine, message(401, "Bad credentials"), "wrong, expired or revoked"),
        (POST, fine, message(404, "Not Found"), "no pull request acme/web#7"),
        (POST, OF_WORKFLOW, message(403, "Unable to create comment because issue is locked."),
            "unlock the conversation of acme/web#7"),
        (LABEL, OF_WORKFLOW, message(403, app), "add `pull-requests: write`"),
        (LABEL, OF_WORKFLOW, message(403, labels), "add `issues: write`"),
        (LABEL, OF_WORKFLOW, message(403, labels), "make the labels once by hand"),
        (LABEL, fine, message(403, labels), "the permission `Issues: read and write`"),
        (LIST, OF_WORKFLOW, message(403, app), "add `pull-requests: read`"),
    ];
    for (request, token, reply, words) in table {
        let reply = reply.with("x-accepted-github-permissions", takes);
        let server = Server::start(move |_, _| reply.clone()).await;
        let pull = pull(&server.host, token).await;
        let error = match request {
            POST => pull.post("a plan").await.unwrap_err(),
            LABEL => pull.add_labels(&["changes"]).await.unwrap_err(),
            _ => pull.comments().await.unwrap_err(),
        };
        let shown = format!("{error} — {}", error.hint());
        assert!(shown.contains(words), "{shown}");
        assert!(!format!("{shown} {error:?}").contains("mArKeD"), "{shown}");
        assert_eq!(server.lines(), [request]);
    }
}

#[tokio::test]
async fn labels_come_at_once_and_go_one_by_one() {
    let gone = "DELETE /repos/acme/web/issues/7/labels/imgstack:%20blocked";
    let server = Server::start(|_, asked| match asked.method.as_str() {
        "POST" => answer(200).body("[]"),
        _ => message(404, "Label does not exist"),
    })
    .await;
    let pull = pull(&server.host, OF_WORKFLOW).await;
    pull.add_labels(&["a", "b"]).await.unwrap();
    pull.remove_label("imgstack: blocked").await.unwrap();
    assert_eq!(server.lines(), [LABEL, gone]);
    assert_eq!(server.asked(LABEL)[0].body, r#"{"labels":["a","b"]}"#);
}

#[tokio::test]
async fn whose_comments_a_token_writes() {
    let user = || answer(200).body(r#"{"login":"ann"}"#);
    let app = || message(403, "Resource not accessible by integration");
    let ann = Oneself::Account("ann".to_owned());
    #[rustfmt::skip]
    let table = [
        (OF_WORKFLOW, user(), Oneself::App, 0),
        ("ghp_mArKeD0secret", user(), ann.clone(), 1),
        ("mArKeD0secret", user(), ann, 1),
        ("mArKeD0secret", app(), Oneself::App, 1),
    ];
    for (token, reply, expected, requests) in table {
        let server = Server::start(move |_, _| reply.clone()).await;
        let found = pull(&server.host, token).await.oneself().await.unwrap();
        assert_eq!(found, expected);
        assert_eq!(server.count("GET /user"), requests);
    }
}

/// GitHub also names pull requests that have the commit on their branches.
#[tokio::test]
async fn the_pull_request_that_a_commit_has_come_with() {
    let row = |number: u64, sha: &str| json!({"number": number, "merge_commit_sha": sha, "merged_at": "2026-02-09T04:00:00Z"});
    let open = json!({"number": 9, "merge_commit_sha": "abc", "merged_at": null});
    let table = [
        (vec![], None),
        (vec![row(7, "abc")], Some(7)),
        (vec![row(3, "def"), row(7, "abc")], Some(7)),
        // Rebased: the last of its commits is the one that is named.
        (vec![row(7, "def")], Some(7)),
        (vec![row(3, "def"), row(7, "123")], None),
        (vec![open.clone()], None),
        (vec![open, row(7, "def")], Some(7)),
    ];
    for (rows, expected) in table {
        let body = Value::from(rows).to_string();
        let server = Server::start(move |_, _| answer(200).body(body.clone())).await;
        let (client, token) = asker(&server.host, OF_WORKFLOW).await;
        let repository = "acme/web".parse().unwrap();
        let found = client.pull_request_of(&repository, "abc", &token).await;
        let found = found.unwrap();
        assert_eq!(found.map(|it| it.number), expected);
        assert_eq!(server.lines(), ["GET /repos/acme/web/commits/abc/pulls"]);
    }
}
