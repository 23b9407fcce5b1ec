//! The schema, the example and the reading of specs say the same.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use granit_parser::{Event, Parser, ScalarStyle};
use imgstack_spec::{
    Input, Kind, LeaderChange, NodeRole, SecretSource, StackSet, read, schema, schema_text,
};
use serde_json::{Map, Value};

const EXAMPLE: &str = "examples/postgres-ha/imgstack.yaml";

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read_text(text: &str) -> StackSet {
    read(&[Input::new("imgstack.yaml", text)]).unwrap_or_else(|told| {
        let told: Vec<_> = told.iter().map(ToString::to_string).collect();
        panic!("{}\n{text}", told.join("\n"))
    })
}

#[test]
fn the_schema_that_is_checked_in_is_up_to_date() {
    let path = workspace().join("imgstack.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, schema_text()).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap_or_default(),
        schema_text(),
        "imgstack.schema.json is out of date: cargo run -- schema > imgstack.schema.json"
    );
}

#[test]
fn the_example_is_read() {
    let set = read_text(&fs::read_to_string(workspace().join(EXAMPLE)).unwrap());
    let [stack] = set.stacks.as_slice() else {
        panic!("{set:?}")
    };
    assert_eq!(stack.name.as_str(), "postgres-ha");
    assert_eq!(
        stack.endpoint.as_ref().unwrap().to_string(),
        "ssh://root@docker-infra-1"
    );
    assert_eq!(
        stack.registries[0].password,
        Some(SecretSource::Env("GHCR_PAT".to_owned()))
    );
    assert_eq!(
        stack.images[0].reference().unwrap().to_string(),
        "ghcr.io/thorstenhornung1/swarm-stacks/patroni-postgres:16"
    );
    assert_eq!(stack.images[0].keep, Some(3));
    let base = stack.images[0].base.as_ref().unwrap();
    assert_eq!(base.to_string(), "docker.io/library/postgres:16-alpine");
    let build = stack.images[0].build.as_ref().unwrap();
    let github = build.github.as_ref().unwrap();
    assert_eq!(github.workflow.as_str(), "build-patroni-postgres.yml");
    assert_eq!(build.maximum_age, Some(Duration::from_secs(8 * 86_400)));
    let worker = [("zone".to_owned(), "a".to_owned())].into();
    let worker = stack.node_rule("new", NodeRole::Worker, &worker).unwrap();
    assert_eq!(worker.engine.unwrap().as_str(), "ssh://root@{hostname}");
    assert!(worker.login);
    let after: Vec<_> = stack.services.iter().map(|it| it.after.len()).collect();
    assert_eq!(after, [0, 0, 1]);
    let timeouts: Vec<_> = stack.services.iter().map(|it| it.timeout).collect();
    assert_eq!(timeouts, [900; 3].map(Duration::from_secs));
    let rollout = serde_json::json!({
        "order": "stop-first", "parallelism": 1, "monitorSeconds": 30, "onFailure": "rollback",
    });
    for service in &stack.services {
        assert_eq!(serde_json::to_value(&service.rollout).unwrap(), rollout);
        assert_eq!(
            service.probe.as_ref().unwrap().hold,
            Duration::from_secs(10)
        );
        let leader = service.last_if.as_ref().unwrap();
        assert_eq!(leader.on_change, LeaderChange::Replan);
        assert_eq!(leader.before.as_ref().unwrap().len(), 5);
    }
}

#[test]
fn the_example_is_what_the_schema_describes() {
    let example = fs::read_to_string(workspace().join(EXAMPLE)).unwrap();
    assert!(example.starts_with("# yaml-language-server: $schema=../../imgstack.schema.json\n"));
    let example = json(&example);
    let schema = schema();
    assert_eq!(wrong(&example, &schema, &schema), Vec::<String>::new());
}

