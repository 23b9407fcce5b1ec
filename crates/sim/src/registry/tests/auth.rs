//! Tokens, rights and refusals.

use super::*;

/// The token for a scope: status, code and message, or the token.
pub(super) async fn token(
    world: &World,
    login: Option<(&str, &str)>,
    scope: &str,
) -> Result<String, String> {
    let request = world.request("GET", &format!("/token?service=x&scope={scope}"));
    let request = match login {
        Some((name, password)) => request.basic_auth(name, Some(password)),
        None => request,
    };
    let response = request.send().await.unwrap();
    if response.status() != 200 {
        return Err(outcome(response).await);
    }
    let body: Value = response.json().await.unwrap();
    Ok(body["token"].as_str().unwrap().to_owned())
}

/// What becomes of a pull of the manifest 16, with a token for it.
async fn pull(world: &World, login: Option<(&str, &str)>, name: &str) -> String {
    let scope = format!("repository:{name}:pull");
    let token = match token(world, login, &scope).await {
        Ok(token) => token,
        Err(refusal) => return format!("no token: {refusal}"),
    };
    let request = world.request("GET", &format!("/v2/{name}/manifests/16"));
    outcome(request.bearer_auth(token).send().await.unwrap()).await
}

#[tokio::test]
async fn who_reads_what_at_github() {
    let world = World::peopled(Manner::Ghcr).await;
    world
        .registry
        .add_user(User::reader("finer", "github_pat_1", ""));
    world.registry.push_build(&build("a"), &["16"]);
    world
        .registry
        .push_build(&Build::new("acme/open", "a", monday()), &["16"]);
    world.registry.set_public("acme/open", true);
    world.registry.set_public("acme/none", true);
    let no_token = "no token: 403 DENIED requested access to the resource is denied";
    let wrong = "no token: 403 DENIED denied";
    let no_read = "403 DENIED permission_denied: read_package";
    let table = [
        (None, "acme/open", "200"),
        (None, "acme/db", no_token),
        // What is not there looks the same.
        (None, "acme/none", no_token),
        (Some(("robot", "secret")), "acme/db", "200"),
        (Some(("whoever", "secret")), "acme/db", "200"),
        (Some(("robot", "secret")), "acme/none", no_read),
        (
            Some(("builder", "hammer")),
            "acme/none",
            "404 NAME_UNKNOWN repository name not known to registry",
        ),
        (Some(("guest", "nothing")), "acme/db", no_read),
        (Some(("guest", "nothing")), "acme/open", "200"),
        (Some(("robot", "wrong")), "acme/open", wrong),
        (Some(("finer", "github_pat_1")), "acme/db", wrong),
    ];
    for (login, name, expected) in table {
        assert_eq!(
            pull(&world, login, name).await,
            expected,
            "{login:?} {name}"
        );
    }
    world.registry.revoke("robot");
    assert_eq!(
        pull(&world, Some(("robot", "secret")), "acme/db").await,
        wrong
    );

    let ping = world.send("GET", "/v2/").await;
    let challenge = format!(
        r#"Bearer realm="{}/token",service="ghcr.io",scope="repository:user/image:pull""#,
        world.url
    );
    assert_eq!(header(&ping, "www-authenticate"), challenge);
    assert_eq!(header(&ping, "x-github-request-id").split(':').count(), 5);
    world.registry.set_base_url("http://ghcr.test/");
    let ping = world.send("GET", "/v2/").await;
    assert!(header(&ping, "www-authenticate").contains("\"http://ghcr.test/token\""));
}

#[tokio::test]
async fn writers_write_and_readers_are_told_that_they_do_not() {
    let world = World::peopled(Manner::Ghcr).await;
    world.registry.push_build(&build("a"), &["16"]);
    for (login, expected) in [
        (("builder", "hammer"), "202"),
        (
            ("robot", "secret"),
            "403 DENIED permission_denied: write_package",
        ),
    ] {
        let token = token(&world, Some(login), "repository:acme/db:pull,push")
            .await
            .unwrap();
        let request = world
            .request("POST", "/v2/acme/db/blobs/uploads/")
            .bearer_auth(&token);
        assert_eq!(outcome(request.send().await.unwrap()).await, expected);
        let delete = world
            .request("DELETE", "/v2/acme/db/manifests/16")
            .bearer_auth(&token);
        let delete = outcome(delete.send().await.unwrap()).await;
        assert_eq!(
            delete.starts_with("405 UNSUPPORTED"),
            expected == "202",
            "{delete}"
        );
    }
}

#[tokio::test]
async fn a_token_server_gives_less_and_the_registry_says_so() {
    for (manner, wrong) in [
        (
            Manner::Token,
            "no token: 401 UNAUTHORIZED authentication required",
        ),
        (Manner::Hub, "no token: 401"),
    ] {
        let world = World::peopled(manner).await;
        world.registry.push_build(&build("a"), &["16"]);
        let short = "401 UNAUTHORIZED authentication required";
        let table = [
            (Some(("robot", "secret")), "200"),
            (Some(("guest", "nothing")), short),
            (None, short),
            (Some(("robot", "wrong")), wrong),
            (Some(("whoever", "secret")), wrong),
        ];
        for (login, expected) in table {
            assert_eq!(
                pull(&world, login, "acme/db").await,
                expected,
                "{manner:?} {login:?}"
            );
        }
        let token = token(&world, None, "repository:acme/db:pull")
            .await
            .unwrap();
        let request = world
            .request("GET", "/v2/acme/db/manifests/16")
            .bearer_auth(token);
        let refused = request.send().await.unwrap();
        let challenge = header(&refused, "www-authenticate");
        assert!(
            challenge.ends_with(r#",scope="repository:acme/db:pull",error="insufficient_scope""#),
            "{challenge}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_ends_by_the_worlds_clock() {
    let world = World::peopled(Manner::Token).await;
    world.registry.push_build(&build("a"), &["16"]);
    let login = Some(("robot", "secret"));
    let token = token(&world, login, "repository:acme/db:pull")
        .await
        .unwrap();
    let read = || async {
        let request = world
            .request("GET", "/v2/acme/db/manifests/16")
            .bearer_auth(&token);
        request.send().await.unwrap()
    };
    tokio::time::sleep(std::time::Duration::from_secs(290)).await;
    assert_eq!(read().await.status(), 200);
    tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    let refused = read().await;
    assert!(header(&refused, "www-authenticate").contains(r#"error="invalid_token""#));
}

#[tokio::test]
async fn a_password_is_posted_as_well() {
    let world = World::peopled(Manner::Token).await;
    let table = [
        ("grant_type=password&username=robot&password=secret", 200),
        ("grant_type=password&username=robot&password=wrong", 401),
        ("grant_type=password&username=robot", 401),
        ("grant_type=refresh_token&refresh_token=x", 401),
        ("", 400),
    ];
    for (form, expected) in table {
        let response = world
            .request("POST", "/token")
            .body(form)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), expected, "{form}");
    }
}
