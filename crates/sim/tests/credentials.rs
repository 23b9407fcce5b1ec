//! Credentials on the simulated GHCR and GitHub, as the product checks them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use imgstack_registry::credentials::Environment;
use imgstack_registry::github::{self, Expiry, TokenKind};
use imgstack_registry::oci::{
    Access, CacheOptions, Checked, Client, ClientOptions, CredentialCheck, Endpoints, ErrorKind,
};
use imgstack_sim::github::{GitHub, Token};
use imgstack_sim::registry::{Build, Manner, Registry, Settings, User};
use imgstack_sim::{Clock, Fault, Server, Trigger};
use imgstack_spec::{
    DEFAULT_WARN_BEFORE_EXPIRY, ImageRef, Platform, Registry as Entry, RegistryHost, SecretSource,
};
use jiff::Timestamp;
use tempfile::TempDir;

/// GHCR with `acme/db` (private) and `acme/web` (public), and GitHub beside it.
struct World {
    server: Server,
    registry: Registry,
    github: GitHub,
    endpoints: String,
    db: String,
    cache: TempDir,
}

impl World {
    async fn new() -> Self {
        let server = Server::new(Clock::starting(monday()));
        let registry = Registry::new("ghcr.io", Settings::new(Manner::Ghcr), &server);
        let github = GitHub::new(&server, Some(&registry));
        let ghcr = server.tcp("ghcr.io", None, Arc::new(registry.clone()));
        let ghcr = ghcr.await.unwrap();
        let api = server.tcp("api.github.com", None, Arc::new(github.clone()));
        let api = api.await.unwrap();
        let db = registry.push_build(&Build::new("acme/db", "abc1234", monday()), &["16"]);
        registry.push_build(&Build::new("acme/web", "abc1234", monday()), &["1"]);
        registry.set_public("acme/web", true);
        Self {
            server,
            registry,
            github,
            endpoints: format!("ghcr.io=http://{ghcr},api.github.com=http://{api}"),
            db: db.digest,
            cache: TempDir::new().unwrap(),
        }
    }

    /// A token that is good at both, for that many days.
    fn add(&self, secret: &str, days: Option<i64>) {
        let day = |days| monday() + jiff::SignedDuration::from_hours(24 * days);
        self.github.add_token(Token {
            expires: days.map(day),
            ..Token::classic("ann", secret, &["read:packages"])
        });
        // The name counts for nothing there, so each token is a user.
        self.registry.add_user(User::reader(secret, secret, "acme"));
    }

    fn revoke(&self, secret: &str) {
        self.github.revoke_token(secret);
        self.registry.revoke(secret);
    }

    fn client(&self, password: &str) -> Client {
        Client::new(ClientOptions {
            registries: vec![Entry {
                host: ghcr(),
                username: Some("ann".to_owned()),
                password: Some(SecretSource::Env("GHCR_PAT".to_owned())),
                insecure: false,
                warn_before_expiry: DEFAULT_WARN_BEFORE_EXPIRY,
            }],
            environment: [("GHCR_PAT", password)]
                .into_iter()
                .collect::<Environment>(),
            cache: Some(CacheOptions::at(self.cache.path())),
            endpoints: Endpoints::parse(&self.endpoints).unwrap(),
        })
    }

    async fn check(&self, password: &str) -> (CredentialCheck, Checked) {
        let images = [image("acme/db:16"), image("acme/web:1")];
        let client = self.client(password);
        let check = client.check(&ghcr(), &images, "cluster").await;
        let found = check.credential.clone().unwrap().unwrap();
        (check, found)
    }
}

fn monday() -> Timestamp {
    "2026-02-09T04:00:00Z".parse().unwrap()
}

fn ghcr() -> RegistryHost {
    RegistryHost::new("ghcr.io")
}

fn image(name: &str) -> ImageRef {
    format!("ghcr.io/{name}").parse().unwrap()
}

/// What the registry makes of it at `acme/db` and at `acme/web`.
fn access(check: &CredentialCheck) -> Vec<String> {
    let shown = |access: &Access| match access {
        Access::Accepted => "accepted".to_owned(),
        Access::Rejected { cause, public } => format!("{:?} {public}", cause.kind()),
        other => format!("{other:?}"),
    };
    check.access.values().map(shown).collect()
}

#[tokio::test]
async fn a_good_token_tells_when_it_ends() {
    let world = World::new().await;
    world.add("ghp_good", Some(90));
    world.add("ghp_endless", None);
    let (check, found) = world.check("ghp_good").await;
    assert_eq!(access(&check), ["accepted", "accepted"]);
    let end = "2026-05-10T04:00:00Z".parse().unwrap();
    assert_eq!(found.expiry(), Expiry::At(end));
    assert!(found.scopes().unwrap().contains("read:packages"));
    assert!(found.concerns().is_empty());
    let record = &world.server.record;
    assert_eq!(record.count("GET", "/user"), 1);
    assert_eq!(record.count("GET", "/token"), 2);
    assert_eq!(record.count("HEAD", "/manifests/"), 2);
    assert_eq!(record.entries().len(), 5);
    let (_, endless) = world.check("ghp_endless").await;
    assert_eq!(endless.expiry(), Expiry::NoneKnown);
    assert_ne!(endless.fingerprint, found.fingerprint);
}

