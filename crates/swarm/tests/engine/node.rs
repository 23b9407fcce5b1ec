//! A node's engine on its bad days, and what the client makes of them.

use std::sync::Mutex;
use std::time::Duration;

use imgstack_spec::{Digest, Repository};
use imgstack_swarm::engine::{PullError, PullProgress, Removal};
use imgstack_swarm::{Error, NodeEngine, NodeId, PullFailureKind, RegistryAuth};
use serde_json::{Value, json};

use crate::scripted::{Engine, Reply};

const PULL: &str = "POST /images/create";
const INSPECT: &str = "GET /images/ghcr.io/acme/db@sha256:";

fn repository() -> Repository {
    "ghcr.io/acme/db".parse().unwrap()
}

fn digest(fill: char) -> Digest {
    let hex: String = std::iter::repeat_n(fill, 64).collect();
    format!("sha256:{hex}").parse().unwrap()
}

fn name(fill: char) -> String {
    format!("{}@{}", repository(), digest(fill))
}

fn ok(value: Value) -> Reply {
    Reply::Json(200, value)
}

fn message(status: u16, text: &str) -> Reply {
    Reply::Json(status, json!({"message": text}))
}

async fn node(engine: &Engine) -> NodeEngine {
    let target = engine.target();
    NodeEngine::connect_with(&target, Duration::from_secs(1))
        .await
        .unwrap()
}

/// An engine whose pulls are answered like this, and which has the image.
fn puller(replies: &[Reply]) -> Engine {
    let engine = Engine::start();
    engine.on(PULL, replies);
    engine.on(INSPECT, &[ok(json!({"RepoDigests": [name('1')]}))]);
    engine
}

async fn pull(engine: &Engine) -> Result<Vec<PullProgress>, PullError> {
    pull_within(engine, Duration::from_secs(5)).await
}

async fn pull_within(engine: &Engine, within: Duration) -> Result<Vec<PullProgress>, PullError> {
    let told = Mutex::new(Vec::new());
    let tell = |progress| told.lock().unwrap().push(progress);
    let node = node(engine).await;
    let done = node
        .pull(&repository(), &digest('1'), None, within, &tell)
        .await;
    done.map(|()| told.into_inner().unwrap())
}

/// A stream of these objects, in pieces that end anywhere.
fn stream(lines: &[Value], well: bool) -> Reply {
    let text: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let pieces = text.as_bytes().chunks(31).map(<[u8]>::to_vec);
    Reply::Stream(pieces.collect(), well)
}

fn layer(id: &str, status: &str, current: u64, total: u64) -> Value {
    let detail = match total {
        0 => json!({}),
        _ => json!({"current": current, "total": total}),
    };
    json!({"id": id, "status": status, "progressDetail": detail})
}

