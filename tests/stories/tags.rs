//! The builds of an image: which there are, and which runs where.

use imgstack_tests::build::{Build, Kind};
use imgstack_tests::story::Story;
use imgstack_tests::world::World;
use jiff::civil::date;
use serde_json::Value;

imgstack_tests::both! {
    two_builds_are_shown_with_what_runs_where,
}

async fn two_builds_are_shown_with_what_runs_where(world: World) {
    let story = Story::new(&world, "tags");
    let push = async |sha: &str, day| {
        let build = Build::new(&story.path(), Kind::Good, sha, date(2026, 2, day));
        Story::push_build(world.anonymous(), build, None).await
    };
    let old = push("9b1d2e7", 2).await;
    story.create("a", &["--constraint", "node.hostname==docker-infra-2"]);
    story.create("b", &["--constraint", "node.hostname==docker-infra-3"]);
    let new = push("abc1234", 9).await;
    let image = format!("{}:16@{}", story.repository(), new.digest);
    story.update("b", &["--image", &image]);
    // A service that no spec names runs a build as well.
    story.create("c", &["--constraint", "node.hostname==docker-infra-1"]);
    story.spec(&[("a", ""), ("b", "")]);

    let before = story.world.requests("anonymous", &story.path()).len();
    let said = story.imgstack(&["tags", "pg"]).expect(0);
    let short = |digest: &str| format!("{}…", &digest["sha256:".len()..][..12]);
    let on = |name: &str, node: u8| format!("{} on docker-infra-{node}", story.service(name));
    said.says(&[
        "follows the tag 16",
        &format!(
            "{} 2026-02-09 abc1234 16 (followed) 16-20260209 16-abc1234 runs: {}; {}",
            short(&new.digest),
            on("b", 3),
            on("c", 1)
        ),
        &format!(
            "{} 2026-02-02 9b1d2e7 16-20260202 16-9b1d2e7 runs: {}",
            short(&old.digest),
            on("a", 2)
        ),
    ]);
    // One list, and where each of five tags leads.
    let requests = story.world.requests("anonymous", &story.path());
    let heads = requests[before..]
        .iter()
        .filter(|it| it.starts_with("HEAD"));
    assert_eq!((heads.count(), requests.len() - before), (5, 6));

    let said = story.imgstack(&["tags", "pg", "--details"]).expect(0);
    said.says(&["linux/amd64, linux/arm64"]);
    let said = story.imgstack(&["tags", "pg", "-o", "json"]).expect(0);
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    let builds = document["image"]["builds"]["known"].as_array().unwrap();
    assert_eq!(builds[0]["digest"], new.digest);
    assert_eq!(builds[1]["runs"][0]["service"], story.service("a"));

    story.imgstack(&["tags", "image.pg"]).expect(0);
    let wrong = story.imgstack(&["tags", "pgg"]).expect(1);
    wrong.says(&["there is no image `pgg` in the spec", "did you mean `pg`?"]);
}
