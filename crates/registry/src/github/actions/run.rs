//! Runs, their jobs, and the steps of those.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Numbers of GitHub's.
macro_rules! ids {
    ($($(#[$doc:meta])* $type:ident,)*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $type(u64);

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}
ids! {
    /// The number of a run. A later one is greater.
    RunId,
    /// The number of a job.
    JobId,
}

/// A run, as far as it takes to find it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLink {
    /// Its number.
    pub id: RunId,
    /// Where people see it.
    pub url: String,
}

/// One run of a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// Which run of the workflow it is.
    #[serde(rename = "run_number")]
    pub number: u64,
    /// `run-name`, or what GitHub makes of the event.
    #[serde(rename = "display_title", default)]
    pub title: String,
    /// `workflow_dispatch`, `push`, `schedule` …
    pub event: String,
    /// How far it is.
    pub status: Status,
    /// How it ended. None: it has not.
    pub conclusion: Option<Conclusion>,
    /// The commit it runs on.
    pub head_sha: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When anything of it was changed last; of what has ended, its end.
    pub updated_at: Timestamp,
    /// Where people see it.
    #[serde(rename = "html_url")]
    pub url: String,
}

/// One job of a run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// What it is called.
    pub name: String,
    /// How far it is.
    pub status: Status,
    /// How it ended. None: it has not.
    pub conclusion: Option<Conclusion>,
    /// When its runner took it. None, or when it was asked for: it waits.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Its steps, also GitHub's own, such as `Set up job`.
    #[serde(default)]
    pub steps: Vec<RunStep>,
    /// Where people see it.
    #[serde(rename = "html_url")]
    pub url: Option<String>,
}

/// One step of a job.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RunStep {
    /// Its place in the job, from 1.
    pub number: u64,
    /// What it is called.
    pub name: String,
    /// How far it is.
    pub status: Status,
    /// How it ended. None: it has not.
    pub conclusion: Option<Conclusion>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended, to the second.
    pub completed_at: Option<Timestamp>,
}

/// How far something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits for a runner, or for its turn.
    #[serde(alias = "requested", alias = "pending")]
    Queued,
    /// It waits for somebody to approve it.
    Waiting,
    /// It runs.
    InProgress,
    /// It has ended.
    Completed,
    /// GitHub has a new word for it. It has not ended.
    #[serde(other)]
    Other,
}

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// Well.
    Success,
    /// Not well.
    Failure,
    /// Somebody, or another run, stopped it.
    Cancelled,
    /// It took longer than it may.
    TimedOut,
    /// The workflow's file is wrong, so nothing ran.
    StartupFailure,
    /// Somebody would have had to approve it.
    ActionRequired,
    /// Nobody took it for too long.
    Stale,
    /// It did not have to run.
    Skipped,
    /// Neither well nor badly.
    Neutral,
    /// GitHub has a new word for it.
    #[serde(other)]
    Other,
}

/// As people say it: `timed out`.
impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Success => "succeeded",
            Self::Failure => "failed",
            Self::Cancelled => "was cancelled",
            Self::TimedOut => "timed out",
            Self::StartupFailure => "could not start: its file is wrong",
            Self::ActionRequired => "waits for an approval",
            Self::Stale => "was given up by GitHub",
            Self::Skipped => "was skipped",
            Self::Neutral => "ended without a verdict",
            Self::Other => "ended in a way that is not known here",
        })
    }
}

impl Job {
    /// The step that the job came to grief at: the first that failed or was
    /// stopped.
    #[must_use]
    pub fn failed_step(&self) -> Option<&RunStep> {
        let bad = |step: &&RunStep| match step.conclusion {
            Some(Conclusion::Failure | Conclusion::TimedOut | Conclusion::Cancelled) => true,
            Some(_) | None => false,
        };
        self.steps.iter().find(bad)
    }

    /// Whether it ended otherwise than it should.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        match self.conclusion {
            None | Some(Conclusion::Success | Conclusion::Skipped | Conclusion::Neutral) => false,
            Some(
                Conclusion::Failure
                | Conclusion::Cancelled
                | Conclusion::TimedOut
                | Conclusion::StartupFailure
                | Conclusion::ActionRequired
                | Conclusion::Stale
                | Conclusion::Other,
            ) => true,
        }
    }
}

impl Run {
    /// Where it is to be found.
    #[must_use]
    pub fn link(&self) -> RunLink {
        RunLink {
            id: self.id,
            url: self.url.clone(),
        }
    }

    /// Whether it has ended, and well.
    #[must_use]
    pub fn has_succeeded(&self) -> bool {
        self.status == Status::Completed && self.conclusion == Some(Conclusion::Success)
    }
}

#[derive(Deserialize)]
pub(super) struct Runs {
    pub(super) workflow_runs: Vec<Run>,
}

#[derive(Deserialize)]
pub(super) struct Jobs {
    pub(super) jobs: Vec<Job>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_tomorrow_are_no_end() {
        let read = |word: &str| serde_json::from_value::<Status>(word.into()).unwrap();
        let table = [
            ("queued", Status::Queued),
            ("requested", Status::Queued),
            ("pending", Status::Queued),
            ("waiting", Status::Waiting),
            ("in_progress", Status::InProgress),
            ("completed", Status::Completed),
            ("dreaming", Status::Other),
        ];
        for (word, status) in table {
            assert_eq!(read(word), status, "{word}");
        }
        let conclusion: Conclusion = serde_json::from_value("eaten".into()).unwrap();
        assert_eq!(conclusion, Conclusion::Other);
        let conclusion: Conclusion = serde_json::from_value("timed_out".into()).unwrap();
        assert_eq!(conclusion, Conclusion::TimedOut);
    }
}
