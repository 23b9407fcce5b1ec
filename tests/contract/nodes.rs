//! Nodes: drained, paused, labelled, and back.

use imgstack_tests::build::Kind;
use imgstack_tests::loan::{Loan, Thing};
use imgstack_tests::world::World;
use serde_json::{Value, json};

use crate::service::{Service, seen};
use crate::stage::{Stage, pause, until};
use crate::task::Task;

imgstack_tests::both! {
    a_drained_node_loses_its_tasks_and_takes_them_back_when_asked,
    a_drained_node_is_left_out_of_updates_and_prepulls,
    a_paused_node_keeps_what_it_has_and_takes_nothing,
    a_paused_node_catches_up_without_an_update,
    a_label_of_a_node_lets_tasks_in_and_out,
    what_cannot_be_done_to_a_node_is_refused,
}

/// Node 3, to be given back as it was.
struct Node<'a> {
    stage: &'a Stage,
    _loan: Loan,
}

impl<'a> Node<'a> {
    fn of(stage: &'a Stage) -> Self {
        Self {
            stage,
            _loan: Loan::of(stage.world(), Thing::Node(3)),
        }
    }

    async fn id(&self) -> String {
        self.stage.node_id(3).await
    }

    async fn change(&self, change: impl Fn(&mut Value)) {
        until("an update of the node to be taken", async || {
            let node = self.stage.node(3).await;
            let mut spec = node["Spec"].clone();
            change(&mut spec);
            let id = node["ID"].as_str().unwrap();
            let path = format!("/nodes/{id}/update?version={}", node["Version"]["Index"]);
            let reply = self.stage.post(&path, &spec, None).await;
            if reply.message().contains("update out of sequence") {
                return Err(reply.message());
            }
            reply.expect(200);
            Ok(())
        })
        .await;
    }

    async fn set(&self, availability: &str) {
        self.change(|spec| spec["Availability"] = json!(availability))
            .await;
    }
}

/// Three tasks of a service of every node, and one that only node 3 fits.
async fn two<'a>(stage: &'a Stage, image: &str) -> (Service<'a>, Service<'a>) {
    let mut spec = stage.spec("all", image);
    spec["Mode"] = json!({"Global": {}});
    let all = stage.create(&spec).await;
    let mut spec = stage.spec("pinned", image);
    spec["TaskTemplate"]["Placement"] = json!({"Constraints": ["node.hostname==docker-infra-3"]});
    let pinned = stage.create(&spec).await;
    all.runs(3).await;
    pinned.runs(1).await;
    (all, pinned)
}

fn on<'a>(tasks: &'a [Task], node: &str) -> Vec<&'a Task> {
    tasks.iter().filter(|task| task.node() == node).collect()
}

const NO_NODE: &str = "no suitable node (scheduling constraints not satisfied on 2 nodes; 1 node not available for new tasks)";

async fn a_drained_node_loses_its_tasks_and_takes_them_back_when_asked(world: World) {
    let stage = Stage::alone(&world, "drain").await;
    let node = Node::of(&stage);
    let id = node.id().await;
    let image = stage.build(Kind::Good, "old").await;
    let (all, pinned) = two(&stage, &image).await;
    let free = stage.running("free", &image, 3).await;
    let before = stage.node(3).await;
    node.set("drain").await;
    let after = stage.node(3).await;
    assert_eq!(after["Spec"]["Availability"], "drain");
    assert_eq!(after["Status"]["State"], "ready");
    assert!(after["Version"]["Index"].as_u64() > before["Version"]["Index"].as_u64());

    let tasks = all.runs(2).await;
    assert!(on(&tasks, &id).is_empty(), "{}", seen(&tasks));
    let given_up = all.sees("the third to be shut down", |tasks| {
        on(tasks, &id)
            .iter()
            .all(|it| it.state() == "shutdown" && it.desired() == "shutdown")
    });
    assert_eq!(on(&given_up.await, &id).len(), 1);
    let waits = |tasks: &[Task]| tasks.len() == 2 && tasks[1].err() == NO_NODE;
    let tasks = pinned.sees("the pinned one to wait", waits).await;
    assert_eq!(tasks[0].desired(), "shutdown");
    assert!(on(&free.runs(3).await, &id).is_empty());
    // Nothing of it is an update.
    for service in [&all, &pinned, &free] {
        assert_eq!(service.status().await, Value::Null);
    }

    let elsewhere: Vec<String> = free
        .runs(3)
        .await
        .iter()
        .map(|it| it.id().to_owned())
        .collect();
    node.set("active").await;
    let tasks = all.runs(3).await;
    assert_eq!(on(&tasks, &id).len(), 1, "{}", seen(&tasks));
    assert_eq!(on(&pinned.runs(1).await, &id).len(), 1);
    // Those that could go elsewhere have gone, and stay there.
    let stayed: Vec<String> = free
        .runs(3)
        .await
        .iter()
        .map(|it| it.id().to_owned())
        .collect();
    assert_eq!(stayed, elsewhere);
}

