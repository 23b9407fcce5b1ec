//! Nodes hold what they may have to run, whatever becomes of the registry.

use std::collections::BTreeMap;
use std::time::Duration;

use imgstack_tests::build::Kind;
use imgstack_tests::guest::Guest;
use imgstack_tests::lab::{Joined, Lab};
use imgstack_tests::proxy::Proxy;
use imgstack_tests::story::Story;
use imgstack_tests::world::{World, wait_until};
use serde_json::Value;

both! {
    a_lost_image_comes_back_and_a_task_starts_with_the_registry_off,
    through_the_manager_each_node_pulls_once_and_nothing_is_left,
    what_a_killed_apply_left_is_planned_and_goes_with_the_next,
}

alone! {
    a_full_disk_is_planned_with_figures_refused_and_healed,
    a_node_that_joins_is_logged_in_and_gets_its_image,
}

/// The label of the services that pull for imgstack.
const PREPULL: &str = "dev.imgstack.prepull";
const NAME: &str = "com.docker.swarm.service.name";

/// The image is pruned while nothing runs there: today's tools notice when the
/// task is to start again.
async fn a_lost_image_comes_back_and_a_task_starts_with_the_registry_off(world: World) {
    let proxy = Proxy::to_anonymous(&world);
    let mut story = Story::in_registry(&world, "lost", proxy.address());
    let build = story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg", &["--constraint=node.hostname==docker-infra-2"]);
    let engine = world.engine(2);
    story.nodes(&[&format!("{{name: docker-infra-2, engine: \"{engine}\"}}")]);
    story.spec(&[("pg", "")]);
    nothing_to_do(&story);
    stop(&story, 2);
    let name = format!("{}@{}", story.repository(), build.digest);
    world.docker_on(2, &["image", "rm", "--force", &name]);

    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says(&[
        "# node.docker-infra-2: does not hold the image; a restart there would fail without the registry",
        "+ pull node.docker-infra-2",
        "Plan: 1 to add, 0 to change, 0 to destroy.",
    ]);
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(0);
    apply.says(&["Apply complete! Resources: 1 added, 0 changed, 0 destroyed."]);
    assert!(story.is_held(2, &build.digest));
    nothing_to_do(&story);

    drop(proxy);
    start(&story, 2, &build.digest);
}

/// The spec says nothing of nodes, so all go through the manager.
async fn through_the_manager_each_node_pulls_once_and_nothing_is_left(world: World) {
    let story = Story::new(&world, "once");
    story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg", &[]);
    let new = story.push(Kind::Good, "abc1234").await;
    story.spec(&[("pg", "")]);
    let since = jiff::Timestamp::now();
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(0);
    apply.says(&["Resources: 3 added, 1 changed, 0 destroyed."]);
    let mut services = Vec::new();
    for node in 1..=3 {
        assert!(story.is_held(node, &new.digest), "node {node}");
        let made = containers(&story, node, since);
        assert_eq!(made.values().copied().collect::<Vec<_>>(), [1], "{made:?}");
        services.extend(made.into_keys());
    }
    services.dedup();
    assert_eq!(services.len(), 1, "one service for all nodes: {services:?}");
    nothing_is_left(&story);
    nothing_to_do(&story);
}

/// `kill -9` in the middle of a pull.
async fn what_a_killed_apply_left_is_planned_and_goes_with_the_next(world: World) {
    let proxy = Proxy::to_anonymous(&world);
    let story = Story::in_registry(&world, "killed", proxy.address());
    story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg", &[]);
    let old = story.running("pg");
    let new = story.push(Kind::Good, "abc1234").await;
    story.spec(&[("pg", "")]);
    let since = jiff::Timestamp::now();
    proxy.hold();
    let apply = story.start(&["apply", "--auto-approve"]);
    wait_until("three nodes to pull", Duration::from_secs(60), || {
        states(&story) == ["Preparing"; 3]
    });
    apply.signal("KILL");
    assert_eq!(apply.wait().code, None);
    let [left] = &prepulls(&story)[..] else {
        panic!("nothing was left behind")
    };
    let tasks = world.docker(&["service", "ps", "-q", left]);
    assert_eq!(tasks.lines().count(), 3, "one task a node");
    assert_eq!(story.running("pg"), old, "a service was touched too early");

    proxy.release();
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says(&[
        &format!("# service.{left}: left behind by an apply that was killed"),
        &format!("- remove service.{left}"),
        "Plan: 3 to add, 1 to change, 1 to destroy.",
    ]);
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(0);
    apply.says(&["Resources: 3 added, 1 changed, 1 destroyed."]);
    for node in 1..=3 {
        assert!(story.is_held(node, &new.digest), "node {node}");
        let made = containers(&story, node, since);
        // That of the killed run got as far as it got.
        assert!(made.values().all(|count| *count == 1), "{made:?}");
        assert!((1..=2).contains(&made.len()), "{made:?}");
    }
    nothing_is_left(&story);
    nothing_to_do(&story);
}

