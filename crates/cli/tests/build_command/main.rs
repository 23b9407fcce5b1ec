//! `imgstack build` with a scripted docker and a simulated registry: which tags
//! are there when, whatever goes wrong.
//!
//! With a real docker it is played by `tests/stories/build.rs`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod again;
mod failures;
mod place;
mod trial;

use std::process::Command;

use imgstack_sim::{Fault, Trigger};
use jiff::SignedDuration;
use place::{ENCODED, Place, SECRET, by_day};
use serde_json::Value;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

#[tokio::test(flavor = "multi_thread")]
async fn three_tags_and_one_digest_and_the_one_that_moves_is_last() {
    let place = Place::new().await;
    let before = place.push("9b1d2e7", DAY, &["16", "16-9b1d2e7", "16-20260209"]);
    let digest = place.will_build();
    let run = place.build(&[]).expect(0);
    let tags = [place.by_commit(), by_day(), "16".to_owned()];
    assert_eq!(place.puts(), tags);
    for tag in &tags {
        assert_eq!(place.leads_to(tag).as_ref(), Some(&digest));
        run.says(&[&format!("image.db: Pushed {tag}")]);
    }
    run.says(&[
        &digest,
        "imgstack plan",
        "│ Step 1/1 : FROM scratch",
        "│ a warning",
    ]);
    for tag in ["16-9b1d2e7", "16-20260209"] {
        assert_eq!(place.leads_to(tag).as_ref(), Some(&before));
    }
    let told = place.told();
    let build = told.last().unwrap();
    let repository = format!("{}/acme/db", place.registry.host());
    for argument in [
        "buildx build --progress plain --pull",
        &format!("--label org.opencontainers.image.revision={}", place.head()),
        &format!("type=image,name={repository},push-by-digest=true,name-canonical=true,push=true"),
        &format!("--file {}", place.path("repo/docker/Dockerfile").display()),
    ] {
        assert!(build.contains(argument), "{argument}: {build}");
    }
    assert!(
        !build.contains("--tag") && !build.contains("--load"),
        "{build}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_pushes_the_first_tag_and_is_given_no_other() {
    for driver in [Some("docker"), None] {
        let place = Place::new().await;
        match driver {
            Some(driver) => place.stage("driver", driver),
            None => std::fs::remove_file(place.path("stage/driver")).unwrap(),
        }
        let digest = place.will_build();
        let child = place.build_until("push");
        let first = place.by_commit();
        assert_eq!(place.leads_to("16"), None);
        place.point("acme/db", &first, &digest);
        place.go_on("push", child).expect(0);
        assert_eq!(place.puts(), [by_day(), "16".to_owned()]);
        let name = format!("{}/acme/db:{first}", place.registry.host());
        let told = place.told();
        assert_eq!(told.last().unwrap(), &format!("push {name}"));
        let build = &told[told.len() - 2];
        assert!(build.contains(&format!("--tag {name}")), "{build}");
        assert_eq!(build.starts_with("buildx"), driver.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_credential_goes_through_a_file_of_ours_alone_and_goes_away() {
    let place = Place::new().await;
    place.will_build();
    let mut command = place.command(&["build", "db"]);
    let others = r#"{"auths":{"other.test":{"auth":"b3RoZXI="}}}"#;
    command.env("DOCKER_AUTH_CONFIG", others);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let config: Value = serde_json::from_str(&place.read("stage/config")).unwrap();
    let host = place.registry.host();
    assert_eq!(config["auths"][host]["auth"], ENCODED);
    assert_eq!(config["credHelpers"][host], "");
    assert_eq!(config["auths"]["other.test"]["auth"], "b3RoZXI=");
    assert_eq!(config["credsStore"], "none");
    assert_eq!(place.read("stage/modes"), "700\n600\n");
    // Neither in the arguments nor in the variables of the program.
    let told = place.told().join("\n") + &place.read("stage/environment");
    assert!(!told.contains(SECRET) && !told.contains(ENCODED));
    assert!(!told.contains("DOCKER_AUTH_CONFIG"));
    assert_eq!(place.left_behind(), 0);
    let own = place.read("docker/config.json");
    assert!(!own.contains(host), "{own}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_fails_half_way_leaves_the_moving_tag_and_is_finished_later() {
    let place = Place::new().await;
    let before = place.push("9b1d2e7", DAY, &["16"]);
    let digest = place.will_build();
    let denied = Fault::Answer {
        status: 403,
        headers: Vec::new(),
        body: r#"{"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]}"#
            .into(),
    };
    place
        .world
        .server
        .faults
        .set(Trigger::once("PUT", &by_day()), denied);
    let run = place.build(&["-o", "json"]).expect(1);
    run.says(&[
        "no permission to push",
        "write access (a token needs `write:packages`)",
    ]);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    let states = |document: &Value| -> Vec<String> {
        let tags = document["tags"].as_array().unwrap();
        tags.iter()
            .map(|tag| tag["state"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(states(&document), ["pushed", "missing", "missing"]);
    assert_eq!(document["digest"], digest);
    assert!(
        document["error"]["message"]
            .as_str()
            .unwrap()
            .contains("no permission")
    );
    assert_eq!(place.leads_to("16").as_ref(), Some(&before));
    assert_eq!(place.leads_to(&by_day()), None);

    // The same again builds nothing, and adds what is missing.
    place.stage("told", "");
    let run = place.build(&["-o", "json"]).expect(0);
    assert!(!place.has_built(), "{:?}", place.told());
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(states(&document), ["there", "pushed", "pushed"]);
    for tag in [&by_day(), "16"] {
        assert_eq!(place.leads_to(tag).as_ref(), Some(&digest));
    }
    let run = place.build(&["-o", "json"]).expect(0);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(states(&document), ["there", "there", "there"]);

    // For people.
    place.registry.delete_tag("acme/db", "16");
    let down = Fault::Answer {
        status: 405,
        headers: Vec::new(),
        body: String::new(),
    };
    place
        .world
        .server
        .faults
        .set(Trigger::once("PUT", "/16"), down);
    let run = place.build(&[]).expect(1);
    run.says(&[
        "16 missing",
        "run the same command again: what is there stays",
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_never_moves_stops_a_build_before_it_is_made() {
    let place = Place::new().await;
    let (head, commit) = (place.head(), place.by_commit());
    let dirty = format!("{}-dirty", &head[..7]);
    // (the commit of the build that is there, its age, its tags, what is said)
    let table = [
        (
            "9b1d2e7",
            DAY,
            vec![commit.clone()],
            "`git commit --allow-empty`",
        ),
        (
            &dirty,
            HOUR,
            vec![commit.clone()],
            "`git commit --allow-empty`",
        ),
        (
            "9b1d2e7",
            HOUR,
            vec![by_day()],
            "a day (UTC) has one commit's build",
        ),
    ];
    for (sha, age, tags, hint) in table {
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        let there = place.push(sha, age, &tags);
        let run = place.build(&[]).expect(1);
        let shown = if sha.len() == 40 { &sha[..7] } else { sha };
        run.says(&[
            &format!("`{}` leads to another build already", tags[0]),
            hint,
        ]);
        run.never_says("remove").says(&[
            &there,
            &format!("from {shown}"),
            "imgstack build db --tag NAME",
        ]);
        for tag in tags {
            assert_eq!(place.leads_to(tag).as_ref(), Some(&there));
            place.registry.delete_tag("acme/db", tag);
        }
    }
    // Two of today's, one under each tag.
    place.push(&head, SignedDuration::ZERO, &[&commit]);
    place.push("9b1d2e7", SignedDuration::ZERO, &[&by_day()]);
    place
        .build(&[])
        .expect(1)
        .says(&["leads to another build already"]);
    assert!(!place.has_built() && place.puts().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_finished_is_never_moved_back_to() {
    let place = Place::new().await;
    let head = place.head();
    place.push(
        &head,
        SignedDuration::from_mins(2),
        &[&place.by_commit(), &by_day()],
    );
    let newer = place.push("9b1d2e7", SignedDuration::from_mins(1), &["16"]);
    let run = place.build(&[]).expect(1);
    run.says(&["`16` leads to a newer one by now", "pin this build"]);
    assert_eq!(place.leads_to("16"), Some(newer));
    assert!(place.puts().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_somebody_took_meanwhile_is_not_overwritten() {
    for (driver, taken) in [("docker-container", by_day()), ("docker", String::new())] {
        let place = Place::new().await;
        place.stage("driver", driver);
        let taken = Some(taken)
            .filter(|it| !it.is_empty())
            .unwrap_or(place.by_commit());
        place.will_build();
        let child = place.build_until("build");
        let other = place.push("9b1d2e7", SignedDuration::ZERO, &[&taken]);
        let run = place.go_on("build", child).expect(1);
        run.says(&[&format!(
            "`{taken}` leads to another build since a moment ago"
        )]);
        assert_eq!(place.leads_to(&taken), Some(other));
        assert_eq!(place.leads_to("16"), None);
        assert!(!place.told().iter().any(|line| line.starts_with("push")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_push_is_told_before_anything_is_built() {
    let place = Place::new().await;
    place.push("9b1d2e7", DAY, &["16"]);
    let table = [
        ("read-only", "no permission to push", "`write:packages`"),
        (
            "wrong",
            "the credential from PW in the environment was rejected",
            "make a new one",
        ),
    ];
    for (password, why, hint) in table {
        let output = place.command(&["build", "db"]).env("PW", password).output();
        let run: place::Run = output.unwrap().into();
        run.expect(1).says(&[why, hint]);
    }
    let output = place.command(&["build", "db"]).env_remove("PW").output();
    place::Run::from(output.unwrap()).expect(1).says(&["PW"]);
    assert!(!place.has_built() && place.puts().is_empty());
    // Nobody was asked to read anything either.
    assert_eq!(place.world.server.record.count("HEAD", "/manifests/"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_docker_says_about_a_push_that_fails_is_shown_with_what_helps() {
    let place = Place::new().await;
    place.stage("driver", "docker");
    place.will_build();
    place.stage("complaint", "denied: permission_denied: write_package\n");
    let run = place.build(&[]).expect(1);
    run.says(&["docker could not push: denied: permission_denied: write_package"]);
    run.says(&["give it write access in the package's settings"]);
    assert!(place.puts().is_empty());
    place.stage("fail", "");
    place
        .build(&[])
        .expect(1)
        .says(&["the build failed", "nothing was pushed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dirty_tree_has_no_tag_of_a_commit_unless_it_is_wished() {
    let place = Place::new().await;
    place.write("repo/docker/new", "");
    let digest = place.will_build();
    let run = place.build(&[]).expect(0);
    let tag = place.by_commit();
    run.says(&[
        "docker/new",
        &format!("there will be no tag `{tag}`"),
        "--allow-dirty",
    ]);
    assert_eq!(place.puts(), [by_day(), "16".to_owned()]);
    let revision = format!("image.revision={}-dirty", &place.head()[..7]);
    assert!(place.told().last().unwrap().contains(&revision));

    place.registry.delete_tag("acme/db", &by_day());
    let run = place.build(&["--allow-dirty"]).expect(0);
    run.says(&["docker/new", "will lead to the build all the same"]);
    assert_eq!(place.leads_to(&tag), Some(digest));
    assert!(place.told().last().unwrap().contains(&revision));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_git_there_is_no_tag_of_a_commit_and_that_is_said() {
    let place = Place::new().await;
    place.will_build();
    std::fs::remove_dir_all(place.path("repo/.git")).unwrap();
    let run = place.build(&[]).expect(0);
    run.says(&["is in no git repository: there will be no tag of a commit"]);
    assert_eq!(place.puts(), [by_day(), "16".to_owned()]);
    assert!(place.told().last().unwrap().contains("image.revision= "));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_push_nothing_is_asked_of_the_registry() {
    let place = Place::new().await;
    let run = place.build(&["--push=false"]).expect(0);
    run.says(&["sha256:1234", "in the engine alone"]);
    let build = place.told().pop().unwrap();
    assert!(
        build.contains("--load") && !build.contains("push=true"),
        "{build}"
    );
    assert!(place.world.server.record.entries().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_base_is_the_one_of_now_or_none_is_told() {
    let place = Place::new().await;
    let base = format!("{}/bases/os", place.registry.host());
    let old = place.push_to("bases/os", "a", DAY, &["1"]);
    place.write("repo/docker/Dockerfile", &format!("FROM {base}:1\n"));
    place.commit("base");
    place.spec("publisher", &format!("    base: {base}:1\n"));
    let digest = place.will_build();
    place.build(&[]).expect(0);
    let label =
        |name: &str, value: &str| format!("--label org.opencontainers.image.base.{name}={value} ");
    let told = place.told().pop().unwrap();
    assert!(told.contains(&label("digest", &old)), "{told}");
    assert!(
        told.contains(&label("name", &format!("{base}:1"))),
        "{told}"
    );

    // It moves while the build is made: on which it is cannot be told.
    for tag in [place.by_commit(), by_day(), "16".to_owned()] {
        place.registry.delete_tag("acme/db", &tag);
    }
    let puts = place.puts().len();
    let child = place.build_until("build");
    place.push_to("bases/os", "b", HOUR, &["1"]);
    let run = place.go_on("build", child).expect(1);
    run.says(&["has moved while the build was made", "nothing was pushed"]);
    assert_eq!(place.puts().len(), puts);

    // The spec is wrong about it.
    place.spec("publisher", &format!("    base: {base}:2\n"));
    let run = place.build(&[]).expect(0);
    run.says(&[
        &format!("builds on {base}:1, and not on {base}:2"),
        "will not tell its base",
    ]);
    assert!(place.told().pop().unwrap().contains(&label("digest", "")));
    assert_eq!(place.leads_to("16"), Some(digest));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_docker_and_moves_nothing() {
    let place = Place::new().await;
    let before = place.push("9b1d2e7", DAY, &["16"]);
    place.will_build();
    let child = place.build_until("build");
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-s", "INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let run: place::Run = child.wait_with_output().unwrap().into();
    run.expect(130).says(&["Interrupted; `16` was not moved."]);
    assert_eq!(place.told().pop().unwrap(), "stopped");
    assert_eq!(place.leads_to("16"), Some(before));
    assert_eq!(place.left_behind(), 0, "the credential is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_built_is_said_with_what_to_write() {
    let place = Place::new().await;
    let file = place.path("repo/imgstack.yaml");
    let spec = std::fs::read_to_string(&file).unwrap();
    let with = |from: &str, to: &str| std::fs::write(&file, spec.replace(from, to)).unwrap();
    with("build: {context: docker}", "purpose: none");
    place
        .build(&[])
        .expect(1)
        .says(&["has no `build` in the spec", "context: docker"]);
    with("context: docker", "context: dokcer");
    place
        .build(&[])
        .expect(1)
        .says(&["build.context", "dokcer", "relative to the spec"]);
    with(
        "{context: docker}",
        "{context: docker, dockerfile: Dokcerfile}",
    );
    place
        .build(&[])
        .expect(1)
        .says(&["build.dockerfile", "Dokcerfile"]);
    std::fs::write(&file, &spec).unwrap();
    let run: place::Run = place.command(&["build", "bd"]).output().unwrap().into();
    run.expect(1)
        .says(&["there is no image `bd`", "did you mean `db`?"]);
    let mut command = place.command(&["build", "db"]);
    let run: place::Run = command
        .env("SOURCE_DATE_EPOCH", "now")
        .output()
        .unwrap()
        .into();
    run.expect(1).says(&["SOURCE_DATE_EPOCH is `now`"]);
    assert!(place.told().is_empty());
    // The day is that of the build.
    place.will_build();
    let mut command = place.command(&["build", "image.db"]);
    command.env("SOURCE_DATE_EPOCH", "1770609600");
    place::Run::from(command.output().unwrap())
        .expect(0)
        .says(&["Pushed 16-20260209"]);
    assert!(
        place
            .told()
            .pop()
            .unwrap()
            .contains("image.created=2026-02-09T04:00:00Z")
    );
    std::fs::remove_file(place.path("bin/docker")).unwrap();
    let mut command = place.command(&["build", "db"]);
    let only_git = place.path("bin");
    let git = Command::new("sh")
        .args(["-c", "command -v git"])
        .output()
        .unwrap();
    let git = String::from_utf8(git.stdout).unwrap();
    std::os::unix::fs::symlink(git.trim(), only_git.join("git")).unwrap();
    for tag in [&place.by_commit(), "16"] {
        place.registry.delete_tag("acme/db", tag);
    }
    let run: place::Run = command.env("PATH", &only_git).output().unwrap().into();
    run.expect(1).says(&["docker's client is not installed"]);
}
