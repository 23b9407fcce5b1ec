//! What a registry does not tell: nothing is taken for an answer.

use imgstack_sim::Fault;

use crate::place::{Place, denied};
use crate::{DAY, by_day};

/// What a package that does not exist is asked for in vain.
const UNREADABLE: [(&str, &str); 3] = [
    ("HEAD", "/manifests/16"),
    ("GET", "/manifests/16"),
    ("GET", "/tags/list"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_may_not_be_read_is_not_one_that_is_free() {
    let place = Place::new().await;
    let tag = place.by_commit();
    let there = place.push("9b1d2e7", DAY, &[&tag]);
    place.will_build();
    for method in ["HEAD", "GET"] {
        place.fault(method, &tag, 0, denied());
    }
    let run = place.build(&[]).expect(1);
    run.says(&[
        &format!("whether `{tag}` leads to a build already is not known"),
        "let the credential read what it pushes",
    ]);
    assert!(!place.has_built() && place.puts().is_empty());
    assert_eq!(place.leads_to(&tag), Some(there));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_there_yet_nothing_can_be_read() {
    let place = Place::new().await;
    let digest = place.will_build();
    for (method, path) in UNREADABLE {
        place.fault(method, path, 0, denied());
    }
    let child = place.build_until("build");
    // The build that is pushed makes the package.
    place.world.server.faults.clear();
    place.go_on("build", child).expect(0);
    assert_eq!(place.leads_to("16"), Some(digest));
}

#[tokio::test(flavor = "multi_thread")]
async fn once_a_build_is_there_a_refusal_is_none() {
    let place = Place::new().await;
    place.will_build();
    for (method, path) in UNREADABLE {
        place.fault(method, path, 0, denied());
    }
    let other = place.push("9b1d2e7", DAY, &[&by_day()]);
    place.build(&[]).expect(1).says(&["gives no access"]);
    assert_eq!(place.leads_to(&by_day()), Some(other));
    assert!(place.puts().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_is_asked_for_once_more() {
    let place = Place::new().await;
    let before = place.push("9b1d2e7", DAY, &["16"]);
    let digest = place.will_build();
    place.fault("PUT", "/manifests/16", 2, Fault::Cut);
    let run = place.build(&["-o", "json"]).expect(0);
    assert_eq!(place.leads_to("16"), Some(digest.clone()));
    assert_eq!(run.states()[2].1, "there");

    // It was not carried out.
    place.point("acme/db", "16", &before);
    place.world.server.faults.clear();
    place.fault("PUT", "/manifests/16", 0, Fault::Refuse);
    let run = place.build(&["-o", "json"]).expect(1);
    assert_eq!(run.states()[2].1, "missing");
    run.says(&["`16`"]).never_says("notKnown");

    // And now nobody tells.
    for tag in [place.by_commit(), by_day()] {
        place.registry.delete_tag("acme/db", &tag);
    }
    for json in [true, false] {
        place.world.server.faults.clear();
        place.point("acme/db", "16", &before);
        // The tag that moves, and the two others, are looked at; twice, since
        // it is built meanwhile.
        place.fault("PUT", "/manifests/16", if json { 2 } else { 0 }, Fault::Cut);
        place.fault("HEAD", "/manifests/16", 6, Fault::Refuse);
        let args: &[&str] = if json { &["-o", "json"] } else { &[] };
        let run = place.build(args).expect(1);
        match json {
            true => assert_eq!(run.states()[2].1, "notKnown"),
            false => drop(run.says(&[
                "16 not known",
                "Whether `16` leads to the build by now is not known",
            ])),
        }
        assert_eq!(place.leads_to("16"), Some(digest.clone()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_without_a_clean_commit_is_finished_by_another_command() {
    let place = Place::new().await;
    place.write("repo/docker/new", "");
    let digest = place.will_build();
    place.fault("PUT", "/manifests/16", 1, denied());
    let run = place.build(&[]).expect(1);
    let repository = format!("{}/acme/db", place.registry.host());
    run.says(&[
        "`16` leads to what it did before",
        &format!("docker buildx imagetools create --tag {repository}:16 {repository}@{digest}"),
    ]);
    run.never_says("run the same command again");
    // Before any tag is there the same command does it.
    place.world.server.faults.clear();
    place.registry.delete_tag("acme/db", &by_day());
    place.fault("PUT", "/manifests/16", 0, denied());
    let run = place.build(&[]).expect(1);
    run.says(&["run the same command again: it builds anew"]);
    place.world.server.faults.clear();
    place.build(&[]).expect(0);
    assert_eq!(place.leads_to("16"), Some(digest));
}
