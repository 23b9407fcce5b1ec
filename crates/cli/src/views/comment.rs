//! A plan as a comment on a pull request, and what became of the comments.

use std::fmt::Write as _;

use imgstack_planner::Plan;
use imgstack_spec::StackName;

use super::{markdown, outline};
use crate::review::{Done, Fate, Posted};

/// What shows all of a plan of which a comment has no room for a part.
const WHOLE: &str = "imgstack show PLAN -o html";

/// What a comment shows of the plan of one stack, in fewer than `room` bytes.
pub(crate) fn body(plan: &Plan, stack: &StackName, room: usize) -> String {
    let mut outline = outline::of_plan(plan);
    outline.title = format!("{}: {stack}", outline.title);
    let foot = foot(plan);
    let body = markdown::render(&outline, room.saturating_sub(foot.len()), WHOLE);
    body + &foot
}

/// How a reader does just that. The hash is of the whole plan, which may have
/// other stacks.
fn foot(plan: &Plan) -> String {
    match plan.is_empty() {
        true => String::new(),
        false => format!(
            "\n<sub>To do exactly this: <code>imgstack apply --only-if-hash {}</code></sub>\n",
            plan.hash
        ),
    }
}

/// What became of the comments and labels.
pub(crate) fn render(posted: &Posted) -> String {
    let mut out = String::new();
    for Done { stack, fate, url } in &posted.comments {
        let fate = match fate {
            Fate::Posted => "posted",
            Fate::Edited => "edited",
            Fate::Unchanged => "unchanged",
        };
        let _ = writeln!(out, "stack {stack}: {fate}: {url}");
    }
    let labels = posted.labels.as_ref();
    let added = labels.iter().flat_map(|it| &it.added);
    let removed = labels.iter().flat_map(|it| &it.removed);
    let added = added.map(|label| (label, "added"));
    for (label, fate) in added.chain(removed.map(|label| (label, "removed"))) {
        let _ = writeln!(out, "label `{label}`: {fate}");
    }
    out
}
