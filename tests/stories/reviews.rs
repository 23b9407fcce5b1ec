//! A plan that somebody agrees to, and an apply of no other one.

use imgstack_tests::build::Kind;
use imgstack_tests::github::GitHub;
use imgstack_tests::story::Story;
use imgstack_tests::world::World;
use serde_json::Value;

imgstack_tests::both! {
    no_other_plan_than_the_one_with_the_hash_is_carried_out,
    a_plan_has_the_same_hash_wherever_and_whenever_it_is_made,
    what_is_reviewed_on_a_pull_request_is_what_is_applied_after_its_merge,
}

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

async fn one_change(world: &World, name: &str) -> Story {
    let story = Story::new(world, name);
    story.push(Kind::Good, "9b1d2e7").await;
    story.create("pg", &[]);
    story.push(Kind::Good, "abc1234").await;
    story.spec(&[("pg", "")]);
    story
}

fn hash(story: &Story, args: &[&str]) -> String {
    let args = [args, &["-o", "json"]].concat();
    let plan: Value = serde_json::from_str(&story.imgstack(&args).expect(0).stdout).unwrap();
    plan["hash"].as_str().unwrap().to_owned()
}

async fn no_other_plan_than_the_one_with_the_hash_is_carried_out(world: World) {
    let story = one_change(&world, "bound").await;
    let saved = story.imgstack(&["plan", "--out", "p.json"]).expect(0);
    let reviewed = hash(&story, &["plan"]);
    saved.says(&["Its hash is", &reviewed]);
    let version = story.inspect("pg")["Version"].clone();
    let other = "0".repeat(64);
    // A plan that is made now, and a saved one, for people and for programs.
    for args in [&["apply"][..], &["apply", "p.json"]] {
        let args = [args, &["--only-if-hash", &other]].concat();
        let refused = story.imgstack(&args).expect(1);
        refused.says(&["the plan is not the reviewed one; nothing was done"]);
        refused.says(&["The plan as it is now:", &other, &reviewed]);
        refused.says(&["Plan: 3 to add, 1 to change, 0 to destroy."]);
        let json = [&args[..], &["-o", "json"]].concat();
        let refused = story.imgstack(&json).expect(1);
        let told: Value = serde_json::from_str(&refused.stdout).unwrap();
        assert_eq!(told["reviewed"], other.as_str());
        assert_eq!(told["plan"]["hash"], reviewed.as_str());
    }
    assert_eq!(story.inspect("pg")["Version"], version);
    // A file may say anything of itself.
    let text = std::fs::read_to_string(story.file("p.json")).unwrap();
    std::fs::write(story.file("forged.json"), text.replace(&reviewed, &other)).unwrap();
    let args = ["apply", "forged.json", "--only-if-hash", &other];
    story
        .imgstack(&args)
        .expect(1)
        .says(&["not the reviewed one"]);
    assert_eq!(story.inspect("pg")["Version"], version);

    // Somebody was faster: the plan is another one.
    let newest = story.push(Kind::Good, "fffffff").await;
    let args = ["apply", "--only-if-hash", &reviewed];
    let refused = story.imgstack(&args).expect(1);
    refused.says(&["not the reviewed one", &reviewed]);
    assert_eq!(story.inspect("pg")["Version"], version);
    let now = hash(&story, &["plan"]);
    assert_ne!(now, reviewed);
    let args = ["apply", "--only-if-hash", &now];
    story.imgstack(&args).expect(0).says(&["Apply complete!"]);
    let label = story.inspect("pg")["Spec"]["Labels"]["dev.imgstack.plan"].clone();
    assert_eq!(label, now.as_str());
    let image = story.inspect("pg")["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"].clone();
    assert!(image.as_str().unwrap().ends_with(&newest.digest), "{image}");
    // Once done there is nothing that could be another.
    story.imgstack(&args).expect(0).says(&["No changes."]);
}

