//! `imgstack tags` as a user runs it, on a simulated GitHub, registry and Swarm.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod place;

use imgstack_sim::github::Token;
use imgstack_sim::registry::{Base, Manner};
use imgstack_sim::{Fault, Trigger};
use serde_json::Value;

use place::{IMAGE, PULLS, Place, build, day, digests, sha, shown_tags};

/// The digests of the newest builds, the newest first.
fn newest(place: &Place, count: usize) -> Vec<&str> {
    let newest = place.builds.iter().rev().take(count);
    newest.map(String::as_str).collect()
}

#[test]
fn three_hundred_builds_are_at_most_eight_requests_to_github() {
    let place = Place::new(Manner::Ghcr, 300, Some(298));
    let said = place.tags(&["-o", "json"]).ends(0);
    let builds = said.builds();
    assert_eq!(digests(&builds), newest(&place, 20));
    assert_eq!(place.asked_of_github(), 1);
    // A build of two platforms is three versions: 900 are nine pages.
    for args in [&["--limit", "100"][..], &["--limit", "300"], &["--details"]] {
        place
            .tags(args)
            .ends(0)
            .says(&["and more, which were not read"]);
        assert!(place.asked_of_github() <= 8, "{}", place.asked_of_github());
    }
    place.tags(&["--limit", "300"]).ends(0);
    assert_eq!(place.asked_of_github(), 8);
    assert_eq!(place.asked_of_registry(), (0, 0, 0));
}

#[test]
fn without_github_three_hundred_builds_are_a_head_for_each_shown_tag() {
    // Who lists tags by time, and who by name.
    for (manner, lists, tags_of_a_build) in [(Manner::Ghcr, 7, 2), (Manner::Plain, 1, 1)] {
        let place = Place::new(manner, 300, None);
        place.github.revoke_token(PULLS);
        let said = place.tags(&["-o", "json"]).ends(0);
        let (document, builds) = (said.document(), said.builds());
        assert_eq!(document["image"]["source"], "registry");
        assert_eq!(digests(&builds), newest(&place, 20), "{manner:?}");
        assert!(builds[0]["followed"].as_bool().unwrap());
        assert!(!builds[1]["followed"].as_bool().unwrap());
        assert_eq!(
            builds[19]["tags"].as_array().unwrap().len(),
            tags_of_a_build
        );
        let more = &document["image"]["more"];
        // The tag at which it stopped is shown, too.
        let shown = shown_tags(&builds) + 1;
        assert_eq!(more["from"], format!("16-{}", day(&build(279, 300))));
        assert_eq!(more["tags"], 601 - shown_tags(&builds));
        assert_eq!(place.asked_of_registry(), (lists, shown, 0), "{manner:?}");
        let text = place.tags(&[]).ends(0);
        let from = format!("from `{}` on", more["from"].as_str().unwrap());
        text.says(&["more tags", &from, "--limit N, or --all"]);
    }
}

#[test]
fn all_tags_are_asked_for_when_all_are_wanted() {
    let place = Place::new(Manner::Plain, 30, None);
    let said = place.tags(&["--all", "-o", "json"]).ends(0);
    let builds = said.builds();
    assert_eq!(digests(&builds), newest(&place, 30));
    assert_eq!(
        (shown_tags(&builds), &said.document()["image"]["more"]),
        (61, &Value::Null)
    );
    assert_eq!(place.asked_of_registry(), (1, 61, 0));
    let first = &builds[0];
    assert_eq!(first["commit"], sha(29));
    assert_eq!(
        first["day"],
        build(29, 30).created.strftime("%Y-%m-%d").to_string()
    );
    // Many tags of few builds are not asked for one by one without end.
    let digest = place.builds[29].parse().unwrap();
    for number in 0..500 {
        place
            .registry
            .set_tag(IMAGE, &format!("trial{number}"), &digest);
    }
    place.tags(&["--limit", "30"]).ends(0).says(&["more tags"]);
    assert_eq!(place.asked_of_registry(), (1, 120, 0));
}

#[test]
fn a_build_has_its_tags_its_time_its_commit_and_where_it_runs() {
    for manner in [Manner::Ghcr, Manner::Plain] {
        let place = Place::new(manner, 3, Some(1));
        let said = place.tags(&[]).ends(0);
        let date = day(&build(1, 3));
        let tags = |number| format!("16-{}", sha(number));
        said.says(&[
            "image.db",
            "follows the tag 16",
            &format!("{}…", &place.builds[2]["sha256:".len()..][..12]),
            "16 (followed)",
            &tags(0),
            &tags(1),
            &date,
            "runs: pg on n1, n2",
        ]);
        said.never_says(&["… and", "not known"]);
        let builds = place.tags(&["-o", "json"]).ends(0).builds();
        assert_eq!(digests(&builds), newest(&place, 3));
        let runs = |build: &Value| build["runs"].as_array().unwrap().len();
        assert_eq!(builds.iter().map(runs).collect::<Vec<_>>(), [0, 2, 0]);
        assert_eq!(builds[1]["runs"][0]["service"], "pg");
        assert_eq!(builds[1]["runs"][1]["node"], "n2");
        assert_eq!(builds[1]["commit"], sha(1));
        assert_eq!(builds[1]["pushedAt"].is_string(), manner == Manner::Ghcr);
    }
}

