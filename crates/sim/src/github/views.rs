//! Repositories, runs and jobs as GitHub shows them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::dates::written;
use super::runs::{Run, later};
use super::store::{Repository, State};
use super::workflow::Ending;

/// A number that stands for a name, as IDs do.
pub(super) fn id_of(name: &str) -> u64 {
    name.bytes().fold(5381_u64, |id, byte| {
        (id.wrapping_mul(33) ^ u64::from(byte)) % 1_000_000_007
    })
}

pub(super) fn user(login: &str, organization: bool) -> Value {
    json!({
        "login": login,
        "id": id_of(login),
        "type": match organization {
            true => "Organization",
            false if login.ends_with("[bot]") => "Bot",
            false => "User",
        },
        "html_url": format!("https://github.com/{login}"),
    })
}

pub(super) fn repository(state: &State, repository: &Repository, base: &str) -> Value {
    let Repository { owner, name, .. } = repository;
    json!({
        "id": id_of(&format!("{owner}/{name}")),
        "name": name,
        "full_name": format!("{owner}/{name}"),
        "private": repository.private,
        "visibility": if repository.private { "private" } else { "public" },
        "owner": user(owner, state.members.contains_key(owner)),
        "html_url": format!("https://github.com/{owner}/{name}"),
        "url": format!("{base}/repos/{owner}/{name}"),
        "default_branch": repository.default_branch,
        "archived": false,
        "disabled": false,
    })
}

/// Where a run is, for programs and for people.
pub(super) fn run_urls(run: &Run, base: &str) -> (String, String) {
    let (name, id) = (&run.repository, run.id);
    (
        format!("{base}/repos/{name}/actions/runs/{id}"),
        format!("https://github.com/{name}/actions/runs/{id}"),
    )
}

pub(super) fn run(run: &Run, base: &str, now: Timestamp) -> Value {
    let (url, html) = run_urls(run, base);
    let changed = match run.status(now) {
        "queued" => run.created,
        "completed" => run.ends(),
        _ => run.starts(),
    };
    json!({
        "id": run.id,
        "name": run.workflow,
        "display_title": run.title,
        "path": format!(".github/workflows/{}", run.file),
        "workflow_id": id_of(&format!("{}/{}", run.repository, run.file)),
        "run_number": run.number,
        "run_attempt": 1,
        "event": run.event,
        "status": run.status(now),
        "conclusion": run.conclusion(),
        "head_branch": run.branch,
        "head_sha": run.sha,
        "actor": user(&run.actor, false),
        "triggering_actor": user(&run.actor, false),
        "created_at": written(run.created),
        "run_started_at": written(run.created),
        "updated_at": written(changed),
        "url": url,
        "html_url": html,
        "jobs_url": format!("{url}/jobs"),
        "logs_url": format!("{url}/logs"),
    })
}

pub(super) fn job(run: &Run, base: &str, now: Timestamp) -> Value {
    let (url, html) = run_urls(run, base);
    let started = now >= run.starts();
    let name = &run.repository;
    json!({
        "id": run.job,
        "run_id": run.id,
        "run_url": url,
        "run_attempt": 1,
        "workflow_name": run.workflow,
        "name": run.script.job,
        "head_branch": run.branch,
        "head_sha": run.sha,
        "status": run.status(now),
        "conclusion": run.conclusion(),
        "created_at": written(run.created),
        "started_at": written(if started { run.starts() } else { run.created }),
        "completed_at": run.ended.then(|| written(run.ends())),
        "steps": if started { steps(run, now) } else { Vec::new() },
        "labels": ["ubuntu-latest"],
        "runner_name": started.then_some("GitHub Actions 1"),
        "url": format!("{base}/repos/{name}/actions/jobs/{}", run.job),
        "html_url": format!("{html}/job/{}", run.job),
    })
}

fn steps(run: &Run, now: Timestamp) -> Vec<Value> {
    let (reached, mut begin) = (run.script.reached(), run.starts());
    let (stopped, end) = (run.cancelled, run.ends());
    let steps = run.script.steps.iter().enumerate().map(|(at, step)| {
        let (from, to) = (begin, later(begin, step.takes));
        // It is run at all, as far as somebody lets it.
        let runs = at < reached && stopped.is_none_or(|stop| from < stop);
        let cut = runs && stopped.is_some_and(|stop| stop < to);
        let to = if cut { end } else { to };
        let over = if runs { now >= to } else { now >= end };
        if runs {
            begin = to;
        }
        let status = match () {
            () if over => "completed",
            () if runs && now >= from => "in_progress",
            () => "queued",
        };
        let conclusion = over.then_some(match (runs, cut) {
            (false, _) => "skipped",
            (true, true) => "cancelled",
            (true, false) => step.ends.conclusion(),
        });
        let began = runs && now >= from || over;
        json!({
            "name": step.name,
            "number": at + 1,
            "status": status,
            "conclusion": conclusion,
            "started_at": began.then(|| written(if runs { from } else { end })),
            "completed_at": over.then(|| written(if runs { to } else { end })),
        })
    });
    steps.collect()
}

/// The log of a run's job, as its runner writes it.
pub(super) fn log(run: &Run) -> String {
    let (mut text, mut at) = (String::new(), run.starts());
    let mut line = |at: Timestamp, words: &str| {
        text += &at.strftime("%Y-%m-%dT%H:%M:%S.0000000Z ").to_string();
        text += words;
        text.push('\n');
    };
    for step in run.script.steps.iter().take(run.script.reached()) {
        line(at, &format!("##[group]{}", step.name));
        line(at, "##[endgroup]");
        at = later(at, step.takes);
        for written in &step.log {
            line(at, written);
        }
        match step.ends {
            Ending::Succeeds => {}
            Ending::Fails => line(at, "##[error]Process completed with exit code 1."),
            Ending::TimesOut => line(at, "##[error]The operation was canceled."),
        }
    }
    line(at, "Cleaning up orphan processes");
    text
}