/// The incident that began it all, on a node with a small disk.
async fn a_full_disk_is_planned_with_figures_refused_and_healed(world: World) {
    let proxy = Proxy::to_anonymous(&world);
    let node = lab(&world).join(4, Some("300M"));
    let mut story = Story::in_registry(&world, "incident", proxy.address());
    let build = story.push_large(Kind::Good, "9b1d2e7", 40).await;
    let here = format!("--constraint=node.hostname=={}", node.hostname());
    story.create("pg", &[&here]);
    story.nodes(&["{selector: {role: worker}, engine: \"ssh://root@{hostname}\"}"]);
    story.spec(&[("pg", "")]);
    nothing_to_do(&story);
    let version = || story.inspect("pg")["Version"].clone();

    stop(&story, 4);
    world.docker_on(4, &["image", "prune", "--all", "--force"]);
    fill(&node, 60);
    let before = version();
    for command in [&["plan"][..], &["apply", "--auto-approve"]] {
        let run = story.imgstack(command).expect(1);
        run.says(&[
            &format!("! blocked node.{}: has ", node.hostname()),
            "image.pg needs about ",
            &format!("docker -H ssh://root@{} system df", node.hostname()),
        ])
        .never_says(&["No changes", "Apply complete", "+ pull"]);
        let room = free(&node) as f64;
        assert!((room - mib(&run.stdout, "has")).abs() <= 1.0, "{room}");
        // The ballast, and a small base.
        let fetched = mib(&run.stdout, "(");
        assert!((40.0..45.0).contains(&fetched), "{fetched}");
        assert!((2.0 * fetched - mib(&run.stdout, "about")).abs() <= 0.2);
    }
    assert!(!story.is_held(4, &build.digest), "pulled onto a full disk");
    assert_eq!(version(), before);

    node.run(&["rm", "/var/lib/docker/filler"]);
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says(&[
        &format!("# node.{}: does not hold the image", node.hostname()),
        &format!("+ pull node.{}", node.hostname()),
    ]);
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    assert!(story.is_held(4, &build.digest));
    nothing_to_do(&story);

    // Neither this registry nor any other can be reached from there.
    drop(proxy);
    node.run(&["ip", "route", "add", "prohibit", "10.77.0.1/32"]);
    let mut pull = node.command(&["docker", "pull", world.anonymous()]);
    assert!(!pull.output().unwrap().status.success());
    start(&story, 4, &build.digest);
    // The registries must not seem to have gone when the node goes.
    drop(node);
}

/// A selector covers what joins tomorrow.
async fn a_node_that_joins_is_logged_in_and_gets_its_image(world: World) {
    let proxy = Proxy::to_private(&world);
    let mut story = Story::in_registry(&world, "joins", proxy.address());
    let guest = Guest::new(&world, &story.name, &format!("secret of {}", story.name));
    let password = format!("secret of {}", story.name);
    let build = story
        .push_private(&story.path(), Kind::Good, "9b1d2e7")
        .await;
    let config = story.log_in(guest.name(), &password);
    story.create_as(&config, "pg", &["--constraint=node.role==worker"]);
    story.set("LAB_PASSWORD", &password);
    story.nodes(&["{selector: {role: worker}, engine: \"ssh://root@{hostname}\", login: true}"]);
    let registry = format!(
        "- {{host: \"{}\", insecure: true, username: {}, password: {{env: LAB_PASSWORD}}}}",
        story.registry,
        guest.name()
    );
    story.spec_full(&world.endpoint(), &registry, "tag: \"16\"", &[("pg", "")]);
    let _logins = Logins {
        world: &world,
        registry: story.registry.clone(),
    };
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    nothing_to_do(&story);

    let node = lab(&world).join(4, None);
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says(&[
        &format!("+ login node.{}", node.hostname()),
        &format!("is not logged in to {}", story.registry),
        &format!("+ pull node.{}", node.hostname()),
        "Plan: 2 to add, 0 to change, 0 to destroy.",
    ]);
    plan.never_says(&["docker-infra-2", "docker-infra-3"]);
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(0);
    apply.says(&[
        &format!(
            "node.{} registry.{}: Logged in",
            node.hostname(),
            story.registry
        ),
        "Resources: 2 added, 0 changed, 0 destroyed.",
    ]);
    assert!(story.is_held(4, &build.digest));
    nothing_to_do(&story);

    // For people: docker on the node is logged in.
    node.run(&["docker", "pull", &format!("{}:16", story.repository())]);
    // For tasks: nothing but the image is needed.
    drop(proxy);
    let there = format!("node.hostname=={}", node.hostname());
    story.update("pg", &["--constraint-add", &there]);
    assert_eq!(story.nodes_of("pg"), [node.hostname()]);
}

