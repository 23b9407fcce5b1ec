//! How the client takes what an engine says, and what it does not say.

use std::time::Duration;

use futures_util::StreamExt as _;
use imgstack_swarm::{
    ConnectFailure, Error, LogStream, RegistryAuth, ServiceId, TaskId, TaskState, UpdateState,
};
use serde_json::{Value, json};

use crate::scripted::{Engine, Reply};

const UPDATE: &str = "POST /services/s1/update";

fn s1() -> ServiceId {
    ServiceId::new("s1")
}

fn message(status: u16, text: &str) -> Reply {
    Reply::Json(status, json!({"message": text}))
}

/// Sends an update to an engine with these replies; also how often it came.
async fn update(replies: &[Reply]) -> (Result<Vec<String>, Error>, usize) {
    let engine = Engine::start();
    engine.on(UPDATE, replies);
    let manager = engine.connect().await.unwrap();
    let outcome = manager
        .update_service(&s1(), 7, &json!({"Name": "web"}), None)
        .await;
    let asked = engine.asked("/update");
    for request in &asked {
        assert!(
            request
                .line
                .starts_with("POST /v1.41/services/s1/update?version=7 ")
        );
        assert_eq!(request.body, r#"{"Name":"web"}"#);
    }
    (outcome.map(|outcome| outcome.warnings), asked.len())
}

#[tokio::test]
async fn who_is_there() {
    let engine = Engine::start();
    let manager = engine.connect().await.unwrap();
    let cluster = manager.cluster();
    assert_eq!(cluster.id, "c1");
    assert_eq!(cluster.engine_version, "20.10.24");
    assert_eq!(cluster.api_version, "1.41");
    assert_eq!(manager.endpoint(), &engine.target().endpoint);
}

#[tokio::test]
async fn engines_that_will_not_do() {
    let engine = Engine::start();
    let old = json!({"Version": "18.09.1", "ApiVersion": "1.39"});
    engine.on("GET /version", &[Reply::Json(200, old)]);
    let error = engine.connect().await.unwrap_err();
    assert!(matches!(error, Error::EngineTooOld { .. }), "{error:?}");
    assert!(error.to_string().contains("engine 18.09.1"), "{error}");
    assert!(error.to_string().contains("speaks API 1.39"), "{error}");

    let table = [
        (
            json!({"NodeID": "", "LocalNodeState": "inactive", "ControlAvailable": false}),
            "belongs to no Swarm",
            "docker swarm init",
        ),
        (
            json!({
                "NodeID": "n2", "LocalNodeState": "active", "ControlAvailable": false,
                "RemoteManagers": [
                    {"NodeID": "n3", "Addr": "10.0.0.3:2377"},
                    {"NodeID": "n1", "Addr": "10.0.0.1:2377"},
                ],
            }),
            "is a worker, not a manager",
            "name one of the managers 10.0.0.1, 10.0.0.3 in spec.swarm.endpoint",
        ),
    ];
    let table = table.into_iter().chain([
        (
            json!({"NodeID": "", "LocalNodeState": "locked", "ControlAvailable": false}),
            "belongs to a Swarm that is locked",
            "docker swarm unlock",
        ),
        (
            json!({
                "NodeID": "n1", "LocalNodeState": "error", "ControlAvailable": false,
                "Error": "certificate has expired",
            }),
            "belongs to a Swarm that is error: certificate has expired",
            "docker info",
        ),
    ]);
    for (swarm, words, hint) in table {
        let engine = Engine::start();
        engine.on("GET /info", &[Reply::Json(200, json!({"Swarm": swarm}))]);
        let error = engine.connect().await.unwrap_err();
        assert!(error.to_string().ends_with(words), "{error}");
        assert!(error.hint().unwrap().contains(hint), "{error:?}");
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn a_manager_that_was_demoted() {
    let engine = Engine::start();
    let text = "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a manager node or promote the current node to a manager.";
    for path in ["GET /services", "GET /nodes", "GET /tasks"] {
        engine.on(path, &[message(503, text)]);
    }
    let manager = engine.connect().await.unwrap();
    for error in [
        manager.services().await.unwrap_err(),
        manager.nodes().await.unwrap_err(),
        manager.all_tasks().await.unwrap_err(),
    ] {
        assert!(
            matches!(error, Error::NotAManager { member: true, .. }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn an_update_that_is_accepted() {
    for (answer, warnings) in [
        (json!({"Warnings": null}), vec![]),
        (json!({}), vec![]),
        (
            json!({"Warnings": ["image could not be accessed"]}),
            vec!["image could not be accessed"],
        ),
    ] {
        let (outcome, times) = update(&[Reply::Json(200, answer)]).await;
        assert_eq!(outcome.unwrap(), warnings);
        assert_eq!(times, 1);
    }
    // Accepted is what the status says, whatever becomes of the rest.
    let (outcome, _) = update(&[Reply::Stream(vec![b"{\"Warn".to_vec()], false)]).await;
    assert_eq!(outcome.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn an_update_that_came_too_late() {
    let text = "rpc error: code = Unknown desc = update out of sequence";
    let (outcome, times) = update(&[message(500, text)]).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, Error::OutOfSequence { .. }), "{error:?}");
    assert!(!error.is_retryable());
    assert_eq!(times, 1);
}

#[tokio::test]
async fn an_update_that_is_refused() {
    let (outcome, times) = update(&[message(500, "rpc error: name conflicts")]).await;
    let error = outcome.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the update of service s1 was refused with status 500: rpc error: name conflicts"
    );
    assert_eq!(times, 1);
}

#[tokio::test]
async fn an_update_whose_answer_is_lost_is_never_sent_again() {
    let deadline = "rpc error: code = DeadlineExceeded desc = context deadline exceeded";
    for reply in [
        Reply::HangUp,
        Reply::Silence,
        // A proxy, or a manager, that passed it on and got no answer.
        message(504, "gateway timeout"),
        message(500, deadline),
        message(503, "rpc error: the swarm does not have a leader"),
    ] {
        let (outcome, times) = update(&[reply]).await;
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::AnswerLost { .. }), "{error:?}");
        assert!(!error.is_retryable());
        assert_eq!(times, 1);
    }
}

#[tokio::test]
async fn an_update_that_never_left_is_no_lost_answer() {
    let engine = Engine::start();
    let manager = engine.connect().await.unwrap();
    std::fs::remove_file(engine.socket()).unwrap();
    let error = manager
        .update_service(&s1(), 7, &json!({}), None)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Connect {
                failure: ConnectFailure::NobodyListens,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_credential_goes_in_its_header_and_nowhere_else() {
    let engine = Engine::start();
    engine.on(
        UPDATE,
        &[
            message(500, "no"),
            Reply::HangUp,
            Reply::Json(200, json!({})),
        ],
    );
    let manager = engine.connect().await.unwrap();
    let auth = RegistryAuth::encoded(&"eyJwYXNzd29yZCI6ImEifQ==".into()).unwrap();
    let spec = json!({"Name": "web"});
    for _ in 0..2 {
        let error = manager
            .update_service(&s1(), 7, &spec, Some(&auth))
            .await
            .unwrap_err();
        let header = &engine.asked("/update")[0].headers;
        let value = header
            .iter()
            .find_map(|line| line.strip_prefix("x-registry-auth: "));
        let shown = format!("{error} {error:?} {auth:?} {manager:?}").to_lowercase();
        assert!(!shown.contains(value.unwrap()), "{shown}");
    }
    manager.update_service(&s1(), 7, &spec, None).await.unwrap();
    let last = engine.asked("/update").pop().unwrap();
    assert!(
        !last
            .headers
            .iter()
            .any(|line| line.starts_with("x-registry-auth")),
        "{last:?}"
    );
}

#[tokio::test]
async fn a_service_comes_and_goes_unspoilt() {
    let service: Value = serde_json::from_str(include_str!("../data/rich-service.json")).unwrap();
    let engine = Engine::start();
    engine.on("GET /services/s1", &[Reply::Json(200, service.clone())]);
    engine.on(UPDATE, &[Reply::Json(200, json!({}))]);
    let manager = engine.connect().await.unwrap();
    let read = manager.service(&s1()).await.unwrap();
    assert_eq!(read.as_value(), &service);
    manager
        .update_service(&s1(), read.version(), read.spec(), None)
        .await
        .unwrap();
    let sent = engine.asked("/update").pop().unwrap();
    assert_eq!(sent.body, service["Spec"].to_string());
}

#[tokio::test]
async fn names_are_whole_names() {
    let engine = Engine::start();
    let services = ["web", "web-2", "db"].map(|name| json!({"ID": name, "Spec": {"Name": name}}));
    engine.on("GET /services", &[Reply::Json(200, json!(services))]);
    let manager = engine.connect().await.unwrap();
    let names = ["web", "nothing"].map(|name| name.parse().unwrap());
    let found = manager.services_named(&names).await.unwrap();
    let found: Vec<_> = found.iter().map(|service| service.name()).collect();
    assert_eq!(found, ["web"]);
    assert_eq!(
        engine
            .asked("GET /v1.41/services?filters=%7B%22name%22%3A")
            .len(),
        1
    );
    assert!(manager.services_named(&[]).await.unwrap().is_empty());
    assert_eq!(engine.asked("/services").len(), 1);
}

#[tokio::test]
async fn a_read_is_tried_again_when_the_connection_breaks() {
    let engine = Engine::start();
    let good = Reply::Json(200, json!([]));
    let manager = engine.connect().await.unwrap();
    engine.on(
        "GET /services",
        &[Reply::HangUp, Reply::HangUp, good.clone()],
    );
    manager.services().await.unwrap();
    engine.on("GET /nodes", &[Reply::HangUp, Reply::HangUp, good]);
    manager.nodes().await.unwrap();
    engine.on("GET /tasks", &[Reply::HangUp]);
    let error = manager.all_tasks().await.unwrap_err();
    assert!(matches!(error, Error::Broken { .. }), "{error:?}");
    assert_eq!(engine.asked("/tasks").len(), 3);
    // So it is while the managers elect a leader.
    let electing = message(500, "The swarm does not have a leader.");
    engine.on("GET /nodes", &[electing, Reply::Json(200, json!([]))]);
    manager.nodes().await.unwrap();
}

#[tokio::test]
async fn a_read_without_an_answer_ends() {
    let engine = Engine::start();
    let manager = engine.connect().await.unwrap();
    for path in ["GET /services", "GET /nodes", "GET /events"] {
        engine.on(path, &[Reply::Silence]);
    }
    for error in [
        manager.services().await.unwrap_err(),
        manager.nodes().await.unwrap_err(),
        manager.events().await.err().unwrap(),
    ] {
        assert!(matches!(error, Error::Deadline { .. }), "{error:?}");
        assert!(error.is_retryable());
    }
    assert_eq!(engine.asked("/services").len(), 1);
}

#[tokio::test]
async fn answers_that_make_no_sense() {
    let engine = Engine::start();
    let manager = engine.connect().await.unwrap();
    engine.on("GET /services", &[Reply::Bytes(b"<html>".to_vec())]);
    engine.on("GET /services/s1", &[message(404, "service s1 not found")]);
    engine.on("GET /nodes", &[Reply::Json(200, json!({"not": "a list"}))]);
    engine.on(
        "GET /tasks",
        &[message(500, "The swarm does not have a leader.")],
    );
    let error = manager.services().await.unwrap_err();
    assert!(matches!(error, Error::Unintelligible { .. }), "{error:?}");
    let error = manager.nodes().await.unwrap_err();
    assert!(matches!(error, Error::Unintelligible { .. }), "{error:?}");
    assert!(manager.service(&s1()).await.unwrap_err().is_not_found());
    let error = manager.all_tasks().await.unwrap_err();
    assert!(
        error.is_retryable() && error.hint().unwrap().contains("quorum"),
        "{error:?}"
    );
}

#[tokio::test]
async fn one_odd_task_does_not_hide_the_others() {
    let engine = Engine::start();
    let tasks = json!([
        {},
        {"ID": "t1", "ServiceID": "s1", "Slot": 2, "NodeID": "n1", "DesiredState": "running",
         "Spec": {"ContainerSpec": {"Image": "db:16", "Mounts": [{"Type": "novel"}],
                  "Privileges": {"Seccomp": {"Mode": ""}}}, "ForceUpdate": 3},
         "Status": {"State": "running", "Timestamp": "2026-02-09T04:00:00.5Z",
                    "ContainerStatus": {"ContainerID": "c1", "PID": 7, "ExitCode": 0}}},
        {"ID": "t2", "Spec": null, "Status": null, "DesiredState": null, "NodeID": null,
         "Slot": null, "Version": null},
    ]);
    engine.on("GET /tasks", &[Reply::Json(200, tasks)]);
    let manager = engine.connect().await.unwrap();
    let tasks = manager.tasks(&[s1()]).await.unwrap();
    assert_eq!(tasks.len(), 3);
    assert_eq!(tasks[1].state, TaskState::Running);
    assert_eq!(tasks[1].name("db"), "db.2");
    assert_eq!(
        (tasks[1].image.as_str(), tasks[1].force_update),
        ("db:16", 3)
    );
    assert_eq!(tasks[2].state, TaskState::Unknown);
    assert_eq!(
        engine
            .asked("filters=%7B%22service%22%3A%5B%22s1%22%5D%7D")
            .len(),
        1
    );
    assert!(manager.tasks(&[]).await.unwrap().is_empty());
    assert_eq!(engine.asked("/tasks").len(), 1);
}

fn frame(kind: u8, text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    [&[kind, 0, 0, 0], length.as_slice(), text.as_bytes()].concat()
}

#[tokio::test]
async fn logs() {
    let engine = Engine::start();
    let manager = engine.connect().await.unwrap();
    let body = [frame(1, "starting\n"), frame(2, "FATAL: no\n")];
    let task = TaskId::new("t1");
    for reply in [
        Reply::Bytes(body.concat()),
        Reply::Stream(body.to_vec(), true),
        // The node is gone after these: what there is is enough.
        Reply::StreamThenSilence(body.to_vec()),
    ] {
        engine.on("GET /tasks/t1/logs?stdout=1&stderr=1&tail=20", &[reply]);
        let lines = manager.task_logs(&task, 20).await.unwrap();
        let lines: Vec<_> = lines
            .iter()
            .map(|line| (line.stream, line.text.as_str()))
            .collect();
        assert_eq!(
            lines,
            [
                (LogStream::Stdout, "starting"),
                (LogStream::Stderr, "FATAL: no")
            ]
        );
    }
}

#[tokio::test]
async fn events_come_as_they_happen() {
    let engine = Engine::start();
    let manager = engine.connect().await.unwrap();
    let event = |new: &str| {
        let attributes = json!({"name": "web", "updatestate.new": new});
        let actor = json!({"ID": "s1", "Attributes": attributes});
        json!({"Type": "service", "Action": "update", "Actor": actor}).to_string() + "\n"
    };
    let pieces = vec![
        event("updating").into_bytes(),
        event("completed").into_bytes(),
    ];
    for ends_well in [true, false] {
        engine.on("GET /events", &[Reply::Stream(pieces.clone(), ends_well)]);
        let mut events = manager.events().await.unwrap();
        for state in [UpdateState::Updating, UpdateState::Completed] {
            let event = events.next().await.unwrap().unwrap();
            assert!(event.is_about(&s1()));
            assert_eq!(event.update_state(), Some(state));
        }
        let end = events.next().await;
        match (ends_well, &end) {
            (true, None) | (false, Some(Err(Error::Broken { .. }))) => {}
            _ => panic!("{ends_well}: {end:?}"),
        }
        assert!(events.next().await.is_none());
    }
}

#[tokio::test]
async fn an_event_without_an_end_is_not_kept_in_memory() {
    let engine = Engine::start();
    let manager = engine.connect().await.unwrap();
    let piece = vec![b'x'; 600 << 10];
    engine.on(
        "GET /events",
        &[Reply::StreamThenSilence(vec![piece.clone(), piece])],
    );
    let mut events = manager.events().await.unwrap();
    let end = events.next().await.unwrap().unwrap_err();
    assert!(matches!(end, Error::Unintelligible { .. }), "{end:?}");
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn events_outlive_the_deadline_and_the_manager() {
    let engine = Engine::start();
    let manager = engine.connect().await.unwrap();
    engine.on(
        "GET /events",
        &[Reply::StreamThenSilence(vec![b"\n".to_vec()])],
    );
    let mut events = manager.events().await.unwrap();
    drop(manager);
    let quiet = tokio::time::timeout(Duration::from_millis(1500), events.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}
