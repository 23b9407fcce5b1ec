//! What GitHub tells of a token, from a GitHub that does as told.

use imgstack_registry::credentials::{Credential, Environment, Identity};
use imgstack_registry::github::{Error, Expiry, NotAsked, TokenKind};
use imgstack_registry::oci::{Client, ClientOptions, Endpoints, RequestKind};
use secrecy::SecretString;
use tokio::net::TcpListener;

use super::server::{Answer, Server, answer};

const TOKEN: &str = "ghp_mArKeD0secret";

fn client(endpoints: &str) -> Client {
    Client::new(ClientOptions {
        registries: Vec::new(),
        environment: Environment::default(),
        cache: None,
        endpoints: Endpoints::parse(endpoints).unwrap(),
    })
}

fn at(server: &Server) -> Client {
    client(&format!("api.github.com=http://{}", server.host))
}

fn credential(password: &str) -> Credential {
    let identity = Identity::Password {
        username: "ann".to_owned(),
        password: SecretString::from(password.to_owned()),
    };
    Credential::new(identity, "GHCR_PAT in the environment")
}

fn user() -> Answer {
    answer(200).body(r#"{"login":"ann","id":1,"plan":null}"#)
}

#[tokio::test]
async fn each_token_is_asked_about_once_with_all_that_github_wants() {
    let server = Server::start(|_, _| {
        user().with("x-oauth-scopes", "read:packages, repo").with(
            "github-authentication-token-expiration",
            "2027-10-12 09:00:00 +0900",
        )
    })
    .await;
    let client = at(&server);
    let github = client.github();
    // Read twice, from two places, and the same.
    let (one, two) = (credential(TOKEN), credential(TOKEN));
    let (one, two) = tokio::join!(github.token_facts(&one), github.token_facts(&two));
    let facts = one.unwrap();
    assert_eq!(facts, two.unwrap());
    assert_eq!(facts.login, "ann");
    assert_eq!(facts.kind, TokenKind::Classic);
    assert_eq!(facts.reads_packages(), Some(true));
    assert_eq!(
        facts.expires,
        Expiry::At("2027-10-12T00:00:00Z".parse().unwrap())
    );
    github.token_facts(&credential("gho_other")).await.unwrap();
    let asked = server.asked("GET /user");
    assert_eq!(asked.len(), 2);
    let headers = [
        ("authorization", "Bearer ghp_mArKeD0secret"),
        ("accept", "application/vnd.github+json"),
        ("x-github-api-version", "2022-11-28"),
    ];
    for (name, value) in headers {
        assert_eq!(asked[0].header(name), value);
    }
    assert!(asked[0].header("user-agent").starts_with("imgstack/"));
    let counts = client.requests();
    assert_eq!(counts.len(), 1);
    assert_eq!((counts[0].kind, counts[0].count), (RequestKind::Account, 2));
}

/// A refusal, what it amounts to, and words of its message or hint.
#[tokio::test]
async fn refusals_are_told_apart_and_hold_no_token() {
    let in_an_hour = jiff::Timestamp::now().as_second() + 3600;
    let message = |status, text: &str| answer(status).body(format!(r#"{{"message":"{text}"}}"#));
    let table = [
        (
            message(401, "Bad credentials"),
            "TokenRejected",
            "(HTTP 401: Bad credentials)",
        ),
        (
            message(403, "Resource protected by organization SAML enforcement.").with(
                "x-github-sso",
                "required; url=https://github.com/orgs/o/sso",
            ),
            "SignOnRequired",
            "Configure SSO",
        ),
        (
            message(403, "Resource not accessible"),
            "Forbidden",
            "Resource not accessible",
        ),
        (
            message(403, "You have exceeded a secondary rate limit.").with("retry-after", "300"),
            "RateLimited",
            "the limit resets in 5 min",
        ),
        (
            message(403, "You have exceeded a secondary rate limit."),
            "RateLimited",
            "the limit resets in 60 s",
        ),
        (
            message(403, "API rate limit exceeded for user ID 1.")
                .with("x-ratelimit-remaining", "0")
                .with("x-ratelimit-reset", &in_an_hour.to_string()),
            "RateLimited",
            "the limit resets in 60 min",
        ),
        (
            message(429, "slow down").with("retry-after", "120"),
            "RateLimited",
            "the limit resets in 120 s",
        ),
        (message(404, "Not Found"), "Protocol", "does not take"),
        (answer(200).body("<html>"), "Protocol", "whose token it is"),
        (
            answer(302).with("location", "http://evil.test/user"),
            "Protocol",
            "which is not https",
        ),
    ];
    for (refusal, kind, words) in table {
        let server = Server::start(move |_, _| refusal.clone()).await;
        let client = at(&server);
        let error = client.github().token_facts(&credential(TOKEN)).await;
        let error = error.unwrap_err();
        let shown = format!("{error} — {}", error.hint());
        let debug = format!("{error:?}");
        assert!(debug.starts_with(kind), "{debug}");
        assert!(shown.contains(words), "{shown}");
        assert!(!format!("{shown} {debug}").contains("mArKeD"), "{shown}");
        assert_eq!(server.lines(), ["GET /user"], "{kind}");
        let blamed = matches!(kind, "TokenRejected" | "SignOnRequired");
        assert_eq!(error.blames_token(), blamed, "{kind}");
    }
}

#[tokio::test]
async fn a_redirect_to_another_host_takes_no_token_along_and_blames_none() {
    let other = Server::start(|_, asked| match asked.header("authorization") {
        "" => answer(401),
        _ => user(),
    })
    .await;
    let elsewhere = other.host.clone();
    let server = Server::start(move |_, _| {
        answer(302).with("location", &format!("http://{elsewhere}/user"))
    })
    .await;
    let error = at(&server).github().token_facts(&credential(TOKEN)).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Protocol { .. }), "{error}");
    assert_eq!(other.count("GET /user"), 1);
}

#[tokio::test]
async fn trouble_that_passes_is_tried_again() {
    let server = Server::start(|_, asked| match asked.before {
        0 => answer(502).body("<html>"),
        _ => user(),
    })
    .await;
    let facts = at(&server).github().token_facts(&credential(TOKEN)).await;
    assert_eq!(facts.unwrap().expires, Expiry::NoneKnown);
    assert_eq!(server.count("GET /user"), 2);
}

#[tokio::test]
async fn github_out_of_reach_is_said_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let client = client(&format!("api.github.com=http://{closed}"));
    let error = client.github().token_facts(&credential(TOKEN)).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(error.is_retryable());
    assert!(error.to_string().starts_with("api.github.com: "), "{error}");
    assert!(!format!("{error:?}{client:?}").contains("mArKeD"));
}

