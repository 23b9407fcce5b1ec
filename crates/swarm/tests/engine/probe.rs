//! What is made of the answers of tasks, and of engines that run programs.
//!
//! The task's node is this machine, so it is asked without ssh.

use std::time::Duration;

use imgstack_spec::{Platform, Question, TaskTemplate};
use imgstack_swarm::probe::{Answer, Asked, Asker, RunError};
use imgstack_swarm::{
    Availability, Node, NodeId, NodeRole, NodeState, ServiceId, Task, TaskId, TaskState,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::node::{message, ok};
use crate::scripted::{Engine, Reply};

const WITHIN: Duration = Duration::from_millis(500);

fn node() -> Node {
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    Node {
        id: NodeId::new("n1"),
        hostname: hostname.trim().to_owned(),
        role: NodeRole::Manager,
        availability: Availability::Active,
        state: NodeState::Ready,
        message: None,
        address: Some("127.0.0.1".to_owned()),
        platform: Platform {
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            variant: None,
        },
        machine: String::new(),
        engine_version: String::new(),
        labels: [].into(),
        engine_labels: [].into(),
        leader: true,
    }
}

fn task() -> Task {
    Task {
        id: TaskId::new("t1"),
        service_id: ServiceId::new("s1"),
        slot: Some(3),
        node_id: Some(NodeId::new("n1")),
        image: "db:16".to_owned(),
        force_update: 0,
        placement: Value::Null,
        state: TaskState::Running,
        desired_state: TaskState::Running,
        timestamp: None,
        created_at: None,
        message: String::new(),
        err: None,
        exit_code: None,
        container_id: Some("c1".to_owned()),
        version: 1,
    }
}

/// An engine whose container hangs on the gateway's bridge at 127.0.0.1.
fn engine() -> Engine {
    let engine = Engine::start();
    let networks = json!({"data": {"NetworkID": "ov1", "IPAddress": "10.0.9.4"}});
    let container = json!({"NetworkSettings": {"Networks": networks}});
    engine.on("GET /containers/c1/json", &[ok(container)]);
    let on = json!({"c1": {"IPv4Address": "127.0.0.1/8"}, "c2": {"IPv4Address": "127.0.0.2/8"}});
    let gateway = json!({"Driver": "bridge", "Containers": on});
    engine.on("GET /networks/docker_gwbridge", &[ok(gateway)]);
    engine.on("GET /networks/ov1", &[ok(json!({"Driver": "overlay"}))]);
    engine
}

async fn ask(engine: &Engine, question: &Question) -> Answer {
    let asker = Asker::new(&engine.connect().await.unwrap(), []);
    ask_by(&asker, question).await
}

async fn ask_by(asker: &Asker, question: &Question) -> Answer {
    let (task, node) = (task(), node());
    let asked = Asked {
        task: &task,
        node: &node,
    };
    asker.ask(question, WITHIN, &asked).await
}

fn why(answer: &Answer) -> &str {
    match answer {
        Answer::Yes => "yes",
        Answer::No(why) | Answer::Silent(why) => why,
        Answer::Unknown(unasked) => &unasked.why,
    }
}

/// The port of a task that answers this to everybody, and then keeps the
/// connection open, or closes it.
async fn serve(answer: &'static [u8], keep: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer).await;
                if keep {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    port
}

fn url(port: u16) -> Question {
    let url = format!("http://{{task.address}}:{port}/primary");
    Question::Http(url.parse().unwrap())
}

#[tokio::test]
async fn what_http_says() {
    let yes = Answer::Yes;
    let no = |words: &str| Answer::No(words.to_owned());
    let silent = |words: &str| Answer::Silent(words.to_owned());
    let table: [(&[u8], bool, Answer); 9] = [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            true,
            yes.clone(),
        ),
        (b"HTTP/1.0 204 x\r\n\r\n", false, yes.clone()),
        // What comes after the status does not matter, nor whether it ends.
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", true, yes),
        (
            b"HTTP/1.1 503 x\r\nContent-Length: 18\r\n\r\nlag\x1b[2J is 3\nmore\n",
            true,
            no("status 503: lag[2J is 3"),
        ),
        // Another page is not the answer, whatever it would say.
        (
            b"HTTP/1.1 302 x\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
            true,
            no("status 302"),
        ),
        (b"HTTP/1.1 503 x\r\n\r\n", true, no("status 503")),
        (
            b"",
            false,
            silent("connection closed before message completed"),
        ),
        (b"", true, silent("no answer within 0.5 s")),
        (
            b"SSH-2.0-x\r\n",
            true,
            silent("invalid HTTP version parsed"),
        ),
    ];
    let engine = engine();
    for (answer, keep, expected) in table {
        let port = serve(answer, keep).await;
        let said = ask(&engine, &url(port)).await;
        assert_eq!(said, expected, "{}", String::from_utf8_lossy(answer));
    }
}

#[tokio::test]
async fn a_port_that_nobody_listens_on() {
    let engine = engine();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let to = Question::Tcp(format!("{{task.address}}:{port}").parse().unwrap());
    assert_eq!(ask(&engine, &to).await, Answer::Yes);
    drop(listener);
    let refused = "connection refused".to_owned();
    assert_eq!(ask(&engine, &to).await, Answer::No(refused.clone()));
    assert_eq!(ask(&engine, &url(port)).await, Answer::Silent(refused));
}

#[tokio::test]
async fn an_address_is_looked_up_once() {
    let engine = engine();
    let port = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false).await;
    let asker = Asker::new(&engine.connect().await.unwrap(), []);
    for _ in 0..3 {
        assert_eq!(ask_by(&asker, &url(port)).await, Answer::Yes);
        assert_eq!(ask_by(&asker.clone(), &url(port)).await, Answer::Yes);
    }
    assert_eq!(engine.asked("/networks/").len(), 1);
    assert_eq!(engine.asked("/containers/c1/json").len(), 1);
    // One is the manager's connection, one asks whose engine it is.
    assert_eq!(engine.asked("/info").len(), 2);
}

