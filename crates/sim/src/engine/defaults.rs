//! What Swarm takes where a service spec says nothing, for `insertDefaults`.
//!
//! As swarmkit's `api/defaults/service.go` has it, in the Engine API's words.

use serde_json::{Value, json};

/// Fills in what the spec leaves open.
pub(super) fn with_defaults(spec: &mut Value) {
    let template = &mut spec["TaskTemplate"];
    if template["ContainerSpec"].is_object() {
        let container = &mut template["ContainerSpec"];
        fill(container, "StopGracePeriod", json!(10_000_000_000_u64));
        fill(container, "DNSConfig", json!({}));
    }
    fill(
        template,
        "Resources",
        json!({"Limits": {}, "Reservations": {}}),
    );
    fill(template, "Placement", json!({}));
    fill(template, "RestartPolicy", json!({"MaxAttempts": 0}));
    fill(&mut template["RestartPolicy"], "Condition", json!("any"));
    fill(
        &mut template["RestartPolicy"],
        "Delay",
        json!(5_000_000_000_u64),
    );
    let change = json!({
        "Parallelism": 1, "FailureAction": "pause", "Monitor": 5_000_000_000_u64,
        "MaxFailureRatio": 0, "Order": "stop-first",
    });
    for config in ["UpdateConfig", "RollbackConfig"] {
        fill(spec, config, change.clone());
        fill(&mut spec[config], "Monitor", json!(5_000_000_000_u64));
    }
    fill(spec, "EndpointSpec", json!({"Mode": "vip"}));
}

fn fill(object: &mut Value, field: &str, default: Value) {
    if let Value::Object(fields) = object
        && fields.get(field).is_none_or(Value::is_null)
    {
        fields.insert(field.to_owned(), default);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_stays_and_what_is_not_is_filled_in() {
        let mut spec = json!({
            "TaskTemplate": {"ContainerSpec": {"Image": "a"}, "RestartPolicy": {"Delay": 1}},
            "UpdateConfig": {"Parallelism": 0, "FailureAction": "rollback"},
        });
        with_defaults(&mut spec);
        let restart = &spec["TaskTemplate"]["RestartPolicy"];
        assert_eq!(
            (&restart["Delay"], &restart["Condition"]),
            (&json!(1), &json!("any"))
        );
        assert_eq!(spec["UpdateConfig"]["Parallelism"], 0);
        assert_eq!(spec["UpdateConfig"]["Monitor"], 5_000_000_000_u64);
        assert_eq!(spec["RollbackConfig"]["FailureAction"], "pause");
    }
}
