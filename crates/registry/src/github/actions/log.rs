//! The last words of a job that came to grief.
//!
//! A job's log is one text for all its steps, and its end is most often the
//! tidying up after the failure. So the lines that count are those written
//! while the failed step ran, up to its last error.

use jiff::Timestamp;
use reqwest::StatusCode;

use super::{Actions, Job, RunStep};
use crate::github::api::{Question, malformed};
use crate::github::error::Error;
use crate::github::wanted::Wanted;
use crate::http::{Excess, RequestKind};

/// What runners put before an error.
const ERROR: &str = "##[error]";

impl Actions {
    /// The last lines of the step that failed, at most `count`, as they were
    /// written: without times, colours and marks of the runner.
    ///
    /// GitHub sends people to its storage for a log; the token stays behind.
    ///
    /// # Errors
    /// Any of [`Error`] but those about packages.
    pub async fn last_words(&self, job: &Job, count: usize) -> Result<Vec<String>, Error> {
        let url = self.url(&["jobs", &job.id.to_string(), "logs"], &[])?;
        let wanted = Wanted::Runs(self.workflow.clone());
        let mut question = Question::get(&wanted, &self.token, RequestKind::Workflow, url);
        question.excess = Excess::Dropped;
        let reply = self.client.0.api.ask(&question).await?;
        if reply.status != StatusCode::OK {
            return Err(malformed("a log that is not there"));
        }
        let text = String::from_utf8_lossy(&reply.body);
        Ok(last_words(&text, job.failed_step(), count))
    }
}

/// A line of a log.
struct Line<'t> {
    at: Option<Timestamp>,
    text: &'t str,
}

impl<'t> Line<'t> {
    /// `2026-02-09T04:00:35.1234567Z words`
    fn read(line: &'t str) -> Self {
        let line = line.trim_start_matches('\u{feff}').trim_end();
        let (at, text) = match line.split_once(' ') {
            Some((time, text)) => (time.parse().ok(), text),
            None => (line.parse().ok(), ""),
        };
        match at {
            Some(_) => Self { at, text },
            None => Self { at, text: line },
        }
    }

    /// Whether it was written while the step ran. Its end is told to the second.
    fn is_of(&self, step: &RunStep) -> bool {
        let (Some(at), Some(from), Some(to)) = (self.at, step.started_at, step.completed_at) else {
            return false;
        };
        from.as_second() <= at.as_second() && at.as_second() <= to.as_second()
    }
}

fn last_words(text: &str, step: Option<&RunStep>, count: usize) -> Vec<String> {
    let lines: Vec<Line<'_>> = text.lines().map(Line::read).collect();
    let of_step: Vec<&Line<'_>> = match step {
        Some(step) => lines.iter().filter(|line| line.is_of(step)).collect(),
        None => Vec::new(),
    };
    let chosen = match of_step.is_empty() {
        true => lines.iter().collect(),
        false => of_step,
    };
    let end = chosen.iter().rposition(|line| line.text.starts_with(ERROR));
    let end = end.map_or(chosen.len(), |at| at + 1);
    let shown: Vec<String> = chosen[..end]
        .iter()
        .filter_map(|line| shown(line.text))
        .collect();
    let from = shown.len().saturating_sub(count);
    shown[from..].to_vec()
}

/// The line as people read it. None: it is for programs, or empty.
fn shown(text: &str) -> Option<String> {
    let text = without_colours(text);
    let text = match text.strip_prefix("##[") {
        None => text.as_str(),
        Some(marked) => match marked.split_once(']') {
            Some(("endgroup" | "debug" | "add-matcher" | "remove-matcher", _)) => return None,
            Some((_, rest)) => rest,
            None => text.as_str(),
        },
    };
    let text = text.trim_end();
    (!text.trim().is_empty()).then(|| text.to_owned())
}

/// Without the sequences that set colours. What else a terminal would obey is
/// for whoever shows it.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        plain.push_str(
            rest.strip_prefix(|c: char| c.is_ascii_alphabetic())
                .unwrap_or(rest),
        );
    }
    plain
}

#[cfg(test)]
mod tests;
