//! What of a change restarts tasks, and what does not.

use imgstack_tests::build::Kind;
use imgstack_tests::world::World;
use serde_json::{Value, json};

use crate::service::{Service, seen};
use crate::stage::{SECOND, Stage, auth};
use crate::task::Task;

imgstack_tests::both! {
    another_credential_restarts_nothing_that_runs,
    another_credential_replaces_what_waits_for_a_node,
    platforms_alone_restart_nothing_and_with_a_credential_everything,
    constraints_restart_only_what_may_not_stay,
    whatever_else_is_in_a_template_restarts,
    ports_and_the_way_to_be_found_restart,
    a_port_of_the_host_is_had_by_one,
    tasks_are_listed_by_whether_they_are_up_to_date,
}

async fn only(service: &Service<'_>) -> String {
    service.runs(1).await[0].id().to_owned()
}

async fn another_credential_restarts_nothing_that_runs(world: World) {
    let stage = Stage::new(&world, "rotated").await;
    let image = stage.build(Kind::Good, "old").await;
    let robot = stage.auth("robot");
    let service = stage
        .create_with(&stage.spec("web", &image), Some(&robot))
        .await;
    let task = only(&service).await;
    let before = service.read().await;
    let other = auth("robot", "another");
    service.change_with(Some(&other), |_| {}).await;
    service.rests("another credential").await;
    assert_eq!(only(&service).await, task);
    let after = service.read().await;
    assert_eq!(after.get("UpdateStatus"), None);
    assert_eq!(after["PreviousSpec"], before["Spec"]);
    // It is nowhere to be read.
    assert!(!after.to_string().contains("another") && !after.to_string().contains(&other));
}

async fn another_credential_replaces_what_waits_for_a_node(world: World) {
    let stage = Stage::new(&world, "waits").await;
    let image = stage.build(Kind::Good, "old").await;
    let mut spec = stage.spec("web", &image);
    spec["TaskTemplate"]["Placement"] = json!({"Constraints": ["node.hostname==nowhere"]});
    let service = stage.create_with(&spec, Some(&stage.auth("robot"))).await;
    let waits = |tasks: &[Task]| {
        tasks
            .last()
            .is_some_and(|it| it.err() != "" && it.state() == "pending")
    };
    service.sees("one to wait", waits).await;
    let other = auth("robot", "another");
    service.change_with(Some(&other), |_| {}).await;
    service.ends("updating").await;
    let replaced = |tasks: &[Task]| {
        tasks.len() == 2
            && (tasks[0].state(), tasks[0].desired()) == ("shutdown", "shutdown")
            && tasks[1].desired() == "running"
            && waits(tasks)
    };
    service.sees("another to wait", replaced).await;
    // It waits for a task that runs, for ever.
    service.rests("an update that waits").await;
    assert_eq!(service.status().await["State"], "updating");
    // Other constraints alone replace it, too: there is no node that it may
    // stay on.
    service
        .change(|spec| {
            spec["TaskTemplate"]["Placement"]["Constraints"] = json!(["node.hostname==elsewhere"])
        })
        .await;
    service
        .sees("a third to wait", |tasks| tasks.len() == 3 && waits(tasks))
        .await;
    // And where it finds one, the update goes on.
    service
        .change(|spec| spec["TaskTemplate"]["Placement"]["Constraints"] = json!([]))
        .await;
    service.ends("completed").await;
    service.runs(1).await;
}

async fn platforms_alone_restart_nothing_and_with_a_credential_everything(world: World) {
    let stage = Stage::new(&world, "platforms").await;
    let image = stage.build(Kind::Good, "old").await;
    let robot = stage.auth("robot");
    let service = stage
        .create_with(&stage.spec("web", &image), Some(&robot))
        .await;
    let task = only(&service).await;
    let amd64 = json!({"Architecture": "amd64", "OS": "linux"});
    let arm64 = json!({"Architecture": "arm64", "OS": "linux"});
    service
        .change(|spec| spec["TaskTemplate"]["Placement"] = json!({"Platforms": [amd64]}))
        .await;
    service.rests("platforms alone").await;
    assert_eq!(only(&service).await, task);
    // Not even platforms that the node has not.
    service
        .change(|spec| spec["TaskTemplate"]["Placement"]["Platforms"] = json!([{"OS": "plan9"}]))
        .await;
    service.rests("platforms alone").await;
    assert_eq!(only(&service).await, task);
    let other = auth("robot", "another");
    service
        .change_with(Some(&other), |spec| {
            spec["TaskTemplate"]["Placement"]["Platforms"] = json!([amd64, arm64]);
        })
        .await;
    service.ends("completed").await;
    assert_ne!(only(&service).await, task);
}

async fn constraints_restart_only_what_may_not_stay(world: World) {
    let stage = Stage::new(&world, "constraints").await;
    let image = stage.build(Kind::Good, "old").await;
    let service = stage.running("web", &image, 3).await;
    let manager = stage.node_id(1).await;
    let before = service.runs(3).await;
    let held = before.iter().filter(|task| task.node() == manager).count();
    assert_eq!(held, 1, "{}", seen(&before));
    service
        .change(|spec| {
            spec["TaskTemplate"]["Placement"] = json!({"Constraints": ["node.role==worker"]})
        })
        .await;
    service.ends("completed").await;
    let after = service.runs(3).await;
    for task in &before {
        let stayed = after.iter().any(|it| it.id() == task.id());
        assert_eq!(stayed, task.node() != manager, "{}", seen(&after));
    }
    assert!(after.iter().all(|task| task.node() != manager));
}

