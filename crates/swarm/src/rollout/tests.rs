//! Moments of a rollout, as a table: the tasks as the Swarm shows them, and
//! what is read from them.

use serde_json::{Value, json};

use super::{Assessment, assess};
use crate::task::WireTask;
use crate::{Availability, Node, NodeId, NodeRole, NodeState, RawService, Task, TaskState};

const OLD: &str = "db:16@sha256:old";
const NEW: &str = "db:16@sha256:new";

fn service(mode: &Value) -> RawService {
    RawService::new(json!({
        "ID": "s1",
        "Spec": {"Name": "db", "Mode": mode, "TaskTemplate": {"ForceUpdate": 1}},
        "UpdateStatus": {"State": "updating"},
    }))
}

fn node(id: &str, state: NodeState) -> Node {
    Node {
        id: NodeId::new(id),
        hostname: format!("host-{id}"),
        role: NodeRole::Worker,
        availability: Availability::Active,
        state,
        message: None,
        address: None,
        platform: imgstack_spec::Platform {
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            variant: None,
        },
        machine: "x86_64".to_owned(),
        engine_version: String::new(),
        labels: std::collections::BTreeMap::new(),
        engine_labels: std::collections::BTreeMap::new(),
        leader: false,
    }
}

fn nodes() -> Vec<Node> {
    vec![
        node("n1", NodeState::Ready),
        node("n2", NodeState::Ready),
        node("gone", NodeState::Down),
    ]
}

/// (id, image, state, desired state, node), with `FAILED` states given an end.
type Row<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

fn task((id, image, state, desired, node): Row) -> Task {
    let mut wire = json!({
        "ID": id, "ServiceID": "s1", "Slot": 1, "NodeID": node, "DesiredState": desired,
        "Spec": {"ContainerSpec": {"Image": image}, "ForceUpdate": 1},
        "Status": {
            "State": state,
            "Timestamp": "2026-02-09T04:00:00Z",
            "Message": "m",
            "ContainerStatus": {"ContainerID": "c", "ExitCode": 0},
        },
    });
    match state {
        "failed" => {
            wire["Status"]["Err"] = json!("task: non-zero exit (1)");
            wire["Status"]["ContainerStatus"]["ExitCode"] = json!(1);
        }
        "pending" => wire["Status"]["Err"] = json!("no suitable node (2 nodes not available)"),
        _ => {}
    }
    let wire: WireTask = serde_json::from_value(wire).unwrap();
    Task::from(wire)
}

fn look(mode: &Value, rows: &[Row]) -> Assessment {
    let tasks: Vec<Task> = rows.iter().copied().map(task).collect();
    assess(&service(mode), &tasks, &nodes(), NEW)
}

/// Tasks as `ID old|new STATE DESIRED [NODE]`, with a comma between.
fn rows(text: &str) -> Vec<Row<'_>> {
    text.split(", ")
        .filter(|row| !row.is_empty())
        .map(|row| {
            let mut words = row.split(' ');
            let mut word = || words.next().unwrap_or_default();
            let (id, build, state, desired, node) = (word(), word(), word(), word(), word());
            let image = if build == "new" { NEW } else { OLD };
            (id, image, state, desired, node)
        })
        .collect()
}

#[test]
fn moments() {
    let (none, two) = (
        json!({"Replicated": {"Replicas": 0}}),
        json!({"Replicated": {"Replicas": 2}}),
    );
    let global = json!({"Global": {}});
    // moment, mode, tasks, (wanted, running, outdated, failures), in place
    #[rustfmt::skip]
    let table = [
        ("before", &two,
            "a old running running n1, b old running running n2", (2, 0, 2, 0), false),
        ("the old one is told to stop, the new one is made ready", &two,
            "a old running shutdown n1, a2 new ready ready n1, b old running running n2", (2, 0, 2, 0), false),
        ("one is done", &two,
            "a old shutdown shutdown n1, a2 new running running n1, b old running running n2", (2, 1, 1, 0), false),
        ("after", &two,
            "a old shutdown shutdown n1, a2 new running running n1, b old complete shutdown n2, b2 new running running n2", (2, 2, 0, 0), true),
        ("start-first: the old one has not ended yet", &two,
            "a2 new running running n1, b2 new running running n2, b old running shutdown n2", (2, 2, 1, 0), false),
        ("the last words of a node that is gone", &two,
            "a2 new running running n1, b old running shutdown gone, b2 new running running gone", (2, 1, 0, 0), false),
        ("one fails and is tried again", &two,
            "a2 new failed shutdown n1, a3 new starting running n1, b old running running n2", (2, 0, 1, 1), false),
        ("a server that ends with 0 has failed, too; an old one has not", &two,
            "a2 new complete shutdown n1, a3 new running running n1, b old failed shutdown n2, b2 new running running n2", (2, 2, 0, 1), true),
        ("one was rejected, and waits to be tried again", &two,
            "a2 new rejected shutdown n1, a3 new ready ready n1, b2 new running running n2", (2, 1, 0, 1), false),
        ("paused half-way", &two,
            "a2 new failed shutdown n1, a3 new failed shutdown n1, b old running running n2", (2, 0, 1, 2), false),
        ("gone back, and the new one's remains are still there", &two,
            "a2 new failed shutdown n1, a3 old running running n1, b old running running n2", (2, 0, 2, 1), false),
        ("all run, and one more is starting", &two,
            "a2 new running running n1, b2 new running running n2, c2 new starting running n2", (2, 2, 0, 0), false),
        ("scaled to nothing", &none, "", (0, 0, 0, 0), true),
        ("scaled to nothing, and one still stops", &none,
            "a new running shutdown n1, b old running shutdown n2", (0, 0, 1, 0), false),
        ("global: one on each node that has one", &global,
            "a old shutdown shutdown n1, a2 new running running n1, b old running running n2, c old running shutdown gone", (2, 1, 1, 0), false),
        ("global: after", &global,
            "a2 new running running n1, b2 new running running n2, c old running shutdown gone", (2, 2, 0, 0), true),
        ("global: the new task of a node has no node yet", &global,
            "a2 new running running n1, b2 new new running", (1, 1, 0, 0), false),
    ];
    for (moment, mode, tasks, (desired, running, outdated, failures), in_place) in table {
        let seen = look(mode, &rows(tasks));
        assert_eq!(seen.desired, desired, "{moment}: wanted");
        assert_eq!(seen.running.len(), running, "{moment}: running");
        assert_eq!(seen.outdated.len(), outdated, "{moment}: outdated");
        assert_eq!(seen.failures.len(), failures, "{moment}: failures");
        assert_eq!(seen.is_in_place(), in_place, "{moment}: in place");
    }
}

