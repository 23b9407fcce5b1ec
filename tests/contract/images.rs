//! The images of a node: pulled, named and removed.

use imgstack_tests::build::Kind;
use imgstack_tests::world::World;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Stage, parameter, until};

imgstack_tests::both! {
    a_pull_tells_how_it_goes,
    a_pull_that_fails_says_why,
    an_image_has_the_names_that_it_was_pulled_by,
    a_stopped_container_holds_its_image,
}

/// Pulls on node 2; the lines of its progress.
async fn pull(stage: &Stage, name: &str, tag: &str, auth: Option<&str>) -> (u16, Vec<Value>) {
    let path = format!(
        "/images/create?{}&{}",
        parameter("fromImage", name),
        parameter("tag", tag)
    );
    let request = stage.engine(2).request(Method::POST, &path);
    let reply = imgstack_tests::wire::read(match auth {
        Some(auth) => request.header("X-Registry-Auth", auth),
        None => request,
    })
    .await;
    let text = reply.text();
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let lines = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    (reply.status, lines)
}

fn statuses(lines: &[Value]) -> Vec<String> {
    let statuses = lines.iter().filter_map(|line| line["status"].as_str());
    statuses.map(str::to_owned).collect()
}

async fn a_pull_tells_how_it_goes(world: World) {
    let stage = Stage::new(&world, "pull").await;
    let image = stage.build(Kind::Good, "old").await;
    let digest = image.split_once('@').unwrap().1;
    let repository = stage.story.repository();
    let (status, lines) = pull(&stage, &repository, "16", None).await;
    assert_eq!(status, 200);
    assert_eq!(
        lines[0],
        json!({"status": format!("Pulling from {}", stage.story.path()), "id": "16"})
    );
    let said = statuses(&lines);
    let layers: Vec<&str> = lines
        .iter()
        .filter_map(|line| line["id"].as_str())
        .skip(1)
        .collect();
    assert!(layers.iter().all(|id| id.len() == 12), "{layers:?}");
    assert!(said.contains(&"Pull complete".to_owned()), "{said:?}");
    let end = [
        format!("Digest: {digest}"),
        format!("Status: Downloaded newer image for {repository}:16"),
    ];
    assert_eq!(said[said.len() - 2..], end);
    // Again, by tag and by digest: there is nothing to do.
    for (tag, name) in [
        ("16", format!("{repository}:16")),
        (digest, format!("{repository}@{digest}")),
    ] {
        let (status, lines) = pull(&stage, &repository, tag, None).await;
        assert_eq!(status, 200);
        let said = statuses(&lines);
        assert_eq!(
            said[said.len() - 2..],
            [
                format!("Digest: {digest}"),
                format!("Status: Image is up to date for {name}")
            ]
        );
        assert_eq!(said.len(), 3, "{said:?}");
    }
}

async fn a_pull_that_fails_says_why(world: World) {
    let stage = Stage::new(&world, "nopull").await;
    stage.build(Kind::Good, "old").await;
    let path = stage.story.path();
    let private = format!("{}/{path}", stage.world().private());
    stage
        .story
        .push_private(&path, Kind::Good, &stage.sha("old"))
        .await;
    let repository = stage.story.repository();
    let zeros = format!("sha256:{}", "0".repeat(64));
    let nobody = format!("{}:1", repository.split(':').next().unwrap());
    let table = [
        (
            repository.clone(),
            "none",
            None,
            404,
            format!("manifest for {repository}:none not found: manifest unknown: manifest unknown"),
        ),
        (
            format!("{repository}-none"),
            "16",
            None,
            404,
            format!(
                "manifest for {repository}-none:16 not found: manifest unknown: manifest unknown"
            ),
        ),
        (
            repository.clone(),
            zeros.as_str(),
            None,
            404,
            format!(
                "manifest for {repository}@{zeros} not found: manifest unknown: manifest unknown"
            ),
        ),
        (private.clone(), "16", None, 500, ": denied".to_owned()),
        (
            format!("{nobody}/a/b"),
            "16",
            None,
            500,
            "connection refused".to_owned(),
        ),
        (
            "BAD".to_owned(),
            "16",
            None,
            400,
            "invalid reference format".to_owned(),
        ),
    ];
    for (name, tag, auth, status, words) in table {
        let (got, lines) = pull(&stage, &name, tag, auth).await;
        let message = lines[0]["message"].as_str().unwrap_or_default();
        assert_eq!(got, status, "{name}:{tag}: {lines:?}");
        let ends = message.ends_with(&words) || words.starts_with("invalid");
        assert!(
            ends && message.contains(&words),
            "`{words}` does not end `{message}`"
        );
    }
    // Who refuses it, the token server or the registry, makes the status.
    let limited = stage.auth("limited");
    let (status, lines) = pull(&stage, &private, "16", Some(&limited)).await;
    let message = lines[0]["message"].as_str().unwrap_or_default();
    assert!([404, 500].contains(&status), "{status} {message}");
    let words = ": denied: permission_denied: read_package";
    assert!(message.ends_with(words), "{message}");
}

