//! A set as its JSON leaves, each with what it belongs to and the fields that
//! may name it.

use std::collections::BTreeMap;

use imgstack_planner::spec_diff::{Act, Change};
use imgstack_spec::StackSet;
use serde_json::Value;

/// (the kind of thing, how the path of a leaf in it begins, the fields that
/// name it). What something else brings with it, that may name.
const FIELDS: [(&str, &str, &[&str]); 45] = [
    ("stack", "endpoint", &["swarm.endpoint"]),
    ("image", "stack", &["stack"]),
    ("image", "purpose", &["purpose"]),
    ("image", "repository", &["repository"]),
    ("image", "follow.tag", &["tag"]),
    ("image", "follow.policy.policy", &["policy"]),
    (
        "image",
        "follow.policy.allowDowngrade",
        &["allowDowngrade", "policy"],
    ),
    ("image", "minimumAgeSeconds", &["minimumAge"]),
    ("image", "pin.tag", &["pin"]),
    ("image", "pin.digest", &["pin"]),
    ("image", "base", &["base"]),
    ("image", "build.context", &["build.context"]),
    (
        "image",
        "build.dockerfile",
        &["build.dockerfile", "build.context"],
    ),
    (
        "image",
        "build.github.repository",
        &["build.github.repository"],
    ),
    ("image", "build.github.workflow", &["build.github.workflow"]),
    (
        "image",
        "build.github.ref",
        &["build.github.ref", "build.github.workflow"],
    ),
    ("image", "build.schedule", &["build.schedule"]),
    ("image", "build.maximumAgeSeconds", &["build.maximumAge"]),
    ("image", "majorUpgrade", &["majorUpgrade"]),
    ("image", "keep", &["keep"]),
    ("service", "stack", &["stack"]),
    ("service", "image", &["image"]),
    ("service", "after", &["after"]),
    ("service", "rollout.order", &["rollout.order"]),
    ("service", "rollout.parallelism", &["rollout.parallelism"]),
    ("service", "rollout.monitorSeconds", &["rollout.monitor"]),
    ("service", "rollout.onFailure", &["rollout.onFailure"]),
    ("service", "timeoutSeconds", &["rollout.timeout"]),
    ("service", "probe.question.http", &["rollout.probe.http"]),
    ("service", "probe.question.tcp", &["rollout.probe.tcp"]),
    ("service", "probe.question.exec", &["rollout.probe.exec"]),
    (
        "service",
        "probe.everyMs",
        &[
            "rollout.probe.every",
            "rollout.probe.http",
            "rollout.probe.tcp",
            "rollout.probe.exec",
        ],
    ),
    (
        "service",
        "probe.forMs",
        &[
            "rollout.probe.for",
            "rollout.probe.http",
            "rollout.probe.tcp",
            "rollout.probe.exec",
        ],
    ),
    (
        "service",
        "probe.timeoutMs",
        &[
            "rollout.probe.timeout",
            "rollout.probe.http",
            "rollout.probe.tcp",
            "rollout.probe.exec",
        ],
    ),
    ("service", "lastIf.question.http", &["rollout.lastIf.http"]),
    ("service", "lastIf.question.tcp", &["rollout.lastIf.tcp"]),
    ("service", "lastIf.question.exec", &["rollout.lastIf.exec"]),
    (
        "service",
        "lastIf.timeoutMs",
        &[
            "rollout.lastIf.timeout",
            "rollout.lastIf.http",
            "rollout.lastIf.tcp",
            "rollout.lastIf.exec",
        ],
    ),
    (
        "service",
        "lastIf.onChange",
        &[
            "rollout.onLeaderChange",
            "rollout.lastIf.http",
            "rollout.lastIf.tcp",
            "rollout.lastIf.exec",
        ],
    ),
    ("service", "lastIf.before", &["rollout.beforeLast.exec"]),
    ("service", "stackFile.path", &["stackFile.path"]),
    ("service", "stackFile.service", &["stackFile.service"]),
    ("node", "engine", &["engine"]),
    ("node", "login", &["login"]),
    ("node", "minimumFreeDiskBytes", &["minimumFreeDisk"]),
];

const OF_REGISTRIES: [(&str, &[&str]); 4] = [
    ("username", &["username"]),
    ("password", &["password"]),
    ("insecure", &["insecure"]),
    ("warnBeforeExpirySeconds", &["warnBeforeExpiry"]),
];

/// What a leaf belongs to, such as `image.web`, with its path in that.
type Leaf = (String, String);

