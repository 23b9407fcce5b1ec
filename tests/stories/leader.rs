//! The leader goes last: the plan says who, nobody goes where that is not
//! clear, and a leader that does not hand over stays as it is.
//!
//! Who leads is here what a program in the container says, the same for the
//! whole story.

use imgstack_tests::build::Kind;
use imgstack_tests::story::{Run, Story};
use imgstack_tests::world::World;

imgstack_tests::both! {
    the_leader_goes_last_and_the_plan_says_so,
    nobody_goes_whose_part_is_not_clear,
    a_leader_that_does_not_hand_over_stays_as_it_is,
}

const LEADS: &str = "lastIf: {exec: [\"true\"]}";
const FOLLOWS: &str = "lastIf: {exec: [\"false\"]}";
/// Such a program is in no container.
const SILENT: &str = "lastIf: {exec: [leads]}";

/// A group on the manager, whose own engine asks; a new build is there for it.
async fn group(world: &World, name: &str, services: &[&str]) -> Story {
    let story = Story::new(world, name);
    story.push(Kind::Good, "9b1d2e7").await;
    for service in services {
        story.create(service, &["--constraint=node.hostname==docker-infra-1"]);
    }
    story.push(Kind::Good, "abc1234").await;
    story
}

fn rollout(keys: &str) -> String {
    format!("      rollout: {{{keys}}}\n")
}

/// The services that were begun, in their order.
fn begun(run: &Run, story: &Story, services: &[&str]) -> Vec<String> {
    let begins = |name: &&str| format!("service.{}: Updating...", story.service(name));
    let lines = run.stderr.lines();
    lines
        .filter_map(|line| {
            let mut services = services.iter();
            let begun = services.find(|name| line == begins(name))?;
            Some((*begun).to_owned())
        })
        .collect()
}

async fn the_leader_goes_last_and_the_plan_says_so(world: World) {
    let story = group(&world, "leader", &["a", "b", "c"]).await;
    let (a, b, c) = (story.service("a"), story.service("b"), story.service("c"));
    let after = format!("      after: [{a}]\n{}", rollout(FOLLOWS));
    let before = format!("{LEADS}, beforeLast: {{exec: [sh, -c, switch over]}}");
    let services = [
        ("a", rollout(&before)),
        ("b", after),
        ("c", rollout(FOLLOWS)),
    ];
    let services: Vec<_> = services
        .iter()
        .map(|(name, it)| (*name, it.as_str()))
        .collect();
    story.spec(&services);
    let plan = story.imgstack(&["plan", "--out", "it.plan"]).expect(0);
    plan.says(&[
        "last: it answers as the leader",
        "runs `sh -c switch over` in its task and waits until it leads no more",
        &format!("after service.{b}, service.{c}"),
        &format!("service.{b}: does not wait for service.{a} this time, although `after` names it: it answers as the leader, and goes last"),
    ]);
    let show = story.imgstack(&["show", "it.plan"]).expect(0);
    let (shown, planned) = (&show.stdout, &plan.stdout);
    assert!(
        planned.contains(shown.trim_end()),
        "{shown}\n---\n{planned}"
    );
    // Without the program, the same order is gone.
    let services = [
        ("a", rollout(LEADS)),
        ("b", services[1].1.to_owned()),
        ("c", rollout(FOLLOWS)),
    ];
    let services: Vec<_> = services
        .iter()
        .map(|(name, it)| (*name, it.as_str()))
        .collect();
    story.spec(&services);
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(0);
    assert_eq!(begun(&apply, &story, &["a", "b", "c"]), ["b", "c", "a"]);
    // Nobody is asked where nothing is to be done.
    story
        .imgstack(&["plan", "--detailed-exitcode"])
        .expect(0)
        .says(&["No changes."]);
}

async fn nobody_goes_whose_part_is_not_clear(world: World) {
    let story = group(&world, "unclear", &["a", "b", "c"]).await;
    let (a, b) = (story.service("a"), story.service("b"));
    let spec = |keys: [&str; 3]| {
        let rollouts = keys.map(rollout);
        let names = ["a", "b", "c"].into_iter();
        let services: Vec<_> = names.zip(rollouts.iter().map(String::as_str)).collect();
        story.spec(&services);
    };
    spec([LEADS, LEADS, FOLLOWS]);
    story.imgstack(&["plan"]).expect(1).says(&[
        &format!("service.{a} and service.{b} both answer as the leader"),
        "1 to change",
    ]);
    spec([FOLLOWS, FOLLOWS, FOLLOWS]);
    story.imgstack(&["plan"]).expect(0).says(&[
        "none of its services answers as the leader, so they go in the order of the spec",
        "3 to change",
    ]);
    spec([SILENT, LEADS, FOLLOWS]);
    story.imgstack(&["plan"]).expect(0).says(&[
        "whether it leads is not known",
        &format!("service.{b} says that it does itself"),
        "3 to change",
    ]);
    spec([SILENT, FOLLOWS, FOLLOWS]);
    let (before, plan) = (story.tasks("a"), story.imgstack(&["plan"]).expect(1));
    plan.says(&[
        "whether it leads is not known: `leads` cannot be run in the container",
        "2 to change",
    ]);
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(1);
    assert_eq!(begun(&apply, &story, &["a", "b", "c"]), ["b", "c"]);
    assert_eq!(story.tasks("a"), before);
}

async fn a_leader_that_does_not_hand_over_stays_as_it_is(world: World) {
    let story = group(&world, "keeps", &["a", "b"]).await;
    let before = (story.tasks("a"), story.inspect("a")["Spec"].clone());
    let lag = "sh, -c, \"echo lag is 3 MB; echo too much >&2; exit 3\"";
    let table = [
        (
            lag.to_owned(),
            "1m",
            vec![
                "the leader did not hand over; nothing was sent",
                "ended with 3",
                "lag is 3 MB",
                "too much",
            ],
        ),
        (
            "\"true\"".to_owned(),
            "12s",
            vec!["`true` ended well, and 12 s after it had begun it still answers as the leader"],
        ),
    ];
    for (program, timeout, words) in table {
        let keys = format!("{LEADS}, beforeLast: {{exec: [{program}]}}, timeout: {timeout}");
        let rollouts = [rollout(&keys), rollout(&format!("{FOLLOWS}, timeout: 1m"))];
        story.spec(&[("a", &rollouts[0]), ("b", &rollouts[1])]);
        let apply = story.imgstack(&["apply", "--auto-approve"]).expect(1);
        apply.says(&words).says(&["it leads, so it runs"]);
        assert_eq!(story.tasks("a"), before.0);
        assert_eq!(story.inspect("a")["Spec"], before.1);
    }
    story
        .imgstack(&["history", "1"])
        .expect(0)
        .says(&["the leader did not hand over"]);
    // The other one has gone, and does not go back.
    let plan = story.imgstack(&["plan"]).expect(0);
    plan.says(&["1 to change"]);
}
