//! What a run has to tell the journal: gathered from what it tells anybody.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use imgstack_planner::{Action, StackPlan, StepId};
use imgstack_spec::{ImageRef, ServiceName};
use jiff::Timestamp;

use super::builds::FailedBuild;
use super::release::{Ending, LeaderMove, ReleaseResult, StepFailure, TaskEnd, in_rows};
use crate::event::{Event, Failure, FailureKind, Outcome, TaskFailure};

/// Longer words of an engine are cut.
const LONGEST: usize = 400;
/// So many moves of leadership are kept.
const MOVES: usize = 50;

/// The events of a run that matter later.
#[derive(Debug, Default)]
pub(crate) struct Record {
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    failures: BTreeMap<StepId, (Failure, Timestamp)>,
    leaders: Vec<LeaderMove>,
    lost: bool,
}

impl Record {
    /// Takes an event in.
    pub(crate) fn note(&self, event: &Event) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::StepFailed { step, failure, .. } => {
                let at = Timestamp::now();
                let failure = (failure.as_ref().clone(), at);
                noted.failures.insert(step.clone(), failure);
            }
            Event::OrderChanged {
                image,
                leader,
                was,
                left,
                ..
            } if noted.leaders.len() < MOVES => {
                let moved = LeaderMove {
                    at: Timestamp::now(),
                    image: image.clone(),
                    leader: leader.clone(),
                    was: was.clone(),
                    left: left.clone(),
                };
                noted.leaders.push(moved);
            }
            Event::LockLost { .. } => noted.lost = true,
            _ => {}
        }
    }

    /// How the run ended.
    pub(crate) fn ending(&self, plan: &StackPlan, outcome: &Outcome, number: u64) -> Ending {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let result = if outcome.is_complete() {
            ReleaseResult::Done
        } else if noted.lost {
            ReleaseResult::LockLost
        } else if outcome.interrupted {
            ReleaseResult::Interrupted
        } else {
            ReleaseResult::Failed
        };
        let mut ending = Ending {
            ended_at: Timestamp::now(),
            result,
            outcomes: in_rows(outcome.steps.iter().map(|(_, outcome)| *outcome)),
            failures: Vec::new(),
            failed_builds: Vec::new(),
            leaders: noted.leaders.clone(),
        };
        for step in &plan.steps {
            let Some((failure, at)) = noted.failures.get(&step.id) else {
                continue;
            };
            ending.failures.push(told(&step.id, failure));
            if let Action::UpdateService(update) = &step.action
                && is_the_builds_fault(failure)
            {
                let (service, image) = (&update.service, &update.image.to);
                let build = failed_build(service, image, failure, *at, number);
                ending.failed_builds.extend(build);
            }
        }
        ending
    }
}

/// Whether a step failed since the build does not run. A node that cannot pull,
/// a service without a node and a manager that is silent are no fault of it.
fn is_the_builds_fault(failure: &Failure) -> bool {
    let rejected = |task: &TaskFailure| task.state == "rejected";
    let ran = |task: &TaskFailure| task.exit_code.is_some() || task.state == "failed";
    match failure.kind {
        FailureKind::RolledBack | FailureKind::Paused | FailureKind::Unstable => {
            failure.tasks.is_empty() || !failure.tasks.iter().all(rejected)
        }
        // It converged, and says itself that it is not ready.
        FailureKind::ProbeFailed => true,
        FailureKind::TimedOut => failure.tasks.iter().any(ran),
        FailureKind::Drifted
        | FailureKind::Refused
        | FailureKind::Unknown
        | FailureKind::Overtaken
        | FailureKind::NotReady
        | FailureKind::LeaderMoved
        | FailureKind::LeaderUnknown
        | FailureKind::NotHandedOver
        | FailureKind::Unreachable
        | FailureKind::PullFailed
        | FailureKind::LoginFailed
        | FailureKind::RemovalFailed => false,
    }
}

