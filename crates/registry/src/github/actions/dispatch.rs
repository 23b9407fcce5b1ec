//! Starting a workflow, at most once.
//!
//! GitHub answers with the run it has started, or (its servers at companies,
//! and all of them before 2026) with nothing; and an answer may be lost on the
//! way, when the run has been started all the same. So each start carries a
//! mark as the input `imgstack`, which a workflow shows in its `run-name`, and
//! the newest run is noted before. A run that is not told is then looked for:
//! by its mark, or, where the workflow shows none, as the only one that is new.
//!
//! What GitHub may have done is never asked for again. A refusal is certain to
//! have done nothing, so a workflow without that input is asked once more
//! without it.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::{Actions, Run, RunId, RunLink};
use crate::github::api::{Once, Question, Sent, once, refusal};
use crate::github::error::{Error, NotStarted};
use crate::github::wanted::Wanted;
use crate::http::{Reply, RequestKind};

/// The input that tells one start from another.
const INPUT: &str = "imgstack";
/// How a mark begins; digits follow.
const MARK: &str = "imgstack-";
/// Hexadecimal digits of a mark.
const DIGITS: usize = 12;
/// How long a run is looked for that GitHub has said it started.
const SURELY: Duration = Duration::from_secs(120);
/// How long one is looked for that may not be there.
const PERHAPS: Duration = Duration::from_secs(45);
/// How long the mark of a run is waited for, when there is a new one without.
/// It may be somebody else's, or the workflow may not show the mark.
const MARKED: Duration = Duration::from_secs(20);
/// GitHub shows a run a few seconds after its start.
const FIRST_LOOK: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// Runs that are looked through: more are not started at once.
const RUNS: &str = "50";

/// What came of a start.
#[derive(Clone, Debug)]
pub enum Dispatch {
    /// GitHub told which run it started.
    Run(RunLink),
    /// It did not, or its answer was lost. See [`Actions::find`].
    Unseen(Unseen),
}

/// A start whose run is not known yet.
#[derive(Clone, Debug)]
pub struct Unseen {
    /// The mark that was sent along. None: the workflow takes none.
    mark: Option<String>,
    /// The newest run before it.
    before: Option<RunId>,
    /// What became of the answer. None: GitHub said that it was done.
    lost: Option<String>,
}

impl Unseen {
    /// Whether it is certain that there is a run.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.lost.is_none()
    }

    /// Whether the only new run is taken for its own after that time: not when
    /// a mark was sent along that it does not show, unless GitHub has said that
    /// there is a run, which can then be no other.
    fn goes_by_time(&self, after: Duration) -> bool {
        match (&self.mark, self.is_certain()) {
            (None, _) => true,
            (Some(_), true) => after >= MARKED,
            (Some(_), false) => false,
        }
    }
}

/// What GitHub tells of a run that it has started.
#[derive(Deserialize)]
struct Details {
    workflow_run_id: RunId,
    html_url: String,
}

/// What one request came to.
enum Outcome {
    Run(RunLink),
    Done,
    Lost(String),
}

impl Actions {
    /// Starts the workflow on its branch. It is asked for once, whatever
    /// becomes of the answer.
    ///
    /// # Errors
    /// Any of [`Error`] but those about packages; nothing was started then.
    pub async fn dispatch(&self) -> Result<Dispatch, Error> {
        let newest = self.runs(&[("per_page", "1")]).await;
        let newest = newest.map_err(|error| self.about_the_start(error))?;
        let before = newest.first().map(|run| run.id);
        let mark = format!("{MARK}{:0DIGITS$x}", fastrand::u64(..1 << (4 * DIGITS)));
        let (outcome, mark) = match self.request(Some(&mark)).await {
            Err(Error::NotStarted {
                why: NotStarted::StrangeInput,
                ..
            }) => (self.request(None).await?, None),
            outcome => (outcome?, Some(mark)),
        };
        let lost = match outcome {
            Outcome::Run(link) => return Ok(Dispatch::Run(link)),
            Outcome::Done => None,
            Outcome::Lost(cause) => Some(cause),
        };
        Ok(Dispatch::Unseen(Unseen { mark, before, lost }))
    }

    /// Finds the run of a start: looks for up to two minutes.
    ///
    /// # Errors
    /// [`Error::Unseen`] and [`Error::Lost`]; or the token may not look.
    pub async fn find(&self, start: &Unseen) -> Result<Run, Error> {
        let patience = if start.is_certain() { SURELY } else { PERHAPS };
        let (began, mut pause) = (Instant::now(), FIRST_LOOK);
        let branch = self.workflow.reference.as_str();
        let query = [
            ("event", "workflow_dispatch"),
            ("branch", branch),
            ("per_page", RUNS),
        ];
        let (mut last, mut trouble) = (Found::None, None);
        while began.elapsed() + pause < patience {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            match self.runs(&query).await {
                Ok(runs) => (last, trouble) = (found(start, runs), None),
                Err(error) if error.is_retryable() => trouble = Some(error),
                Err(error) => return Err(error),
            }
            match last {
                Found::ByMark(run) => return Ok(run),
                Found::ByTime(run) if start.goes_by_time(began.elapsed()) => return Ok(run),
                Found::ByTime(_) | Found::Several | Found::None => {}
            }
        }
        Err(self.not_found(start, &last, trouble))
    }

