//! Tokens, limits, packages, issues.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_token_tells_of_itself_until_it_ends() {
    let world = World::new().await;
    let soon = "2026-02-09T05:00:00Z".parse().unwrap();
    world.github.add_token(Token {
        expires: Some(soon),
        ..Token::classic("ann", "ghp_soon", &["repo", "read:packages"])
    });
    let user = world.send("GET", "/user", "ghp_soon", &Value::Null).await;
    let expiry = header(&user, "github-authentication-token-expiration");
    assert_eq!(expiry, "2026-02-09 05:00:00 UTC");
    assert_eq!(header(&user, "x-oauth-scopes"), "repo, read:packages");
    assert_eq!(header(&user, "x-ratelimit-limit"), "5000");
    assert_eq!(user.json::<Value>().await.unwrap()["login"], "ann");
    let fine = world
        .send("GET", "/user", "github_pat_read", &Value::Null)
        .await;
    assert!(fine.headers().get("x-oauth-scopes").is_none());
    wait(3600).await;
    let table = [
        ("ghp_soon", "401 Bad credentials"),
        ("", "401 Requires authentication"),
        ("ghp_all", "200"),
    ];
    for (token, expected) in table {
        assert_eq!(
            world.outcome("GET", "/user", token, &Value::Null).await,
            expected
        );
    }
    world.github.revoke("ann");
    assert_eq!(
        world.outcome("GET", "/user", "ghp_all", &Value::Null).await,
        "401 Bad credentials"
    );
    let rude = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(
        rude.get(format!("{}/user", world.url))
            .send()
            .await
            .unwrap()
            .status(),
        403
    );
}

#[tokio::test]
async fn what_is_private_does_not_exist_for_strangers() {
    let world = World::new().await;
    let table = [
        ("/repos/acme/open", "", "200"),
        ("/repos/ACME/Open", "", "200"),
        ("/repos/acme/stacks", "", "404 Not Found"),
        ("/repos/acme/stacks", "ghp_eve", "404 Not Found"),
        ("/repos/acme/stacks", "ghp_none", "404 Not Found"),
        ("/repos/acme/stacks", "ghp_all", "200"),
        ("/repos/acme/stacks", "github_pat_read", "200"),
        ("/repos/acme/none", "ghp_all", "404 Not Found"),
        ("/nonsense", "ghp_all", "404 Not Found"),
    ];
    for (path, token, expected) in table {
        let found = world.outcome("GET", path, token, &Value::Null).await;
        assert_eq!(found, expected, "{path} {token}");
    }
    let open = world.get("/repos/acme/open").await;
    assert_eq!(open["default_branch"], "main");
    assert_eq!(open["owner"]["type"], "Organization");
}

#[tokio::test(start_paused = true)]
async fn what_has_not_changed_is_free_and_the_rest_is_limited() {
    let world = World::new().await;
    world.github.set_limit(Some(2));
    let get = |etag: String| {
        let request = world.request("GET", "/repos/acme/open", "ghp_all");
        let request = request.header("if-none-match", etag);
        async move {
            let response = request.send().await.unwrap();
            let left = header(&response, "x-ratelimit-remaining").to_owned();
            let etag = header(&response, "etag").to_owned();
            (response.status().as_u16(), left, etag)
        }
    };
    let (status, left, etag) = get(String::new()).await;
    assert_eq!((status, left.as_str()), (200, "1"));
    for _ in 0..3 {
        assert_eq!(get(etag.clone()).await.0, 304);
    }
    assert_eq!(get(String::new()).await.1, "0");
    let refused = world.outcome("GET", "/user", "ghp_all", &Value::Null).await;
    assert!(
        refused.starts_with("403 API rate limit exceeded for user ID"),
        "{refused}"
    );
    let refused = world.send("GET", "/user", "ghp_all", &Value::Null).await;
    let reset: i64 = header(&refused, "x-ratelimit-reset").parse().unwrap();
    assert_eq!(reset, monday().as_second() + 3600);
    wait(3600).await;
    assert_eq!(get(String::new()).await.0, 200);
}

