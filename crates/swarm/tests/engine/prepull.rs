//! Pulling through a manager alone when things go wrong.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use imgstack_swarm::prepull::{
    Away, LABEL, Outcome, Prepull, PrepullError, Prepulled, Progress, run, sweep,
};
use imgstack_swarm::{Error, NodeId, NodeState, PullFailureKind, RegistryAuth, TaskState};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::scripted::{Engine, Reply};

const CREATE: &str = "POST /services/create";
const REMOVE: &str = "DELETE /services/p1";

fn ok(value: Value) -> Reply {
    Reply::Json(200, value)
}

fn message(status: u16, text: &str) -> Reply {
    Reply::Json(status, json!({"message": text}))
}

fn n(number: u32) -> NodeId {
    NodeId::new(format!("n{number}"))
}

/// (number, state, availability)
fn nodes(rows: &[(u32, &str, &str)]) -> Reply {
    let node = |(number, state, availability): &(u32, &str, &str)| {
        json!({
            "ID": format!("n{number}"),
            "Spec": {"Role": "worker", "Availability": availability},
            "Status": {"State": state},
        })
    };
    ok(rows.iter().map(node).collect())
}

/// (number of the node, state, error)
fn tasks(rows: &[(u32, &str, &str)]) -> Reply {
    let task = |(number, state, err): &(u32, &str, &str)| {
        json!({
            "ID": format!("t{number}"), "ServiceID": "p1", "NodeID": format!("n{number}"),
            "DesiredState": "running", "Status": {"State": state, "Err": err},
        })
    };
    ok(rows.iter().map(task).collect())
}

fn wanted(nodes: &[u32]) -> Prepull {
    let digest = "9".repeat(64);
    Prepull {
        stack: "pg".to_owned(),
        image: format!("ghcr.io/acme/db:16@sha256:{digest}")
            .parse()
            .unwrap(),
        platforms: Vec::new(),
        nodes: nodes.iter().copied().map(n).collect(),
        owner: "a test".to_owned(),
        within: Duration::from_secs(20),
    }
}

/// An engine with two nodes, where everything goes well.
fn engine() -> Engine {
    let engine = Engine::start();
    engine.on(
        "GET /nodes",
        &[nodes(&[(1, "ready", "active"), (2, "ready", "active")])],
    );
    engine.on("GET /events", &[Reply::StreamThenSilence(Vec::new())]);
    engine.on(CREATE, &[Reply::Json(201, json!({"ID": "p1"}))]);
    engine.on(
        "GET /tasks",
        &[tasks(&[(1, "failed", "x"), (2, "failed", "x")])],
    );
    engine.on(REMOVE, &[Reply::Bytes(Vec::new())]);
    engine
}

async fn pull(engine: &Engine, nodes: &[u32]) -> Result<Prepulled, PrepullError> {
    let manager = engine.connect().await.unwrap();
    let cancel = CancellationToken::new();
    run(&manager, &wanted(nodes), None, &cancel, &|_, _| {}).await
}

/// How it ended on node 1, where nothing must be left.
async fn end(engine: &Engine) -> Outcome {
    let done = pull(engine, &[1]).await.unwrap();
    assert!(done.left.is_none(), "{done:?}");
    assert!(!engine.asked("DELETE").is_empty(), "it was left behind");
    done.outcomes[&n(1)].clone()
}

#[tokio::test]
async fn nodes_that_take_no_task_are_told_and_nothing_is_made() {
    let engine = engine();
    let rows = [
        (1, "down", "active"),
        (2, "ready", "drain"),
        (3, "ready", "pause"),
        (4, "unknown", "drain"),
    ];
    engine.on("GET /nodes", &[nodes(&rows)]);
    let done = pull(&engine, &[1, 2, 3, 4, 5]).await.unwrap();
    let expected = [
        (n(1), Outcome::Away(Away::Silent(NodeState::Down))),
        (n(2), Outcome::Away(Away::Drained)),
        (n(3), Outcome::Away(Away::Paused)),
        (n(4), Outcome::Away(Away::Silent(NodeState::Unknown))),
        (n(5), Outcome::Away(Away::Left)),
    ];
    assert_eq!(done.outcomes, expected.into());
    assert!(engine.asked("/services/create").is_empty());
    assert!(engine.asked("DELETE").is_empty());
}