async fn a_plan_has_the_same_hash_wherever_and_whenever_it_is_made(world: World) {
    let story = one_change(&world, "same").await;
    let first = hash(&story, &["plan"]);
    let text = std::fs::read_to_string(story.file("imgstack.yaml")).unwrap();
    std::fs::create_dir(story.file("elsewhere")).unwrap();
    let (named, folder) = ("other name.yaml", "elsewhere/b.yaml");
    std::fs::write(story.file(named), format!("# merged\n{text}")).unwrap();
    std::fs::write(story.file(folder), &text).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(1));
    for args in [
        &["plan", "-f", named][..],
        &["plan", "-f", "elsewhere"],
        &["plan"],
    ] {
        assert_eq!(hash(&story, args), first, "{args:?}");
    }
    // What somebody else changed is what it was decided from.
    let service = story.service("pg");
    let update = [
        "service",
        "update",
        "--quiet",
        "--limit-memory",
        "64M",
        &service,
    ];
    story.world.docker(&update);
    assert_ne!(hash(&story, &["plan"]), first);
}

async fn what_is_reviewed_on_a_pull_request_is_what_is_applied_after_its_merge(world: World) {
    let story = one_change(&world, "pull").await;
    let token = "ghs_0mArKeD";
    let github = GitHub::start("github_pat_unused");
    github.open(7, token);
    let endpoints = github.endpoints();
    let on_the_pull = [
        ("IMGSTACK_ENDPOINTS", &*endpoints),
        ("GITHUB_REPOSITORY", GitHub::REPOSITORY),
        ("GITHUB_REF", "refs/pull/7/merge"),
        ("GITHUB_TOKEN", token),
    ];
    let after = [
        ("IMGSTACK_ENDPOINTS", &*endpoints),
        ("GITHUB_REPOSITORY", GitHub::REPOSITORY),
        ("GITHUB_REF", "refs/heads/main"),
        ("GITHUB_SHA", SHA),
        ("GITHUB_TOKEN", token),
    ];
    let version = story.inspect("pg")["Version"].clone();
    let apply = ["apply", "--only-if-reviewed"];
    let refused = |words: &str| {
        let run = story.imgstack_in(&after, &apply).expect(1);
        run.says(&[words]).never_says(&[token]);
        assert_eq!(story.inspect("pg")["Version"], version);
    };
    refused("came to acme/stacks without a pull request");
    github.merge(7, SHA);
    refused("was shown on acme/stacks#7");
    story.imgstack(&["plan", "--out", "p.json"]).expect(0);
    let posted = story
        .imgstack_in(&on_the_pull, &["comment", "p.json"])
        .expect(0);
    posted.says(&["posted: https://"]);
    let (_, shown) = github.comments(7).remove(0);
    // Another plan, since the tag moved: that was not reviewed.
    story.push(Kind::Good, "fffffff").await;
    refused("the plan is not the reviewed one");
    // A stranger's word does not count.
    let now = hash(&story, &["plan"]);
    let before = hash_in(&shown);
    github.comment(7, "eve", &shown.replace(&before, &now));
    refused("the plan is not the reviewed one");
    story.imgstack(&["plan", "--out", "p.json"]).expect(0);
    let edited = story
        .imgstack_in(&on_the_pull, &["comment", "p.json"])
        .expect(0);
    edited.says(&["edited: https://"]);
    let applied = story.imgstack_in(&after, &apply).expect(0);
    applied.says(&["Apply complete!"]).never_says(&[token]);
    assert_ne!(story.inspect("pg")["Version"], version);
    // The job may be run again.
    story
        .imgstack_in(&after, &apply)
        .expect(0)
        .says(&["No changes."]);
}

/// The hash in the marker of a comment.
fn hash_in(comment: &str) -> String {
    let (_, rest) = comment.split_once(" plan=").unwrap();
    rest.split(' ').next().unwrap().to_owned()
}
