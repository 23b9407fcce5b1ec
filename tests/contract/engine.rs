//! What an engine says of itself, its Swarm and its containers, and how it
//! refuses.

use imgstack_tests::build::Kind;
use imgstack_tests::wire::Wire;
use imgstack_tests::world::World;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Stage, parameter, until};
use crate::task::Task;

imgstack_tests::both! {
    an_engine_says_which_api_it_speaks,
    what_is_not_there_is_refused_in_its_own_words,
    a_worker_refuses_what_is_the_managers,
    a_manager_tells_of_its_swarm,
    a_manager_tells_of_its_nodes,
    an_engine_counts_its_containers_and_what_they_take,
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
}

async fn a_manager_tells_of_its_nodes(world: World) {
    let stage = Stage::new(&world, "tellsnodes").await;
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
    let good = stage.on_node_2("good", &image).await;
    let dying = stage.on_node_2("dying", &bad).await;
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
    for (task, service, state) in [(&running, "good", "running"), (&failed, "dying", "exited")] {
        let containers = list("Containers");
        let of_task = |it: &&Value| it["Labels"]["com.docker.swarm.task.id"] == task.id();
        let found = containers.iter().find(of_task).unwrap();
        assert!(found["SizeRootFs"].as_u64().unwrap() > 1_000_000);
        let name = format!("/{}.1.{}", stage.name(service), task.id());
        assert_eq!(found["Names"], json!([name]));
        is_told_alike(&engine, task, state, found).await;
    }
}

/// A container's row of `/system/df` says what the list of containers says,
/// and what is said of it alone.
async fn is_told_alike(engine: &Wire, task: &Task, state: &str, found: &Value) {
    let container = task.container();
    assert_eq!(
        (&found["State"], &found["Id"]),
        (&json!(state), &json!(container))
    );
    assert_eq!(found["Image"], task.image());
    let filter = json!({"label": [format!("com.docker.swarm.task.id={}", task.id())]});
    let filter = parameter("filters", &filter.to_string());
    let path = format!("/containers/json?all=1&{filter}");
    let listed = engine.get(&path).await.expect(200).json();
    for field in [
        "Id", "Names", "Image", "ImageID", "Labels", "State", "Created",
    ] {
        assert_eq!(listed[0][field], found[field], "{field}");
    }
    let path = format!("/containers/{container}/json");
    let inspected = engine.get(&path).await.expect(200).json();
    assert_eq!(inspected["State"]["Status"], state);
    assert_eq!(inspected["Image"], found["ImageID"]);
    assert_eq!(inspected["Name"], found["Names"][0]);
    // Only those that run, unless one asks for all.
    let listed = engine
        .get(&format!("/containers/json?{filter}"))
        .await
        .json();
    assert_eq!(listed == json!([]), state != "running", "{listed}");
}