#[tokio::test]
async fn versions_of_a_package_are_what_was_pushed() {
    let world = World::new().await;
    let build = |sha: &str| Build::new("acme/stacks/db", sha, monday());
    world.registry.push_build(&build("a"), &["16", "16-a"]);
    let new = world.registry.push_build(&build("b"), &["16", "16-b"]);
    let path = "/orgs/acme/packages/container/stacks%2Fdb/versions";
    let rows = world.get(path).await;
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 6);
    assert_eq!(rows[0]["name"], new.digest);
    assert_eq!(
        rows[0]["metadata"]["container"]["tags"],
        json!(["16-b", "16"])
    );
    assert_eq!(rows[0]["created_at"], "2026-02-09T04:00:00Z");
    assert_eq!(rows[1]["metadata"]["container"]["tags"], json!([]));

    let mut seen = Vec::new();
    let mut next = Some(format!("{}{path}?per_page=4", world.url));
    while let Some(url) = next {
        let response = world
            .http
            .get(url)
            .bearer_auth("ghp_all")
            .send()
            .await
            .unwrap();
        let links = header(&response, "link").to_owned();
        let link = links
            .split(", ")
            .find(|link| link.ends_with("rel=\"next\""));
        next = link.map(|link| link[1..link.find('>').unwrap()].to_owned());
        let page: Vec<Value> = response.json().await.unwrap();
        seen.extend(page);
    }
    assert_eq!(seen, *rows);

    let scope = "403 You need at least read:packages scope to list the versions of a package.";
    let table = [
        (path, "", "401 Requires authentication"),
        (path, "ghp_none", scope),
        (
            path,
            "github_pat_write",
            "403 Resource not accessible by personal access token",
        ),
        (path, "ghp_eve", "404 Package not found."),
        (
            "/users/acme/packages/container/stacks%2Fdb/versions",
            "ghp_all",
            "404 Package not found.",
        ),
        (
            "/orgs/acme/packages/container/none/versions",
            "ghp_all",
            "404 Package not found.",
        ),
        (
            "/orgs/acme/packages/container/stacks/db/versions",
            "ghp_all",
            "404 Not Found",
        ),
    ];
    for (path, token, expected) in table {
        let found = world.outcome("GET", path, token, &Value::Null).await;
        assert_eq!(found, expected, "{path} {token}");
    }
    world.registry.set_public("acme/stacks/db", true);
    assert_eq!(
        world.outcome("GET", path, "ghp_eve", &Value::Null).await,
        "200"
    );
}

#[tokio::test(start_paused = true)]
async fn comments_and_labels_come_and_go() {
    let world = World::new().await;
    world.github.add_issue("acme", "open", 7);
    let issue = "/repos/acme/open/issues/7";
    let comments = format!("{issue}/comments");
    let write = "github_pat_write";
    let made = world
        .send("POST", &comments, write, &json!({"body": "a plan"}))
        .await;
    assert_eq!(made.status(), 201);
    let made: Value = made.json().await.unwrap();
    assert_eq!(
        (&made["body"], &made["user"]["login"]),
        (&json!("a plan"), &json!("ann"))
    );
    let comment = format!("/repos/acme/open/issues/comments/{}", made["id"]);
    wait(60).await;
    assert_eq!(
        world
            .outcome("PATCH", &comment, write, &json!({"body": "another"}))
            .await,
        "200"
    );
    let list = world.get(&comments).await;
    assert_eq!(
        (&list[0]["body"], &list[0]["id"]),
        (&json!("another"), &made["id"])
    );
    assert_eq!(list[0]["updated_at"], "2026-02-09T04:01:00Z");

    let labels = format!("{issue}/labels");
    let add = json!({"labels": ["drift", "to do"]});
    let pat = "403 Resource not accessible by personal access token";
    let table = [
        (
            "POST",
            comments.clone(),
            write,
            json!({}),
            "422 Validation Failed",
        ),
        (
            "POST",
            comments.clone(),
            "github_pat_read",
            json!({"body": "x"}),
            pat,
        ),
        (
            "POST",
            comments.clone(),
            "",
            json!({"body": "x"}),
            "401 Requires authentication",
        ),
        ("DELETE", comment.clone(), write, Value::Null, "204"),
        ("DELETE", comment, write, Value::Null, "404 Not Found"),
        (
            "GET",
            "/repos/acme/open/issues/8/comments".to_owned(),
            write,
            Value::Null,
            "404 Not Found",
        ),
        ("POST", labels.clone(), write, add, "200"),
        (
            "DELETE",
            format!("{labels}/to%20do"),
            write,
            Value::Null,
            "200",
        ),
        (
            "DELETE",
            format!("{labels}/to%20do"),
            write,
            Value::Null,
            "404 Label does not exist",
        ),
    ];
    for (method, path, token, body, expected) in table {
        let found = world.outcome(method, &path, token, &body).await;
        assert_eq!(found, expected, "{method} {path} {token}");
    }
    let issue = world.get(issue).await;
    assert_eq!(issue["comments"], 0);
    assert_eq!(issue["labels"][0]["name"], "drift");
    let asked = world.server.record.entries();
    assert!(asked.iter().any(|it| it.identity.as_deref() == Some("ann")));
}

