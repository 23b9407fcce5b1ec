//! One release, with its steps and why some failed.

use std::fmt::Write;

use imgstack_executor::StepOutcome;
use imgstack_spec::{Digest, StackName};
use jiff::Timestamp;

use super::ReleaseView;
use crate::views::fold::{pieces, prose};
use crate::views::leader::moved;
use crate::views::lock::moment;
use crate::views::steps::{Field, image, named, settings};
use crate::views::style::{BAD, BOLD, DIM, ago, inline, lasting, paint, short};

/// Everything about one release.
pub(super) fn page(out: &mut String, stack: &StackName, release: &ReleaseView, now: Timestamp) {
    let title = format!("release {} of the stack {stack}", release.number);
    let _ = writeln!(out, "{}: {}", paint(BOLD, title), release.result.painted());
    let mut field = |name: &str, value: String| {
        let _ = writeln!(out, "{}", prose(&format!("    {name:<8} {value}"), 13));
    };
    let (owner, host) = (inline(&release.owner), inline(&release.host));
    let (command, version) = (&release.command, &release.imgstack_version);
    field(
        "who",
        inline(&format!(
            "{owner}@{host}, `{command}` of imgstack {version}"
        )),
    );
    let took = release.ended_at.map(|end| {
        let seconds = end
            .as_second()
            .saturating_sub(release.started_at.as_second());
        format!("; took {}", lasting(u64::try_from(seconds).unwrap_or(0)))
    });
    let (started, took) = (release.started_at, took.unwrap_or_default());
    field(
        "when",
        format!("{}, {}{took}", moment(started), ago(started, now)),
    );
    if let Some(commit) = &release.commit {
        let dirty = if commit.dirty { ", and more" } else { "" };
        field("commit", inline(&format!("{}{dirty}", commit.id)));
    }
    let spec = release.spec_digest.parse::<Digest>();
    let spec = spec.map(|digest| short(&digest));
    field(
        "spec",
        spec.unwrap_or_else(|_| inline(&release.spec_digest)),
    );
    field(
        "plan",
        inline(release.plan.get(..12).unwrap_or(&release.plan)),
    );
    out.push('\n');
    steps(out, release);
    for it in &release.leaders {
        let text = moved(&it.image, &it.leader, it.was.as_ref(), &it.left);
        let _ = writeln!(out, "\n{}", prose(&text, 2));
    }
    failures(out, release);
}

fn steps(out: &mut String, release: &ReleaseView) {
    for step in &release.steps {
        let words = match step.outcome {
            Some(outcome) => word(outcome),
            None => "not known",
        };
        let line = format!(
            "  {words:<12} {:<7} {}",
            inline(&step.action),
            named(&step.id)
        );
        let _ = writeln!(out, "{line}");
        if let Some(change) = &step.image {
            let (from, to) = (image(&change.from), image(&change.to));
            let line = format!("{from}\n{:>19}-> {to}", "");
            let _ = writeln!(out, "{}", paint(DIM, format!("{:>22}{line}", "")));
        }
        for Field { name, from, to } in settings(&step.settings) {
            let line = pieces(
                &format!("{:>22}{name}  ", ""),
                &[from, format!("-> {to}")],
                24,
            );
            let _ = writeln!(out, "{}", paint(DIM, line));
        }
    }
    let left = &release.left_out;
    if left.steps > 0 {
        let _ = writeln!(
            out,
            "  … and {} more, for which there was no room",
            left.steps
        );
    }
}

fn failures(out: &mut String, release: &ReleaseView) {
    for failure in &release.failures {
        let text = format!(
            "{} {}: {}",
            paint(BAD, "Error:"),
            named(&failure.step),
            inline(&failure.message)
        );
        let _ = writeln!(out, "\n{}", prose(&text, 2));
        for task in &failure.tasks {
            let node = task.node.as_deref();
            let node = node.map(|node| format!(" on {}", inline(node)));
            let text = format!(
                "  {}{} {}: {}",
                inline(&task.task),
                node.unwrap_or_default(),
                inline(&task.state),
                inline(&task.error)
            );
            let _ = writeln!(out, "{}", prose(&text, 4));
        }
    }
}

fn word(outcome: StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Done => "done",
        StepOutcome::InFlight => "in flight",
        StepOutcome::Failed => "failed",
        StepOutcome::Stopped => "stopped",
        StepOutcome::NotStarted => "not started",
    }
}
