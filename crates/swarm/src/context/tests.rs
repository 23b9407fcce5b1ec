//! Where docker's settings lead, as a table.

use std::fs;
use std::path::Path;

use imgstack_spec::Endpoint;
use tempfile::TempDir;

use super::id;
use crate::{Environment, Target, TargetError};

/// Variables, and what is to come of them.
type Row<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);

/// A folder of docker's settings with three contexts.
fn settings() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    context(
        folder.path(),
        "lab",
        r#"{"Host":"ssh://root@10.77.0.11","SkipTLSVerify":false}"#,
    );
    context(
        folder.path(),
        "prod",
        r#"{"Host":"tcp://10.0.0.1:2376","SkipTLSVerify":false}"#,
    );
    context(
        folder.path(),
        "loose",
        r#"{"Host":"tcp://10.0.0.2:2376","SkipTLSVerify":true}"#,
    );
    context(
        folder.path(),
        "windows",
        r#"{"Host":"npipe:////./pipe/docker_engine"}"#,
    );
    context(folder.path(), "empty", r#"{"Host":""}"#);
    let tls = folder
        .path()
        .join("contexts/tls")
        .join(id("prod"))
        .join("docker");
    fs::create_dir_all(&tls).unwrap();
    for file in ["ca.pem", "cert.pem", "key.pem"] {
        fs::write(tls.join(file), "").unwrap();
    }
    folder
}

fn context(folder: &Path, name: &str, engine: &str) {
    let meta = folder.join("contexts/meta").join(id(name));
    fs::create_dir_all(&meta).unwrap();
    let json = format!(r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{engine}}}}}"#);
    fs::write(meta.join("meta.json"), json).unwrap();
}

fn find(folder: &Path, variables: &[(&str, &str)]) -> Result<Target, TargetError> {
    let folder = folder.to_str().unwrap();
    let mut all = vec![("DOCKER_CONFIG", folder), ("HOME", "/nonexistent")];
    all.extend_from_slice(variables);
    Target::find(None, &Environment::of(&all))
}

#[test]
fn the_id_is_docker_s() {
    // As `docker context create lab` names its folder.
    assert_eq!(
        id("lab"),
        "a51146d38077ff992eba84cf1d5e9b249073503eb74868699016153b031a38f7"
    );
}

