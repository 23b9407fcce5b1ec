//! Where tasks go.

use imgstack_tests::build::Kind;
use imgstack_tests::world::World;
use serde_json::{Value, json};

use crate::service::seen;
use crate::stage::Stage;
use crate::task::Task;

imgstack_tests::both! {
    constraints_are_about_nodes,
    replicas_are_spread_and_bounded,
    a_global_service_has_one_task_on_each_node_that_fits,
    platforms_are_matched_by_either_name,
    a_platform_keeps_no_task_of_a_global_service_from_being_made,
}

fn nodes(tasks: &[Task]) -> Vec<String> {
    let mut nodes: Vec<String> = tasks.iter().map(|task| task.node().to_owned()).collect();
    nodes.sort_unstable();
    nodes
}

async fn all_nodes(stage: &Stage) -> Vec<String> {
    let mut nodes = Vec::new();
    for number in 1..=3 {
        nodes.push(stage.node_id(number).await);
    }
    nodes
}

async fn constraints_are_about_nodes(world: World) {
    let stage = Stage::new(&world, "constraint").await;
    let image = stage.build(Kind::Good, "old").await;
    let nodes = all_nodes(&stage).await;
    let by_id = format!("node.id == {}", nodes[2]);
    let table: [(&[&str], usize); 6] = [
        (&["node.hostname==docker-infra-2"], 1),
        (&["node.hostname == DOCKER-INFRA-2"], 1),
        (&[&by_id], 2),
        (&["node.role==manager"], 0),
        (&["node.role!=manager", "node.hostname!=docker-infra-3"], 1),
        (&["node.labels.absent!=yes", "node.ip==10.77.0.11"], 0),
    ];
    for (number, (constraints, expected)) in table.into_iter().enumerate() {
        let mut spec = stage.spec(&format!("web-{number}"), &image);
        spec["TaskTemplate"]["Placement"] = json!({"Constraints": constraints});
        let service = stage.create(&spec).await;
        let tasks = service.runs(1).await;
        assert_eq!(tasks[0].node(), nodes[expected], "{constraints:?}");
    }
}

async fn replicas_are_spread_and_bounded(world: World) {
    let stage = Stage::new(&world, "spread").await;
    let image = stage.build(Kind::Good, "old").await;
    let mut expected = all_nodes(&stage).await;
    expected.sort_unstable();
    let mut spec = stage.spec("web", &image);
    spec["Mode"]["Replicated"]["Replicas"] = json!(4);
    spec["TaskTemplate"]["Placement"] = json!({"MaxReplicas": 1});
    let service = stage.create(&spec).await;
    let tasks = service.runs(3).await;
    assert_eq!(nodes(&tasks), expected, "{}", seen(&tasks));
    let why = "no suitable node (max replicas per node limit exceed)";
    service
        .sees("the fourth to wait", |tasks| {
            tasks.iter().any(|it| it.err() == why)
        })
        .await;
    service
        .change(|spec| spec["TaskTemplate"]["Placement"]["MaxReplicas"] = json!(2))
        .await;
    service.runs(4).await;
}

async fn a_global_service_has_one_task_on_each_node_that_fits(world: World) {
    let stage = Stage::new(&world, "global").await;
    let image = stage.build(Kind::Good, "old").await;
    let mut expected = all_nodes(&stage).await;
    let manager = expected[0].clone();
    expected.sort_unstable();
    let mut spec = stage.spec("web", &image);
    spec["Mode"] = json!({"Global": {}});
    let service = stage.create(&spec).await;
    let tasks = service.runs(3).await;
    assert_eq!(nodes(&tasks), expected);
    assert!(tasks.iter().all(|task| task.slot().is_none()));
    let rolled =
        |force: u64| move |spec: &mut Value| spec["TaskTemplate"]["ForceUpdate"] = json!(force);
    service.change(rolled(1)).await;
    service.ends("completed").await;
    let after = service.runs(3).await;
    assert_eq!(nodes(&after), expected);
    assert!(after.iter().all(|task| task.0["Spec"]["ForceUpdate"] == 1));
    // Constraints that leave a node out take its task away, and no other.
    service
        .change(|spec| {
            spec["TaskTemplate"]["Placement"] = json!({"Constraints": ["node.role==worker"]})
        })
        .await;
    let kept = service.runs(2).await;
    assert!(kept.iter().all(|task| task.node() != manager));
    let stayed = |task: &Task| after.iter().any(|it| it.id() == task.id());
    assert!(kept.iter().all(stayed), "{}", seen(&kept));
}

async fn platforms_are_matched_by_either_name(world: World) {
    let stage = Stage::new(&world, "platform").await;
    let image = stage.build(Kind::Good, "old").await;
    let described = stage.node(2).await["Description"]["Platform"].clone();
    let own = match described["Architecture"].as_str().unwrap() {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let table = [
        json!([{"OS": "linux", "Architecture": own}]),
        json!([described]),
        json!([{"OS": "linux"}]),
        json!([{"OS": "windows", "Architecture": own}, {"OS": "linux", "Architecture": own}]),
    ];
    for (number, platforms) in table.into_iter().enumerate() {
        let mut spec = stage.spec(&format!("web-{number}"), &image);
        spec["TaskTemplate"]["Placement"] = json!({"Platforms": platforms});
        stage.create(&spec).await.runs(1).await;
    }
}

async fn a_platform_keeps_no_task_of_a_global_service_from_being_made(world: World) {
    let stage = Stage::new(&world, "noplatform").await;
    let image = stage.build(Kind::Good, "old").await;
    let mut spec = stage.prepull("pre", &image);
    spec["TaskTemplate"]["Placement"] = json!({
        "Platforms": [{"OS": "plan9", "Architecture": "amd64"}],
    });
    let service = stage.create(&spec).await;
    // Nobody has looked for a node, so that none was suitable is not said.
    let why = "unsupported platform on 1 node";
    let wait = |tasks: &[Task]| {
        tasks.len() == 3
            && tasks
                .iter()
                .all(|it| it.state() == "pending" && it.err() == why)
    };
    service.sees("three tasks to wait", wait).await;
}
