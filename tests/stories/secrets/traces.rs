//! What is left behind and may be looked at by others: in the cluster and in
//! logs.

use std::path::PathBuf;

use imgstack_tests::story::Story;
use imgstack_tests::world::World;

use super::SOURCES;

/// All that the Swarm and the nodes show of the story.
pub(super) fn in_the_cluster(story: &Story, since: jiff::Timestamp) -> Vec<(String, String)> {
    let mut shown = Vec::new();
    for name in SOURCES {
        let service = story.inspect(name);
        // The label is there, so that its absence is no reason to pass.
        let label = &service["Spec"]["Labels"]["dev.imgstack.credential"];
        assert!(label.is_string(), "{name} carries nothing that is known");
        shown.push((format!("service {name}"), service.to_string()));
        let tasks = story.tasks(name);
        let tasks: Vec<&str> = tasks.iter().map(String::as_str).collect();
        let inspect = ["inspect", "--type", "task"];
        let tasks = story.world.docker(&[&inspect[..], &tasks].concat());
        shown.push((format!("tasks of {name}"), tasks));
    }
    // The journal is there, so that its absence is no reason to pass.
    assert!(story.configs().len() >= 2, "{:?}", story.configs());
    let configs = story.world.docker(&["config", "ls", "-q"]);
    for id in configs.lines() {
        // Another story may just have removed it.
        let config = story.world.try_docker_on(1, &["config", "inspect", id]);
        shown.extend(config.map(|it| (format!("config {id}"), it)));
    }
    let (since, until) = (since.to_string(), jiff::Timestamp::now().to_string());
    for node in 1..=3 {
        let args = [
            "events",
            "--since",
            &since,
            "--until",
            &until,
            "--format",
            "{{json .}}",
        ];
        let events = story.world.docker_on(node, &args);
        assert!(events.contains(&story.path()), "no event of node {node}");
        shown.push((format!("events of node {node}"), events));
    }
    shown
}

/// The logs of the lab's nodes, and how long they are.
pub(super) fn logs(world: &World) -> Vec<(PathBuf, usize)> {
    let World::Lab(lab) = world else {
        return Vec::new();
    };
    let nodes = [1, 2, 3].map(|node| lab.root().join(format!("node-{node}")));
    let logs = nodes
        .iter()
        .flat_map(|it| [it.join("engine.log"), it.join("sshd.log")]);
    logs.map(|path| {
        let length = std::fs::metadata(&path).unwrap().len();
        (path, usize::try_from(length).unwrap())
    })
    .collect()
}
