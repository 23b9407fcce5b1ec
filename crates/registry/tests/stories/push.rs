//! What is written: may one push, and one more tag for a build.

use imgstack_registry::oci::{Client, Error, ErrorKind};
use imgstack_spec::{Digest, Tag};

use super::server::{Answer, Asked, Server, answer, challenge, digest_of, error, token};

/// As a Docker engine pushes it, so that its type is not the OCI's.
const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";

fn manifest(media_type: Option<&str>) -> String {
    let said = media_type.map(|it| format!(r#""mediaType":"{it}","#));
    format!(
        r#"{{ "schemaVersion":2,{}"config":{{"mediaType":"m","digest":"{}","size":2}},"layers":[]}}"#,
        said.unwrap_or_default(),
        digest_of(b"{}")
    )
}

fn index() -> String {
    r#"{"schemaVersion":2,"manifests":[]}"#.to_owned()
}

/// A registry that asks for a token, gives everybody what they ask for, and
/// has one manifest.
fn registry(content: String) -> impl Fn(&str, &Asked) -> Answer {
    move |host, asked| match asked.path.as_str() {
        "/token" => token(if asked.query.contains("push") {
            "may-push"
        } else {
            "may-pull"
        }),
        _ if asked.header("authorization").is_empty() => challenge(host, ""),
        "/v2/o/n/blobs/uploads/" => {
            answer(202).with("location", "/v2/o/n/blobs/uploads/7?_state=x")
        }
        "/v2/o/n/blobs/uploads/7" => answer(204),
        path if asked.method == "GET" && path.starts_with("/v2/o/n/manifests/sha256:") => {
            answer(200).body(content.clone())
        }
        _ if asked.method == "PUT" => answer(201),
        _ => answer(200),
    }
}

async fn tag(client: &Client, server: &Server, content: &str, name: &str) -> Result<(), Error> {
    let digest: Digest = digest_of(content.as_bytes());
    let name: Tag = name.parse().unwrap();
    client.tag(&server.repository("o/n"), &digest, &name).await
}

#[tokio::test]
async fn a_tag_is_the_same_bytes_under_the_same_type() {
    let oci = |kind: &str| format!("application/vnd.oci.image.{kind}.v1+json");
    let table = [
        (manifest(Some(DOCKER)), DOCKER.to_owned()),
        (manifest(Some(&oci("manifest"))), oci("manifest")),
        (manifest(None), oci("manifest")),
        // Nobody's type: what it is counts.
        (manifest(Some("text/html")), oci("manifest")),
        (index(), oci("index")),
    ];
    for (content, media_type) in table {
        let server = Server::start(registry(content.clone())).await;
        let client = server.member("robot", "secret");
        tag(&client, &server, &content, "16").await.unwrap();
        let put = &server.asked("PUT /v2/o/n/manifests/16")[0];
        assert_eq!(put.body, content);
        assert_eq!(put.header("content-type"), media_type);
        assert_eq!(put.header("authorization"), "Bearer may-push");
        // What the tag leads to is known then, and not what it led to before.
        let image = server.image("o/n:16");
        let now = client.resolve(&image).await.unwrap();
        assert_eq!(now.digest, digest_of(content.as_bytes()));
        assert_eq!(server.count("HEAD /v2/o/n/manifests/16"), 0);
    }
}

#[tokio::test]
async fn reading_asks_for_no_right_to_write_and_each_right_has_one_token() {
    let content = manifest(Some(DOCKER));
    let server = Server::start(registry(content.clone())).await;
    let client = server.member("robot", "secret");
    for name in ["16-abc1234", "16-20260209", "16"] {
        tag(&client, &server, &content, name).await.unwrap();
    }
    let scopes: Vec<_> = server
        .asked("GET /token")
        .iter()
        .map(|asked| asked.query.clone())
        .collect();
    assert_eq!(scopes.len(), 2, "{scopes:?}");
    assert!(scopes[0].ends_with("scope=repository%3Ao%2Fn%3Apull"));
    assert!(scopes[1].ends_with("scope=repository%3Ao%2Fn%3Apull%2Cpush"));
    let read = format!("GET /v2/o/n/manifests/{}", digest_of(content.as_bytes()));
    assert_eq!(server.count(&read), 1, "{:?}", server.lines());
}

#[tokio::test]
async fn a_tag_that_moved_meanwhile_is_seen_only_by_who_asks_anew() {
    let server = Server::start(|_, asked| match asked.path.as_str() {
        "/v2/" => answer(200),
        _ => super::server::found(asked.before as u64),
    })
    .await;
    let client = server.stranger();
    let (image, tag) = (server.image("o/n:16"), "16".parse().unwrap());
    let first = client.resolve(&image).await.unwrap();
    assert_eq!(client.resolve(&image).await.unwrap(), first);
    let anew = client.resolve_anew(&image.repository, &tag).await.unwrap();
    assert_ne!(anew, first);
    assert_eq!(client.resolve(&image).await.unwrap(), anew);
}

#[tokio::test]
async fn whether_one_may_push_leaves_nothing_behind() {
    let server = Server::start(registry(String::new())).await;
    let client = server.member("robot", "secret");
    client.may_push(&server.repository("o/n")).await.unwrap();
    let begun = &server.asked("POST /v2/o/n/blobs/uploads/")[0];
    // Some servers want the length of nothing, too.
    assert_eq!(begun.header("content-length"), "0");
    let given_up = server.asked("DELETE /v2/o/n/blobs/uploads/7");
    assert_eq!(given_up[0].query, "_state=x");
    assert_eq!(given_up[0].header("authorization"), "Bearer may-push");
}

#[tokio::test]
async fn an_upload_that_begins_elsewhere_is_not_followed_with_the_credential() {
    let thief = Server::start(|_, _| answer(204)).await;
    let elsewhere = format!("http://{}/v2/o/n/blobs/uploads/7", thief.host);
    let server = Server::start(move |_, asked| match asked.path.as_str() {
        "/v2/" => answer(401).with("www-authenticate", "Basic realm=x"),
        _ => answer(202).with("location", &elsewhere),
    })
    .await;
    let client = server.member("robot", "secret");
    client.may_push(&server.repository("o/n")).await.unwrap();
    assert!(thief.lines().is_empty());
}

/// (what the token server says, what the registry says, what it means)
#[tokio::test]
async fn why_one_may_not_push() {
    let denied = |words: &'static str| move || error(403, "DENIED", words);
    let insufficient = r#",error="insufficient_scope""#;
    type Said = Box<dyn Fn(&str) -> Answer + Send + Sync>;
    let table: Vec<(Said, Said, ErrorKind)> = vec![
        (
            Box::new(|_| token("t")),
            Box::new(move |_| denied("permission_denied: write_package")()),
            ErrorKind::NoPushAccess,
        ),
        (
            Box::new(move |_| denied("permission_denied: write_package")()),
            Box::new(|_| answer(202)),
            ErrorKind::NoPushAccess,
        ),
        // A token that is good for less than was asked for.
        (
            Box::new(|_| token("t")),
            Box::new(move |host| challenge(host, insufficient)),
            ErrorKind::NoPushAccess,
        ),
        (
            Box::new(|_| token("t")),
            Box::new(move |_| denied("requested access to the resource is denied")()),
            ErrorKind::NoPushAccess,
        ),
        (
            Box::new(|_| error(401, "UNAUTHORIZED", "bad credentials")),
            Box::new(|_| answer(202)),
            ErrorKind::CredentialRejected,
        ),
        (
            Box::new(|_| token("t")),
            Box::new(|_| answer(405)),
            ErrorKind::Protocol,
        ),
    ];
    for (of_server, of_registry, kind) in table {
        let server = Server::start(move |host, asked| match asked.path.as_str() {
            "/token" => of_server(host),
            _ if asked.header("authorization").is_empty() => challenge(host, ""),
            _ => of_registry(host),
        })
        .await;
        let repository = server.repository("o/n");
        let member = server.member("robot", "secret");
        let error = member.may_push(&repository).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        // In nobody's name nothing is tried.
        let nobody = |asked: &Asked| asked.header("authorization").is_empty();
        assert!(!server.asked("GET /token").iter().any(nobody));
    }
    let server = Server::start(|host, asked| match asked.path.as_str() {
        "/token" => error(403, "DENIED", "access denied"),
        _ => challenge(host, ""),
    })
    .await;
    let (nobody, repository) = (server.stranger(), server.repository("o/n"));
    let error = nobody.may_push(&repository).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AuthenticationRequired);
}

/// A write whose answer was lost is done again only where that is the same.
#[tokio::test]
async fn a_tag_is_put_again_after_trouble_and_an_upload_is_not_begun_again() {
    let content = manifest(Some(DOCKER));
    let bytes = content.clone();
    let server = Server::start(move |_, asked| match asked.method.as_str() {
        "PUT" if asked.before == 0 => answer(502),
        "PUT" => answer(201),
        "POST" => answer(502),
        _ if asked.path == "/v2/" => answer(200),
        _ => answer(200).body(bytes.clone()),
    })
    .await;
    let client = server.stranger();
    tag(&client, &server, &content, "16").await.unwrap();
    assert_eq!(server.count("PUT /v2/o/n/manifests/16"), 2);
    let error = client.may_push(&server.repository("o/n")).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(server.count("POST /v2/o/n/blobs/uploads/"), 1);
}
