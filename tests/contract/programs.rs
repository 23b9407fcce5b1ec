//! Programs in containers, and where a node reaches its containers.

use imgstack_tests::build::Kind;
use imgstack_tests::world::World;
use serde_json::{Value, json};

use crate::service::Service;
use crate::stage::{ON_2, Stage, until};

imgstack_tests::both! {
    a_program_tells_how_it_ends,
    a_program_that_is_not_there_ends_all_the_same,
    what_cannot_be_run_is_refused,
    a_container_hangs_on_a_bridge_of_its_node,
    a_container_on_internal_networks_does_not,
    a_container_without_networks_is_on_the_nodes_own,
    a_container_that_is_its_host_has_no_address,
}

/// A service of one task on node 2 that runs; its container.
async fn on_node_2<'a>(stage: &'a Stage, networks: Value) -> (Service<'a>, String) {
    let image = stage.build(Kind::Good, "old").await;
    let mut spec = stage.spec("db", &image);
    spec["TaskTemplate"]["Placement"] = json!({"Constraints": [ON_2]});
    spec["TaskTemplate"]["Networks"] = networks;
    // There is no IPVS where a lab may be.
    spec["EndpointSpec"] = json!({"Mode": "dnsrr"});
    let service = stage.create(&spec).await;
    let tasks = service.runs(1).await;
    let container = tasks[0].container().to_owned();
    (service, container)
}

/// Makes a program ready to be started; its ID.
async fn create(stage: &Stage, container: &str, command: &[&str]) -> String {
    let spec = json!({"Cmd": command, "AttachStdout": true, "AttachStderr": true});
    let path = format!("/containers/{container}/exec");
    let reply = stage.engine(2).post(&path, &spec).await.expect(201);
    reply.json()["Id"].as_str().unwrap().to_owned()
}

async fn inspected(stage: &Stage, program: &str) -> Value {
    let path = format!("/exec/{program}/json");
    stage.engine(2).get(&path).await.expect(200).json()
}

/// Starts it and waits for its end; its output.
async fn start(stage: &Stage, program: &str) -> Vec<u8> {
    let path = format!("/exec/{program}/start");
    let how = json!({"Detach": false, "Tty": false});
    stage.engine(2).post(&path, &how).await.expect(200).body
}

/// What was written to standard output, and to standard error.
fn streams(mut output: &[u8]) -> [String; 2] {
    let mut streams = [const { String::new() }; 2];
    while let Some((header, rest)) = output.split_first_chunk::<8>() {
        let [kind @ 1..=2, 0, 0, 0, length @ ..] = header else {
            panic!("not a frame's header: {header:?}");
        };
        let (text, after) = rest.split_at(u32::from_be_bytes(*length) as usize);
        streams[usize::from(*kind) - 1] += &String::from_utf8_lossy(text);
        output = after;
    }
    streams
}

async fn a_program_tells_how_it_ends(world: World) {
    let stage = Stage::new(&world, "exec").await;
    let (_service, container) = on_node_2(&stage, json!([])).await;
    let sha = format!("{}\n", stage.sha("old"));
    let lag = "echo lag is 3 MB; echo too much >&2; exit 3";
    let table: [(&[&str], i64, [&str; 2]); 5] = [
        (&["true"], 0, ["", ""]),
        (&["false"], 1, ["", ""]),
        (&["cat", "/etc/build"], 0, [&sha, ""]),
        (&["sleep", "2"], 0, ["", ""]),
        (&["sh", "-c", lag], 3, ["lag is 3 MB\n", "too much\n"]),
    ];
    for (command, code, written) in table {
        let program = create(&stage, &container, command).await;
        let before = inspected(&stage, &program).await;
        assert_eq!(before["Running"], false);
        assert_eq!(before["ExitCode"], Value::Null);
        assert_eq!(before["ContainerID"], container);
        assert_eq!(before["ProcessConfig"]["entrypoint"], command[0]);
        assert_eq!(before["ProcessConfig"]["arguments"], json!(command[1..]));
        let output = start(&stage, &program).await;
        assert_eq!(streams(&output), written, "{command:?}");
        until("the program to have ended", async || {
            let after = inspected(&stage, &program).await;
            let ended = after["Running"] == false && after["ExitCode"] == code;
            ended.then_some(()).ok_or_else(|| after.to_string())
        })
        .await;
    }
}

async fn a_program_that_is_not_there_ends_all_the_same(world: World) {
    let stage = Stage::new(&world, "execmissing").await;
    let (_service, container) = on_node_2(&stage, json!([])).await;
    let program = create(&stage, &container, &["patronictl", "list"]).await;
    let [said, _] = streams(&start(&stage, &program).await);
    let words = "exec: \"patronictl\": executable file not found in $PATH: unknown\r\n";
    assert!(said.ends_with(words), "{said}");
    assert_eq!(inspected(&stage, &program).await["ExitCode"], 126);
}

