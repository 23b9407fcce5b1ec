//! `imgstack generate cloud-init`: what is printed, and what its script does on
//! a machine whose docker is scripted.
//!
//! `tests/run` shows the same output to cloud-init's own validator.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use granit_parser::{Event, Parser, ScalarStyle};
use tempfile::TempDir;

const SECRET: &str = "hunter2-of-ghcr";

fn imgstack(args: &[&str], spec: &str) -> Output {
    // A file rather than a pipe, which the program may close unread.
    let mut stdin = tempfile::tempfile().unwrap();
    stdin.write_all(spec.as_bytes()).unwrap();
    stdin.rewind().unwrap();
    Command::new(env!("CARGO_BIN_EXE_imgstack"))
        .args(["generate", "cloud-init"])
        .args(args)
        .env("GHCR_PAT", SECRET)
        .stdin(stdin)
        .output()
        .unwrap()
}

fn printed(args: &[&str], spec: &str) -> String {
    let output = imgstack(args, spec);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(args: &[&str], spec: &str) -> String {
    let output = imgstack(args, spec);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

/// A spec with these registries and images, each in YAML's flow style.
fn spec(registries: &str, images: &str) -> String {
    format!(
        "apiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\nmetadata: {{name: shop}}\nspec: {{registries: [{registries}], images: [{images}]}}\n"
    )
}

const WEB: &str = "{name: web, repository: ghcr.io/acme/web, tag: '1'}";
const DB: &str = "{name: db, repository: postgres, tag: '16', pin: 16-abc1234}";

fn ghcr(username: &str) -> String {
    format!("{{host: ghcr.io, username: {username}, password: {{env: GHCR_PAT}}}}")
}

/// The scalars of a YAML text, each with the keys that lead to it, and whether
/// it is a literal block.
fn scalars(yaml: &str) -> Vec<(String, String, bool)> {
    let mut path: Vec<Option<String>> = Vec::new();
    let mut found = Vec::new();
    for event in Parser::new_from_str(yaml) {
        match event.unwrap().0 {
            Event::MappingStart(..) => path.push(None),
            Event::SequenceStart(..) => path.push(Some("-".to_owned())),
            Event::MappingEnd | Event::SequenceEnd => {
                path.pop();
                forget_key(&mut path);
            }
            Event::Scalar(text, style, ..) => match path.last_mut() {
                Some(key @ None) => *key = Some(text.into_owned()),
                _ => {
                    let keys: Vec<_> = path.iter().flatten().cloned().collect();
                    let literal = style == ScalarStyle::Literal;
                    found.push((keys.join("."), text.into_owned(), literal));
                    forget_key(&mut path);
                }
            },
            _ => {}
        }
    }
    found
}

/// A key has had its value; an item of a list has no key.
fn forget_key(path: &mut [Option<String>]) {
    if let Some(key) = path.last_mut()
        && key.as_deref() != Some("-")
    {
        *key = None;
    }
}

fn script(cloud_config: &str) -> String {
    let scalars = scalars(cloud_config);
    let content = |(path, ..): &&(String, String, bool)| path == "write_files.-.content";
    scalars.iter().find(content).unwrap().1.clone()
}

#[test]
fn the_example_makes_a_cloud_config() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = root.join("../../examples/postgres-ha");
    let printed = printed(&["-f", example.to_str().unwrap()], "");
    let golden = root.join("tests/cloud_init/example.yaml");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &printed).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&golden).unwrap_or_default(),
        printed,
        "to accept: UPDATE_GOLDEN=1 cargo test -p imgstack-cli --test cloud_init"
    );
    assert!(printed.starts_with("#cloud-config\n"));
    let own = |(path, text, _): (String, String, bool)| (path, text);
    let told: Vec<_> = scalars(&printed).into_iter().map(own).collect();
    let path = "/usr/local/sbin/imgstack-new-node";
    let script = script(&printed);
    let expected = [
        ("write_files.-.path", path),
        ("write_files.-.owner", "root:root"),
        ("write_files.-.permissions", "0700"),
        ("write_files.-.content", &script),
        ("runcmd.-.-", path),
        ("merge_how.-.name", "list"),
        ("merge_how.-.settings.-", "append"),
        ("merge_how.-.name", "dict"),
        ("merge_how.-.settings.-", "no_replace"),
        ("merge_how.-.settings.-", "recurse_list"),
    ];
    let expected = expected.map(|(path, text)| (path.to_owned(), text.to_owned()));
    assert_eq!(told, expected);
    assert!(script.starts_with("#!/bin/sh\n") && script.ends_with("exit \"$failed\"\n"));
}

