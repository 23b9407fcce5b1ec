//! Who is let in, with what, and what happens when nobody is.

use imgstack_registry::credentials::Environment;
use imgstack_registry::oci::{Client, ClientOptions, Endpoints, ErrorKind, Warning};
use tempfile::TempDir;

use super::server::{Answer, Asked, Server, answer, challenge, digest_of, error, found, token};

/// `robot:secret`
const ROBOT: &str = "Basic cm9ib3Q6c2VjcmV0";

/// A registry with a token server; `public` says whether nobody gets a token.
fn registry(public: bool) -> impl Fn(&str, &Asked) -> Answer {
    move |host, asked| match (asked.path.as_str(), asked.header("authorization")) {
        ("/v2/", _) => challenge(host, ""),
        ("/token", ROBOT) => token("for-robot"),
        ("/token", "") if public => token("for-anybody"),
        ("/token", "") => error(401, "UNAUTHORIZED", "authentication required"),
        ("/token", _) => error(403, "DENIED", "denied: denied"),
        (_, "Bearer for-robot" | "Bearer for-anybody") => found(16),
        _ => challenge(host, ",error=\\\"insufficient_scope\\\""),
    }
}

#[tokio::test]
async fn the_right_credential_goes_to_the_token_server_and_nowhere_else() {
    let server = Server::start(registry(false)).await;
    let client = server.member("robot", "secret");
    client.resolve(&server.image("o/n:16")).await.unwrap();
    client.resolve(&server.image("o/n:17")).await.unwrap();
    assert_eq!(server.count("GET /token"), 1);
    assert_eq!(server.asked("GET /token")[0].header("authorization"), ROBOT);
    let head = &server.asked("HEAD /v2/o/n/manifests/16")[0];
    assert_eq!(head.header("authorization"), "Bearer for-robot");
    let accepted = client
        .accepted_credential(&server.repository("o/n"))
        .unwrap();
    assert_eq!(accepted.source(), "PASSWORD in the environment");
    assert!(
        client
            .accepted_credential(&server.repository("o/other"))
            .is_none()
    );
    assert!(client.warnings().is_empty());
}

#[tokio::test]
async fn without_a_credential_a_private_repository_says_so() {
    let server = Server::start(registry(false)).await;
    let error = server
        .stranger()
        .resolve(&server.image("o/n:16"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AuthenticationRequired);
    assert!(error.hint().contains("is private, or does not exist"));
    assert_eq!(server.lines(), ["GET /v2/", "GET /token"]);
}

#[tokio::test]
async fn a_wrong_credential_for_a_private_repository_is_rejected() {
    let server = Server::start(registry(false)).await;
    let client = server.member("robot", "hunter2");
    for tag in ["16", "17", "18"] {
        let error = client
            .resolve(&server.image(&format!("o/n:{tag}")))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CredentialRejected);
        let shown = format!("{error} {error:?} {}", error.hint());
        assert!(shown.contains("PASSWORD in the environment"), "{shown}");
        for secret in ["hunter2", "cm9ib3Q6aHVudGVyMg", "scope="] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    // Once with it, once without, however often one asks.
    assert_eq!(server.lines(), ["GET /v2/", "GET /token", "GET /token"]);
    assert!(client.warnings().is_empty());
}

#[tokio::test]
async fn a_stale_credential_does_not_keep_anybody_from_a_public_image() {
    let server = Server::start(registry(true)).await;
    let client = server.member("robot", "hunter2");
    for name in ["o/n:16", "o/n:17", "o/other:16"] {
        client.resolve(&server.image(name)).await.unwrap();
    }
    // Two repositories, each once with and once without.
    assert_eq!(server.count("GET /token"), 4);
    assert!(
        client
            .accepted_credential(&server.repository("o/n"))
            .is_none()
    );
    let warnings = client.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        matches!(&warnings[0], Warning::StaleCredential { cause, .. }
        if cause.kind() == ErrorKind::CredentialRejected)
    );
    assert!(!format!("{warnings:?} {}", warnings[0]).contains("hunter2"));
}

/// GHCR gives anybody a token, and hides what they may not see behind a 404.
#[tokio::test]
async fn a_404_for_a_stranger_does_not_hide_that_the_credential_was_rejected() {
    let server =
        Server::start(
            |host, asked| match (asked.path.as_str(), asked.header("authorization")) {
                ("/v2/", _) => challenge(host, ""),
                ("/token", "") => token("for-anybody"),
                ("/token", _) => error(403, "DENIED", "denied: denied"),
                (_, "Bearer for-anybody") => error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
                _ => challenge(host, ""),
            },
        )
        .await;
    let client = server.member("robot", "expired");
    let error = client.resolve(&server.image("o/n:16")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialRejected, "{error}");
}