/// What writing to a pull request takes: GitHub's header names two ways, and
/// one of them does.
#[tokio::test]
async fn a_pull_request_takes_a_permission_of_its_own() {
    let world = World::new().await;
    world.github.add_pull_request("acme", "open", 8);
    world.github.add_label("acme", "open", "known");
    let token = |secret: &str, permissions: &[&str]| {
        let token = Token::of_workflow(secret, &["acme/open"], permissions);
        world.github.add_token(token);
    };
    token("ghs_issues", &["issues:write"]);
    token("ghs_pulls", &["pull_requests:write"]);
    token("ghs_both", &["pull_requests:write", "issues:write"]);
    let (comments, labels) = (
        "/repos/acme/open/issues/8/comments",
        "/repos/acme/open/issues/8/labels",
    );
    let body = json!({"body": "a plan"});
    let no = "403 Resource not accessible by integration";
    let none = "403 You do not have permission to create labels on this repository.";
    let table = [
        (comments, "ghs_issues", &body, no),
        (comments, "ghs_pulls", &body, "201"),
        (labels, "ghs_issues", &json!({"labels": ["known"]}), no),
        (labels, "ghs_pulls", &json!({"labels": ["known"]}), "200"),
        (labels, "ghs_pulls", &json!({"labels": ["new"]}), none),
        (labels, "ghs_both", &json!({"labels": ["new"]}), "200"),
        (labels, "ghs_pulls", &json!({"labels": ["new"]}), "200"),
    ];
    for (path, token, body, expected) in table {
        let found = world.outcome("POST", path, token, body).await;
        assert_eq!(found, expected, "{path} {token} {body}");
    }
    let refused = world.send("POST", comments, "ghs_issues", &body).await;
    assert_eq!(
        header(&refused, "x-accepted-github-permissions"),
        "issues=write; pull_requests=write"
    );
    let list = world.get(comments).await;
    assert_eq!(list[0]["user"]["login"], "github-actions[bot]");
    assert_eq!(list[0]["user"]["type"], "Bot");
    let user = world.outcome("GET", "/user", "ghs_both", &Value::Null);
    assert_eq!(user.await, no);

    let longest = json!({"body": "ü".repeat(65_536)});
    let longer = json!({"body": "ü".repeat(65_537)});
    for (body, expected) in [(longest, "201"), (longer, "422 Validation Failed")] {
        let found = world.outcome("POST", comments, "ghs_pulls", &body).await;
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn a_commit_leads_to_the_pull_request_that_it_came_with() {
    let world = World::new().await;
    world.github.add_pull_request("acme", "open", 8);
    let (abc, def) = (
        "/repos/acme/open/commits/abc/pulls",
        "/repos/acme/open/commits/def/pulls",
    );
    assert_eq!(world.get(abc).await, json!([]));
    world.github.merge("acme", "open", 8, "abc");
    assert_eq!(world.get(abc).await[0]["number"], 8);
    assert_eq!(world.get(def).await, json!([]));
    let issue = world.get("/repos/acme/open/issues/8").await;
    assert_eq!(issue["state"], "closed");
    assert!(issue["pull_request"].is_object());
}
