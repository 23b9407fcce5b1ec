//! Many nodes at once: how many work, and what a person sees of it.

use std::collections::BTreeSet;

use imgstack_sim::Recorded;
use imgstack_tests::build::Kind;
use imgstack_tests::sim::Sim;
use imgstack_tests::story::{Run, Story};
use imgstack_tests::world::World;
use jiff::Timestamp;

imgstack_tests::simulated! {
    ten_nodes_pull_four_at_a_time_with_a_bar_each_on_a_terminal_and_lines_in_a_pipe,
    a_disk_that_fills_while_pulling_stops_what_needs_that_node_and_nothing_else,
}

const NODES: u8 = 10;
const AT_ONCE: usize = 4;
const SIZE: u64 = 200 << 20;
/// What the spec says of one worker alone.
const SOME: &str = "{name: docker-infra-7, engine: \"ENGINE\"}";
const APPLY: [&str; 4] = ["apply", "--auto-approve", "--parallelism", "4"];

async fn ten_nodes_pull_four_at_a_time_with_a_bar_each_on_a_terminal_and_lines_in_a_pipe() {
    let sim = Sim::of(NODES);
    let world = World::Sim(sim.clone());
    let mut story = Story::new(&world, "fleet");
    story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg", &[]);
    let socket = sim.socket(1);
    let engine = format!(
        "unix://{}/{{hostname}}.sock",
        socket.parent().unwrap().display()
    );
    let rules = ["manager", "worker"]
        .map(|role| format!("{{selector: {{role: {role}}}, engine: \"{engine}\"}}"));
    story.nodes(&[&rules[0], &rules[1]]);
    story.spec(&[("pg", "")]);

    // Each node's engine is asked, and tells how far it is.
    let pulls = Pulls::new(&sim, &story, "abc1234");
    let plan = story.imgstack(&["plan"]).expect(0);
    plan.says(&[
        "+ pull node.docker-infra-10 200 MiB",
        "Plan: 10 to add, 1 to change",
    ]);
    bars(&story);
    pulls.were_bounded(asked);

    let pulls = Pulls::new(&sim, &story, "def5678");
    lines(&story.imgstack(&APPLY).expect(0));
    pulls.were_bounded(asked);

    // The manager makes them pull; or some of them, beside engines.
    for (rules, sha) in [(&[][..], "fed9876"), (&[&*rules[0], SOME], "cba3210")] {
        let rules = rules.iter().map(|it| it.replace("ENGINE", &engine));
        let rules: Vec<String> = rules.collect();
        story.nodes(&rules.iter().map(String::as_str).collect::<Vec<_>>());
        story.spec(&[("pg", "")]);
        let pulls = Pulls::new(&sim, &story, sha);
        lines(&story.imgstack(&APPLY).expect(0));
        pulls.were_bounded(knocked);
    }
}

/// Without ssh nobody could look at the disk before.
async fn a_disk_that_fills_while_pulling_stops_what_needs_that_node_and_nothing_else() {
    let sim = Sim::start();
    let world = World::Sim(sim.clone());
    let mut story = Story::new(&world, "fills");
    story.push(Kind::Good, "9b1d2e7").await;
    for (name, node) in [("pg-1", 2), ("pg-2", 3)] {
        let there = format!("--constraint=node.hostname==docker-infra-{node}");
        story.create(name, &[&there]);
    }
    let rules = [2, 3].map(|node| {
        let engine = world.engine(node);
        format!("{{name: docker-infra-{node}, engine: \"{engine}\"}}")
    });
    story.nodes(&[&rules[0], &rules[1]]);
    story.spec(&[("pg-1", ""), ("pg-2", "")]);
    let digest = sim.push_of_size(&story.path(), "abc1234", SIZE);
    let old = story.running("pg-1");
    sim.fill_disk(2, 1 << 20);
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(1);
    apply.says(&[
        "Error: node.docker-infra-2 image.pg: ",
        "no space left on device",
        "help: make room on the node",
        "Apply failed. Resources: 1 added, 1 changed, 0 destroyed.",
        "failed       node.docker-infra-2 image.pg",
        &format!("not started  service.{}", story.service("pg-1")),
        &format!("done         service.{}", story.service("pg-2")),
    ]);
    assert_eq!(story.running("pg-1"), old);
    assert!(story.is_held(3, &digest) && !story.is_held(2, &digest));
}

