//! The protocol, request by request.

use serde_json::json;

use super::auth::token;
use super::*;
use crate::registry::store::sha256;
use crate::registry::{Base, Layer};

#[tokio::test]
async fn a_build_is_read_from_the_index_to_the_layers() {
    let world = World::new(Manner::Plain).await;
    let pushed = world
        .registry
        .push_build(&build("abc1234"), &["16", "16-abc1234"]);
    let again = world.registry.push_build(&build("abc1234"), &["16"]);
    assert_eq!(pushed, again);
    assert_ne!(
        world.registry.push_build(&build("def"), &[]).digest,
        pushed.digest
    );

    let head = world.send("HEAD", "/v2/acme/db/manifests/16").await;
    assert_eq!(header(&head, "docker-content-digest"), pushed.digest);
    assert_eq!(header(&head, "content-type"), OCI_INDEX);
    let length: usize = header(&head, "content-length").parse().unwrap();
    let get = world.send("GET", "/v2/acme/db/manifests/16").await;
    let index = get.bytes().await.unwrap();
    assert_eq!((index.len(), sha256(&index)), (length, pushed.digest));

    let index: Value = serde_json::from_slice(&index).unwrap();
    assert_eq!(
        index["annotations"]["org.opencontainers.image.revision"],
        "abc1234"
    );
    for entry in index["manifests"].as_array().unwrap() {
        let digest = entry["digest"].as_str().unwrap();
        let path = format!("/v2/acme/db/manifests/{digest}");
        let bytes = world.send("GET", &path).await.bytes().await.unwrap();
        assert_eq!(sha256(&bytes), digest);
        let manifest: Value = serde_json::from_slice(&bytes).unwrap();
        let layers = manifest["layers"].as_array().unwrap();
        for descriptor in layers.iter().chain([&manifest["config"]]) {
            let digest = descriptor["digest"].as_str().unwrap();
            let path = format!("/v2/acme/db/blobs/{digest}");
            let size = world.send("HEAD", &path).await;
            assert_eq!(
                header(&size, "content-length"),
                descriptor["size"].to_string()
            );
            let bytes = world.send("GET", &path).await.bytes().await.unwrap();
            assert_eq!(sha256(&bytes), digest);
        }
    }
}

#[tokio::test]
async fn what_is_unknown_is_called_by_its_code() {
    let world = World::new(Manner::Plain).await;
    world.registry.push_build(&build("a"), &["16"]);
    let digest = format!("sha256:{}", "0".repeat(64));
    let table = [
        ("GET", "/v2/", "200"),
        (
            "GET",
            "/v2/acme/db/manifests/17",
            "404 MANIFEST_UNKNOWN manifest unknown",
        ),
        (
            "GET",
            "/v2/acme/db/manifests/{}",
            "404 MANIFEST_UNKNOWN manifest unknown",
        ),
        (
            "GET",
            "/v2/acme/none/manifests/17",
            "404 MANIFEST_UNKNOWN manifest unknown",
        ),
        (
            "GET",
            "/v2/acme/db/blobs/{}",
            "404 BLOB_UNKNOWN blob unknown to registry",
        ),
        (
            "GET",
            "/v2/acme/db/blobs/16",
            "400 DIGEST_INVALID provided digest did not match uploaded content",
        ),
        (
            "GET",
            "/v2/acme/none/tags/list",
            "404 NAME_UNKNOWN repository name not known to registry",
        ),
        (
            "GET",
            "/v2/Acme/tags/list",
            "400 NAME_INVALID invalid repository name",
        ),
        ("GET", "/v2/acme/db/tags/list?n=x", "200"),
        ("GET", "/v2/acme/db/referrers/{}", "404"),
        (
            "PATCH",
            "/v2/acme/db/blobs/uploads/none",
            "404 BLOB_UPLOAD_UNKNOWN blob upload unknown to registry",
        ),
        (
            "POST",
            "/v2/acme/db/manifests/16",
            "405 UNSUPPORTED The operation is unsupported.",
        ),
        (
            "DELETE",
            "/v2/acme/db/manifests/17",
            "404 MANIFEST_UNKNOWN manifest unknown",
        ),
        ("DELETE", "/v2/acme/db/manifests/16", "202"),
        (
            "GET",
            "/v2/acme/db/manifests/16",
            "404 MANIFEST_UNKNOWN manifest unknown",
        ),
        ("GET", "/token", "404"),
        ("GET", "/v1/", "404"),
    ];
    for (method, path, expected) in table {
        let path = path.replace("{}", &digest);
        assert_eq!(
            world.outcome(method, &path).await,
            expected,
            "{method} {path}"
        );
    }
    let oci =
        "404 MANIFEST_UNKNOWN OCI index found, but accept header does not support OCI indexes";
    world.registry.push_build(&build("a"), &["16"]);
    let url = format!("{}/v2/acme/db/manifests/16", world.url);
    let old = world
        .http
        .get(url)
        .header("accept", OCI_MANIFEST)
        .send()
        .await
        .unwrap();
    assert_eq!(outcome(old).await, oci);
}

