//! Plans on disk.

use std::path::Path;

use imgstack_planner::{FORMAT_VERSION, Plan};
use serde::Deserialize;

use crate::problem::Problem;

/// A plan as JSON: what `-o json` prints and what `--out` saves.
pub(crate) fn to_json(plan: &Plan) -> Result<String, Problem> {
    let mut text = serde_json::to_string_pretty(plan).map_err(std::io::Error::other)?;
    text.push('\n');
    Ok(text)
}

/// Saves a plan.
pub(crate) fn write(plan: &Plan, path: &Path) -> Result<(), Problem> {
    std::fs::write(path, to_json(plan)?).map_err(|cause| Problem::file("write", path, cause))
}

/// Reads a saved plan.
pub(crate) fn read(path: &Path) -> Result<Plan, Problem> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Header {
        format_version: String,
    }
    let text = std::fs::read_to_string(path).map_err(|cause| Problem::file("read", path, cause))?;
    let not_a_plan = |cause: String| Problem::NotAPlan {
        path: path.to_owned(),
        cause,
    };
    let header: Header = serde_json::from_str(&text).map_err(|e| not_a_plan(e.to_string()))?;
    let major = |version: &str| version.split('.').next().map(str::to_owned);
    if major(&header.format_version) != major(FORMAT_VERSION) {
        return Err(not_a_plan(format!(
            "it has the format {}, this imgstack reads {FORMAT_VERSION}",
            header.format_version
        )));
    }
    serde_json::from_str(&text).map_err(|e| not_a_plan(e.to_string()))
}
