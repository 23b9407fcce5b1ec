//! Is the credential good? What is said, and how little is asked for it.

use imgstack_registry::credentials::Environment;
use imgstack_registry::github::{Expiry, TokenKind};
use imgstack_registry::oci::{Access, Client, ClientOptions, Endpoints, ErrorKind};
use imgstack_spec::{DEFAULT_WARN_BEFORE_EXPIRY, ImageRef, Registry, RegistryHost, SecretSource};

use super::server::{Answer, Asked, Server, answer, error, found, token};

const GOOD: &str = "ghp_mArKeD0secret";

/// GHCR and GitHub in one: `o/public` is for all, `o/private` for who has
/// [`GOOD`], and `o/hidden` for nobody.
fn github(user: Answer) -> impl Fn(&str, &Asked) -> Answer {
    let good = format!("Basic {}", base64(&format!("ann:{GOOD}")));
    move |_, asked| {
        let who = asked.header("authorization");
        let public = asked.query.contains("o%2Fpublic");
        match asked.path.as_str() {
            "/user" => user.clone(),
            "/token" if who == good => token("anns"),
            "/token" if who.is_empty() && public => token("anybodys"),
            "/token" => error(403, "DENIED", "denied"),
            path if path.starts_with("/v2/o/hidden/") => {
                error(403, "DENIED", "permission_denied: read_package")
            }
            path if path.ends_with("/manifests/16") => found(16),
            path if path.ends_with("/tags/list") => answer(200).body(r#"{"tags":["16"]}"#),
            _ => error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        }
    }
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn user() -> Answer {
    answer(200)
        .body(r#"{"login":"ann"}"#)
        .with("x-oauth-scopes", "read:packages")
}

/// A client for whom both hosts are at the server. An empty password: none.
fn client(server: &Server, password: &str) -> Client {
    let entry = Registry {
        host: RegistryHost::new("ghcr.io"),
        username: Some("ann".to_owned()),
        password: Some(SecretSource::Env("GHCR_PAT".to_owned())),
        insecure: false,
        warn_before_expiry: DEFAULT_WARN_BEFORE_EXPIRY,
    };
    let named = !password.is_empty();
    let here = format!("http://{}", server.host);
    let endpoints = format!("ghcr.io={here},api.github.com={here}");
    Client::new(ClientOptions {
        registries: named.then_some(entry).into_iter().collect(),
        environment: [("GHCR_PAT", password)].into_iter().collect(),
        cache: None,
        endpoints: Endpoints::parse(&endpoints).unwrap(),
    })
}

fn images(names: &[&str]) -> Vec<ImageRef> {
    let all = names.iter().map(|name| format!("ghcr.io/{name}"));
    all.map(|name| name.parse().unwrap()).collect()
}

fn ghcr() -> RegistryHost {
    RegistryHost::new("ghcr.io")
}

/// In one word, with the kind of the error.
fn shown(access: &Access) -> String {
    match access {
        Access::Accepted => "accepted".to_owned(),
        Access::NotNeeded => "not needed".to_owned(),
        Access::Rejected { cause, public } => format!("rejected {:?} {public}", cause.kind()),
        Access::Missing(cause) => format!("missing {:?}", cause.kind()),
        Access::Unknown(cause) => format!("unknown {:?}", cause.kind()),
    }
}

#[tokio::test]
async fn what_the_run_knows_is_not_asked_again() {
    let server = Server::start(github(user())).await;
    let client = client(&server, GOOD);
    let wanted = images(&[
        "o/private:16",
        "o/public:16",
        "o/private:17",
        "other/none:1",
    ]);
    client.resolve(&wanted[0]).await.unwrap();
    client.resolve(&wanted[1]).await.unwrap();
    let before = server.lines();
    assert_eq!(before.len(), 4, "{before:?}");

    let check = client.check(&ghcr(), &wanted[..3], "cluster").await;
    assert_eq!(server.lines()[4..], ["GET /user"]);
    let access: Vec<_> = check.access.iter().collect();
    assert_eq!(access.len(), 2);
    assert!(access.iter().all(|(_, it)| shown(it) == "accepted"));
    let found = check.credential.unwrap().unwrap();
    assert_eq!(found.username.as_deref(), Some("ann"));
    assert_eq!(found.source, "GHCR_PAT in the environment");
    assert_eq!(found.kind, Some(TokenKind::Classic));
    assert_eq!(found.expiry(), Expiry::NoneKnown);
    assert_eq!(found.scopes().unwrap().len(), 1);
    assert!(found.concerns().is_empty());

    // Another look is free, and another host has nothing to do with it.
    client.check(&ghcr(), &wanted[..3], "cluster").await;
    let elsewhere = RegistryHost::new("a.test");
    let other = client.check(&elsewhere, &wanted, "cluster").await;
    assert!(other.access.is_empty());
    assert!(other.credential.unwrap().is_none());
    assert_eq!(server.lines().len(), 5);
}

#[tokio::test]
async fn by_itself_it_asks_for_one_token_and_one_head_a_repository() {
    let server = Server::start(github(user())).await;
    let client = client(&server, GOOD);
    let wanted = images(&["o/private:16", "o/private:17", "o/public:16"]);
    client.check(&ghcr(), &wanted, "cluster").await;
    let mut lines = server.lines();
    lines.sort();
    let expected = [
        "GET /token",
        "GET /token",
        "GET /user",
        "HEAD /v2/o/private/manifests/16",
        "HEAD /v2/o/public/manifests/16",
    ];
    assert_eq!(lines, expected);
    // And the plan after it has its answer already.
    client.resolve(&wanted[0]).await.unwrap();
    assert_eq!(server.lines().len(), 5);
}

#[tokio::test]
async fn what_a_registry_makes_of_a_credential() {
    let table = [
        (GOOD, "o/private:16", "accepted"),
        (GOOD, "o/public:16", "accepted"),
        (GOOD, "o/hidden:16", "rejected NoPackageAccess false"),
        // A tag that is not there says nothing, and the list does.
        (GOOD, "o/private:99", "accepted"),
        (
            "ghp_old",
            "o/private:16",
            "rejected CredentialRejected false",
        ),
        ("ghp_old", "o/public:16", "rejected CredentialRejected true"),
        (
            "github_pat_x",
            "o/private:16",
            "rejected UnsupportedToken false",
        ),
        (
            "github_pat_x",
            "o/public:16",
            "rejected UnsupportedToken true",
        ),
        ("", "o/private:16", "missing AuthenticationRequired"),
        ("", "o/public:16", "not needed"),
        ("", "o/public:99", "not needed"),
    ];
    for (password, image, expected) in table {
        // Whether the run has asked before makes no difference.
        for before in [false, true] {
            let server = Server::start(github(user())).await;
            let client = client(&server, password);
            let image = &images(&[image])[0];
            if before {
                let _ = client.resolve(image).await;
            }
            let access = client.access(image).await;
            assert_eq!(shown(&access), expected, "{password} {image} {before}");
            let asked = server.lines().len();
            let other = ImageRef {
                tag: Some("77".parse().unwrap()),
                ..image.clone()
            };
            assert_eq!(shown(&client.access(&other).await), expected);
            assert_eq!(server.lines().len(), asked, "{password} {image} {before}");
        }
    }
}

/// Trouble with another tag is none with the credential.
#[tokio::test]
async fn what_one_question_has_settled_stays_settled() {
    let serve = github(user());
    let server = Server::start(move |host, asked| match asked.path.as_str() {
        path if path.ends_with("/manifests/odd") => answer(418),
        _ => serve(host, asked),
    })
    .await;
    let table = [
        (GOOD, "o/private", "accepted"),
        ("ghp_old", "o/public", "rejected CredentialRejected true"),
    ];
    for (password, name, expected) in table {
        let client = client(&server, password);
        for tag in ["16", "odd", "99", "16"] {
            let image = &images(&[&format!("{name}:{tag}")])[0];
            let _ = client.resolve(image).await;
            assert_eq!(shown(&client.access(image).await), expected, "{tag}");
        }
        let repository = &images(&[&format!("{name}:16")])[0].repository;
        let accepted = client.accepted_credential(repository).is_some();
        assert_eq!(accepted, expected == "accepted");
        assert_eq!(client.has_refused_credential(repository), !accepted);
    }
}

#[tokio::test]
async fn a_registry_that_does_not_ask_needs_no_credential() {
    let server = Server::start(|_, asked| match asked.path.as_str() {
        "/v2/" => answer(200),
        _ => found(16),
    })
    .await;
    let image = server.image("o/n:16");
    let host = image.repository.host().clone();
    let client = server.member("ann", GOOD);
    let check = client.check(&host, &[image], "cluster").await;
    assert_eq!(shown(check.access.values().next().unwrap()), "not needed");
    let found = check.credential.unwrap().unwrap();
    // It is not for GHCR: nobody is asked about it.
    assert!(found.github.is_none() && found.kind.is_none());
    assert!(matches!(found.expiry(), Expiry::Unknown(_)));
}

/// Unknown, not refused; and one who has waited does not wait again.
#[tokio::test]
async fn a_registry_without_an_answer_leaves_it_open() {
    let server = Server::start(|_, asked| match asked.path.as_str() {
        "/v2/" => answer(200),
        path if path.starts_with("/v2/o/down/") => answer(503),
        path if path.starts_with("/v2/o/busy/") => answer(429).with("retry-after", "3600"),
        _ => error(404, "NAME_UNKNOWN", "repository name not known to registry"),
    })
    .await;
    for (name, expected) in [
        ("o/none:16", "unknown RepositoryNotFound"),
        ("o/down:16", "unknown Unavailable"),
        ("o/busy:16", "unknown RateLimited"),
    ] {
        let client = server.member("ann", "hunter2");
        let image = server.image(name);
        let _ = client.resolve(&image).await;
        let asked = server.lines().len();
        assert_eq!(shown(&client.access(&image).await), expected);
        assert_eq!(server.lines().len(), asked);
    }
}

#[tokio::test]
async fn a_source_that_gives_none_is_said_and_nothing_is_asked() {
    let server = Server::start(github(user())).await;
    let client = Client::new(ClientOptions {
        registries: vec![server.entry("ann")],
        environment: Environment::default(),
        cache: None,
        endpoints: Endpoints::default(),
    });
    let image = server.image("o/private:16");
    let host = image.repository.host().clone();
    let check = client.check(&host, &[image], "cluster").await;
    let cause = check.credential.unwrap_err();
    assert_eq!(cause.kind(), ErrorKind::CredentialUnavailable);
    let access = check.access.values().next().unwrap();
    assert_eq!(shown(access), "unknown CredentialUnavailable");
    assert!(server.lines().is_empty());
}

/// Password, GitHub's answer, and what is said about the credential.
#[tokio::test]
async fn what_is_wrong_with_a_token_is_named_with_what_helps() {
    let scopes = |scopes| {
        answer(200)
            .body(r#"{"login":"ann"}"#)
            .with("x-oauth-scopes", scopes)
    };
    let fine = answer(200).body(r#"{"login":"ann"}"#);
    let revoked = answer(401).body(r#"{"message":"Bad credentials"}"#);
    let table = [
        (GOOD, scopes("write:packages"), "", ""),
        (
            GOOD,
            scopes("repo, workflow"),
            "the token from GHCR_PAT in the environment lacks the scope `read:packages`; it has \
             `repo`, `workflow`",
            "tick `read:packages`",
        ),
        (
            GOOD,
            scopes(""),
            "lacks the scope `read:packages`; it has none",
            "tick",
        ),
        (
            "github_pat_x",
            fine,
            "GHCR_PAT in the environment holds a fine-grained GitHub token (github_pat_…), which \
             ghcr.io does not accept",
            "make a classic personal access token with `read:packages`",
        ),
        (
            "ghp_gone",
            revoked,
            "GitHub does not accept the credential from GHCR_PAT in the environment (HTTP 401: \
             Bad credentials)",
            "wrong, expired or revoked",
        ),
        (
            "ghs_x",
            answer(500),
            "ends within a day",
            "long after the workflow",
        ),
        // What cannot be told is no concern: it is unknown.
        ("hunter2", answer(500), "", ""),
    ];
    for (password, user, message, hint) in table {
        let server = Server::start(github(user)).await;
        let client = client(&server, password);
        let check = client.check(&ghcr(), &[], "cluster").await;
        let concerns = check.credential.unwrap().unwrap().concerns();
        match concerns.first() {
            None => assert_eq!(message, "", "{password}"),
            Some(concern) => {
                assert!(concern.to_string().contains(message), "{concern}");
                assert!(!message.is_empty(), "{concern}");
                assert!(concern.hint().contains(hint), "{}", concern.hint());
            }
        }
        assert!(concerns.len() <= 1, "{concerns:?}");
    }
}

#[tokio::test]
async fn a_fingerprint_follows_the_credential_and_the_salt() {
    let server = Server::start(github(user())).await;
    let one = client(&server, GOOD);
    let made = one.fingerprint(&ghcr(), "cluster-1").await.unwrap();
    assert!(made.is_some());
    let again = client(&server, GOOD);
    let check = again.check(&ghcr(), &[], "cluster-1").await;
    assert_eq!(Some(check.credential.unwrap().unwrap().fingerprint), made);
    for (password, salt) in [(GOOD, "cluster-2"), ("ghp_new", "cluster-1")] {
        let other = client(&server, password).fingerprint(&ghcr(), salt).await;
        assert_ne!(other.unwrap(), made, "{password} {salt}");
    }
    let nobody = client(&server, "");
    assert_eq!(
        nobody.fingerprint(&ghcr(), "cluster-1").await.unwrap(),
        None
    );
    assert!(nobody.credential(&ghcr()).await.unwrap().is_none());
    assert!(server.lines().iter().all(|line| line == "GET /user"));
}

/// Invariant 10: of all that comes out of a check, nothing holds the secret.
#[tokio::test]
async fn nothing_that_is_told_holds_the_secret() {
    let users = [
        user(),
        answer(401).body(r#"{"message":"Bad credentials"}"#),
        answer(200).body("{"),
    ];
    for password in [GOOD, "github_pat_mArKeD", "ghs_mArKeD", "mArKeD"] {
        for user in &users {
            let server = Server::start(github(user.clone())).await;
            let client = client(&server, password);
            let wanted = images(&["o/private:16", "o/public:16", "o/hidden:16"]);
            let check = client.check(&ghcr(), &wanted, "cluster").await;
            let mut told = format!("{check:#?} {client:?} {:?}", client.github());
            told += &format!("{:?} {:?}", client.warnings(), client.requests());
            for warning in client.warnings() {
                told += &format!("{warning} {}", warning.hint());
            }
            for access in check.access.values() {
                if let Access::Rejected { cause, .. }
                | Access::Missing(cause)
                | Access::Unknown(cause) = access
                {
                    told += &format!("{cause} {}", cause.hint());
                }
            }
            let found = check.credential.unwrap().unwrap();
            for concern in found.concerns() {
                told += &format!("{concern} {concern:?} {}", concern.hint());
            }
            told += &format!("{:?} {}", found.expiry(), found.fingerprint);
            told += &format!("{:?}", client.credential(&ghcr()).await.unwrap());
            let pair = base64(&format!("ann:{password}"));
            for secret in ["mArKeD", pair.trim_end_matches('='), &base64(password)] {
                assert!(!told.contains(secret), "{secret} in {told}");
            }
            assert!(told.contains("GHCR_PAT in the environment"));
        }
    }
}
