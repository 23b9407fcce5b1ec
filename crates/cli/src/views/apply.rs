//! An apply, as it happens: on a terminal a line that moves for each step that
//! is under way, in a pipe a line every ten seconds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use imgstack_executor::{ByteProgress, Event, Progress};
use imgstack_planner::StepId;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;

use super::fold::prose;
use super::leader::moved;
use super::lock;
use super::steps::{image, named};
use super::style::{BAD, WARN, inline, lasting, paint};
use crate::printer::{Printer, harmless};

/// How often a pipe is told that something is still going on.
const BEAT: Duration = Duration::from_secs(10);

/// A step that is going on.
struct Current {
    name: String,
    words: Words,
    began: Instant,
    spoke: Instant,
    progress: Option<Progress>,
    bar: Option<ProgressBar>,
}

/// What is said of a kind of step.
#[derive(Clone, Copy)]
struct Words {
    doing: &'static str,
    done: &'static str,
}

/// Of an update that has failed.
const GOING_BACK: Words = Words {
    doing: "Going back",
    done: "Went back",
};

/// Shows events to a person.
pub(crate) struct ApplyView {
    printer: Printer,
    bars: Option<MultiProgress>,
    current: BTreeMap<StepId, Current>,
}

impl ApplyView {
    pub(crate) fn new(printer: Printer) -> Self {
        Self {
            printer,
            bars: printer.is_watched().then(MultiProgress::new),
            current: BTreeMap::new(),
        }
    }

    /// Shows one event.
    pub(crate) fn show(&mut self, event: &Event) {
        match event {
            Event::ApplyStarted { .. }
            | Event::ApplyFinished { .. }
            | Event::ReleaseWritten { .. } => {}
            Event::StepStarted { step, action, .. } => self.begin(step, words(action)),
            Event::StepProgress { step, progress, .. } => self.progress(step, progress),
            Event::StepSucceeded { step, .. } => {
                if let Some(current) = self.end(step) {
                    let (took, done) = (
                        lasting(current.began.elapsed().as_secs()),
                        current.words.done,
                    );
                    self.say(&format!("{}: {done} after {took}", current.name));
                }
            }
            Event::StepFailed { step, .. } => {
                if let Some(current) = self.end(step) {
                    let took = lasting(current.began.elapsed().as_secs());
                    let failed = paint(BAD, "Failed");
                    self.say(&format!("{}: {failed} after {took}", current.name));
                }
            }
            Event::GoingBack { step, why, to, .. } => self.turn_back(step, why, to),
            Event::HandingOver {
                step,
                task,
                program,
                ..
            } => self.hand_over(step, task, program),
            Event::OrderChanged {
                image,
                leader,
                was,
                left,
                ..
            } => self.say_all(&prose(&moved(image, leader, was.as_ref(), left), 2)),
            Event::LockWaited { .. }
            | Event::LockTakenOver { .. }
            | Event::LockLost { .. }
            | Event::JournalFailed { .. } => {
                if let Some(text) = lock::told(event, Timestamp::now()) {
                    self.say_all(&text);
                }
            }
            Event::LeftBehind { service, why } => {
                let warning = paint(WARN, "Warning:");
                let (service, why) = (inline(service), inline(why));
                self.say(&format!(
                    "{warning} {service} could not be removed: {why}; remove it with: docker service rm {service}"
                ));
            }
        }
    }

    /// What is said in more than one line.
    fn say_all(&self, lines: &str) {
        lines.lines().for_each(|line| self.say(line));
    }

    /// To be called now and then: in a pipe, tells what is still going on.
    pub(crate) fn beat(&mut self) {
        let mut lines = Vec::new();
        for current in self.current.values_mut() {
            if current.bar.is_some() || current.spoke.elapsed() < BEAT {
                continue;
            }
            current.spoke = Instant::now();
            let progress = current.progress.as_ref();
            let progress = progress.map(|it| format!(" {}", inline(&it.to_string())));
            lines.push(format!(
                "{}: Still {}... [{} elapsed]{}",
                current.name,
                current.words.doing.to_lowercase(),
                lasting(current.began.elapsed().as_secs()),
                progress.unwrap_or_default(),
            ));
        }
        lines.iter().for_each(|line| self.say(line));
    }