#[test]
fn no_secret_is_printed_and_nothing_that_a_templater_takes() {
    let hostile = ghcr("\"a ${b} %{c} 'd' ü\\t\"");
    let command =
        "{host: r.example, username: a, password: {command: [touch, /imgstack-was-here]}}";
    let printed = printed(&["-f", "-"], &spec(&format!("{hostile}, {command}"), WEB));
    assert!(!printed.contains(SECRET) && !printed.contains("GHCR_PAT"));
    assert!(
        !printed.contains("${") && !printed.contains("%{"),
        "{printed}"
    );
    assert!(printed.is_ascii());
    assert!(!Path::new("/imgstack-was-here").exists());
    let literal = |(path, _, literal): (String, String, bool)| {
        assert_eq!(literal, path == "write_files.-.content", "{path}");
    };
    scalars(&printed).into_iter().for_each(literal);
}

#[test]
fn the_comment_fits_the_spec() {
    let has = |printed: &str, texts: [(&str, bool); 4]| {
        for (text, expected) in texts {
            assert_eq!(printed.contains(text), expected, "{text} in {printed}");
        }
    };
    let public = printed(&["-f", "-"], &spec("", DB));
    has(
        &public,
        [
            ("# Prepares a new node for shop:", true),
            ("No secret stands here", false),
            ("\n      log_in ", false),
            ("pull 'docker.io/library/postgres:16-abc1234'", true),
        ],
    );
    let other = "{host: '10.0.0.1:5000', insecure: true}, {host: 'localhost:5000', insecure: true}, {host: r.example, username: a, password: {env: A}}";
    let private = printed(&["-f", "-"], &spec(other, WEB));
    has(
        &private,
        [
            ("#     /run/secrets/imgstack/r.example\n", true),
            ("classic token", false),
            ("# 10.0.0.1:5000 is spoken to in plain http", true),
            ("localhost:5000", false),
        ],
    );
    // Which tag a policy chooses, only a plan can say; a pin says it.
    let policies = "{name: api, repository: ghcr.io/acme/api, policy: {semver: '~3.3'}}, {name: held, repository: ghcr.io/acme/held, policy: {newest: '.*'}, pin: '7'}";
    let policies = printed(&["-f", "-"], &spec("", policies));
    has(
        &policies,
        [
            ("# Not pulled here: a policy chooses", true),
            ("#     api (ghcr.io/acme/api)\n", true),
            ("pull 'ghcr.io/acme/api", false),
            ("pull 'ghcr.io/acme/held:7'", true),
        ],
    );
    assert!(!private.contains("Not pulled here"), "{private}");
    // An image that stands in two stacks is pulled once.
    let two = format!(
        "{}---\n{}",
        spec("", DB),
        spec("", DB)
            .replace("shop", "b")
            .replace("name: db", "name: c")
    );
    let two = printed(&["-f", "-"], &two);
    assert_eq!(two.matches("pull 'docker.io").count(), 1, "{two}");
    assert!(two.contains("for shop, b:"), "{two}");
}

#[test]
fn what_does_not_fit_on_one_machine_is_refused() {
    let two = format!(
        "{}---\n{}",
        spec(&ghcr("a"), ""),
        spec(&ghcr("b"), "").replace("shop", "b")
    );
    let told = refused(&["-f", "-"], &two);
    assert!(
        told.contains("log in to ghcr.io as different users"),
        "{told}"
    );
    let other = format!(
        "{}, {{host: r.example, username: a, password: {{env: A}}}}",
        ghcr("a")
    );
    let told = refused(
        &["-f", "-", "--secret-file", "/run/token"],
        &spec(&other, ""),
    );
    assert!(
        told.contains("/run/token would be the secret of 2 registries"),
        "{told}"
    );
    assert!(
        told.contains("--secret-file /run/secrets/imgstack/{host}"),
        "{told}"
    );
    // One file is enough for one.
    printed(
        &["-f", "-", "--secret-file", "/run/token"],
        &spec(&ghcr("a"), ""),
    );
    for path in [
        "token",
        "/run/a b",
        "/run/$x",
        "/run/a'b",
        "/run/",
        "/run/{hots}",
        "",
    ] {
        let told = refused(&["-f", "-", "--secret-file", path], &spec("", ""));
        assert!(told.contains("an absolute path"), "{path}: {told}");
    }
}

