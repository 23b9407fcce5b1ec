//! A workflow that is started and watched, on a GitHub that does as told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use imgstack_registry::credentials::Environment;
use imgstack_registry::github::{
    Actions, Conclusion, Dispatch, Error, Glance, NotStarted, Status, Unseen,
};
use imgstack_registry::oci::{Client, ClientOptions, Endpoints};
use imgstack_spec::{GitHubWorkflow, GitRef};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::server::{Answer, Asked, Server, answer};

const START: &str = "POST /repos/acme/web/actions/workflows/build.yml/dispatches";
const LIST: &str = "GET /repos/acme/web/actions/workflows/build.yml/runs";
const RUN: &str = "GET /repos/acme/web/actions/runs/7";
const JOBS: &str = "GET /repos/acme/web/actions/runs/7/jobs";

fn workflow() -> GitHubWorkflow {
    GitHubWorkflow {
        repository: "acme/web".parse().unwrap(),
        workflow: "build.yml".parse().unwrap(),
        reference: GitRef::default(),
    }
}

fn client(host: &str, variables: &[(&str, &str)]) -> Client {
    let endpoints = format!("ghcr.io=http://{host},api.github.com=http://{host}");
    Client::new(ClientOptions {
        registries: Vec::new(),
        environment: variables.iter().copied().collect::<Environment>(),
        cache: None,
        endpoints: Endpoints::parse(&endpoints).unwrap(),
    })
}

async fn actions(host: &str) -> Actions {
    let client = client(host, &[("GH_TOKEN", "github_pat_mArKeD0secret")]);
    let token = client.workflow_token(&workflow()).await.unwrap();
    client.github().actions(&workflow(), token)
}

fn run(id: u64, title: &str) -> Value {
    json!({
        "id": id, "run_number": id, "display_title": title, "event": "workflow_dispatch",
        "status": "queued", "conclusion": null, "head_sha": "abc1234",
        "created_at": "2026-02-09T04:00:00Z", "updated_at": "2026-02-09T04:00:00Z",
        "html_url": format!("https://github.com/acme/web/actions/runs/{id}"),
    })
}

fn runs(list: &[Value]) -> Answer {
    let body = json!({"total_count": list.len(), "workflow_runs": list});
    answer(200).body(body.to_string())
}

