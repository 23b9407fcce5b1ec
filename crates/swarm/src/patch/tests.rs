//! Nothing but the named fields changes: on a real and rich service, on the
//! odd forms that engines send, and on random JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use imgstack_spec::{FailureAction, Platform, RolloutSettings, UpdateOrder};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{PatchError, ServicePatch, UpdateConfigPatch};
use crate::RawService;

const IMAGE: &str = "registry.example.org/stacks/postgres:16@sha256:aaaa";

fn platform(os: &str, architecture: &str, variant: Option<&str>) -> Platform {
    Platform {
        os: os.to_owned(),
        architecture: architecture.to_owned(),
        variant: variant.map(str::to_owned),
    }
}

fn patch(platforms: Option<Vec<Platform>>, labels: &[(&str, &str)]) -> ServicePatch {
    ServicePatch {
        image: IMAGE.to_owned(),
        platforms,
        update_config: UpdateConfigPatch::default(),
        labels: labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
            .collect(),
    }
}

/// Every leaf of a JSON value with its place; an object or a list has one
/// itself, which ends with `/`.
fn leaves(value: &Value) -> BTreeMap<String, String> {
    fn walk(place: &str, value: &Value, out: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(map) => {
                out.insert(format!("{place}/"), "an object".to_owned());
                for (key, value) in map {
                    walk(&format!("{place}/{key}"), value, out);
                }
            }
            Value::Array(list) => {
                out.insert(format!("{place}/"), "a list".to_owned());
                for (index, value) in list.iter().enumerate() {
                    walk(&format!("{place}/{index}"), value, out);
                }
            }
            leaf => {
                out.insert(place.to_owned(), leaf.to_string());
            }
        }
    }
    let mut out = BTreeMap::new();
    walk("", value, &mut out);
    out
}

/// The places at which two values differ.
fn difference(one: &Value, other: &Value) -> BTreeSet<String> {
    let (one, other) = (leaves(one), leaves(other));
    let places = one.keys().chain(other.keys());
    places
        .filter(|place| one.get(*place) != other.get(*place))
        .cloned()
        .collect()
}

fn places(places: &[&str]) -> BTreeSet<String> {
    places.iter().map(|place| (*place).to_owned()).collect()
}

#[test]
fn a_rich_service_keeps_all_the_rest() {
    let service: Value =
        serde_json::from_str(include_str!("../../tests/data/rich-service.json")).unwrap();
    let spec = &service["Spec"];
    let platforms = vec![
        platform("linux", "amd64", None),
        platform("linux", "arm64", Some("v8")),
    ];
    let patched = patch(Some(platforms), &[("dev.imgstack.stack", "db")])
        .apply(spec)
        .unwrap();
    assert_eq!(
        difference(spec, &patched),
        places(&[
            "/Labels/dev.imgstack.stack",
            "/TaskTemplate/ContainerSpec/Image",
            "/TaskTemplate/Placement/Platforms/",
            "/TaskTemplate/Placement/Platforms/0/",
            "/TaskTemplate/Placement/Platforms/0/Architecture",
            "/TaskTemplate/Placement/Platforms/0/OS",
            "/TaskTemplate/Placement/Platforms/1/",
            "/TaskTemplate/Placement/Platforms/1/Architecture",
            "/TaskTemplate/Placement/Platforms/1/OS",
        ])
    );
    assert_eq!(patched["TaskTemplate"]["ContainerSpec"]["Image"], IMAGE);
    let text = patched.to_string();
    for kept in [
        "18446744073709551615",
        "\"MaxFailureRatio\":0.1,",
        "\"CredentialSpec\":null",
    ] {
        assert!(text.contains(kept), "{kept}");
    }
}

