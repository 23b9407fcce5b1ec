//! Lists of tags on their bad days: a tag that vanishes, a page that fails.

use imgstack_sim::{Fault, Trigger};
use imgstack_tests::build::Kind;
use imgstack_tests::story::Story;
use imgstack_tests::world::World;

imgstack_tests::simulation! {
    a_tag_that_vanishes_never_leads_to_an_older_one,
    five_thousand_tags_are_fifty_pages_and_one_that_fails_is_no_list,
    dates_are_asked_for_of_no_more_builds_than_needed,
    dates_are_not_asked_for_without_end,
}

const POLICY: &str = "policy: {semver: \"~3.3\"}";

async fn a_tag_that_vanishes_never_leads_to_an_older_one(world: World) {
    let story = Story::new(&world, "vanished");
    let day = jiff::civil::date(2026, 2, 9);
    let older = story.push_version("3.3.3", "9b1d2e7", day).await;
    let newer = story.push_version("3.3.4", "abc1234", day).await;
    story.create_with("pg", &format!("{}:3.3.4", story.repository()), &[]);
    story.spec_with(POLICY, &[("pg", "")]);
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);

    let registry = world.sim().registry(world.anonymous());
    assert!(registry.delete_tag(&story.path(), "3.3.4"));
    let refused = story.imgstack(&["apply", "--auto-approve"]).expect(1);
    refused.says(&[
        "`3.3.4` runs, which the repository no longer has; `3.3.3`, the only tag in `~3.3`, is older",
        "what runs stays",
        "to go down from `3.3.4` to `3.3.3`, write `allowDowngrade: true` for image.pg",
    ]);
    let image = |tag: &str, digest: &str| format!("{}:{tag}@{digest}", story.repository());
    assert_eq!(story.running("pg"), [image("3.3.4", &newer.digest)]);

    // Asked for, it goes down.
    story.spec_with(
        &format!("{POLICY}\n      allowDowngrade: true"),
        &[("pg", "")],
    );
    story.imgstack(&["apply", "--auto-approve"]).expect(0);
    assert_eq!(story.running("pg"), [image("3.3.3", &older.digest)]);
}

async fn five_thousand_tags_are_fifty_pages_and_one_that_fails_is_no_list(world: World) {
    let story = Story::in_registry(&world, "pages", world.private());
    let (sim, path) = (world.sim(), story.path());
    let registry = sim.registry(world.private());
    let build = story.push_private(&path, Kind::Good, "9b1d2e7").await;
    registry.set_public(&path, true);
    let digest = build.digest.parse().unwrap();
    // With the three of the push, one to a page too few for a 51st.
    for number in 0..4_997 {
        registry.set_tag(&path, &format!("3.3.{number}"), &digest);
    }
    let image = format!("{}:3.3.4995", story.repository());
    story.create_with("pg", &image, &[]);
    story.spec_with(POLICY, &[("pg", "")]);
    let requests = || {
        let requests = story.world.requests("private", &path);
        let pages = requests.iter().filter(|it| it.contains("/tags/list"));
        let pages = pages.count();
        (pages, requests.len() - pages, requests)
    };
    // The same build goes by the best tag with the next one.
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    plan.says(&["it takes the name `3.3.4996` with the next build"]);
    let (pages, others, all) = requests();
    assert_eq!((pages, others), (50, 1), "{all:?}");
    assert_eq!(all[50], format!("HEAD /v2/{path}/manifests/3.3.4996"));

    // The best tag is on the page that fails.
    let trigger = Trigger {
        skip: 49,
        times: None,
        ..Trigger::once("GET", "/tags/list")
    };
    let fault = Fault::Answer {
        status: 500,
        headers: Vec::new(),
        body: String::new(),
    };
    sim.faults().set(trigger, fault);
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(1);
    plan.says(&[
        "which tag to follow is not known: the list of tags is incomplete",
        "waits for image.pg",
        "1 blocked",
    ]);
    let (_, others, all) = requests();
    assert_eq!(others, 1, "something was asked for all the same: {all:?}");
    story.imgstack(&["apply", "--auto-approve"]).expect(1);
    sim.faults().clear();
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
}

/// With a `minimumAge` the dates of the best are asked for, down to the first
/// that is old enough; by date, those of all that match.
async fn dates_are_asked_for_of_no_more_builds_than_needed(world: World) {
    let story = Story::new(&world, "dates");
    let today = jiff::Zoned::now().date();
    let days = |days: i64| today - jiff::Span::new().days(days);
    for (version, sha, age) in [
        ("3.3.1", "a", 9),
        ("3.3.2", "b", 7),
        ("3.3.3", "c", 5),
        ("3.3.4", "d", 3),
        ("3.3.5", "e", 2),
    ] {
        story.push_version(version, &sha.repeat(7), days(age)).await;
    }
    story.create_with("pg", &format!("{}:3.3.3", story.repository()), &[]);
    let named = |from: usize| {
        let requests = story.world.requests("anonymous", &story.path());
        let heads = requests[from..].iter().filter(|it| it.starts_with("HEAD"));
        let mut tags: Vec<String> = heads
            .map(|it| it.rsplit('/').next().unwrap().to_owned())
            .filter(|tag| !tag.contains(':'))
            .collect();
        tags.sort();
        (tags, requests.len())
    };
    story.spec_with(&format!("{POLICY}\n      minimumAge: 4d"), &[("pg", "")]);
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    plan.says(&["`3.3.5` is younger than `minimumAge`, and waits until"]);
    let (tags, first) = named(0);
    assert_eq!(tags, ["3.3.3", "3.3.4", "3.3.5"]);
    // What a digest names is kept, so that the next plan only looks where tags lead.
    story.imgstack(&["plan", "--detailed-exitcode"]).expect(0);
    let (tags, second) = named(first);
    assert_eq!(tags, ["3.3.3", "3.3.4", "3.3.5"]);
    assert_eq!(second - first, 4);

    story.spec_with("policy: {newest: \"3\\\\.3\\\\.[24]\"}", &[("pg", "")]);
    let plan = story.imgstack(&["plan", "--detailed-exitcode"]).expect(2);
    plan.says(&["chooses `3.3.4`: the newest build of 2 tags that match"]);
    assert_eq!(named(second).0, ["3.3.2", "3.3.4"]);
}

/// Every build is too young.
async fn dates_are_not_asked_for_without_end(world: World) {
    let story = Story::new(&world, "endless");
    let today = jiff::Zoned::now().date();
    let build = story.push_version("3.3.0", "9b1d2e7", today).await;
    story.create_with("pg", &format!("{}:3.3.0", story.repository()), &[]);
    let old = story.inspect("pg")["Version"].clone();
    let young = story.push_version("3.3.1", "abc1234", today).await;
    assert_ne!(build.digest, young.digest);
    let registry = world.sim().registry(world.anonymous());
    for number in 2..120 {
        let digest = young.digest.parse().unwrap();
        registry.set_tag(&story.path(), &format!("3.3.{number}"), &digest);
    }
    story.spec_with(&format!("{POLICY}\n      minimumAge: 30d"), &[("pg", "")]);
    let apply = story.imgstack(&["apply", "--auto-approve"]).expect(1);
    apply.says(&[
        "which tag to follow is not known: when `3.3.19` was built is not known: it was not asked for after 100 others",
    ]);
    let requests = story.world.requests("anonymous", &story.path());
    let heads = requests.iter().filter(|it| it.starts_with("HEAD"));
    assert_eq!(heads.count(), 100, "{requests:?}");
    assert_eq!(story.inspect("pg")["Version"], old);
}