/// A YAML text as an editor sees it: without quotes, a number is one.
fn json(yaml: &str) -> Value {
    let mut open: Vec<Value> = Vec::new();
    let mut keys: Vec<Option<String>> = Vec::new();
    let mut root = Value::Null;
    for event in Parser::new_from_str(yaml) {
        let done = match event.unwrap().0 {
            Event::MappingStart(..) => {
                open.push(Value::Object(Map::new()));
                keys.push(None);
                continue;
            }
            Event::SequenceStart(..) => {
                open.push(Value::Array(Vec::new()));
                keys.push(None);
                continue;
            }
            Event::Scalar(text, ScalarStyle::Plain, ..) => {
                let text = text.into_owned();
                serde_json::from_str(&text).unwrap_or(Value::from(text))
            }
            Event::Scalar(text, ..) => Value::from(text.into_owned()),
            Event::MappingEnd | Event::SequenceEnd => {
                keys.pop();
                open.pop().unwrap()
            }
            _ => continue,
        };
        match (open.last_mut(), keys.last_mut()) {
            (Some(Value::Array(items)), _) => items.push(done),
            (Some(Value::Object(map)), Some(key)) => match key.take() {
                Some(key) => drop(map.insert(key, done)),
                None => *key = done.as_str().map(str::to_owned),
            },
            _ => root = done,
        }
    }
    root
}

/// Every key of the schema, in a document that is right.
const FULL: &str = r#"{
    "apiVersion": "imgstack.dev/v1alpha1",
    "kind": "ImageStack",
    "metadata": {"name": "a"},
    "spec": {
        "swarm": {"endpoint": "ssh://root@a"},
        "registries": [
            {"host": "a.example", "username": "b", "password": {"env": "C"}, "insecure": true,
                "warnBeforeExpiry": "30d"},
            {"host": "b.example", "username": "b", "password": {"file": "c"}},
            {"host": "c.example", "username": "b", "password": {"command": ["c", "d"]}}
        ],
        "images": [
            {"name": "a", "purpose": "b", "repository": "c", "tag": "d", "pin": "e", "keep": 3, "majorUpgrade": "allow",
                "base": "docker.io/library/postgres:16-alpine",
                "build": {"context": "docker", "dockerfile": "Dockerfile", "schedule": "0 4 * * 1",
                    "github": {"repository": "acme/web", "workflow": "build.yml", "ref": "main"},
                    "maximumAge": "8d"}},
            {"name": "b", "repository": "c", "tag": 1.10, "minimumAge": "24h"},
            {"name": "c", "repository": "c", "policy": {"semver": "~3.3", "suffix": "-alpine"},
                "allowDowngrade": true},
            {"name": "d", "repository": "c", "policy": {"regex": "16-(\\d+)", "order": "date"}},
            {"name": "e", "repository": "c", "policy": {"newest": "16-.*"}}
        ],
        "nodes": [
            {"name": "a", "engine": "ssh://root@a", "login": true, "minimumFreeDisk": "5GiB"},
            {"selector": {"role": "worker", "labels": {"zone": "a", "rack": 7, "ssd": true}},
                "minimumFreeDisk": 1024},
            {"selector": {}, "engine": "tcp://{address}:2376"}
        ],
        "services": [
            {"name": "a", "image": "a"},
            {"name": "b", "image": "b", "after": ["a"], "rollout": {"timeout": "1h30m",
                "order": "start-first", "parallelism": 0, "monitor": "30s", "onFailure": "rollback"},
                "stackFile": {"path": "stack.yml", "service": "b"}},
            {"name": "c", "image": "a", "rollout": {"onLeaderChange": "replan",
                "probe": {"http": "http://{task.address}:8008/readiness", "every": "5s", "for": "30s", "timeout": "3s"},
                "lastIf": {"http": "http://{task.address}:8008/primary", "timeout": "3s"},
                "beforeLast": {"exec": ["patronictl", "switchover"]}}},
            {"name": "d", "image": "a", "rollout": {
                "probe": {"tcp": "{task.address}:5432"}, "lastIf": {"tcp": "{task.address}:5433"}}},
            {"name": "e", "image": "a", "rollout": {
                "probe": {"exec": ["pg_isready"]}, "lastIf": {"exec": ["leads"]}}}
        ]
    }
}"#;

