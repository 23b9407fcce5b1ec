//! Rollout settings: what a service has by the engine's own rules, read past
//! the product, and what the spec asks for.

use std::collections::BTreeMap;

use imgstack_planner::{AdjustService, Change, SettingsChange, UpdateService};
use serde::Serialize;
use serde_json::{Value, json};

use crate::design::Service;
use crate::tally::shows;
use crate::truth;

/// In nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// By their names in `UpdateConfig`.
pub type Settings = BTreeMap<&'static str, Value>;

/// The settings of a service, the engine's defaults filled in: without any, one
/// at a time; with some, a number that is not there is zero.
pub fn settings_of(spec: &Value) -> Settings {
    let config = &spec["UpdateConfig"];
    let is_there = |it: &&Value| !it.is_null() && **it != json!(0) && **it != json!("");
    let or = |key: &str, default: Value| {
        Some(&config[key])
            .filter(is_there)
            .cloned()
            .unwrap_or(default)
    };
    let parallelism = if config.is_null() { 1 } else { 0 };
    BTreeMap::from([
        ("Order", or("Order", json!("stop-first"))),
        ("Parallelism", or("Parallelism", json!(parallelism))),
        ("Monitor", or("Monitor", json!(5 * SECOND))),
        ("FailureAction", or("FailureAction", json!("pause"))),
    ])
}

/// What the spec asks for and the service has not.
pub fn lacks(service: &Service, there: &truth::Service) -> Settings {
    let has = settings_of(&there.spec);
    let wanted = service.rollout.iter();
    wanted
        .filter(|(key, value)| has[*key] != **value)
        .map(|(key, value)| (*key, value.clone()))
        .collect()
}

/// The spec of a service, with those changes made, as the engine tells it: the
/// defaults of settings that were not there before are written out.
pub fn with_settings(spec: &Value, changes: &SettingsChange) -> Value {
    let mut spec = spec.clone();
    for (key, _, to) in listed(changes) {
        if spec["UpdateConfig"].is_null() {
            spec["UpdateConfig"] = json!({
                "Parallelism": 1, "FailureAction": "pause", "MaxFailureRatio": 0,
                "Order": "stop-first",
            });
        }
        spec["UpdateConfig"][key] = to;
    }
    spec
}

/// Nothing but what is lacking, from what it is.
#[track_caller]
pub fn settings_are_due(service: &Service, there: &truth::Service, changes: &SettingsChange) {
    let has = settings_of(&there.spec);
    let mut lacks = lacks(service, there);
    for (key, from, to) in listed(changes) {
        assert_eq!(from, has[key], "{changes:#?} {there:#?}");
        assert_eq!(Some(to), lacks.remove(key), "{changes:#?} {there:#?}");
    }
    assert_eq!(lacks, Settings::new(), "{changes:#?} {there:#?}");
}

/// An update goes by the settings that it carries.
#[track_caller]
pub fn goes_by_its_settings(service: &Service, there: &truth::Service, update: &UpdateService) {
    settings_are_due(service, there, &update.settings);
    let carried = settings_of(&with_settings(&there.spec, &update.settings));
    let says = format!("{update:#?} {there:#?}");
    assert_eq!(carried["Order"], word(&update.order), "{says}");
    assert_eq!(carried["FailureAction"], word(&update.on_failure), "{says}");
    let monitor = carried["Monitor"].as_u64().unwrap() / 1_000_000;
    assert_eq!(update.monitor_ms, monitor, "{says}");
    if !update.settings.is_empty() {
        shows("plan settings with an image");
    }
}

/// A step for settings has a cause.
#[track_caller]
pub fn adjustment_is_due(service: &Service, there: &truth::Service, adjust: &AdjustService) {
    assert!(!adjust.settings.is_empty(), "{adjust:#?}");
    settings_are_due(service, there, &adjust.settings);
    assert_eq!(adjust.image, there.image());
    if adjust.credential.is_some() {
        shows("plan settings with a credential");
    }
}

/// Each change under its name in `UpdateConfig`.
fn listed(changes: &SettingsChange) -> Vec<(&'static str, Value, Value)> {
    let nanos = |it: &Change<u64>| Change {
        from: it.from * 1_000_000,
        to: it.to * 1_000_000,
    };
    let monitor = changes.monitor_ms.as_ref().map(nanos);
    let listed = [
        entry("Order", changes.order.as_ref()),
        entry("Parallelism", changes.parallelism.as_ref()),
        entry("Monitor", monitor.as_ref()),
        entry("FailureAction", changes.on_failure.as_ref()),
    ];
    listed.into_iter().flatten().collect()
}

fn entry<T: Serialize>(
    key: &'static str,
    change: Option<&Change<T>>,
) -> Option<(&'static str, Value, Value)> {
    change.map(|it| (key, word(&it.from), word(&it.to)))
}

/// As it is written.
fn word<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap()
}
