//! Bases on a simulated Docker Hub, images on a simulated GHCR, as the
//! product's client sees them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use imgstack_registry::credentials::Environment;
use imgstack_registry::oci::{BaseState, Client, ClientOptions, Endpoints, Evidence};
use imgstack_sim::registry::{Base, Build, Layer, Manner, Registry, Settings};
use imgstack_sim::{Clock, Server};
use imgstack_spec::Digest;
use jiff::Timestamp;

fn on(day: u8) -> Timestamp {
    format!("2026-02-{day:02}T04:00:00Z").parse().unwrap()
}

fn postgres(sha: &str, day: u8) -> Build {
    Build::new("library/postgres", sha, on(day))
}

#[tokio::test]
async fn what_is_pushed_with_provenance_knows_its_base() {
    let server = Server::new(Clock::starting(on(9)));
    let hub = Registry::new("docker.io", Settings::new(Manner::Hub), &server);
    let ghcr = Registry::new("ghcr.io", Settings::new(Manner::Ghcr), &server);
    for (registry, name) in [(&hub, "library/postgres"), (&ghcr, "acme/db")] {
        registry.set_public(name, true);
    }
    let mut endpoints = Vec::new();
    for registry in [&hub, &ghcr] {
        let at = server.tcp(registry.host(), None, Arc::new(registry.clone()));
        endpoints.push(format!("{}=http://{}", registry.host(), at.await.unwrap()));
    }
    let client = || {
        Client::new(ClientOptions {
            registries: Vec::new(),
            environment: Environment::default(),
            cache: None,
            endpoints: Endpoints::parse(&endpoints.join(",")).unwrap(),
        })
    };
    let first = hub.push_build(&postgres("1", 1), &["16-alpine"]);
    let layer = Layer {
        compressed: 90_000_000,
        unpacked: 250_000_000,
    };
    let build = Build {
        base: Some(Base {
            name: "postgres:16-alpine".to_owned(),
            digest: first.digest.clone(),
            layers: vec![layer],
        }),
        provenance: true,
        ..Build::new("acme/db", "abc1234", on(2))
    };
    let pushed: Digest = ghcr.push_build(&build, &["16"]).digest.parse().unwrap();
    let repository = "ghcr.io/acme/db".parse().unwrap();
    let base = "postgres:16-alpine".parse().unwrap();

    let how = Evidence::Provenance;
    let state = client().base(&repository, &pushed, &base).await;
    assert_eq!(state, BaseState::Current { how });
    // Of Docker Hub, whose GETs count, only where the tag leads.
    let mut of_hub = server.record.entries();
    of_hub.retain(|it| it.server == "docker.io" && it.path.starts_with("/v2/library"));
    let of_hub: Vec<_> = of_hub.iter().map(|it| it.method.to_string()).collect();
    assert_eq!(of_hub, ["HEAD"]);

    let second = hub.push_build(&postgres("2", 6), &["16-alpine"]);
    let state = client().base(&repository, &pushed, &base).await;
    let moved = BaseState::Moved {
        how,
        from: first.digest.parse().ok(),
        to: second.digest.parse().unwrap(),
        made: Some(on(6)),
    };
    assert_eq!(state, moved);

    hub.delete_tag("library/postgres", "16-alpine");
    let state = client().base(&repository, &pushed, &base).await;
    assert!(matches!(state, BaseState::Unknown { .. }), "{state:?}");
}
