//! `imgstack generate workflow`: what is printed, and what its scripts do with a
//! scripted docker.
//!
//! `tests/run` shows the same output to validators of workflows.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scripts;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use granit_parser::{Event, Parser};
use tempfile::TempDir;

fn imgstack(args: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_imgstack"))
        .args(["generate", "workflow"])
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn printed(args: &[&str], folder: &Path) -> String {
    let output = imgstack(args, folder);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with a spec of one image `db`, with these lines below it, and these
/// registries.
fn folder(registries: &str, image: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let spec = format!(
        "apiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\nmetadata: {{name: shop}}\n\
         spec:\n  registries: [{registries}]\n  images:\n  - name: db\n    tag: '16'\n{image}"
    );
    fs::write(folder.path().join("imgstack.yaml"), spec).unwrap();
    folder
}

fn image(repository: &str, build: &str) -> String {
    format!("    repository: {repository}\n    build: {{{build}}}\n")
}

/// The scalars of a YAML text, each with the keys that lead to it.
fn scalars(yaml: &str) -> Vec<(String, String)> {
    let mut path: Vec<Option<String>> = Vec::new();
    let mut found = Vec::new();
    let forget = |path: &mut Vec<Option<String>>| {
        if let Some(key) = path.last_mut().filter(|key| key.as_deref() != Some("-")) {
            *key = None;
        }
    };
    for event in Parser::new_from_str(yaml) {
        match event.unwrap().0 {
            Event::MappingStart(..) => path.push(None),
            Event::SequenceStart(..) => path.push(Some("-".to_owned())),
            Event::MappingEnd | Event::SequenceEnd => {
                path.pop();
                forget(&mut path);
            }
            Event::Scalar(text, ..) => match path.last_mut() {
                Some(key @ None) => *key = Some(text.into_owned()),
                _ => {
                    let keys: Vec<_> = path.iter().flatten().cloned().collect();
                    found.push((keys.join("."), text.into_owned()));
                    forget(&mut path);
                }
            },
            _ => {}
        }
    }
    found
}

#[track_caller]
fn has(workflow: &str, key: &str, expected: &[&str]) {
    let found = scalars(workflow);
    let values: Vec<_> = found.iter().filter(|(path, _)| path == key).collect();
    let values: Vec<_> = values.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, expected, "{key}");
}

#[test]
fn the_example_is_what_is_made_of_its_spec() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = root.join("../../examples/postgres-ha");
    let printed = printed(&["patroni-postgres", "-f", ".", "--root", "."], &example);
    let file = example.join(".github/workflows/build-patroni-postgres.yml");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &printed).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&file).unwrap_or_default(),
        printed,
        "to accept: UPDATE_GOLDEN=1 cargo test -p imgstack-cli --test workflow"
    );
    let context = "stacks/infrastructure/postgres-ha/docker";
    let own = ".github/workflows/build-patroni-postgres.yml";
    has(
        &printed,
        "run-name",
        &["Build patroni-postgres ${{ inputs.imgstack }}"],
    );
    has(&printed, "on.push.branches.-", &["main"]);
    has(
        &printed,
        "on.push.paths.-",
        &[&format!("{context}/**"), own],
    );
    has(&printed, "on.schedule.-.cron", &["0 4 * * 1"]);
    has(
        &printed,
        "on.workflow_dispatch.inputs.imgstack.type",
        &["string"],
    );
    has(&printed, "jobs.build.permissions.packages", &["write"]);
    has(&printed, "jobs.build.permissions.contents", &["read"]);
    has(&printed, "jobs.build.steps.-.with.context", &[context]);
    has(
        &printed,
        "jobs.build.steps.-.with.file",
        &[&format!("{context}/Dockerfile")],
    );
    has(
        &printed,
        "jobs.build.steps.-.with.provenance",
        &["mode=max"],
    );
    has(&printed, "jobs.build.if", &["github.ref_name == 'main'"]);
}

/// Every action is a commit, and says which version that is.
#[test]
fn no_action_can_move() {
    let folder = folder("", &image("ghcr.io/acme/db", "context: docker"));
    let printed = printed(&["db"], folder.path());
    let uses: Vec<_> = printed
        .lines()
        .filter(|line| line.contains("uses: "))
        .collect();
    assert_eq!(uses.len(), 4);
    for line in uses {
        let (_, pinned) = line.split_once('@').unwrap();
        let (commit, version) = pinned.split_once(" # v").unwrap();
        assert!(
            commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()),
            "{line}"
        );
        assert_eq!(version.split('.').count(), 3, "{line}");
    }
}

