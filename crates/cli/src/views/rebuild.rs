//! An image that is built anew, as it happens and as it came out: on a terminal
//! a line that moves for each job, in a pipe a line for each step that ended and
//! one every ten seconds.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use imgstack_planner::FORMAT_VERSION;
use imgstack_registry::github::{Conclusion, Status};
use imgstack_spec::ImageName;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;

use super::events::json_line;
use super::fold::prose;
use super::style::{BAD, BOLD, DIM, GOOD, WARN, inline, lasting, paint, short};
use crate::printer::{Printer, harmless};
use crate::problem::Problem;
use crate::rebuild::{Event, FailedJob, Outcome, Report, RunReport};

/// How often a pipe is told that something is still going on.
const BEAT: Duration = Duration::from_secs(10);

/// Shows events to a person.
pub(crate) struct RebuildView {
    printer: Printer,
    name: String,
    bars: Option<MultiProgress>,
    /// Of the run as a whole.
    bar: Option<ProgressBar>,
    jobs: BTreeMap<String, Current>,
    doing: &'static str,
    began: Instant,
    spoke: Instant,
}

/// A job that is going on.
struct Current {
    step: Option<String>,
    bar: Option<ProgressBar>,
}

impl RebuildView {
    pub(crate) fn new(printer: Printer, image: &ImageName) -> Self {
        let now = Instant::now();
        Self {
            printer,
            name: format!("image.{image}"),
            bars: printer.is_watched().then(MultiProgress::new),
            bar: None,
            jobs: BTreeMap::new(),
            doing: "starting",
            began: now,
            spoke: now,
        }
    }

    /// Shows one event.
    pub(crate) fn show(&mut self, event: &Event) {
        match event {
            Event::Starting {
                workflow,
                credential,
            } => {
                self.say(&format!(
                    "{}: Starting {} of {} on {}, with {}...",
                    self.name,
                    workflow.workflow,
                    workflow.repository,
                    workflow.reference,
                    inline(credential)
                ));
                self.begin();
            }
            Event::Looking { certain } => {
                let words = match certain {
                    true => "Started; GitHub does not say which run it is. Looking for it...",
                    false => "GitHub's answer was lost. Looking whether there is a run...",
                };
                self.doing = "looking for the run";
                self.say(&format!("{}: {words}", self.name));
                self.message();
            }
            Event::Started { run } => {
                self.doing = "building";
                self.say(&format!("{}: Started: {}", self.name, inline(&run.url)));
                self.message();
            }
            Event::RunIs { status } => self.run_is(*status),
            Event::JobStarted { job } => self.job_started(job),
            Event::StepStarted {
                job,
                step,
                number,
                of,
            } => self.step_started(job, step, *number, *of),
            Event::StepEnded {
                job,
                step,
                conclusion,
                seconds,
            } => {
                let ended = ended(*conclusion, *seconds);
                self.say(&format!("{}: {} {ended}", inline(job), inline(step)));
            }
            Event::JobEnded {
                job,
                conclusion,
                seconds,
            } => self.job_ended(job, &ended(*conclusion, *seconds)),
            Event::Trouble { why } => {
                let warning = paint(WARN, "Warning:");
                self.say(&format!(
                    "{warning} {}; the run goes on, asking again...",
                    inline(why)
                ));
            }
        }
    }

    /// To be called now and then: in a pipe, tells what is still going on.
    pub(crate) fn beat(&mut self) {
        if self.bars.is_some() || self.spoke.elapsed() < BEAT {
            return;
        }
        let took = lasting(self.began.elapsed().as_secs());
        let steps = self.steps();
        let doing = self.doing;
        self.say(&format!(
            "{}: Still {doing}... [{took} elapsed]{}",
            self.name,
            match steps.is_empty() {
                true => String::new(),
                false => format!(" {steps}"),
            }
        ));
    }