/// The mark that came with a start.
fn mark(asked: &Asked) -> String {
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    body["inputs"]["imgstack"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// A GitHub with one old run, which answers a start like that and, unless it
/// is told otherwise, has a new run then, which shows its mark.
async fn github(start: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Server {
    let started: Arc<Mutex<Option<String>>> = Arc::default();
    Server::start(move |_, asked| match asked.method.as_str() {
        "POST" => {
            *started.lock().unwrap() = Some(mark(asked));
            start(asked)
        }
        _ => {
            let old = run(5, "Build");
            match &*started.lock().unwrap() {
                Some(mark) => runs(&[run(7, &format!("Build ({mark})")), old]),
                None => runs(&[old]),
            }
        }
    })
    .await
}

fn unseen(dispatch: Dispatch) -> Unseen {
    match dispatch {
        Dispatch::Unseen(unseen) => unseen,
        Dispatch::Run(link) => panic!("{link:?}"),
    }
}

#[tokio::test]
async fn a_run_that_is_told_is_not_looked_for() {
    let server = github(|_| {
        let body = r#"{"workflow_run_id":7,"run_url":"u","html_url":"https://github.com/r/7"}"#;
        answer(200).body(body)
    })
    .await;
    let dispatched = actions(&server.host).await.dispatch().await.unwrap();
    let Dispatch::Run(link) = dispatched else {
        panic!("{dispatched:?}")
    };
    assert_eq!(
        (link.id.to_string().as_str(), link.url.as_str()),
        ("7", "https://github.com/r/7")
    );
    assert_eq!(server.lines(), [LIST, START]);
    let asked = &server.asked(START)[0];
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    let mark = body["inputs"]["imgstack"].as_str().unwrap();
    assert_eq!(
        body,
        json!({"ref": "main", "return_run_details": true, "inputs": {"imgstack": mark}})
    );
    assert_eq!((mark.len(), &mark[..9]), (21, "imgstack-"));
    let headers = [
        ("authorization", "Bearer github_pat_mArKeD0secret"),
        ("content-type", "application/json"),
        ("accept", "application/vnd.github+json"),
    ];
    for (name, value) in headers {
        assert_eq!(asked.header(name), value);
    }
}

/// What may have been done is looked for, and never asked for again.
#[tokio::test(start_paused = true)]
async fn a_run_that_is_not_told_is_found_by_its_mark() {
    let table = [
        (answer(204), true),
        (answer(200).body("{}"), true),
        (answer(502).body("<html>"), false),
        (answer(504), false),
        (answer(408), false),
    ];
    for (reply, certain) in table {
        let shown = format!("{reply:?}");
        let server = github(move |_| reply.clone()).await;
        let actions = actions(&server.host).await;
        let start = unseen(actions.dispatch().await.unwrap());
        assert_eq!(start.is_certain(), certain, "{shown}");
        let run = actions.find(&start).await.unwrap();
        assert_eq!(run.id.to_string(), "7");
        assert_eq!(run.url, "https://github.com/acme/web/actions/runs/7");
        assert_eq!(server.count(START), 1, "{shown}");
        let query = &server.asked(LIST)[1].query;
        assert_eq!(query, "event=workflow_dispatch&branch=main&per_page=50");
    }
}

/// A GitHub that breaks the connection of a start, which it has done or not.
/// Returns how many starts came.
async fn breaking(does: bool) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let starts = Arc::new(AtomicUsize::new(0));
    let (count, mut title) = (Arc::clone(&starts), None);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut text, mut chunk) = (String::new(), [0; 4096]);
            loop {
                let read = stream.read(&mut chunk).await.unwrap();
                text.push_str(std::str::from_utf8(&chunk[..read]).unwrap());
                let whole = text.split_once("\r\n\r\n");
                if read == 0
                    || whole.is_some_and(|(_, body)| text.starts_with('G') || body.ends_with('}'))
                {
                    break;
                }
            }
            if text.starts_with("POST") {
                count.fetch_add(1, Ordering::SeqCst);
                let at = text.find("imgstack-").unwrap();
                title = does.then(|| text[at..at + 21].to_owned());
                continue;
            }
            let mut list = vec![run(5, "Build")];
            list.extend(title.iter().map(|title| run(7, title)));
            list.reverse();
            let body = json!({"workflow_runs": list}).to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}",
                body.len()
            );
            let _ = stream
                .write_all(format!("{head}\r\n\r\n{body}").as_bytes())
                .await;
        }
    });
    (host, starts)
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_starts_nothing_twice() {
    for done in [true, false] {
        let (host, starts) = breaking(done).await;
        let actions = actions(&host).await;
        let start = unseen(actions.dispatch().await.unwrap());
        assert!(!start.is_certain());
        let found = actions.find(&start).await;
        match found {
            Ok(run) if done => assert_eq!(run.id.to_string(), "7"),
            Err(error) if !done => {
                let shown = format!("{error} — {}", error.hint());
                assert!(matches!(error, Error::Lost { .. }), "{shown}");
                assert!(shown.contains("connection broke"), "{shown}");
                assert!(shown.contains("there is no new run"), "{shown}");
                let page = "https://github.com/acme/web/actions/workflows/build.yml";
                assert!(shown.contains(page), "{shown}");
                assert!(!error.is_retryable(), "{shown}");
            }
            found => panic!("{done} {found:?}"),
        }
        assert_eq!(starts.load(Ordering::SeqCst), 1);
    }
}

