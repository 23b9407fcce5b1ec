//! The Engine API beside the Swarm: what an engine says of itself, its images
//! and containers, logs and events, and how it refuses.

use imgstack_tests::build::Kind;
use imgstack_tests::world::World;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Duration, timeout};

use crate::service::Service;
use crate::stage::{Stage, parameter, until};
use crate::task::Task;

imgstack_tests::both! {
    an_engine_says_which_api_it_speaks,
    what_is_not_there_is_refused_in_its_own_words,
    a_worker_refuses_what_is_the_managers,
    a_manager_tells_of_its_swarm,
    an_engine_counts_its_containers_and_what_they_take,
    logs_come_in_frames,
    a_log_is_followed_to_its_end,
    events_tell_of_a_rollout,
    events_of_a_node_tell_of_its_containers,
    a_pull_tells_how_it_goes,
    a_pull_that_fails_says_why,
    an_image_has_the_names_that_it_was_pulled_by,
}

const ON_2: &str = "node.hostname==docker-infra-2";

/// A service of one task on node 2, whatever becomes of it.
async fn on_node_2<'a>(stage: &'a Stage, name: &str, image: &str) -> Service<'a> {
    let mut spec = stage.spec(name, image);
    spec["TaskTemplate"]["Placement"] = json!({"Constraints": [ON_2]});
    stage.create(&spec).await
}

async fn an_engine_says_which_api_it_speaks(world: World) {
    let stage = Stage::new(&world, "api").await;
    for node in [1, 2] {
        let engine = stage.engine(node);
        let ping = engine.get("/_ping").await.expect(200);
        assert_eq!(ping.text(), "OK");
        assert_eq!(ping.header("api-version"), "1.41");
        assert_eq!(ping.header("ostype"), "linux");
        assert_eq!(ping.header("docker-experimental"), "false");
        assert!(ping.header("content-type").starts_with("text/plain"));
        assert!(ping.header("server").starts_with("Docker/20.10.24"));
        let head = engine.send(Method::HEAD, "/_ping", None).await.expect(200);
        assert_eq!(head.header("api-version"), "1.41");
        let version = engine.get("/version").await.expect(200).json();
        assert!(version["Version"].as_str().unwrap().starts_with("20.10.24"));
        assert_eq!(version["ApiVersion"], "1.41");
        assert_eq!(version["MinAPIVersion"], "1.12");
        assert_eq!(version["Os"], "linux");
        engine.get("/v1.41/info").await.expect(200);
        engine.get("/v1.40/info").await.expect(200);
        engine.get("/v1.99/info").await.refuses(
            400,
            "client version 1.99 is too new. Maximum supported API version is 1.41",
        );
        let old = engine.get("/v1.11/info").await.expect(400).text();
        let words = "client version 1.11 is too old. Minimum supported API version is 1.12";
        assert!(old.contains(words), "{old}");
    }
}

async fn what_is_not_there_is_refused_in_its_own_words(world: World) {
    let stage = Stage::new(&world, "notfound").await;
    let table = [
        (Method::GET, "/nowhere", "page not found"),
        (Method::GET, "/v1.41/nowhere", "page not found"),
        (Method::POST, "/info", "page not found"),
        (Method::PUT, "/services", "page not found"),
        (
            Method::GET,
            "/services/nothing",
            "service nothing not found",
        ),
        (Method::GET, "/tasks/nothing", "task nothing not found"),
        (Method::GET, "/nodes/nothing", "node nothing not found"),
        (Method::GET, "/configs/nothing", "config nothing not found"),
        (Method::GET, "/secrets/nothing", "secret nothing not found"),
        (
            Method::GET,
            "/networks/nothing",
            "network nothing not found",
        ),
        (
            Method::GET,
            "/services/nothing/logs?stdout=1",
            "service nothing not found",
        ),
        (
            Method::GET,
            "/tasks/nothing/logs?stdout=1",
            "task nothing not found",
        ),
        (
            Method::GET,
            "/containers/nothing/json",
            "No such container: nothing",
        ),
        (
            Method::GET,
            "/images/nothing/json",
            "No such image: nothing:latest",
        ),
        (
            Method::DELETE,
            "/images/nothing",
            "No such image: nothing:latest",
        ),
        (
            Method::DELETE,
            "/services/nothing",
            "service nothing not found",
        ),
        (
            Method::DELETE,
            "/configs/nothing",
            "config nothing not found",
        ),
    ];
    for (method, path, words) in table {
        let reply = stage.manager.send(method, path, None).await;
        assert!(
            reply.header("content-type").starts_with("application/json"),
            "{path}"
        );
        reply.refuses(404, words);
    }
    let odd = stage.manager.get("/services?filters=rubbish").await;
    odd.expect(400);
    for (body, status) in [("", 400), ("{", 400), ("[]", 400)] {
        let request = stage.manager.request(Method::POST, "/services/create");
        let request = request
            .header("content-type", "application/json")
            .body(body);
        imgstack_tests::wire::read(request).await.expect(status);
    }
}