/// The leaves of a set. A thing is one leaf of its own, with an empty path, so
/// that one that says nothing is there as well. What belongs to a stack has its
/// name before it, unless names are unique over the set.
pub fn flat(set: &StackSet) -> BTreeMap<Leaf, Value> {
    let json = serde_json::to_value(set).unwrap();
    let mut leaves = BTreeMap::new();
    for stack in json["stacks"].as_array().unwrap() {
        let stack_name = stack["name"].as_str().unwrap();
        let mut put = |owner: String, value: &Value, without: &[&str]| {
            leaves.insert((owner.clone(), String::new()), Value::Null);
            let mut found = Vec::new();
            walk(String::new(), value, &mut found);
            let kept = found
                .into_iter()
                .filter(|(path, _)| !without.iter().any(|it| is_below(path, it)));
            leaves.extend(kept.map(|(path, value)| ((owner.clone(), path), value)));
        };
        let lists = ["name", "registries", "images", "nodes", "services"];
        put(format!("stack.{stack_name}"), stack, &lists);
        let named = |thing: &Value| {
            let mut thing = thing.clone();
            thing["stack"] = stack_name.into();
            if let Some(after) = thing.get_mut("after") {
                // Their order means nothing.
                let mut names: Vec<String> = serde_json::from_value(after.clone()).unwrap();
                names.sort();
                names.dedup();
                *after = names.join(" ").into();
                if names.is_empty() {
                    *after = Value::Null;
                }
            }
            thing
        };
        for image in stack["images"].as_array().unwrap() {
            let name = image["name"].as_str().unwrap();
            put(format!("image.{name}"), &named(image), &["name"]);
        }
        for service in stack["services"].as_array().unwrap() {
            let name = service["name"].as_str().unwrap();
            put(format!("service.{name}"), &named(service), &["name"]);
        }
        for registry in stack["registries"].as_array().unwrap() {
            let host = registry["host"].as_str().unwrap();
            put(format!("{stack_name} registry.{host}"), registry, &["host"]);
        }
        let mut known = Vec::new();
        for rule in stack["nodes"].as_array().unwrap() {
            let which = rule["which"].to_string();
            known.push(which.clone());
            let number = known.iter().filter(|it| **it == which).count();
            put(
                format!("{stack_name} node.{which} {number}"),
                rule,
                &["which"],
            );
        }
    }
    leaves
}

fn is_below(path: &str, key: &str) -> bool {
    path == key || path.strip_prefix(key).is_some_and(|it| it.starts_with('.'))
}

fn walk(path: String, value: &Value, leaves: &mut Vec<(String, Value)>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (key, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                walk(format!("{path}{dot}{key}"), value, leaves);
            }
        }
        other => leaves.push((path, other.clone())),
    }
}

/// The fields that may name a leaf.
fn fields(owner: &str, path: &str) -> Vec<&'static str> {
    let thing = owner.rsplit(' ').find(|it| it.contains('.')).unwrap();
    let kind = ["registry.", "node.", "image.", "service.", "stack."]
        .into_iter()
        .find(|kind| owner.contains(kind) && (owner.starts_with(kind) || owner.contains(' ')))
        .unwrap_or_else(|| panic!("{thing}"));
    let kind = kind.trim_end_matches('.');
    let mut all = FIELDS.into_iter().chain(
        OF_REGISTRIES
            .into_iter()
            .map(|(path, names)| ("registry", path, names)),
    );
    let found = all.find(|(of, begins, _)| *of == kind && is_below(path, begins));
    let Some((_, _, names)) = found else {
        panic!("no field of spec_diff names the leaf `{path}` of a {kind}: add it to both")
    };
    names.to_vec()
}

/// What no change names.
pub fn unnamed(old: &StackSet, new: &StackSet, changes: &[Change]) -> Vec<String> {
    let (before, after) = (flat(old), flat(new));
    let keys: std::collections::BTreeSet<&Leaf> = before.keys().chain(after.keys()).collect();
    let whole = |owner: &str| (owner.to_owned(), String::new());
    let mut unnamed = Vec::new();
    for key in keys {
        let (owner, path) = key;
        if before.get(key) == after.get(key) {
            continue;
        }
        let expected = match (
            before.contains_key(&whole(owner)),
            after.contains_key(&whole(owner)),
        ) {
            (true, true) => None,
            (false, _) => Some(Act::Add),
            (true, false) => Some(Act::Remove),
        };
        let names = match (expected, path.as_str()) {
            (Some(_), _) | (None, "") => Vec::new(),
            (None, path) => fields(owner, path),
        };
        let is_named = changes.iter().any(|change| {
            is_of(owner, change)
                && match (expected, &change.field) {
                    (Some(action), None) => change.action == action,
                    (None, Some(field)) => names.contains(&field.as_str()),
                    (Some(_), Some(_)) | (None, None) => false,
                }
        });
        if !is_named {
            unnamed.push(format!("{owner}: {path}"));
        }
    }
    unnamed
}

/// Whether a change is of the thing. Rules for nodes are told apart by their
/// stack and their kind alone.
fn is_of(owner: &str, change: &Change) -> bool {
    let address = change.address.to_string();
    let address = address.as_str();
    match owner.split_once(' ') {
        None if address == "swarm" => owner == format!("stack.{}", change.stack),
        None => owner == address,
        Some((stack, thing)) => {
            let is_node = thing.starts_with("node.");
            change.stack.as_str() == stack
                && match is_node {
                    true => address.starts_with("node"),
                    false => thing == address,
                }
        }
    }
}