async fn what_cannot_be_run_is_refused(world: World) {
    let stage = Stage::new(&world, "execrefused").await;
    let (service, container) = on_node_2(&stage, json!([])).await;
    let engine = stage.engine(2);
    let path = format!("/containers/{container}/exec");
    let reply = engine.post(&path, &json!({"Cmd": []})).await;
    reply.refuses(400, "No exec command specified");
    let command = json!({"Cmd": ["true"]});
    let reply = engine.post("/containers/nowhere/exec", &command).await;
    reply.refuses(404, "No such container: nowhere");
    let absent = "No such exec instance: nowhere";
    engine.get("/exec/nowhere/json").await.refuses(404, absent);
    let reply = engine.post("/exec/nowhere/start", &json!({})).await;
    reply.refuses(404, absent);
    // It is on node 2, and on no other.
    let reply = stage.engine(1).post(&path, &command).await;
    reply.refuses(404, &format!("No such container: {container}"));

    // The task that another one follows keeps its container.
    service
        .change(|spec| spec["TaskTemplate"]["ForceUpdate"] = json!(1))
        .await;
    until("the container to have stopped", async || {
        let reply = engine.get(&format!("/containers/{container}/json")).await;
        let running = reply.json()["State"]["Running"] == true;
        (!running).then_some(()).ok_or_else(|| "it runs".to_owned())
    })
    .await;
    let reply = engine.post(&path, &command).await;
    reply.refuses(409, &format!("Container {container} is not running"));
}

/// What the container says of its networks, by their names.
async fn networks(stage: &Stage, container: &str) -> Value {
    let path = format!("/containers/{container}/json");
    let container = stage.engine(2).get(&path).await.expect(200).json();
    container["NetworkSettings"]["Networks"].clone()
}

/// The container's entry in a network of node 2.
async fn entry(stage: &Stage, network: &str, container: &str) -> Value {
    let path = format!("/networks/{network}");
    let network = stage.engine(2).get(&path).await.expect(200).json();
    assert_eq!(network["Driver"], "bridge");
    network["Containers"][container].clone()
}

/// An overlay network that goes with the story.
async fn overlay(stage: &Stage, internal: bool) -> Value {
    let name = stage.name("net");
    let labels = json!({"com.docker.stack.namespace": stage.story.name});
    let spec = json!({
        "Name": name, "Driver": "overlay", "Internal": internal, "Labels": labels,
    });
    stage
        .post("/networks/create", &spec, None)
        .await
        .expect(201);
    json!([{"Target": name}])
}

async fn a_container_hangs_on_a_bridge_of_its_node(world: World) {
    let stage = Stage::new(&world, "gwbridge").await;
    let on = overlay(&stage, false).await;
    let (service, container) = on_node_2(&stage, on).await;
    let own = networks(&stage, &container).await;
    let names: Vec<&String> = own.as_object().unwrap().keys().collect();
    assert_eq!(names, [&stage.name("net")]);
    let there = entry(&stage, "docker_gwbridge", &container).await;
    let address = there["IPv4Address"].as_str().unwrap_or_default();
    assert!(
        address.starts_with("172.") && address.ends_with("/16"),
        "{there}"
    );
    assert_eq!(there["IPv6Address"], "");
    assert_eq!(entry(&stage, "bridge", &container).await, Value::Null);

    service
        .change(|spec| spec["Mode"]["Replicated"]["Replicas"] = json!(0))
        .await;
    until("the container to leave the bridge", async || {
        let there = entry(&stage, "docker_gwbridge", &container).await;
        there
            .is_null()
            .then_some(())
            .ok_or_else(|| there.to_string())
    })
    .await;
}

async fn a_container_on_internal_networks_does_not(world: World) {
    let stage = Stage::new(&world, "gwinternal").await;
    let on = overlay(&stage, true).await;
    let (_service, container) = on_node_2(&stage, on).await;
    let own = networks(&stage, &container).await;
    let names: Vec<&String> = own.as_object().unwrap().keys().collect();
    assert_eq!(names, [&stage.name("net")]);
    for bridge in ["docker_gwbridge", "bridge"] {
        assert_eq!(entry(&stage, bridge, &container).await, Value::Null);
    }
}

async fn a_container_without_networks_is_on_the_nodes_own(world: World) {
    let stage = Stage::new(&world, "bridge").await;
    let (_service, container) = on_node_2(&stage, json!([])).await;
    let own = networks(&stage, &container).await;
    let address = own["bridge"]["IPAddress"].as_str().unwrap();
    let there = entry(&stage, "bridge", &container).await;
    assert_eq!(there["IPv4Address"], format!("{address}/16"));
    assert_eq!(
        entry(&stage, "docker_gwbridge", &container).await,
        Value::Null
    );
}

async fn a_container_that_is_its_host_has_no_address(world: World) {
    let stage = Stage::new(&world, "host").await;
    let (_service, container) = on_node_2(&stage, json!([{"Target": "host"}])).await;
    let own = networks(&stage, &container).await;
    assert_eq!(own["host"]["IPAddress"], "", "{own}");
}