fn lab(world: &World) -> &Lab {
    match world {
        World::Lab(lab) => lab,
        World::Sim(_) => unreachable!("a story of the lab's"),
    }
}

#[track_caller]
fn nothing_to_do(story: &Story) {
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    plan.says(&["No changes. Your infrastructure matches the configuration."]);
}

/// Ends all tasks of `pg`, and waits until nothing of it is on the node.
fn stop(story: &Story, node: u8) {
    let service = story.service("pg");
    let scale = format!("{service}=0");
    story
        .world
        .docker(&["service", "scale", "--detach", &scale]);
    let own = format!("label={NAME}={service}");
    wait_until("the task to go", Duration::from_secs(30), || {
        let list = ["ps", "--all", "--quiet", "--filter", &own];
        story.world.docker_on(node, &list).is_empty()
    });
}

/// Starts `pg` on that node, and then again.
fn start(story: &Story, node: u8, digest: &str) {
    let scale = format!("{}=1", story.service("pg"));
    story.world.docker(&["service", "scale", &scale]);
    story.update("pg", &["--force"]);
    let image = format!("{}:16@{digest}", story.repository());
    assert_eq!(story.running("pg"), [image]);
    assert_eq!(story.nodes_of("pg"), [format!("docker-infra-{node}")]);
}

/// The services that pull for this story now.
fn prepulls(story: &Story) -> Vec<String> {
    let label = format!("label={PREPULL}={}", story.name);
    let list = ["service", "ls", "--format", "{{.Name}}", "--filter", &label];
    let names = story.world.docker(&list);
    names.lines().map(str::to_owned).collect()
}

/// The states of the tasks that pull now, in a word each.
fn states(story: &Story) -> Vec<String> {
    let Some(service) = prepulls(story).pop() else {
        return Vec::new();
    };
    let list = ["service", "ps", "--format", "{{.CurrentState}}", &service];
    let states = story.world.docker(&list);
    let words = states.lines().filter_map(|it| it.split(' ').next());
    words.map(str::to_owned).collect()
}

/// The containers that were made on a node for pulls of this story's image, by
/// the ID of their service.
fn containers(story: &Story, node: u8, since: jiff::Timestamp) -> BTreeMap<String, usize> {
    let (since, until) = (since.to_string(), jiff::Timestamp::now().to_string());
    let args = [
        &["events", "--since", &since, "--until", &until][..],
        &["--filter", "type=container", "--filter", "event=create"],
        &["--format", "{{json .Actor.Attributes}}"],
    ];
    let events = story.world.docker_on(node, &args.concat());
    let mut made = BTreeMap::new();
    for line in events.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let word = |key: &str| event[key].as_str().unwrap_or_default();
        if word(NAME).starts_with("imgstack-prepull-")
            && word("image").starts_with(&story.repository())
        {
            let service = word("com.docker.swarm.service.id").to_owned();
            *made.entry(service).or_default() += 1;
        }
    }
    made
}

/// Neither services nor their containers.
fn nothing_is_left(story: &Story) {
    assert_eq!(prepulls(story), Vec::<String>::new());
    wait_until("containers to go", Duration::from_secs(30), || {
        (1..=3).all(|node| {
            let format = format!("{{{{.Image}}}} {{{{.Label \"{NAME}\"}}}}");
            let list = ["ps", "--all", "--no-trunc", "--format", &format];
            let all = story.world.docker_on(node, &list);
            let mut all = all.lines();
            !all.any(|it| it.starts_with(&story.repository()) && it.contains("imgstack-prepull-"))
        })
    });
}

/// How many MiB are said of something, just after that word.
fn mib(text: &str, word: &str) -> f64 {
    let text = text.replace('(', "( ");
    let mut words = text.split_whitespace().skip_while(|it| *it != word);
    let figure = words.nth(1).unwrap().parse().unwrap();
    assert_eq!(words.next(), Some("MiB"), "{text}");
    figure
}

/// Leaves so many MiB of a node's disk.
fn fill(node: &Joined, leave: u64) {
    let size = format!("{}M", free(node) - leave);
    node.run(&["fallocate", "--length", &size, "/var/lib/docker/filler"]);
}

/// What is free on a node's disk, in MiB.
fn free(node: &Joined) -> u64 {
    let df = node.run(&["df", "--output=avail", "--block-size=1M", "/var/lib/docker"]);
    df.lines().last().unwrap().trim().parse().unwrap()
}

/// Logins on the lab's own workers, which go when this is dropped.
struct Logins<'a> {
    world: &'a World,
    registry: String,
}

impl Drop for Logins<'_> {
    fn drop(&mut self) {
        for node in ["2", "3"] {
            // It may have failed before it was logged in.
            let args = ["node", node, "docker", "logout", &self.registry];
            let _ = lab(self.world).verb(&args);
        }
    }
}
