//! The JSON Schema of the language, for editors.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::document::Document;

/// Where the schema says it lives.
const ID: &str = "https://imgstack.dev/schema/v1alpha1.json";

/// The JSON Schema (draft 2020-12) of a document.
#[must_use]
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<Document>();
    schema.insert("$id".into(), ID.into());
    schema.insert("title".into(), "ImageStack".into());
    sorted(schema.to_value())
}

/// The schema as `imgstack schema` prints it and as it is checked in: indented,
/// with a line break at the end.
#[must_use]
pub fn schema_text() -> String {
    written_schema(schema())
}

/// Any schema, as it is printed and checked in.
#[must_use]
pub fn written_schema(schema: Value) -> String {
    format!("{:#}\n", sorted(schema))
}

/// With its keys in order, whether or not some other crate has asked
/// `serde_json` to keep the order of insertion.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            entries
                .into_iter()
                .map(|(key, value)| (key, sorted(value)))
                .collect()
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}