#[test]
fn a_failure_says_all_there_is() {
    let seen = look(&json!({}), &[("a2", NEW, "failed", "shutdown", "n1")]);
    let failure = &seen.failures[0];
    assert_eq!(failure.name, "db.1");
    assert_eq!(failure.hostname.as_deref(), Some("host-n1"));
    assert_eq!(failure.state, TaskState::Failed);
    assert_eq!(failure.err.as_deref(), Some("task: non-zero exit (1)"));
    assert_eq!(failure.exit_code, Some(1));
    assert_eq!(failure.at, "2026-02-09T04:00:00Z".parse().ok());
}

#[test]
fn waiting_says_why() {
    let rows = [
        ("a2", NEW, "pending", "running", ""),
        ("b2", NEW, "pending", "running", ""),
        ("c", OLD, "pending", "shutdown", ""),
    ];
    let seen = look(&json!({"Replicated": {"Replicas": 2}}), &rows);
    let reasons: Vec<_> = seen.waiting.iter().map(String::as_str).collect();
    assert_eq!(reasons, ["no suitable node (2 nodes not available)"]);
    assert_eq!(seen.current.get(&TaskState::Pending), Some(&2));
}

#[test]
fn other_services_and_forced_restarts_are_told_apart() {
    let mut other = task(("x", NEW, "running", "running", "n1"));
    other.service_id = crate::ServiceId::new("s2");
    let mut before_force = task(("y", NEW, "running", "running", "n1"));
    before_force.force_update = 0;
    let seen = assess(&service(&json!({})), &[other, before_force], &nodes(), NEW);
    assert!(seen.running.is_empty());
    assert_eq!(seen.outdated.len(), 1);
}

#[test]
fn no_exit_code_before_the_end() {
    assert_eq!(task(("a", NEW, "running", "running", "n1")).exit_code, None);
    assert_eq!(
        task(("a", NEW, "complete", "shutdown", "n1")).exit_code,
        Some(0)
    );
}

#[test]
fn states_are_in_swarmkit_s_order() {
    let words = [
        "new",
        "allocated",
        "pending",
        "assigned",
        "accepted",
        "preparing",
        "ready",
        "starting",
        "running",
        "complete",
        "shutdown",
        "failed",
        "rejected",
        "remove",
        "orphaned",
    ];
    let states: Vec<TaskState> = words.into_iter().map(TaskState::from_word).collect();
    assert!(states.is_sorted());
    assert_eq!(
        states.iter().map(|state| state.word()).collect::<Vec<_>>(),
        words
    );
    assert_eq!(TaskState::from_word("novel"), TaskState::Unknown);
}

/// The updater leaves a global service's task on a paused node as it is.
#[test]
fn a_paused_node_holds_up_no_global_service() {
    let rows = [
        ("a", NEW, "running", "running", "n1"),
        ("b", OLD, "running", "running", "n2"),
    ];
    let tasks: Vec<Task> = rows.into_iter().map(task).collect();
    let mut nodes = nodes();
    nodes[1].availability = Availability::Pause;
    let global = service(&json!({"Global": {}}));
    let seen = assess(&global, &tasks, &nodes, NEW);
    assert_eq!((seen.desired, seen.is_in_place()), (1, true));
    // With replicas it is replaced on another node.
    let replicated = service(&json!({"Replicated": {"Replicas": 1}}));
    assert!(!assess(&replicated, &tasks, &nodes, NEW).is_in_place());
}

/// With a restart condition that was not met, nobody wants the task any more.
#[test]
fn a_task_that_ended_for_good_is_missed_on_its_node() {
    let global = json!({"Global": {}});
    let seen = look(
        &global,
        &[
            ("a", NEW, "running", "running", "n1"),
            ("b", NEW, "failed", "shutdown", "n2"),
        ],
    );
    assert_eq!((seen.desired, seen.running.len()), (2, 1));
    assert!(!seen.is_in_place());
    // A server that ends with 0 has ended, too.
    let seen = look(&global, &[("a", NEW, "complete", "shutdown", "n1")]);
    assert_eq!((seen.desired, seen.is_in_place()), (1, false));
    // Its successor is counted once, and a node that is gone not at all.
    let seen = look(
        &global,
        &[
            ("a", NEW, "running", "running", "n1"),
            ("b", NEW, "failed", "shutdown", "n1"),
            ("c", NEW, "failed", "shutdown", "gone"),
        ],
    );
    assert_eq!((seen.desired, seen.is_in_place()), (1, true));
}