#[tokio::test]
async fn where_a_container_is_reached() {
    let port = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false).await;
    let internal = "the task is on internal networks only, so its node has no address for it";
    let on = |name: &str, address: &str| {
        let networks = json!({name: {"NetworkID": "net1", "IPAddress": address}});
        ok(json!({"NetworkSettings": {"Networks": networks}}))
    };
    let driver = |driver: &str| ok(json!({"Driver": driver}));
    let none = message(404, "network docker_gwbridge not found");
    let gateway = ok(json!({"Driver": "bridge", "Containers": null}));
    let table = [
        (on("host", ""), driver("host"), none.clone(), "yes"),
        (on("lan", "127.0.0.1"), driver("bridge"), none, "yes"),
        (
            on("lan", "127.0.0.1"),
            driver("bridge"),
            gateway.clone(),
            "yes",
        ),
        (
            on("data", "127.0.0.1"),
            driver("overlay"),
            gateway.clone(),
            internal,
        ),
        (
            message(404, "No such container: c1"),
            driver("bridge"),
            gateway.clone(),
            "its container is gone",
        ),
        (
            message(500, "no"),
            driver("bridge"),
            gateway,
            "a task's container was refused with status 500: no",
        ),
    ];
    for (container, network, gateway, expected) in table {
        let engine = engine();
        engine.on("GET /containers/c1/json", &[container]);
        engine.on("GET /networks/net1", &[network]);
        engine.on("GET /networks/docker_gwbridge", &[gateway]);
        assert_eq!(why(&ask(&engine, &url(port)).await), expected);
    }
}

#[tokio::test]
async fn only_its_own_node_is_asked() {
    let engine = engine();
    let asker = Asker::new(&engine.connect().await.unwrap(), []);
    let task = task();
    let table = [
        // A socket that was lent to another host.
        (
            Node {
                hostname: "docker-infra-1".to_owned(),
                ..node()
            },
            "the engine's socket is here, but this is not its node",
        ),
        (
            Node {
                address: Some("192.0.2.1".to_owned()),
                ..node()
            },
            "the engine's socket is here, but this is not its node",
        ),
        (
            Node {
                id: NodeId::new("n2"),
                hostname: "docker-infra-2".to_owned(),
                ..node()
            },
            "there is no way to the engine of node docker-infra-2",
        ),
    ];
    for (node, expected) in table {
        let asked = Asked {
            task: &task,
            node: &node,
        };
        let answer = asker.ask(&url(8008), WITHIN, &asked).await;
        assert!(matches!(&answer, Answer::Unknown(_)), "{answer:?}");
        assert_eq!(why(&answer), expected);
    }
}

/// A frame of a program's output.
fn framed(kind: u8, text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    [&[kind, 0, 0, 0], &length[..], text.as_bytes()].concat()
}

