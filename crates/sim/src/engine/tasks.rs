//! `/tasks`, but for logs.

use std::collections::HashMap;

use hyper::Method;
use serde_json::Value;

use super::answers::{Outcome, ok};
use super::call::Call;
use super::filters::Filters;
use crate::swarm::{ApiError, Cluster};

const KNOWN: [&str; 8] = [
    "name",
    "id",
    "label",
    "service",
    "node",
    "desired-state",
    "_up-to-date",
    "runtime",
];

/// `/tasks…`
pub(super) fn answer(call: &Call<'_>, rest: &[&str]) -> Outcome {
    match (call.method(), rest) {
        (&Method::GET, []) => list(call),
        (&Method::GET, [task]) => Ok(ok(&call.engines.read(|cluster| cluster.task(task))?)),
        _ => Err(call.no_such_page()),
    }
}

fn list(call: &Call<'_>) -> Outcome {
    let filters = call.filters(&KNOWN)?;
    let tasks = call.engines.read(|cluster| wanted(cluster, &filters))?;
    Ok(ok(&tasks))
}

fn wanted(cluster: &Cluster, filters: &Filters) -> Result<Vec<Value>, ApiError> {
    // Names are resolved first: one that is not there is an error.
    let services = ids(filters.get("service"), |name| cluster.service(name))?;
    let nodes = ids(filters.get("node"), |name| cluster.node(name))?;
    let mut tasks = match services.as_slice() {
        [] => cluster.tasks(),
        services => cluster.tasks_of(services),
    };
    tasks.retain(|task| {
        let text = |field: &str| task[field].as_str().unwrap_or_default();
        (nodes.is_empty() || nodes.iter().any(|node| node == text("NodeID")))
            && filters.prefix("id", text("ID"))
            && filters.labels("label", &task["Labels"])
            && filters.exact("desired-state", text("DesiredState"))
    });
    let by_service = !filters.get("name").is_empty() || !filters.get("_up-to-date").is_empty();
    if by_service {
        let services = cluster.services();
        let services: HashMap<&str, &Value> = services
            .iter()
            .map(|service| (service["ID"].as_str().unwrap_or_default(), service))
            .collect();
        tasks.retain(|task| {
            let service = services.get(task["ServiceID"].as_str().unwrap_or_default());
            service.is_some_and(|service| {
                let named = service["Spec"]["Name"].as_str().unwrap_or_default();
                filters.prefix("name", &name(task, named))
                    && (filters.get("_up-to-date").is_empty()
                        || cluster.is_up_to_date(task["ID"].as_str().unwrap_or_default()))
            })
        });
    }
    Ok(tasks)
}

fn ids(
    names: &[String],
    find: impl Fn(&str) -> Result<Value, ApiError>,
) -> Result<Vec<String>, ApiError> {
    let found = names.iter().map(|name| find(name));
    found
        .map(|object| Ok(object?["ID"].as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// As Swarm names a task: `web.1.ID`, or with the node in a global service.
pub(super) fn name(task: &Value, service: &str) -> String {
    let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
    let slot = match task["Slot"].as_u64() {
        Some(slot) if slot > 0 => slot.to_string(),
        _ => text(&task["NodeID"]),
    };
    format!("{service}.{slot}.{}", text(&task["ID"]))
}