#[test]
fn forms() {
    let any = || Some(Vec::new());
    let one = || Some(vec![platform("linux", "amd64", None)]);
    let arm = || {
        Some(vec![
            platform("linux", "arm", Some("v6")),
            platform("linux", "arm", Some("v7")),
            platform("linux", "arm64", None),
        ])
    };
    let written = json!({"Platforms": [{"Architecture": "amd64", "OS": "linux"}]});
    let constrained = json!({"Constraints": ["node.role==worker"], "Platforms": null});
    // (name, placement before, platforms, placement after); Null is absent.
    let table = [
        ("left alone", Value::Null, None, Value::Null),
        ("absent", Value::Null, one(), written.clone()),
        ("empty", json!({}), one(), written.clone()),
        (
            "replaced",
            json!({"Platforms": [{"OS": "windows"}]}),
            one(),
            written.clone(),
        ),
        (
            "others stay",
            constrained.clone(),
            one(),
            json!({"Constraints": ["node.role==worker"], "Platforms": written["Platforms"]}),
        ),
        ("any, and none written", Value::Null, any(), Value::Null),
        (
            "any, and null written",
            constrained.clone(),
            any(),
            constrained,
        ),
        (
            "any, and one written",
            written,
            any(),
            json!({"Platforms": []}),
        ),
        (
            "32-bit arm is left open",
            Value::Null,
            arm(),
            json!({"Platforms": [{"OS": "linux"}, {"Architecture": "arm64", "OS": "linux"}]}),
        ),
    ];
    for (name, before, platforms, after) in table {
        let spec = |placement: Value| {
            let mut template = json!({"ContainerSpec": {"Image": "a"}});
            if !placement.is_null() {
                template["Placement"] = placement;
            }
            json!({"Name": "web", "TaskTemplate": template})
        };
        let mut expected = spec(after);
        expected["TaskTemplate"]["ContainerSpec"]["Image"] = json!(IMAGE);
        let patched = patch(platforms, &[]).apply(&spec(before)).unwrap();
        assert_eq!(patched, expected, "{name}");
    }
}

/// (name, `UpdateConfig` before, what is asked for, `UpdateConfig` after); Null
/// is absent.
#[test]
fn settings() {
    let none = RolloutSettings::default;
    let order = RolloutSettings {
        order: Some(UpdateOrder::StartFirst),
        ..none()
    };
    let all = RolloutSettings {
        order: Some(UpdateOrder::StopFirst),
        parallelism: Some(0),
        monitor: Some(Duration::from_secs(90)),
        on_failure: Some(FailureAction::Rollback),
    };
    let rich = json!({
        "Parallelism": 2, "Delay": 1_000_000_000_u64, "FailureAction": "continue",
        "Monitor": 7_500_000_000_u64, "MaxFailureRatio": 0.25, "Order": "start-first", "New": {"a": 1},
    });
    let table = [
        ("left alone", rich.clone(), none(), rich.clone()),
        ("left absent", Value::Null, none(), Value::Null),
        (
            "one",
            json!({"Parallelism": 4, "Order": "stop-first"}),
            order.clone(),
            json!({"Parallelism": 4, "Order": "start-first"}),
        ),
        (
            "all, and the others stay",
            rich,
            all.clone(),
            json!({
                "Parallelism": 0, "Delay": 1_000_000_000_u64, "FailureAction": "rollback",
                "Monitor": 90_000_000_000_u64, "MaxFailureRatio": 0.25, "Order": "stop-first", "New": {"a": 1},
            }),
        ),
        (
            "an object that says nothing means all at once, and stays so",
            json!({}),
            order.clone(),
            json!({"Order": "start-first"}),
        ),
        (
            "without an object it is one at a time, and stays so",
            Value::Null,
            order,
            json!({"Parallelism": 1, "Order": "start-first"}),
        ),
        (
            "all, without an object",
            Value::Null,
            all,
            json!({
                "Parallelism": 0, "FailureAction": "rollback", "Monitor": 90_000_000_000_u64,
                "Order": "stop-first",
            }),
        ),
    ];
    for (name, before, rollout, after) in table {
        let spec = |config: Value| {
            let mut spec = json!({
                "RollbackConfig": {"Parallelism": 3, "Order": "stop-first"},
                "TaskTemplate": {"ContainerSpec": {"Image": IMAGE}},
            });
            if !config.is_null() {
                spec["UpdateConfig"] = config;
            }
            spec
        };
        let patch = ServicePatch {
            update_config: UpdateConfigPatch::Settings(rollout),
            ..patch(None, &[])
        };
        assert_eq!(patch.apply(&spec(before)).unwrap(), spec(after), "{name}");
    }
    let odd = json!({"TaskTemplate": {"ContainerSpec": {"Image": "a"}}, "UpdateConfig": 1});
    let patch = ServicePatch {
        update_config: UpdateConfigPatch::Settings(RolloutSettings {
            parallelism: Some(1),
            ..none()
        }),
        ..patch(None, &[])
    };
    assert_eq!(
        patch.apply(&odd),
        Err(PatchError::NotAnObject("UpdateConfig"))
    );
}

