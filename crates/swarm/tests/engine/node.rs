//! A node's engine: who it is, its images, and what goes.

use std::time::Duration;

use imgstack_spec::{Digest, Repository};
use imgstack_swarm::engine::Removal;
use imgstack_swarm::{Error, NodeEngine, NodeId};
use serde_json::{Value, json};

use crate::scripted::{Engine, Reply};

pub fn repository() -> Repository {
    "ghcr.io/acme/db".parse().unwrap()
}

pub fn digest(fill: char) -> Digest {
    let hex: String = std::iter::repeat_n(fill, 64).collect();
    format!("sha256:{hex}").parse().unwrap()
}

pub fn name(fill: char) -> String {
    format!("{}@{}", repository(), digest(fill))
}

pub fn ok(value: Value) -> Reply {
    Reply::Json(200, value)
}

pub fn message(status: u16, text: &str) -> Reply {
    Reply::Json(status, json!({"message": text}))
}

pub async fn node(engine: &Engine) -> NodeEngine {
    let target = engine.target();
    NodeEngine::connect_with(&target, Duration::from_secs(1))
        .await
        .unwrap()
}

#[tokio::test]
async fn who_is_there() {
    let engine = Engine::start();
    let info = json!({
        "Name": "docker-infra-2", "DockerRootDir": "/data/docker", "OSType": "linux",
        "Architecture": "aarch64", "Swarm": {"NodeID": "n2", "ControlAvailable": false},
    });
    engine.on("GET /info", &[ok(info)]);
    let worker = node(&engine).await;
    assert_eq!(worker.node_id(), Some(&NodeId::new("n2")));
    assert_eq!(worker.hostname(), "docker-infra-2");
    assert_eq!(worker.root_dir(), std::path::Path::new("/data/docker"));
    assert_eq!(worker.platform().to_string(), "linux/arm64");
    assert_eq!(
        (worker.version(), worker.api_version()),
        ("20.10.24", "1.41")
    );

    // An engine outside of any Swarm is an engine all the same.
    engine.on("GET /info", &[ok(json!({"Swarm": {"NodeID": ""}}))]);
    assert_eq!(node(&engine).await.node_id(), None);
}

/// An engine with one image, and containers of it if there are some.
fn holder(tags: &[&str], digests: &[String], containers: Value) -> Engine {
    let engine = Engine::start();
    let image = json!({
        "Id": "sha256:aa", "RepoTags": tags, "RepoDigests": digests, "Size": 900,
        "Created": 1_770_609_600,
    });
    let nameless = json!({
        "Id": "sha256:bb", "RepoTags": ["<none>:<none>"], "RepoDigests": ["<none>@<none>"],
        "Size": 1, "Created": 0,
    });
    engine.on("GET /images/json", &[ok(json!([nameless, image]))]);
    engine.on("GET /containers/json", &[ok(containers)]);
    engine
}

