//! Registries: content, lists, tokens and refusals.

use std::collections::BTreeSet;

use imgstack_tests::build::Kind;
use imgstack_tests::wire::{Reply, Wire, read};
use imgstack_tests::world::World;
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::stage::Stage;

imgstack_tests::both! {
    a_manifest_is_what_its_digest_says,
    whoever_does_not_read_oci_gets_nothing,
    what_is_not_there_has_its_code,
    every_tag_is_listed_however_many_pages,
    a_tag_moves_and_its_digest_stays,
    a_private_registry_says_where_tokens_are_had,
    a_token_is_good_for_what_it_was_asked_for,
    whoever_may_not_read_learns_no_more,
    whoever_may_read_may_not_write,
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const ALL: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

async fn ask(registry: &Wire, method: Method, path: &str, accept: &str) -> Reply {
    read(registry.request(method, path).header("accept", accept)).await
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

async fn a_manifest_is_what_its_digest_says(world: World) {
    let stage = Stage::new(&world, "manifest").await;
    let pushed = stage.story.push(Kind::Good, "aaaaaaa").await;
    let registry = Wire::host(world.anonymous());
    let path = format!("/v2/{}", stage.story.path());
    let ping = registry.get("/v2/").await.expect(200);
    assert_eq!(
        ping.header("docker-distribution-api-version"),
        "registry/2.0"
    );
    assert_eq!(ping.json(), json!({}));
    for reference in pushed.tags.iter().chain([&pushed.digest]) {
        let url = format!("{path}/manifests/{reference}");
        let got = ask(&registry, Method::GET, &url, ALL).await.expect(200);
        let head = ask(&registry, Method::HEAD, &url, ALL).await.expect(200);
        assert_eq!(digest(&got.body), pushed.digest);
        for reply in [&got, &head] {
            assert_eq!(reply.header("docker-content-digest"), pushed.digest);
            assert_eq!(reply.header("content-type"), INDEX);
            assert_eq!(reply.header("content-length"), got.body.len().to_string());
            assert_eq!(reply.header("etag"), format!("\"{}\"", pushed.digest));
        }
        assert_eq!(head.text(), "");
    }
    let index = ask(&registry, Method::GET, &format!("{path}/manifests/16"), ALL)
        .await
        .json();
    let child = &index["manifests"][0];
    let url = format!("{path}/manifests/{}", child["digest"].as_str().unwrap());
    let manifest = ask(&registry, Method::GET, &url, ALL).await.expect(200);
    assert_eq!(manifest.header("content-type"), MANIFEST);
    assert_eq!(child["size"], manifest.body.len());
    let config = manifest.json()["config"].clone();
    let url = format!("{path}/blobs/{}", config["digest"].as_str().unwrap());
    let blob = registry.get(&url).await.expect(200);
    assert_eq!(digest(&blob.body), config["digest"]);
    let head = registry.send(Method::HEAD, &url, None).await.expect(200);
    assert_eq!(head.header("content-length"), blob.body.len().to_string());
}

async fn whoever_does_not_read_oci_gets_nothing(world: World) {
    let stage = Stage::new(&world, "accept").await;
    stage.story.push(Kind::Good, "aaaaaaa").await;
    let registry = Wire::host(world.anonymous());
    let url = format!("/v2/{}/manifests/16", stage.story.path());
    let docker = "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";
    for accept in [docker, MANIFEST, "*/*"] {
        ask(&registry, Method::HEAD, &url, accept).await.expect(404);
        let reply = ask(&registry, Method::GET, &url, accept).await.expect(404);
        let words = "OCI index found, but accept header does not support OCI indexes";
        assert_eq!(
            reply.error(),
            ("MANIFEST_UNKNOWN".to_owned(), words.to_owned()),
            "{accept}"
        );
    }
    ask(&registry, Method::GET, &url, INDEX).await.expect(200);
}

async fn what_is_not_there_has_its_code(world: World) {
    let stage = Stage::new(&world, "unknown").await;
    stage.story.push(Kind::Good, "aaaaaaa").await;
    let registry = Wire::host(world.anonymous());
    let path = stage.story.path();
    let zeros = format!("sha256:{}", "0".repeat(64));
    let table = [
        (
            format!("{path}/manifests/none"),
            "MANIFEST_UNKNOWN",
            "manifest unknown",
            json!({"Tag": "none"}),
        ),
        (
            format!("{path}/manifests/{zeros}"),
            "MANIFEST_UNKNOWN",
            "manifest unknown",
            json!({"Name": path, "Revision": zeros}),
        ),
        (
            format!("{path}-none/manifests/16"),
            "MANIFEST_UNKNOWN",
            "manifest unknown",
            json!({"Tag": "16"}),
        ),
        (
            format!("{path}-none/tags/list"),
            "NAME_UNKNOWN",
            "repository name not known to registry",
            json!({"name": format!("{path}-none")}),
        ),
        (
            format!("{path}/blobs/{zeros}"),
            "BLOB_UNKNOWN",
            "blob unknown to registry",
            json!(zeros),
        ),
    ];
    for (path, code, message, detail) in table {
        let url = format!("/v2/{path}");
        let reply = ask(&registry, Method::GET, &url, ALL).await.expect(404);
        assert_eq!(
            reply.error(),
            (code.to_owned(), message.to_owned()),
            "{path}"
        );
        assert_eq!(reply.json()["errors"][0]["detail"], detail, "{path}");
        if !path.ends_with("/tags/list") {
            let head = ask(&registry, Method::HEAD, &url, ALL).await.expect(404);
            assert_eq!(head.text(), "", "{path}");
        }
    }
    registry.get("/nowhere").await.expect(404);
    let list = format!("/v2/{path}/tags/list");
    registry.send(Method::PUT, &list, None).await.expect(405);
}

/// All tags, as whoever follows `Link` sees them.
async fn tags(registry: &Wire, path: &str, token: Option<&str>) -> Vec<String> {
    let mut tags = Vec::new();
    let mut next = Some(format!("/v2/{path}/tags/list?n=2"));
    while let Some(url) = next {
        let request = registry.request(Method::GET, &url);
        let reply = read(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        });
        let reply = reply.await.expect(200);
        let page = reply.json();
        assert_eq!(page["name"], path);
        let page = page["tags"].as_array().unwrap().iter();
        tags.extend(page.map(|tag| tag.as_str().unwrap().to_owned()));
        let link = reply.header("link");
        next = link.strip_prefix('<').map(|rest| {
            let (url, rest) = rest.split_once('>').unwrap();
            assert_eq!(rest, "; rel=\"next\"");
            url.to_owned()
        });
        assert!(tags.len() < 20, "{tags:?}");
    }
    tags
}

async fn every_tag_is_listed_however_many_pages(world: World) {
    let stage = Stage::new(&world, "tags").await;
    let path = stage.story.path();
    for sha in ["aaaaaaa", "bbbbbbb", "ccccccc"] {
        stage.story.push(Kind::Good, sha).await;
        stage.story.push_private(&path, Kind::Good, sha).await;
    }
    let expected = [
        "16",
        "16-20260209",
        "16-aaaaaaa",
        "16-bbbbbbb",
        "16-ccccccc",
    ];
    let expected: BTreeSet<String> = expected.map(str::to_owned).into();
    let private = Wire::host(world.private());
    let token = token(&stage, &private, "pull", Some("robot"))
        .await
        .unwrap();
    let lists = [
        tags(&Wire::host(world.anonymous()), &path, None).await,
        tags(&private, &path, Some(&token)).await,
    ];
    for list in lists {
        assert_eq!(list.len(), expected.len(), "{list:?}");
        assert_eq!(list.into_iter().collect::<BTreeSet<_>>(), expected);
    }
}

async fn a_tag_moves_and_its_digest_stays(world: World) {
    let stage = Stage::new(&world, "retag").await;
    let old = stage.story.push(Kind::Good, "aaaaaaa").await;
    let registry = Wire::host(world.anonymous());
    let path = format!("/v2/{}/manifests", stage.story.path());
    let of = async |reference: &str| {
        let reply = ask(&registry, Method::HEAD, &format!("{path}/{reference}"), ALL).await;
        reply.expect(200).header("docker-content-digest").to_owned()
    };
    assert_eq!(of("16").await, old.digest);
    let new = stage.story.push(Kind::Good, "bbbbbbb").await;
    assert_ne!(old.digest, new.digest);
    assert_eq!(of("16").await, new.digest);
    assert_eq!(of("16-aaaaaaa").await, old.digest);
    assert_eq!(of(&old.digest).await, old.digest);
    // The same build once more is the same content.
    assert_eq!(
        stage.story.push(Kind::Good, "aaaaaaa").await.digest,
        old.digest
    );
    assert_eq!(of("16").await, old.digest);
}

/// What a challenge says: realm, service, scope and error.
fn challenge(reply: &Reply, field: &str) -> String {
    let header = reply.header("www-authenticate");
    assert!(header.starts_with("Bearer "), "{}: {header}", reply.asked);
    let begin = format!("{field}=\"");
    let found = header
        .split_once(&begin)
        .and_then(|(_, rest)| rest.split_once('"'));
    found.map(|(value, _)| value.to_owned()).unwrap_or_default()
}

/// A token for the stage's own repository, or how it is refused.
async fn token(
    stage: &Stage,
    registry: &Wire,
    actions: &str,
    user: Option<&str>,
) -> Result<String, Reply> {
    let password = user.map(|user| stage.world().password(user));
    token_with(stage, registry, actions, user.zip(password.as_deref())).await
}

async fn token_with(
    stage: &Stage,
    registry: &Wire,
    actions: &str,
    login: Option<(&str, &str)>,
) -> Result<String, Reply> {
    let ping = registry.get("/v2/").await.expect(401);
    let realm = challenge(&ping, "realm");
    let scope = format!("repository:{}:{actions}", stage.story.path());
    let request = registry
        .request(Method::GET, &realm)
        .query(&[("service", challenge(&ping, "service")), ("scope", scope)]);
    let reply = read(match login {
        Some((user, password)) => request.basic_auth(user, Some(password)),
        None => request,
    })
    .await;
    match reply.status {
        200 => Ok(reply.json()["token"].as_str().unwrap().to_owned()),
        _ => Err(reply),
    }
}

/// What somebody learns in the end who asks as clients ask: for a token, and
/// with it for what they want.
async fn learnt(stage: &Stage, method: Method, path: &str, login: Option<(&str, &str)>) -> Reply {
    let registry = Wire::host(stage.world().private());
    let actions = if method == Method::POST {
        "pull,push"
    } else {
        "pull"
    };
    match token_with(stage, &registry, actions, login).await {
        Ok(token) => {
            let url = format!("/v2/{}/{path}", stage.story.path());
            let request = registry.request(method, &url).header("accept", ALL);
            read(request.bearer_auth(token)).await
        }
        Err(refusal) => refusal,
    }
}

async fn a_private_registry_says_where_tokens_are_had(world: World) {
    let stage = Stage::new(&world, "challenge").await;
    let registry = Wire::host(world.private());
    let path = stage.story.path();
    stage.story.push_private(&path, Kind::Good, "aaaaaaa").await;
    let ping = registry.get("/v2/").await.expect(401);
    assert_eq!(
        ping.header("docker-distribution-api-version"),
        "registry/2.0"
    );
    assert_eq!(ping.error().0, "UNAUTHORIZED");
    assert!(challenge(&ping, "realm").ends_with("/token"));
    assert_ne!(challenge(&ping, "service"), "");
    let url = format!("/v2/{path}/manifests/16");
    for method in [Method::GET, Method::HEAD] {
        let reply = ask(&registry, method, &url, ALL).await.expect(401);
        assert_eq!(challenge(&reply, "realm"), challenge(&ping, "realm"));
        assert_eq!(challenge(&reply, "service"), challenge(&ping, "service"));
        assert_eq!(
            challenge(&reply, "scope"),
            format!("repository:{path}:pull")
        );
        assert_eq!(challenge(&reply, "error"), "");
    }
    let upload = format!("/v2/{path}/blobs/uploads/");
    let reply = registry.send(Method::POST, &upload, None).await.expect(401);
    let scope = challenge(&reply, "scope");
    // In one order or the other.
    let scopes = ["pull,push", "push,pull"].map(|actions| format!("repository:{path}:{actions}"));
    assert!(scopes.contains(&scope), "{scope}");
    let request = registry.request(Method::GET, &url).bearer_auth("nonsense");
    let reply = read(request).await.expect(401);
    assert_eq!(challenge(&reply, "error"), "invalid_token");
}

async fn a_token_is_good_for_what_it_was_asked_for(world: World) {
    let stage = Stage::new(&world, "token").await;
    let path = stage.story.path();
    let pushed = stage.story.push_private(&path, Kind::Good, "aaaaaaa").await;
    let registry = Wire::host(world.private());
    let token = token(&stage, &registry, "pull", Some("robot"))
        .await
        .unwrap();
    let get = async |what: &str| {
        let url = format!("/v2/{path}/{what}");
        let request = registry.request(Method::GET, &url).header("accept", ALL);
        read(request.bearer_auth(&token)).await
    };
    let found = get("manifests/16").await.expect(200);
    assert_eq!(found.header("docker-content-digest"), pushed.digest);
    let lost = get("manifests/none").await.expect(404);
    assert_eq!(
        lost.error(),
        ("MANIFEST_UNKNOWN".to_owned(), "manifest unknown".to_owned())
    );
    get("tags/list").await.expect(200);
}

async fn whoever_may_not_read_learns_no_more(world: World) {
    let stage = Stage::new(&world, "denied").await;
    let path = stage.story.path();
    let limited = world.password("limited");
    let limited = Some(("limited", limited.as_str()));
    // Before there is anything, and after.
    for pushed in [false, true] {
        if pushed {
            stage.story.push_private(&path, Kind::Good, "aaaaaaa").await;
        }
        let nobody = learnt(&stage, Method::GET, "manifests/16", None)
            .await
            .expect(403);
        let words = "requested access to the resource is denied";
        assert_eq!(nobody.error(), ("DENIED".to_owned(), words.to_owned()));
        let reply = learnt(&stage, Method::GET, "manifests/16", limited)
            .await
            .expect(403);
        let words = "permission_denied: read_package";
        assert_eq!(reply.error(), ("DENIED".to_owned(), words.to_owned()));
        let wrong = Some(("robot", "wrong"));
        let reply = learnt(&stage, Method::GET, "manifests/16", wrong).await;
        let refused = [(401, "UNAUTHORIZED"), (403, "DENIED")];
        assert!(
            refused.contains(&(reply.status, reply.error().0.as_str())),
            "{}",
            reply.text()
        );
    }
    let robot = world.password("robot");
    let robot = Some(("robot", robot.as_str()));
    learnt(&stage, Method::GET, "manifests/16", robot)
        .await
        .expect(200);
}

async fn whoever_may_read_may_not_write(world: World) {
    let stage = Stage::new(&world, "write").await;
    stage
        .story
        .push_private(&stage.story.path(), Kind::Good, "aaaaaaa")
        .await;
    let robot = world.password("robot");
    let robot = Some(("robot", robot.as_str()));
    let reply = learnt(&stage, Method::POST, "blobs/uploads/", robot)
        .await
        .expect(403);
    let words = "permission_denied: write_package";
    assert_eq!(reply.error(), ("DENIED".to_owned(), words.to_owned()));
    let publisher = world.password("publisher");
    let publisher = Some(("publisher", publisher.as_str()));
    let reply = learnt(&stage, Method::POST, "blobs/uploads/", publisher)
        .await
        .expect(202);
    assert_ne!(reply.header("location"), "");
    let _: Value = reply.json();
}