/// An engine is asked to pull.
fn asked(request: &Recorded) -> bool {
    request.method == "POST" && request.path.contains("/images/create?")
}

/// A node knocks at the registry's door.
fn knocked(request: &Recorded) -> bool {
    let agent = request.agent.as_deref().unwrap_or_default();
    request.path == "/v2/" && agent.starts_with("docker/")
}

/// On a terminal each pull that is going on has one line that moves.
fn bars(story: &Story) {
    let mut seen = BTreeSet::new();
    let (mut most, mut last) = (0, Vec::new());
    let code = story.watch(&APPLY, |lines| {
        let bars = lines.iter().filter(|line| line.contains("MiB/200.00 MiB"));
        let names: Vec<&str> = bars.filter_map(|line| line.split(": ").next()).collect();
        let unique: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(
            unique.len(),
            names.len(),
            "two bars for one pull: {lines:#?}"
        );
        most = most.max(names.len());
        seen.extend(names.into_iter().map(|it| {
            it.trim_start_matches(|c: char| !c.is_ascii())
                .trim()
                .to_owned()
        }));
        last = lines.to_vec();
    });
    assert_eq!(code, Some(0), "{last:#?}");
    let expected = (1..=NODES).map(|n| format!("node.docker-infra-{n} image.pg"));
    assert_eq!(seen, expected.collect());
    assert_eq!(most, AT_ONCE);
    assert!(!last.iter().any(|line| line.contains("MiB/")), "{last:#?}");
    let pulled = last
        .iter()
        .filter(|line| line.contains("image.pg: Pulled after"));
    assert_eq!(pulled.count(), usize::from(NODES), "{last:#?}");
}

/// In a pipe there are lines, and nothing that a terminal would act on.
fn lines(run: &Run) {
    let err = &run.stderr;
    assert!(!err.contains(['\x1b', '\r']), "{err}");
    for words in ["image.pg: Pulling...", "image.pg: Pulled after"] {
        let count = err.lines().filter(|line| line.contains(words)).count();
        assert_eq!(count, usize::from(NODES), "{words}: {err}");
    }
}

/// The pulls of one build.
struct Pulls<'a> {
    sim: &'a Sim,
    story: &'a Story,
    digest: String,
    since: Timestamp,
}

impl<'a> Pulls<'a> {
    /// The tag moves to a build that no node has.
    fn new(sim: &'a Sim, story: &'a Story, sha: &str) -> Self {
        Self {
            sim,
            story,
            digest: sim.push_of_size(&story.path(), sha, SIZE),
            since: Timestamp::now(),
        }
    }

    /// All nodes have it, and as many as are allowed pulled at once, never
    /// more. A pull begins with such a request, as the world has written it
    /// down, and ends when the node says so.
    fn were_bounded(&self, is_begin: impl Fn(&Recorded) -> bool) {
        let record = self.sim.world().server.record.entries();
        let since = record.iter().filter(|it| it.at >= self.since);
        let begins = since.filter(|it| is_begin(it));
        let mut moments: Vec<(Timestamp, i32)> = begins.map(|it| (it.at, 1)).collect();
        assert_eq!(moments.len(), usize::from(NODES), "one pull a node");
        for node in 1..=NODES {
            assert!(self.story.is_held(node, &self.digest), "node {node}");
            moments.push((self.end(node), -1));
        }
        // What ends makes room for what begins at the same moment.
        moments.sort_unstable();
        let (mut now, mut most) = (0, 0);
        for (_, change) in moments {
            now += change;
            most = most.max(now);
        }
        assert_eq!(most, i32::try_from(AT_ONCE).unwrap());
    }

    /// When the node had it.
    fn end(&self, node: u8) -> Timestamp {
        let (since, until) = (self.since.to_string(), Timestamp::now().to_string());
        let args = [
            &["events", "--since", &since, "--until", &until][..],
            &["--filter", "type=image", "--filter", "event=pull"],
            &["--format", "{{.TimeNano}} {{.Actor.ID}}"],
        ];
        let events = self.story.world.docker_on(node, &args.concat());
        let own = events.lines().find(|line| line.contains(&self.digest));
        let nanos = own.unwrap().split(' ').next().unwrap().parse().unwrap();
        Timestamp::from_nanosecond(nanos).unwrap()
    }
}
