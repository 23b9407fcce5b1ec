//! Rollouts of a database: the next service goes when the one before is ready,
//! and the leader goes last.
//!
//! The database is what stands in for Patroni in the lab, three members on three
//! nodes. Simulated members neither listen nor hold elections, so they are asked
//! by programs in their containers, and who leads a story says.

use std::time::Duration;

use imgstack_sim::Program;
use imgstack_tests::build::Kind;
use imgstack_tests::story::{Run, Story};
use imgstack_tests::world::{World, wait_until};

imgstack_tests::lab! {
    the_replicas_go_first_and_the_leader_hands_over,
    leadership_that_moves_in_mid_apply_changes_the_order,
    leadership_that_moves_in_mid_apply_stops_it_where_the_spec_says_so,
    lag_keeps_the_gate_shut_until_the_build_is_taken_back,
    a_build_that_fails_its_probe_after_a_while_is_taken_back_and_held,
}

imgstack_tests::simulation! {
    members_are_asked_by_programs_in_their_containers,
}

const MEMBERS: [&str; 3] = ["pg-1", "pg-2", "pg-3"];

/// A database of three members, each a service with its own node.
struct Database {
    story: Story,
}

impl Database {
    /// One whose first member leads.
    async fn new(world: &World, name: &str) -> Self {
        let mut story = Story::new(world, name);
        story.push(Kind::Patroni, "9b1d2e7").await;
        let network = story.service("net");
        let label = format!("com.docker.stack.namespace={}", story.name);
        // It goes with what has that label.
        let create = [
            "network", "create", "--driver", "overlay", "--label", &label,
        ];
        world.docker(&[&create[..], &[&network]].concat());
        let peers = MEMBERS.map(|member| story.service(member)).join(" ");
        for (member, node) in MEMBERS.into_iter().zip(1..) {
            let (own, peers) = (story.service(member), format!("PEERS={peers}"));
            let own = format!("MEMBER={own}");
            let on = format!("node.hostname==docker-infra-{node}");
            let options = ["--network", &network, "--endpoint-mode", "dnsrr"];
            let place = ["--constraint", &on, "--env", &own, "--env", &peers];
            story.create(member, &[&options[..], &place].concat());
        }
        let rules: Vec<String> = (1..=3).map(|node| rule(world, node)).collect();
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        story.nodes(&rules);
        let database = Self { story };
        if let World::Lab(_) = world {
            database.waits_for_leader("pg-1");
        }
        database
    }

    /// Writes the spec; each service has these lines in its `rollout`.
    fn spec(&self, rollout: &str) {
        let rollout = format!("      rollout:\n{rollout}");
        self.story.spec(&MEMBERS.map(|it| (it, rollout.as_str())));
    }

    /// Runs a program in a member's container; whether it is content.
    fn run(&self, member: &str, command: &[&str]) -> Result<String, String> {
        let world = &self.story.world;
        let node = MEMBERS.iter().position(|it| *it == member).unwrap();
        let node = u8::try_from(node + 1).unwrap();
        let label = format!(
            "label=com.docker.swarm.service.name={}",
            self.story.service(member)
        );
        let container = world.try_docker_on(node, &["ps", "-q", "--filter", &label])?;
        let container = container.trim();
        world.try_docker_on(node, &[&["exec", container][..], command].concat())
    }

    fn leads(&self, member: &str) -> bool {
        self.run(member, &["patroni", "is", "primary"]).is_ok()
    }

    fn waits_for_leader(&self, member: &str) {
        let what = format!("{member} to lead");
        wait_until(&what, Duration::from_secs(40), || self.leads(member));
    }

    fn asks_for(&self, member: &str, digest: &str) -> bool {
        let service = self.story.inspect(member);
        let image = &service["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"];
        image.as_str().is_some_and(|it| it.ends_with(digest))
    }

    fn all_run(&self, members: &[&str], digest: &str) {
        let image = format!("{}:16@{digest}", self.story.repository());
        for member in members {
            assert_eq!(self.story.running(member), [image.as_str()], "{member}");
        }
    }

    /// The order in which an apply began with the members.
    fn order(&self, apply: &Run) -> Vec<&'static str> {
        let began = |member: &str| {
            let words = format!("{}: Updating", self.story.service(member));
            apply.stderr.find(&words)
        };
        let mut begun: Vec<_> = MEMBERS
            .into_iter()
            .filter_map(|member| Some((began(member)?, member)))
            .collect();
        begun.sort_unstable();
        begun.into_iter().map(|(_, member)| member).collect()
    }
}