#[tokio::test]
async fn images_and_what_uses_them() {
    let containers = json!([
        {"Id": "c2", "Names": ["/db.1.abc"], "ImageID": "sha256:aa", "State": "running",
         "Labels": {"com.docker.swarm.service.name": "db"}},
        {"Id": "c1", "Names": null, "ImageID": "sha256:aa", "State": "exited", "Labels": null},
        {"Id": "c3", "Names": ["/other"], "ImageID": "sha256:bb", "State": "running"},
    ]);
    // Docker's short name for an official image of Docker Hub.
    let digests = [name('1'), format!("postgres@{}", digest('2'))];
    let engine = holder(&["postgres:16", "ghcr.io/acme/db:16"], &digests, containers);
    let node = node(&engine).await;
    let hub: Repository = "docker.io/library/postgres".parse().unwrap();
    for repository in [repository(), hub.clone()] {
        let images = node
            .images(std::slice::from_ref(&repository))
            .await
            .unwrap();
        let [image] = images.as_slice() else {
            panic!("{images:?}");
        };
        assert!(
            image.is_of(&hub) && image.is(&hub, &digest('2')),
            "{image:?}"
        );
        assert!(image.is(&self::repository(), &digest('1')), "{image:?}");
        assert!(!image.is(&hub, &digest('1')), "{image:?}");
        assert_eq!((image.tags.len(), image.size), (2, 900));
        assert_eq!(image.created.unwrap().to_string(), "2026-02-09T04:00:00Z");
        let users: Vec<_> = image
            .users
            .iter()
            .map(|user| {
                (
                    user.name.as_str(),
                    user.state.as_str(),
                    user.service.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            users,
            [("c1", "exited", None), ("db.1.abc", "running", Some("db"))]
        );
    }
    let other: Repository = "ghcr.io/acme/db2".parse().unwrap();
    assert_eq!(node.images(&[other]).await.unwrap(), []);
    assert_eq!(engine.asked("GET /v1.41/containers/json?all=1 ").len(), 3);
}

const DELETE: &str = "DELETE /images/";

/// What is asked to go, without the query.
fn deleted(engine: &Engine) -> Vec<String> {
    let asked = engine.asked("DELETE");
    let path = |line: &str| {
        assert!(line.contains("?force=0&"), "{line}");
        line["DELETE /v1.41/images/".len()..line.find('?').unwrap()].to_owned()
    };
    asked.iter().map(|request| path(&request.line)).collect()
}

#[tokio::test]
async fn names_go_one_by_one_and_only_those_of_the_repository() {
    let tag = "ghcr.io/acme/db:16".to_owned();
    let table = [
        // Its tags, then its digest.
        (
            vec!["ghcr.io/acme/db:16"],
            vec![name('1')],
            vec![tag, name('1')],
        ),
        // Not those of others.
        (
            vec!["mirror/db:16"],
            vec![name('1'), format!("mirror/db@{}", digest('1'))],
            vec![name('1')],
        ),
        // With the last tag an engine drops the other digest as well, and that
        // may be one to keep.
        (
            vec!["ghcr.io/acme/db:16"],
            vec![name('1'), name('2')],
            vec![name('1')],
        ),
    ];
    for (tags, digests, expected) in table {
        let engine = holder(&tags, &digests, json!([]));
        engine.on(DELETE, &[ok(json!([{"Untagged": "x"}]))]);
        let removal = node(&engine)
            .await
            .remove_image(&repository(), &digest('1'))
            .await;
        assert!(
            matches!(
                removal,
                Ok(Removal::Removed {
                    deleted: false,
                    freed: Some(0),
                    ..
                })
            ),
            "{removal:?}"
        );
        assert_eq!(deleted(&engine), expected);
    }
}

#[tokio::test]
async fn bytes_are_told_when_they_are_known() {
    let gone = |count: usize| {
        let deleted = (0..count).map(|n| json!({"Deleted": format!("sha256:{n}")}));
        let all: Vec<Value> = [json!({"Untagged": name('1')})]
            .into_iter()
            .chain(deleted)
            .collect();
        ok(json!(all))
    };
    let step = |size: i64| json!({"Id": "x", "Size": size});
    let three = json!([step(0), step(500), step(0), step(300), step(100)]);
    let layers = json!({"RootFS": {"Layers": ["a", "b", "c"]}});
    let table = [
        // The image and two layers of three.
        (gone(3), three.clone(), layers.clone(), Some(800)),
        (gone(4), three.clone(), layers.clone(), Some(900)),
        // One layer of no size cannot be told from a step without one.
        (
            gone(3),
            json!([step(0), step(500), step(300)]),
            layers.clone(),
            None,
        ),
        // Containerd's store names no layers.
        (gone(1), three.clone(), layers, None),
        (gone(3), three, json!({"RootFS": null}), None),
    ];
    for (answer, history, inspected, expected) in table {
        let engine = holder(&[], &[name('1')], json!([]));
        engine.on("GET /images/sha256:aa/history", &[ok(history)]);
        engine.on("GET /images/sha256:aa/json", &[ok(inspected)]);
        engine.on(DELETE, &[answer]);
        let removal = node(&engine)
            .await
            .remove_image(&repository(), &digest('1'))
            .await;
        let Ok(Removal::Removed {
            deleted: true,
            freed,
            ..
        }) = removal
        else {
            panic!("{removal:?}");
        };
        assert_eq!(freed, expected);
    }
}

#[tokio::test]
async fn what_stays_and_what_was_not_there() {
    let node = |engine: &Engine| {
        let target = engine.target();
        async move { NodeEngine::connect(&target).await.unwrap() }
    };
    let gone = |removal| matches!(removal, Ok(Removal::AlreadyGone));
    let engine = holder(&[], &[name('2')], json!([]));
    let removal = node(&engine)
        .await
        .remove_image(&repository(), &digest('1'))
        .await;
    assert!(gone(removal) && deleted(&engine).is_empty());

    // Gone between the look and the call.
    let engine = holder(&[], &[name('1')], json!([]));
    engine.on(DELETE, &[message(404, "No such image: x")]);
    assert!(gone(
        node(&engine)
            .await
            .remove_image(&repository(), &digest('1'))
            .await
    ));

    // A container that came between them.
    let engine = holder(&["ghcr.io/acme/db:16"], &[name('1')], json!([]));
    let words =
        "conflict: unable to remove repository reference (must force) - container 1 is using";
    engine.on(DELETE, &[message(409, words)]);
    let removal = node(&engine)
        .await
        .remove_image(&repository(), &digest('1'))
        .await;
    let in_use = Removal::InUse {
        users: Vec::new(),
        message: Some(words.to_owned()),
    };
    assert_eq!(removal.unwrap(), in_use);
    assert_eq!(deleted(&engine).len(), 1, "it went on");

    // One that was there before: nothing is even tried.
    let containers =
        json!([{"Id": "c1", "Names": ["/old"], "ImageID": "sha256:aa", "State": "exited"}]);
    let engine = holder(&["ghcr.io/acme/db:16"], &[name('1')], containers);
    let removal = node(&engine)
        .await
        .remove_image(&repository(), &digest('1'))
        .await;
    let Ok(Removal::InUse {
        users,
        message: None,
    }) = removal
    else {
        panic!("{removal:?}");
    };
    assert_eq!(users[0].name, "old");
    assert!(deleted(&engine).is_empty());

    let engine = holder(&[], &[name('1')], json!([]));
    engine.on(DELETE, &[Reply::HangUp]);
    let error = node(&engine)
        .await
        .remove_image(&repository(), &digest('1'))
        .await;
    assert!(matches!(error, Err(Error::AnswerLost { .. })), "{error:?}");
}
