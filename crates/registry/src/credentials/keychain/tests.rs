//! The order of sources, on real files and real programs in a folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use imgstack_spec::{DEFAULT_WARN_BEFORE_EXPIRY, SecretSource};
use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;

/// A home with docker's, podman's and the spec's sources in it.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn program(self, name: &str, script: &str) -> Self {
        let home = self.write(name, &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(home.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        home
    }

    fn environment(&self, more: &[(&str, &str)]) -> Environment {
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        let own = [("HOME", self.0.path().to_str().unwrap()), ("PATH", &path)];
        own.iter().chain(more).copied().collect()
    }

    /// `user:password from source`, `nobody`, or the error.
    async fn found(&self, host: &str, spec: Option<&Registry>, more: &[(&str, &str)]) -> String {
        let keychain = Keychain::new(self.environment(more));
        let found = match keychain.find(&RegistryHost::new(host), spec).await {
            Ok(found) => found,
            Err(error) => return format!("error: {error}"),
        };
        let mut shown = match &found.credential {
            None => "nobody".to_owned(),
            Some(credential) => {
                let who = match credential.identity() {
                    Identity::Password { username, password } => {
                        format!("{username}:{}", password.expose_secret())
                    }
                    Identity::IdentityToken(token) => format!("token {}", token.expose_secret()),
                };
                format!("{who} from {}", credential.source())
            }
        };
        for problem in found.problems {
            shown += &format!("; problem: {problem}");
        }
        shown.replace(self.0.path().to_str().unwrap(), "HOME")
    }
}

fn spec(password: SecretSource) -> Registry {
    Registry {
        host: RegistryHost::new("ghcr.io"),
        username: Some("me".to_owned()),
        password: Some(password),
        insecure: false,
        warn_before_expiry: DEFAULT_WARN_BEFORE_EXPIRY,
    }
}

fn words(words: &[&str]) -> SecretSource {
    SecretSource::Command(words.iter().map(ToString::to_string).collect())
}

const DOCKER: &str = r#"{"auths": {
    "ghcr.io": {"auth": "ZG9ja2VyOnBhc3M="},
    "https://index.docker.io/v1/": {"auth": "aHViOnBhc3M="},
    "token.test": {"auth": "eDp5", "identitytoken": "t0ken"},
    "plain.test": {"username": "u", "password": "p"},
    "empty.test": {}
}}"#;
const PODMAN: &str = r#"{"auths": {"ghcr.io": {"auth": "cG9kbWFuOnBhc3M="}}}"#;

#[tokio::test]
async fn the_spec_comes_first_then_docker_then_podman() {
    let home = Home::new()
        .write(".docker/config.json", DOCKER)
        .write(".config/containers/auth.json", PODMAN);
    let env = spec(SecretSource::Env("GHCR_PAT".to_owned()));
    assert_eq!(
        home.found("ghcr.io", Some(&env), &[("GHCR_PAT", "pat")])
            .await,
        "me:pat from GHCR_PAT in the environment"
    );
    assert_eq!(
        home.found("ghcr.io", None, &[]).await,
        "docker:pass from docker's configuration ~/.docker/config.json"
    );
    fs::remove_file(home.path(".docker/config.json")).unwrap();
    assert_eq!(
        home.found("ghcr.io", None, &[]).await,
        "podman:pass from podman's ~/.config/containers/auth.json"
    );
    fs::remove_file(home.path(".config/containers/auth.json")).unwrap();
    assert_eq!(home.found("ghcr.io", None, &[]).await, "nobody");
}

