//! `filters={"name":{"web":true}}`: what the client wants to see of a list.
//!
//! The older form `{"name":["web"]}` is read too. A filter that a list does
//! not know is refused, as a real engine does: silently ignored, it would show
//! too much.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::swarm::ApiError;

/// Values by the filter's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filters(BTreeMap<String, Vec<String>>);

#[derive(Deserialize)]
#[serde(transparent)]
struct Wire(BTreeMap<String, Value>);

impl Filters {
    /// Reads the parameter; None is no filter at all. Only the filters of
    /// these names are taken; an empty list takes all.
    pub(super) fn read(parameter: Option<&str>, known: &[&str]) -> Result<Self, ApiError> {
        let Some(text) = parameter.filter(|text| !text.is_empty()) else {
            return Ok(Self::default());
        };
        let Ok(Wire(wire)) = serde_json::from_str(text) else {
            return Err(invalid("invalid filter".to_owned()));
        };
        let mut filters = BTreeMap::new();
        for (name, values) in wire {
            if !known.is_empty() && !known.contains(&name.as_str()) {
                return Err(invalid(format!("invalid filter '{name}'")));
            }
            filters.insert(name, values_of(&values)?);
        }
        Ok(Self(filters))
    }

    /// The values of a filter; none if it was not given.
    pub(super) fn get(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether nothing is filtered.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `text` is one of the values, or the filter was not given.
    pub(super) fn exact(&self, name: &str, text: &str) -> bool {
        self.any(name, |value| value == text)
    }

    /// Whether `text` begins with one of the values, or the filter was not
    /// given.
    pub(super) fn prefix(&self, name: &str, text: &str) -> bool {
        self.any(name, |value| text.starts_with(value))
    }

    /// As [`Filters::prefix`], in any case: names of Swarm objects.
    pub(super) fn prefix_of_name(&self, name: &str, text: &str) -> bool {
        let text = text.to_lowercase();
        self.any(name, |value| text.starts_with(&value.to_lowercase()))
    }

    /// Whether all values, `KEY` or `KEY=VALUE`, are among these labels.
    pub(super) fn labels(&self, name: &str, labels: &Value) -> bool {
        self.get(name).iter().all(|wanted| {
            let (key, value) = wanted.split_once('=').unwrap_or((wanted, ""));
            let label = labels.get(key).and_then(Value::as_str);
            label.is_some_and(|label| value.is_empty() || label == value)
        })
    }

    /// A filter of yes or no.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.get(name) {
            [] => Ok(None),
            [word] if word == "true" || word == "1" => Ok(Some(true)),
            [word] if word == "false" || word == "0" => Ok(Some(false)),
            words => Err(invalid(format!("invalid filter '{name}={words:?}'"))),
        }
    }

    fn any(&self, name: &str, holds: impl Fn(&str) -> bool) -> bool {
        let values = self.get(name);
        values.is_empty() || values.iter().any(|value| holds(value))
    }
}

fn values_of(values: &Value) -> Result<Vec<String>, ApiError> {
    let bad = || invalid("invalid filter".to_owned());
    match values {
        Value::Object(set) => Ok(set
            .iter()
            .filter(|(_, taken)| **taken != Value::Bool(false))
            .map(|(value, _)| value.clone())
            .collect()),
        Value::Array(list) => list
            .iter()
            .map(|value| value.as_str().map(str::to_owned).ok_or_else(bad))
            .collect(),
        _ => Err(bad()),
    }
}

fn invalid(message: String) -> ApiError {
    ApiError {
        status: 400,
        message,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Filters, ApiError> {
        Filters::read(Some(text), &["name", "label"])
    }

    #[test]
    fn both_forms_are_read_and_rubbish_is_refused() {
        let both = [
            r#"{"name":{"web":true,"off":false}}"#,
            r#"{"name":["web"]}"#,
        ];
        for text in both {
            assert_eq!(read(text).unwrap().get("name"), ["web"], "{text}");
        }
        let refused = [
            ("nonsense", "invalid filter"),
            (r#"{"name":"web"}"#, "invalid filter"),
            (r#"{"name":[1]}"#, "invalid filter"),
            (r#"{"nmae":["web"]}"#, "invalid filter 'nmae'"),
        ];
        for (text, message) in refused {
            let refusal = read(text).unwrap_err();
            assert_eq!((refusal.status, refusal.message.as_str()), (400, message));
        }
        assert!(Filters::read(None, &["name"]).unwrap().is_empty());
    }

    #[test]
    fn values_of_one_filter_are_alternatives_and_labels_are_not() {
        let filters = read(r#"{"name":["we","db"],"label":["a","b=2"]}"#).unwrap();
        assert!(filters.prefix("name", "web"));
        assert!(filters.prefix_of_name("name", "WEB"));
        assert!(!filters.exact("name", "web"));
        assert!(filters.exact("id", "anything"));
        assert!(filters.labels("label", &json!({"a": "1", "b": "2"})));
        assert!(!filters.labels("label", &json!({"a": "1", "b": "3"})));
        assert!(!filters.labels("label", &json!(null)));
    }
}
