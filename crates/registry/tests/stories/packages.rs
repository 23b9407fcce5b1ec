//! Versions of packages, from a GitHub that does as told.

use imgstack_registry::credentials::{Credential, Environment, Identity};
use imgstack_registry::github::{Error, Extent, NotAsked, Package, PackageVersions};
use imgstack_registry::oci::{Client, ClientOptions, Endpoints, RequestKind};
use secrecy::SecretString;

use super::server::{Answer, Server, answer, digest};

const USER: &str = "GET /users/acme/packages/container/stacks%2Fdb/versions";
const ORGANIZATION: &str = "GET /orgs/acme/packages/container/stacks%2Fdb/versions";

fn client(server: &Server) -> Client {
    let endpoints = format!("api.github.com=http://{}", server.host);
    Client::new(ClientOptions {
        registries: Vec::new(),
        environment: Environment::default(),
        cache: None,
        endpoints: Endpoints::parse(&endpoints).unwrap(),
    })
}

fn credential(username: &str, password: &str) -> Credential {
    let identity = Identity::Password {
        username: username.to_owned(),
        password: SecretString::from(password.to_owned()),
    };
    Credential::new(identity, "GHCR_PAT in the environment")
}

fn package() -> Package {
    Package::of(&"ghcr.io/acme/stacks/db".parse().unwrap()).unwrap()
}

async fn versions(
    client: &Client,
    username: &str,
    builds: Option<usize>,
) -> Result<PackageVersions, Error> {
    let extent = Extent {
        builds,
        ..Extent::default()
    };
    as_far_as(client, username, &extent).await
}

async fn as_far_as(
    client: &Client,
    username: &str,
    extent: &Extent,
) -> Result<PackageVersions, Error> {
    let credential = credential(username, "ghp_mArKeD0secret");
    let github = client.github();
    github
        .package_versions(&package(), &credential, extent)
        .await
}

/// A page with the rows of those numbers; of three, the first has tags.
fn page(numbers: std::ops::Range<u64>) -> Answer {
    let row = |n: u64| {
        let tags = match n % 3 {
            0 => format!(r#""16-{n}","16-2026""#),
            1 => format!(r#""sha256-{}""#, &digest(n)["sha256:".len()..]),
            _ => String::new(),
        };
        format!(
            r#"{{"id":{n},"name":"{}","created_at":"2026-02-09T04:00:{:02}Z",
            "updated_at":"2026-02-10T04:00:00Z","metadata":{{"package_type":"container",
            "container":{{"tags":[{tags}]}}}}}}"#,
            digest(n),
            n % 60,
        )
    };
    let rows: Vec<String> = numbers.map(row).collect();
    answer(200).body(format!("[{}]", rows.join(",")))
}