#[test]
fn what_is_held_and_what_is_followed_is_marked() {
    let mut place = Place::new(Manner::Ghcr, 30, None);
    // Far behind the limit, and shown all the same.
    let pin = format!("tag: '16'\n      pin: 16-{}", sha(3));
    let digest = format!("tag: '16'\n      pin: '{}'", place.builds[3]);
    for image in [pin, digest] {
        place.image = image;
        for token in [PULLS, "ghp_mArKeD0wrong"] {
            place.registry.set_public(IMAGE, true);
            let said = place
                .tags_as(token, &["--limit", "2", "-o", "json"])
                .ends(0);
            let builds = said.builds();
            let mut expected = newest(&place, 2);
            expected.push(&place.builds[3]);
            assert_eq!(digests(&builds), expected, "{} as {token}", place.image);
            let pinned: Vec<bool> = builds.iter().map(|it| it["pinned"] == true).collect();
            assert_eq!(pinned, [false, false, true]);
            let text = place.tags_as(token, &["--limit", "2"]).ends(0);
            text.says(&["pinned to", "(pinned)", "16 (followed)"]);
        }
    }
    place.image = "policy: {semver: \"~16\"}".to_owned();
    place
        .tags(&[])
        .ends(0)
        .says(&["follows the policy semver \"~16\""]);
}

#[test]
fn what_runs_is_shown_however_old_and_also_when_it_is_gone() {
    let place = Place::new(Manner::Ghcr, 120, Some(5));
    let said = place.tags(&["-o", "json"]).ends(0);
    let builds = said.builds();
    assert_eq!(
        (builds.len(), digests(&builds)[20]),
        (21, place.builds[5].as_str())
    );
    assert_eq!(builds[20]["runs"].as_array().unwrap().len(), 2);
    assert_eq!(builds[20]["tags"].as_array().unwrap().len(), 2);
    assert_eq!(said.document()["image"]["more"]["builds"], 99);
    assert_eq!(place.asked_of_github(), 4);
    place
        .tags(&[])
        .says(&["… and 99 more: --limit N, or --all"]);

    assert!(place.registry.delete_manifest(IMAGE, &place.builds[5]));
    let text = place.tags(&[]).ends(0);
    text.says(&["(the package does not have it any more) runs: pg on n1, n2"]);
    // The registry has no tag of it, or was not asked for it.
    place.github.revoke_token(PULLS);
    let text = place.tags(&[]).ends(0);
    text.says(&["(not among the builds that were read) runs: pg on n1, n2"]);
}

#[test]
fn what_is_hidden_is_shown_when_all_is_wanted() {
    let place = Place::new(Manner::Ghcr, 2, None);
    let signature = format!("sha256-{}.sig", &place.builds[0]["sha256:".len()..]);
    let signed = place
        .registry
        .push_build(&build(9, 10), &[&signature])
        .digest;
    let said = place.tags(&[]).ends(0);
    said.never_says(&[&signature, "(no tag)"]);
    let builds = place.tags(&["--all", "-o", "json"]).ends(0).builds();
    // Three versions of each push.
    assert_eq!(builds.len(), 9);
    assert!(digests(&builds).contains(&signed.as_str()));
    place.tags(&["--all"]).says(&[&signature, "(no tag)"]);
    // A registry tells of tags alone.
    place.github.revoke_token(PULLS);
    place.tags(&[]).ends(0).never_says(&[&signature]);
    let text = place.tags(&["--all"]).ends(0);
    text.says(&[&signature, "a registry lists tags alone"]);
}

/// A token, and why GitHub did not tell.
#[test]
fn without_a_token_that_may_the_registry_is_asked_and_the_reason_told() {
    let place = Place::new(Manner::Ghcr, 2, None);
    place.registry.set_public(IMAGE, true);
    let repositories = ["acme/stacks"];
    let fine = Token::fine_grained(
        "acme",
        "github_pat_mArKeD",
        &repositories,
        &["actions:read"],
    );
    place.github.add_token(fine);
    place
        .github
        .add_token(Token::classic("acme", "ghp_mArKeD0repo", &["repo"]));
    let table = [
        (
            "github_pat_mArKeD",
            "may not read the package acme/stacks/db",
        ),
        ("ghp_mArKeD0repo", "may not read the package acme/stacks/db"),
        ("ghp_mArKeD0gone", "GitHub does not accept the credential"),
        ("mArKeD0password", "it does not look like a token of GitHub"),
    ];
    for (token, why) in table {
        let said = place.tags_as(token, &[]).ends(0);
        said.says(&["GitHub did not tell of the builds", why, "help:"]);
        said.says(&["16 (followed)"]);
    }
    // A list that breaks off is not taken for the whole.
    let trigger = Trigger::once("GET", "/packages/container");
    let fault = Fault::Answer {
        status: 404,
        headers: Vec::new(),
        body: "{}".to_owned(),
    };
    place.world.server.faults.set(
        Trigger {
            times: None,
            ..trigger
        },
        fault,
    );
    place
        .tags(&[])
        .ends(0)
        .says(&["GitHub shows the credential from", "DAY"]);
}

