//! What happens while an image is built anew, and what came of it: the
//! interface to showing, as lines of JSON and to people.

use imgstack_registry::github::{Conclusion, Job, RunId, RunLink, RunStep, Status};
use imgstack_spec::{Digest, GitHubWorkflow, ImageName, ImageRef};
use jiff::Timestamp;
use serde::Serialize;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(crate) enum Event {
    /// GitHub is asked to start the workflow.
    Starting {
        workflow: GitHubWorkflow,
        /// Where the token was read, in words.
        credential: String,
    },
    /// GitHub did not tell which run it is, so it is looked for.
    Looking {
        /// Whether there surely is one.
        certain: bool,
    },
    /// The run is known.
    Started { run: RunLink },
    /// How far the run is as a whole.
    RunIs { status: Status },
    /// A runner took a job.
    JobStarted { job: String },
    /// A step began.
    StepStarted {
        job: String,
        step: String,
        number: u64,
        of: u64,
    },
    /// A step ended. Those that did not have to run are not spoken of.
    StepEnded {
        job: String,
        step: String,
        conclusion: Option<Conclusion>,
        seconds: Option<u64>,
    },
    /// A job ended.
    JobEnded {
        job: String,
        conclusion: Option<Conclusion>,
        seconds: Option<u64>,
    },
    /// GitHub did not answer; it is asked again.
    Trouble { why: String },
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) image: ImageName,
    /// The tag that is followed.
    pub(crate) reference: ImageRef,
    /// Whether the spec holds another build, so that this one stays unused.
    pub(crate) pinned: bool,
    pub(crate) workflow: GitHubWorkflow,
    /// Where people see the runs of the workflow.
    pub(crate) page: String,
    /// What the tag led to. None: to nothing, or that could not be read.
    pub(crate) before: Option<Digest>,
    /// None: it is not known which it is.
    pub(crate) run: Option<RunReport>,
    pub(crate) outcome: Outcome,
}

/// The run of a report.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunReport {
    pub(crate) id: RunId,
    pub(crate) url: String,
    pub(crate) number: Option<u64>,
    pub(crate) conclusion: Option<Conclusion>,
    pub(crate) seconds: Option<u64>,
}

/// How it came out.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "is", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Outcome {
    /// The tag leads to another build.
    Built { digest: Digest },
    /// The run succeeded, and the tag leads where it did.
    Unchanged { digest: Digest },
    /// The run succeeded, and what the tag led to before could not be read.
    Doubtful {
        digest: Digest,
        /// Why not.
        why: String,
    },
    /// The run succeeded, and what the tag leads to cannot be read.
    Unread { why: String },
    /// The run succeeded. A policy chooses among tags, so none was to move.
    Succeeded,
    /// The run did not succeed.
    Failed { jobs: Vec<FailedJob> },
    /// It was not to be followed.
    Started,
    /// It was not followed to its end. The run goes on.
    Interrupted {
        /// Whether there surely is one.
        certain: bool,
    },
}

/// A job that came to grief.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FailedJob {
    pub(crate) job: String,
    /// None: none of its steps did.
    pub(crate) step: Option<String>,
    pub(crate) conclusion: Option<Conclusion>,
    pub(crate) url: Option<String>,
    /// The last lines of it.
    pub(crate) log: Vec<String>,
    /// Why there are none.
    pub(crate) no_log: Option<String>,
}

/// What has happened to jobs between two looks, in the order of the jobs.
pub(super) fn changes(before: &[Job], now: &[Job]) -> Vec<Event> {
    let mut events = Vec::new();
    for job in now {
        let known = before.iter().find(|known| known.id == job.id);
        if has_begun(job) && !known.is_some_and(has_begun) {
            let job = job.name.clone();
            events.push(Event::JobStarted { job });
        }
        for step in &job.steps {
            let known = known.into_iter().flat_map(|job| &job.steps);
            let known = known.into_iter().find(|known| known.number == step.number);
            events.extend(change(job, known, step));
        }
        let ended = |job: &Job| job.status == Status::Completed;
        if ended(job) && !known.is_some_and(ended) {
            events.push(Event::JobEnded {
                job: job.name.clone(),
                conclusion: job.conclusion,
                seconds: seconds(job.started_at, job.completed_at),
            });
        }
    }
    events
}

