//! Plans on disk.

use std::path::Path;

use imgstack_planner::{PLAN_FORMAT_VERSION, Plan, PlanHash};
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

/// Reads a saved plan to show it. What a later minor version has added is
/// passed over.
pub(crate) fn read(path: &Path) -> Result<Plan, Problem> {
    let text = std::fs::read_to_string(path).map_err(|cause| Problem::file("read", path, cause))?;
    parse(&text).map_err(|cause| Problem::NotAPlan {
        path: path.to_owned(),
        cause,
    })
}

/// Reads a saved plan to carry it out: all of it must be understood.
pub(crate) fn read_to_apply(path: &Path) -> Result<Plan, Problem> {
    let plan = read(path)?;
    if Version::of(&plan.format_version) > Version::of(PLAN_FORMAT_VERSION) {
        return Err(Problem::NewerPlan {
            path: path.to_owned(),
            format: plan.format_version,
            imgstack: plan.imgstack_version,
        });
    }
    Ok(plan)
}

fn parse(text: &str) -> Result<Plan, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Header {
        format_version: String,
    }
    let header: Header = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let format = header.format_version;
    let Some(version) = Version::of(&format) else {
        return Err(format!(
            "`{}` is no version of a plan's format",
            format.escape_default()
        ));
    };
    if Some(version.major) != Version::of(PLAN_FORMAT_VERSION).map(|it| it.major) {
        return Err(format!(
            "it has the format {format}, this imgstack reads {PLAN_FORMAT_VERSION}"
        ));
    }
    let plan: Plan = serde_json::from_str(text).map_err(|e| e.to_string())?;
    // It follows from the rest, and a file may say anything.
    Ok(Plan {
        hash: PlanHash::of(&plan.stacks),
        ..plan
    })
}

/// `MAJOR.MINOR`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    major: u32,
    minor: u32,
}

impl Version {
    fn of(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }
}