/// The sections of a schema, by name, each with its keys.
fn sections(schema: &Value) -> Vec<(String, Vec<String>)> {
    let mut sections = vec![("Document".to_owned(), schema)];
    let definitions = schema["$defs"].as_object().unwrap();
    sections.extend(definitions.iter().map(|(name, it)| (name.clone(), it)));
    let keys = |section: &Value| {
        let properties = section["properties"].as_object().unwrap();
        properties.keys().cloned().collect()
    };
    let sections = sections.into_iter();
    sections.map(|(name, it)| (name, keys(it))).collect()
}

/// The objects of a document under their section's name.
fn objects<'v>(
    value: &'v Value,
    section: &Value,
    root: &Value,
    name: &str,
    found: &mut Vec<(String, &'v Value)>,
) {
    let (section, name) = match section["$ref"].as_str() {
        Some(target) => {
            let name = target.rsplit('/').next().unwrap();
            (&root["$defs"][name], name)
        }
        None => (section, name),
    };
    match value {
        Value::Object(map) => {
            found.push((name.to_owned(), value));
            for (key, value) in map {
                objects(value, &section["properties"][key], root, "", found);
            }
        }
        Value::Array(items) => {
            for item in items {
                objects(item, &section["items"], root, "", found);
            }
        }
        _ => {}
    }
}

#[test]
fn every_key_of_the_schema_is_read() {
    read_text(FULL);
    let full: Value = serde_json::from_str(FULL).unwrap();
    let schema = schema();
    assert_eq!(wrong(&full, &schema, &schema), Vec::<String>::new());
    let mut found = Vec::new();
    objects(&full, &schema, &schema, "Document", &mut found);
    for (section, keys) in sections(&schema) {
        for key in keys {
            let used = found
                .iter()
                .any(|(name, object)| *name == section && object.get(&key).is_some());
            assert!(
                used,
                "{section}.{key} is in the schema and not in this test"
            );
        }
    }
}

#[test]
fn what_the_schema_refuses_is_refused() {
    let full: Value = serde_json::from_str(FULL).unwrap();
    let schema = schema();
    let paths = paths(&full, String::new());
    let mut both = 0;
    for path in paths {
        // An unknown key in each section, and each value of a wrong type.
        let mut changed = full.clone();
        let place = changed.pointer_mut(&path).unwrap();
        match place {
            // Its keys are the user's own.
            Value::Object(_) if path.ends_with("/labels") => *place = serde_json::json!([1]),
            Value::Object(map) => {
                map.insert("zzz".to_owned(), Value::from(1));
            }
            Value::String(_) | Value::Number(_) | Value::Bool(_) => {
                *place = serde_json::json!([{}])
            }
            Value::Array(_) => *place = serde_json::json!({"zzz": 1}),
            Value::Null => panic!(),
        }
        assert!(!wrong(&changed, &schema, &schema).is_empty(), "{path}");
        let told = read(&[Input::new("a.yaml", changed.to_string())]);
        assert!(told.is_err(), "{path} is accepted: {changed}");
        both += 1;
    }
    assert!(both > 40, "{both}");
    for (section, keys) in sections(&schema) {
        let definition = match section.as_str() {
            "Document" => &schema,
            name => &schema["$defs"][name],
        };
        for key in keys {
            let required = definition["required"]
                .as_array()
                .is_some_and(|list| list.contains(&key.as_str().into()));
            assert_eq!(missing_is_told(&section, &key), required, "{section}.{key}");
        }
    }
}

