//! The schema that is checked in is the one that the program prints.

use imgstack_planner::{PLAN_FORMAT_VERSION, schema_text};

#[test]
fn the_schema_that_is_checked_in_is_current() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../imgstack.plan.schema.json"
    );
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        checked_in == schema_text(),
        "write it anew: imgstack schema plan > imgstack.plan.schema.json"
    );
}

/// The pattern of `formatVersion` names the major version.
#[test]
fn the_schema_is_of_the_major_that_is_written() {
    let schema: serde_json::Value = serde_json::from_str(&schema_text()).unwrap();
    let pattern = schema["properties"]["formatVersion"]["pattern"]
        .as_str()
        .unwrap();
    let (major, _) = PLAN_FORMAT_VERSION.split_once('.').unwrap();
    assert!(
        pattern.starts_with(&format!("^{major}\\.")),
        "{pattern} and {PLAN_FORMAT_VERSION}"
    );
}
