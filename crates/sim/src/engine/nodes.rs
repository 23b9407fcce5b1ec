//! `/nodes`

use hyper::{Method, StatusCode};
use serde_json::Value;

use super::answers::{Outcome, broken, ok};
use super::call::Call;
use super::filters::Filters;
use crate::Answer;

const KNOWN: [&str; 6] = ["name", "id", "label", "role", "membership", "node.label"];

/// `/nodes…`
pub(super) fn answer(call: &Call<'_>, rest: &[&str]) -> Outcome {
    match (call.method(), rest) {
        (&Method::GET, []) => list(call),
        (&Method::GET, [node]) => Ok(ok(&call.engines.read(|cluster| cluster.node(node))?)),
        (&Method::POST, [node, "update"]) => {
            let (index, spec) = (call.index("node")?, call.body()?);
            call.engines
                .with(|cluster, now| cluster.update_node(now, node, index, spec))?;
            Ok(Answer::empty(StatusCode::OK))
        }
        (&Method::DELETE, [node]) => {
            let force = call.flag("force");
            call.engines
                .with(|cluster, now| cluster.remove_node(now, node, force))?;
            Ok(Answer::empty(StatusCode::OK))
        }
        _ => Err(call.no_such_page()),
    }
}

fn list(call: &Call<'_>) -> Outcome {
    let filters = call.filters(&KNOWN)?;
    for role in filters.get("role") {
        if !["manager", "worker"].contains(&role.to_lowercase().as_str()) {
            return Err(broken(format!("Invalid role filter: '{role}'")));
        }
    }
    let mut nodes = call.engines.read(|cluster| cluster.nodes());
    nodes.retain(|node| is_wanted(node, &filters));
    Ok(ok(&nodes))
}

fn is_wanted(node: &Value, filters: &Filters) -> bool {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let role = text(&node["Spec"]["Role"]);
    let roles = filters.get("role");
    filters.prefix("name", &text(&node["Description"]["Hostname"]))
        && filters.prefix("id", &text(&node["ID"]))
        // `label` is the engine's label, `node.label` the node's.
        && filters.labels("label", &node["Description"]["Engine"]["Labels"])
        && filters.labels("node.label", &node["Spec"]["Labels"])
        && filters.exact("membership", "accepted")
        && (roles.is_empty() || roles.iter().any(|wanted| wanted.to_lowercase() == role))
}