#[test]
fn an_editor_and_reading_agree_on_values() {
    let rule = |json: &str| ("nodes", format!("[{json}]"));
    let keep = |number: &str| {
        let image =
            format!(r#"[{{"name": "a", "repository": "c", "tag": "d", "keep": {number}}}]"#);
        ("images", image)
    };
    let schedule = |text: &str| {
        let build = format!(r#"{{"context": ".", "schedule": "{text}"}}"#);
        let image =
            format!(r#"[{{"name": "a", "repository": "c", "tag": "d", "build": {build}}}]"#);
        ("images", image)
    };
    let follow = |json: &str| {
        let image = format!(r#"[{{"name": "a", "repository": "c", {json}}}]"#);
        ("images", image)
    };
    let policy = |json: &str| follow(&format!(r#""policy": {{{json}}}"#));
    let rollout = |json: &str| {
        let service = format!(r#"[{{"name": "a", "image": "a", "rollout": {{{json}}}}}]"#);
        ("services", service)
    };
    let cases = [
        (rollout(r#""probe": {"exec": ["a"], "every": "1s"}"#), true),
        (rollout(r#""probe": {"every": "1s"}"#), false),
        (rollout(r#""probe": {"exec": ["a"], "tcp": "a:1"}"#), false),
        (rollout(r#""probe": {"http": "https://a/"}"#), false),
        (rollout(r#""probe": {"http": "a:80"}"#), false),
        (rollout(r#""probe": {"exec": "a"}"#), false),
        (rollout(r#""lastIf": {"tcp": "a:1"}"#), true),
        (rollout(r#""lastIf": {"tcp": "a:1", "every": "1s"}"#), false),
        (rollout(r#""lastIf": {}"#), false),
        (rollout(r#""onLeaderChange": "stop""#), false),
        (
            rollout(r#""lastIf": {"tcp": "a:1"}, "onLeaderChange": "stop""#),
            true,
        ),
        (
            rollout(r#""lastIf": {"tcp": "a:1"}, "onLeaderChange": "go""#),
            false,
        ),
        (rollout(r#""beforeLast": {"exec": ["a"]}"#), false),
        (
            rollout(r#""lastIf": {"tcp": "a:1"}, "beforeLast": {"exec": ["a"]}"#),
            true,
        ),
        (
            rollout(r#""lastIf": {"tcp": "a:1"}, "beforeLast": {}"#),
            false,
        ),
        (follow(r#""tag": "16""#), true),
        (follow(r#""tag": "16", "minimumAge": "24h""#), true),
        (follow(r#""tag": "16", "minimumAge": 24"#), false),
        (follow(r#""tag": "16", "allowDowngrade": true"#), false),
        (
            follow(r#""tag": "16", "policy": {"semver": "~3.3"}"#),
            false,
        ),
        (follow(r#""pin": "16-abc1234""#), false),
        (
            follow(r#""policy": {"semver": "~3.3"}, "allowDowngrade": false"#),
            true,
        ),
        (follow(r#""policy": "~3.3""#), false),
        (policy(r#""semver": "~3.3""#), true),
        (policy(r#""semver": 16"#), false),
        (policy(""), false),
        (policy(r#""semver": "~3.3", "suffix": "-alpine""#), true),
        (policy(r#""semver": "~3.3", "newest": ".*""#), false),
        (policy(r#""semver": "~3.3", "order": "date""#), false),
        (policy(r#""suffix": "-alpine""#), false),
        (policy(r#""regex": "16-(.*)", "order": "numeric""#), true),
        (policy(r#""regex": "16-(.*)", "order": "newest""#), false),
        (policy(r#""regex": "16-(.*)""#), false),
        (policy(r#""newest": "16-.*""#), true),
        (policy(r#""newest": "16-.*", "suffix": "-x""#), false),
        (policy(r#""newest": "16-.*", "order": "date""#), false),
        (schedule("0 4 * * 1"), true),
        (schedule("*/5  4 1,15 JAN-MAR *"), true),
        (schedule("0 4 * *"), false),
        (schedule("0 0 4 * * 1"), false),
        (schedule("@weekly"), false),
        (rule(r#"{"name": "A.b-c_d"}"#), true),
        (rule(r#"{"selector": {}}"#), true),
        (rule(r#"{"name": "a", "selector": {}}"#), false),
        (rule(r#"{"login": false}"#), false),
        (rule(r#"{"selector": {"role": "manager"}}"#), true),
        (rule(r#"{"selector": {"role": "Manager"}}"#), false),
        (rule(r#"{"selector": {"labels": {}}}"#), true),
        (rule(r#"{"selector": {"labels": {"a": ["b"]}}}"#), false),
        (rule(r#"{"name": "a", "login": "yes"}"#), false),
        (rule(r#"{"name": "a", "minimumFreeDisk": "500MiB"}"#), true),
        (rule(r#"{"name": "a", "minimumFreeDisk": "1024"}"#), true),
        (rule(r#"{"name": "a", "minimumFreeDisk": 1024}"#), true),
        (rule(r#"{"name": "a", "minimumFreeDisk": 0}"#), false),
        (rule(r#"{"name": "a", "minimumFreeDisk": -1}"#), false),
        (rule(r#"{"name": "a", "minimumFreeDisk": 1.5}"#), false),
        (rule(r#"{"name": "a", "minimumFreeDisk": "5 gigs"}"#), false),
        (keep("1"), true),
        (keep("4294967295"), true),
        (keep("4294967296"), false),
        (keep("0"), false),
        (keep("-1"), false),
        (keep("2.5"), false),
        (keep("\"3\""), false),
    ];
    let schema = schema();
    for ((key, value), expected) in cases {
        let mut document: Value = serde_json::from_str(FULL).unwrap();
        document["spec"]["services"] = Value::Array(Vec::new());
        document["spec"][key] = serde_json::from_str(&value).unwrap();
        let valid = wrong(&document, &schema, &schema).is_empty();
        assert_eq!(valid, expected, "the schema: {value}");
        let told = read(&[Input::new("a.yaml", document.to_string())]);
        assert_eq!(told.is_ok(), expected, "reading: {value}");
    }
}

/// Whether a document without the key is told that it is missing.
fn missing_is_told(section: &str, key: &str) -> bool {
    let mut full: Value = serde_json::from_str(FULL).unwrap();
    let schema = schema();
    let snapshot = full.clone();
    let mut found = Vec::new();
    objects(&snapshot, &schema, &schema, "Document", &mut found);
    let (_, object) = found
        .into_iter()
        .find(|(name, object)| name == section && object.get(key).is_some())
        .unwrap();
    remove(&mut full, object, key);
    match read(&[Input::new("a.yaml", full.to_string())]) {
        Ok(_) => false,
        Err(told) => {
            let missing = |it: &imgstack_spec::Mistake| {
                matches!(it.kind(), Kind::MissingKey | Kind::OtherDocument)
            };
            told.iter().any(missing)
        }
    }
}

/// Takes a key from the first object that equals the one given.
fn remove(value: &mut Value, object: &Value, key: &str) -> bool {
    if value == object {
        return value.as_object_mut().unwrap().remove(key).is_some();
    }
    match value {
        Value::Object(map) => map.values_mut().any(|it| remove(it, object, key)),
        Value::Array(items) => items.iter_mut().any(|it| remove(it, object, key)),
        _ => false,
    }
}

/// JSON pointers to every value.
fn paths(value: &Value, path: String) -> Vec<String> {
    let below: Vec<String> = match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| paths(value, format!("{path}/{key}")))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .flat_map(|(index, value)| paths(value, format!("{path}/{index}")))
            .collect(),
        _ => Vec::new(),
    };
    std::iter::once(path).chain(below).collect()
}

/// As much of a JSON Schema validator as our schema needs; an unknown keyword
/// is a failure, so that it cannot pass by being ignored.
fn wrong(value: &Value, schema: &Value, root: &Value) -> Vec<String> {
    if let Some(target) = schema["$ref"].as_str() {
        let pointer = target.trim_start_matches('#');
        return wrong(value, root.pointer(pointer).unwrap(), root);
    }
    let mut mistakes = broken_rules(value, schema);
    let below: Vec<_> = match value {
        Value::Object(map) => map
            .iter()
            .filter_map(|(key, value)| {
                let own = schema["properties"].get(key);
                let rest = schema.get("additionalProperties");
                Some((value, own.or(rest.filter(|it| it.is_object()))?))
            })
            .collect(),
        Value::Array(items) => {
            let schema = schema.get("items");
            items
                .iter()
                .filter_map(|item| Some((item, schema?)))
                .collect()
        }
        _ => Vec::new(),
    };
    let below = below
        .into_iter()
        .flat_map(|(value, schema)| wrong(value, schema, root));
    mistakes.extend(below);
    mistakes
}

/// The rules of a schema that a value breaks itself, whatever is below it.
fn broken_rules(value: &Value, schema: &Value) -> Vec<String> {
    let mut mistakes = Vec::new();
    let mut check = |good: bool, rule: &str| {
        if !good {
            mistakes.push(format!("{value} against {rule}"));
        }
    };
    for (keyword, rule) in schema.as_object().unwrap() {
        match (keyword.as_str(), value) {
            ("$schema" | "$id" | "$defs" | "title" | "description", _) => {}
            ("type", _) => check(is_type(value, rule), &rule.to_string()),
            ("const", _) => check(value == rule, &rule.to_string()),
            ("pattern", Value::String(text)) => {
                let pattern = regex::Regex::new(rule.as_str().unwrap()).unwrap();
                check(pattern.is_match(text), "pattern");
            }
            ("minLength", Value::String(text)) => {
                check(text.len() as u64 >= rule.as_u64().unwrap(), "minLength");
            }
            ("required", Value::Object(map)) => {
                let keys = rule.as_array().unwrap();
                let has = |key: &Value| map.contains_key(key.as_str().unwrap());
                check(keys.iter().all(has), "required");
            }
            ("minimum", Value::Number(number)) => {
                check(number.as_f64() >= rule.as_f64(), "minimum");
            }
            ("maximum", Value::Number(number)) => {
                check(number.as_f64() <= rule.as_f64(), "maximum");
            }
            ("enum", _) => check(rule.as_array().unwrap().contains(value), "enum"),
            ("oneOf", _) => {
                let rules = rule.as_array().unwrap().iter();
                let kept = rules.filter(|rule| broken_rules(value, rule).is_empty());
                check(kept.count() == 1, "oneOf");
            }
            ("additionalProperties", Value::Object(_)) if rule.is_object() => {}
            ("additionalProperties", Value::Object(map)) => {
                assert_eq!(*rule, Value::Bool(false));
                let known = |key: &String| schema["properties"].get(key).is_some();
                check(map.keys().all(known), "additionalProperties");
            }
            ("dependentRequired", Value::Object(map)) => {
                let rules = rule.as_object().unwrap().iter();
                let mut rules = rules.filter(|(key, _)| map.contains_key(*key));
                let has = |key: &Value| map.contains_key(key.as_str().unwrap());
                let good = rules.all(|(_, keys)| keys.as_array().unwrap().iter().all(has));
                check(good, "dependentRequired");
            }
            ("minProperties", Value::Object(map)) => check(!map.is_empty(), "minProperties"),
            ("maxProperties", Value::Object(map)) => check(map.len() <= 1, "maxProperties"),
            (
                "properties"
                | "items"
                | "pattern"
                | "minLength"
                | "minimum"
                | "maximum"
                | "required"
                | "additionalProperties"
                | "dependentRequired"
                | "minProperties"
                | "maxProperties",
                _,
            ) => {}
            (other, _) => panic!("this test does not know {other}"),
        }
    }
    mistakes
}

fn is_type(value: &Value, types: &Value) -> bool {
    let is = |name: &Value| match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        other => panic!("this test does not know the type {other}"),
    };
    match types {
        Value::Array(types) => types.iter().any(is),
        one => is(one),
    }
}
