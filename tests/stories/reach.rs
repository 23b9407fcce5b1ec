//! Every way to a manager, and every way in which there is none.

use imgstack_tests::build::Kind;
use imgstack_tests::proxy::Proxy;
use imgstack_tests::story::Story;
use imgstack_tests::world::World;

imgstack_tests::lab! {
    without_an_endpoint_docker_s_own_settings_are_followed,
    over_ssh_a_tag_that_moved_is_applied,
    over_tcp_with_tls_and_without,
    an_engine_that_cannot_be_used_is_an_error_that_helps,
}

async fn one_service(world: &World, name: &str) -> Story {
    let story = Story::new(world, name);
    story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg", &[]);
    story
}

fn spec(story: &Story, endpoint: &str) {
    let registry = format!("- {{host: \"{}\", insecure: true}}", story.registry);
    story.spec_full(endpoint, &registry, "tag: \"16\"", &[("pg", "")]);
}

async fn over_ssh_a_tag_that_moved_is_applied(world: World) {
    let story = one_service(&world, "ssh").await;
    spec(&story, "ssh://root@docker-infra-1");
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    story.push(Kind::Good, "abc1234").await;
    story
        .imgstack(&["apply", "--auto-approve"])
        .expect(0)
        .says(&["Apply complete!"]);
}

async fn over_tcp_with_tls_and_without(world: World) {
    let mut story = one_service(&world, "tcp").await;
    // Plain tcp to the manager's socket.
    let plain = Proxy::to_socket(&world, &story.world.socket(1));
    spec(&story, &format!("tcp://{}", plain.address()));
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    // TLS, with docker's own variables.
    spec(&story, "tcp://10.77.0.11:2376");
    let without = story.imgstack(&["plan"]).expect(1);
    without.says(&["swarm", "help:"]);
    let World::Lab(lab) = &world else {
        unreachable!("a story of the lab's");
    };
    let tls = lab.root().join("tls").display().to_string();
    story.set("DOCKER_CERT_PATH", &tls);
    story.set("DOCKER_TLS_VERIFY", "1");
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
}

async fn without_an_endpoint_docker_s_own_settings_are_followed(world: World) {
    let mut story = one_service(&world, "context").await;
    spec(&story, "");
    let socket = story.world.endpoint();
    let host = format!("host={socket}");
    let config = story.dir().join(".docker").display().to_string();
    let create = ["--config", &config, "context", "create", "lab", "--docker"];
    story.world.docker(&[&create[..], &[&host]].concat());
    // Exists, and is not in force.
    story
        .imgstack(&["plan"])
        .expect(1)
        .says(&["/var/run/docker.sock", "help:"]);
    story
        .world
        .docker(&["--config", &config, "context", "use", "lab"]);
    let plan = story.imgstack(&["status"]).expect(0);
    plan.says(&["docker context lab"]);
    story.set("DOCKER_HOST", &socket);
    story.imgstack(&["status"]).expect(0).says(&["DOCKER_HOST"]);
}

/// (endpoint, what is said)
async fn an_engine_that_cannot_be_used_is_an_error_that_helps(world: World) {
    let story = one_service(&world, "unreachable").await;
    let worker = format!("unix://{}", story.world.socket(2).display());
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
