//! An apply for programs.

use imgstack_executor::{Event, Outcome};
use imgstack_planner::{Drift, FORMAT_VERSION, Moved, Plan, PlanHash, Unseen};
use jiff::Timestamp;
use serde::Serialize;

use crate::commands::apply::Applied;
use crate::problem::Problem;

/// One event as a line of JSON.
pub(crate) fn line<E: Serialize>(event: &E) -> String {
    #[derive(Serialize)]
    struct Line<'a, E> {
        time: Timestamp,
        event: &'a E,
    }
    let line = Line {
        time: Timestamp::now(),
        event,
    };
    json_line(&line)
}

/// The first line: who speaks, and which plan is carried out.
pub(crate) fn header(plan: &Plan) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Header<'a> {
        format_version: &'static str,
        imgstack_version: &'static str,
        plan: &'a Plan,
    }
    json_line(&Header {
        format_version: FORMAT_VERSION,
        imgstack_version: env!("CARGO_PKG_VERSION"),
        plan,
    })
}

/// Anything as a line of JSON.
pub(crate) fn json_line(value: &impl Serialize) -> String {
    // These types have string keys only and no Serialize that fails; were it
    // to, a line that says so is better than none.
    let mut text = serde_json::to_string(value)
        .unwrap_or_else(|error| format!("{{\"error\":{:?}}}", error.to_string()));
    text.push('\n');
    text
}

/// Why a saved plan was refused, and the plan as it is now, on one line.
pub(crate) fn refusal(drift: &Drift, plan: &Plan) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Refusal<'a> {
        format_version: &'static str,
        stale: &'a [Moved],
        unknown: &'a [Unseen],
        plan: &'a Plan,
    }
    json_line(&Refusal {
        format_version: FORMAT_VERSION,
        stale: &drift.moved,
        unknown: &drift.unknown,
        plan,
    })
}

/// Why a plan that nobody has agreed to was refused, and that plan, on one line.
pub(crate) fn other_plan(reviewed: &PlanHash, plan: &Plan) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Refusal<'a> {
        format_version: &'static str,
        reviewed: &'a PlanHash,
        plan: &'a Plan,
    }
    json_line(&Refusal {
        format_version: FORMAT_VERSION,
        reviewed,
        plan,
    })
}

/// The whole apply as one document.
pub(crate) fn document(plan: &Plan, applied: &Applied) -> Result<String, Problem> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Document<'a> {
        format_version: &'static str,
        plan: &'a Plan,
        outcomes: &'a [Outcome],
        failures: &'a [Event],
    }
    let document = Document {
        format_version: FORMAT_VERSION,
        plan,
        outcomes: &applied.outcomes,
        failures: &applied.failures,
    };
    let mut text = serde_json::to_string_pretty(&document).map_err(std::io::Error::other)?;
    text.push('\n');
    Ok(text)
}
