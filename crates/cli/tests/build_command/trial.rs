//! Trials: under a name that nobody relies on.

use crate::place::Place;
use crate::{DAY, by_day};

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_has_one_tag_and_one_that_is_called_so_may_move() {
    let place = Place::new().await;
    let digest = place.will_build();
    let run = place.build(&["--tag", "16-trial"]).expect(0);
    assert_eq!(place.puts(), ["16-trial"]);
    run.never_says("imgstack plan");
    place.commit("two");
    let second = place.will_build();
    assert_ne!(digest, second);
    place.build(&["--tag", "16-trial"]).expect(0);
    assert_eq!(place.leads_to("16-trial"), Some(second.clone()));
    // By any other name it does not.
    place.build(&["--tag", "fix"]).expect(0);
    place.commit("three");
    place.will_build();
    place.stage("told", "");
    let run = place.build(&["--tag", "fix"]).expect(1);
    run.says(&["`fix` leads to another build already", "--tag trial"]);
    assert_eq!(place.leads_to("fix"), Some(second));
    assert!(!place.has_built());
}

/// What else the spec has in the repository `acme/db`, for these lines.
fn sibling(place: &Place, lines: &str) -> String {
    let host = place.registry.host();
    format!("  - name: other\n    repository: {host}/acme/db\n    {lines}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_trial_takes_a_tag_that_an_image_relies_on() {
    let place = Place::new().await;
    place.push(
        "9b1d2e7",
        DAY,
        &["17", "17-20261120", "3.3.4", "held-trial"],
    );
    let followed = "tag: \"17\"";
    let pinned = "tag: \"17\"\n    pin: held-trial";
    let policy = "policy: {semver: \"~3.3\"}";
    let newest = "policy: {newest: \"nightly.*\"}";
    // (what else is in the spec, the name, why not)
    let table = [
        (
            "",
            "16".to_owned(),
            "it is the tag that services of `db` follow",
        ),
        (
            "",
            by_day(),
            "builds of `db` are named so, and never overwritten",
        ),
        ("", "16-9b1d2e7".to_owned(), "builds of `db` are named so"),
        (
            followed,
            "17".to_owned(),
            "it is the tag that services of `other` follow",
        ),
        (
            followed,
            "17-20261120".to_owned(),
            "builds of `other` are named so",
        ),
        (
            followed,
            "17-20261120.57.1".to_owned(),
            "builds of `other` are named so",
        ),
        (pinned, "held-trial".to_owned(), "`other` is pinned to it"),
        (
            policy,
            "3.3.4".to_owned(),
            "the policy of `other` may choose it",
        ),
        (
            policy,
            "3.3.5".to_owned(),
            "the policy of `other` may choose it",
        ),
        (
            newest,
            "nightly-trial".to_owned(),
            "the policy of `other` may choose it",
        ),
    ];
    for (lines, name, why) in table {
        let more = match lines {
            "" => String::new(),
            lines => sibling(&place, lines),
        };
        place.spec("publisher", &more);
        let run = place.build(&["--tag", &name]).expect(1);
        run.says(&[
            &format!("`{name}` is not for a trial: {why}"),
            "--tag 16-trial",
        ]);
    }
    assert!(!place.has_built() && place.puts().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_follows_a_policy_has_trials_alone() {
    let place = Place::new().await;
    let file = place.path("repo/imgstack.yaml");
    let spec = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        spec.replace("tag: \"16\"", "policy: {semver: \"~3.3\"}"),
    )
    .unwrap();
    let run = place.build(&[]).expect(1);
    run.says(&["`db` follows a policy", "for a trial name one: --tag NAME"]);
    let run = place.build(&["--tag", "3.3.5"]).expect(1);
    run.says(&["the policy of `db` may choose it", "--tag trial"]);
    assert!(!place.has_built());
    let digest = place.will_build();
    place.build(&["--tag", "3.3.5-trial"]).expect(0);
    assert_eq!(place.leads_to("3.3.5-trial"), Some(digest));
    let told = place.told().pop().unwrap();
    assert!(told.contains("image.version=3.3.5-trial "), "{told}");
}