fn progress(bytes: u64, total: u64, layers: usize, done: usize) -> PullProgress {
    PullProgress {
        bytes,
        total,
        layers,
        done,
    }
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

#[tokio::test]
async fn a_pull_is_told_in_bytes_of_all_layers() {
    let lines = [
        json!({"status": "Pulling from acme/db", "id": name('1')}),
        layer("a", "Pulling fs layer", 0, 0),
        layer("b", "Pulling fs layer", 0, 0),
        layer("c", "Already exists", 0, 0),
        layer("a", "Waiting", 0, 0),
        layer("b", "Downloading", 10, 40),
        layer("a", "Downloading", 5, 100),
        // A broken download begins anew.
        layer("b", "Retrying in 5 seconds", 0, 0),
        layer("b", "Downloading", 0, 40),
        layer("b", "Verifying Checksum", 0, 0),
        layer("b", "Download complete", 0, 0),
        // Bytes that are unpacked are other bytes.
        layer("b", "Extracting", 99, 400),
        layer("b", "Pull complete", 0, 0),
        layer("a", "Pull complete", 0, 0),
        json!({"status": "Digest: sha256:11"}),
        json!({"status": "Status: Downloaded newer image"}),
    ];
    let engine = puller(&[stream(&lines, true)]);
    let told = pull(&engine).await.unwrap();
    let expected = [
        progress(0, 0, 1, 0),
        progress(0, 0, 2, 0),
        progress(0, 0, 3, 1),
        progress(10, 40, 3, 1),
        progress(15, 140, 3, 1),
        progress(5, 140, 3, 1),
        progress(45, 140, 3, 1),
        progress(45, 140, 3, 2),
        progress(140, 140, 3, 3),
    ];
    assert_eq!(told, expected);
    let asked = engine.asked("/images/create").pop().unwrap();
    let line = format!(
        "POST /v1.41/images/create?fromImage=ghcr.io%2Facme%2Fdb&tag=sha256%3A{} ",
        "1".repeat(64)
    );
    assert!(asked.line.starts_with(&line), "{asked:?}");
    assert!(
        !asked
            .headers
            .iter()
            .any(|it| it.starts_with("x-registry-auth"))
    );
}

#[tokio::test]
async fn a_pull_carries_its_credential_in_the_header() {
    let engine = puller(&[
        message(
            500,
            "Get \"https://ghcr.io/v2/acme/db/manifests/16\": denied",
        ),
        Reply::HangUp,
    ]);
    let auth = RegistryAuth::encoded(&"eyJwYXNzd29yZCI6ImEifQ==".into()).unwrap();
    let node = node(&engine).await;
    for _ in 0..2 {
        let within = Duration::from_secs(5);
        let error = node
            .pull(&repository(), &digest('1'), Some(&auth), within, &|_| {})
            .await
            .unwrap_err();
        let sent = engine.asked("/images/create").pop().unwrap();
        let value = sent
            .headers
            .iter()
            .find_map(|line| line.strip_prefix("x-registry-auth: "));
        let shown = format!("{error} {error:?} {node:?}").to_lowercase();
        assert!(!shown.contains(value.unwrap()), "{shown}");
    }
}

#[tokio::test]
async fn a_pull_that_the_engine_gives_up() {
    let space = "write /var/lib/docker/tmp/GetImageBlob1: no space left on device";
    let begun = layer("a", "Downloading", 5, 100);
    let both = json!({"errorDetail": {"message": space}, "error": space});
    let table = [
        (
            stream(&[begun.clone(), both], true),
            space,
            PullFailureKind::NoSpace,
        ),
        (
            stream(
                &[json!({"errorDetail": {"code": 1, "message": space}})],
                true,
            ),
            space,
            PullFailureKind::NoSpace,
        ),
        (
            stream(&[begun.clone(), json!({"error": space})], true),
            space,
            PullFailureKind::NoSpace,
        ),
        (
            stream(&[json!({"errorDetail": {}})], true),
            "the engine gives no reason",
            PullFailureKind::Other,
        ),
        (
            message(404, "manifest unknown"),
            "manifest unknown",
            PullFailureKind::NotFound,
        ),
        (
            message(500, "denied: denied"),
            "denied: denied",
            PullFailureKind::Denied,
        ),
    ];
    for (reply, words, kind) in table {
        // That the image is there from before makes it no better.
        let engine = puller(&[reply]);
        let error = pull(&engine).await.unwrap_err();
        let PullError::Failed(failure) = &error else {
            panic!("{error:?}");
        };
        assert_eq!((failure.message.as_str(), failure.kind), (words, kind));
        assert_eq!(error.to_string(), words);
        assert_eq!(engine.asked("/images/create").len(), 1, "it was sent again");
    }
}

#[tokio::test]
async fn a_pull_whose_stream_is_cut_is_no_success() {
    let last = json!({"status": "Status: Downloaded newer image"});
    let whole = [layer("a", "Pull complete", 0, 0), last];
    let broken = |error: &PullError| matches!(error, PullError::Engine(Error::Broken { .. }));
    let nonsense =
        |error: &PullError| matches!(error, PullError::Engine(Error::Unintelligible { .. }));
    type Judge<'a> = &'a dyn Fn(&PullError) -> bool;
    let table: [(Reply, Judge<'_>); 4] = [
        (stream(&whole, false), &broken),
        (Reply::HangUp, &broken),
        (Reply::Bytes(b"<html>\n".to_vec()), &nonsense),
        // A line that a proxy cut off, and an end that it made up.
        (Reply::Bytes(b"{\"status\": \"Pull".to_vec()), &nonsense),
    ];
    for (reply, is_right) in table {
        let engine = puller(&[reply]);
        let error = pull(&engine).await.unwrap_err();
        assert!(is_right(&error), "{error:?}");
        assert_eq!(engine.asked("/images/create").len(), 1, "it was sent again");
    }
}

#[tokio::test]
async fn what_was_pulled_must_be_what_was_asked_for() {
    let done = stream(&[json!({"status": "Status: Downloaded newer image"})], true);
    let table = [
        (message(404, "No such image: db"), "No such image: db"),
        (ok(json!({"RepoDigests": null})), "no digest at all"),
        (ok(json!({"RepoDigests": [name('2')]})), "@sha256:2222"),
        (
            ok(json!({"RepoDigests": [name('1').replace("acme", "other")]})),
            "ghcr.io/other/db@sha256:1111",
        ),
    ];
    for (inspected, found) in table {
        let engine = puller(std::slice::from_ref(&done));
        engine.on(INSPECT, &[inspected]);
        let error = pull(&engine).await.unwrap_err();
        assert!(matches!(error, PullError::Missing { .. }), "{error:?}");
        assert!(error.to_string().contains(found), "{error}");
        assert!(error.hint().unwrap().contains("docker images"), "{error:?}");
    }
}

#[tokio::test]
async fn a_pull_ends_in_time() {
    let begun = format!("{}\n", layer("a", "Downloading", 5, 100)).into_bytes();
    let engine = puller(&[
        Reply::StreamThenSilence(vec![begun.clone()]),
        Reply::Silence,
    ]);
    for _ in 0..2 {
        let error = pull_within(&engine, Duration::from_secs(1)).await;
        let error = error.unwrap_err();
        assert!(
            matches!(error, PullError::TimedOut { seconds: 1 }),
            "{error:?}"
        );
    }

    // Long before its time is over, a pull that stands still is given up.
    let engine = puller(&[Reply::StreamThenSilence(vec![begun])]);
    let node = node(&engine).await;
    let day = Duration::from_secs(86_400);
    let error = node
        .pull(&repository(), &digest('1'), None, day, &|_| {
            tokio::time::pause()
        })
        .await
        .unwrap_err();
    assert!(
        matches!(error, PullError::Stalled { seconds: 180 }),
        "{error:?}"
    );
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