fn not_found() -> Answer {
    answer(404).body(r#"{"message":"Package not found."}"#)
}

#[tokio::test]
async fn pages_are_read_until_there_are_builds_enough() {
    let server = Server::start(|host, asked| {
        let number: u64 = asked.query.rsplit('=').next().unwrap().parse().unwrap();
        // GitHub goes on with numbers in place of names, under its own host.
        let to = |base: &str, n: u64| {
            let path = "organizations/7/packages/container/stacks%2Fdb/versions";
            format!("<{base}/{path}?per_page=100&page={n}>; rel=\"next\"")
        };
        match number {
            100 => page(0..9).with("link", &to("https://api.github.com", 2)),
            2 => page(9..18).with("link", &to(&format!("http://{host}"), 3)),
            _ => page(18..20),
        }
    })
    .await;
    let client = client(&server);
    let next = "GET /organizations/7/packages/container/stacks%2Fdb/versions";
    // Wanted builds; pages asked for, versions read, and whether that is all.
    let table = [
        (Some(3), 1, 9, false),
        (Some(4), 2, 18, false),
        (Some(7), 3, 20, true),
        (None, 3, 20, true),
    ];
    let mut asked = 0;
    for (builds, pages, read, complete) in table {
        let list = versions(&client, "robot", builds).await.unwrap();
        assert_eq!((list.versions.len(), list.complete), (read, complete));
        asked += pages;
        assert_eq!(server.lines().len(), asked, "{builds:?}");
    }
    assert_eq!(server.count(ORGANIZATION), 4);
    assert_eq!(server.count(next), 5);
    let asked = server.asked(ORGANIZATION);
    assert_eq!(asked[0].query, "per_page=100");
    assert_eq!(asked[0].header("authorization"), "Bearer ghp_mArKeD0secret");
    let list = versions(&client, "robot", Some(1)).await.unwrap();
    let first = &list.versions[0];
    assert_eq!(first.digest.as_str(), digest(0));
    let tags: Vec<&str> = first.tags.iter().map(|tag| tag.as_str()).collect();
    assert_eq!(tags, ["16-0", "16-2026"]);
    assert_eq!(first.created_at.to_string(), "2026-02-09T04:00:00Z");
    assert_eq!(first.updated_at.to_string(), "2026-02-10T04:00:00Z");
    let builds: Vec<bool> = list.versions.iter().map(|it| it.is_build()).collect();
    assert_eq!(builds[..6], [true, false, false, true, false, false]);
    let counts = client.requests();
    assert_eq!(counts[0].kind, RequestKind::Package);
}

/// Pages of nine versions, of which three are builds, without end.
#[tokio::test]
async fn digests_are_looked_for_within_a_number_of_requests() {
    let server = Server::start(|host, asked| {
        if asked.path.starts_with("/users/") {
            return not_found();
        }
        let number = asked.query.rsplit('=').next().unwrap().parse().unwrap();
        let number: u64 = if number == 100 { 1 } else { number };
        let path = "orgs/acme/packages/container/stacks%2Fdb/versions";
        let next = number + 1;
        let link = format!("<http://{host}/{path}?page={next}>; rel=\"next\"");
        page((number - 1) * 9..number * 9).with("link", &link)
    })
    .await;
    // Who asks, builds, digests and requests wanted; requests made.
    let table = [
        ("robot", 1, vec![], Some(4), 1),
        ("robot", 1, vec![20], Some(4), 3),
        ("robot", 7, vec![0], Some(4), 3),
        ("robot", 1, vec![999], Some(4), 4),
        ("robot", 99, vec![], Some(4), 4),
        ("robot", 9, vec![], None, 3),
        // A wrong guess is one of them.
        ("acme", 99, vec![], Some(4), 4),
    ];
    for (username, builds, digests, requests, expected) in table {
        let before = server.lines().len();
        let extent = Extent {
            builds: Some(builds),
            digests: digests
                .into_iter()
                .map(|n| digest(n).parse().unwrap())
                .collect(),
            requests,
        };
        let list = as_far_as(&client(&server), username, &extent).await;
        assert!(!list.unwrap().complete);
        assert_eq!(server.lines().len() - before, expected, "{extent:?}");
    }
}

/// Who asks, what the owner is, and what is asked, the second time included.
#[tokio::test]
async fn the_kind_of_owner_is_found_once() {
    let table = [
        ("Acme", true, vec![USER, USER]),
        ("Acme", false, vec![USER, ORGANIZATION, ORGANIZATION]),
        ("robot", false, vec![ORGANIZATION, ORGANIZATION]),
        ("robot", true, vec![ORGANIZATION, USER, USER]),
    ];
    for (username, is_user, expected) in table {
        let server =
            Server::start(
                move |_, asked| match asked.path.starts_with("/users/") == is_user {
                    true => page(0..3),
                    false => not_found(),
                },
            )
            .await;
        let client = client(&server);
        for _ in 0..2 {
            let list = versions(&client, username, None).await.unwrap();
            assert_eq!(list.versions.len(), 3);
        }
        assert_eq!(server.lines(), expected, "{username} {is_user}");
    }
}

/// A refusal, what it amounts to, and words of its message or hint.
#[tokio::test]
async fn a_refusal_names_what_is_missing() {
    let message = |status, text: &str| answer(status).body(format!(r#"{{"message":"{text}"}}"#));
    let scope = "You need at least read:packages scope to list the versions of a package.";
    let table = [
        (
            message(403, scope),
            "Forbidden",
            "may not read the package acme/stacks/db",
        ),
        (
            message(403, scope),
            "Forbidden",
            "classic tokens with `read:packages` alone: put one into GHCR_PAT",
        ),
        (
            not_found(),
            "NotFound",
            "no package acme/stacks/db (HTTP 404: Package not found.)",
        ),
        (not_found(), "NotFound", "it takes `read:packages`"),
        (
            message(401, "Bad credentials"),
            "TokenRejected",
            "with `read:packages`",
        ),
        (answer(200).body("{}"), "Protocol", "not a list of versions"),
        (
            answer(200).body(
                r#"[{"name":"latest","created_at":"2026-02-09T04:00:00Z","updated_at":"2026-02-09T04:00:00Z"}]"#,
            ),
            "Protocol",
            "no digest",
        ),
        (
            page(0..3).with("link", r#"<http://evil.test/x?page=2>; rel="next""#),
            "Protocol",
            "at another host",
        ),
        (
            page(0..3).with("link", r#"<https://api.github.com//evil.test/x>; rel="next""#),
            "NotFound",
            "",
        ),
    ];
    for (refusal, kind, words) in table {
        let server = Server::start(move |_, asked| match asked.path.starts_with("/orgs/") {
            true => refusal.clone(),
            false => not_found(),
        })
        .await;
        let error = versions(&client(&server), "robot", None).await;
        let error = error.unwrap_err();
        let shown = format!("{error} — {}", error.hint());
        let debug = format!("{error:?}");
        assert!(debug.starts_with(kind), "{debug}");
        assert!(shown.contains(words), "{shown}");
        assert!(!format!("{shown} {debug}").contains("mArKeD"), "{shown}");
    }
}

#[tokio::test]
async fn what_is_not_githubs_is_not_asked_about_or_sent() {
    assert_eq!(Package::of(&"quay.io/acme/db".parse().unwrap()), None);
    let server = Server::start(|_, _| page(0..3)).await;
    let client = client(&server);
    let credential = credential("acme", "hunter2");
    let asked = client
        .github()
        .package_versions(&package(), &credential, &Extent::default())
        .await;
    let error = asked.unwrap_err();
    assert!(
        matches!(
            error,
            Error::NotAsked {
                why: NotAsked::NoToken,
                ..
            }
        ),
        "{error}"
    );
    assert!(server.lines().is_empty());
}
