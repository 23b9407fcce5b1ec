//! The only way a service spec is changed: a few named fields of raw JSON.
//!
//! Typed models of the Engine API drop what they do not know or misspell (the
//! healthcheck, cluster options of a mount), so a service that went through
//! one would come back poorer. Here the spec stays the JSON that the engine
//! sent, and everything that is not named below comes out as it went in.
//!
//! Deliberately absent: `ForceUpdate`, and any other way to change a service.

use std::collections::BTreeMap;
use std::time::Duration;

use imgstack_spec::{Platform, RolloutSettings};
use serde_json::{Map, Value, json};
use thiserror::Error;

/// What is to change in a service spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePatch {
    /// `TaskTemplate.ContainerSpec.Image`.
    pub image: String,
    /// `TaskTemplate.Placement.Platforms`, when it is to follow the image.
    /// None leaves it alone.
    ///
    /// By itself a change here restarts nothing on nodes that still fit. But
    /// when the service's credential is not the one that its tasks were made
    /// with, it restarts them all, and so does a new credential afterwards:
    /// Swarm overlooks a difference in one of the two, not in both.
    pub platforms: Option<Vec<Platform>>,
    /// Settings of `UpdateConfig`, for this update and those after it: the
    /// engine rolls out by the spec that it is given. They are no part of the
    /// task, so they restart nothing. `RollbackConfig` stays.
    pub update_config: UpdateConfigPatch,
    /// Service labels (`dev.imgstack.*`) to set, or without a value to take
    /// away; the others stay. They are not part of the task, so they restart
    /// nothing.
    pub labels: BTreeMap<String, Option<String>>,
}

/// What becomes of `Order`, `Parallelism`, `Monitor` and `FailureAction`; all
/// else of an `UpdateConfig` stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpdateConfigPatch {
    /// They become these; what is None stays.
    Settings(RolloutSettings),
    /// They become what they were in this one. None: there was none at all.
    Restored(Option<Value>),
}

impl Default for UpdateConfigPatch {
    fn default() -> Self {
        Self::Settings(RolloutSettings::default())
    }
}

/// Why a spec cannot be patched.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PatchError {
    /// No object at `TaskTemplate.ContainerSpec`: a plugin or a network
    /// attachment, which has no image to change.
    #[error("the service runs no containers, so it has no image to change")]
    NoContainers,
    /// A field on the way is of another type than the Engine API says.
    #[error("`{0}` of the service spec is not an object")]
    NotAnObject(&'static str),
}

impl ServicePatch {
    /// The spec (`Spec` of a service, not the service around it) with the
    /// changes made.
    ///
    /// # Errors
    /// When the service runs no containers, or a field that holds a changed
    /// one is of the wrong type.
    pub fn apply(&self, spec: &Value) -> Result<Value, PatchError> {
        let Value::Object(mut patched) = spec.clone() else {
            return Err(PatchError::NotAnObject("Spec"));
        };
        let template = object(&mut patched, "TaskTemplate", "TaskTemplate")?;
        let Some(Value::Object(container)) = template.get_mut("ContainerSpec") else {
            return Err(PatchError::NoContainers);
        };
        container.insert("Image".to_owned(), Value::from(self.image.as_str()));
        if let Some(platforms) = &self.platforms {
            set_platforms(template, platforms)?;
        }
        match &self.update_config {
            UpdateConfigPatch::Settings(settings) => set_rollout(&mut patched, settings)?,
            UpdateConfigPatch::Restored(then) => restore_rollout(&mut patched, then.as_ref())?,
        }
        if !self.labels.is_empty() {
            let labels = object(&mut patched, "Labels", "Labels")?;
            for (key, value) in &self.labels {
                match value {
                    Some(value) => labels.insert(key.clone(), Value::from(value.as_str())),
                    None => labels.remove(key),
                };
            }
        }
        Ok(Value::Object(patched))
    }
}

fn set_platforms(
    template: &mut Map<String, Value>,
    platforms: &[Platform],
) -> Result<(), PatchError> {
    // "Any platform" is written in three ways; none is better than another.
    let placement = template.get("Placement").unwrap_or(&Value::Null);
    if platforms.is_empty() && placement.get("Platforms").is_none_or(Value::is_null) {
        return Ok(());
    }
    let placement = object(template, "Placement", "TaskTemplate.Placement")?;
    placement.insert("Platforms".to_owned(), platforms_json(platforms));
    Ok(())
}

fn set_rollout(spec: &mut Map<String, Value>, rollout: &RolloutSettings) -> Result<(), PatchError> {
    if rollout.is_empty() {
        return Ok(());
    }
    // Without the object the engine takes its defaults; with one, a parallelism
    // that is not written is Go's zero: all at once.
    let is_new = spec.get("UpdateConfig").is_none_or(Value::is_null);
    let config = object(spec, "UpdateConfig", "UpdateConfig")?;
    if is_new {
        config.insert("Parallelism".to_owned(), Value::from(1));
    }
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let settings = [
        ("Order", rollout.order.map(|it| Value::from(it.word()))),
        ("Parallelism", rollout.parallelism.map(Value::from)),
        ("Monitor", rollout.monitor.map(|it| Value::from(nanos(it)))),
        (
            "FailureAction",
            rollout.on_failure.map(|it| Value::from(it.word())),
        ),
    ];
    for (key, value) in settings {
        if let Some(value) = value {
            config.insert(key.to_owned(), value);
        }
    }
    Ok(())
}

fn restore_rollout(spec: &mut Map<String, Value>, then: Option<&Value>) -> Result<(), PatchError> {
    let Some(then) = then else {
        spec.remove("UpdateConfig");
        return Ok(());
    };
    let Value::Object(then) = then else {
        spec.insert("UpdateConfig".to_owned(), then.clone());
        return Ok(());
    };
    let config = object(spec, "UpdateConfig", "UpdateConfig")?;
    for key in ["Order", "Parallelism", "Monitor", "FailureAction"] {
        match then.get(key) {
            Some(value) => config.insert(key.to_owned(), value.clone()),
            None => config.remove(key),
        };
    }
    Ok(())
}

/// As docker's own client writes them. Swarm's platform has no variant, and a
/// 32-bit ARM node calls itself `armv7l`, which no image does: the client
/// leaves the architecture of `arm` open, else nothing would be schedulable.
/// Source: `cli/command/service` of docker/cli and swarmkit issue 2294.
pub(crate) fn platforms_json(platforms: &[Platform]) -> Value {
    let mut list: Vec<Value> = Vec::new();
    for platform in platforms {
        let architecture = match platform.architecture.as_str() {
            "arm" => "",
            other => other,
        };
        let mut entry = Map::new();
        if !architecture.is_empty() {
            entry.insert("Architecture".to_owned(), json!(architecture));
        }
        entry.insert("OS".to_owned(), json!(platform.os));
        let entry = Value::Object(entry);
        if !list.contains(&entry) {
            list.push(entry);
        }
    }
    Value::Array(list)
}

/// The object under `key`, made when it is absent or null.
fn object<'a>(
    parent: &'a mut Map<String, Value>,
    key: &str,
    path: &'static str,
) -> Result<&'a mut Map<String, Value>, PatchError> {
    let slot = parent.entry(key).or_insert(Value::Null);
    if slot.is_null() {
        *slot = Value::Object(Map::new());
    }
    slot.as_object_mut().ok_or(PatchError::NotAnObject(path))
}

#[cfg(test)]
mod tests;