/// How a node's engine is reached: by ssh, over which connections go as well.
fn rule(world: &World, node: u8) -> String {
    let engine = match world {
        World::Lab(_) => format!("ssh://root@docker-infra-{node}"),
        World::Sim(_) => world.engine(node),
    };
    format!("{{name: docker-infra-{node}, engine: \"{engine}\"}}")
}

const PROBE: &str =
    "        probe: {http: \"http://{task.address}:8008/readiness\", every: 1s, for: 2s}\n";
const LAST_IF: &str = "        lastIf: {http: \"http://{task.address}:8008/primary\"}\n";
const BEFORE: &str = "        beforeLast: {exec: [patroni, switchover]}\n";

async fn the_replicas_go_first_and_the_leader_hands_over(world: World) {
    let database = Database::new(&world, "handover").await;
    let story = &database.story;
    database.spec(&[PROBE, LAST_IF, BEFORE].concat());
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);

    let new = story.push(Kind::Patroni, "abc1234").await;
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says(&[
        "runs `patroni switchover` in its task and waits until it leads no more",
        "Plan: 3 to add, 3 to change, 0 to destroy.",
    ]);
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(0);
    assert_eq!(database.order(&apply), ["pg-2", "pg-3", "pg-1"]);
    apply.says(&["it leads, so it runs `patroni switchover` in"]);
    database.all_run(&MEMBERS, &new.digest);
    // Handed over, to the first that was ready.
    assert!(database.leads("pg-2"));
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);

    // Another one leads, so the order is another one.
    let newer = story.push(Kind::Patroni, "def5678").await;
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(0);
    assert_eq!(database.order(&apply), ["pg-1", "pg-3", "pg-2"]);
    database.all_run(&MEMBERS, &newer.digest);
}

/// Starts an apply, and moves leadership to the third member when the second
/// has begun.
async fn moved(database: &Database) -> (Run, String) {
    let new = database.story.push(Kind::Patroni, "abc1234").await;
    let apply = database.story.start(&["apply", "--auto-approve"]);
    let begun = || database.asks_for("pg-2", &new.digest);
    wait_until("the second to begin", Duration::from_secs(60), begun);
    let to = database.story.service("pg-3");
    let switched = database.run("pg-1", &["patroni", "switchover", &to]);
    assert!(switched.is_ok(), "{switched:?}");
    (apply.wait(), new.digest)
}

async fn leadership_that_moves_in_mid_apply_changes_the_order(world: World) {
    let database = Database::new(&world, "moves").await;
    database.spec(&[PROBE, LAST_IF].concat());
    let (apply, digest) = moved(&database).await;
    let apply = apply.expect(0);
    assert_eq!(database.order(&apply), ["pg-2", "pg-1", "pg-3"]);
    let service = |member| database.story.service(member);
    apply.says(&[&format!(
        "service.{} leads now, not service.{}",
        service("pg-3"),
        service("pg-1")
    )]);
    database.all_run(&MEMBERS, &digest);
}

async fn leadership_that_moves_in_mid_apply_stops_it_where_the_spec_says_so(world: World) {
    let database = Database::new(&world, "movesstop").await;
    let stop = "        onLeaderChange: stop\n";
    database.spec(&[PROBE, LAST_IF, stop].concat());
    let before = ["pg-1", "pg-3"].map(|it| database.story.tasks(it));
    let (apply, digest) = moved(&database).await;
    let apply = apply.expect(1);
    assert_eq!(database.order(&apply)[0], "pg-2");
    let service = |member| database.story.service(member);
    apply.says(&[&format!(
        "service.{} answers as the leader now, and service.{} did when the plan was made",
        service("pg-3"),
        service("pg-1")
    )]);
    database.all_run(&["pg-2"], &digest);
    let after = ["pg-1", "pg-3"].map(|it| database.story.tasks(it));
    assert_eq!(after, before);
}

