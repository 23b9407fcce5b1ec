//! Engines that pull without a network.

use imgstack_spec::Platform;

use crate::registry::Registries;
use crate::{Behaviour, Credential, Fault, Pull, PullError, Trigger, Upstream};

use super::*;

fn pull<'a>(reference: &'a str, credential: Option<&'a Credential>) -> Pull<'a> {
    Pull {
        reference,
        credential,
        os: "linux",
        architecture: "amd64",
        node: "docker-infra-1",
        at: monday(),
    }
}

fn credential(name: &str, password: &str) -> Credential {
    Credential {
        username: name.to_owned(),
        password: password.into(),
    }
}

#[tokio::test]
async fn an_image_arrives_with_its_sizes_and_its_behaviour() {
    let world = World::peopled(Manner::Ghcr).await;
    let dying = Build {
        behaviour: Behaviour {
            ends_after_ms: Some(200),
            exit_code: 1,
            stderr: vec!["FATAL: no".to_owned()],
            ..Behaviour::default()
        },
        healthcheck: false,
        ..build("a")
    };
    let pushed = world.registry.push_build(&dying, &["16"]);
    let registries: Registries = [world.registry.clone()].into_iter().collect();
    let robot = credential("robot", "secret");
    let image = registries
        .pull(&pull("ghcr.io/acme/db:16", Some(&robot)))
        .unwrap();
    assert_eq!(image.repository, "ghcr.io/acme/db");
    assert_eq!(image.digest, pushed.digest);
    let amd64 = pushed
        .manifests
        .iter()
        .find(|(it, _)| it.architecture == "amd64");
    assert_eq!(image.manifest, *amd64.unwrap().1);
    assert_eq!(image.compressed / 1_000_000, 95);
    assert_eq!(image.size / 1_000_000, 262);
    assert_eq!(image.behaviour(), dying.behaviour);
    assert_eq!(image.config["config"]["Healthcheck"], Value::Null);

    let lines: Vec<String> = world
        .server
        .record
        .entries()
        .iter()
        .map(|it| {
            let path = it.path.split(['?', ':']).next().unwrap();
            let who = it.identity.as_deref().unwrap_or("-");
            format!("{} {path} {who} {}", it.method, it.status.unwrap())
        })
        .collect();
    assert_eq!(
        lines,
        [
            "GET /v2/ - 401",
            "GET /token robot 200",
            "HEAD /v2/acme/db/manifests/16 robot 200",
            "GET /v2/acme/db/manifests/sha256 robot 200",
            "GET /v2/acme/db/manifests/sha256 robot 200",
            "GET /v2/acme/db/blobs/sha256 robot 200",
            "GET /v2/acme/db/blobs/sha256 robot 200",
            "GET /v2/acme/db/blobs/sha256 robot 200",
        ]
    );
    let agent = world.server.record.entries()[0].agent.clone().unwrap();
    assert_eq!(agent, "docker/20.10.24 (docker-infra-1)");

    // By digest, with a tag beside it, and for another architecture.
    let pinned = format!("ghcr.io/acme/db:16@{}", pushed.digest);
    let again = registries.pull(&pull(&pinned, Some(&robot))).unwrap();
    assert_eq!(again, image);
    let arm = Pull {
        architecture: "aarch64",
        ..pull(&pinned, Some(&robot))
    };
    assert_ne!(registries.pull(&arm).unwrap().id, image.id);
}

#[tokio::test]
async fn docker_hub_goes_by_its_short_names() {
    let world = World::new(Manner::Hub).await;
    world.registry.push_build(
        &Build::new("library/postgres", "a", monday()),
        &["16", "latest"],
    );
    world.registry.set_public("library/postgres", true);
    for name in ["postgres", "postgres:16", "docker.io/library/postgres:16"] {
        let image = world.registry.pull(&pull(name, None)).unwrap();
        assert_eq!(image.repository, "postgres", "{name}");
    }
}

#[tokio::test]
async fn refusals_are_in_the_words_of_engines() {
    let robot = credential("robot", "secret");
    let wrong = credential("robot", "wrong");
    let guest = credential("guest", "nothing");
    let denied = |host: &str, why: Option<&str>| {
        let name = if host == "docker.io" {
            "acme/db".to_owned()
        } else {
            format!("{host}/acme/db")
        };
        // The usual words alone are not said.
        let why = why.map_or(String::new(), |why| format!(": {why}"));
        PullError::Denied(format!(
            "pull access denied for {name}, repository does not exist or may require 'docker login': denied{why}"
        ))
    };
    let head = |at: &str, what: &str| {
        PullError::Denied(format!("Head \"{at}/v2/acme/db/manifests/16\": {what}"))
    };
    let table = [
        (
            Manner::Plain,
            None,
            head("http://registry.test", "no basic auth credentials"),
        ),
        (
            Manner::Plain,
            Some(&wrong),
            PullError::Denied("unauthorized".to_owned()),
        ),
        (Manner::Plain, Some(&guest), denied("registry.test", None)),
        (
            Manner::Token,
            None,
            denied(
                "registry.test",
                Some("requested access to the resource is denied"),
            ),
        ),
        (
            Manner::Token,
            Some(&wrong),
            head("http://registry.test", "unauthorized"),
        ),
        (Manner::Ghcr, None, head("https://ghcr.io", "denied")),
        (
            Manner::Ghcr,
            Some(&wrong),
            head("https://ghcr.io", "denied: denied"),
        ),
        (
            Manner::Ghcr,
            Some(&guest),
            denied("ghcr.io", Some("permission_denied: read_package")),
        ),
        (
            Manner::Hub,
            None,
            denied(
                "docker.io",
                Some("requested access to the resource is denied"),
            ),
        ),
        (
            Manner::Hub,
            Some(&wrong),
            head(
                "https://registry-1.docker.io",
                "unauthorized: incorrect username or password",
            ),
        ),
    ];
    for (manner, login, expected) in table {
        let world = World::peopled(manner).await;
        world.registry.push_build(&build("a"), &["16"]);
        let image = format!("{}/acme/db:16", world.registry.host());
        let found = world.registry.pull(&pull(&image, login)).unwrap_err();
        assert_eq!(found, expected, "{manner:?} {login:?}");
        let tagged = format!("{}/acme/db:17", world.registry.host());
        let found = world
            .registry
            .pull(&pull(&tagged, Some(&robot)))
            .unwrap_err();
        assert!(matches!(found, PullError::NotFound(_)), "{found}");
    }
}