#[tokio::test]
async fn a_token_that_is_not_enough_is_not_fetched_again() {
    let server = Server::start(|host, asked| match asked.path.as_str() {
        "/v2/" => challenge(host, ""),
        "/token" if asked.header("authorization") == ROBOT => token("for-robot"),
        "/token" => error(401, "UNAUTHORIZED", "authentication required"),
        _ => challenge(host, r#",error="insufficient_scope""#),
    })
    .await;
    let client = server.member("robot", "secret");
    let error = client.resolve(&server.image("o/n:16")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoPackageAccess);
    // With it and without it.
    assert_eq!(server.count("GET /token"), 2);
    assert_eq!(server.count("HEAD /v2/o/n/manifests/16"), 1);
}

#[tokio::test]
async fn a_token_that_expires_in_mid_run_is_renewed_once() {
    let server = Server::start(|host, asked| match asked.path.as_str() {
        "/v2/" => challenge(host, ""),
        "/token" => token(&format!("number-{}", asked.before)),
        "/v2/o/n/manifests/1" => found(1),
        // The first token is no good any more, and no token ever is for 3.
        path => match (path, asked.header("authorization")) {
            ("/v2/o/n/manifests/2", "Bearer number-1") => found(2),
            _ => challenge(host, r#",error="invalid_token""#),
        },
    })
    .await;
    let client = server.stranger();
    client.resolve(&server.image("o/n:1")).await.unwrap();
    client.resolve(&server.image("o/n:2")).await.unwrap();
    assert_eq!(server.count("GET /token"), 2);
    assert_eq!(server.count("HEAD /v2/o/n/manifests/2"), 2);
    let error = client.resolve(&server.image("o/n:3")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AuthenticationRequired);
    assert_eq!(server.count("GET /token"), 3);
    assert_eq!(server.count("HEAD /v2/o/n/manifests/3"), 2);
}

#[tokio::test]
async fn a_registry_that_asks_only_at_the_second_door_is_understood() {
    let server = Server::start(|host, asked| match asked.path.as_str() {
        "/v2/" => answer(200),
        "/token" => token("late"),
        _ if asked.header("authorization") == "Bearer late" => found(16),
        _ => challenge(host, ""),
    })
    .await;
    let client = server.stranger();
    client.resolve(&server.image("o/n:16")).await.unwrap();
    client.resolve(&server.image("o/n:17")).await.unwrap();
    assert_eq!(server.count("HEAD /v2/o/n/manifests/16"), 2);
    assert_eq!(server.count("HEAD /v2/o/n/manifests/17"), 1);
    assert_eq!(server.count("GET /token"), 1);
}

#[tokio::test]
async fn a_registry_with_basic_authentication() {
    let server =
        Server::start(
            |_, asked| match (asked.path.as_str(), asked.header("authorization")) {
                ("/v2/o/n/manifests/16", ROBOT) => found(16),
                _ => error(401, "UNAUTHORIZED", "authentication required")
                    .with("www-authenticate", r#"Basic realm="a, b""#),
            },
        )
        .await;
    let image = server.image("o/n:16");
    let right = server.member("robot", "secret");
    right.resolve(&image).await.unwrap();
    assert_eq!(server.lines(), ["GET /v2/", "HEAD /v2/o/n/manifests/16"]);
    assert!(right.accepted_credential(&image.repository).is_some());

    let wrong = server.member("robot", "hunter2");
    let error = wrong.resolve(&image).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialRejected);
    assert!(wrong.accepted_credential(&image.repository).is_none());

    let error = server.stranger().resolve(&image).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AuthenticationRequired);
}

#[tokio::test]
async fn a_stale_credential_is_tried_once_a_repository() {
    // Basic, and open to nobody in particular: only a wrong name is refused.
    let server =
        Server::start(
            |_, asked| match (asked.path.as_str(), asked.header("authorization")) {
                ("/v2/", _) => answer(401).with("www-authenticate", "Basic realm=x"),
                (_, "") => found(16),
                _ => answer(401).with("www-authenticate", "Basic realm=x"),
            },
        )
        .await;
    let client = server.member("robot", "revoked");
    client.resolve(&server.image("o/n:16")).await.unwrap();
    let before = server.lines().len();
    client.resolve(&server.image("o/n:17")).await.unwrap();
    assert_eq!(server.lines()[before..], ["HEAD /v2/o/n/manifests/17"]);
    assert_eq!(client.warnings().len(), 1);
}

#[tokio::test]
async fn an_identity_token_is_posted() {
    let server = Server::start(
        |host, asked| match (asked.path.as_str(), asked.method.as_str()) {
            ("/v2/", _) => challenge(host, ""),
            ("/token", "POST") => answer(200).body(r#"{"access_token":"changed"}"#),
            ("/token", _) => answer(500),
            _ => found(16),
        },
    )
    .await;
    let home = TempDir::new().unwrap();
    let config = format!(
        r#"{{"auths":{{"{}":{{"identitytoken":"long&lived"}}}}}}"#,
        server.host
    );
    std::fs::write(home.path().join("config.json"), config).unwrap();
    let environment: Environment = [("DOCKER_CONFIG", home.path())].into_iter().collect();
    let client = Client::new(ClientOptions {
        registries: Vec::new(),
        environment,
        cache: None,
        endpoints: Endpoints::default(),
    });
    client.resolve(&server.image("o/n:16")).await.unwrap();
    assert_eq!(
        server.asked("POST /token")[0].body,
        "service=registry.test&scope=repository%3Ao%2Fn%3Apull&grant_type=refresh_token\
         &client_id=imgstack&refresh_token=long%26lived"
    );
    let head = &server.asked("HEAD /v2/o/n/manifests/16")[0];
    assert_eq!(head.header("authorization"), "Bearer changed");
}

#[tokio::test]
async fn a_credential_that_the_spec_names_and_nobody_finds_is_an_error() {
    let server = Server::start(registry(true)).await;
    let client = Client::new(ClientOptions {
        registries: vec![server.entry("robot")],
        environment: Environment::default(),
        cache: None,
        endpoints: Endpoints::default(),
    });
    let error = client.resolve(&server.image("o/n:16")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialUnavailable);
    assert!(error.to_string().contains("PASSWORD is not set"), "{error}");
    assert!(server.lines().is_empty());
}

#[tokio::test]
async fn a_broken_docker_configuration_is_a_warning() {
    let server = Server::start(registry(true)).await;
    let home = TempDir::new().unwrap();
    std::fs::write(home.path().join("config.json"), "{").unwrap();
    let client = Client::new(ClientOptions {
        registries: Vec::new(),
        environment: [("DOCKER_CONFIG", home.path())].into_iter().collect(),
        cache: None,
        endpoints: Endpoints::default(),
    });
    client.resolve(&server.image("o/n:16")).await.unwrap();
    let warnings = client.warnings();
    assert!(
        matches!(warnings[..], [Warning::CredentialSource(_)]),
        "{warnings:?}"
    );
}

#[tokio::test]
async fn authorization_stays_behind_when_the_host_changes() {
    const CONFIG: &[u8] = br#"{"os":"linux","architecture":"amd64"}"#;
    let storage = Server::start(|_, asked| match asked.header("authorization") {
        "" => answer(200).body(CONFIG),
        _ => answer(400),
    })
    .await;
    let elsewhere = storage.host.clone();
    let server = Server::start(move |host, asked| match asked.path.as_str() {
        "/v2/" => challenge(host, ""),
        "/token" => token("for-robot"),
        "/moved" => answer(307).with("location", &format!("http://{elsewhere}/blob?sig=x")),
        _ => answer(302).with("location", "/moved"),
    })
    .await;
    let digest = digest_of(CONFIG);
    let client = server.member("robot", "secret");
    client
        .config(&server.repository("o/n"), &digest)
        .await
        .unwrap();
    // It goes along within the host.
    assert_eq!(
        server.asked("GET /moved")[0].header("authorization"),
        "Bearer for-robot"
    );
    assert_eq!(storage.asked("GET /blob")[0].header("authorization"), "");
}

/// As a simulated world does: the names stay, the addresses are others.
#[tokio::test]
async fn a_host_that_is_asked_elsewhere_keeps_its_name() {
    let server = Server::start(registry(true)).await;
    let client = Client::new(ClientOptions {
        registries: Vec::new(),
        environment: Environment::default(),
        cache: None,
        endpoints: Endpoints::parse(&format!("ghcr.io=http://{}", server.host)).unwrap(),
    });
    client
        .resolve(&"ghcr.io/o/n:16".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(server.lines(), ["GET /token", "HEAD /v2/o/n/manifests/16"]);
}
