//! A Swarm config: a name that is taken once, data that never changes, and
//! labels that do.
//!
//! So a config is a lock (creating it is atomic, its labels are compared and
//! swapped) and a page of a journal. Facts: the data are between one byte and
//! 500 KiB on old engines, 1,000 KiB on newer ones; a name has at most 64
//! characters and is one in any case; a removal asks for no version.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use crate::ConfigId;

/// A config as the engine has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// Its identifier.
    pub id: ConfigId,
    /// `Version.Index`: what a change of the labels must name.
    pub version: u64,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its data.
    pub data: Vec<u8>,
}

/// A config that is to be made.
#[derive(Clone, Debug)]
pub struct NewConfig<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
    /// Its data, which may not be empty.
    pub data: &'a [u8],
}

impl Config {
    /// One label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str)
    }
}

/// Without the data: what anybody keeps in a config may be secret.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("id", &self.id)
            .field("version", &self.version)
            .field("name", &self.name)
            .field("labels", &self.labels)
            .field("bytes", &self.data.len())
            .finish()
    }
}

/// `GET /configs/ID`
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct WireConfig {
    #[serde(rename = "ID")]
    id: String,
    #[serde(default)]
    version: WireVersion,
    spec: WireSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireVersion {
    #[serde(default)]
    index: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireSpec {
    name: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    data: Option<String>,
}

impl From<WireConfig> for Config {
    fn from(wire: WireConfig) -> Self {
        // Data that are not base64 are none that anybody here wrote.
        let data = BASE64_STANDARD.decode(wire.spec.data.unwrap_or_default());
        Self {
            id: ConfigId::new(wire.id),
            version: wire.version.index,
            name: wire.spec.name,
            labels: wire.spec.labels.unwrap_or_default(),
            data: data.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_engine_leaves_out_is_empty() {
        let table = [
            (json!({"Name": "a"}), 0, 0),
            (json!({"Name": "a", "Labels": null, "Data": null}), 0, 0),
            (
                json!({"Name": "a", "Labels": {"k": "v"}, "Data": "aGk="}),
                1,
                2,
            ),
            (json!({"Name": "a", "Data": "%"}), 0, 0),
        ];
        for (spec, labels, bytes) in table {
            let wire = json!({"ID": "x", "Version": {"Index": 7}, "Spec": spec});
            let config: Config = serde_json::from_value::<WireConfig>(wire).unwrap().into();
            assert_eq!((config.version, config.name.as_str()), (7, "a"));
            assert_eq!((config.labels.len(), config.data.len()), (labels, bytes));
        }
    }

    #[test]
    fn debug_shows_no_data() {
        let config = Config {
            id: ConfigId::new("x"),
            version: 1,
            name: "a".to_owned(),
            labels: BTreeMap::new(),
            data: b"hunter2".to_vec(),
        };
        let shown = format!("{config:?}");
        assert!(shown.contains("bytes: 7") && !shown.contains("104, 117"));
    }
}