#[test]
fn what_stands_in_the_spec_stays_a_text() {
    let registry = r#"{host: r.test, username: "a ${{ secrets.X }} \"b\" #", password: {env: PW}}"#;
    let branch = "o'brien${{github.token}}+!";
    let github = format!(r#"{{repository: acme/web, workflow: "b{{1}}'.yml", ref: "{branch}"}}"#);
    let build = format!(r#"context: "d [x]*'s: #1", dockerfile: "../Dfile", github: {github}"#);
    let folder = folder(registry, &image("r.test/acme/db", &build));
    let printed = printed(&["db"], folder.path());
    let escaped = branch.replace('+', "\\+").replace('!', "\\!");
    has(&printed, "on.push.branches.-", &[&escaped]);
    let own = ".github/workflows/b{1}'.yml";
    has(
        &printed,
        "on.push.paths.-",
        &["d \\[x\\]\\*'s: #1/**", "Dfile", own],
    );
    let wanted = format!("github.ref_name == '{}'", branch.replace('\'', "''"));
    has(&printed, "jobs.build.if", &[&wanted]);
    has(
        &printed,
        "jobs.build.steps.-.with.context",
        &["d [x]*'s: #1"],
    );
    let user = "a ${{ '${{' }} secrets.X }} \"b\" #";
    has(&printed, "jobs.build.steps.-.with.username", &[user]);
    // Scripts read variables, and nothing of the spec.
    for (key, text) in scalars(&printed) {
        if key.ends_with(".run") {
            assert!(!text.contains("${{") && !text.contains("acme"), "{text}");
        }
    }
}

#[test]
fn who_logs_in() {
    let github = "context: docker, github: {repository: Acme/web, workflow: b.yml}";
    let other = "{host: r.test, username: robot, password: {env: PW}}";
    // (registries, repository, build, user, password, may write packages)
    let table = [
        (
            "",
            "ghcr.io/acme/db",
            github,
            "github.actor",
            "GITHUB_TOKEN",
            true,
        ),
        (
            "",
            "ghcr.io/acme/db",
            "context: docker",
            "github.actor",
            "GITHUB_TOKEN",
            true,
        ),
        // Another owner's package: the workflow's own token does not help.
        (
            "",
            "ghcr.io/other/db",
            github,
            "secrets.REGISTRY_USERNAME",
            "REGISTRY_PASSWORD",
            false,
        ),
        (
            other,
            "r.test/acme/db",
            github,
            "robot",
            "REGISTRY_PASSWORD",
            false,
        ),
    ];
    for (registries, repository, build, user, password, packages) in table {
        let folder = folder(registries, &image(repository, build));
        let printed = printed(&["db"], folder.path());
        let user = match user.contains('.') {
            true => format!("${{{{ {user} }}}}"),
            false => user.to_owned(),
        };
        has(&printed, "jobs.build.steps.-.with.username", &[&user]);
        let secret = format!("${{{{ secrets.{password} }}}}");
        has(&printed, "jobs.build.steps.-.with.password", &[&secret]);
        assert_eq!(
            printed.contains("packages: write"),
            packages,
            "{repository}"
        );
        assert_eq!(
            printed.contains("with secrets of the repository"),
            !packages
        );
    }
}

/// Paths are GitHub's, from the root of the repository.
#[test]
fn where_the_root_is() {
    let home = folder("", &image("ghcr.io/acme/db", "context: ../docker"));
    let spec = home.path().join("stacks/imgstack.yaml");
    fs::create_dir(home.path().join("stacks")).unwrap();
    fs::rename(home.path().join("imgstack.yaml"), &spec).unwrap();
    let refused = |args: &[&str]| {
        let output = imgstack(args, home.path());
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    // Without git the spec's folder is the root.
    let told = refused(&["db", "-f", "stacks"]);
    assert!(
        told.contains("the root of the") && told.contains("--root"),
        "{told}"
    );
    let context = |args: &[&str], expected: &str| {
        let printed = printed(args, home.path());
        has(&printed, "jobs.build.steps.-.with.context", &[expected]);
        printed
    };
    context(&["db", "-f", "stacks", "--root", "."], "docker");
    fs::create_dir(home.path().join(".git")).unwrap();
    context(&["db", "-f", "stacks"], "docker");
    context(&["db", "-f", spec.to_str().unwrap()], "docker");
    // The context may be the whole repository.
    let text = fs::read_to_string(&spec)
        .unwrap()
        .replace("../docker", "..");
    fs::write(&spec, text).unwrap();
    let whole = context(&["db", "-f", "stacks"], ".");
    has(&whole, "on.push.paths.-", &["**"]);
    has(&whole, "jobs.build.steps.-.with.file", &["Dockerfile"]);
}

#[test]
fn what_no_workflow_can_do() {
    let insecure = "{host: '10.0.0.1:5000', insecure: true}";
    let table = [
        (
            "",
            "    repository: ghcr.io/acme/db\n".to_owned(),
            "has no `build`",
        ),
        (
            insecure,
            image("10.0.0.1:5000/db", "context: a"),
            "plain http",
        ),
        ("", image("localhost:5000/db", "context: a"), "plain http"),
    ];
    for (registries, image, why) in table {
        let folder = folder(registries, &image);
        let output = imgstack(&["db"], folder.path());
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(
            output.stdout.is_empty() && told.contains(why) && told.contains("help:"),
            "{told}"
        );
    }
}
