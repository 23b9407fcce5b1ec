//! What a service's spec says, swarmkit's defaults filled in.

use jiff::SignedDuration;
use serde_json::Value;

/// How many tasks, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Replicated(u64),
    Global,
    ReplicatedJob { total: u64, at_once: u64 },
    GlobalJob,
}

impl Mode {
    pub(super) fn of(spec: &Value) -> Self {
        let mode = &spec["Mode"];
        if mode["Global"].is_object() {
            return Self::Global;
        }
        if mode["GlobalJob"].is_object() {
            return Self::GlobalJob;
        }
        let job = &mode["ReplicatedJob"];
        if job.is_object() {
            let at_once = job["MaxConcurrent"].as_u64().unwrap_or(1);
            let total = job["TotalCompletions"].as_u64().unwrap_or(at_once);
            return Self::ReplicatedJob { total, at_once };
        }
        Self::Replicated(mode["Replicated"]["Replicas"].as_u64().unwrap_or(1))
    }

    pub(super) fn is_job(self) -> bool {
        matches!(self, Self::ReplicatedJob { .. } | Self::GlobalJob)
    }

    pub(super) fn is_global(self) -> bool {
        matches!(self, Self::Global | Self::GlobalJob)
    }

    /// Whether an update may turn one into the other.
    pub(super) fn is_like(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

/// What is done when an update fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureAction {
    Pause,
    Continue,
    Rollback,
}

/// `UpdateConfig` or `RollbackConfig`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct UpdateConfig {
    /// 0: all at once.
    pub(super) parallelism: u64,
    pub(super) delay: SignedDuration,
    pub(super) monitor: SignedDuration,
    pub(super) action: FailureAction,
    pub(super) max_failure_ratio: f64,
    pub(super) start_first: bool,
}

impl UpdateConfig {
    pub(super) fn of(spec: &Value, is_rollback: bool) -> Self {
        let config = &spec[if is_rollback {
            "RollbackConfig"
        } else {
            "UpdateConfig"
        }];
        // Without a config one at a time; with one, its silence means 0.
        let parallelism = match config.is_object() {
            true => config["Parallelism"].as_u64().unwrap_or(0),
            false => 1,
        };
        let action = match config["FailureAction"].as_str() {
            Some("continue") => FailureAction::Continue,
            Some("rollback") if !is_rollback => FailureAction::Rollback,
            _ => FailureAction::Pause,
        };
        let monitor = nanos(&config["Monitor"]).filter(|monitor| !monitor.is_zero());
        Self {
            parallelism,
            delay: nanos(&config["Delay"]).unwrap_or_default(),
            monitor: monitor.unwrap_or(SignedDuration::from_secs(5)),
            action,
            max_failure_ratio: config["MaxFailureRatio"].as_f64().unwrap_or(0.0),
            start_first: config["Order"] == "start-first",
        }
    }
}

/// When a task that ended is followed by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RestartPolicy {
    pub(super) on_success: bool,
    pub(super) on_failure: bool,
    pub(super) delay: SignedDuration,
    /// 0: as often as need be.
    pub(super) max_attempts: u64,
}

impl RestartPolicy {
    pub(super) fn of(template: &Value) -> Self {
        let policy = &template["RestartPolicy"];
        let condition = policy["Condition"].as_str().unwrap_or("any");
        Self {
            on_success: matches!(condition, "any" | ""),
            on_failure: condition != "none",
            delay: nanos(&policy["Delay"]).unwrap_or(SignedDuration::from_secs(5)),
            max_attempts: policy["MaxAttempts"].as_u64().unwrap_or(0),
        }
    }
}

fn nanos(value: &Value) -> Option<SignedDuration> {
    value.as_i64().map(SignedDuration::from_nanos)
}

/// The image of the tasks.
pub(super) fn image(template: &Value) -> &str {
    template["ContainerSpec"]["Image"]
        .as_str()
        .unwrap_or_default()
}

/// What of a template decides whether a task has to be replaced: all but where
/// it may run.
pub(super) fn differs_beyond_placement(one: &Value, other: &Value) -> bool {
    let without = |template: &Value| {
        let mut template = template.clone();
        if let Value::Object(fields) = &mut template {
            fields.remove("Placement");
        }
        template
    };
    without(one) != without(other)
}

/// Fills in what the engine itself fills in when it takes a spec.
pub(super) fn complete(spec: &mut Value) {
    let Value::Object(fields) = spec else { return };
    fields
        .entry("Labels")
        .and_modify(|labels| {
            if labels.is_null() {
                *labels = serde_json::json!({});
            }
        })
        .or_insert_with(|| serde_json::json!({}));
    let mode = fields.entry("Mode").or_insert(Value::Null);
    if mode.as_object().is_none_or(serde_json::Map::is_empty) {
        *mode = serde_json::json!({"Replicated": {"Replicas": 1}});
    }
    if let Some(Value::Object(replicated)) = mode.get_mut("Replicated") {
        replicated
            .entry("Replicas")
            .or_insert_with(|| Value::from(1));
    }
    fields
        .entry("EndpointSpec")
        .or_insert_with(|| serde_json::json!({"Mode": "vip"}));
    let template = fields
        .entry("TaskTemplate")
        .or_insert_with(|| serde_json::json!({}));
    if let Value::Object(template) = template {
        template
            .entry("ForceUpdate")
            .or_insert_with(|| Value::from(0));
        template
            .entry("Runtime")
            .or_insert_with(|| Value::from("container"));
        if let Some(Value::Object(container)) = template.get_mut("ContainerSpec") {
            container
                .entry("Isolation")
                .or_insert_with(|| Value::from("default"));
        }
    }
}
