//! Nothing but the named fields changes: on a real and rich service, on the
//! odd forms that engines send, and on random JSON.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_spec::Platform;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{PatchError, ServicePatch};

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
        with_platforms in any::<bool>(),
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
        let spec = Value::Object(spec);

        let platforms = with_platforms.then(|| vec![platform("linux", "amd64", None)]);
        let mut patched = patch(platforms, &[("dev.imgstack.stack", "db")]).apply(&spec).unwrap();
        // As it goes over the wire and comes back.
        patched = serde_json::from_str(&patched.to_string()).unwrap();

        for place in difference(&spec, &patched) {
            prop_assert!(
                place == "/TaskTemplate/ContainerSpec/Image"
                    || place.starts_with("/TaskTemplate/ContainerSpec/Image/")
                    || place == "/Labels/"
                    || place == "/Labels/dev.imgstack.stack"
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