#[tokio::test]
async fn an_image_is_pushed_by_every_way_and_checked_on_each() {
    let world = World::new(Manner::Plain).await;
    let blob: &[u8] = b"a layer of some length";
    let (one, other) = (sha256(blob), sha256(b"{}"));
    let send = |method: &str, path: &str, body: &'static [u8]| {
        let request = world.request(method, path).body(body);
        let request = request.header("content-type", OCI_MANIFEST);
        async move { request.send().await.unwrap() }
    };
    let uploads = "/v2/acme/db/blobs/uploads/";

    // At once, and not under another's digest.
    let wrong = send("POST", &format!("{uploads}?digest={other}"), blob).await;
    assert!(outcome(wrong).await.starts_with("400 DIGEST_INVALID"));
    let right = send("POST", &format!("{uploads}?digest={other}"), b"{}").await;
    assert_eq!(outcome(right).await, "201");

    // In chunks; one out of place is not taken.
    let begun = send("POST", uploads, b"").await;
    assert_eq!(begun.status(), 202);
    let place = header(&begun, "location").to_owned();
    let chunk = send("PATCH", &place, &blob[..10]).await;
    assert_eq!(
        (chunk.status().as_u16(), header(&chunk, "range")),
        (202, "0-9")
    );
    let astray = world
        .request("PATCH", &place)
        .header("content-range", "3-4")
        .body("xx");
    assert_eq!(astray.send().await.unwrap().status(), 416);
    let put = format!("{place}?digest={one}");
    assert_eq!(send("PUT", &put, &blob[10..]).await.status(), 201);
    assert_eq!(send("PUT", &put, b"").await.status(), 404);

    // A manifest only after what it names.
    let manifest = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": {"digest": other}, "layers": [{"digest": one}]})
    .to_string();
    let push = |name: &str, reference: &str, body: &str| {
        let path = format!("/v2/{name}/manifests/{reference}");
        let request = world
            .request("PUT", &path)
            .header("content-type", OCI_MANIFEST);
        let request = request.body(body.to_owned());
        async move { outcome(request.send().await.unwrap()).await }
    };
    let digest = sha256(manifest.as_bytes());
    assert_eq!(push("acme/db", &digest, &manifest).await, "201");
    assert_eq!(push("acme/db", "16", &manifest).await, "201");
    assert!(
        push("acme/db", &one, &manifest)
            .await
            .starts_with("400 DIGEST_INVALID")
    );
    assert!(
        push("acme/db", "-", &manifest)
            .await
            .starts_with("400 MANIFEST_INVALID")
    );
    assert!(
        push("acme/db", "17", "{}")
            .await
            .starts_with("400 MANIFEST_INVALID")
    );
    assert!(
        push("acme/db", "17", "no")
            .await
            .starts_with("400 MANIFEST_INVALID")
    );
    assert!(
        push("acme/web", "1", &manifest)
            .await
            .starts_with("400 MANIFEST_BLOB_UNKNOWN")
    );

    // Mounted from next door.
    for digest in [&one, &other] {
        let path = format!("/v2/acme/web/blobs/uploads/?mount={digest}&from=acme/db");
        assert_eq!(world.outcome("POST", &path).await, "201");
        let path = format!("/v2/acme/web/blobs/uploads/?mount={digest}&from=acme/none");
        assert_eq!(world.outcome("POST", &path).await, "202");
    }
    assert_eq!(push("acme/web", "1", &manifest).await, "201");
    assert_eq!(world.registry.digest("acme/web", "1").unwrap(), digest);
    let list = world.send("GET", "/v2/acme/db/tags/list").await;
    let list: Value = list.json().await.unwrap();
    assert_eq!(list, json!({"name": "acme/db", "tags": ["16"]}));
}

