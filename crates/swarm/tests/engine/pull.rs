//! Pulls on a node's engine on its bad days.

use std::sync::Mutex;
use std::time::Duration;

use imgstack_swarm::engine::{PullError, PullProgress};
use imgstack_swarm::{Error, PullFailureKind, RegistryAuth};
use serde_json::{Value, json};

use crate::node::{digest, message, name, node, ok, repository};
use crate::scripted::{Engine, Reply};

const PULL: &str = "POST /images/create";
const INSPECT: &str = "GET /images/ghcr.io/acme/db@sha256:";

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