/// A job that is skipped never begins.
fn has_begun(job: &Job) -> bool {
    match job.status {
        Status::InProgress => true,
        Status::Completed => job.conclusion != Some(Conclusion::Skipped),
        Status::Queued | Status::Waiting | Status::Other => false,
    }
}

fn change(job: &Job, known: Option<&RunStep>, step: &RunStep) -> Option<Event> {
    let (name, before) = (job.name.clone(), known.map(|known| known.status));
    match step.status {
        status if before == Some(status) => None,
        Status::InProgress => Some(Event::StepStarted {
            job: name,
            step: step.name.clone(),
            number: step.number,
            of: job.steps.last().map_or(step.number, |last| last.number),
        }),
        Status::Completed if step.conclusion != Some(Conclusion::Skipped) => {
            Some(Event::StepEnded {
                job: name,
                step: step.name.clone(),
                conclusion: step.conclusion,
                seconds: seconds(step.started_at, step.completed_at),
            })
        }
        Status::Completed | Status::Queued | Status::Waiting | Status::Other => None,
    }
}

/// Whole seconds between two times.
pub(super) fn seconds(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<u64> {
    u64::try_from(to?.as_second() - from?.as_second()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A job with steps, each as `status/conclusion`.
    fn job(status: &str, steps: &[&str]) -> Job {
        let (status, conclusion) = status.split_once('/').unwrap_or((status, ""));
        let or_null = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let steps = (1..).zip(steps).map(|(number, step): (u64, &&str)| {
            let (status, conclusion) = step.split_once('/').unwrap_or((step, ""));
            json!({
                "number": number, "name": format!("s{number}"), "status": status,
                "conclusion": or_null(conclusion),
                "started_at": "2026-02-09T04:00:00Z", "completed_at": "2026-02-09T04:00:07Z",
            })
        });
        let value = json!({
            "id": 70, "name": "build", "status": status, "conclusion": or_null(conclusion),
            "started_at": "2026-02-09T04:00:00Z", "completed_at": "2026-02-09T04:01:00Z",
            "html_url": null, "steps": steps.collect::<Vec<_>>(),
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_happens_between_two_looks() {
        let (queued, begun) = (
            job("queued", &[]),
            job("in_progress", &["in_progress", "queued"]),
        );
        let middle = job("in_progress", &["completed/success", "in_progress"]);
        let skipped = job("completed/skipped", &[]);
        let ended = job(
            "completed/failure",
            &["completed/success", "completed/failure"],
        );
        let rest = job(
            "completed/failure",
            &["completed/failure", "completed/skipped"],
        );
        let table = [
            (None, &queued, ""),
            (Some(&queued), &queued, ""),
            (Some(&queued), &begun, "job begins, s1 of 2 begins"),
            (Some(&begun), &begun, ""),
            (Some(&begun), &middle, "s1 succeeded 7, s2 of 2 begins"),
            (Some(&middle), &ended, "s2 failed 7, job failed 60"),
            (Some(&begun), &rest, "s1 failed 7, job failed 60"),
            // Between two looks much may happen.
            (
                None,
                &ended,
                "job begins, s1 succeeded 7, s2 failed 7, job failed 60",
            ),
            (Some(&ended), &ended, ""),
            (None, &skipped, "job was skipped 60"),
        ];
        for (before, now, expected) in table {
            let before: Vec<Job> = before.into_iter().cloned().collect();
            let told = changes(&before, std::slice::from_ref(now));
            let words = told.iter().map(|event| match event {
                Event::JobStarted { .. } => "job begins".to_owned(),
                Event::StepStarted { step, of, .. } => format!("{step} of {of} begins"),
                Event::StepEnded {
                    step,
                    conclusion: Some(conclusion),
                    seconds: Some(seconds),
                    ..
                } => format!("{step} {conclusion} {seconds}"),
                Event::JobEnded {
                    conclusion: Some(conclusion),
                    seconds: Some(seconds),
                    ..
                } => format!("job {conclusion} {seconds}"),
                other => panic!("{other:?}"),
            });
            assert_eq!(words.collect::<Vec<_>>().join(", "), expected);
        }
    }
}