/// What is not GitHub's goes to nobody there.
#[tokio::test]
async fn what_github_cannot_know_is_not_sent_there() {
    let server = Server::start(|_, _| user()).await;
    let here = format!("http://{}", server.host);
    let both = format!("ghcr.io={here},api.github.com={here}");
    let ghcr_alone = format!("ghcr.io={here}");
    let identity = Identity::IdentityToken(SecretString::from(TOKEN));
    let token = Credential::new(identity, "GHCR_PAT in the environment");
    let table = [
        (&both, credential("hunter2"), NotAsked::NoToken),
        (&both, credential("ghp_mArKeD\nx: y"), NotAsked::NoToken),
        (&both, token, NotAsked::NoToken),
        (&both, credential("ghs_mArKeD"), NotAsked::NoAccount),
        (&ghcr_alone, credential(TOKEN), NotAsked::OtherWorld),
    ];
    for (endpoints, credential, expected) in table {
        let client = client(endpoints);
        let error = client.github().token_facts(&credential).await.unwrap_err();
        let shown = format!("{error} {error:?} {}", error.hint());
        assert!(
            matches!(error, Error::NotAsked { why, .. } if why == expected),
            "{shown}"
        );
        assert!(!shown.contains("mArKeD"), "{shown}");
    }
    assert!(server.lines().is_empty());
}