/// Nothing can have been done, and that is said.
#[tokio::test(start_paused = true)]
async fn what_is_refused_was_not_started() {
    let message = |status, text: &str| answer(status).body(json!({"message": text}).to_string());
    let pat = "Resource not accessible by personal access token";
    #[rustfmt::skip]
    let table = [
        (message(403, pat), "Forbidden",
            "may not start workflows of acme/web (HTTP 403: Resource not accessible"),
        (message(403, pat), "Forbidden", "the permission `Actions: read and write` for acme/web"),
        (message(401, "Bad credentials"), "TokenRejected",
            "a fine-grained token for acme/web with the permission `Actions: read and write`"),
        (message(404, "Not Found"), "NotFound", "no workflow build.yml of acme/web"),
        (message(404, "Not Found"), "NotFound", "check `build.github` in the spec"),
        (message(422, "Workflow does not have 'workflow_dispatch' trigger"), "NotStarted",
            "add `workflow_dispatch:` below `on:` in .github/workflows/build.yml"),
        (message(422, "No ref found for: main"), "NotStarted", "write a branch of the repository"),
        (message(422, "Required input 'version' not provided"), "NotStarted",
            "give the input a `default`"),
        (message(422, "Cannot trigger a 'workflow_dispatch' on a disabled workflow"), "NotStarted",
            "look at https://github.com/acme/web/actions/workflows/build.yml"),
        (message(403, "You have exceeded a secondary rate limit."), "RateLimited", "resets in 60 s"),
        (answer(307).with("location", "/repositories/1/actions"), "Protocol", "has moved"),
    ];
    for (refusal, kind, words) in table {
        let server = github(move |_| refusal.clone()).await;
        let error = actions(&server.host).await.dispatch().await.unwrap_err();
        let shown = format!("{error} — {}", error.hint());
        let debug = format!("{error:?}");
        assert!(debug.starts_with(kind), "{debug}");
        assert!(shown.contains(words), "{shown}");
        assert!(!format!("{shown} {debug}").contains("mArKeD"), "{shown}");
        assert_eq!(server.count(START), 1, "{kind}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = actions(&closed).await.dispatch().await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
}

/// Who may not even look is told what starting takes.
#[tokio::test]
async fn a_token_that_may_not_look_may_not_start() {
    let words = "Resource not accessible by personal access token";
    let server =
        Server::start(move |_, _| answer(403).body(json!({"message": words}).to_string())).await;
    let error = actions(&server.host).await.dispatch().await.unwrap_err();
    assert!(
        error.to_string().contains("may not start workflows"),
        "{error}"
    );
    assert!(error.hint().contains("`Actions: read and write`"));
    assert_eq!(server.lines(), [LIST]);
}

/// A refusal is certain to have started nothing, so that this is no repetition.
#[tokio::test(start_paused = true)]
async fn a_workflow_without_the_input_is_started_without_it() {
    let server = Server::start(|_, asked| match (asked.method.as_str(), asked.before) {
        ("POST", 0) => answer(422)
            .body(json!({"message": "Unexpected inputs provided: [\"imgstack\"]"}).to_string()),
        ("POST", _) => answer(204),
        (_, 0) => runs(&[run(5, "Build")]),
        // The run comes after a while.
        (_, 1) => runs(&[run(5, "Build")]),
        _ => runs(&[run(7, "Build"), run(5, "Build")]),
    })
    .await;
    let actions = actions(&server.host).await;
    let start = unseen(actions.dispatch().await.unwrap());
    let starts = server.asked(START);
    let marks: Vec<bool> = starts.iter().map(|it| mark(it).is_empty()).collect();
    assert_eq!(marks, [false, true]);
    assert_eq!(actions.find(&start).await.unwrap().id.to_string(), "7");
    assert_eq!(server.count(LIST), 3);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_never_shows_is_not_waited_for_for_ever() {
    let server = Server::start(|_, asked| match asked.method.as_str() {
        "POST" => answer(204),
        _ => runs(&[run(5, "Build")]),
    })
    .await;
    let actions = actions(&server.host).await;
    let start = unseen(actions.dispatch().await.unwrap());
    let began = tokio::time::Instant::now();
    let error = actions.find(&start).await.unwrap_err();
    assert!(matches!(error, Error::Unseen { .. }), "{error}");
    assert!(began.elapsed() <= Duration::from_secs(120));
    assert!(server.count(LIST) < 25, "{}", server.count(LIST));
}

/// The state of a run with one job, as GitHub tells it.
fn state(n: usize) -> (Value, Value) {
    let (status, conclusion) = match n {
        0 => ("queued", Value::Null),
        1 => ("in_progress", Value::Null),
        _ => ("completed", json!("failure")),
    };
    let mut run = run(7, "Build");
    run["status"] = json!(status);
    run["conclusion"] = conclusion.clone();
    let step = json!({
        "number": 2, "name": "Push", "status": status, "conclusion": conclusion,
        "started_at": "2026-02-09T04:00:15Z", "completed_at": "2026-02-09T04:00:18Z",
    });
    let job = json!({
        "id": 70, "name": "build", "status": status, "conclusion": conclusion,
        "started_at": "2026-02-09T04:00:05Z", "completed_at": null, "html_url": null,
        "steps": [step],
    });
    (run, json!({"total_count": 1, "jobs": [job]}))
}

#[tokio::test(start_paused = true)]
async fn a_run_is_watched_with_patience_and_read_once() {
    let server = Server::start(|_, asked| {
        // It moves with every fourth look.
        let n = asked.before / 4;
        let (run, jobs) = state(n);
        let tag = format!("W/\"{n}\"");
        if asked.header("if-none-match") == tag {
            return answer(304).with("etag", &tag);
        }
        let body = if asked.is(RUN) { run } else { jobs };
        answer(200).with("etag", &tag).body(body.to_string())
    })
    .await;
    let mut follow = actions(&server.host)
        .await
        .follow(serde_json::from_value(json!(7)).unwrap());
    let began = tokio::time::Instant::now();
    let (mut seen, mut times) = (Vec::new(), Vec::new());
    while seen.last() != Some(&Status::Completed) {
        let Glance::Seen { run, jobs } = follow.next().await.unwrap() else {
            panic!()
        };
        assert_eq!(jobs.len(), 1);
        assert_eq!(jobs[0].status, run.status);
        seen.push(run.status);
        times.push(began.elapsed().as_secs());
    }
    use Status::{Completed, InProgress, Queued};
    assert_eq!(seen[..5], [Queued, Queued, Queued, Queued, InProgress]);
    assert_eq!((seen.len(), seen[8]), (9, Completed));
    // 2, 3, 4.5, 6.75 s while nothing happens; anew when something does.
    assert_eq!(times, [0, 2, 5, 9, 16, 18, 21, 25, 32]);
    let asked = server.asked(JOBS);
    assert_eq!(asked[0].header("if-none-match"), "");
    assert!(
        asked[1..]
            .iter()
            .all(|it| !it.header("if-none-match").is_empty())
    );
    assert_eq!(asked[0].query, "per_page=100");
}

#[tokio::test(start_paused = true)]
async fn trouble_on_the_way_does_not_end_the_watch() {
    let server = Server::start(|_, asked| match (asked.is(RUN), asked.before) {
        // Four attempts each.
        (true, 0..=7) => answer(502),
        (true, _) => answer(200).body(state(2).0.to_string()),
        (false, _) => answer(200).body(state(2).1.to_string()),
    })
    .await;
    let mut follow = actions(&server.host)
        .await
        .follow(serde_json::from_value(json!(7)).unwrap());
    for _ in 0..2 {
        let glance = follow.next().await.unwrap();
        assert!(matches!(glance, Glance::Trouble(Error::Unavailable { .. })));
    }
    let Glance::Seen { run, jobs } = follow.next().await.unwrap() else {
        panic!()
    };
    assert_eq!(run.conclusion, Some(Conclusion::Failure));
    assert!(jobs[0].has_failed());
    assert_eq!(jobs[0].failed_step().unwrap().name, "Push");
}

#[tokio::test(start_paused = true)]
async fn trouble_that_stays_ends_the_watch_at_last() {
    let server = Server::start(|_, _| answer(502)).await;
    let mut follow = actions(&server.host)
        .await
        .follow(serde_json::from_value(json!(7)).unwrap());
    let mut troubles = 0;
    let error = loop {
        match follow.next().await {
            Ok(_) => troubles += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert_eq!(troubles, 8);
    let server = Server::start(|_, _| answer(404)).await;
    let mut follow = actions(&server.host)
        .await
        .follow(serde_json::from_value(json!(7)).unwrap());
    assert!(matches!(follow.next().await, Err(Error::NotFound { .. })));
}

/// To the storage that has them, the token does not come along.
#[tokio::test]
async fn the_last_words_of_a_job() {
    let filler = "2026-02-09T04:00:16.0000000Z #9 another line\n".repeat(300_000);
    let storage = Server::start(move |_, asked| match asked.header("authorization") {
        "" => answer(200).body(format!(
            "{filler}2026-02-09T04:00:17.0000000Z ERROR: no such version\n\
             2026-02-09T04:00:18.1000000Z ##[error]Process completed with exit code 1.\n\
             2026-02-09T04:00:19.0000000Z Cleaning up\n"
        )),
        _ => answer(400),
    })
    .await;
    let there = format!("http://{}/logs/70?sig=x", storage.host);
    let server = Server::start(move |_, asked| match asked.path.ends_with("/logs") {
        true => answer(302).with("location", &there),
        false => answer(200).body(state(2).1.to_string()),
    })
    .await;
    let actions = actions(&server.host).await;
    let jobs = actions
        .jobs(serde_json::from_value(json!(7)).unwrap())
        .await
        .unwrap();
    let words = actions.last_words(&jobs[0], 2).await.unwrap();
    assert_eq!(
        words,
        [
            "ERROR: no such version",
            "Process completed with exit code 1."
        ]
    );
    assert_eq!(server.count("GET /repos/acme/web/actions/jobs/70/logs"), 1);
    assert_eq!(storage.count("GET /logs/70"), 1);
}

/// Variables, what GitHub says of the credential for GHCR, and the origin of
/// the token, or words of why there is none.
#[tokio::test]
async fn whose_name_a_workflow_is_started_in() {
    let file = r#"{"auths":{"ghcr.io":{"auth":"YW5uOmdocF9jbGFzc2lj"}}}"#;
    let fine = r#"{"auths":{"ghcr.io":{"auth":"YW5uOmdpdGh1Yl9wYXRfeA=="}}}"#;
    let docker = |config| ("DOCKER_AUTH_CONFIG", config);
    let nowhere = ("PATH", "/nowhere");
    let in_environment = |name: &str| Ok(format!("{name} in the environment"));
    let config = "DOCKER_AUTH_CONFIG in the environment";
    #[rustfmt::skip]
    let table = [
        (vec![("GH_TOKEN", "a"), ("GITHUB_TOKEN", "b"), docker(file)], "repo", in_environment("GH_TOKEN")),
        (vec![("GITHUB_TOKEN", "ghs_b"), docker(file)], "repo", in_environment("GITHUB_TOKEN")),
        (vec![nowhere, docker(file)], "repo, read:packages", Ok(config.to_owned())),
        (vec![nowhere, docker(file)], "public_repo", Ok(config.to_owned())),
        // Of a fine-grained token nothing is known until it is used.
        (vec![nowhere, docker(fine)], "", Ok(config.to_owned())),
        (vec![nowhere, docker(file)], "read:packages", Err("has no scope `repo`")),
        (vec![nowhere, docker(file)], "401", Err("GitHub does not accept")),
        (vec![nowhere], "repo", Err("no credential was found that may start workflows of acme/web")),
    ];
    for (variables, scopes, expected) in table {
        let server = Server::start(
            move |_, asked| match (scopes, asked.header("authorization")) {
                ("401", _) => answer(401),
                (_, "Bearer github_pat_x") => answer(200).body(r#"{"login":"ann"}"#),
                _ => answer(200)
                    .with("x-oauth-scopes", scopes)
                    .body(r#"{"login":"ann"}"#),
            },
        )
        .await;
        let client = client(&server.host, &variables);
        match (client.workflow_token(&workflow()).await, expected) {
            (Ok(token), Ok(origin)) => assert!(token.origin().contains(&origin), "{token:?}"),
            (Err(error), Err(words)) => {
                assert!(matches!(error, Error::NoToken { .. }), "{error:?}");
                assert!(error.to_string().contains(words), "{error}");
                assert!(error.hint().contains("export GH_TOKEN"));
            }
            (found, expected) => panic!("{variables:?}: {found:?}, not {expected:?}"),
        }
        // Nobody is asked about a token that is meant for GitHub.
        let about = usize::from(
            variables.iter().all(|(name, _)| !name.contains("TOKEN")) && variables.len() == 2,
        );
        assert_eq!(server.count("GET /user"), about, "{variables:?}");
    }
}

#[tokio::test]
async fn why_a_start_is_refused_is_read_from_githubs_words() {
    let server =
        github(|_| answer(422).body(json!({"message": "Something new"}).to_string())).await;
    let error = actions(&server.host).await.dispatch().await.unwrap_err();
    let why = match error {
        Error::NotStarted { why, .. } => why,
        other => panic!("{other}"),
    };
    assert_eq!(why, NotStarted::Other);
}