/// A node says what it is in its kernel's words.
#[tokio::test]
async fn a_node_takes_the_image_that_it_runs() {
    let world = World::peopled(Manner::Ghcr).await;
    let platform = |text: &str| {
        let mut parts = text.split('/').map(str::to_owned);
        Platform {
            os: parts.next().unwrap(),
            architecture: parts.next().unwrap(),
            variant: parts.next(),
        }
    };
    let names = ["amd64/v3", "amd64", "arm/v6", "arm/v7", "arm64/v8", "386"];
    let platforms = names.map(|name| platform(&format!("linux/{name}")));
    let several = Build {
        platforms: platforms.to_vec(),
        ..build("a")
    };
    let pushed = world.registry.push_build(&several, &["16"]);
    let registries: Registries = [world.registry.clone()].into_iter().collect();
    let robot = credential("robot", "secret");
    let table = [
        ("x86_64", "linux/amd64"),
        ("amd64", "linux/amd64"),
        ("aarch64", "linux/arm64/v8"),
        ("arm64", "linux/arm64/v8"),
        ("armv7l", "linux/arm/v7"),
        ("armv6l", "linux/arm/v6"),
        ("386", "linux/386"),
    ];
    for (architecture, expected) in table {
        let asked = Pull {
            architecture,
            ..pull("ghcr.io/acme/db:16", Some(&robot))
        };
        let image = registries.pull(&asked).unwrap();
        let manifest = &pushed.manifests[&platform(expected)];
        assert_eq!(&image.manifest, manifest, "{architecture}");
    }
}

#[tokio::test]
async fn what_else_goes_wrong_is_told_as_it_is() {
    let world = World::peopled(Manner::Ghcr).await;
    let registries: Registries = [world.registry.clone()].into_iter().collect();
    let pushed = world.registry.push_build(&build("a"), &["16"]);
    let robot = credential("robot", "secret");
    let fails = |reference: &str| registries.pull(&pull(reference, Some(&robot))).unwrap_err();
    let image = "ghcr.io/acme/db:16";
    assert_eq!(
        fails("quay.io/acme/db:16").to_string(),
        "Get \"https://quay.io/v2/\": dial tcp: lookup quay.io: no such host"
    );
    assert_eq!(
        fails("Not A Reference").to_string(),
        "invalid reference format"
    );
    assert_eq!(
        fails("ghcr.io/acme/db:17").to_string(),
        "manifest for ghcr.io/acme/db:17 not found: manifest unknown: manifest unknown"
    );
    let riscv = Pull {
        architecture: "riscv64",
        ..pull(image, Some(&robot))
    };
    let missing = "no matching manifest for linux/riscv64 in the manifest list entries";
    assert_eq!(
        registries.pull(&riscv),
        Err(PullError::NoPlatform(missing.to_owned()))
    );

    let faults = &world.server.faults;
    let busy = Fault::Answer {
        status: 500,
        headers: Vec::new(),
        body: String::new(),
    };
    let table = [
        (
            "HEAD",
            "/manifests/16",
            Fault::Refuse,
            "Head \"https://ghcr.io/v2/acme/db/manifests/16\": EOF",
        ),
        (
            "GET",
            "/v2/",
            busy,
            "received unexpected HTTP status: 500 Internal Server Error",
        ),
        ("GET", "/manifests/sha256", Fault::CutBody, "unexpected EOF"),
    ];
    for (method, part, fault, expected) in table {
        faults.set(Trigger::once(method, part), fault);
        assert_eq!(fails(image).to_string(), expected);
    }
    faults.set(Trigger::once("GET", "/manifests/sha256"), Fault::Corrupt);
    assert_eq!(
        fails(image).to_string(),
        format!("manifest verification failed for digest {}", pushed.digest)
    );
    faults.clear();
    world.registry.throttle_next(1);
    assert_eq!(
        registries
            .pull(&pull(image, Some(&robot)))
            .map(|it| it.digest),
        Err(PullError::Failed(
            "toomanyrequests: retry-after: 1.16ms, allowed: 44000/minute".to_owned()
        ))
    );
    world.registry.set_off(true);
    let refused = "Get \"https://ghcr.io/v2/\": dial tcp ghcr.io:443: connect: connection refused";
    assert_eq!(fails(image), PullError::Unreachable(refused.to_owned()));
    world.registry.set_off(false);
    world.registry.delete_children("acme/db", &pushed.digest);
    assert!(matches!(fails(image), PullError::NotFound(_)));
}
