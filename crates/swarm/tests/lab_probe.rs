//! The questions of a rollout, put to real tasks on real nodes.
//!
//! Needs the lab up, and its environment (`eval "$(tests/lab/lab env)"`).

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test, and in what it looks with"
)]

mod ground;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ground::{build, docker, engine, host, lab, socket, target};
use imgstack_spec::{Question, TaskTemplate};
use imgstack_swarm::probe::{Answer, Asked, Asker, RunError};
use imgstack_swarm::{Manager, Node, NodeEngine, Task, TaskState};

const WITHIN: Duration = Duration::from_secs(5);
const MANAGER: &str = "ssh://root@docker-infra-1";

fn http(url: &str) -> Question {
    Question::Http(url.parse().unwrap())
}

fn tcp(to: &str) -> Question {
    Question::Tcp(to.parse().unwrap())
}

fn words(command: &[&str]) -> Vec<TaskTemplate> {
    command.iter().map(|word| word.parse().unwrap()).collect()
}

fn exec(command: &[&str]) -> Question {
    Question::Exec(words(command))
}

fn no(words: &str) -> Answer {
    Answer::No(words.to_owned())
}

fn silent(words: &str) -> Answer {
    Answer::Silent(words.to_owned())
}

/// A service of one task on one node, which serves `/etc` on port 8008.
struct Served {
    name: String,
    manager: Manager,
    task: Task,
    node: Node,
}

impl Served {
    async fn start(name: &str, node: u32, more: &[&str]) -> Self {
        let image = build("swarmcrate/probe", "a1", &[]).reference();
        let name = format!("swarmcrate-probe-{name}");
        docker(1, &["service", "rm", &name]);
        let constraint = format!("node.hostname==docker-infra-{node}");
        let create = [
            "service",
            "create",
            "--name",
            &name,
            "--no-healthcheck",
            "--detach",
        ];
        let create = [&create[..], &["--constraint", &constraint], more].concat();
        let serve = [&image, "httpd", "-f", "-p", "8008", "-h", "/etc"];
        assert!(docker(1, &[&create[..], &serve].concat()).is_some());
        let manager = host(MANAGER).await.unwrap();
        let (task, node) = running(&manager, &name).await;
        Self {
            name,
            manager,
            task,
            node,
        }
    }

    fn asker(&self, engines: &[NodeEngine]) -> Asker {
        Asker::new(&self.manager, engines)
    }

    async fn ask(&self, asker: &Asker, question: &Question) -> Answer {
        let asked = Asked {
            task: &self.task,
            node: &self.node,
        };
        asker.ask(question, WITHIN, &asked).await
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        docker(1, &["service", "rm", &self.name]);
    }
}