    fn begin(&mut self) {
        self.bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner().with_style(style(RUN)));
            bar.set_prefix(self.name.clone());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        self.message();
    }

    fn run_is(&mut self, status: Status) {
        self.doing = match status {
            Status::Queued => "waiting for a runner",
            Status::Waiting => "waiting for somebody to approve it",
            Status::InProgress | Status::Completed | Status::Other => "building",
        };
        match status {
            Status::Waiting => self.say(&format!(
                "{}: The run waits for somebody to approve it, at the link above.",
                self.name
            )),
            Status::Queued | Status::InProgress | Status::Completed | Status::Other => {}
        }
        self.message();
    }

    fn job_started(&mut self, job: &str) {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new(1).with_style(style(JOB)));
            bar.set_prefix(harmless(&inline(job)));
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        let current = Current { step: None, bar };
        self.jobs.insert(job.to_owned(), current);
    }

    fn job_ended(&mut self, job: &str, ended: &str) {
        if let Some(bar) = self.jobs.remove(job).and_then(|job| job.bar) {
            bar.finish_and_clear();
        }
        self.say(&format!("{}: {ended}", inline(job)));
        self.message();
    }

    fn step_started(&mut self, job: &str, step: &str, number: u64, of: u64) {
        let Some(current) = self.jobs.get_mut(job) else {
            return;
        };
        current.step = Some(step.to_owned());
        if let Some(bar) = &current.bar {
            bar.set_length(of);
            bar.set_position(number.saturating_sub(1));
            bar.set_message(harmless(&inline(step)));
        }
    }

    /// The steps that are going on, in a few words.
    fn steps(&self) -> String {
        let steps = self.jobs.iter().filter_map(|(job, current)| {
            let step = current.step.as_deref()?;
            Some(format!("{}: {}", inline(job), inline(step)))
        });
        steps.collect::<Vec<_>>().join(", ")
    }

    fn message(&self) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{}...", self.doing));
        }
    }

    fn say(&mut self, line: &str) {
        self.spoke = Instant::now();
        let text = format!("{line}\n");
        match &self.bars {
            Some(bars) => bars.suspend(|| self.printer.notice(&text)),
            None => self.printer.notice(&text),
        }
    }
}

/// Leaves clean lines behind, also when it is dropped half-way.
impl Drop for RebuildView {
    fn drop(&mut self) {
        let jobs = self.jobs.values().filter_map(|job| job.bar.as_ref());
        jobs.chain(&self.bar)
            .for_each(ProgressBar::finish_and_clear);
    }
}

const RUN: &str = "{spinner} {prefix}: {wide_msg} [{elapsed} elapsed]";
const JOB: &str = "{spinner} {prefix}: {bar:20} {pos}/{len} {wide_msg} [{elapsed}]";