/// As docker's own client does it.
#[tokio::test]
async fn a_configuration_in_the_environment_comes_before_the_files() {
    let home = Home::new().write(".docker/config.json", DOCKER);
    let file = "docker:pass from docker's configuration ~/.docker/config.json";
    let variable = |auths: &str| format!(r#"{{"auths": {{{auths}}}, "credsStore": "absent"}}"#);
    let table = [
        (
            variable(r#""ghcr.io": {"auth": "Y2k6cGFzcw=="}"#),
            "ci:pass from DOCKER_AUTH_CONFIG in the environment".to_owned(),
        ),
        // what it does not have, the file may have
        (
            variable(r#""a.test": {"auth": "Y2k6cGFzcw=="}"#),
            file.to_owned(),
        ),
        (variable(r#""ghcr.io": {}"#), file.to_owned()),
        (String::new(), file.to_owned()),
        (
            "hunter2".to_owned(),
            format!(
                "{file}; problem: ghcr.io: DOCKER_AUTH_CONFIG is not a docker configuration: line \
                 1, column 1"
            ),
        ),
        (
            variable(r#""ghcr.io": {"auth": "hunter2:"}"#),
            format!(
                "{file}; problem: ghcr.io: DOCKER_AUTH_CONFIG is not a docker configuration: the \
                 entry for ghcr.io is not base64"
            ),
        ),
    ];
    for (value, expected) in table {
        let more = [("DOCKER_AUTH_CONFIG", value.as_str())];
        assert_eq!(
            home.found("ghcr.io", None, &more).await,
            expected,
            "{value}"
        );
    }
    let env = spec(SecretSource::Env("GHCR_PAT".to_owned()));
    let first = variable(r#""ghcr.io": {"auth": "Y2k6cGFzcw=="}"#);
    let more = [("DOCKER_AUTH_CONFIG", first.as_str()), ("GHCR_PAT", "pat")];
    assert_eq!(
        home.found("ghcr.io", Some(&env), &more).await,
        "me:pat from GHCR_PAT in the environment"
    );
}

#[tokio::test]
async fn entries_of_dockers_configuration() {
    let home = Home::new().write("elsewhere/config.json", DOCKER);
    let folder = home.path("elsewhere");
    let more = [("DOCKER_CONFIG", folder.to_str().unwrap())];
    let from = "from docker's configuration ~/elsewhere/config.json";
    let table = [
        ("docker.io", format!("hub:pass {from}")),
        ("token.test", format!("token t0ken {from}")),
        ("plain.test", format!("u:p {from}")),
        ("empty.test", "nobody".to_owned()),
        ("other.test", "nobody".to_owned()),
    ];
    for (host, expected) in table {
        assert_eq!(home.found(host, None, &more).await, expected, "{host}");
    }
}

/// As programs in Go write what is empty.
#[tokio::test]
async fn null_in_dockers_configuration_is_nothing() {
    for config in [
        r#"{"auths": null, "credHelpers": null, "credsStore": null}"#,
        r#"{"auths": {"ghcr.io": null}, "credHelpers": {"ghcr.io": null}}"#,
    ] {
        let home = Home::new().write(".docker/config.json", config);
        assert_eq!(home.found("ghcr.io", None, &[]).await, "nobody", "{config}");
    }
}

#[tokio::test]
async fn podmans_places() {
    let table = [
        (
            "runtime/containers/auth.json",
            vec![("XDG_RUNTIME_DIR", "runtime")],
        ),
        ("xdg/containers/auth.json", vec![("XDG_CONFIG_HOME", "xdg")]),
        (
            "named.json",
            vec![
                ("REGISTRY_AUTH_FILE", "named.json"),
                ("XDG_RUNTIME_DIR", "runtime"),
            ],
        ),
    ];
    for (file, variables) in table {
        let home = Home::new().write(file, PODMAN);
        let paths: Vec<_> = variables
            .iter()
            .map(|(name, below)| (*name, home.path(below).to_str().unwrap().to_owned()))
            .collect();
        let more: Vec<_> = paths
            .iter()
            .map(|(name, path)| (*name, path.as_str()))
            .collect();
        let expected = format!("podman:pass from podman's ~/{file}");
        assert_eq!(home.found("ghcr.io", None, &more).await, expected);
    }
}

#[tokio::test]
async fn credential_helpers() {
    let config = r#"{"credHelpers": {"ghcr.io": "one", "slow.test": "absent", "bad.test": "bad", "odd.test": "odd"},
                     "credsStore": "all", "auths": {"store.test": {"auth": "ZmlsZTpwYXNz"}}}"#;
    let home = Home::new()
        .write(".docker/config.json", config)
        .write(".config/containers/auth.json", r#"{"auths": {"bad.test": {"auth": "cG9kbWFuOnBhc3M="}}}"#)
        .program("bin/docker-credential-one", r#"read -r host; echo "{\"ServerURL\":\"$host\",\"Username\":\"$1 $host\",\"Secret\":\"x\"}""#)
        .program("bin/docker-credential-all", r#"read -r host; case $host in https://index.docker.io/v1/) echo '{"Username":"<token>","Secret":"t"}';; *) echo 'credentials not found in native keychain'; exit 1;; esac"#)
        .program("bin/docker-credential-bad", "echo hunter2; echo locked >&2; exit 2")
        .program("bin/docker-credential-odd", "echo hunter2");
    let named = "named in ~/.docker/config.json";
    let table = [
        ("ghcr.io", format!("get ghcr.io:x from docker-credential-one, {named}")),
        ("docker.io", format!("token t from docker-credential-all, {named}")),
        // not found is nobody, or what the file itself has
        ("other.test", "nobody".to_owned()),
        ("store.test", "file:pass from docker's configuration ~/.docker/config.json".to_owned()),
        // broken helpers are told, and the search goes on
        ("bad.test", "podman:pass from podman's ~/.config/containers/auth.json; problem: bad.test: `docker-credential-bad` failed with exit status 2: locked".to_owned()),
        ("slow.test", "nobody; problem: slow.test: cannot run `docker-credential-absent`: No such file or directory (os error 2)".to_owned()),
        ("odd.test", "nobody; problem: odd.test: `docker-credential-odd` answered with something other than a credential".to_owned()),
    ];
    for (host, expected) in table {
        assert_eq!(home.found(host, None, &[]).await, expected, "{host}");
    }
}

#[tokio::test]
async fn what_the_spec_names_must_be_there() {
    let home = Home::new()
        .write(".docker/config.json", DOCKER)
        .write("pat", "from-file\r\n")
        .write("two", "first\n\n")
        .write("empty", "\n")
        .program("bin/secret", "echo first; echo second")
        .program("bin/refuse", "echo hunter2; echo 'no agent' >&2; exit 1")
        .program("bin/silent", "exit 0");
    let file = |name: &str| SecretSource::File(home.path(name));
    let table = [
        (
            SecretSource::Env("UNSET".to_owned()),
            "error: the environment variable UNSET is not set",
        ),
        (
            SecretSource::Env("BLANK".to_owned()),
            "error: the environment variable BLANK is not set",
        ),
        (file("pat"), "me:from-file from the file ~/pat"),
        // one trailing line break is not part of the secret, the second is
        (file("two"), "me:first\n from the file ~/two"),
        (file("empty"), "error: ~/empty holds nothing"),
        (
            file("absent"),
            "error: cannot read ~/absent: No such file or directory (os error 2)",
        ),
        (
            words(&["secret", "show"]),
            "me:first from the command `secret`",
        ),
        (
            words(&["refuse"]),
            "error: `refuse` failed with exit status 1: no agent",
        ),
        (
            words(&["silent"]),
            "error: the output of `silent` holds nothing",
        ),
        (
            words(&["absent"]),
            "error: cannot run `absent`: No such file or directory (os error 2)",
        ),
        (words(&[]), "error: the command holds nothing"),
    ];
    for (source, expected) in table {
        let registry = spec(source.clone());
        let found = home
            .found("ghcr.io", Some(&registry), &[("BLANK", "")])
            .await;
        assert_eq!(found, expected, "{source:?}");
    }
    let nameless = Registry {
        username: None,
        ..spec(SecretSource::Env("HOME".to_owned()))
    };
    assert_eq!(
        home.found("ghcr.io", Some(&nameless), &[]).await,
        "error: the spec gives a `password` and no `username`"
    );
}

#[tokio::test]
async fn a_broken_configuration_is_told_without_its_content() {
    for text in [
        "{\"auths\": \"hunter2\"}",
        "hunter2",
        r#"{"auths": {"ghcr.io": {"auth": "hunter2:"}}}"#,
    ] {
        let home = Home::new().write(".docker/config.json", text);
        let found = home.found("ghcr.io", None, &[]).await;
        assert!(
            found.starts_with("nobody; problem: ghcr.io: ~/.docker/config.json is not"),
            "{found}"
        );
        assert!(!found.contains("hunter2"), "{found}");
    }
}
