//! The fields of a service spec that a plan may keep.
//!
//! A plan names what moved since it was made, so it remembers what it saw. It
//! must not remember secrets, and a spec can hold them in many places: values
//! of variables and labels, arguments, driver options, healthchecks. So this
//! is a list of what is taken, never of what is left out.

use std::collections::BTreeMap;

use serde_json::Value;

/// Places whose whole content is harmless: (place in the spec, name for people).
const OPEN: [(&str, &str); 9] = [
    ("/TaskTemplate/ContainerSpec/Image", "image"),
    ("/TaskTemplate/ForceUpdate", "forceUpdate"),
    ("/Mode", "mode"),
    ("/TaskTemplate/Placement", "placement"),
    ("/TaskTemplate/Resources", "resources"),
    ("/TaskTemplate/RestartPolicy", "restartPolicy"),
    ("/UpdateConfig", "updateConfig"),
    ("/RollbackConfig", "rollbackConfig"),
    ("/EndpointSpec", "endpointSpec"),
];

/// Lists of which only the names of the entries are harmless:
/// (place in the spec, name for people, key of the name in an entry).
const NAMED: [(&str, &str, &str); 4] = [
    (
        "/TaskTemplate/ContainerSpec/Secrets",
        "secrets",
        "SecretName",
    ),
    (
        "/TaskTemplate/ContainerSpec/Configs",
        "configs",
        "ConfigName",
    ),
    ("/TaskTemplate/ContainerSpec/Mounts", "mounts", "Target"),
    ("/TaskTemplate/Networks", "networks", "Target"),
];

/// The fields of a spec that cannot be secret, by a dotted path that a person
/// can read, such as `mode.Replicated.Replicas`.
#[must_use]
pub fn open_fields(spec: &Value) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    for (place, name) in OPEN {
        if let Some(value) = spec.pointer(place) {
            flatten(name, value, &mut fields);
        }
    }
    for (place, name, key) in NAMED {
        let entries = spec.pointer(place).and_then(Value::as_array);
        let names = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.get(key)?.as_str());
        list(name, names, &mut fields);
    }
    let labels = spec.pointer("/Labels").and_then(Value::as_object);
    list(
        "labels",
        labels.into_iter().flatten().map(|(key, _)| key.as_str()),
        &mut fields,
    );
    let env = spec
        .pointer("/TaskTemplate/ContainerSpec/Env")
        .and_then(Value::as_array);
    let variables = env.into_iter().flatten().filter_map(Value::as_str);
    let variables = variables.map(|line| line.split_once('=').map_or(line, |(name, _)| name));
    list("env", variables, &mut fields);
    fields
}

fn flatten(path: &str, value: &Value, fields: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                flatten(&format!("{path}.{key}"), value, fields);
            }
        }
        other => {
            fields.insert(path.to_owned(), other.clone());
        }
    }
}

fn list<'a>(
    name: &str,
    names: impl Iterator<Item = &'a str>,
    fields: &mut BTreeMap<String, Value>,
) {
    let names: Vec<&str> = names.collect();
    if !names.is_empty() {
        fields.insert(name.to_owned(), Value::from(names.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::open_fields;

    #[test]
    fn what_may_be_secret_is_left_out() {
        let spec = json!({
            "Name": "web",
            "Labels": {"traefik.auth": "hunter2"},
            "Mode": {"Replicated": {"Replicas": 2}},
            "TaskTemplate": {
                "ContainerSpec": {
                    "Image": "web:1",
                    "Args": ["--password=hunter2"],
                    "Command": ["hunter2"],
                    "Env": ["PASSWORD=hunter2", "DEBUG"],
                    "Labels": {"a": "hunter2"},
                    "Healthcheck": {"Test": ["CMD", "curl", "-uhunter2"]},
                    "Mounts": [{"Target": "/data", "VolumeOptions": {"DriverConfig": {"Options": {"o": "hunter2"}}}}],
                    "Secrets": [{"SecretName": "pw", "SecretID": "x"}],
                },
                "LogDriver": {"Options": {"token": "hunter2"}},
                "ForceUpdate": 3,
            },
        });
        let fields = open_fields(&spec);
        assert!(!format!("{fields:?}").contains("hunter2"), "{fields:?}");
        assert_eq!(fields["env"], "PASSWORD, DEBUG");
        assert_eq!(fields["labels"], "traefik.auth");
        assert_eq!(fields["mounts"], "/data");
        assert_eq!(fields["secrets"], "pw");
        assert_eq!(fields["mode.Replicated.Replicas"], 2);
        assert_eq!(fields["image"], "web:1");
        assert_eq!(fields["forceUpdate"], 3);
    }
}