/// A machine: a docker that writes down what it is asked, and clocks that do
/// not wait.
struct Machine(TempDir);

impl Machine {
    /// `docker` is what its docker does beside that, in the language of the
    /// shell, with the first argument in `$1`.
    fn new(docker: &str) -> Self {
        let machine = Self(TempDir::new().unwrap());
        fs::create_dir(machine.path("bin")).unwrap();
        let log = "printf '<%s>' \"$@\" >>\"$LOG\"; echo >>\"$LOG\"";
        machine.program("docker", &format!("{log}\n{docker}"));
        machine.program("sleep", "printf 'sleep %s\\n' \"$1\" >>\"$LOG\"");
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs the script of a spec. The exit code, what docker was asked, and
    /// what was complained of.
    fn boot(&self, spec: &str) -> (Option<i32>, String, String) {
        let secret = self.path("secret-{host}");
        let printed = printed(
            &["-f", "-", "--secret-file", secret.to_str().unwrap()],
            spec,
        );
        let path = self.path("script");
        fs::write(&path, script(&printed)).unwrap();
        let output = Command::new("sh")
            .arg(&path)
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", self.path("bin").display()),
            )
            .env("LOG", self.path("log"))
            .output()
            .unwrap();
        let asked = fs::read_to_string(self.path("log")).unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        let home = self.0.path().to_str().unwrap();
        (output.status.code(), asked, told.replace(home, "HERE"))
    }
}

#[test]
fn a_machine_logs_in_and_pulls() {
    let machine = Machine::new("[ \"$1\" != login ] || { cat; echo \" in $HOME\"; } >>\"$LOG\"");
    fs::write(machine.path("secret-ghcr.io"), SECRET).unwrap();
    let username = "\"o'brien $HOME `id` ${x} ü\"";
    let (code, asked, told) = machine.boot(&spec(&ghcr(username), &format!("{WEB}, {DB}")));
    assert_eq!(
        asked,
        format!(
            "<version>
<login><--username><o'brien $HOME `id` ${{x}} ü><--password-stdin><ghcr.io>
{SECRET} in /root
<pull><--quiet><ghcr.io/acme/web:1>
<pull><--quiet><docker.io/library/postgres:16-abc1234>
"
        )
    );
    assert_eq!((code, told.as_str()), (Some(0), ""));
}

#[test]
fn a_registry_may_be_late_and_what_fails_stops_nothing_else() {
    // The first image never comes, and the second when it is asked for again.
    let docker = "case \"$*\" in
*acme/web*) echo denied >&2; exit 1;;
*postgres*) [ -e \"$LOG.again\" ] || { : >\"$LOG.again\"; exit 1; };;
esac";
    let machine = Machine::new(docker);
    let (code, asked, told) = machine.boot(&spec(&ghcr("me"), &format!("{WEB}, {DB}")));
    let web = "<pull><--quiet><ghcr.io/acme/web:1>\n";
    let db = "<pull><--quiet><docker.io/library/postgres:16-abc1234>\n";
    assert_eq!(
        asked,
        format!(
            "<version>\n{web}sleep 5\n{web}sleep 10\n{web}sleep 20\n{web}sleep 40\n{web}{db}sleep 5\n{db}"
        )
    );
    assert_eq!(code, Some(1));
    assert_eq!(
        told,
        "imgstack: no login to ghcr.io: HERE/secret-ghcr.io is missing or empty
denied
denied
denied
denied
denied
imgstack: no ghcr.io/acme/web:1: see the error above
"
    );
}

#[test]
fn without_docker_nothing_is_tried() {
    let machine = Machine::new("exit 1");
    fs::write(machine.path("secret-ghcr.io"), SECRET).unwrap();
    let (code, asked, told) = machine.boot(&spec(&ghcr("me"), WEB));
    assert_eq!(asked.matches("<version>").count(), 5);
    assert!(
        !asked.contains("login") && !asked.contains("pull"),
        "{asked}"
    );
    assert_eq!(code, Some(1));
    assert!(
        told.contains("docker does not answer: install and start it"),
        "{told}"
    );
}
