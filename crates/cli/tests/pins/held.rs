//! A build that failed: what holds it back, who is told of it, and what lifts it.

use imgstack_sim::{Fault, Trigger};

use super::place::Place;
use super::{TAG, short};

/// Both services go back by themselves, and are watched for a second.
fn place() -> Place {
    let place = Place::new();
    let rollout = "rollout: {monitor: 1s, onFailure: rollback}, stackFile";
    let spec = place.spec(TAG).replace("stackFile", rollout);
    place.write("imgstack.yaml", &spec);
    place
}

/// How often the journal was read since then.
fn reads(place: &Place) -> usize {
    let entries = place.world.server.record.entries();
    let reads = entries.iter().filter(|it| {
        it.method == "GET" && it.path.contains("/configs") && it.path.contains("imgstack.release")
    });
    let count = reads.count();
    place.world.server.record.clear();
    count
}

#[test]
fn a_failed_build_is_held_until_it_is_wanted_again_or_another_comes() {
    let place = place();
    // Release 1: the rollout settings.
    place.imgstack(&["apply", "--auto-approve"]).ends(0);
    let bad = place.push_bad("bad0000");
    place.imgstack(&["apply", "--auto-approve"]).ends(1);
    reads(&place);
    let told: &[&str] = &[
        "blocked service.s_a: the wanted build failed on 20",
        "UTC in release 2 (",
        "non-zero exit (1)), held",
        "blocked service.s_b: the wanted build failed at service.s_a on 20",
        "help: push a mended build, or try it again: imgstack apply --retry-failed",
    ];
    // Which build that is, and what runs instead.
    let (runs, wants) = (short(&place.builds[2]), short(&bad));
    let plan = place.imgstack(&["plan"]).ends(1);
    plan.says(told);
    plan.says(&[&format!("runs {runs}"), &format!("wants {wants}")]);
    assert_eq!(reads(&place), 1);
    place.imgstack(&["status"]).ends(1).says(&told[..2]);
    assert_eq!(reads(&place), 1);
    place.imgstack(&["auth", "check"]).ends(0);
    assert_eq!(reads(&place), 0);
    place
        .imgstack(&["apply", "--auto-approve"])
        .ends(1)
        .says(&[told[0], "2 blocked"]);
    let saved = ["plan", "--retry-failed", "--out", "again.json"];
    place
        .imgstack(&saved)
        .ends(0)
        .says(&["and is tried again (--retry-failed)", "2 to change"]);
    tags_tell(&place, &bad);
    pins_are_told(&place, &bad);
    // A plan that was saved to try it again does, and it fails again.
    place
        .imgstack(&["apply", "again.json"])
        .ends(1)
        .says(&["non-zero exit (1)"]);
    place.imgstack(&["plan"]).ends(1).says(&["in release 3 ("]);
    place.push_good("900d000");
    place.imgstack(&["apply", "--auto-approve"]).ends(0);
    place
        .imgstack(&["plan", "--detailed-exitcode"])
        .ends(0)
        .says(&["No changes."]);
    // Which failed stays known.
    place.imgstack(&["tags", "db"]).ends(0).says(&["failed on"]);
}

fn tags_tell(place: &Place, bad: &str) {
    reads(place);
    let tags = place.imgstack(&["tags", "db"]).ends(0);
    tags.says(&["failed on 20", "UTC (service.s_a)", "good: s_a since 20"]);
    for line in tags.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert_eq!(reads(place), 1);
    let document = place
        .imgstack(&["tags", "db", "-o", "json"])
        .ends(0)
        .document();
    let builds = document["image"]["builds"]["known"].as_array().unwrap();
    let of = |digest: &str| &builds.iter().find(|it| it["digest"] == *digest).unwrap()["journal"];
    let failed = &of(bad)["failed"];
    assert_eq!(failed.as_array().unwrap().len(), 1);
    assert_eq!(
        (&failed[0]["service"], &failed[0]["release"]),
        (&"s_a".into(), &2.into())
    );
    assert!(
        failed[0]["cause"]
            .as_str()
            .unwrap()
            .contains("non-zero exit (1)")
    );
    assert!(of(bad)["good"].as_array().unwrap().is_empty());
    assert_eq!(of(&place.builds[2])["good"][0]["service"], "s_a");
    assert!(of(&place.builds[0])["good"].as_array().unwrap().is_empty());
    assert!(document["image"]["journalUnknown"].is_null());
}

/// What is pinned on purpose is held, too, with the same way out.
fn pins_are_told(place: &Place, bad: &str) {
    let before = place.read("imgstack.yaml");
    place
        .imgstack(&["pin", "db", "16-bad0000"])
        .ends(1)
        .says(&["failed on 20", "held", "image.db is pinned to `16-bad0000`"])
        .never_says(&["To do it"]);
    place
        .imgstack(&["pin", "db", bad, "--retry-failed"])
        .ends(0)
        .says(&["is tried again", "To do it: imgstack apply --retry-failed"]);
    place.imgstack(&["unpin", "db", "--retry-failed"]).ends(0);
    assert_eq!(place.read("imgstack.yaml"), before);
    place
        .imgstack(&["rollback", "s_b", "--dry-run"])
        .ends(0)
        .says(&["would go back to", &short(&place.builds[2])]);
}

#[test]
fn without_the_journal_nothing_moves() {
    let place = place();
    place.push_good("900d000");
    place.imgstack(&["plan", "--out", "p.json"]).ends(0);
    let denied = Fault::Answer {
        status: 403,
        headers: Vec::new(),
        body: "{\"message\":\"configs are not for you\"}".to_owned(),
    };
    let trigger = Trigger {
        method: "GET".to_owned(),
        path: "imgstack.release".to_owned(),
        ..Trigger::default()
    };
    place.world.server.faults.set(trigger, denied);
    let told = "the journal cannot be read, so that nobody knows which builds have failed:";
    place.imgstack(&["plan"]).ends(1).says(&[
        told,
        "configs are not for you",
        "blocked service.s_a, service.s_b: waits for the journal",
        "2 blocked",
    ]);
    place
        .imgstack(&["apply", "p.json"])
        .ends(1)
        .says(&[
            "cannot be held against the world",
            "configs are not for you",
        ])
        .never_says(&["stale"]);
    place
        .imgstack(&["rollback", "db"])
        .ends(1)
        .says(&["configs are not for you"]);
    place.imgstack(&["tags", "db"]).ends(0).says(&[
        "which builds failed or were good is not known",
        "configs are not for you",
    ]);
    let tags = place
        .imgstack(&["tags", "db", "-o", "json"])
        .ends(0)
        .document();
    assert!(tags["image"]["builds"]["known"][0]["journal"].is_null());
    assert!(!tags["image"]["journalUnknown"].is_null());
}