async fn a_worker_refuses_what_is_the_managers(world: World) {
    let stage = Stage::new(&world, "worker").await;
    let worker = stage.engine(2);
    let words = "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a manager node or promote the current node to a manager.";
    for path in [
        "/services",
        "/services/x",
        "/tasks",
        "/nodes",
        "/configs",
        "/secrets",
        "/swarm",
        "/tasks/x/logs?stdout=1",
    ] {
        worker.get(path).await.refuses(503, words);
    }
    worker
        .post("/services/create", &json!({"Name": "x"}))
        .await
        .refuses(503, words);
    worker.delete("/services/x").await.refuses(503, words);
    let swarm = worker.get("/info").await.json()["Swarm"].clone();
    assert_eq!(swarm["ControlAvailable"], false);
    assert_eq!(swarm["LocalNodeState"], "active");
    assert_eq!(swarm["NodeID"], stage.node_id(2).await);
    assert_eq!(swarm.get("Cluster"), None);
    let managers = swarm["RemoteManagers"].as_array().unwrap();
    assert_eq!(managers.len(), 1);
    assert_eq!(managers[0]["NodeID"], stage.node_id(1).await);
}

async fn a_manager_tells_of_its_swarm(world: World) {
    let stage = Stage::new(&world, "swarm").await;
    let info = stage.manager.get("/info").await.expect(200).json();
    assert_eq!(info["Name"], "docker-infra-1");
    let swarm = &info["Swarm"];
    assert_eq!(
        (&swarm["Nodes"], &swarm["Managers"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(swarm["NodeAddr"], "10.77.0.11");
    let told = stage.manager.get("/swarm").await.expect(200).json();
    let cluster = &swarm["Cluster"];
    for field in [
        "ID",
        "Version",
        "CreatedAt",
        "UpdatedAt",
        "Spec",
        "RootRotationInProgress",
        "DefaultAddrPool",
        "SubnetSize",
        "DataPathPort",
    ] {
        assert_eq!(told.get(field), cluster.get(field), "{field}");
        assert!(told.get(field).is_some(), "{field}");
    }
    assert!(
        told["JoinTokens"]["Worker"]
            .as_str()
            .unwrap()
            .starts_with("SWMTKN-1-")
    );
    assert!(told["JoinTokens"]["Manager"].is_string());
    assert_eq!(cluster.get("JoinTokens"), None);
    for date in ["CreatedAt", "UpdatedAt"] {
        let date: Result<jiff::Timestamp, _> = told[date].as_str().unwrap().parse();
        assert!(date.unwrap() <= jiff::Timestamp::now());
    }
    let spec = &told["Spec"];
    assert_eq!(
        (&spec["Name"], &spec["Labels"]),
        (&json!("default"), &json!({}))
    );
    assert_eq!(
        spec["Orchestration"],
        json!({"TaskHistoryRetentionLimit": 5})
    );
    assert_eq!(spec["EncryptionConfig"], json!({"AutoLockManagers": false}));
    assert!(spec["Raft"]["SnapshotInterval"].is_u64());
    assert!(spec["Dispatcher"]["HeartbeatPeriod"].is_u64());
    assert!(spec["CAConfig"]["NodeCertExpiry"].is_u64());
    assert_eq!(spec["TaskDefaults"], json!({}));
    let node = stage.node(1).await;
    assert_eq!(
        node["ManagerStatus"],
        json!({"Leader": true, "Reachability": "reachable", "Addr": "10.77.0.11:2377"})
    );
    assert_eq!(
        node["Status"],
        json!({"State": "ready", "Addr": "10.77.0.11"})
    );
    assert_eq!(node["Spec"]["Role"], "manager");
    let worker = stage.node(3).await;
    assert_eq!(worker.get("ManagerStatus"), None);
    assert!(
        worker["Description"]["Engine"]["EngineVersion"]
            .as_str()
            .unwrap()
            .starts_with("20.10.24")
    );
}

async fn an_engine_counts_its_containers_and_what_they_take(world: World) {
    let stage = Stage::new(&world, "counts").await;
    let image = stage.build(Kind::Good, "old").await;
    let bad = stage.build(Kind::Dying, "bad").await;
    let good = on_node_2(&stage, "good", &image).await;
    let dying = on_node_2(&stage, "dying", &bad).await;
    let running = good.runs(1).await.remove(0);
    let failed = dying
        .sees("one to have failed", |tasks| {
            tasks[..].first().is_some_and(|it| it.state() == "failed")
        })
        .await
        .remove(0);
    let engine = stage.engine(2);
    // Others come and go in between on the lab.
    until("the counts to agree", async || {
        let info = engine.get("/info").await.expect(200).json();
        let count = |field: &str| info[field].as_u64().unwrap();
        let parts =
            ["Running", "Paused", "Stopped"].map(|part| count(&format!("Containers{part}")));
        let sum: u64 = parts.iter().sum();
        match sum == count("Containers") && parts[0] > 0 && parts[2] > 0 && count("Images") > 1 {
            true => Ok(()),
            false => Err(format!("{parts:?} {}", info["Containers"])),
        }
    })
    .await;
    // A type may be named; engines of this age tell of all the same.
    let usage = engine.get("/system/df?type=image").await.expect(200).json();
    assert!(usage["LayersSize"].as_u64().unwrap() > 1_000_000);
    assert!(usage["Volumes"].is_array());
    let list = |field: &str| usage[field].as_array().unwrap().clone();
    let digest = image.split_once('@').unwrap().1;
    let ours = format!("{}@{digest}", stage.story.repository());
    let images = list("Images");
    let row = images
        .iter()
        .find(|it| it["RepoDigests"][0] == ours.as_str())
        .unwrap();
    assert_eq!(row["Containers"], 1);
    assert!(row["Size"].as_u64().unwrap() > 1_000_000);
    assert!(row["SharedSize"].as_u64().is_some());
    for (task, state) in [(&running, "running"), (&failed, "exited")] {
        let containers = list("Containers");
        let found = containers
            .iter()
            .find(|it| it["Labels"]["com.docker.swarm.task.id"] == task.id());
        let found = found.unwrap();
        assert_eq!(found["State"], state, "{found}");
        assert_eq!(found["Image"], task.image());
        assert!(found["SizeRootFs"].as_u64().unwrap() > 1_000_000);
        let container = task.container();
        assert_eq!(found["Id"], container);
        let filter = json!({"label": [format!("com.docker.swarm.task.id={}", task.id())]});
        let path = format!(
            "/containers/json?all=1&{}",
            parameter("filters", &filter.to_string())
        );
        let listed = engine.get(&path).await.expect(200).json();
        for field in [
            "Id", "Names", "Image", "ImageID", "Labels", "State", "Created",
        ] {
            assert_eq!(listed[0][field], found[field], "{field}");
        }
        let inspected = engine
            .get(&format!("/containers/{container}/json"))
            .await
            .expect(200)
            .json();
        assert_eq!(inspected["State"]["Status"], state);
        assert_eq!(inspected["Image"], found["ImageID"]);
        let name = found["Names"][0].as_str().unwrap();
        assert_eq!(inspected["Name"], name);
        let service = if state == "running" { "good" } else { "dying" };
        assert_eq!(name, format!("/{}.1.{}", stage.name(service), task.id()));
    }
    // Only those that run, unless one asks for all.
    let filter = json!({"label": [format!("com.docker.swarm.task.id={}", failed.id())]});
    let path = format!(
        "/containers/json?{}",
        parameter("filters", &filter.to_string())
    );
    assert_eq!(engine.get(&path).await.json(), json!([]));
}

/// The frames of a log: the stream and the text of each.
fn frames(mut bytes: &[u8]) -> Vec<(u8, String)> {
    let mut frames = Vec::new();
    while bytes.len() >= 8 {
        assert_eq!(bytes[1..4], [0, 0, 0]);
        let length = u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize;
        let text = String::from_utf8_lossy(&bytes[8..8 + length]).into_owned();
        frames.push((bytes[0], text));
        bytes = &bytes[8 + length..];
    }
    assert!(bytes.is_empty(), "half a frame: {bytes:?}");
    frames
}

async fn logs_come_in_frames(world: World) {
    let stage = Stage::new(&world, "logs").await;
    let image = stage.build(Kind::Dying, "bad").await;
    let mut spec = stage.spec("web", &image);
    spec["TaskTemplate"]["RestartPolicy"]["Condition"] = json!("none");
    let service = stage.create(&spec).await;
    let over = |tasks: &[Task]| tasks.first().is_some_and(|it| it.state() == "failed");
    let task = service.sees("it to have failed", over).await.remove(0);
    let ask = async |query: &str| {
        let path = format!("/tasks/{}/logs?{query}", task.id());
        stage.manager.get(&path).await
    };
    let both = ask("stdout=1&stderr=1").await.expect(200);
    // Engines of this age do not say what it is.
    assert_eq!(both.header("content-type"), "");
    let fatal = "FATAL: data directory has wrong ownership\n";
    let mut lines = frames(&both.body);
    lines.sort();
    let expected = [
        (1, format!("build {} starts\n", stage.sha("bad"))),
        (1, "opening the database\n".to_owned()),
        (2, fatal.to_owned()),
    ];
    assert_eq!(lines, expected);
    assert_eq!(frames(&ask("stderr=1").await.body), [(2, fatal.to_owned())]);
    // The last lines of all are taken before those of one stream.
    for (tail, expected) in [(0, 0), (1, 1), (2, 2), (3, 3), (9, 3)] {
        let mut kept = 0;
        for stream in ["stdout=1", "stderr=1"] {
            let body = ask(&format!("{stream}&tail={tail}")).await.body;
            kept += frames(&body).len();
        }
        assert_eq!(kept, expected, "the last {tail}");
    }
    let dated = frames(&ask("stderr=1&timestamps=1").await.body).remove(0).1;
    let (date, text) = dated.split_once(' ').unwrap();
    assert_eq!(text, fatal);
    assert!(date.parse::<jiff::Timestamp>().is_ok(), "{date}");
    assert_eq!(date.len(), "2026-02-09T04:00:00.000000000Z".len());
    let detailed = frames(&ask("stderr=1&details=1").await.body).remove(0).1;
    let expected = format!(
        "com.docker.swarm.node.id={},com.docker.swarm.service.id={},com.docker.swarm.task.id={} {fatal}",
        task.node(),
        service.id,
        task.id()
    );
    assert_eq!(detailed, expected);
    let path = format!("/services/{}/logs?stderr=1", stage.name("web"));
    let of_service = stage.manager.get(&path).await.expect(200);
    assert_eq!(frames(&of_service.body), [(2, fatal.to_owned())]);
    let table = [
        ("", "Bad parameters: you must choose at least one stream"),
        ("stdout=1&tail=-1", "negative tail values not supported"),
        (
            "stdout=1&tail=x",
            "tail value must be a positive integer or \"all\"",
        ),
    ];
    for (query, words) in table {
        ask(query).await.refuses(500, words);
    }
}

async fn a_log_is_followed_to_its_end(world: World) {
    let stage = Stage::new(&world, "follow").await;
    let image = stage.build(Kind::Good, "old").await;
    let service = stage.running("web", &image, 1).await;
    let path = format!("/services/{}/logs?stdout=1&follow=1", service.id);
    let mut answer = stage.manager.open(&path).await;
    let first = timeout(Duration::from_secs(10), answer.chunk())
        .await
        .unwrap();
    let line = (1, format!("build {} runs\n", stage.sha("old")));
    assert_eq!(frames(&first.unwrap().unwrap()), [line.clone()]);
    // Nothing more is said, and it is not over.
    let more = timeout(Duration::from_millis(500), answer.chunk()).await;
    assert!(more.is_err(), "{more:?}");
    // The next task's lines come, too.
    service
        .change(|spec| spec["TaskTemplate"]["ForceUpdate"] = json!(1))
        .await;
    let next = timeout(Duration::from_secs(20), answer.chunk())
        .await
        .unwrap();
    assert_eq!(frames(&next.unwrap().unwrap()), [line]);
}

/// Events as they come, up to one of which something holds.
async fn heard(answer: &mut reqwest::Response, last: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    let mut bytes = Vec::new();
    while !events.last().is_some_and(&last) {
        let chunk = timeout(Duration::from_secs(30), answer.chunk()).await;
        let chunk = chunk.unwrap_or_else(|_| panic!("no more events after {events:#?}"));
        bytes.extend_from_slice(&chunk.unwrap().unwrap());
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = bytes.drain(..=end).collect();
            events.push(serde_json::from_slice(&line).unwrap());
        }
    }
    events
}

async fn events_tell_of_a_rollout(world: World) {
    let stage = Stage::new(&world, "events").await;
    let old = stage.build(Kind::Good, "old").await;
    let new = stage.build(Kind::Good, "new").await;
    let name = stage.name("web");
    let filters = json!({"type": ["service", "config"], "scope": ["swarm"]});
    let path = format!("/events?{}", parameter("filters", &filters.to_string()));
    let mut answer = stage.manager.open(&path).await;
    let service = stage.running("web", &old, 1).await;
    service.roll_to(&new).await;
    service.ends("completed").await;
    let config = json!({"Name": name, "Data": "aGVsbG8="});
    let config = stage
        .manager
        .post("/configs/create", &config)
        .await
        .expect(201)
        .json();
    stage
        .manager
        .delete(&format!("/configs/{}", config["ID"].as_str().unwrap()))
        .await
        .expect(204);
    stage
        .manager
        .delete(&format!("/services/{}", service.id))
        .await
        .expect(200);
    let last = |event: &Value| {
        event["Type"] == "service"
            && event["Action"] == "remove"
            && event["Actor"]["ID"] == service.id
    };
    let mut events = heard(&mut answer, last).await;
    // Others may be at work.
    events.retain(|event| event["Actor"]["Attributes"]["name"] == name);
    let told: Vec<(String, Value)> = events
        .iter()
        .map(|event| {
            let word = |field: &str| event[field].as_str().unwrap().to_owned();
            let mut attributes = event["Actor"]["Attributes"].clone();
            attributes.as_object_mut().unwrap().remove("name");
            (format!("{} {}", word("Type"), word("Action")), attributes)
        })
        .collect();
    let says = |what: &str, attributes: Value| (what.to_owned(), attributes);
    let expected = [
        says("service create", json!({})),
        says(
            "service update",
            json!({"image.old": old, "image.new": new}),
        ),
        says("service update", json!({"updatestate.new": "updating"})),
        says(
            "service update",
            json!({"updatestate.old": "updating", "updatestate.new": "completed"}),
        ),
        says("config create", json!({})),
        says("config remove", json!({})),
        says("service remove", json!({})),
    ];
    assert_eq!(told, expected);
    let event = &events[0];
    assert_eq!(
        (&event["scope"], &event["Actor"]["ID"]),
        (&json!("swarm"), &json!(service.id))
    );
    assert_eq!(
        event["timeNano"].as_i64().unwrap() / 1_000_000_000,
        event["time"].as_i64().unwrap()
    );
    // What is past is told to whoever asks for it, up to an end.
    let since = event["timeNano"].as_i64().unwrap() / 1_000_000_000;
    let until = events.last().unwrap()["timeNano"].as_i64().unwrap() / 1_000_000_000 + 1;
    let filters = json!({"type": ["service"], "service": [name]}).to_string();
    let path = format!(
        "/events?since={since}&until={until}&{}",
        parameter("filters", &filters)
    );
    let again = stage.manager.get(&path).await.expect(200);
    assert_eq!(again.text().lines().count(), 5, "{}", again.text());
}

async fn events_of_a_node_tell_of_its_containers(world: World) {
    let stage = Stage::new(&world, "nodeevents").await;
    let image = stage.build(Kind::Dying, "bad").await;
    let filters = json!({"type": ["container"], "event": ["create", "start", "die", "destroy"]});
    let path = format!("/events?{}", parameter("filters", &filters.to_string()));
    let mut answer = stage.engine(2).open(&path).await;
    let mut spec = stage.spec("web", &image);
    spec["TaskTemplate"]["Placement"] = json!({"Constraints": [ON_2]});
    spec["TaskTemplate"]["RestartPolicy"]["Condition"] = json!("none");
    let service = stage.create(&spec).await;
    let over = |tasks: &[Task]| tasks.first().is_some_and(|it| it.state() == "failed");
    let task = service.sees("it to have failed", over).await.remove(0);
    stage
        .manager
        .delete(&format!("/services/{}", service.id))
        .await
        .expect(200);
    let ours =
        |event: &Value| event["Actor"]["Attributes"]["com.docker.swarm.task.id"] == task.id();
    let mut events = heard(&mut answer, |event| {
        ours(event) && event["Action"] == "destroy"
    })
    .await;
    events.retain(ours);
    let actions: Vec<&str> = events
        .iter()
        .map(|it| it["Action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["create", "start", "die", "destroy"]);
    let died = &events[2];
    assert_eq!(died["Actor"]["Attributes"]["exitCode"], "1");
    assert_eq!(died["Actor"]["Attributes"]["image"], image.as_str());
    assert_eq!(died["Actor"]["ID"], task.container());
    assert_eq!(
        (&died["scope"], &died["from"], &died["status"]),
        (&json!("local"), &json!(image), &json!("die"))
    );
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
    let limited = stage.auth("limited");
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
        (private.clone(), "16", None, 500, "denied".to_owned()),
        (
            private,
            "16",
            Some(limited.as_str()),
            500,
            "denied: permission_denied: read_package".to_owned(),
        ),
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
        assert!(message.contains(&words), "`{words}` is not in `{message}`");
    }
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
    let service = on_node_2(&stage, "web", &image).await;
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