    /// A stop was asked for.
    pub(crate) fn interrupted(&mut self) {
        self.say("Interrupted: the call in flight is finished, pulls are given up, nothing new is begun.");
    }

    fn begin(&mut self, step: &StepId, words: Words) {
        let (now, name) = (Instant::now(), named(step));
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner().with_style(spinner()));
            bar.set_prefix(name.clone());
            bar.set_message(format!("{}...", words.doing));
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        if bar.is_none() {
            self.say(&format!("{name}: {}...", words.doing));
        }
        let current = Current {
            name,
            words,
            began: now,
            spoke: now,
            progress: None,
            bar,
        };
        self.current.insert(step.clone(), current);
    }

    fn progress(&mut self, step: &StepId, progress: &Progress) {
        let Some(current) = self.current.get_mut(step) else {
            return;
        };
        if let Some(bar) = &current.bar {
            match progress {
                Progress::Bytes(ByteProgress { done, total }) if *total > 0 => {
                    if bar.length().is_none() {
                        bar.set_style(bytes());
                    }
                    bar.set_length(*total);
                    bar.set_position(*done);
                }
                Progress::Bytes(_)
                | Progress::Tasks(_)
                | Progress::Probe(_)
                | Progress::State(_) => {
                    let line = inline(&format!("{}... {progress}", current.words.doing));
                    bar.set_message(harmless(&line));
                }
            }
        }
        current.progress = Some(progress.clone());
    }

    /// What was an update is a way back from now on.
    fn turn_back(&mut self, step: &StepId, why: &str, to: &str) {
        let Some(current) = self.current.get_mut(step) else {
            return;
        };
        current.words = GOING_BACK;
        current.progress = None;
        if let Some(bar) = &current.bar {
            bar.set_message(format!("{}...", GOING_BACK.doing));
        }
        let line = format!(
            "{}: {}; going back to {}",
            current.name,
            inline(why),
            image(to)
        );
        self.say_all(&prose(&line, 2));
    }

    /// The leader is told to hand over, before its update.
    fn hand_over(&mut self, step: &StepId, task: &str, program: &str) {
        let doing = format!("runs `{}` in {}", inline(program), inline(task));
        let Some(current) = self.current.get(step) else {
            return;
        };
        if let Some(bar) = &current.bar {
            bar.set_message(harmless(&format!("{doing}...")));
        }
        let line = format!("{}: it leads, so it {doing} first", current.name);
        self.say_all(&prose(&line, 2));
    }

    fn end(&mut self, step: &StepId) -> Option<Current> {
        let current = self.current.remove(step)?;
        if let Some(bar) = &current.bar {
            bar.finish_and_clear();
        }
        Some(current)
    }

    fn say(&self, line: &str) {
        let text = format!("{line}\n");
        match &self.bars {
            Some(bars) => bars.suspend(|| self.printer.notice(&text)),
            None => self.printer.notice(&text),
        }
    }
}

impl Drop for ApplyView {
    fn drop(&mut self) {
        let steps: Vec<StepId> = self.current.keys().cloned().collect();
        for step in steps {
            self.end(&step);
        }
    }
}

fn words(action: &str) -> Words {
    let (doing, done) = match action {
        "login" => ("Logging in", "Logged in"),
        "pull" => ("Pulling", "Pulled"),
        "adjust" => ("Changing the settings", "Settings changed"),
        "rotate" => ("Rotating the credential", "Credential rotated"),
        "remove" => ("Removing", "Removed"),
        _ => ("Updating", "Updated"),
    };
    Words { doing, done }
}

fn spinner() -> ProgressStyle {
    // The template is a constant, so a mistake in it would be ours: the plain
    // spinner still tells that something is going on.
    ProgressStyle::with_template("{spinner} {prefix}: {wide_msg} [{elapsed} elapsed]")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn bytes() -> ProgressStyle {
    let template = "{spinner} {prefix}: {wide_bar} {binary_bytes}/{binary_total_bytes} [{elapsed}]";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
