//! Policies: a new tag is followed, and a build that is too young waits.

use std::time::Duration;

use imgstack_tests::story::Story;
use imgstack_tests::world::World;
use jiff::{ToSpan as _, Zoned};

imgstack_tests::both! {
    a_policy_follows_a_new_tag_and_no_other,
    a_young_build_waits_until_it_is_old_enough,
    a_node_gets_what_runs_while_another_build_waits,
    a_pin_holds_a_build_against_the_policy,
    a_pin_by_digest_leaves_nothing_that_goes_down,
}

const POLICY: &str = "policy: {semver: \"~3.3\"}";

/// A day of the week before, on which builds were made at four.
fn day() -> jiff::civil::Date {
    Zoned::now().date() - 2.days()
}

/// The service `pg` runs 3.3.3, and its image follows `~3.3`.
async fn running(world: &World, name: &str) -> Story {
    let story = Story::new(world, name);
    story.push_version("3.3.3", "9b1d2e7", day()).await;
    let image = format!("{}:3.3.3", story.repository());
    story.create_with("pg", &image, &[]);
    story.spec_with(POLICY, &[("pg", "")]);
    story
}

async fn a_policy_follows_a_new_tag_and_no_other(world: World) {
    let story = running(&world, "policy").await;
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    // One list, and where the chosen tag leads.
    let own = |tag: &str| {
        let path = story.path();
        [
            format!("GET /v2/{path}/tags/list?n=1000"),
            format!("HEAD /v2/{path}/manifests/{tag}"),
        ]
    };
    let requests = story.world.requests("anonymous", &story.path());
    assert_eq!(requests, own("3.3.3"));

    // Above the range, and what is no release.
    story.push_version("4.0.0", "fffffff", day()).await;
    story.push_version("3.3.4-rc.1", "eeeeeee", day()).await;
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);

    let newest = story.push_version("3.3.4", "abc1234", day()).await;
    story
        .imgstack(&["plan", "--out", "p.json"])
        .expect(0)
        .says(&[
            &format!("{} (policy semver \"~3.3\" → 3.3.4)", story.repository()),
            "the policy semver \"~3.3\" chooses `3.3.4`: the highest version of 2 tags in `~3.3`",
            "1 to change",
        ]);
    // A plan is bound to the choice.
    let later = story.push_version("3.3.5", "bcd2345", day()).await;
    story.imgstack(&["apply", "p.json"]).expect(1).says(&[
        "the plan is stale",
        &format!("3.3.4@{} -> 3.3.5@{}", newest.digest, later.digest),
    ]);
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    let runs = format!("{}:3.3.5@{}", story.repository(), later.digest);
    assert_eq!(story.running("pg"), [runs]);
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    let requests = story.world.requests("anonymous", &story.path());
    assert!(requests.ends_with(&own("3.3.5")), "{requests:?}");
    story
        .imgstack(&["status"])
        .expect(0)
        .says(&["→ 3.3.5", "wanted"]);
}

async fn a_young_build_waits_until_it_is_old_enough(world: World) {
    for follow in ["tag: \"3\"", "policy: {regex: \"(3|3.5)\", order: semver}"] {
        let name = follow.split(':').next().unwrap();
        let story = Story::new(&world, &format!("young-{name}"));
        let old = story.push_version("3", "9b1d2e7", day() - 100.days()).await;
        let image = format!("{}:3", story.repository());
        story.create_with("pg", &image, &[]);
        let version = if name == "tag" { "3" } else { "3.5" };
        let young = story.push_version(version, "abc1234", day()).await;
        // It is old enough in a few seconds.
        let built = day()
            .at(4, 0, 0, 0)
            .to_zoned(jiff::tz::TimeZone::UTC)
            .unwrap();
        let age = Zoned::now().duration_since(&built).as_secs() + 15;
        let age = format!("{follow}\n      minimumAge: {age}s");
        story.spec_with(&age, &[("pg", "")]);
        let waiting = story.imgstack(&["apply", "--auto-approve"]).expect(0);
        waiting.says(&[
            "is younger than `minimumAge`",
            "to move at once",
            "No changes now. What waits",
        ]);
        let runs = format!("{}:3@{}", story.repository(), old.digest);
        assert_eq!(story.running("pg"), [runs]);
        tokio::time::sleep(Duration::from_secs(15)).await;
        story.imgstack(&["apply", "--auto-approve"]).expect(0);
        let runs = format!("{}:{version}@{}", story.repository(), young.digest);
        assert_eq!(story.running("pg"), [runs]);
        story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    }
}

