//! With a cluster at hand: what its plan has beyond that of the older spec.

use imgstack_sim::registry::Build;
use jiff::Timestamp;
use serde_json::Value;

use crate::place::{Place, Said};

const TAG: &str = "tag: \"16\"";

/// The older spec is that of the world, whose services run the build of `16`.
fn against(place: &Place, old: &str, new: &str, more: &[&str]) -> Said {
    place.write("old.yaml", old);
    place.write("imgstack.yaml", new);
    let args = ["diff", "old.yaml", "imgstack.yaml", "--live"];
    place.imgstack(&[&args[..], more].concat())
}

/// A build that the tag `16` leads to from now on.
fn push_followed(place: &Place) {
    let build = Build::new("acme/db", "abc0009", Timestamp::now());
    place.registry.push_build(&build, &["16-abc0009", "16"]);
}

#[test]
fn the_plan_of_the_newer_spec_less_that_of_the_older() {
    let place = Place::new();
    let spec = |more: &str| place.spec(&format!("{TAG}\n      {more}"));
    let plain = place.spec(TAG);
    // What both would do is neither's.
    push_followed(&place);
    place
        .imgstack(&["plan"])
        .ends(0)
        .says(&["1 to add, 2 to change"]);
    let allowed = spec("majorUpgrade: allow");
    let told = against(&place, &plain, &allowed, &["--detailed-exitcode"]).ends(2);
    told.says(&["majorUpgrade", "nothing: both are the same"]);
    told.never_says(&["service.s_a will", "~ update"]);
    against(&place, &plain, &plain, &["--detailed-exitcode"])
        .ends(0)
        .says(&["nothing: both are the same", "No changes"]);
    // Another build than both run, and than the older spec would bring.
    let pinned = spec("pin: 16-abc0000");
    against(&place, &plain, &pinned, &[]).ends(0).says(&[
        "a build is held from now on",
        "The plan of s, less the plan of the older spec",
        "~ update service.s_a",
        "~ update service.s_b",
        ":16-abc0000@",
    ]);
    // A service less: of the other one nothing is new.
    let line = plain.lines().find(|it| it.contains("s_b")).unwrap();
    let without = plain.replace(&format!("{line}\n"), "");
    let told = against(&place, &plain, &without, &["--detailed-exitcode"]).ends(2);
    told.says(&["- service.s_b", "no more: update service.s_b"]);
    told.never_says(&["~ update"]);
    // Nothing was done, and nothing was written.
    place
        .imgstack(&["plan", "-f", "old.yaml"])
        .ends(0)
        .says(&["2 to change"]);
}

#[test]
fn what_the_cluster_does_not_let_through_is_an_error() {
    let place = Place::new();
    place.push_major();
    let plain = place.spec(TAG);
    let major = place.spec(&format!("{TAG}\n      pin: 17-fff0000"));
    against(&place, &plain, &major, &["--detailed-exitcode"])
        .ends(1)
        .says(&[
            "blocked: major version 16 to 17",
            "! blocked image.db",
            "1.",
        ]);
    // Without a cluster nothing is claimed of it.
    let nowhere = plain.replace(&place.endpoint(), "unix:///nowhere.sock");
    against(&place, &plain, &nowhere, &[])
        .ends(1)
        .says(&["the Swarm of the stack s cannot be asked"])
        .never_says(&["both are the same"]);
}

#[test]
fn the_document_has_no_plan_that_could_be_carried_out() {
    let place = Place::new();
    let pinned = place.spec(&format!("{TAG}\n      pin: 16-abc0000"));
    let told = against(&place, &place.spec(TAG), &pinned, &["-o", "json"]).ends(0);
    let document: Value = serde_json::from_str(&told.stdout).unwrap();
    let plan = &document["live"][0]["plan"];
    assert_eq!(plan["stack"], "s");
    let steps = plan["steps"].as_array().unwrap();
    let ids = steps.iter().map(|it| it["id"].as_str().unwrap());
    let updates = ids.filter(|it| it.starts_with("update "));
    assert_eq!(
        updates.collect::<Vec<_>>(),
        ["update service.s_a", "update service.s_b"]
    );
    assert!(plan.get("hash").is_none());
    place.write("plan.json", &told.stdout);
    place
        .imgstack(&["apply", "plan.json"])
        .ends(1)
        .says(&["is not a plan that can be read"]);
}
