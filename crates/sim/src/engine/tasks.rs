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
                    && (filters.get("_up-to-date").is_empty() || is_up_to_date(task, service))
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

/// Whether the service, as it is now, would make this task again.
fn is_up_to_date(task: &Value, service: &Value) -> bool {
    let mut template = service["Spec"]["TaskTemplate"].clone();
    // A constraint that changed alone moves no task.
    template["Placement"] = task["Spec"]["Placement"].clone();
    same(&template, &task["Spec"])
}

/// Whether two specs say the same: a field that is missing, null, zero or
/// empty is one and the same to Swarm.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let mut fields = one.keys().chain(other.keys());
            fields.all(|field| {
                let value = |of: &serde_json::Map<String, Value>| of.get(field).cloned();
                same(
                    &value(one).unwrap_or_default(),
                    &value(other).unwrap_or_default(),
                )
            })
        }
        (Value::Object(fields), Value::Null) | (Value::Null, Value::Object(fields)) => {
            fields.values().all(|value| same(value, &Value::Null))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (value, Value::Null) | (Value::Null, value) => is_nothing(value),
        (one, other) => one == other,
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tasks_are_up_to_date_by_what_they_say() {
        let service = json!({"Spec": {"TaskTemplate": {
            "ContainerSpec": {"Image": "a@1", "Env": []}, "ForceUpdate": 0,
            "Placement": {"Constraints": ["node.role==worker"]}, "Resources": {"Limits": {}},
        }}});
        let table = [
            (json!({"ContainerSpec": {"Image": "a@1"}}), true),
            (json!({"ContainerSpec": {"Image": "a@2"}}), false),
            (
                json!({"ContainerSpec": {"Image": "a@1"}, "ForceUpdate": 1}),
                false,
            ),
            (
                json!({"ContainerSpec": {"Image": "a@1", "Env": ["A=1"]}}),
                false,
            ),
        ];
        for (spec, expected) in table {
            let task = json!({ "Spec": spec });
            assert_eq!(is_up_to_date(&task, &service), expected, "{task}");
        }
    }
}