#[tokio::test]
async fn the_others_do_not_wait_for_one_that_is_away() {
    let engine = engine();
    let rows = [
        (1, "ready", "active"),
        (2, "down", "active"),
        (3, "ready", "active"),
    ];
    engine.on("GET /nodes", &[nodes(&rows)]);
    let done = pull(&engine, &[1, 2]).await.unwrap();
    assert_eq!(done.outcomes[&n(1)], Outcome::Pulled);
    assert_eq!(
        done.outcomes[&n(2)],
        Outcome::Away(Away::Silent(NodeState::Down))
    );
    let sent = engine.asked("/services/create").pop().unwrap();
    let spec: Value = serde_json::from_str(&sent.body).unwrap();
    let constraints = &spec["TaskTemplate"]["Placement"]["Constraints"];
    assert_eq!(constraints, &json!(["node.id!=n3"]));
}

#[tokio::test]
async fn what_a_tasks_end_means() {
    let rejected = |outcome: &Outcome| match outcome {
        Outcome::Rejected(failure) => Some(failure.kind),
        _ => None,
    };
    let missing = "No such image: ghcr.io/acme/db:16";
    for (state, err, kind) in [
        ("ready", "", None),
        ("starting", "", None),
        ("running", "", None),
        ("complete", "", None),
        (
            "failed",
            "starting container failed: exec: \"/imgstack-prepull\"",
            None,
        ),
        ("rejected", missing, Some(PullFailureKind::Untold)),
        (
            "rejected",
            "pull access denied for db",
            Some(PullFailureKind::Denied),
        ),
        (
            "rejected",
            "no space left on device",
            Some(PullFailureKind::NoSpace),
        ),
    ] {
        let engine = engine();
        engine.on(
            "GET /tasks",
            &[tasks(&[(1, state, err), (2, "failed", "x")])],
        );
        let outcome = end(&engine).await;
        assert_eq!(rejected(&outcome), kind, "{state} {err}");
        assert_eq!(
            outcome == Outcome::Pulled,
            kind.is_none(),
            "{state}: {outcome}"
        );
    }
    for state in ["shutdown", "remove", "orphaned"] {
        let engine = engine();
        engine.on("GET /tasks", &[tasks(&[(1, state, "")])]);
        assert_eq!(end(&engine).await, Outcome::Away(Away::GaveUp), "{state}");
    }
}