fn style(template: &str) -> ProgressStyle {
    // The templates are constants, so a mistake in them would be ours: the plain
    // spinner still tells that something is going on.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// `succeeded after 12s`
fn ended(conclusion: Option<Conclusion>, seconds: Option<u64>) -> String {
    let words = conclusion.map_or_else(|| "ended".to_owned(), |it| it.to_string());
    let words = match conclusion {
        Some(Conclusion::Failure | Conclusion::TimedOut | Conclusion::Cancelled) => {
            paint(BAD, words)
        }
        Some(_) | None => words,
    };
    match seconds {
        Some(seconds) if conclusion != Some(Conclusion::Skipped) => {
            format!("{words} after {}", lasting(seconds))
        }
        Some(_) | None => words,
    }
}

/// What came of it, if that is good.
pub(crate) fn result(report: &Report) -> String {
    let mut out = String::new();
    let address = format!("image.{}", report.image);
    match &report.outcome {
        Outcome::Built { digest } => {
            let _ = writeln!(out, "\n{}   {}", paint(BOLD, &address), report.reference);
            if let Some(before) = &report.before {
                let _ = writeln!(out, "    was    {}", short(before));
            }
            let by = report.run.as_ref().map(by).unwrap_or_default();
            let _ = writeln!(out, "    is     {}{by}\n", short(digest));
            let built = paint(GOOD, "Rebuilt.");
            let next = match report.pinned {
                false => "To roll it out: imgstack plan".to_owned(),
                true => format!(
                    "The spec holds another build of {address} with `pin`, so nothing is rolled \
                     out until that line goes."
                ),
            };
            let _ = writeln!(out, "{}", prose(&format!("{built} {next}"), 0));
        }
        Outcome::Unchanged { digest } => {
            let run = report.run.as_ref();
            let number = run.and_then(|run| run.number);
            let number = number.map(|number| format!(" {number}"));
            let took = run.and_then(|run| run.seconds);
            let took = took.map(|seconds| format!(" after {}", lasting(seconds)));
            let text = format!(
                "{address}: run{} succeeded{}, and {} leads to {} as before: the workflow pushed \
                 the same build, or under other tags.",
                number.unwrap_or_default(),
                took.unwrap_or_default(),
                report.reference,
                short(digest)
            );
            let _ = writeln!(out, "\n{}", prose(&text, 2));
        }
        Outcome::Doubtful { digest, why } => {
            let number = report.run.as_ref().and_then(|run| run.number);
            let number = number.map(|number| format!(" {number}"));
            let text = format!(
                "{address}: run{} succeeded, and {} leads to {}; whether that is new is not \
                 known, since what it led to before could not be read: {}. What would be rolled \
                 out: imgstack plan",
                number.unwrap_or_default(),
                report.reference,
                short(digest),
                inline(why)
            );
            let _ = writeln!(out, "\n{}", prose(&text, 2));
        }
        Outcome::Succeeded => {
            let by = report.run.as_ref().map(by).unwrap_or_default();
            let _ = writeln!(
                out,
                "\n{}   {}{by}\n",
                paint(BOLD, &address),
                report.reference
            );
            let built = paint(GOOD, "Rebuilt.");
            let next = "A policy chooses among the tags. What it chooses now: imgstack plan";
            let _ = writeln!(out, "{}", prose(&format!("{built} {next}"), 0));
        }
        Outcome::Started => {
            let url = report.run.as_ref().map(|run| inline(&run.url));
            let text = format!("The run goes on: {}", url.unwrap_or_default());
            let _ = writeln!(out, "{text}");
        }
        Outcome::Failed { .. } | Outcome::Unread { .. } | Outcome::Interrupted { .. } => {}
    }
    out
}

/// `   by run 12 in 1m2s`
fn by(run: &RunReport) -> String {
    let number = run.number.map(|number| format!("   run {number}"));
    let took = run.seconds.map(|seconds| format!(", {}", lasting(seconds)));
    number.unwrap_or_default() + &took.unwrap_or_default()
}

/// What came of it, if that is not good. None: it is.
pub(crate) fn failure(report: &Report) -> Option<String> {
    let address = format!("image.{}", report.image);
    let mut out = String::new();
    match &report.outcome {
        Outcome::Built { .. }
        | Outcome::Unchanged { .. }
        | Outcome::Doubtful { .. }
        | Outcome::Succeeded
        | Outcome::Started => return None,
        Outcome::Unread { why } => {
            let error = paint(BAD, "Error:");
            let text = format!(
                "{error} {address}: the run succeeded, and what {} leads to now is not known: {}",
                report.reference,
                inline(why)
            );
            let _ = writeln!(out, "\n{}", prose(&text, 2));
        }
        Outcome::Interrupted { certain } => {
            let text = match (&report.run, certain) {
                (Some(run), _) => format!("Interrupted; the run goes on: {}", inline(&run.url)),
                (None, true) => format!("Interrupted; a run was started: see {}", report.page),
                (None, false) => format!(
                    "Interrupted; a run may have been started: see {} before you start another",
                    report.page
                ),
            };
            let _ = writeln!(out, "\n{}", prose(&text, 2));
        }
        Outcome::Failed { jobs } => {
            let run = report.run.as_ref();
            let conclusion = run.and_then(|run| run.conclusion);
            let words = conclusion.map_or_else(|| "failed".to_owned(), |it| it.to_string());
            let error = paint(BAD, "Error:");
            let number = run.and_then(|run| run.number);
            let number = number.map(|number| format!(" {number}"));
            let text = format!(
                "{error} {address}: run{} of {} {words}",
                number.unwrap_or_default(),
                report.workflow.workflow
            );
            let _ = writeln!(out, "\n{}", prose(&text, 2));
            jobs.iter().for_each(|job| failed_job(&mut out, job));
            if let Some(run) = run {
                let _ = writeln!(out, "  see {}", inline(&run.url));
            }
        }
    }
    Some(out)
}

fn failed_job(out: &mut String, job: &FailedJob) {
    let step = job
        .step
        .as_deref()
        .map(|step| format!(": {}", inline(step)));
    let title = format!("{}{}", inline(&job.job), step.unwrap_or_default());
    let words = job.conclusion.map(|it| format!(" {it}"));
    let text = format!("  {}{}", paint(BOLD, title), words.unwrap_or_default());
    let _ = writeln!(out, "{}", prose(&text, 4));
    for line in &job.log {
        let _ = writeln!(out, "    {} {}", paint(DIM, "│"), inline(line));
    }
    if let Some(why) = &job.no_log {
        let text = format!("    its log cannot be read: {}", inline(why));
        let _ = writeln!(out, "{}", prose(&text, 6));
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    format_version: &'static str,
    rebuild: &'a Report,
}

impl<'a> Document<'a> {
    fn of(report: &'a Report) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            rebuild: report,
        }
    }
}

/// The whole as one document.
pub(crate) fn document(report: &Report) -> Result<String, Problem> {
    let document = Document::of(report);
    let mut text = serde_json::to_string_pretty(&document).map_err(std::io::Error::other)?;
    text.push('\n');
    Ok(text)
}

/// The same as the last of many lines.
pub(crate) fn last_line(report: &Report) -> String {
    json_line(&Document::of(report))
}