async fn whatever_else_is_in_a_template_restarts(world: World) {
    let stage = Stage::new(&world, "template").await;
    let image = stage.build(Kind::Good, "old").await;
    let changes: [(&str, Value); 4] = [
        ("/TaskTemplate/ForceUpdate", json!(1)),
        ("/TaskTemplate/ContainerSpec/Labels", json!({"a": "1"})),
        ("/TaskTemplate/RestartPolicy/Delay", json!(2 * SECOND)),
        (
            "/TaskTemplate/Resources",
            json!({"Reservations": {"MemoryBytes": 8_000_000}}),
        ),
    ];
    let mut services = Vec::new();
    for (number, _) in changes.iter().enumerate() {
        let mut spec = stage.spec(&format!("web-{number}"), &image);
        spec["UpdateConfig"]["Monitor"] = json!(SECOND / 2);
        services.push(stage.create(&spec).await);
    }
    for (service, (pointer, value)) in services.iter().zip(changes) {
        let task = only(service).await;
        service
            .change(|spec| {
                let (parent, field) = pointer.rsplit_once('/').unwrap();
                spec.pointer_mut(parent).unwrap()[field] = value.clone();
            })
            .await;
        service.ends("completed").await;
        assert_ne!(only(service).await, task, "{pointer}");
    }
}

async fn ports_and_the_way_to_be_found_restart(world: World) {
    let stage = Stage::new(&world, "ports").await;
    let image = stage.build(Kind::Good, "old").await;
    let service = stage.running("web", &image, 1).await;
    let mut task = only(&service).await;
    let port = |published: u16| json!({"Protocol": "tcp", "TargetPort": 80, "PublishedPort": published, "PublishMode": "host"});
    let changes = [
        // What it was without being said is another thing than what is said.
        json!({"Mode": "vip"}),
        json!({"Mode": "dnsrr"}),
        json!({"Mode": "dnsrr", "Ports": [port(18_611)]}),
        json!({"Mode": "dnsrr", "Ports": [port(18_612)]}),
    ];
    for endpoint in changes {
        service
            .change(|spec| spec["EndpointSpec"] = endpoint.clone())
            .await;
        service.ends("completed").await;
        let next = only(&service).await;
        assert_ne!(next, task, "{endpoint}");
        task = next;
    }
    let read = service.read().await;
    assert_eq!(read["Endpoint"]["Ports"], json!([port(18_612)]));
    assert_eq!(read["Endpoint"]["Spec"], read["Spec"]["EndpointSpec"]);
    service
        .change(|spec| spec["Labels"] = json!({"a": "1"}))
        .await;
    service.rests("a label").await;
    assert_eq!(only(&service).await, task);
}

async fn a_port_of_the_host_is_had_by_one(world: World) {
    let stage = Stage::new(&world, "hostport").await;
    let image = stage.build(Kind::Good, "old").await;
    let mut spec = stage.spec("web", &image);
    spec["Mode"]["Replicated"]["Replicas"] = json!(4);
    let port = json!({"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 18_613, "PublishMode": "host"});
    spec["EndpointSpec"] = json!({"Mode": "dnsrr", "Ports": [port]});
    let service = stage.create(&spec).await;
    let running = service.runs(3).await;
    let mut nodes: Vec<&str> = running.iter().map(Task::node).collect();
    nodes.sort_unstable();
    nodes.dedup();
    assert_eq!(nodes.len(), 3, "{}", seen(&running));
    let why = "no suitable node (host-mode port already in use on 3 nodes)";
    service
        .sees("the fourth to wait", |tasks| {
            tasks.iter().any(|it| it.err() == why)
        })
        .await;
    // Stopping first makes room, so that an update finds its way.
    service
        .change(|spec| {
            spec["Mode"]["Replicated"]["Replicas"] = json!(3);
            spec["TaskTemplate"]["ForceUpdate"] = json!(1);
        })
        .await;
    service.ends("completed").await;
    service.runs(3).await;
}

/// What docker's own client waits by.
async fn tasks_are_listed_by_whether_they_are_up_to_date(world: World) {
    let stage = Stage::new(&world, "uptodate").await;
    let image = stage.build(Kind::Good, "old").await;
    let service = stage.running("web", &image, 2).await;
    let listed = async || {
        let filters = json!({"service": [service.id], "_up-to-date": ["true"]});
        stage.list("tasks", filters).await.len()
    };
    assert_eq!(listed().await, 2);
    let other = auth("robot", "another");
    service
        .change_with(Some(&other), |spec| spec["Labels"] = json!({"a": "1"}))
        .await;
    assert_eq!(listed().await, 2);
    service
        .change(|spec| {
            spec["TaskTemplate"]["ForceUpdate"] = json!(1);
            spec["UpdateConfig"]["Delay"] = json!(60 * SECOND);
        })
        .await;
    let one_is_new = |tasks: &[Task]| {
        tasks
            .iter()
            .any(|it| it.0["Spec"]["ForceUpdate"] == 1 && it.runs())
    };
    service.sees("one to be replaced", one_is_new).await;
    assert_eq!(listed().await, 1);
}