/// What is written is what is read: without that no plan is ever empty.
#[test]
fn settings_are_read_as_they_are_written() {
    let asked = RolloutSettings {
        order: Some(UpdateOrder::StartFirst),
        parallelism: Some(3),
        monitor: Some(Duration::from_secs(11)),
        on_failure: Some(FailureAction::Continue),
    };
    for config in [Value::Null, json!({}), json!({"Delay": 5})] {
        let spec =
            json!({"TaskTemplate": {"ContainerSpec": {"Image": "a"}}, "UpdateConfig": config});
        let patch = ServicePatch {
            update_config: UpdateConfigPatch::Settings(asked.clone()),
            ..patch(None, &[])
        };
        let patched = patch.apply(&spec).unwrap();
        let read = RawService::new(json!({"Spec": patched})).update_config();
        let read = RolloutSettings {
            order: Some(read.order),
            parallelism: Some(read.parallelism),
            monitor: Some(read.monitor),
            on_failure: Some(read.failure_action),
        };
        assert_eq!(read, asked, "{config}");
    }
}

#[test]
fn labels() {
    let ours = json!({"dev.imgstack.stack": "db"});
    for (before, after) in [
        (None, ours.clone()),
        (Some(Value::Null), ours.clone()),
        (Some(json!({})), ours.clone()),
        (Some(json!({"dev.imgstack.stack": "old"})), ours),
        (
            Some(json!({"team": "data"})),
            json!({"team": "data", "dev.imgstack.stack": "db"}),
        ),
    ] {
        let mut spec = json!({"TaskTemplate": {"ContainerSpec": {"Image": "a"}}});
        if let Some(before) = &before {
            spec["Labels"] = before.clone();
        }
        let patched = patch(None, &[("dev.imgstack.stack", "db")])
            .apply(&spec)
            .unwrap();
        assert_eq!(patched["Labels"], after, "{before:?}");
        let untouched = patch(None, &[]).apply(&spec).unwrap();
        assert_eq!(untouched.get("Labels"), before.as_ref());
    }
}

#[test]
fn a_label_without_a_value_goes_and_the_others_stay() {
    let spec = json!({
        "Labels": {"team": "data", "dev.imgstack.credential": "1f"},
        "TaskTemplate": {"ContainerSpec": {"Image": "a"}},
    });
    let mut patch = patch(None, &[]);
    for label in ["dev.imgstack.credential", "dev.imgstack.credential-expires"] {
        patch.labels.insert(label.to_owned(), None);
    }
    let patched = patch.apply(&spec).unwrap();
    assert_eq!(patched["Labels"], json!({"team": "data"}));
}