#[tokio::test]
async fn tags_come_in_pages() {
    // Distribution 2.8 knows of none.
    let plain = World::new(Manner::Plain).await;
    plain.registry.push_build(&build("a"), &["c", "a", "b"]);
    let list = plain.send("GET", "/v2/acme/db/tags/list?n=2").await;
    assert_eq!(header(&list, "link"), "");
    let list: Value = list.json().await.unwrap();
    assert_eq!(list["tags"], json!(["a", "b", "c"]));

    let github = World::new(Manner::Ghcr).await;
    github
        .registry
        .add_user(User::reader("robot", "secret", "acme"));
    github.registry.push_build(&build("a"), &["c", "a", "b"]);
    github.registry.push_build(&build("b"), &["c"]);
    let token = token(&github, Some(("robot", "secret")), "").await.unwrap();
    let list = async |query: &str| {
        let path = format!("/v2/acme/db/tags/list{query}");
        let list = github.request("GET", &path).bearer_auth(&token);
        list.send().await.unwrap()
    };
    let first = list("?n=2").await;
    assert_eq!(
        header(&first, "link"),
        r#"</v2/acme/db/tags/list?last=a&n=2>; rel="next""#
    );
    let first: Value = first.json().await.unwrap();
    assert_eq!(first["tags"], json!(["c", "a"]));
    let rest = list("?last=a&n=2").await;
    assert_eq!(header(&rest, "link"), "");
    let rest: Value = rest.json().await.unwrap();
    assert_eq!(rest["tags"], json!(["b"]));
    let odd = list("?n=x").await;
    assert_eq!(
        outcome(odd).await,
        "400 PAGINATION_NUMBER_INVALID invalid number of results requested"
    );
}

#[tokio::test(start_paused = true)]
async fn docker_hub_counts_gets_and_not_heads() {
    let settings = Settings {
        pulls: Some(2),
        ..Settings::new(Manner::Hub)
    };
    let world = World::with(settings).await;
    world.registry.push_build(&build("a"), &["16"]);
    world.registry.set_public("acme/db", true);
    let token = token(&world, None, "repository:acme/db:pull")
        .await
        .unwrap();
    let ask = |method: &'static str, token: String| {
        let request = world
            .request(method, "/v2/acme/db/manifests/16")
            .bearer_auth(token);
        async move {
            let response = request.send().await.unwrap();
            assert_eq!(header(&response, "ratelimit-limit"), "2;w=21600");
            assert_eq!(header(&response, "docker-ratelimit-source"), "203.0.113.7");
            let left = header(&response, "ratelimit-remaining").to_owned();
            format!("{} {left}", response.status().as_u16())
        }
    };
    let table = [
        ("HEAD", "200 2;w=21600"),
        ("GET", "200 1;w=21600"),
        ("GET", "200 0;w=21600"),
        ("HEAD", "200 0;w=21600"),
        ("GET", "429 0;w=21600"),
    ];
    for (method, expected) in table {
        assert_eq!(ask(method, token.clone()).await, expected, "{method}");
    }
    tokio::time::sleep(std::time::Duration::from_hours(6)).await;
    let token = super::auth::token(&world, None, "repository:acme/db:pull")
        .await
        .unwrap();
    assert_eq!(ask("GET", token).await, "200 1;w=21600");
}