#[tokio::test]
async fn progress_is_told_once_for_each_node() {
    let engine = engine();
    let slow = tasks(&[(1, "preparing", ""), (2, "assigned", "")]);
    let then = tasks(&[(1, "failed", "x"), (2, "preparing", "")]);
    let last = tasks(&[(1, "failed", "x"), (2, "rejected", "denied")]);
    engine.on("GET /tasks", &[slow.clone(), slow, then, last]);
    let manager = engine.connect().await.unwrap();
    let told = Mutex::new(Vec::new());
    let tell = |node: &NodeId, progress| told.lock().unwrap().push((node.clone(), progress));
    let cancel = CancellationToken::new();
    let done = run(&manager, &wanted(&[1, 2]), None, &cancel, &tell)
        .await
        .unwrap();
    let rejected = done.outcomes[&n(2)].clone();
    let expected = [
        (n(1), Progress::Pulling),
        (n(1), Progress::Done(Outcome::Pulled)),
        (n(2), Progress::Pulling),
        (n(2), Progress::Done(rejected)),
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_node_that_goes_in_the_middle_is_not_waited_for() {
    let here = nodes(&[(1, "ready", "active")]);
    let table = [
        (
            nodes(&[(1, "down", "active")]),
            Away::Silent(NodeState::Down),
        ),
        (nodes(&[(1, "ready", "drain")]), Away::Drained),
        (nodes(&[]), Away::Left),
    ];
    for (gone, away) in table {
        for task in [tasks(&[(1, "preparing", "")]), tasks(&[])] {
            let engine = engine();
            engine.on("GET /nodes", &[here.clone(), here.clone(), gone.clone()]);
            engine.on("GET /tasks", &[task]);
            assert_eq!(end(&engine).await, Outcome::Away(away));
        }
    }
    // One that is paused goes on with what it has.
    let engine = engine();
    engine.on("GET /nodes", &[here, nodes(&[(1, "ready", "pause")])]);
    let pulls = tasks(&[(1, "preparing", "")]);
    engine.on(
        "GET /tasks",
        &[pulls.clone(), pulls, tasks(&[(1, "failed", "x")])],
    );
    assert_eq!(end(&engine).await, Outcome::Pulled);
}

#[tokio::test]
async fn no_place_is_believed_after_a_while() {
    let why = "unsupported platform on 1 node";
    let none = tasks(&[(1, "pending", why)]);
    let engine = engine();
    engine.on("GET /tasks", std::slice::from_ref(&none));
    let begun = Instant::now();
    assert_eq!(end(&engine).await, Outcome::Unschedulable(why.to_owned()));
    assert!(begun.elapsed() >= Duration::from_secs(2));

    engine.on(
        "GET /tasks",
        &[none.clone(), none, tasks(&[(1, "failed", "x")])],
    );
    assert_eq!(end(&engine).await, Outcome::Pulled);
}

#[tokio::test]
async fn an_event_wakes_before_the_beat() {
    let engine = engine();
    let event = json!({"Type": "node", "Action": "update", "Actor": {"ID": "n1"}}).to_string();
    let events: Vec<Vec<u8>> = std::iter::repeat_n(format!("{event}\n").into_bytes(), 40).collect();
    engine.on("GET /events", &[Reply::StreamThenSilence(events)]);
    let waits = std::iter::repeat_n(tasks(&[(1, "preparing", "")]), 8);
    let replies: Vec<Reply> = waits.chain([tasks(&[(1, "failed", "x")])]).collect();
    engine.on("GET /tasks", &replies);
    let begun = Instant::now();
    assert_eq!(end(&engine).await, Outcome::Pulled);
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "eight beats are four seconds"
    );
}

#[tokio::test]
async fn who_stops_early_makes_nothing_and_who_stops_later_leaves_nothing() {
    let engine = engine();
    engine.on("GET /tasks", &[tasks(&[(1, "preparing", "")])]);
    let manager = engine.connect().await.unwrap();
    let cancel = CancellationToken::new();
    let tell = |_: &NodeId, progress| {
        if progress == Progress::Pulling {
            cancel.cancel();
        }
    };
    let done = run(&manager, &wanted(&[1]), None, &cancel, &tell)
        .await
        .unwrap();
    assert_eq!(done.outcomes[&n(1)], Outcome::Interrupted);
    assert_eq!(engine.asked("DELETE").len(), 1);

    let done = run(&manager, &wanted(&[1]), None, &cancel, &tell)
        .await
        .unwrap();
    assert_eq!(done.outcomes[&n(1)], Outcome::Interrupted);
    assert_eq!(
        engine.asked("/services/create").len(),
        1,
        "a second one was made"
    );
}

#[tokio::test]
async fn time_is_up() {
    let engine = engine();
    engine.on("GET /tasks", &[tasks(&[(1, "preparing", "")])]);
    let manager = engine.connect().await.unwrap();
    let cancel = CancellationToken::new();
    let wanted = Prepull {
        within: Duration::from_secs(1),
        ..wanted(&[1, 2])
    };
    let done = run(&manager, &wanted, None, &cancel, &|_, _| {})
        .await
        .unwrap();
    let out = |state| Outcome::TimedOut { state, seconds: 1 };
    assert_eq!(done.outcomes[&n(1)], out(Some(TaskState::Preparing)));
    assert_eq!(done.outcomes[&n(2)], out(None));
    assert_eq!(engine.asked("DELETE").len(), 1);
}

#[tokio::test]
async fn a_swarm_that_cannot_be_asked_any_more() {
    let table = [
        (
            message(404, "service p1 not found"),
            "removed by somebody else",
        ),
        (message(400, "bad"), "was refused with status 400: bad"),
    ];
    for (reply, words) in table {
        let engine = engine();
        engine.on("GET /tasks", &[reply]);
        let outcome = end(&engine).await;
        assert!(matches!(outcome, Outcome::Unseen(_)), "{outcome:?}");
        assert!(outcome.to_string().contains(words), "{outcome}");
    }
    // What passes is waited for.
    let engine = engine();
    let electing = message(500, "rpc error: the swarm does not have a leader");
    let replies: Vec<Reply> = std::iter::repeat_n(electing, 5)
        .chain([tasks(&[(1, "failed", "x")])])
        .collect();
    engine.on("GET /tasks", &replies);
    assert_eq!(end(&engine).await, Outcome::Pulled);
}

#[tokio::test]
async fn a_removal_is_sent_until_it_is_known_to_be_done() {
    for replies in [
        vec![Reply::HangUp, message(404, "service p1 not found")],
        vec![
            message(500, "rpc error: the swarm does not have a leader"),
            Reply::Bytes(Vec::new()),
        ],
        vec![message(404, "service p1 not found")],
    ] {
        let engine = engine();
        engine.on(REMOVE, &replies);
        assert_eq!(end(&engine).await, Outcome::Pulled);
        assert_eq!(engine.asked("DELETE").len(), replies.len());
    }
    let engine = engine();
    engine.on(REMOVE, &[message(500, "no")]);
    let done = pull(&engine, &[1]).await.unwrap();
    assert_eq!(done.outcomes[&n(1)], Outcome::Pulled);
    let (name, error) = done.left.unwrap();
    assert_eq!(name, wanted(&[1]).service_name());
    assert!(error.to_string().ends_with("500: no"), "{error}");
}

#[tokio::test]
async fn a_credential_goes_with_the_service() {
    let engine = engine();
    let manager = engine.connect().await.unwrap();
    let auth = RegistryAuth::encoded(&"eyJwYXNzd29yZCI6ImEifQ==".into()).unwrap();
    let cancel = CancellationToken::new();
    let done = run(&manager, &wanted(&[1]), Some(&auth), &cancel, &|_, _| {}).await;
    let sent = engine.asked("/services/create").pop().unwrap();
    let value = sent
        .headers
        .iter()
        .find_map(|line| line.strip_prefix("x-registry-auth: "));
    let value = value.unwrap();
    assert!(!sent.body.to_lowercase().contains(value));
    assert!(
        !format!("{done:?} {:?}", wanted(&[1]))
            .to_lowercase()
            .contains(value)
    );
}

#[tokio::test]
async fn a_name_that_is_taken() {
    let conflict = message(409, "rpc error: code = AlreadyExists desc = name conflicts");
    let made = Reply::Json(201, json!({"ID": "p1"}));
    let other = |label: Value| {
        let name = wanted(&[1]).service_name();
        ok(json!([{"ID": "old", "Spec": {"Name": name, "Labels": label}}]))
    };

    let engine = engine();
    engine.on(CREATE, &[conflict.clone(), made]);
    engine.on("GET /services", &[other(json!({LABEL: "pg"}))]);
    engine.on("DELETE /services/old", &[Reply::Bytes(Vec::new())]);
    assert_eq!(end(&engine).await, Outcome::Pulled);
    assert_eq!(engine.asked("DELETE /v1.41/services/old").len(), 1);

    for label in [json!({}), json!({LABEL: "other"})] {
        let engine = self::engine();
        engine.on(CREATE, std::slice::from_ref(&conflict));
        engine.on("GET /services", &[other(label)]);
        let error = pull(&engine, &[1]).await.unwrap_err();
        assert!(matches!(error, PrepullError::NameTaken { .. }), "{error:?}");
        assert!(engine.asked("DELETE").is_empty());
        assert_eq!(engine.asked("/services/create").len(), 1);
    }
}

#[tokio::test]
async fn a_creation_whose_answer_is_lost_is_looked_for() {
    // (whether it is there, and is the one that was sent; whether it goes on)
    for (labels, goes_on) in [(None, false), (Some(false), false), (Some(true), true)] {
        let engine = engine();
        engine.on(CREATE, &[Reply::HangUp]);
        // Not answered until the labels are known.
        engine.on("GET /services?", &[Reply::HangUp]);
        let found = async {
            let sent = loop {
                if let Some(sent) = engine.asked("/services/create").pop() {
                    break sent;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            };
            let mut spec: Value = serde_json::from_str(&sent.body).unwrap();
            if labels == Some(false) {
                spec["Labels"]["dev.imgstack.prepull.created"] = json!("2020-01-01T00:00:00Z");
            }
            let there = labels.map(|_| json!({"ID": "p1", "Spec": spec}));
            engine.on("GET /services?", &[ok(json!(Vec::from_iter(there)))]);
        };
        let (done, ()) = tokio::join!(pull(&engine, &[1]), found);
        assert_eq!(
            engine.asked("/services/create").len(),
            1,
            "it was sent again"
        );
        match done {
            Ok(done) => {
                assert!(goes_on, "{done:?}");
                assert_eq!(done.outcomes[&n(1)], Outcome::Pulled);
                assert_eq!(engine.asked("DELETE").len(), 1);
            }
            Err(error) => {
                assert!(!goes_on, "{error:?}");
                let lost = matches!(error, PrepullError::Engine(Error::AnswerLost { .. }));
                assert!(lost, "{error:?}");
                assert!(engine.asked("DELETE").is_empty(), "another's was removed");
            }
        }
    }
}

#[tokio::test]
async fn sweeping_asks_for_the_stacks_own() {
    let engine = engine();
    let left = ["p1", "p2"].map(|id| json!({"ID": id, "Spec": {"Name": format!("imgstack-{id}")}}));
    engine.on("GET /services", &[ok(json!(left))]);
    engine.on(
        "DELETE /services/p2",
        &[message(404, "service p2 not found")],
    );
    let manager = engine.connect().await.unwrap();
    let swept = sweep(&manager, "pg").await.unwrap();
    assert_eq!(swept, ["imgstack-p1", "imgstack-p2"]);
    let asked = engine.asked("GET /v1.41/services").pop().unwrap();
    let filter = "%7B%22label%22%3A%5B%22dev.imgstack.prepull%3Dpg%22%5D%7D";
    assert!(asked.line.contains(filter), "{asked:?}");
}
