//! The project's own client, which is what all this is for.

use imgstack_registry::credentials::Environment;
use imgstack_registry::oci::{Client, ClientOptions, Error, ErrorKind, Warning};
use imgstack_spec::{
    DEFAULT_WARN_BEFORE_EXPIRY, ImageRef, Registry as Entry, RegistryHost, SecretSource,
};

use super::*;

impl World {
    fn authority(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    fn client(&self, login: Option<(&str, &str)>) -> Client {
        let entry = |name: &str| Entry {
            host: RegistryHost::new(self.authority()),
            username: Some(name.to_owned()),
            password: Some(SecretSource::Env("PASSWORD".to_owned())),
            insecure: false,
            warn_before_expiry: DEFAULT_WARN_BEFORE_EXPIRY,
        };
        let password = login.map(|(_, password)| ("PASSWORD", password));
        Client::new(ClientOptions {
            environment: password.into_iter().collect::<Environment>(),
            ..ClientOptions::new(login.map(|(name, _)| entry(name)).into_iter().collect())
        })
    }

    fn image(&self, name: &str) -> ImageRef {
        format!("{}/{name}", self.authority()).parse().unwrap()
    }

    async fn resolve(&self, login: Option<(&str, &str)>, name: &str) -> Result<String, Error> {
        let resolved = self.client(login).resolve(&self.image(name)).await?;
        Ok(resolved.digest.to_string())
    }
}

const ROBOT: Option<(&str, &str)> = Some(("robot", "secret"));

#[tokio::test]
async fn every_manner_is_understood_and_so_is_every_refusal() {
    use ErrorKind::{AuthenticationRequired, CredentialRejected, NoPackageAccess, TagNotFound};
    let wrong = Some(("robot", "wrong"));
    let guest = Some(("guest", "nothing"));
    let all = [Manner::Plain, Manner::Token, Manner::Ghcr, Manner::Hub];
    for manner in all {
        let world = World::peopled(manner).await;
        let pushed = world.registry.push_build(&build("a"), &["16"]);
        let table = [
            (ROBOT, "acme/db:16", None),
            (ROBOT, "acme/db:17", Some(TagNotFound)),
            (wrong, "acme/db:16", Some(CredentialRejected)),
            (guest, "acme/db:16", Some(NoPackageAccess)),
            (None, "acme/db:16", Some(AuthenticationRequired)),
        ];
        for (login, image, expected) in table {
            let resolved = world.resolve(login, image).await;
            match expected {
                None => assert_eq!(resolved.unwrap(), pushed.digest),
                Some(kind) => {
                    let error = resolved.unwrap_err();
                    assert_eq!(error.kind(), kind, "{manner:?} {login:?} {image}: {error}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_build_is_told_whole() {
    let world = World::peopled(Manner::Ghcr).await;
    let pushed = world.registry.push_build(&build("abc1234"), &["16"]);
    let client = world.client(ROBOT);
    let repository = world.image("acme/db").repository;
    let digest = pushed.digest.parse().unwrap();
    let found = client.build(&repository, &digest).await.unwrap();
    assert_eq!(found.revision.as_deref(), Some("abc1234"));
    assert_eq!(found.created.as_deref(), Some("2026-02-09T04:00:00Z"));
    let children = found
        .children
        .iter()
        .map(|(k, v)| (k.clone(), v.to_string()));
    assert_eq!(
        children.collect::<std::collections::BTreeMap<_, _>>(),
        pushed.manifests
    );
    assert!(
        found
            .sizes
            .values()
            .all(|size| (95_000_000..95_010_000).contains(size))
    );

    world.registry.delete_children("acme/db", &pushed.digest);
    let error = world
        .client(ROBOT)
        .build(&repository, &digest)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ManifestDeleted);
}

#[tokio::test]
async fn two_hundred_and_fifty_tags_are_three_pages() {
    let world = World::peopled(Manner::Ghcr).await;
    let tags: Vec<String> = (0..250).map(|n| format!("16-{n}")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    world.registry.push_build(&build("a"), &tags);
    let client = world.client(ROBOT);
    let found = client
        .tags(&world.image("acme/db").repository)
        .await
        .unwrap();
    let found: Vec<&str> = found.iter().map(|tag| tag.as_str()).collect();
    assert_eq!(found, tags);
    assert_eq!(world.server.record.count("GET", "/tags/list"), 3);
    assert_eq!(world.server.record.count("GET", "/token"), 1);
    let who: Vec<_> = world.server.record.entries();
    assert!(
        who.iter()
            .skip(1)
            .all(|entry| entry.identity.as_deref() == Some("robot"))
    );
}

#[tokio::test]
async fn a_limit_is_waited_for_and_a_wrong_digest_is_noticed() {
    let world = World::peopled(Manner::Ghcr).await;
    let pushed = world.registry.push_build(&build("a"), &["16"]);
    world.registry.throttle_next(2);
    assert_eq!(
        world.resolve(ROBOT, "acme/db:16").await.unwrap(),
        pushed.digest
    );
    let statuses = world.server.record.entries();
    assert_eq!(
        statuses.iter().filter(|it| it.status == Some(429)).count(),
        2
    );

    let other = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
    assert!(world.registry.mislead("acme/db", "16", Some(&other)));
    let told = world.resolve(ROBOT, "acme/db:16").await.unwrap();
    assert_eq!(told, other.to_string());
    let repository = world.image("acme/db").repository;
    let error = world
        .client(ROBOT)
        .build(&repository, &other)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ManifestDeleted);
    world.registry.set_off(true);
    let error = world.resolve(ROBOT, "acme/db:16").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn tokens_that_end_in_mid_run_are_renewed() {
    for manner in [Manner::Token, Manner::Ghcr, Manner::Hub] {
        let world = World::peopled(manner).await;
        world.registry.push_build(&build("a"), &["16", "17"]);
        let client = world.client(ROBOT);
        client.resolve(&world.image("acme/db:16")).await.unwrap();
        world.registry.expire_tokens();
        client.resolve(&world.image("acme/db:17")).await.unwrap();
        assert_eq!(world.server.record.count("GET", "/token"), 2, "{manner:?}");
    }
}

#[tokio::test]
async fn a_revoked_credential_at_a_public_package_is_a_warning() {
    let world = World::peopled(Manner::Ghcr).await;
    world.registry.push_build(&build("a"), &["16"]);
    world.registry.set_public("acme/db", true);
    world.registry.revoke("robot");
    let client = world.client(ROBOT);
    client.resolve(&world.image("acme/db:16")).await.unwrap();
    assert!(matches!(
        client.warnings()[..],
        [Warning::StaleCredential { .. }]
    ));
}
