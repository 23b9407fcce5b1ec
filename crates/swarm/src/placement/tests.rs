use serde_json::json;

use super::*;
use crate::{Availability, NodeId, NodeState};

pub(crate) fn node() -> Node {
    let labels = |pairs: &[(&str, &str)]| {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(own).collect()
    };
    Node {
        id: NodeId::new("x1ijytrwjvqinz4dr5mz43f7f"),
        hostname: "Docker-Infra-2".to_owned(),
        role: NodeRole::Worker,
        availability: Availability::Active,
        state: NodeState::Ready,
        message: None,
        address: Some("10.77.0.12".to_owned()),
        platform: Platform {
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            variant: None,
        },
        machine: "x86_64".to_owned(),
        engine_version: "20.10.24".to_owned(),
        labels: labels(&[("zone", "a"), ("Disk.Type", "SSD")]),
        engine_labels: labels(&[("storage", "nvme")]),
        leader: false,
    }
}

#[test]
fn constraints_hold_as_swarm_has_it() {
    let table = [
        ("node.id == x1ijytrwjvqinz4dr5mz43f7f", true),
        ("node.id!=x1ijytrwjvqinz4dr5mz43f7f", false),
        ("node.id == x1ij", false),
        // Neither keys nor values mind their case.
        ("node.hostname == docker-infra-2", true),
        ("NODE.HostName==DOCKER-INFRA-2", true),
        ("node.hostname != docker-infra-3", true),
        ("node.role == worker", true),
        ("node.role==MANAGER", false),
        ("node.role != manager", true),
        // The kernel's words, not the image's.
        ("node.platform.os == linux", true),
        ("node.platform.arch == x86_64", true),
        ("node.platform.arch == amd64", false),
        ("node.labels.zone == a", true),
        ("node.labels.zone == A", true),
        ("Node.Labels.zone == a", true),
        ("node.labels.zone != b", true),
        // The name of a label does.
        ("node.labels.Zone == a", false),
        ("node.labels.Disk.Type == ssd", true),
        // No such label is an empty one, which nothing equals.
        ("node.labels.rack == a", false),
        ("node.labels.rack != a", true),
        ("engine.labels.storage == nvme", true),
        ("engine.labels.storage != nvme", false),
        ("engine.labels.zone == a", false),
        ("node.ip == 10.77.0.12", true),
        ("node.ip == ::ffff:10.77.0.12", true),
        ("node.ip != 10.77.0.12", false),
        ("node.ip == 10.77.0.0/24", true),
        ("node.ip == 10.77.0.99/24", true),
        ("node.ip == 10.78.0.0/24", false),
        ("node.ip != 10.78.0.0/24", true),
        ("node.ip == 0.0.0.0/0", true),
        ("node.ip == 2001:db8::/32", false),
        // What is no address is true of no node, whichever way it is asked.
        ("node.ip == here", false),
        ("node.ip != here", false),
        ("node.ip != 10.77.0.0/33", false),
        // So is a key that Swarm does not know.
        ("node.name == docker-infra-2", false),
        ("node.name != docker-infra-2", false),
        ("node.labels. != a", false),
        // No pattern, for all that it may look like one.
        ("node.hostname == docker-*", false),
    ];
    for (text, holds) in table {
        let constraint = Constraint::parse(text).unwrap();
        assert_eq!(constraint.holds(&node()), holds, "{text}");
    }
}

#[test]
fn what_a_node_does_not_tell_is_empty() {
    let unknown = Node {
        hostname: String::new(),
        address: None,
        machine: String::new(),
        ..node()
    };
    let table = [
        ("node.hostname == a", false),
        ("node.hostname != a", true),
        ("node.platform.arch != x86_64", true),
        ("node.ip == 10.77.0.12", false),
        ("node.ip != 10.77.0.12", true),
        ("node.ip == 10.77.0.0/24", false),
        ("node.ip != 10.77.0.0/24", true),
    ];
    for (text, holds) in table {
        let constraint = Constraint::parse(text).unwrap();
        assert_eq!(constraint.holds(&unknown), holds, "{text}");
    }
}

#[test]
fn what_is_no_constraint() {
    for text in [
        "",
        "node.role",
        "node.role = worker",
        "node.role > worker",
        "node.role ==",
        "== worker",
        "n == a",
        "1node == a",
        "node role == a",
        "node.role == wörker",
        "node.role == a,b",
        "node.role!=a==b",
    ] {
        let error = Constraint::parse(text).unwrap_err();
        assert_eq!(error, ConstraintError(text.to_owned()));
    }
}

#[test]
fn a_constraint_is_shown_as_people_write_it() {
    let constraint = Constraint::parse(" node.labels.zone!=a ").unwrap();
    assert_eq!(constraint.to_string(), "node.labels.zone != a");
}

fn service(placement: &serde_json::Value) -> RawService {
    RawService::new(json!({"Spec": {"TaskTemplate": {"Placement": placement}}}))
}

#[test]
fn platforms_fit_as_swarm_has_it() {
    let arm = |machine: &str, architecture: &str| Node {
        machine: machine.to_owned(),
        platform: Platform {
            architecture: architecture.to_owned(),
            ..node().platform
        },
        ..node()
    };
    let silent = Node {
        machine: String::new(),
        platform: Platform {
            os: String::new(),
            architecture: String::new(),
            variant: None,
        },
        ..node()
    };
    let both =
        json!([{"OS": "linux", "Architecture": "amd64"}, {"OS": "linux", "Architecture": "arm64"}]);
    let kernel = json!([{"OS": "linux", "Architecture": "x86_64"}]);
    let open = json!([{"OS": "linux"}]);
    let arm32 = json!([{"OS": "linux", "Architecture": "arm"}]);
    let windows = json!([{"OS": "windows", "Architecture": "amd64"}]);
    let table = [
        (&json!(null), node(), true),
        (&json!([]), silent.clone(), true),
        (&both, node(), true),
        (&both, arm("aarch64", "arm64"), true),
        (&both, arm("armv7l", "arm"), false),
        (&both, silent.clone(), false),
        (&kernel, node(), true),
        (&kernel, arm("aarch64", "arm64"), false),
        (&open, arm("armv7l", "arm"), true),
        (&open, silent, false),
        (&arm32, arm("armv7l", "arm"), false),
        (&windows, node(), false),
    ];
    for (platforms, node, fits) in table {
        let placement = Placement::of(&service(&json!({ "Platforms": platforms }))).unwrap();
        let expected = if fits { Ok(()) } else { Err(Unfit::Platform) };
        assert_eq!(placement.admits(&node), expected, "{platforms} {node:?}");
    }
}

#[test]
fn all_constraints_must_hold() {
    let placement = |constraints: &[&str]| {
        Placement::of(&service(&json!({ "Constraints": constraints }))).unwrap()
    };
    let both = ["node.role == worker", "node.labels.zone == a"];
    assert_eq!(placement(&both).admits(&node()), Ok(()));
    assert_eq!(placement(&[]).admits(&node()), Ok(()));
    let one = placement(&["node.role == worker", "node.labels.zone == b"]);
    let why = one.admits(&node()).unwrap_err();
    assert_eq!(why.to_string(), "`node.labels.zone == b` does not hold");
    let unread = Placement::of(&service(&json!({"Constraints": ["zone"]})));
    assert_eq!(unread, Err(ConstraintError("zone".to_owned())));
}