#[tokio::test]
async fn a_clean_up_leaves_an_index_without_children() {
    let world = World::new(Manner::Plain).await;
    let pushed = world.registry.push_build(&build("a"), &["16"]);
    assert_eq!(world.registry.delete_children("acme/db", &pushed.digest), 2);
    assert_eq!(world.registry.delete_children("acme/db", &pushed.digest), 0);
    assert_eq!(
        world.outcome("GET", "/v2/acme/db/manifests/16").await,
        "200"
    );
    let child = pushed.manifests.values().next().unwrap();
    let path = format!("/v2/acme/db/manifests/{child}");
    assert!(
        world
            .outcome("GET", &path)
            .await
            .starts_with("404 MANIFEST_UNKNOWN")
    );
    assert!(world.registry.delete_manifest("acme/db", &pushed.digest));
    assert_eq!(world.registry.digest("acme/db", "16"), None);
    assert!(!world.registry.delete_tag("acme/db", "16"));
}

#[tokio::test]
async fn a_rebuild_has_the_same_layers_and_says_what_it_stands_on() {
    let world = World::new(Manner::Plain).await;
    let base = Base {
        name: "postgres:16-alpine".to_owned(),
        digest: sha256(b"base"),
        layers: vec![Layer {
            compressed: 90,
            unpacked: 200,
        }],
    };
    let week = |created: &str| Build {
        created: created.parse().unwrap(),
        base: Some(base.clone()),
        provenance: true,
        ..build("a")
    };
    let old = world
        .registry
        .push_build(&week("2026-02-02T04:00:00Z"), &["16"]);
    let new = world
        .registry
        .push_build(&week("2026-02-09T04:00:00Z"), &["16"]);
    assert_ne!(old.digest, new.digest);
    let mut layers = Vec::new();
    for pushed in [&old, &new] {
        let child = pushed.manifests.values().next().unwrap();
        let manifest = world
            .send("GET", &format!("/v2/acme/db/manifests/{child}"))
            .await;
        let manifest: Value = manifest.json().await.unwrap();
        layers.push(manifest["layers"].clone());
    }
    assert_eq!(layers[0], layers[1]);
    // An index, two images, two attestations; the old one has no tag now.
    let versions = world.registry.versions("acme/db").unwrap();
    assert_eq!(versions.len(), 10);
    assert_eq!(
        (&versions[0].digest, versions[0].tags.len()),
        (&new.digest, 1)
    );
    assert!(versions[1..].iter().all(|version| version.tags.is_empty()));

    let index = world.send("GET", "/v2/acme/db/manifests/16").await;
    let index: Value = index.json().await.unwrap();
    let entry = &index["manifests"][2];
    assert_eq!(entry["platform"]["os"], "unknown");
    let path = format!(
        "/v2/acme/db/manifests/{}",
        entry["digest"].as_str().unwrap()
    );
    let attestation: Value = world.send("GET", &path).await.json().await.unwrap();
    let layer = attestation["layers"][0]["digest"].as_str().unwrap();
    let statement = world
        .send("GET", &format!("/v2/acme/db/blobs/{layer}"))
        .await;
    let statement: Value = statement.json().await.unwrap();
    let found = &statement["predicate"]["buildDefinition"]["resolvedDependencies"][0];
    assert_eq!(
        found["uri"],
        "pkg:docker/postgres@16-alpine?platform=linux%2Famd64"
    );
    assert_eq!(
        format!("sha256:{}", found["digest"]["sha256"].as_str().unwrap()),
        base.digest
    );
}