async fn an_image_has_the_names_that_it_was_pulled_by(world: World) {
    let stage = Stage::new(&world, "image").await;
    let image = stage.build(Kind::Good, "old").await;
    let (tagged, digest) = image.split_once('@').unwrap();
    let repository = stage.story.repository();
    let engine = stage.engine(2);
    let listed = async || {
        let filters = json!({"reference": [repository]}).to_string();
        let path = format!("/images/json?{}", parameter("filters", &filters));
        engine.get(&path).await.expect(200).json()
    };
    let by_digest = format!("{repository}@{digest}");
    pull(&stage, &repository, digest, None).await;
    let list = listed().await;
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
    assert_eq!(list[0]["RepoDigests"], json!([by_digest]));
    assert_eq!(list[0]["RepoTags"], json!(null));
    assert_eq!(list[0]["Containers"], -1);
    let id = list[0]["Id"].as_str().unwrap().to_owned();
    pull(&stage, &repository, "16", None).await;
    let list = listed().await;
    assert_eq!(list[0]["RepoTags"], json!([format!("{repository}:16")]));
    assert_eq!(list[0]["Id"], id.as_str());
    for name in [by_digest.clone(), format!("{repository}:16"), id.clone()] {
        let reply = engine.get(&format!("/images/{name}/json")).await;
        assert_eq!(reply.expect(200).json()["Id"], id.as_str(), "{name}");
    }
    // The tag of a reference with a digest is no name of the image's.
    engine
        .get(&format!("/images/{tagged}/json"))
        .await
        .expect(404);
    let service = stage.on_node_2("web", &image).await;
    let task = service.runs(1).await.remove(0);
    let container = task.container();
    let path = format!("/images/{repository}:16");
    let refused = engine.delete(&path).await.expect(409).message();
    assert!(
        refused.starts_with("conflict: unable to ") && refused.contains(&container[..12]),
        "{refused}"
    );
    stage
        .manager
        .delete(&format!("/services/{}", service.id))
        .await
        .expect(200);
    until("the image to be free", async || {
        let reply = engine.delete(&path).await;
        match reply.status {
            200 => Ok(()),
            _ => Err(reply.text()),
        }
    })
    .await;
    assert_eq!(listed().await, json!([]));
    engine
        .get(&format!("/images/{by_digest}/json"))
        .await
        .expect(404);
}

async fn a_stopped_container_holds_its_image(world: World) {
    let stage = Stage::new(&world, "holds").await;
    let old = stage.build(Kind::Good, "old").await;
    let new = stage.build(Kind::Good, "new").await;
    let engine = stage.engine(2);
    let service = stage.on_node_2("web", &old).await;
    let task = service.runs(1).await.remove(0);
    service.roll_to(&new).await;
    service.ends("completed").await;
    let path = format!("/images/{old}");
    let container = &task.container()[..12];
    let refused = engine.delete(&path).await.expect(409).message();
    assert!(refused.contains(container), "{refused}");
    let filter = json!({"label": [format!("com.docker.swarm.service.id={}", service.id)]});
    let query = parameter("filters", &filter.to_string());
    let prune = format!("/containers/prune?{query}");
    let reply = engine.send(Method::POST, &prune, None).await.expect(200);
    assert_eq!(reply.json()["ContainersDeleted"], json!([task.container()]));
    let reply = engine.send(Method::POST, &prune, None).await.expect(200);
    assert_eq!(reply.json()["ContainersDeleted"], json!(null));
    let gone = engine.delete(&path).await.expect(200).json();
    assert!(
        gone.as_array()
            .unwrap()
            .iter()
            .any(|it| it["Deleted"].is_string()),
        "{gone}"
    );
    // What became of the task is told all the same.
    let told = service.tasks().await;
    assert_eq!(told[0].container(), task.container());
    service.runs(1).await;
}
