//! The JSON Schema of a plan, for programs that read one.
//!
//! It describes what is written. Nothing in it forbids further fields: those
//! of a later minor version are to be passed over.

use imgstack_spec::written_schema;
use schemars::generate::SchemaSettings;

use crate::Plan;

/// Where the schema says it lives.
const ID: &str = "https://imgstack.dev/schema/plan-1.json";

/// The JSON Schema (draft 2020-12) of a plan, as `imgstack schema plan` prints
/// it and as it is checked in.
#[must_use]
pub fn schema_text() -> String {
    let generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    let mut schema = generator.into_root_schema_for::<Plan>();
    schema.insert("$id".into(), ID.into());
    schema.insert("title".into(), "imgstack plan".into());
    written_schema(schema.to_value())
}
