//! What a service was before a change of ours: enough to go back.
//!
//! A change touches a few named fields (see [`crate::ServicePatch`]), so what
//! is needed to undo it are those fields as they were. No more is kept: a spec
//! may hold secrets in its variables, arguments and labels, and this outlives
//! the service. As with [`crate::open_fields`] this is a list of what is taken,
//! never of what is left out. The digest of the whole spec tells whether going
//! back has led to just what was there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{RawService, ServiceId, ServicePatch, UpdateConfigPatch, spec_digest};

/// Labels that are ours to set and to keep.
const OURS: &str = "dev.imgstack.";

/// Places of a spec that are kept as they were.
const KEPT: [&[&str]; 5] = [
    &["Name"],
    &["TaskTemplate", "ContainerSpec", "Image"],
    &["TaskTemplate", "Placement", "Platforms"],
    &["UpdateConfig"],
    &["RollbackConfig"],
];

/// A service as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviousSpec {
    /// The service's ID.
    pub service_id: ServiceId,
    /// Digest of the whole spec, canonically written.
    pub spec_digest: String,
    /// The fields that are kept, where they stand in a spec, as the engine sent
    /// them; of the labels only those of imgstack.
    pub spec: Value,
}

impl PreviousSpec {
    /// What is to be kept of a service.
    #[must_use]
    pub fn of(service: &RawService) -> Self {
        let spec = service.spec();
        let mut kept = Map::new();
        for path in KEPT {
            let found = path.iter().try_fold(spec, |at, key| at.get(key));
            if let Some(value) = found {
                place(&mut kept, path, value.clone());
            }
        }
        let labels = spec.get("Labels").and_then(Value::as_object);
        let labels = labels.into_iter().flatten();
        let ours: Map<String, Value> = labels
            .filter(|(key, _)| key.starts_with(OURS))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        kept.insert("Labels".to_owned(), Value::Object(ours));
        Self {
            service_id: service.id(),
            spec_digest: spec_digest(spec),
            spec: Value::Object(kept),
        }
    }

    /// The image that it asked for.
    #[must_use]
    pub fn image(&self) -> &str {
        let image = self.spec.pointer("/TaskTemplate/ContainerSpec/Image");
        image.and_then(Value::as_str).unwrap_or_default()
    }

    /// The change that leads back from what the service is now: its image, the
    /// platforms that follow it, its rollout settings, and our labels, those
    /// that have come since taken away. All else stays as it is now.
    #[must_use]
    pub fn patch(&self, now: &RawService) -> ServicePatch {
        let then = RawService::new(serde_json::json!({ "Spec": self.spec }));
        let mut labels: BTreeMap<String, Option<String>> = now
            .labels()
            .into_keys()
            .filter(|key| key.starts_with(OURS))
            .map(|key| (key, None))
            .collect();
        labels.extend(then.labels().into_iter().map(|(key, it)| (key, Some(it))));
        ServicePatch {
            image: self.image().to_owned(),
            platforms: Some(then.platforms()),
            update_config: UpdateConfigPatch::Restored(self.spec.get("UpdateConfig").cloned()),
            labels,
        }
    }
}

fn place(into: &mut Map<String, Value>, path: &[&str], value: Value) {
    match path {
        [] => {}
        [key] => {
            into.insert((*key).to_owned(), value);
        }
        [key, rest @ ..] => {
            let next = into
                .entry(*key)
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(next) = next {
                place(next, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use imgstack_spec::{FailureAction, RolloutSettings, UpdateOrder};
    use serde_json::json;

    use super::*;

    fn service(spec: Value) -> RawService {
        RawService::new(json!({"ID": "id-web", "Version": {"Index": 3}, "Spec": spec}))
    }

    fn before() -> Value {
        json!({
            "Name": "web",
            "Labels": {"traefik.auth": "hunter2", "dev.imgstack.plan": "old"},
            "TaskTemplate": {
                "ContainerSpec": {
                    "Image": "web:1@sha256:aa",
                    "Env": ["PASSWORD=hunter2"],
                    "Args": ["--password=hunter2"],
                    "Labels": {"a": "hunter2"},
                },
                "Placement": {
                    "Constraints": ["node.role==worker"],
                    "Platforms": [{"Architecture": "amd64", "OS": "linux"}],
                },
                "LogDriver": {"Options": {"token": "hunter2"}},
            },
            "UpdateConfig": {"Parallelism": 1, "FailureAction": "rollback"},
        })
    }

    #[test]
    fn what_may_be_secret_is_not_kept() {
        let previous = PreviousSpec::of(&service(before()));
        let text = serde_json::to_string(&previous).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(previous.image(), "web:1@sha256:aa");
        assert_eq!(previous.spec["UpdateConfig"]["FailureAction"], "rollback");
        assert_eq!(previous.spec["Labels"], json!({"dev.imgstack.plan": "old"}));
        assert_eq!(previous.spec_digest, spec_digest(&before()));
    }

    /// A change of ours and the way back: every byte is as before.
    #[test]
    fn the_way_back_leads_to_what_was_there() {
        let set = json!({"Delay": 5, "Monitor": 7, "Order": "start-first", "Parallelism": 2});
        for config in [None, Some(json!(null)), Some(json!({})), Some(set)] {
            let mut spec = before();
            match config {
                Some(config) => spec["UpdateConfig"] = config,
                None => drop(spec.as_object_mut().unwrap().remove("UpdateConfig")),
            }
            leads_back(&spec);
        }
    }

    fn leads_back(before: &Value) {
        let previous = PreviousSpec::of(&service(before.clone()));
        let changed = ServicePatch {
            image: "web:1@sha256:bb".to_owned(),
            platforms: Some(vec![imgstack_spec::Platform {
                os: "linux".to_owned(),
                architecture: "arm64".to_owned(),
                variant: None,
            }]),
            update_config: UpdateConfigPatch::Settings(RolloutSettings {
                order: Some(UpdateOrder::StopFirst),
                on_failure: Some(FailureAction::Rollback),
                ..RolloutSettings::default()
            }),
            labels: [
                ("dev.imgstack.plan", "new"),
                ("dev.imgstack.credential", "1f"),
            ]
            .map(|(key, value)| (key.to_owned(), Some(value.to_owned())))
            .into(),
        };
        let mut now = changed.apply(before).unwrap();
        let back = previous.patch(&service(now.clone())).apply(&now).unwrap();
        assert_eq!(&back, before);
        assert_eq!(spec_digest(&back), previous.spec_digest);
        // What somebody else changed meanwhile stays.
        now["TaskTemplate"]["ContainerSpec"]["Env"] = json!(["PASSWORD=other"]);
        let back = previous.patch(&service(now.clone())).apply(&now).unwrap();
        assert_eq!(
            back["TaskTemplate"]["ContainerSpec"]["Env"],
            json!(["PASSWORD=other"])
        );
        assert_ne!(spec_digest(&back), previous.spec_digest);
    }
}