#[test]
fn the_order_is_docker_s() {
    let folder = settings();
    let config = |json: &str| fs::write(folder.path().join("config.json"), json).unwrap();
    config(r#"{"auths":{},"currentContext":"lab"}"#);
    let table: &[Row] = &[
        (&[], "ssh://root@10.77.0.11", "docker context lab"),
        (
            &[("DOCKER_CONTEXT", "prod")],
            "tcp://10.0.0.1:2376",
            "docker context prod",
        ),
        (
            &[
                ("DOCKER_CONTEXT", "prod"),
                ("DOCKER_HOST", "unix:///d.sock"),
            ],
            "unix:///d.sock",
            "DOCKER_HOST",
        ),
        (
            &[("DOCKER_HOST", "10.0.0.9:2375")],
            "tcp://10.0.0.9:2375",
            "DOCKER_HOST",
        ),
        (
            &[("DOCKER_HOST", ""), ("DOCKER_CONTEXT", "")],
            "ssh://root@10.77.0.11",
            "docker context lab",
        ),
        (
            &[("DOCKER_CONTEXT", "default")],
            "unix:///var/run/docker.sock",
            "docker's default socket",
        ),
    ];
    for (variables, endpoint, source) in table {
        let target = find(folder.path(), variables).unwrap();
        assert_eq!(target.endpoint.to_string(), *endpoint, "{variables:?}");
        assert_eq!(target.source, *source, "{variables:?}");
    }
    for config_json in [r#"{"auths":{}}"#, r#"{"currentContext":"default"}"#] {
        config(config_json);
        let target = find(folder.path(), &[]).unwrap();
        assert_eq!(target.endpoint.to_string(), "unix:///var/run/docker.sock");
    }
}

#[test]
fn the_port_may_be_left_to_docker() {
    let folder = settings();
    for (host, endpoint) in [
        ("tcp://10.0.0.9", "tcp://10.0.0.9:2375"),
        ("10.0.0.9/", "tcp://10.0.0.9:2375"),
        ("tcp://[fd00::9]", "tcp://[fd00::9]:2375"),
    ] {
        let target = find(folder.path(), &[("DOCKER_HOST", host)]).unwrap();
        assert_eq!(target.endpoint.to_string(), endpoint);
    }
    for host in ["tcp://10.0.0.9:99999", "tcp://10.0.0.9:docker"] {
        let error = find(folder.path(), &[("DOCKER_HOST", host)]).unwrap_err();
        let shown = format!("{error:?}");
        assert!(shown.contains(&format!("Port({host:?})")), "{shown}");
    }
}

#[test]
fn the_spec_comes_first() {
    let endpoint: Endpoint = "ssh://manager-1".parse().unwrap();
    let environment = Environment::of(&[("DOCKER_HOST", "unix:///d.sock")]);
    let target = Target::find(Some(&endpoint), &environment).unwrap();
    assert_eq!(target.endpoint, endpoint);
    assert_eq!(target.source, "spec.swarm.endpoint");
}

#[test]
fn no_settings_at_all_is_the_local_socket() {
    let target = Target::find(None, &Environment::default()).unwrap();
    assert_eq!(target.endpoint.to_string(), "unix:///var/run/docker.sock");
}

#[test]
fn tls() {
    let folder = settings();
    let certificates = folder
        .path()
        .join("contexts/tls")
        .join(id("prod"))
        .join("docker");
    let certificates = certificates.to_str().unwrap();
    let host = ("DOCKER_HOST", "tcp://h:2376");
    let path = ("DOCKER_CERT_PATH", certificates);
    // (variables, speaks TLS, checks the engine, has a certificate)
    type TlsRow<'a> = (&'a [(&'a str, &'a str)], bool, bool, bool);
    let table: &[TlsRow] = &[
        (&[host], false, false, false),
        (&[host, path], false, false, false),
        (&[host, path, ("DOCKER_TLS_VERIFY", "1")], true, true, true),
        (&[host, path, ("DOCKER_TLS_VERIFY", "0")], true, true, true),
        (&[host, path, ("DOCKER_TLS", "1")], true, false, true),
        (&[host, ("DOCKER_TLS_VERIFY", "1")], true, true, false),
        (
            &[("DOCKER_HOST", "ssh://h"), ("DOCKER_TLS_VERIFY", "1")],
            false,
            false,
            false,
        ),
        (&[("DOCKER_CONTEXT", "prod")], true, true, true),
        (&[("DOCKER_CONTEXT", "loose")], true, false, false),
        (&[("DOCKER_CONTEXT", "lab")], false, false, false),
    ];
    for (variables, speaks, checks, certificate) in table {
        let tls = find(folder.path(), variables).unwrap().tls;
        assert_eq!(tls.is_some(), *speaks, "{variables:?}");
        let tls = tls.unwrap_or_default();
        assert_eq!(*speaks && !tls.skip_verify, *checks, "{variables:?}");
        assert_eq!(tls.client.is_some(), *certificate, "{variables:?}");
        assert_eq!(tls.ca.is_some(), *certificate, "{variables:?}");
    }
}

#[test]
fn mistakes() {
    let folder = settings();
    let half = folder.path().join("half");
    fs::create_dir(&half).unwrap();
    fs::write(half.join("cert.pem"), "").unwrap();
    let half = half.to_str().unwrap();
    let table: &[Row] = &[
        (
            &[("DOCKER_CONTEXT", "labb")],
            "docker context `labb`, named by DOCKER_CONTEXT, does not exist",
            "did you mean `lab`?",
        ),
        (
            &[("DOCKER_CONTEXT", "empty")],
            "docker context `empty` names no engine",
            "docker context inspect empty",
        ),
        (
            &[("DOCKER_CONTEXT", "windows")],
            "docker context windows names a Windows pipe, which cannot be used here",
            "spec.swarm.endpoint",
        ),
        (
            &[("DOCKER_HOST", "gopher://h")],
            "DOCKER_HOST: `gopher://h`",
            "",
        ),
        (
            &[
                ("DOCKER_HOST", "tcp://h:1"),
                ("DOCKER_TLS_VERIFY", "1"),
                ("DOCKER_CERT_PATH", half),
            ],
            "cert.pem is there, but",
            "both cert.pem and key.pem",
        ),
    ];
    for (variables, message, hint) in table {
        let error = find(folder.path(), variables).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.hint().unwrap_or_default().contains(hint), "{error:?}");
    }
    fs::write(folder.path().join("config.json"), "{").unwrap();
    let error = find(folder.path(), &[]).unwrap_err();
    assert!(matches!(error, TargetError::Unreadable { .. }), "{error:?}");
}
