//! What a service's spec says, swarmkit's defaults filled in.

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::state::TaskState;

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

    /// How far its tasks are to come.
    pub(super) fn goal(self) -> TaskState {
        match self.is_job() {
            true => TaskState::Complete,
            false => TaskState::Running,
        }
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

/// The run of a job; a zero is not said.
pub(super) fn job_iteration(iteration: u64) -> Value {
    match iteration {
        0 => json!({}),
        index => json!({ "Index": index }),
    }
}

/// Fills in what the engine itself fills in when it takes a spec, and leaves
/// out what says nothing.
pub(super) fn complete(spec: &mut Value) {
    leave_out_null(spec);
    let Value::Object(fields) = spec else { return };
    fields.entry("Labels").or_insert_with(|| json!({}));
    let mode = fields.entry("Mode").or_insert(Value::Null);
    if mode.as_object().is_none_or(Map::is_empty) {
        *mode = json!({"Replicated": {}});
    }
    if let Some(Value::Object(replicated)) = mode.get_mut("Replicated") {
        replicated.entry("Replicas").or_insert_with(|| json!(1));
    }
    for config in ["UpdateConfig", "RollbackConfig"] {
        if let Some(Value::Object(config)) = fields.get_mut(config) {
            complete_config(config);
        }
    }
    if let Some(Value::Object(endpoint)) = fields.get_mut("EndpointSpec") {
        complete_endpoint(endpoint);
    }
    if let Some(Value::Object(template)) = fields.get_mut("TaskTemplate") {
        complete_template(template);
    }
}

fn complete_config(config: &mut Map<String, Value>) {
    for (field, default) in [
        ("Parallelism", json!(0)),
        ("FailureAction", json!("pause")),
        ("MaxFailureRatio", json!(0)),
        ("Order", json!("stop-first")),
    ] {
        let value = config.entry(field).or_insert(default.clone());
        if value == "" {
            *value = default;
        }
    }
    for field in ["Delay", "Monitor"] {
        if config.get(field).is_some_and(|value| *value == 0) {
            config.remove(field);
        }
    }
}

fn complete_endpoint(endpoint: &mut Map<String, Value>) {
    endpoint.entry("Mode").or_insert_with(|| json!("vip"));
    let ports = endpoint.get_mut("Ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten() {
        let Value::Object(port) = port else { continue };
        port.entry("Protocol").or_insert_with(|| json!("tcp"));
        port.entry("PublishMode")
            .or_insert_with(|| json!("ingress"));
        if port.get("PublishedPort").is_some_and(|number| *number == 0) {
            port.remove("PublishedPort");
        }
    }
}

fn complete_template(template: &mut Map<String, Value>) {
    template.entry("ForceUpdate").or_insert_with(|| json!(0));
    template
        .entry("Runtime")
        .or_insert_with(|| json!("container"));
    if let Some(Value::Object(policy)) = template.get_mut("RestartPolicy") {
        policy.entry("Condition").or_insert_with(|| json!("any"));
        policy.entry("MaxAttempts").or_insert_with(|| json!(0));
    }
    if let Some(Value::Object(container)) = template.get_mut("ContainerSpec") {
        container.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
        container
            .entry("Isolation")
            .or_insert_with(|| json!("default"));
    }
}

fn leave_out_null(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(leave_out_null);
        }
        Value::Array(list) => list.iter_mut().for_each(leave_out_null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