/// An engine on which a program writes this and ends so.
fn running(output: &[Vec<u8>], ends: &[Value]) -> Engine {
    let engine = engine();
    engine.on(
        "POST /containers/c1/exec",
        &[Reply::Json(201, json!({"Id": "x1"}))],
    );
    engine.on(
        "POST /exec/x1/start",
        &[Reply::Stream(output.to_vec(), true)],
    );
    let ends: Vec<Reply> = ends.iter().cloned().map(ok).collect();
    engine.on("GET /exec/x1/json", &ends);
    engine
}

fn command() -> Vec<TaskTemplate> {
    ["check", "--slot={task.slot}"]
        .map(|word| word.parse().unwrap())
        .into()
}

#[tokio::test]
async fn how_programs_end() {
    let ended = |code: i64| json!({"Running": false, "ExitCode": code});
    let runs = json!({"Running": true, "ExitCode": null});
    let output = [
        framed(1, "a\nb\n"),
        framed(2, "no\x1b[0m leader\n"),
        framed(1, "c\n\n"),
    ];
    let table = [
        (vec![ended(0)], Answer::Yes),
        (vec![runs.clone(), runs, ended(0)], Answer::Yes),
        (
            vec![ended(1)],
            Answer::No("`check` ended with 1: b; no[0m leader; c".to_owned()),
        ),
        (
            vec![ended(127)],
            Answer::Silent(
                "`check` cannot be run in the container (exit code 127): b; no[0m leader; c"
                    .to_owned(),
            ),
        ),
    ];
    for (ends, expected) in table {
        let engine = running(&output, &ends);
        assert_eq!(ask(&engine, &Question::Exec(command())).await, expected);
        let asked = engine.asked("POST /v1.41/containers/c1/exec ");
        assert_eq!(
            asked[0].body,
            r#"{"AttachStderr":true,"AttachStdout":true,"Cmd":["check","--slot=3"]}"#
        );
        assert_eq!(engine.asked("/networks/").len(), 0);
    }
}

/// A node that hangs is no task that says no.
#[tokio::test]
async fn the_silence_of_an_engine_is_not_that_of_its_task() {
    let question = Question::Exec(command());
    let engine = running(&[], &[json!({"Running": true})]);
    engine.on("POST /containers/c1/exec", &[Reply::Silence]);
    // It is connected to, and hangs afterwards.
    let version = json!({"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"});
    let hangs = [Reply::Json(200, version), Reply::Silence];
    engine.on("GET /version", &hangs);
    let Answer::Unknown(unasked) = ask(&engine, &question).await else {
        panic!()
    };
    assert!(
        unasked.why.contains("does not answer within 0.5 s"),
        "{unasked}"
    );
}

#[tokio::test]
async fn programs_that_do_not_end() {
    let question = Question::Exec(command());
    let engine = running(&[], &[json!({"Running": true})]);
    engine.on(
        "POST /exec/x1/start",
        &[Reply::StreamThenSilence(vec![framed(1, "a\n")])],
    );
    let silent = Answer::Silent("`check` was not done within 0.5 s".to_owned());
    assert_eq!(ask(&engine, &question).await, silent);

    // Engines that say with a status that they cannot start it.
    let engine = running(&[], &[json!({"Running": false, "ExitCode": 126})]);
    engine.on(
        "POST /exec/x1/start",
        &[message(400, "exec: \"check\": not found")],
    );
    let silent =
        "`check` cannot be run in the container (exit code 126): exec: \"check\": not found";
    assert_eq!(
        ask(&engine, &question).await,
        Answer::Silent(silent.to_owned())
    );

    let stopped = "Container c1 is not running";
    let table = [
        (
            409,
            stopped,
            "the container does not run: Container c1 is not running",
        ),
        (
            404,
            "No such container: c1",
            "the container does not run: No such container: c1",
        ),
    ];
    for (status, words, expected) in table {
        let engine = running(&[], &[]);
        engine.on("POST /containers/c1/exec", &[message(status, words)]);
        assert_eq!(
            ask(&engine, &question).await,
            Answer::Silent(expected.to_owned())
        );
    }
    let engine = running(&[], &[]);
    engine.on("POST /containers/c1/exec", &[message(500, "no")]);
    assert!(matches!(ask(&engine, &question).await, Answer::Unknown(_)));
}