async fn lag_keeps_the_gate_shut_until_the_build_is_taken_back(world: World) {
    let database = Database::new(&world, "lag").await;
    let story = &database.story;
    let timeout = "        timeout: 20s\n";
    database.spec(&[timeout, PROBE, LAST_IF].concat());
    let before = ["pg-1", "pg-3"].map(|it| story.tasks(it));
    let old = story.running("pg-2");
    let lagging = story.push(Kind::PatroniLagging, "bad0bad").await;
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(1);
    assert_eq!(database.order(&apply), ["pg-2"]);
    apply.says(&[
        "status 503",
        "the probe did not hold within 20 s",
        "going back",
        &format!("not started  service.{}", story.service("pg-1")),
        &format!("not started  service.{}", story.service("pg-3")),
    ]);
    assert_eq!(story.running("pg-2"), old);
    assert!(!old[0].ends_with(&lagging.digest));
    let after = ["pg-1", "pg-3"].map(|it| story.tasks(it));
    assert_eq!(after, before);
    assert!(database.leads("pg-1"));
    let history = story.imgstack(&["history", "1"]).expect(0);
    history.says(&["status 503", "the probe did not hold within 20 s"]);
}

async fn a_build_that_fails_its_probe_after_a_while_is_taken_back_and_held(world: World) {
    let database = Database::new(&world, "fades").await;
    let story = &database.story;
    // It is ready for five seconds, which is not enough.
    let probe = PROBE.replace("for: 2s", "for: 8s");
    database.spec(&[probe.as_str(), LAST_IF].concat());
    let old = story.running("pg-2");
    let fading = story.push(Kind::PatroniFading, "bad0bad").await;
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(1);
    assert_eq!(database.order(&apply), ["pg-2"]);
    apply.says(&["status 503", "going back"]);
    assert_eq!(story.running("pg-2"), old);
    let history = story.imgstack(&["history"]).expect(0);
    history.says(&["failed"]);
    let release = story.imgstack(&["history", "1"]).expect(0);
    release.says(&["status 503", &fading.digest[..19]]);

    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(1);
    plan.says(&["the wanted build failed on 20", "held", "--retry-failed"]);
    let tasks = MEMBERS.map(|it| story.tasks(it));
    story.imgstack(&["apply", "--auto-approve"]).expect(1);
    assert_eq!(MEMBERS.map(|it| story.tasks(it)), tasks);

    let mended = story.push(Kind::Patroni, "abc1234").await;
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    database.all_run(&MEMBERS, &mended.digest);
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
}

async fn members_are_asked_by_programs_in_their_containers(world: World) {
    let database = Database::new(&world, "programs").await;
    let story = &database.story;
    let engines = &world.sim().world().engines;
    let leads = |member: &str, code: i64| {
        let command = ["patroni", "is", "primary"].map(str::to_owned).into();
        let program = Program {
            command,
            exit_code: code,
            ..Program::default()
        };
        engines.set_program(&story.service(member), program);
    };
    for (member, code) in MEMBERS.into_iter().zip([0, 1, 1]) {
        leads(member, code);
    }
    let timeout = "        timeout: 5s\n";
    let probe = "        probe: {exec: [patroni, is, readiness], every: 1s}\n";
    let last_if = "        lastIf: {exec: [patroni, is, primary]}\n";
    database.spec(&[timeout, probe, last_if].concat());
    let new = story.push(Kind::Patroni, "abc1234").await;
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(0);
    assert_eq!(database.order(&apply), ["pg-2", "pg-3", "pg-1"]);
    database.all_run(&MEMBERS, &new.digest);

    leads("pg-1", 1);
    leads("pg-2", 0);
    let lagging = story.push(Kind::PatroniLagging, "bad0bad").await;
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(1);
    assert_eq!(database.order(&apply), ["pg-1"]);
    apply.says(&[
        "`patroni` ended with 1",
        "the probe did not hold within 5 s",
    ]);
    database.all_run(&MEMBERS, &new.digest);
    assert_ne!(lagging.digest, new.digest);

    // Who says nothing may lead, so it stays; the one that says no goes.
    leads("pg-2", 127);
    leads("pg-3", 127);
    let newer = story.push(Kind::Patroni, "def5678").await;
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(1);
    apply.says(&["`patroni` cannot be run in the container"]);
    assert_eq!(database.order(&apply), ["pg-1"]);
    database.all_run(&["pg-1"], &newer.digest);
    database.all_run(&["pg-2", "pg-3"], &new.digest);
}