async fn a_drained_node_is_left_out_of_updates_and_prepulls(world: World) {
    let stage = Stage::alone(&world, "drained").await;
    let node = Node::of(&stage);
    let id = node.id().await;
    let image = stage.build(Kind::Good, "old").await;
    let mut spec = stage.spec("all", &image);
    spec["Mode"] = json!({"Global": {}});
    let all = stage.create(&spec).await;
    all.runs(3).await;
    node.set("drain").await;
    all.runs(2).await;
    all.change(|spec| spec["TaskTemplate"]["ForceUpdate"] = json!(1))
        .await;
    let over = |tasks: &[Task]| tasks.len() == 2 && tasks.iter().all(|it| it.state() == "failed");
    let pre = stage.create(&stage.prepull("pre", &image)).await;
    let tasks = pre.sees("two nodes to have pulled", over).await;
    assert!(on(&tasks, &id).is_empty(), "{}", seen(&tasks));
    all.ends("completed").await;
    assert!(on(&all.runs(2).await, &id).is_empty());
    node.set("active").await;
    // It pulls as soon as it is back.
    let back = |tasks: &[Task]| tasks.len() == 3 && tasks.iter().all(|it| it.state() == "failed");
    let tasks = pre.sees("the third to pull", back).await;
    assert_eq!(on(&tasks, &id).len(), 1);
    let tasks = all.runs(3).await;
    assert!(
        tasks.iter().all(|task| task.0["Spec"]["ForceUpdate"] == 1),
        "{}",
        seen(&tasks)
    );
}

async fn a_paused_node_keeps_what_it_has_and_takes_nothing(world: World) {
    let stage = Stage::alone(&world, "pause").await;
    let node = Node::of(&stage);
    let id = node.id().await;
    let image = stage.build(Kind::Good, "old").await;
    let (all, pinned) = two(&stage, &image).await;
    node.set("pause").await;
    all.rests("a pause").await;
    pinned.rests("a pause").await;
    let free = stage.running("free", &image, 3).await;
    assert!(on(&free.runs(3).await, &id).is_empty());
    let over = |tasks: &[Task]| tasks.len() == 2 && tasks.iter().all(|it| it.state() == "failed");
    let pre = stage.create(&stage.prepull("pre", &image)).await;
    pre.sees("two nodes to have pulled", over).await;
    // An update takes the place away, and no node takes the new task.
    pinned
        .change(|spec| spec["TaskTemplate"]["ForceUpdate"] = json!(1))
        .await;
    let waits = |tasks: &[Task]| {
        tasks.len() == 2 && tasks[1].err() == NO_NODE && tasks[1].desired() == "running"
    };
    let tasks = pinned.sees("the pinned one to wait", waits).await;
    assert_eq!(
        (tasks[0].desired(), tasks[0].state()),
        ("shutdown", "shutdown")
    );
    assert_eq!(pinned.status().await["State"], "updating");
    node.set("active").await;
    pinned.ends("completed").await;
    assert_eq!(pinned.runs(1).await[0].node(), id);
}

