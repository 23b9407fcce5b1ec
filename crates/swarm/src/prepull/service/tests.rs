use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::NodeId;
use crate::placement::{Constraint, tests::node};

const IMAGE: &str =
    "ghcr.io/acme/db:16@sha256:9f31a1c2b7d84e0563f8a92b1c4d7e6f9f31a1c2b7d84e0563f8a92b1c4d7e6f";

fn wanted(nodes: &[&str]) -> Prepull {
    Prepull {
        stack: "postgres-ha".to_owned(),
        image: IMAGE.parse().unwrap(),
        platforms: vec![imgstack_spec::Platform {
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            variant: None,
        }],
        nodes: nodes.iter().map(|id| NodeId::new(*id)).collect(),
        owner: "ann@desk".to_owned(),
        within: Duration::from_secs(60),
    }
}

fn members(ids: &[&str]) -> Vec<Node> {
    let member = |id: &&str| Node {
        id: NodeId::new(*id),
        ..node()
    };
    ids.iter().map(member).collect()
}

#[test]
fn the_service_is_one_that_cannot_start() {
    let now = "2026-02-09T04:00:00Z".parse().unwrap();
    let wanted = wanted(&["n2"]);
    let spec = spec(&wanted, &members(&["n1", "n2"]), now);
    let expected = json!({
        "Name": name(&wanted),
        "Labels": {
            "dev.imgstack.prepull": "postgres-ha",
            "dev.imgstack.prepull.owner": "ann@desk",
            "dev.imgstack.prepull.created": "2026-02-09T04:00:00Z",
        },
        "Mode": {"Global": {}},
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": IMAGE,
                "Command": ["/imgstack-prepull"],
                "Init": false,
                "Healthcheck": {"Test": ["NONE"]},
            },
            "RestartPolicy": {"Condition": "none"},
            "Placement": {
                "Constraints": ["node.id==n2"],
                "Platforms": [{"Architecture": "amd64", "OS": "linux"}],
            },
        },
    });
    assert_eq!(spec, expected);
}

#[test]
fn constraints_select_the_nodes_and_no_other() {
    let all = ["n1", "n2", "n3", "n4"];
    let table: [&[&str]; 4] = [&["n2"], &["n1", "n3"], &["n2", "n3", "n4"], &all];
    for chosen in table {
        let texts = constraints(&wanted(chosen), &members(&all));
        let parsed: Vec<Constraint> = texts
            .iter()
            .map(|text| Constraint::parse(text).unwrap())
            .collect();
        let selected: BTreeSet<String> = members(&all)
            .iter()
            .filter(|node| parsed.iter().all(|it| it.holds(node)))
            .map(|node| node.id.to_string())
            .collect();
        let chosen: BTreeSet<String> = chosen.iter().map(|id| (*id).to_owned()).collect();
        assert_eq!(selected, chosen, "{texts:?}");
    }
}

#[test]
fn a_name_is_the_same_for_the_same_and_fits_a_service() {
    let base = name(&wanted(&["n1", "n2"]));
    assert_eq!(base, name(&wanted(&["n2", "n1"])));
    assert!(
        base.len() <= 63 && base.starts_with("imgstack-prepull-"),
        "{base}"
    );
    assert!(base.parse::<ServiceName>().is_ok());
    let mut others = vec![wanted(&["n1"]), wanted(&["n1n2"])];
    others.push(Prepull {
        stack: "other".to_owned(),
        ..wanted(&["n1", "n2"])
    });
    others.push(Prepull {
        image: "ghcr.io/acme/db:17".parse().unwrap(),
        ..wanted(&["n1", "n2"])
    });
    for other in others {
        assert_ne!(name(&other), base, "{other:?}");
    }
}
