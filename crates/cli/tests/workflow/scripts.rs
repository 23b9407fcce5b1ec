//! What the scripts of a workflow do, run as GitHub runs them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::{folder, image, printed, scalars};

/// A runner of GitHub's whose docker knows the tags that are files in a folder.
struct Runner(TempDir);

const DOCKER: &str = r#"#!/bin/bash
here=$(dirname "$0")
case "$2 $3" in
"imagetools inspect")
	[ ! -e "$here/down" ] || { cat "$here/down" >&2; exit 1; }
	case $5 in
	*Image*) cat "$here/images/${6##*@sha256:}"; exit ;;
	esac
	[ -e "$here/tags/${6##*:}" ] || { printf 'a warning\nERROR: %s: not found\n' "$6" >&2; exit 1; }
	echo "WARNING: a builder is old" >&2
	printf '"%s"\n' "$(cat "$here/tags/${6##*:}")"
	[ ! -e "$here/then" ] || { . "$here/then"; } ;;
"imagetools create")
	echo "${5##*:}" >>"$here/order"
	echo "${6##*@}" >"$here/tags/${5##*:}" ;;
*) exit 64 ;;
esac
"#;

impl Runner {
    fn new() -> Self {
        let runner = Self(tempfile::tempdir().unwrap());
        let docker = runner.path("docker");
        fs::write(&docker, DOCKER).unwrap();
        fs::set_permissions(&docker, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(runner.path("tags")).unwrap();
        fs::create_dir(runner.path("images")).unwrap();
        runner
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Runs the script of a step as GitHub does.
    fn run(&self, step: usize, variables: &[(&str, &str)]) -> Output {
        let folder = folder("", &image("ghcr.io/acme/db", "context: docker"));
        let printed = printed(&["db"], folder.path());
        let scripts: Vec<_> = scalars(&printed)
            .into_iter()
            .filter(|(key, _)| key == "jobs.build.steps.-.run")
            .collect();
        let path = std::env::var("PATH").unwrap();
        Command::new("bash")
            .args([
                "--noprofile",
                "--norc",
                "-eo",
                "pipefail",
                "-c",
                &scripts[step].1,
            ])
            .env("PATH", format!("{}:{path}", self.0.path().display()))
            .current_dir(self.0.path())
            .env("BASE", "")
            .env("REPOSITORY", "ghcr.io/acme/db")
            .env("TAG", "16")
            .env("COMMIT", "abc12345678")
            .env("GITHUB_RUN_NUMBER", "57")
            .env("GITHUB_RUN_ATTEMPT", "2")
            .env("RUNNER_TEMP", self.0.path())
            .env("GITHUB_OUTPUT", self.path("output"))
            .env("GITHUB_STEP_SUMMARY", self.path("summary"))
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    fn tag(&self, digest: &str) -> Output {
        let created = "2026-02-09T04:00:00Z";
        self.run(1, &[("CREATED", created), ("DIGEST", digest)])
    }
}

#[test]
fn tags_that_stay_are_not_overwritten_and_the_one_that_moves_is_last() {
    let runner = Runner::new();
    let (commit, day, more) = ("16-abc1234", "16-20260209", "16-20260209.57.2");
    // (the tags that are taken, those that the build gets, in order)
    let table: [(&[&str], &[&str]); 4] = [
        (&[], &[commit, day, "16"]),
        (&[commit], &[day, "16"]),
        (&[day], &[commit, "16"]),
        (&[commit, day], &[more, "16"]),
    ];
    for (taken, given) in table {
        let _ = fs::remove_file(runner.path("order"));
        fs::remove_dir_all(runner.path("tags")).unwrap();
        fs::create_dir(runner.path("tags")).unwrap();
        for tag in taken.iter().chain(&["16"]) {
            fs::write(runner.path("tags").join(tag), "sha256:old").unwrap();
        }
        let output = runner.tag("sha256:new");
        assert!(output.status.success(), "{output:?}");
        assert_eq!(runner.lines("order"), given);
        for tag in given {
            assert_eq!(runner.lines(&format!("tags/{tag}")), ["sha256:new"]);
        }
        let said = String::from_utf8(output.stdout).unwrap();
        for tag in taken {
            assert_eq!(runner.lines(&format!("tags/{tag}")), ["sha256:old"]);
            assert!(
                said.contains(&format!("::notice::{tag} stays with sha256:old")),
                "{said}"
            );
        }
    }
}

/// A tag that cannot be looked up is not one that is free, whatever the words.
#[test]
fn a_registry_that_does_not_answer_ends_the_run_before_any_tag_moves() {
    let runner = Runner::new();
    for words in [
        "ERROR: connection refused",
        "ERROR: lookup ghcr.io: host not found",
        "ERROR: ghcr.io/acme/db:16-abc1234: not found in time",
        "ERROR: the builder was not found",
    ] {
        fs::write(runner.path("down"), words).unwrap();
        let output = runner.tag("sha256:new");
        assert!(!output.status.success());
        assert_eq!(String::from_utf8(output.stderr).unwrap(), words);
        assert!(runner.lines("order").is_empty());
        let output = runner.run(0, &[("BASE", "postgres:16-alpine")]);
        assert!(!output.status.success());
    }
}

/// Somebody else may push between two requests.
#[test]
fn a_tag_that_was_taken_meanwhile_is_not_overwritten() {
    let runner = Runner::new();
    // It is taken when the other one, which is there, has been looked at.
    fs::write(runner.path("tags/16-20260209"), "sha256:old").unwrap();
    let take = r#"echo sha256:other >"$here/tags/16-abc1234""#;
    fs::write(runner.path("then"), take).unwrap();
    let output = runner.tag("sha256:new");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains("::error::16-abc1234 leads to sha256:other by now"),
        "{said}"
    );
    assert!(runner.lines("order").is_empty());
}

#[test]
fn a_base_that_moved_during_the_build_ends_the_run_before_any_tag_moves() {
    let runner = Runner::new();
    fs::write(runner.path("tags/16-alpine"), "sha256:base").unwrap();
    let tag = |base: &str| {
        let variables = [
            ("CREATED", "2026-02-09T04:00:00Z"),
            ("DIGEST", "sha256:new"),
            ("BASE", "docker.io/library/postgres:16-alpine"),
            ("BASE_DIGEST", base),
        ];
        runner.run(1, &variables)
    };
    let output = tag("sha256:before");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success());
    assert!(
        said.contains("has moved while the build was made"),
        "{said}"
    );
    assert!(runner.lines("order").is_empty());
    assert!(tag("sha256:base").status.success());
    assert_eq!(runner.lines("order").last().unwrap(), "16");
}

/// What "Re-run jobs" of an old run does.
#[test]
fn the_tag_that_moves_does_not_go_back_to_an_older_commit() {
    let runner = Runner::new();
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=A", "-c", "user.email=a@test"])
            .args(args)
            .current_dir(runner.0.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let commit = || {
        git(&["commit", "--quiet", "--allow-empty", "-m", "a commit"]);
        git(&["rev-parse", "HEAD"])
    };
    git(&["init", "--quiet"]);
    let (older, newer) = (commit(), commit());
    let unknown = "9b1d2e7".repeat(6)[..40].to_owned();
    let label = |commit: &str| {
        format!(
            "{{\n  \"linux/amd64\": {{\"config\": {{\"Labels\": {{\n    \
             \"org.opencontainers.image.revision\": \"{commit}\"}}}}}}\n}}"
        )
    };
    let not_known = "::notice::whether 16 leads to a newer commit's build is not known";
    // (what the tag leads to says, of which commit the run is, whether the tag
    // moves, what is said)
    let table = [
        (
            label(&newer),
            &older,
            false,
            "::warning::16 stays with sha256:there",
        ),
        (label(&older), &newer, true, ""),
        (label(&older), &older, true, ""),
        (label(&unknown), &older, true, not_known),
        (label("--all"), &older, true, not_known),
        ("{}".to_owned(), &older, true, not_known),
    ];
    for (image, commit, moves, words) in table {
        let _ = fs::remove_file(runner.path("order"));
        let _ = fs::remove_dir_all(runner.path("tags"));
        fs::create_dir(runner.path("tags")).unwrap();
        fs::write(runner.path("tags/16"), "sha256:there").unwrap();
        fs::write(runner.path("images/there"), &image).unwrap();
        let variables = [
            ("CREATED", "2026-02-09T04:00:00Z"),
            ("DIGEST", "sha256:new"),
            ("COMMIT", commit),
        ];
        let output = runner.run(1, &variables);
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(
            said.contains(words) && (!words.is_empty() || !said.contains("::")),
            "{said}"
        );
        let order = runner.lines("order");
        assert_eq!(order.iter().any(|tag| tag == "16"), moves, "{said}");
        assert_eq!(
            order[..2],
            [format!("16-{}", &commit[..7]), "16-20260209".into()]
        );
    }
}

#[test]
fn the_facts_of_a_build() {
    let runner = Runner::new();
    fs::write(runner.path("tags/16-alpine"), "sha256:base").unwrap();
    for (base, expected) in [
        ("", "base="),
        ("docker.io/library/postgres:16-alpine", "base=sha256:base"),
    ] {
        let _ = fs::remove_file(runner.path("output"));
        let output = runner.run(0, &[("BASE", base)]);
        assert!(output.status.success(), "{output:?}");
        let told = runner.lines("output");
        assert!(
            told[0].starts_with("created=20") && told[0].ends_with('Z'),
            "{told:?}"
        );
        assert_eq!(told[1], expected);
    }
}