#[tokio::test]
async fn a_program_that_is_run() {
    let engine = running(&[framed(1, "switched\n")], &[json!({"ExitCode": 2})]);
    let asker = Asker::new(&engine.connect().await.unwrap(), []);
    let (task, node) = (task(), node());
    let asked = Asked {
        task: &task,
        node: &node,
    };
    let ran = asker.run(&command(), WITHIN, &asked).await.unwrap();
    assert_eq!((ran.code, ran.last_words().as_str()), (2, "switched"));

    let pending = Task {
        container_id: None,
        ..task.clone()
    };
    let asked = Asked {
        task: &pending,
        node: &node,
    };
    let error = asker.run(&command(), WITHIN, &asked).await.unwrap_err();
    assert!(matches!(error, RunError::NoContainer(_)), "{error:?}");
}

#[tokio::test]
async fn questions_that_cannot_be_put() {
    let engine = engine();
    let table = [
        (
            Question::Http("https://{task.address}/".parse().unwrap()),
            "`https://127.0.0.1/` is not an address that begins with http://",
        ),
        (
            Question::Tcp("{task.address}".parse().unwrap()),
            "`127.0.0.1` is not `host:port`",
        ),
    ];
    for (question, expected) in table {
        let answer = ask(&engine, &question).await;
        assert!(matches!(&answer, Answer::Unknown(_)), "{answer:?}");
        assert_eq!(why(&answer), expected);
    }
}

/// (tasks as container, exit code, state and node; the one that leads, or why
/// it is not known)
#[tokio::test]
async fn a_service_leads_by_one_of_its_tasks() {
    use TaskState::{Pending, Running, Shutdown, Starting};
    type Case<'a> = (
        &'a [(&'a str, i64, TaskState, &'a str)],
        Result<&'a str, &'a str>,
    );
    let table: [Case<'_>; 10] = [
        (&[], Ok("")),
        (&[("c1", 1, Running, "n1")], Ok("")),
        (&[("c1", 0, Running, "n1")], Ok("c1")),
        (
            &[("c1", 1, Running, "n1"), ("c2", 0, Starting, "n1")],
            Ok("c2"),
        ),
        // What has no container leads nobody, and what is over is not asked.
        (
            &[("c1", 0, Pending, "n1"), ("c2", 0, Shutdown, "n1")],
            Ok(""),
        ),
        (
            &[("c1", 127, Running, "n1")],
            Err("`leads` cannot be run in the container (exit code 127), on here"),
        ),
        // One that says yes is enough, and a no is not.
        (
            &[("c1", 127, Running, "n1"), ("c2", 0, Running, "n1")],
            Ok("c2"),
        ),
        (
            &[("c1", 127, Running, "n1"), ("c2", 1, Running, "n1")],
            Err("`leads` cannot be run"),
        ),
        (
            &[("c1", 0, Running, "down")],
            Err("there does not answer the managers"),
        ),
        (
            &[("c1", 0, Running, "gone")],
            Err("its node is not in the Swarm any more"),
        ),
    ];
    let mut nodes = [node(), node()];
    "here".clone_into(&mut nodes[0].hostname);
    nodes[1].id = NodeId::new("down");
    nodes[1].state = NodeState::Down;
    "there".clone_into(&mut nodes[1].hostname);
    let question = Question::Exec(vec!["leads".parse().unwrap()]);
    for (tasks, expected) in table {
        let engine = Engine::start();
        let tasks = tasks.iter().map(|(container, code, state, node)| {
            let path = |text: String| -> &'static str { text.leak() };
            let id = ok(json!({"Id": format!("e-{container}")}));
            engine.on(path(format!("POST /containers/{container}/exec")), &[id]);
            let quiet = Reply::Bytes(Vec::new());
            engine.on(path(format!("POST /exec/e-{container}/start")), &[quiet]);
            let end = ok(json!({"Running": false, "ExitCode": code}));
            engine.on(path(format!("GET /exec/e-{container}/json")), &[end]);
            let desired = if *state == Shutdown {
                Shutdown
            } else {
                Running
            };
            Task {
                container_id: Some((*container).to_owned()),
                state: *state,
                desired_state: desired,
                node_id: Some(NodeId::new(*node)),
                ..task()
            }
        });
        let tasks: Vec<Task> = tasks.collect();
        let asker = Asker::new(&engine.connect().await.unwrap(), []);
        let leading = asker.leading(&question, WITHIN, &tasks, &nodes).await;
        match (leading, expected) {
            (Ok(task), Ok(container)) => {
                let found = task.and_then(|task| task.container_id.as_deref());
                assert_eq!(found.unwrap_or_default(), container, "{tasks:?}");
            }
            (Err(unasked), Err(why)) => assert!(unasked.why.starts_with(why), "{unasked:?}"),
            (leading, _) => panic!("{leading:?} is not {expected:?}"),
        }
    }
}
