//! Workflows and their runs: dispatched, listed, looked into.

use std::collections::BTreeMap;

use hyper::{Method, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::access::{Token, Wanted};
use super::dates::Span;
use super::reply::{Page, Reply, refuse};
use super::runs::{Cause, Run};
use super::store::{State, key};
use super::{GitHub, views};
use crate::Asked;

const READ: Wanted = Wanted {
    part: "actions",
    write: false,
};
const WRITE: Wanted = Wanted {
    part: "actions",
    write: true,
};

#[derive(Deserialize)]
struct Dispatch {
    #[serde(rename = "ref")]
    reference: Option<String>,
    #[serde(default)]
    inputs: BTreeMap<String, String>,
    #[serde(default)]
    return_run_details: bool,
}

impl GitHub {
    /// `/repos/{owner}/{name}/actions/…`
    pub(super) fn actions(
        &self,
        state: &mut State,
        asked: &Asked,
        base: &str,
        caller: Option<&Token>,
        (owner, name): (&str, &str),
        rest: &[&str],
    ) -> Result<Reply, Reply> {
        if let (&Method::POST, ["workflows", file, "dispatches"]) = (&asked.method, rest) {
            return self.dispatch(state, asked, base, caller, (owner, name), file);
        }
        if asked.method != Method::GET {
            return Err(refuse(404, "Not Found"));
        }
        let known = state.repository(caller, owner, name, READ)?;
        let (repository, now) = (key(owner, name), self.now());
        let found = |find: &dyn Fn(&Run) -> bool| {
            let mut runs = state
                .runs
                .values()
                .filter(|run| run.repository == repository);
            runs.find(|run| find(run))
                .ok_or_else(|| refuse(404, "Not Found"))
        };
        let id = |text: &str| text.parse::<u64>().unwrap_or_default();
        match rest {
            ["runs"] => Ok(list(state, asked, base, &repository, None, now)),
            ["workflows", file, "runs"] => {
                let ids = known.workflows.keys();
                let file = workflow(ids, &repository, file)?;
                Ok(list(state, asked, base, &repository, Some(&file), now))
            }
            ["runs", run] => {
                let run = found(&|it| it.id == id(run))?;
                Ok(Reply::ok(&views::run(run, base, now)))
            }
            ["runs", run, "jobs"] => {
                let run = found(&|it| it.id == id(run))?;
                let jobs = vec![views::job(run, base, now)];
                Ok(Page::of(asked, base, jobs).reply(Some("jobs")))
            }
            ["jobs", job] => {
                let run = found(&|it| it.job == id(job))?;
                Ok(Reply::ok(&views::job(run, base, now)))
            }
            ["jobs", job, "logs"] => {
                let run = found(&|it| it.job == id(job) && it.ended)?;
                if caller.is_none() {
                    return Err(refuse(403, "Must have admin rights to Repository."));
                }
                let there = format!("{base}/_logs/{}?sig={}", run.job, signature(run));
                Ok(Reply::empty(StatusCode::FOUND).with("location", there))
            }
            _ => Err(refuse(404, "Not Found")),
        }
    }

    fn dispatch(
        &self,
        state: &mut State,
        asked: &Asked,
        base: &str,
        caller: Option<&Token>,
        (owner, name): (&str, &str),
        file: &str,
    ) -> Result<Reply, Reply> {
        // Whoever does not see the repository is told that it is not there.
        let known = state.repository(caller, owner, name, WRITE)?;
        let repository = key(owner, name);
        let file = workflow(known.workflows.keys(), &repository, file)?;
        let body: Dispatch = serde_json::from_slice(&asked.body)
            .map_err(|_| refuse(400, "Problems parsing JSON"))?;
        let reference = body
            .reference
            .ok_or_else(|| refuse(422, "Invalid request.\n\n\"ref\" wasn't supplied."))?;
        let branch = reference.trim_start_matches("refs/heads/");
        if !known.branches.contains_key(branch) {
            return Err(refuse(422, &format!("No ref found for: {reference}")));
        }
        if let Some(workflow) = known.workflows.get(&file) {
            if !workflow.dispatch {
                let words = "Workflow does not have 'workflow_dispatch' trigger";
                return Err(refuse(422, words));
            }
            if let Some(complaint) = workflow.complaint(&body.inputs) {
                return Err(refuse(422, &complaint));
            }
        }
        let cause = Cause {
            event: "workflow_dispatch",
            branch,
            actor: caller.map_or("", |token| token.login.as_str()),
            inputs: body.inputs,
        };
        let run = self.begin(state, &repository, &file, cause);
        let run = run.and_then(|id| state.runs.get(&id));
        let told = body.return_run_details && !state.no_run_details;
        match run.filter(|_| told) {
            Some(run) => {
                let (url, html) = views::run_urls(run, base);
                let body = json!({"workflow_run_id": run.id, "run_url": url, "html_url": html});
                Ok(Reply::ok(&body))
            }
            None => Ok(Reply::empty(StatusCode::NO_CONTENT)),
        }
    }

    /// The storage that logs are redirected to; it knows no tokens.
    pub(super) fn log(state: &State, asked: &Asked, job: &str) -> Reply {
        let mut runs = state.runs.values();
        let run = runs.find(|run| run.job.to_string() == job);
        match run {
            Some(run) if asked.parameter("sig") == Some(signature(run)) => {
                Reply::text(views::log(run))
            }
            _ => Reply::empty(StatusCode::FORBIDDEN),
        }
    }
}

/// A workflow is named by its file or by its ID.
fn workflow<'a>(
    mut files: impl Iterator<Item = &'a String>,
    repository: &str,
    named: &str,
) -> Result<String, Reply> {
    let id = |file: &str| views::id_of(&format!("{repository}/{file}")).to_string();
    let file = files.find(|file| *file == named || id(file) == named);
    file.cloned().ok_or_else(|| refuse(404, "Not Found"))
}

fn signature(run: &Run) -> String {
    format!(
        "{:x}",
        views::id_of(&format!("{} {}", run.job, run.created))
    )
}

/// Runs that fit what was asked for, the newest first.
fn list(
    state: &State,
    asked: &Asked,
    base: &str,
    repository: &str,
    file: Option<&str>,
    now: Timestamp,
) -> Reply {
    let wanted = |name: &str| asked.parameter(name).filter(|it| !it.is_empty());
    let is = |name: &str, value: &str| wanted(name).is_none_or(|it| it == value);
    let created = match wanted("created").map(|text| Span::read(&text)) {
        None => None,
        Some(Some(span)) => Some(span),
        Some(None) => return refuse(422, "Validation Failed"),
    };
    let fits = |run: &&Run| {
        let status = run.status(now);
        run.repository == repository
            && file.is_none_or(|file| run.file == file)
            && is("event", &run.event)
            && is("branch", &run.branch)
            && is("actor", &run.actor)
            && is("head_sha", &run.sha)
            && (is("status", status) || is("status", run.conclusion().unwrap_or_default()))
            && created.is_none_or(|span| span.holds(run.created))
    };
    let runs = state.runs.values().rev().filter(fits);
    let rows = runs.map(|run| views::run(run, base, now)).collect();
    Page::of(asked, base, rows).reply(Some("workflow_runs"))
}
