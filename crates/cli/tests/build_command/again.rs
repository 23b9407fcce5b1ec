//! The same commit once more, and an older one.

use jiff::{SignedDuration, Timestamp};

use crate::place::Place;
use crate::{DAY, HOUR, by_day};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// A place whose image is built on `bases/os:1`; the base, and its digest.
async fn based(more: &str) -> (Place, String, String) {
    let place = Place::new().await;
    let base = format!("{}/bases/os:1", place.registry.host());
    let digest = place.push_to("bases/os", "a", DAY, &["1"]);
    place.write("repo/docker/Dockerfile", &format!("FROM {base}\n"));
    place.commit("base");
    place.spec("publisher", &format!("    base: {base}\n{more}"));
    (place, base, digest)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plan_says_of_a_base_that_moved_is_ended_by_the_command_that_it_names() {
    // How long ago the commit was built: on an earlier day, and today.
    for age in [DAY, SignedDuration::ZERO] {
        let (place, base, old) = based("").await;
        let commit = place.by_commit();
        let day = (Timestamp::now() - age).strftime("16-%Y%m%d").to_string();
        let before = place.push_on(age, (&base, &old), &[&commit, &day, "16"]);
        let new = place.push_to("bases/os", "b", HOUR, &["1"]);
        let finding = format!("image.db: base {base} moved");
        place.plan().says(&[&finding, "help: imgstack build db"]);

        let built = place.will_build_on(&base, &new);
        let run = place.build(&[]).expect(0);
        let stays = format!("{commit} stays with {}", &before[.."sha256:".len() + 7]);
        run.says(&[&stays, "an earlier build of the commit"]);
        assert!(place.has_built());
        let given = place.puts();
        assert_eq!(given.last().unwrap(), "16");
        assert_eq!(given.len(), 2);
        assert!(given[0].starts_with(&by_day()), "{given:?}");
        assert_eq!(given[0] == by_day(), day != by_day(), "{given:?}");
        for tag in &given {
            assert_eq!(place.leads_to(tag).as_ref(), Some(&built));
        }
        for tag in [&commit, &day] {
            assert_eq!(place.leads_to(tag).as_ref(), Some(&before));
        }
        place.plan().never_says("moved");

        // Nothing has moved since: there is nothing to do.
        place.stage("told", "");
        let run = place.build(&["-o", "json"]).expect(0);
        assert!(!place.has_built(), "{:?}", place.told());
        assert_eq!(place.puts(), given);
        let states = run.states();
        assert_eq!(states[0], (commit, "left".to_owned()));
        assert_eq!(
            states[states.len() - 1],
            ("16".to_owned(), "there".to_owned())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_is_overdue_is_made_again() {
    let place = Place::new().await;
    let file = place.path("repo/imgstack.yaml");
    let spec = std::fs::read_to_string(&file).unwrap();
    let spec = spec.replace("{context: docker}", "{context: docker, maximumAge: 1m}");
    std::fs::write(&file, spec).unwrap();
    let commit = place.by_commit();
    let age = MINUTE * 3;
    let before = place.push(&place.head(), age, &[&commit, "16"]);
    place
        .plan()
        .says(&["`maximumAge` is 1 minute", "help: imgstack build db"]);
    place.will_build();
    place
        .build(&[])
        .expect(0)
        .says(&[&format!("{commit} stays with")]);
    assert_eq!(place.leads_to(&commit), Some(before));
    place.plan().never_says("maximumAge");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_is_not_known_is_said_and_no_reason_to_build_again() {
    let (place, _, _) = based("").await;
    place.push(&place.head(), SignedDuration::ZERO, &[&place.by_commit()]);
    let run = place.build(&[]).expect(0);
    run.says(&["moved since the build of today is not known"]);
    assert!(!place.has_built());
    assert_eq!(place.puts(), [by_day(), "16".to_owned()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_checkout_does_not_move_the_tag_back_unless_it_is_wished() {
    let place = Place::new().await;
    let older = place.head();
    place.commit("newer");
    let newer = place.head();
    let there = place.push(&newer, DAY, &["16"]);
    place.git(&["checkout", "--quiet", &older]);
    place.will_build();
    let run = place.build(&[]).expect(1);
    run.says(&[
        &format!("commit {} is older than {}", &older[..7], &newer[..7]),
        "check out the newest commit",
        "--allow-older",
    ]);
    assert!(!place.has_built() && place.puts().is_empty());
    assert_eq!(place.leads_to("16"), Some(there));
    // A trial moves it not at all.
    place.build(&["--tag", "16-trial"]).expect(0);
    let digest = place.will_build();
    let run = place.build(&["--allow-older"]).expect(0);
    run.says(&["`16` goes back from commit"]);
    assert_eq!(place.leads_to("16"), Some(digest));

    // The other way round, and from a branch.
    place.git(&["checkout", "--quiet", &newer]);
    for tag in [by_day(), place.by_commit()] {
        place.registry.delete_tag("acme/db", &tag);
    }
    place.will_build();
    place.build(&[]).expect(0).never_says("Warning");
    place.git(&["checkout", "--quiet", &older]);
    place.commit("apart");
    place.registry.delete_tag("acme/db", &by_day());
    place.will_build();
    let run = place.build(&[]).expect(0);
    run.says(&[&format!("commit {}, which is not part of", &newer[..7])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_not_known_here_is_no_reason_to_stop() {
    for revision in ["9b1d2e7", &"9b1d2e7".repeat(6)[..40], "--all"] {
        let place = Place::new().await;
        place.push(revision, DAY, &["16"]);
        let digest = place.will_build();
        let run = place.build(&[]).expect(0);
        run.says(&["whether `16` leads to a newer commit's build is not known"]);
        assert_eq!(place.leads_to("16"), Some(digest));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_git_ignores_is_built_all_the_same_and_that_is_said() {
    let place = Place::new().await;
    place.write("repo/docker/.gitignore", "*.env\ncache/\n");
    place.write("repo/docker/.dockerignore", "cache\n");
    place.commit("ignored");
    place.write("repo/docker/local.env", "");
    std::fs::create_dir(place.path("repo/docker/cache")).unwrap();
    place.write("repo/docker/cache/a", "");
    place.will_build();
    let run = place.build(&[]).expect(0);
    run.says(&["docker/local.env; there will be no tag", ".dockerignore"]);
    run.never_says("docker/cache");
    assert_eq!(place.puts(), [by_day(), "16".to_owned()]);
    // What docker does not get to see does no harm.
    place.write("repo/docker/.dockerignore", "cache\n*.env\n");
    place.commit("left out");
    place.registry.delete_tag("acme/db", &by_day());
    place.will_build();
    place.build(&[]).expect(0);
    assert!(place.leads_to(&place.by_commit()).is_some());
}
