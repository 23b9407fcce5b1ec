//! Why tasks failed, kept before the engine forgets it.
//!
//! Swarm keeps a handful of dead tasks a slot, and a node removes their
//! containers, so the last lines of output are read as soon as a failed task
//! is seen, and once only.

use std::collections::BTreeSet;

use imgstack_swarm::rollout::{Assessment, Failure};
use imgstack_swarm::{Manager, TaskId, TaskState};

use crate::event::TaskFailure;

/// Lines of output that are kept of a task.
const LOG_LINES: u32 = 20;
/// Failed tasks that are kept: the first tell the cause, more repeat it.
const KEPT: usize = 5;

/// What is known about the failures of one rollout.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    known: BTreeSet<TaskId>,
    tasks: Vec<TaskFailure>,
    last_log: Vec<String>,
}

impl Evidence {
    /// Failures that were there before the rollout began are not its own.
    pub(crate) fn ignoring(assessment: &Assessment) -> Self {
        Self {
            known: assessment.failures.iter().map(|f| f.task.clone()).collect(),
            ..Self::default()
        }
    }

    /// Takes in what is new. Returns how many tasks failed that were not known.
    pub(crate) async fn collect(&mut self, manager: &Manager, seen: &Assessment) -> usize {
        let mut new = 0;
        for failure in &seen.failures {
            if !self.known.insert(failure.task.clone()) {
                continue;
            }
            new += 1;
            if self.tasks.len() < KEPT {
                let log = self.log_of(manager, failure).await;
                self.tasks.push(described(failure, log));
            }
        }
        new
    }

    /// The last lines of a task, unless an earlier one wrote the very same: a
    /// crash loop says one thing many times.
    async fn log_of(&mut self, manager: &Manager, failure: &Failure) -> Vec<String> {
        if failure.state == TaskState::Rejected {
            return Vec::new();
        }
        // Without its output a failure is still worth telling.
        let lines = manager
            .task_logs(&failure.task, LOG_LINES)
            .await
            .unwrap_or_default();
        let lines: Vec<String> = lines.into_iter().map(|line| line.text).collect();
        if lines == self.last_log {
            return Vec::new();
        }
        self.last_log.clone_from(&lines);
        lines
    }

    /// The evidence, the first failure first; if no task failed, what the
    /// tasks still wait for.
    pub(crate) fn told(mut self, last: Option<&Assessment>) -> Vec<TaskFailure> {
        if self.tasks.is_empty()
            && let Some(last) = last
        {
            self.tasks
                .extend(last.waiting.iter().map(|why| TaskFailure {
                    task: "a task".to_owned(),
                    node: None,
                    state: TaskState::Pending.word().to_owned(),
                    error: why.clone(),
                    exit_code: None,
                    log: Vec::new(),
                }));
        }
        self.tasks
    }
}

fn described(failure: &Failure, log: Vec<String>) -> TaskFailure {
    TaskFailure {
        task: failure.name.clone(),
        node: failure.hostname.clone(),
        state: failure.state.word().to_owned(),
        error: failure
            .err
            .clone()
            .unwrap_or_else(|| failure.message.clone()),
        exit_code: failure.exit_code.filter(|code| *code != 0),
        log,
    }
}