    fn not_found(&self, start: &Unseen, last: &Found, trouble: Option<Error>) -> Error {
        let seen = match (trouble, last) {
            (Some(error), _) => error.to_string(),
            (None, Found::Several) => {
                "several runs were started at that time, and none shows the input `imgstack`"
                    .to_owned()
            }
            (None, Found::ByMark(run) | Found::ByTime(run)) => format!(
                "{} was started at that time, and does not show the input `imgstack`",
                run.url
            ),
            (None, Found::None) => "there is no new run".to_owned(),
        };
        let workflow = Box::new(self.workflow.clone());
        match &start.lost {
            None => Error::Unseen {
                workflow,
                cause: seen,
            },
            Some(lost) => Error::Lost {
                workflow,
                cause: format!("{lost}; {seen}"),
            },
        }
    }

    /// Who may not even look may not start either, and is told of both.
    fn about_the_start(&self, error: Error) -> Error {
        let start = Box::new(Wanted::Start(self.workflow.clone()));
        match error {
            Error::Forbidden {
                origin,
                kind,
                answer,
                ..
            } => Error::Forbidden {
                origin,
                kind,
                wanted: start,
                answer,
            },
            other => other,
        }
    }

    async fn request(&self, mark: Option<&str>) -> Result<Outcome, Error> {
        let workflow = &self.workflow;
        let file = workflow.workflow.as_str();
        let mut body = json!({"ref": workflow.reference.as_str(), "return_run_details": true});
        if let Some(mark) = mark {
            body["inputs"] = json!({INPUT: mark});
        }
        let wanted = Wanted::Start(workflow.clone());
        let url = self.url(&["workflows", file, "dispatches"], &[])?;
        let question = Question {
            method: Method::POST,
            body: Some(body.to_string()),
            ..Question::get(&wanted, &self.token, RequestKind::Workflow, url)
        };
        let sent = self.client.0.api.send(&question).await?;
        outcome(sent, |reply| refusal(&wanted, &self.token, reply))
    }
}

/// What the answer to a start means.
fn outcome(sent: Sent, refused: impl Fn(&Reply) -> Error) -> Result<Outcome, Error> {
    let reply = match once(sent)? {
        Once::Answered(reply) => reply,
        Once::Lost(cause) => return Ok(Outcome::Lost(cause)),
    };
    match reply.status {
        StatusCode::NO_CONTENT => Ok(Outcome::Done),
        status if status.is_success() => Ok(match serde_json::from_slice(&reply.body) {
            Ok(Details {
                workflow_run_id,
                html_url,
            }) => Outcome::Run(RunLink {
                id: workflow_run_id,
                url: html_url,
            }),
            Err(_) => Outcome::Done,
        }),
        status if status.is_redirection() => Err(Error::Protocol {
            cause: "the repository has moved: write its new name into `build.github` of the spec"
                .to_owned(),
            answer: Some(Box::new(reply.answer())),
        }),
        _ => Err(refused(&reply)),
    }
}

/// What a look at the runs shows of a start.
#[derive(Debug)]
enum Found {
    /// The one with its mark.
    ByMark(Run),
    /// The only new one, and it has no mark.
    ByTime(Run),
    /// New ones, of which none has the mark.
    Several,
    None,
}

fn found(start: &Unseen, runs: Vec<Run>) -> Found {
    let (mut new, mark) = (Vec::new(), start.mark.as_deref());
    for run in runs {
        let is_new = start.before.is_none_or(|before| run.id > before);
        match mark.is_some_and(|mark| run.title.contains(mark)) {
            true if is_new => return Found::ByMark(run),
            _ if is_new => new.push(run),
            _ => {}
        }
    }
    // What has another's mark is surely another's.
    new.retain(|run| !is_marked(&run.title));
    match new.len() {
        0 => Found::None,
        1 => new.pop().map_or(Found::None, Found::ByTime),
        _ => Found::Several,
    }
}

/// Whether there is a mark in a title.
fn is_marked(title: &str) -> bool {
    let digits = |text: &str| {
        let digits = text.bytes().take_while(u8::is_ascii_hexdigit);
        digits.count() == DIGITS
    };
    title.split(MARK).skip(1).any(digits)
}

#[cfg(test)]
mod tests;
