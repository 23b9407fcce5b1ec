//! One string that stands for a whole service spec.
//!
//! A plan remembers which spec it was made from; before writing, the executor
//! compares. The version index alone cannot tell: the Swarm itself raises it
//! when it notes the progress of an update, without the spec having moved.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// `sha256:` and 64 hexadecimal digits over the canonical JSON of a spec:
/// keys sorted, no white space. Two equal specs have the same digest whatever
/// order their keys were written in.
#[must_use]
pub fn spec_digest(spec: &Value) -> String {
    let mut canonical = String::new();
    write(spec, &mut canonical);
    let mut digest = String::from("sha256:");
    for byte in Sha256::digest(canonical.as_bytes()) {
        digest.push_str(&format!("{byte:02x}"));
    }
    digest
}

/// Sorts for itself: whether serde_json's maps are sorted depends on what any
/// other crate of the build asks of it.
fn write(value: &Value, to: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            to.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    to.push(',');
                }
                to.push_str(&Value::from(key.as_str()).to_string());
                to.push(':');
                write(value, to);
            }
            to.push('}');
        }
        Value::Array(items) => {
            to.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    to.push(',');
                }
                write(item, to);
            }
            to.push(']');
        }
        scalar => to.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::spec_digest;

    #[test]
    fn equal_specs_have_equal_digests() {
        let one: Value = serde_json::from_str(r#"{"b":1,"a":{"y":[1,2],"x":null}}"#).unwrap();
        let two: Value = serde_json::from_str(r#"{"a":{"x":null,"y":[1,2]}, "b":1}"#).unwrap();
        assert_eq!(spec_digest(&one), spec_digest(&two));
    }

    #[test]
    fn canonical_form_is_what_it_says() {
        use sha2::{Digest, Sha256};
        let expected: String = Sha256::digest(br#"{"a":[1,true,"\"q"],"b":{"c":null,"d":0.5}}"#)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let spec = json!({"b": {"d": 0.5, "c": null}, "a": [1, true, "\"q"]});
        assert_eq!(spec_digest(&spec), format!("sha256:{expected}"));
    }

    #[test]
    fn any_difference_shows() {
        let base = json!({"a": {"list": [1, 2]}, "b": null});
        for other in [
            json!({"a": {"list": [2, 1]}, "b": null}),
            json!({"a": {"list": [1, 2]}}),
            json!({"a": {"list": [1, 2]}, "b": ""}),
            json!({"a": {"list": ["1", 2]}, "b": null}),
            json!({"a": {"list": [1, 2], "more": {}}, "b": null}),
        ] {
            assert_ne!(spec_digest(&base), spec_digest(&other), "{other}");
        }
    }
}