#[test]
fn a_list_that_is_cut_short_is_unknown() {
    let place = Place::new(Manner::Ghcr, 100, Some(0));
    place.github.revoke_token(PULLS);
    let trigger = Trigger {
        skip: 1,
        times: None,
        ..Trigger::once("GET", "/tags/list")
    };
    let fault = Fault::Answer {
        status: 500,
        headers: Vec::new(),
        body: String::new(),
    };
    place.world.server.faults.set(trigger, fault);
    let said = place.tags(&[]).ends(1);
    said.says(&["builds are unknown", "runs: pg on n1, n2"]);
    said.never_says(&["16 (followed)", "no builds"]);
    let document = place.tags(&["-o", "json"]).ends(1).document();
    assert!(document["image"]["builds"]["unknown"]["why"].is_string());
    assert_eq!(place.asked_of_registry().1, 0);
}

#[test]
fn a_tag_that_is_not_answered_for_is_unknown_and_one_that_leads_nowhere_is_told() {
    let place = Place::new(Manner::Plain, 3, None);
    let gone = format!("sha256:{}", "7".repeat(64)).parse().unwrap();
    place.registry.set_tag(IMAGE, "16-lost", &gone);
    let said = place.tags(&[]).ends(0);
    said.says(&["what these tags led to is gone: `16-lost`"]);
    let fault = Fault::Answer {
        status: 403,
        headers: Vec::new(),
        body: String::new(),
    };
    let path = format!("/manifests/16-{}", day(&build(1, 3)));
    let trigger = Trigger {
        path: path.clone(),
        ..Trigger::default()
    };
    place.world.server.faults.set(trigger, fault);
    let said = place.tags(&[]).ends(1);
    said.says(&[&format!(
        "where the tag `16-{}` leads is not known",
        day(&build(1, 3))
    )]);
    said.says(&["16 (followed)"]);
}

#[test]
fn a_swarm_that_does_not_answer_holds_nothing_up() {
    let mut place = Place::new(Manner::Ghcr, 2, Some(0));
    place.swarm = "unix:///nowhere/docker.sock".to_owned();
    let said = place.tags(&[]).ends(0);
    said.says(&[
        "16 (followed)",
        "where builds run is not known",
        "/nowhere/docker.sock",
    ]);
    let said = place.tags(&["-o", "json"]).ends(0);
    assert_eq!(said.builds()[1]["runs"], Value::Null);
    assert!(said.document()["image"]["runningUnknown"]["why"].is_string());
}

#[test]
fn details_are_asked_for_once_and_their_words_do_nothing_to_a_terminal() {
    let base = Base {
        name: "postgres:16-alpine".to_owned(),
        digest: format!("sha256:{}", "5c".repeat(32)),
        layers: Vec::new(),
    };
    let mut builds = vec![build(0, 2), build(1, 2)];
    for build in &mut builds {
        build.base = Some(base.clone());
        build.provenance = true;
    }
    builds[1].version = Some("16\u{1b}[2J\nforged\u{202e}".to_owned());
    let mut place = Place::of(Manner::Plain, builds, None);
    place.image = "tag: '16'\n      base: postgres:16-alpine".to_owned();
    let said = place.tags(&["--details"]).ends(0);
    said.says(&[
        "linux/amd64, linux/arm64;",
        "built 1 day ago;",
        "base 5c5c5c5c5c5c…, by provenance",
    ]);
    said.never_says(&["\u{1b}", "\nforged", "\u{202e}"]);
    let (_, _, others) = place.asked_of_registry();
    assert!(others > 0);
    let builds = place.tags(&["--details", "-o", "json"]).ends(0).builds();
    assert_eq!(
        builds[0]["details"]["known"]["base"]["known"]["digest"],
        base.digest
    );
    assert_eq!(builds[0]["details"]["known"]["revision"], sha(1));
    let (_, heads, others) = place.asked_of_registry();
    assert_eq!((heads, others), (5, 0));
    // Without a word for it, nothing of it is asked.
    place.tags(&[]).ends(0).never_says(&["linux/amd64"]);
    assert_eq!(place.asked_of_registry(), (1, 5, 0));
}

#[test]
fn at_least_one_build_is_shown() {
    let place = Place::new(Manner::Plain, 1, None);
    place
        .tags(&["--limit", "1"])
        .ends(0)
        .says(&["16 (followed)"]);
    let said = place.tags(&["--limit", "0"]).ends(1);
    assert!(said.stderr.contains("--limit"), "{}", said.all());
    let help = place.tags(&["--help"]).ends(0);
    help.says(&["default: 20, or all with --all"]);
}