async fn a_pin_holds_a_build_against_the_policy(world: World) {
    let story = running(&world, "pinned").await;
    story.push_version("3.3.4", "abc1234", day()).await;
    let pinned = format!("{POLICY}\n      pin: 3.3.3-9b1d2e7");
    story.spec_with(&pinned, &[("pg", "")]);
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    plan.never_says(&["3.3.4"]);
    // No list is asked for.
    let requests = story.world.requests("anonymous", &story.path());
    let head = format!("HEAD /v2/{}/manifests/3.3.3-9b1d2e7", story.path());
    assert_eq!(requests, [head]);
    story.spec_with(POLICY, &[("pg", "")]);
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(2);
}

async fn a_node_gets_what_runs_while_another_build_waits(world: World) {
    let story = Story::new(&world, "kept");
    let old = story.push_version("3", "9b1d2e7", day()).await;
    story.create_with("pg", &format!("{}:3", story.repository()), &[]);
    story.push_version("3", "abc1234", day()).await;
    let age = "tag: \"3\"\n      minimumAge: 30d";
    story.spec_with(age, &[("pg", "")]);
    // All nodes may run it, and one does.
    let nodes = (1..=3).map(|node| {
        let socket = story.world.socket(node);
        let socket = socket.display();
        format!("    - {{name: docker-infra-{node}, engine: \"unix://{socket}\"}}\n")
    });
    let nodes: String = std::iter::once("  nodes:\n".to_owned())
        .chain(nodes)
        .collect();
    let file = story.file("imgstack.yaml");
    let spec = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, spec + &nodes).unwrap();

    let short: String = old.digest.chars().take(19).collect();
    let plan = story.imgstack(&["plan"]).expect(0);
    plan.says(&[
        "is younger than `minimumAge`",
        "does not hold the image; a restart there would fail",
        &format!("{short}…  1.9 MiB"),
        "Plan: 2 to add, 0 to change, 0 to destroy.",
    ]);
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    let runs = format!("{}:3@{}", story.repository(), old.digest);
    assert_eq!(story.running("pg"), [runs]);
}

/// The build that was pinned is the latest, and none of the tags leads to it.
async fn a_pin_by_digest_leaves_nothing_that_goes_down(world: World) {
    let policies = [
        "policy: {newest: \"16-.*\"}",
        "policy: {regex: '16-(\\d{8})', order: date}",
        "policy: {semver: \">=16\"}",
    ];
    for (number, policy) in policies.into_iter().enumerate() {
        let story = Story::new(&world, &format!("unpinned-{number}"));
        let old = story.push_version("16", "9b1d2e7", day() - 7.days()).await;
        story.create_with("pg", &format!("{}:16-9b1d2e7", story.repository()), &[]);
        // Under a name that no policy means.
        let young = story.push_version("edge", "abc1234", day()).await;
        assert_ne!(young.digest, old.digest);
        let pinned = format!("{policy}\n      pin: {}", young.digest);
        story.spec_with(&pinned, &[("pg", "")]);
        story.imgstack(&["apply", "--auto-approve"]).expect(0);
        let runs = format!("{}@{}", story.repository(), young.digest);
        assert_eq!(story.running("pg"), [&*runs]);

        story.spec_with(policy, &[("pg", "")]);
        let refused = story.imgstack(&["apply", "--auto-approve"]).expect(1);
        refused.says(&[
            "runs; `16",
            "is older: what runs stays",
            "`allowDowngrade: true` for image.pg",
        ]);
        assert_eq!(story.running("pg"), [runs]);
        let down = format!("{policy}\n      allowDowngrade: true");
        story.spec_with(&down, &[("pg", "")]);
        story.imgstack(&["apply", "--auto-approve"]).expect(0);
        assert!(story.running("pg")[0].ends_with(&old.digest));
    }
}
