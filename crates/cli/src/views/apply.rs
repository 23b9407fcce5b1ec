//! An apply, as it happens: on a terminal a line that moves for each step, in
//! a pipe a line every ten seconds; at the end what was done and what was not.

use std::fmt::Write;
use std::time::{Duration, Instant};

use imgstack_executor::{Event, Failure, Outcome, Progress, StepOutcome, TaskFailure};
use imgstack_planner::Moved;
use imgstack_spec::Address;
use indicatif::{ProgressBar, ProgressStyle};

use super::fold::prose;
use super::plan::image;
use super::style::{BAD, BOLD, DIM, GOOD, inline, paint};
use crate::printer::{Printer, harmless};

/// How often a pipe is told that something is still going on.
const BEAT: Duration = Duration::from_secs(10);

/// The step that is going on.
struct Current {
    address: Address,
    began: Instant,
    spoke: Instant,
    progress: Option<Progress>,
    bar: Option<ProgressBar>,
}

/// Shows events to a person.
pub(crate) struct ApplyView {
    printer: Printer,
    current: Option<Current>,
}

impl ApplyView {
    pub(crate) fn new(printer: Printer) -> Self {
        Self {
            printer,
            current: None,
        }
    }

    /// Shows one event.
    pub(crate) fn show(&mut self, event: &Event) {
        match event {
            Event::ApplyStarted { .. } | Event::ApplyFinished { .. } => {}
            Event::StepStarted { address, .. } => self.begin(address),
            Event::StepProgress { progress, .. } => self.progress(progress),
            Event::StepSucceeded { address, .. } => {
                let took = self.end();
                self.say(&format!("{address}: Updated after {took}"));
            }
            Event::StepFailed { address, .. } => {
                let took = self.end();
                self.say(&format!("{address}: {} after {took}", paint(BAD, "Failed")));
            }
        }
    }

    /// To be called now and then: in a pipe, tells that a step is still going on.
    pub(crate) fn beat(&mut self) {
        let Some(current) = self.current.as_mut() else {
            return;
        };
        if current.bar.is_some() || current.spoke.elapsed() < BEAT {
            return;
        }
        current.spoke = Instant::now();
        let progress = current.progress.as_ref();
        let progress = progress.map(|p| format!(" {}", inline(&p.to_string())));
        let line = format!(
            "{}: Still updating... [{} elapsed]{}",
            current.address,
            seconds(current.began.elapsed()),
            progress.unwrap_or_default(),
        );
        self.say(&line);
    }

    /// A stop was asked for.
    pub(crate) fn interrupted(&mut self) {
        self.say("Interrupted: the call in flight is finished, nothing new is begun.");
    }

    fn begin(&mut self, address: &Address) {
        let now = Instant::now();
        let bar = self.printer.is_watched().then(|| {
            let bar = ProgressBar::new_spinner().with_style(style());
            bar.set_prefix(address.to_string());
            bar.set_message("Updating...");
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        if bar.is_none() {
            self.say(&format!("{address}: Updating..."));
        }
        self.current = Some(Current {
            address: address.clone(),
            began: now,
            spoke: now,
            progress: None,
            bar,
        });
    }

    fn progress(&mut self, progress: &Progress) {
        if let Some(current) = self.current.as_mut() {
            if let Some(bar) = &current.bar {
                let line = inline(&format!("Updating... {progress}"));
                bar.set_message(harmless(&line));
            }
            current.progress = Some(progress.clone());
        }
    }

    fn end(&mut self) -> String {
        let Some(current) = self.current.take() else {
            return seconds(Duration::ZERO);
        };
        if let Some(bar) = &current.bar {
            bar.finish_and_clear();
        }
        seconds(current.began.elapsed())
    }

    fn say(&self, line: &str) {
        let text = format!("{line}\n");
        match self
            .current
            .as_ref()
            .and_then(|current| current.bar.as_ref())
        {
            Some(bar) => bar.suspend(|| self.printer.notice(&text)),
            None => self.printer.notice(&text),
        }
    }
}

impl Drop for ApplyView {
    fn drop(&mut self) {
        self.end();
    }
}

fn style() -> ProgressStyle {
    // The template is a constant, so a mistake in it would be ours: the plain
    // spinner still tells that something is going on.
    ProgressStyle::with_template("{spinner} {prefix}: {wide_msg} [{elapsed} elapsed]")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}

/// Why a step failed, with the evidence.
pub(crate) fn failure(address: &Address, failure: &Failure) -> String {
    let mut out = String::new();
    let error = paint(BAD, "Error:");
    let text = format!("{error} {address}: {}", inline(&failure.message));
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
pub(crate) fn closing(outcomes: &[Outcome], blocked: bool) -> String {
    let mut out = String::new();
    let interrupted = outcomes.iter().any(|outcome| outcome.interrupted);
    let count = |wanted| {
        outcomes
            .iter()
            .map(|o| o.with(wanted).count())
            .sum::<usize>()
    };
    let done = count(StepOutcome::Done);
    let counts = format!("Resources: 0 added, {done} changed, 0 destroyed.");
    if outcomes.iter().all(Outcome::is_complete) && !blocked {
        let _ = writeln!(out, "{} {counts}", paint(GOOD, "Apply complete!"));
        return out;
    }
    let unfinished = outcomes.iter().any(|outcome| !outcome.is_complete());
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
        (StepOutcome::NotStarted, "not started"),
    ] {
        for address in outcomes.iter().flat_map(|o| o.with(outcome)) {
            let _ = writeln!(out, "  {words:<12} {address}");
        }
    }
    if count(StepOutcome::InFlight) > 0 {
        let words = "The Swarm goes on with what is in flight; watch it with: imgstack status";
        let _ = writeln!(out, "{words}");
    }
    out
}