async fn running(manager: &Manager, service: &str) -> (Task, Node) {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let services = manager.services_named(&[service.parse().unwrap()]).await;
        let id = services.unwrap().first().unwrap().id();
        let mut tasks = manager.tasks(&[id]).await.unwrap().into_iter();
        if let Some(task) = tasks.find(|task| task.state == TaskState::Running) {
            let mut nodes = manager.nodes().await.unwrap().into_iter();
            let node = nodes.find(|node| Some(&node.id) == task.node_id.as_ref());
            return (task, node.unwrap());
        }
        assert!(Instant::now() < end, "{service} does not run");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// An overlay network that goes when the test ends, after what is on it.
struct Overlay(&'static str);

impl Overlay {
    fn new(name: &'static str, more: &[&str]) -> Self {
        docker(1, &["network", "rm", name]);
        let create = ["network", "create", "--driver", "overlay"];
        assert!(docker(1, &[&create[..], more, &[name]].concat()).is_some());
        Self(name)
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        let gone = || docker(1, &["network", "rm", self.0]).is_some();
        let mut tries = 0..50;
        while !gone() && tries.next().is_some() {
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// What every task here answers, whichever way is taken to it.
async fn answers(served: &Served, asker: &Asker) {
    let table = [
        (http("http://{task.address}:8008/build"), Answer::Yes),
        (
            http("http://{task.address}:8008/nothing"),
            no("status 404: <HTML><HEAD><TITLE>404 Not Found</TITLE></HEAD>"),
        ),
        (
            http("http://{task.address}:8009/build"),
            silent("connection refused"),
        ),
        (tcp("{task.address}:8008"), Answer::Yes),
        (tcp("{task.address}:8009"), no("connection refused")),
    ];
    for (question, expected) in table {
        assert_eq!(served.ask(asker, &question).await, expected, "{question:?}");
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn over_ssh_from_every_node() {
    let network = Overlay::new("swarmcrate-probe", &[]);
    for node in 1..=3 {
        let on = ["--network", network.0, "--endpoint-mode", "dnsrr"];
        let served = Served::start(&format!("node-{node}"), node, &on).await;
        // Node 1 is the manager, so its connection serves.
        let engines = match node {
            1 => vec![],
            _ => vec![engine(&format!("ssh://root@docker-infra-{node}")).await],
        };
        let asker = served.asker(&engines);
        answers(&served, &asker).await;
        let programs = [
            (exec(&["grep", "-q", "a1", "/etc/build"]), Answer::Yes),
            (
                exec(&["sh", "-c", "echo lag is {task.slot}00 MB; exit 3"]),
                no("`sh` ended with 3: lag is 100 MB"),
            ),
        ];
        for (question, expected) in programs {
            assert_eq!(
                served.ask(&asker, &question).await,
                expected,
                "{question:?}"
            );
        }
        let missing = served.ask(&asker, &exec(&["patronictl", "list"])).await;
        assert!(
            matches!(&missing, Answer::Silent(words) if words.contains("`patronictl` cannot be run")),
            "{missing:?}"
        );
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn on_networks_of_the_node() {
    for (network, node) in [("host", 2), ("bridge", 3)] {
        let served = Served::start(network, node, &["--network", network]).await;
        let engines = [engine(&format!("ssh://root@docker-infra-{node}")).await];
        answers(&served, &served.asker(&engines)).await;
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn what_its_node_has_no_address_for() {
    let network = Overlay::new("swarmcrate-probe-internal", &["--internal"]);
    let on = ["--network", network.0, "--endpoint-mode", "dnsrr"];
    let served = Served::start("internal", 2, &on).await;
    let engines = [engine("ssh://root@docker-infra-2").await];
    let asker = served.asker(&engines);
    let answer = served.ask(&asker, &tcp("{task.address}:8008")).await;
    let Answer::Unknown(unasked) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(
        unasked.why,
        "the task is on internal networks only, so its node has no address for it"
    );
    assert!(unasked.hint.unwrap().contains("`exec`"));
    assert_eq!(served.ask(&asker, &exec(&["true"])).await, Answer::Yes);
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn where_there_is_no_way() {
    let network = Overlay::new("swarmcrate-probe-way", &[]);
    let on = ["--network", network.0, "--endpoint-mode", "dnsrr"];
    let served = Served::start("way", 1, &on).await;
    let certificates = lab().join("tls").display().to_string();
    let tls = target(&[
        ("DOCKER_HOST", "tcp://10.77.0.11:2376"),
        ("DOCKER_TLS_VERIFY", "1"),
        ("DOCKER_CERT_PATH", &certificates),
    ]);
    let table = [
        (
            NodeEngine::connect(&tls).await.unwrap(),
            "the node is reached by tcp, where nothing but its engine answers",
        ),
        (
            engine(&socket(1)).await,
            "the engine's socket is here, but this is not its node",
        ),
    ];
    for (engine, why) in table {
        let asker = served.asker(std::slice::from_ref(&engine));
        for question in [
            tcp("{task.address}:8008"),
            http("http://{task.address}:8008/build"),
        ] {
            let answer = served.ask(&asker, &question).await;
            assert!(
                matches!(&answer, Answer::Unknown(unasked) if unasked.why == why),
                "{answer:?}"
            );
        }
        assert_eq!(served.ask(&asker, &exec(&["true"])).await, Answer::Yes);
    }

    let elsewhere = Served::start("elsewhere", 2, &on).await;
    let asker = elsewhere.asker(&[]);
    let answer = elsewhere.ask(&asker, &exec(&["true"])).await;
    assert!(
        matches!(&answer, Answer::Unknown(unasked)
            if unasked.why == "there is no way to the engine of node docker-infra-2"),
        "{answer:?}"
    );
}

/// An sshd on node 3 that forbids all forwarding.
struct Sshd(&'static str);

impl Sshd {
    fn start(port: &str, pid: &'static str, path: &str) -> Self {
        let config = lab().join("node-3/sshd_config").display().to_string();
        let (pid_file, path) = (format!("PidFile={pid}"), format!("SetEnv=PATH={path}"));
        let options = ["AllowTcpForwarding=no", &pid_file, &path];
        let mut sshd = vec!["/usr/sbin/sshd", "-f", &config, "-p", port];
        for option in options {
            sshd.extend(["-o", option]);
        }
        on_node_3(&sshd);
        Self(pid)
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        on_node_3(&["sh", "-c", &format!("kill $(cat {})", self.0)]);
    }
}

fn on_node_3(command: &[&str]) {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lab/lab");
    let status = Command::new(lab).args(["node", "3"]).args(command).status();
    assert!(status.unwrap().success(), "{command:?}");
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_host_that_forbids_forwarding() {
    let network = Overlay::new("swarmcrate-probe-forbids", &[]);
    let on = ["--network", network.0, "--endpoint-mode", "dnsrr"];
    let served = Served::start("forbids", 3, &on).await;

    let _sshd = Sshd::start("2222", "/run/probe-nc.pid", "/usr/bin:/bin");
    let nc = engine("ssh://root@docker-infra-3:2222").await;
    let asker = served.asker(&[nc]);
    let table = [
        (http("http://{task.address}:8008/build"), Answer::Yes),
        (tcp("{task.address}:8008"), Answer::Yes),
    ];
    for (question, expected) in table {
        assert_eq!(
            served.ask(&asker, &question).await,
            expected,
            "{question:?}"
        );
    }
    let refused = served
        .ask(&asker, &http("http://{task.address}:8009/"))
        .await;
    assert!(
        matches!(&refused, Answer::Silent(words) if words.contains("refused")),
        "{refused:?}"
    );
    let refused = served.ask(&asker, &tcp("{task.address}:8009")).await;
    assert!(
        matches!(&refused, Answer::No(words) if words.contains("refused")),
        "{refused:?}"
    );

    // Docker and a shell, and nothing that makes connections.
    let folder = "/run/probe-none";
    let link =
        format!("mkdir -p {folder} && ln -sf $(command -v docker) $(command -v sh) {folder}");
    on_node_3(&["sh", "-c", &link]);
    let _sshd = Sshd::start("2223", "/run/probe-none.pid", folder);
    let none = engine("ssh://root@docker-infra-3:2223").await;
    let asker = served.asker(&[none]);
    for question in [
        http("http://{task.address}:8008/build"),
        tcp("{task.address}:8008"),
    ] {
        let answer = served.ask(&asker, &question).await;
        assert!(
            matches!(&answer, Answer::Unknown(unasked)
                if unasked.why.contains("forbids tcp forwarding over ssh, and has no `nc`")),
            "{question:?}: {answer:?}"
        );
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn programs_that_say_more_and_take_longer() {
    let served = Served::start("exec", 2, &["--network", "bridge"]).await;
    let asker = served.asker(&[engine("ssh://root@docker-infra-2").await]);
    let asked = Asked {
        task: &served.task,
        node: &served.node,
    };
    // Twice what is kept of it; it ends all the same.
    let chatty = words(&[
        "sh",
        "-c",
        "yes=0123456789abcde; i=0; while [ $i -lt 8192 ]; do echo $yes; i=$((i+1)); done; exit 4",
    ]);
    let ran = asker.run(&chatty, WITHIN, &asked).await.unwrap();
    assert_eq!(ran.code, 4);
    assert!(
        (3000..=4096).contains(&ran.output.len()),
        "{}",
        ran.output.len()
    );
    let slow = asker
        .run(&words(&["sleep", "30"]), Duration::from_millis(500), &asked)
        .await;
    let error = slow.unwrap_err();
    assert!(matches!(error, RunError::Exec(_)), "{error:?}");
    assert_eq!(error.to_string(), "`sleep` was not done within 0.5 s");
    let gone = Task {
        container_id: Some("0123456789ab".to_owned()),
        ..served.task.clone()
    };
    let asked = Asked {
        task: &gone,
        node: &served.node,
    };
    for question in [exec(&["true"]), tcp("{task.address}:8008")] {
        let answer = asker.ask(&question, WITHIN, &asked).await;
        assert!(matches!(&answer, Answer::Silent(_)), "{answer:?}");
    }
}