#[test]
fn what_has_no_image_is_refused() {
    let platforms = || Some(vec![platform("linux", "amd64", None)]);
    let plugin = json!({"TaskTemplate": {"PluginSpec": {}, "Runtime": "plugin"}});
    let odd = json!({"TaskTemplate": {"ContainerSpec": {}, "Placement": "here"}});
    for (spec, error) in [
        (plugin, PatchError::NoContainers),
        (json!({}), PatchError::NoContainers),
        (
            json!({"TaskTemplate": {"ContainerSpec": null}}),
            PatchError::NoContainers,
        ),
        (json!(null), PatchError::NotAnObject("Spec")),
        (odd, PatchError::NotAnObject("TaskTemplate.Placement")),
    ] {
        assert_eq!(
            patch(platforms(), &[("a", "b")]).apply(&spec),
            Err(error),
            "{spec}"
        );
    }
}

/// Random JSON, with the numbers that are easily spoilt.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Keys that matter to a patch, met in places where they do not, too.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("Image".to_owned()),
        Just("Labels".to_owned()),
        Just("Placement".to_owned()),
        Just("Platforms".to_owned()),
        Just("UpdateConfig".to_owned()),
        Just("RollbackConfig".to_owned()),
        Just("Order".to_owned()),
        "[A-Za-z]{1,6}",
    ]
}

fn object_of(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => Map::from_iter([("Other".to_owned(), other)]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_what_is_named_changes(
        outer in any_json(),
        template in any_json(),
        container in any_json(),
        placement in prop::option::of(any_json()),
        update_config in prop::option::of(any_json()),
        with_platforms in any::<bool>(),
        with_order in any::<bool>(),
    ) {
        let mut template = object_of(template);
        template.insert("ContainerSpec".to_owned(), Value::Object(object_of(container)));
        template.remove("Placement");
        if let Some(placement) = placement {
            template.insert("Placement".to_owned(), Value::Object(object_of(placement)));
        }
        let mut spec = object_of(outer);
        spec.insert("TaskTemplate".to_owned(), Value::Object(template));
        spec.remove("Labels");
        spec.remove("UpdateConfig");
        if let Some(config) = update_config {
            spec.insert("UpdateConfig".to_owned(), Value::Object(object_of(config)));
        }
        let spec = Value::Object(spec);

        let platforms = with_platforms.then(|| vec![platform("linux", "amd64", None)]);
        let rollout = RolloutSettings {
            order: with_order.then_some(UpdateOrder::StartFirst),
            ..RolloutSettings::default()
        };
        let update_config = UpdateConfigPatch::Settings(rollout);
        let patch = ServicePatch { update_config, ..patch(platforms, &[("dev.imgstack.stack", "db")]) };
        let mut patched = patch.apply(&spec).unwrap();
        // As it goes over the wire and comes back.
        patched = serde_json::from_str(&patched.to_string()).unwrap();

        for place in difference(&spec, &patched) {
            prop_assert!(
                place == "/TaskTemplate/ContainerSpec/Image"
                    || place.starts_with("/TaskTemplate/ContainerSpec/Image/")
                    || place == "/Labels/"
                    || place == "/Labels/dev.imgstack.stack"
                    || (with_order && place == "/UpdateConfig/")
                    || (with_order && place.starts_with("/UpdateConfig/Order"))
                    || (with_order && place == "/UpdateConfig/Parallelism"
                        && spec.get("UpdateConfig").is_none())
                    || (with_platforms && place == "/TaskTemplate/Placement/")
                    || (with_platforms && place.starts_with("/TaskTemplate/Placement/Platforms")),
                "{} changed in {}", place, spec
            );
        }
        prop_assert_eq!(&patched["TaskTemplate"]["ContainerSpec"]["Image"], IMAGE);
        prop_assert_eq!(&patched["Labels"]["dev.imgstack.stack"], "db");
        if with_platforms {
            prop_assert_eq!(
                &patched["TaskTemplate"]["Placement"]["Platforms"],
                &json!([{"Architecture": "amd64", "OS": "linux"}])
            );
        }
    }
}
