//! `imgstack generate review-action`: what is printed. `tests/run` shows the same
//! output to validators of workflows, and `action.yml` to the one of actions.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const ACTION: &str = "acme/imgstack@0123456789abcdef0123456789abcdef01234567";

fn imgstack(args: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_imgstack"))
        .args(["generate", "review-action"])
        .args(args)
        .current_dir(folder)
        .env_remove("IMGSTACK_FILE")
        .output()
        .unwrap()
}

fn printed(args: &[&str], folder: &Path) -> String {
    let args = [&["--action", ACTION], args].concat();
    let output = imgstack(&args, folder);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with a spec that says this of its world.
fn folder(spec: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let spec = format!(
        "apiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\nmetadata: {{name: shop}}\n\
         spec:\n  images:\n  - {{name: db, repository: ghcr.io/acme/db, tag: '16'}}\n{spec}"
    );
    fs::write(folder.path().join("imgstack.yaml"), spec).unwrap();
    folder
}

#[test]
fn the_example_is_what_is_made_of_its_spec() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/postgres-ha");
    let printed = printed(&["-f", ".", "--root", "."], &example);
    let file = example.join(".github/workflows/imgstack.yml");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &printed).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&file).unwrap_or_default(),
        printed,
        "to accept: UPDATE_GOLDEN=1 cargo test -p imgstack-cli --test review_action"
    );
}

type Words<'a> = &'a [&'a str];

/// (of the spec, arguments, what is there, what is not)
#[test]
fn the_jobs_have_what_the_spec_takes_and_no_more() {
    let ssh = "  swarm: {endpoint: 'ssh://root@m1'}\n";
    let near = "  swarm: {endpoint: 'unix:///var/run/docker.sock'}\n";
    let registry = |name: &str| {
        format!("{ssh}  registries: [{{host: ghcr.io, username: a, password: {{env: {name}}}}}]\n")
    };
    #[rustfmt::skip]
    let table: [(String, Words<'_>, Words<'_>, Words<'_>); 8] = [
        (ssh.to_owned(), &[], &["SWARM_SSH_KEY", "runs-on: \"ubuntu-latest\""], &["DOCKER_HOST", "self-hosted"]),
        (String::new(), &[], &["DOCKER_HOST: ${{ secrets.SWARM_DOCKER_HOST }}", "SWARM_SSH_KEY"], &["self-hosted"]),
        (near.to_owned(), &[], &["runs-on: \"self-hosted\""], &["SWARM_SSH_KEY", "DOCKER_HOST"]),
        (ssh.to_owned(), &["--runner", "inside"], &["runs-on: \"inside\""], &["SWARM_SSH_KEY"]),
        (registry("GHCR_PAT"), &[], &["GHCR_PAT: ${{ secrets.GHCR_PAT }}", "# - secret GHCR_PAT: the password for ghcr.io"], &[]),
        (registry("GITHUB_TOKEN"), &[], &["      GITHUB_TOKEN: ${{ github.token }}"], &["secrets.GITHUB"]),
        (registry("GITHUB_PAT"), &[], &["GITHUB_PAT: ${{ secrets.IMGSTACK_GITHUB_PAT }}"], &["secrets.GITHUB"]),
        (ssh.to_owned(), &["--branch", "release+1"], &[r#"- "release\\+1""#], &[r#"- "main""#]),
    ];
    for (spec, args, has, has_not) in table {
        let folder = folder(&spec);
        let printed = printed(args, folder.path());
        for words in has {
            assert!(printed.contains(words), "{words}\n{printed}");
        }
        for words in has_not {
            assert!(!printed.contains(words), "{words}\n{printed}");
        }
    }
}

/// What a stranger may write is in no script: not in an expression that one has.
#[test]
fn scripts_have_no_expressions_and_the_first_job_no_secrets() {
    let printed = printed(&[], folder("").path());
    let mut scripts = 0;
    let mut lines = printed.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim() != "run: |" {
            continue;
        }
        scripts += 1;
        while let Some(line) = lines.next_if(|line| line.starts_with("          ")) {
            assert!(!line.contains("${{"), "{line}");
        }
    }
    assert_eq!(scripts, 7, "{printed}");
    let (check, rest) = printed.split_once("\n  plan:\n").unwrap();
    assert!(
        !check.contains("secrets.") && !check.contains("write"),
        "{check}"
    );
    assert!(!rest.contains("contents: write"), "{rest}");
    assert!(!printed.contains("pull_request_target"));
}

#[test]
fn where_no_workflow_can_be_made_that_is_said() {
    let folder = folder("");
    let path = folder.path();
    fs::copy(path.join("imgstack.yaml"), path.join("b.txt")).unwrap();
    #[rustfmt::skip]
    let table: [(&[&str], &str); 6] = [
        (&[], "--action <OWNER/NAME@COMMIT>"),
        (&["--action", "acme/imgstack@v1"], "with all 40 digits of the commit"),
        (&["--action", "imgstack"], "an action is named OWNER/NAME@COMMIT"),
        (&["--action", ACTION, "-f", ".", "-f", "imgstack.yaml"], "the workflow is for one file or folder, and 2 are named"),
        (&["--action", ACTION, "--root", "/nowhere"], "is not below /nowhere"),
        (&["--action", ACTION, "--branch", "a b"], "this cannot be a branch"),
    ];
    for (args, words) in table {
        let output = imgstack(args, path);
        let told = String::from_utf8(output.stderr).unwrap();
        let flat = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(flat.contains(words), "{words}\n{told}");
    }
}