fn failed_build(
    service: &ServiceName,
    image: &str,
    failure: &Failure,
    at: Timestamp,
    release: u64,
) -> Option<FailedBuild> {
    // What a probe was told is in the message.
    let task = failure.tasks.first();
    let task = task.filter(|_| failure.kind != FailureKind::ProbeFailed);
    let cause = match task {
        Some(task) => format!("{}; {}: {}", failure.message, task.task, task.error),
        None => failure.message.clone(),
    };
    Some(FailedBuild {
        service: service.clone(),
        image: image.to_owned(),
        digest: image.parse::<ImageRef>().ok()?.digest?,
        at,
        release,
        cause: cut(&cause),
    })
}

fn told(step: &StepId, failure: &Failure) -> StepFailure {
    let tasks = failure.tasks.iter().map(|task| TaskEnd {
        task: task.task.clone(),
        node: task.node.clone(),
        state: task.state.clone(),
        error: cut(&task.error),
        exit_code: task.exit_code,
    });
    StepFailure {
        step: step.clone(),
        kind: failure.kind,
        message: cut(&failure.message),
        tasks: tasks.collect(),
    }
}

fn cut(words: &str) -> String {
    match words.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(state: &str, exit_code: Option<i64>) -> TaskFailure {
        TaskFailure {
            task: "web.1".to_owned(),
            node: None,
            state: state.to_owned(),
            error: "no".to_owned(),
            exit_code,
            log: vec!["hunter2".to_owned()],
        }
    }

    fn failure(kind: FailureKind, tasks: Vec<TaskFailure>) -> Failure {
        Failure {
            kind,
            message: "the new build failed".to_owned(),
            tasks,
            ..Failure::empty()
        }
    }

    #[test]
    fn a_build_is_blamed_for_what_it_did_alone() {
        use FailureKind::{
            Drifted, Paused, ProbeFailed, RolledBack, TimedOut, Unknown, Unreachable, Unstable,
        };
        let failed = || task("failed", Some(1));
        let rejected = || task("rejected", None);
        let waiting = || task("pending", None);
        let table = [
            (RolledBack, vec![], true),
            (RolledBack, vec![failed()], true),
            (RolledBack, vec![rejected()], false),
            (RolledBack, vec![rejected(), failed()], true),
            (Paused, vec![failed()], true),
            (Unstable, vec![failed()], true),
            (TimedOut, vec![], false),
            (TimedOut, vec![waiting()], false),
            (TimedOut, vec![waiting(), failed()], true),
            (ProbeFailed, vec![], true),
            (ProbeFailed, vec![rejected()], true),
            (Unreachable, vec![], false),
            (Drifted, vec![], false),
            (Unknown, vec![failed()], false),
        ];
        for (kind, tasks, expected) in table {
            let failure = failure(kind, tasks);
            assert_eq!(is_the_builds_fault(&failure), expected, "{failure:?}");
        }
    }

    #[test]
    fn what_a_container_wrote_is_not_kept_and_long_words_are_cut() {
        let mut long = failure(FailureKind::RolledBack, vec![task("failed", Some(1))]);
        long.message = "ü".repeat(1_000);
        let step: StepId = serde_json::from_str("\"update service.web\"").unwrap();
        let kept = serde_json::to_string(&told(&step, &long)).unwrap();
        assert!(!kept.contains("hunter2"), "{kept}");
        assert!(kept.contains("exitCode"));
        assert_eq!(cut(&long.message).chars().count(), LONGEST + 1);
        let image = format!("web:1@sha256:{}", "a".repeat(64));
        let web = "web".parse().unwrap();
        let short = failure(FailureKind::RolledBack, vec![task("failed", Some(1))]);
        let build = failed_build(&web, &image, &short, Timestamp::UNIX_EPOCH, 3).unwrap();
        assert_eq!(build.cause, "the new build failed; web.1: no");
        // The answer of a probe stands in the message.
        let mut probed = failure(FailureKind::ProbeFailed, vec![task("running", None)]);
        probed.message = "the probe did not hold: web.1: HTTP 503".to_owned();
        let build = failed_build(&web, &image, &probed, Timestamp::UNIX_EPOCH, 3).unwrap();
        assert_eq!(build.cause, probed.message);
    }
}
