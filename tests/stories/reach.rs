//! Every way to a manager, and every way in which there is none.

use imgstack_tests::build::Kind;
use imgstack_tests::lab::Lab;
use imgstack_tests::proxy::Proxy;
use imgstack_tests::story::Story;

async fn one_service(name: &str) -> Story {
    let story = Story::new(name);
    story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg", &[]);
    story
}

fn spec(story: &Story, endpoint: &str) {
    let registry = format!("- {{host: \"{}\", insecure: true}}", story.registry);
    story.spec_full(endpoint, &registry, "tag: \"16\"", &[("pg", "")]);
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn over_ssh_a_tag_that_moved_is_applied() {
    let story = one_service("ssh").await;
    spec(&story, "ssh://root@docker-infra-1");
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    story.push(Kind::Good, "abc1234").await;
    story
        .imgstack(&["apply", "--auto-approve"])
        .expect(0)
        .says(&["Apply complete!"]);
}

// The proxy works while the story waits for docker.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn over_tcp_with_tls_and_without() {
    let mut story = one_service("tcp").await;
    // Plain tcp to the manager's socket.
    let plain = Proxy::to_socket(&story.lab.socket(1));
    spec(&story, &format!("tcp://{}", plain.address()));
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    // TLS, with docker's own variables.
    spec(&story, "tcp://10.77.0.11:2376");
    let without = story.imgstack(&["plan"]).expect(1);
    without.says(&["swarm", "help:"]);
    let tls = story.lab.root().join("tls").display().to_string();
    story.set("DOCKER_CERT_PATH", &tls);
    story.set("DOCKER_TLS_VERIFY", "1");
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn without_an_endpoint_docker_s_own_settings_are_followed() {
    let mut story = one_service("context").await;
    spec(&story, "");
    let socket = format!("unix://{}", story.lab.socket(1).display());
    let host = format!("docker={},host={socket}", "");
    let config = story.dir().join(".docker").display().to_string();
    let create = ["--config", &config, "context", "create", "lab", "--docker"];
    let host = host.replace("docker=,", "");
    story.lab.docker(&[&create[..], &[&host]].concat());
    // Exists, and is not in force.
    story
        .imgstack(&["plan"])
        .expect(1)
        .says(&["/var/run/docker.sock", "help:"]);
    story
        .lab
        .docker(&["--config", &config, "context", "use", "lab"]);
    let plan = story.imgstack(&["status"]).expect(0);
    plan.says(&["docker context lab"]);
    story.set("DOCKER_HOST", &socket);
    story.imgstack(&["status"]).expect(0).says(&["DOCKER_HOST"]);
}

/// (endpoint, what is said)
#[tokio::test]
#[ignore = "needs the lab"]
async fn an_engine_that_cannot_be_used_is_an_error_that_helps() {
    let story = one_service("unreachable").await;
    let worker = format!("unix://{}", story.lab.socket(2).display());
    let cases = [
        ("unix:///nowhere/docker.sock", "/nowhere/docker.sock"),
        ("tcp://10.77.0.1:9", "refused"),
        ("ssh://root@no-such-host.invalid", "no-such-host.invalid"),
        (&worker, "is a worker, not a manager"),
    ];
    for (endpoint, words) in cases {
        spec(&story, endpoint);
        let run = story.imgstack(&["plan"]).expect(1);
        run.says(&[words, "! blocked swarm", "help:"])
            .never_says(&["No changes"]);
    }
}

/// `imgstack` keeps nothing of the world: two runs, two looks.
#[tokio::test]
#[ignore = "needs the lab"]
async fn the_version_is_printed_without_a_lab() {
    let lab = Lab::open();
    let output = std::process::Command::new(lab.imgstack())
        .arg("--version")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("imgstack "));
}
