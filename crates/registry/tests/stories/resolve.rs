//! From a reference to a digest, with as few requests as can be.

use std::time::{Duration, Instant};

use imgstack_registry::oci::{ErrorKind, RequestKind};

use super::server::{
    Answer, Asked, Server, answer, challenge, digest, digest_of, error, found, token,
};

/// A registry like GHCR that anybody may read, with a token.
fn public(host: &str, asked: &Asked) -> Answer {
    match asked.path.as_str() {
        "/v2/" => challenge(host, ""),
        "/token" => token("anybody"),
        _ if asked.header("authorization") != "Bearer anybody" => challenge(host, ""),
        path => match path.rsplit('/').next().unwrap().parse() {
            Ok(tag) => found(tag),
            Err(_) => error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_callers_with_one_question_are_one_head_and_one_token() {
    let server = Server::start(public).await;
    let client = server.stranger();
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let (client, image) = (client.clone(), server.image("o/n:16"));
            tokio::spawn(async move { client.resolve(&image).await })
        })
        .collect();
    for caller in callers {
        let resolved = caller.await.unwrap().unwrap();
        assert_eq!(resolved.digest.as_str(), digest(16));
        assert_eq!(
            resolved.media_type,
            "application/vnd.oci.image.index.v1+json"
        );
    }
    let expected = ["GET /v2/", "GET /token", "HEAD /v2/o/n/manifests/16"];
    assert_eq!(server.lines(), expected);
    let asked = &server.asked("GET /token")[0];
    assert_eq!(
        asked.query,
        "service=registry.test&scope=repository%3Ao%2Fn%3Apull"
    );
    assert_eq!(asked.header("authorization"), "");
    assert!(asked.header("user-agent").starts_with("imgstack/"));
}

#[tokio::test]
async fn five_tags_are_five_heads_and_one_token_and_another_repository_one_more() {
    let server = Server::start(public).await;
    let client = server.stranger();
    let images: Vec<_> = (1..=5).map(|n| server.image(&format!("o/n:{n}"))).collect();
    let (a, b, c, d, e) = tokio::join!(
        client.resolve(&images[0]),
        client.resolve(&images[1]),
        client.resolve(&images[2]),
        client.resolve(&images[3]),
        client.resolve(&images[4])
    );
    for resolved in [a, b, c, d, e] {
        resolved.unwrap();
    }
    assert_eq!(server.lines().len(), 1 + 1 + 5, "{:?}", server.lines());
    client.resolve(&server.image("o/other:1")).await.unwrap();
    assert_eq!(server.count("GET /v2/"), 1);
    assert_eq!(server.count("GET /token"), 2);
    let heads: u64 = client
        .requests()
        .iter()
        .filter(|it| it.kind == RequestKind::Manifest && it.method == "HEAD")
        .map(|it| it.count)
        .sum();
    assert_eq!(heads, 6);
}

#[tokio::test]
async fn an_anonymous_registry_is_asked_for_no_token() {
    let server = Server::start(|_, asked| match asked.path.as_str() {
        "/v2/" => answer(200),
        _ => found(16),
    })
    .await;
    let client = server.member("robot", "secret");
    client.resolve(&server.image("o/n:16")).await.unwrap();
    assert_eq!(server.lines(), ["GET /v2/", "HEAD /v2/o/n/manifests/16"]);
    let head = &server.asked("HEAD /v2/o/n/manifests/16")[0];
    assert_eq!(head.header("authorization"), "");
    assert!(
        client
            .accepted_credential(&server.repository("o/n"))
            .is_none()
    );
}

#[tokio::test]
async fn a_registry_that_wants_all_four_media_types_gets_them() {
    let server = Server::start(|_, asked| {
        let wanted = [
            "application/vnd.oci.image.index.v1+json",
            "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.list.v2+json",
            "application/vnd.docker.distribution.manifest.v2+json",
        ];
        let accept: Vec<_> = asked.header("accept").split(',').map(str::trim).collect();
        match asked.path.as_str() {
            "/v2/" => answer(200),
            _ if wanted.iter().all(|it| accept.contains(it)) => found(16),
            _ => error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        }
    })
    .await;
    server
        .stranger()
        .resolve(&server.image("o/n:16"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_head_that_does_not_tell_is_followed_by_a_get() {
    let body = br#"{"schemaVersion":2,"manifests":[]}"#;
    for head in [
        answer(200),
        answer(405),
        answer(200).with("docker-content-digest", "odd"),
    ] {
        let head = head.clone();
        let server = Server::start(move |_, asked| match asked.method.as_str() {
            "HEAD" => head.clone(),
            _ if asked.path == "/v2/" => answer(200),
            _ => answer(200)
                .with("content-type", "application/x; charset=utf-8")
                .body(*body),
        })
        .await;
        let resolved = server
            .stranger()
            .resolve(&server.image("o/n:16"))
            .await
            .unwrap();
        assert_eq!(resolved.digest, digest_of(body));
        assert_eq!(resolved.media_type, "application/x");
        assert_eq!(resolved.size, Some(body.len() as u64));
        assert_eq!(server.count("GET /v2/o/n/manifests/16"), 1);
    }
}

#[tokio::test]
async fn a_refusal_without_a_body_is_explained_by_one_get() {
    for (code, expected) in [
        ("MANIFEST_UNKNOWN", ErrorKind::TagNotFound),
        ("NAME_UNKNOWN", ErrorKind::RepositoryNotFound),
    ] {
        let server = Server::start(move |_, asked| match asked.path.as_str() {
            "/v2/" => answer(200),
            _ => error(404, code, "unknown").with("x-github-request-id", "ID:1"),
        })
        .await;
        let client = server.stranger();
        let image = server.image("o/n:17");
        for _ in 0..3 {
            let error = client.resolve(&image).await.unwrap_err();
            assert_eq!(error.kind(), expected);
            let answer = error.answer().unwrap();
            assert_eq!(answer.code.as_deref(), Some(code));
            assert_eq!(answer.request_id.as_deref(), Some("ID:1"));
        }
        let expected = [
            "GET /v2/",
            "HEAD /v2/o/n/manifests/17",
            "GET /v2/o/n/manifests/17",
        ];
        assert_eq!(server.lines(), expected);
    }
}

#[tokio::test]
async fn a_429_is_waited_out_as_its_body_says_and_never_gets_a_get() {
    let server = Server::start(|_, asked| match asked.path.as_str() {
        "/v2/" => answer(200),
        _ if asked.before == 0 => error(
            429,
            "TOOMANYREQUESTS",
            "retry-after: 1.16ms, allowed: 44000/minute",
        ),
        _ => found(16),
    })
    .await;
    let start = Instant::now();
    server
        .stranger()
        .resolve(&server.image("o/n:16"))
        .await
        .unwrap();
    assert!(start.elapsed() >= Duration::from_millis(250));
    assert_eq!(server.count("HEAD /v2/o/n/manifests/16"), 2);
    assert_eq!(server.count("GET /v2/o/n/manifests/16"), 0);
}

#[tokio::test]
async fn a_429_that_stays_is_not_explained_by_a_get_either() {
    let server = Server::start(|_, asked| match asked.path.as_str() {
        "/v2/" => answer(200),
        _ => error(429, "TOOMANYREQUESTS", "slow down"),
    })
    .await;
    let image = server.image("o/n:16");
    let error = server.stranger().resolve(&image).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(server.count("HEAD /v2/o/n/manifests/16"), 4);
    assert_eq!(server.count("GET /v2/o/n/manifests/16"), 0);
}

#[tokio::test]
async fn the_get_in_place_of_a_head_is_worth_a_second_attempt() {
    let body = br#"{"schemaVersion":2,"manifests":[]}"#;
    let server = Server::start(|_, asked| match asked.method.as_str() {
        "HEAD" => answer(405),
        _ if asked.path == "/v2/" => answer(200),
        _ if asked.before == 0 => answer(503),
        _ => answer(200).body(*body),
    })
    .await;
    let image = server.image("o/n:16");
    let resolved = server.stranger().resolve(&image).await.unwrap();
    assert_eq!(resolved.digest, digest_of(body));
}

#[tokio::test]
async fn a_limit_that_lasts_is_told_and_nobody_else_asks() {
    let server = Server::start(|_, asked| match asked.path.as_str() {
        "/v2/" => answer(200),
        _ => error(429, "TOOMANYREQUESTS", "slow down").with("retry-after", "3600"),
    })
    .await;
    let client = server.stranger();
    let error = client.resolve(&server.image("o/n:16")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert!(
        error.to_string().contains("the limit resets in 60 min"),
        "{error}"
    );
    let error = client.resolve(&server.image("o/n:17")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(server.lines(), ["GET /v2/", "HEAD /v2/o/n/manifests/16"]);
}

#[tokio::test]
async fn a_server_in_trouble_is_asked_four_times() {
    let server = Server::start(|_, asked| match asked.path.as_str() {
        "/v2/" => answer(200),
        _ if asked.path.ends_with("/16") && asked.before == 2 => found(16),
        _ => answer(503),
    })
    .await;
    let client = server.stranger();
    client.resolve(&server.image("o/n:16")).await.unwrap();
    assert_eq!(server.count("HEAD /v2/o/n/manifests/16"), 3);
    let error = client.resolve(&server.image("o/n:17")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(server.count("HEAD /v2/o/n/manifests/17"), 4);
    assert_eq!(server.count("GET /v2/o/n/manifests/17"), 0);
}

#[tokio::test]
async fn a_digest_in_the_reference_is_what_is_looked_for() {
    let server = Server::start(|_, asked| match asked.path.as_str() {
        "/v2/" => answer(200),
        path if path.ends_with(&digest(7)) => found(7),
        path if path.ends_with(&digest(8)) => found(9),
        _ => error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
    })
    .await;
    let client = server.stranger();
    let image = |n| server.image(&format!("o/n:16@{}", digest(n)));
    assert_eq!(
        client.resolve(&image(7)).await.unwrap().digest.as_str(),
        digest(7)
    );
    let other = client.resolve(&image(8)).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Integrity);
    let gone = client.resolve(&image(6)).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::ManifestDeleted);
}

#[tokio::test]
async fn a_page_of_a_proxys_is_no_build() {
    let server = Server::start(|_, asked| match asked.path.as_str() {
        "/v2/" => answer(200),
        _ => answer(200)
            .with("content-type", "text/html")
            .with("docker-content-digest", &digest(16))
            .body("<html>sign in</html>"),
    })
    .await;
    let image = server.image("o/n:16");
    let error = server.stranger().resolve(&image).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
    assert_eq!(server.count("GET /v2/o/n/manifests/16"), 1);
}

#[tokio::test]
async fn a_404_of_a_proxys_is_not_a_missing_tag() {
    let server = Server::start(|_, asked| match asked.path.as_str() {
        "/v2/" => answer(200),
        _ => answer(404).body("404 page not found"),
    })
    .await;
    let image = server.image("o/n:16");
    let error = server.stranger().resolve(&image).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
}