#[tokio::test]
async fn a_token_is_revoked_and_another_one_takes_its_place() {
    let world = World::new().await;
    world.add("ghp_old", Some(90));
    world.add("ghp_new", Some(90));
    let (_, before) = world.check("ghp_old").await;
    world.revoke("ghp_old");
    let (check, old) = world.check("ghp_old").await;
    // Public pulls go on without it.
    assert_eq!(
        access(&check),
        ["CredentialRejected false", "CredentialRejected true"]
    );
    assert!(matches!(
        old.github,
        Some(Err(github::Error::TokenRejected { .. }))
    ));
    assert_eq!(old.concerns().len(), 1);
    assert!(matches!(old.expiry(), Expiry::Unknown(_)));
    // It is still known for the one that services carry.
    assert_eq!(old.fingerprint, before.fingerprint);

    let (check, new) = world.check("ghp_new").await;
    assert_eq!(access(&check), ["accepted", "accepted"]);
    assert!(new.concerns().is_empty());
    assert_ne!(new.fingerprint, old.fingerprint);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_has_ended_is_refused_by_both() {
    let world = World::new().await;
    world.add("ghp_short", Some(1));
    let end = monday() + jiff::SignedDuration::from_hours(24);
    world.registry.add_user(User {
        expires: Some(end),
        ..User::reader("ghp_short", "ghp_short", "acme")
    });
    world.server.clock.until(end).await;
    let (check, found) = world.check("ghp_short").await;
    assert_eq!(access(&check)[0], "CredentialRejected false");
    let concern = &found.concerns()[0];
    assert!(concern.hint().contains("expired"), "{}", concern.hint());
}

#[tokio::test]
async fn a_fine_grained_token_is_named_as_the_trap_it_is() {
    let world = World::new().await;
    let secret = "github_pat_x";
    let mut token = Token::fine_grained("ann", secret, &["acme/db"], &["actions:write"]);
    token.expires = Some("2026-03-01T00:00:00Z".parse().unwrap());
    world.github.add_token(token);
    world
        .registry
        .add_user(User::reader(secret, secret, "acme"));
    let (check, found) = world.check(secret).await;
    assert_eq!(
        access(&check),
        ["UnsupportedToken false", "UnsupportedToken true"]
    );
    assert_eq!(found.kind, Some(TokenKind::FineGrained));
    assert_eq!(found.scopes(), None);
    assert!(matches!(found.expiry(), Expiry::At(_)));
    let concern = &found.concerns()[0];
    assert!(concern.to_string().contains("fine-grained"), "{concern}");
    assert!(concern.hint().contains("classic"), "{}", concern.hint());
}

#[tokio::test]
async fn without_github_the_rest_is_known() {
    let world = World::new().await;
    world.add("ghp_good", Some(90));
    let limited = Fault::Answer {
        status: 403,
        headers: vec![("retry-after".to_owned(), "600".to_owned())],
        body: r#"{"message":"You have exceeded a secondary rate limit."}"#.to_owned(),
    };
    let trigger = Trigger {
        server: "api.github.com".to_owned(),
        ..Trigger::default()
    };
    world.server.faults.set(trigger, limited);
    let (check, found) = world.check("ghp_good").await;
    assert_eq!(access(&check), ["accepted", "accepted"]);
    assert!(matches!(found.expiry(), Expiry::Unknown(why) if why.contains("rate limited")));
    assert!(found.concerns().is_empty());
    assert_eq!(found.kind, Some(TokenKind::Classic));
}

#[tokio::test]
async fn a_clean_up_is_noticed_though_all_is_in_the_cache() {
    let world = World::new().await;
    world.add("ghp_good", None);
    let repository = image("acme/db").repository;
    let digest = world.db.parse().unwrap();
    let node = Platform {
        os: "linux".to_owned(),
        architecture: "arm64".to_owned(),
        variant: Some("v8".to_owned()),
    };
    let nodes = [node.clone()];
    let first = world.client("ghp_good");
    let found = first.pullable(&repository, &digest, &nodes).await.unwrap();
    let size = found[&node].as_ref().unwrap().size;
    assert!((95_000_000..95_010_000).contains(&size), "{size}");

    world.registry.delete_children("acme/db", &world.db);
    let next = world.client("ghp_good");
    let sizes = next.sizes(&repository, &digest, &nodes).await.unwrap();
    assert_eq!(sizes[&node].as_ref().unwrap().size, size);
    assert!(next.requests().is_empty());
    let found = next.pullable(&repository, &digest, &nodes).await.unwrap();
    let error = found[&node].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ManifestDeleted);
}
