//! How an apply ended: why steps failed, and what was done and what was not.

use std::collections::BTreeMap;
use std::fmt::Write;

use imgstack_executor::{Failure, Outcome, StepOutcome, TaskFailure};
use imgstack_planner::{Effect, Moved, Plan, StepId};

use super::fold::prose;
use super::steps::{image, named};
use super::style::{BAD, BOLD, DIM, GOOD, inline, paint};

/// Why a step failed, with the evidence.
pub(crate) fn failure(step: &StepId, failure: &Failure) -> String {
    let mut out = String::new();
    let error = paint(BAD, "Error:");
    let text = format!("{error} {}: {}", named(step), inline(&failure.message));
    let _ = writeln!(out, "\n{}", prose(&text, 2));
    for Moved {
        field, from, to, ..
    } in &failure.moved
    {
        let line = inline(&format!("  {field}: {from} -> {to}"));
        let _ = writeln!(out, "{}", prose(&line, 6));
    }
    for task in &failure.tasks {
        task_failure(&mut out, task);
    }
    if let Some(now) = &failure.now {
        let _ = writeln!(out, "  asks for now: {}", image(now));
    }
    if let Some(hint) = &failure.hint {
        let _ = writeln!(out, "{}", prose(&format!("  help: {}", inline(hint)), 8));
    }
    out
}

fn task_failure(out: &mut String, task: &TaskFailure) {
    let node = task
        .node
        .as_deref()
        .map(|node| format!(" on {}", inline(node)));
    // The engine says most codes itself.
    let code = task
        .exit_code
        .filter(|code| !task.error.ends_with(&format!("({code})")));
    let code = code.map(|code| format!(" (exit code {code})"));
    let text = format!(
        "  {}{} {}: {}{}",
        paint(BOLD, &task.task),
        node.unwrap_or_default(),
        task.state,
        inline(&task.error),
        code.unwrap_or_default(),
    );
    let _ = writeln!(out, "{}", prose(&text, 4));
    for line in &task.log {
        let _ = writeln!(out, "    {} {}", paint(DIM, "│"), inline(line));
    }
}

/// The closing lines of an apply: what was done, and what was not.
pub(crate) fn closing(plan: &Plan, outcomes: &[Outcome]) -> String {
    let mut out = String::new();
    let counts = counts(plan, outcomes);
    let unfinished = outcomes.iter().any(|outcome| !outcome.is_complete());
    if !unfinished && !plan.is_blocked() {
        let _ = writeln!(out, "{} {counts}", paint(GOOD, "Apply complete!"));
        return out;
    }
    let interrupted = outcomes.iter().any(|outcome| outcome.interrupted);
    let title = match (interrupted, unfinished) {
        (true, _) => "Apply interrupted.",
        (false, true) => "Apply failed.",
        (false, false) => "Apply incomplete: a part of the spec is blocked, see above.",
    };
    let _ = writeln!(out, "{} {counts}", paint(BAD, title));
    for (outcome, words) in [
        (StepOutcome::Done, "done"),
        (StepOutcome::Failed, "failed"),
        (StepOutcome::InFlight, "in flight"),
        (StepOutcome::Stopped, "stopped"),
        (StepOutcome::NotStarted, "not started"),
    ] {
        for step in outcomes.iter().flat_map(|it| it.with(outcome)) {
            let _ = writeln!(out, "  {words:<12} {}", named(step));
        }
    }
    let mut in_flight = outcomes
        .iter()
        .flat_map(|it| it.with(StepOutcome::InFlight));
    if in_flight.next().is_some() {
        let words = "The Swarm goes on with what is in flight; watch it with: imgstack status";
        let _ = writeln!(out, "{words}");
    }
    out
}

/// What the steps that are done meant for their things.
fn counts(plan: &Plan, outcomes: &[Outcome]) -> String {
    let (mut added, mut changed, mut destroyed) = (0, 0, 0);
    for (stack, outcome) in plan.stacks.iter().zip(outcomes) {
        let ended: BTreeMap<&StepId, StepOutcome> = outcome
            .steps
            .iter()
            .map(|(id, outcome)| (id, *outcome))
            .collect();
        for step in &stack.steps {
            if ended.get(&step.id) != Some(&StepOutcome::Done) {
                continue;
            }
            *match step.action.effect() {
                Effect::Add => &mut added,
                Effect::Change => &mut changed,
                Effect::Destroy => &mut destroyed,
            } += 1;
        }
    }
    format!("Resources: {added} added, {changed} changed, {destroyed} destroyed.")
}