async fn a_paused_node_catches_up_without_an_update(world: World) {
    let stage = Stage::alone(&world, "catchup").await;
    let node = Node::of(&stage);
    let id = node.id().await;
    let image = stage.build(Kind::Good, "old").await;
    let mut spec = stage.spec("all", &image);
    spec["Mode"] = json!({"Global": {}});
    let all = stage.create(&spec).await;
    all.runs(3).await;
    node.set("pause").await;
    all.change(|spec| spec["TaskTemplate"]["ForceUpdate"] = json!(1))
        .await;
    all.ends("completed").await;
    let tasks = all.runs(3).await;
    // Its task is an old one, and yet the update is completed.
    assert_eq!(
        on(&tasks, &id)[0].0["Spec"]["ForceUpdate"],
        0,
        "{}",
        seen(&tasks)
    );
    let before = all.read().await;
    node.set("active").await;
    let fresh = |tasks: &[Task]| {
        on(tasks, &id)
            .iter()
            .any(|it| it.runs() && it.0["Spec"]["ForceUpdate"] == 1)
    };
    all.sees("the old one to be replaced", fresh).await;
    pause(1500).await;
    assert_eq!(all.read().await, before);
    all.runs(3).await;
}

async fn a_label_of_a_node_lets_tasks_in_and_out(world: World) {
    let stage = Stage::alone(&world, "label").await;
    let node = Node::of(&stage);
    let id = node.id().await;
    let image = stage.build(Kind::Good, "old").await;
    let mut spec = stage.spec("web", &image);
    spec["TaskTemplate"]["Placement"] = json!({"Constraints": ["node.labels.contract==yes"]});
    let service = stage.create(&spec).await;
    let waits = |tasks: &[Task]| {
        tasks
            .last()
            .is_some_and(|it| it.err().contains("on 3 nodes"))
    };
    service.sees("it to wait", waits).await;
    node.change(|spec| spec["Labels"]["contract"] = json!("yes"))
        .await;
    assert_eq!(service.runs(1).await[0].node(), id);
    assert_eq!(stage.node(3).await["Spec"]["Labels"]["contract"], "yes");
    let found = stage.list(
        "nodes",
        json!({"role": ["worker"], "name": ["docker-infra-3"]}),
    );
    assert_eq!(found.await.len(), 1);
    node.change(|spec| spec["Labels"]["contract"] = json!("no"))
        .await;
    let tasks = service.sees("it to be taken away", |tasks| {
        tasks[0].state() != "running" && waits(tasks)
    });
    let tasks = tasks.await;
    assert_eq!(
        (tasks[0].message(), tasks[0].err()),
        (
            "task rejected by constraint enforcer",
            "assigned node no longer meets constraints"
        )
    );
    assert_eq!(tasks[0].desired(), "shutdown", "{}", seen(&tasks));
    assert_eq!(service.status().await, Value::Null);
}

async fn what_cannot_be_done_to_a_node_is_refused(world: World) {
    let stage = Stage::new(&world, "noderefused").await;
    let node = stage.node(2).await;
    let (id, version) = (node["ID"].as_str().unwrap(), &node["Version"]["Index"]);
    let mut odd = node["Spec"].clone();
    odd["Availability"] = json!("holiday");
    let path = |version: &Value| format!("/nodes/{id}/update?version={version}");
    let reply = stage.post(&path(version), &odd, None).await;
    reply.refuses(400, "invalid Availability: \"holiday\"");
    let reply = stage.post(&path(&json!(1)), &node["Spec"], None).await;
    reply.refuses(
        500,
        "rpc error: code = Unknown desc = update out of sequence",
    );
    let reply = stage.manager.delete(&format!("/nodes/{id}")).await;
    let words = format!(
        "rpc error: code = FailedPrecondition desc = node {id} is not down and can't be removed"
    );
    reply.refuses(400, &words);
    for kind in [reqwest::Method::GET, reqwest::Method::DELETE] {
        let reply = stage.manager.send(kind, "/nodes/nowhere", None).await;
        reply.refuses(404, "node nowhere not found");
    }
    for what in ["docker-infra-2", &id[..10]] {
        let reply = stage.manager.get(&format!("/nodes/{what}")).await;
        assert_eq!(reply.expect(200).json()["ID"], id);
    }
    assert_eq!(stage.node(2).await, node);
}
