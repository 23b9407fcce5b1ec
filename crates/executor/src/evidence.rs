//! Why tasks failed, kept before the engine forgets it.
//!
//! Swarm keeps a handful of dead tasks a slot, and a node removes their
//! containers, so the last lines of output are read as soon as a failed task
//! is seen, and once only.

use std::collections::BTreeSet;

use futures_util::future::join_all;
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
    /// Each with the task whose output is still to be read, if any.
    tasks: Vec<(TaskFailure, Option<TaskId>)>,
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
    pub(crate) fn note(&mut self, seen: &Assessment) -> usize {
        let mut new = 0;
        for failure in &seen.failures {
            if !self.known.insert(failure.task.clone()) {
                continue;
            }
            new += 1;
            if self.tasks.len() < KEPT {
                // A rejected task never had a container.
                let wrote = (failure.state != TaskState::Rejected).then(|| failure.task.clone());
                self.tasks.push((described(failure), wrote));
            }
        }
        new
    }

    /// Takes in tasks that run and did not say yes to a probe: what they wrote
    /// is worth as much.
    pub(crate) fn note_answers(&mut self, said: &[(TaskId, TaskFailure)]) {
        let room = KEPT.saturating_sub(self.tasks.len());
        let said = said.iter().take(room);
        let said = said.map(|(id, failure)| (failure.clone(), Some(id.clone())));
        self.tasks.extend(said);
    }

    /// Reads the last lines of the tasks that were noted, side by side. May be
    /// dropped half-way: what was noted stays, and is read with the next call.
    pub(crate) async fn read_logs(&mut self, manager: &Manager) {
        let unread: Vec<(usize, TaskId)> = self
            .tasks
            .iter()
            .enumerate()
            .filter_map(|(index, (_, task))| Some((index, task.clone()?)))
            .collect();
        if unread.is_empty() {
            return;
        }
        let logs = unread.into_iter().map(|(index, task)| async move {
            // Without its output a failure is still worth telling.
            let lines = manager.task_logs(&task, LOG_LINES).await;
            (index, lines.unwrap_or_default())
        });
        for (index, lines) in join_all(logs).await {
            let (failure, unread) = &mut self.tasks[index];
            failure.log = lines.into_iter().map(|line| line.text).collect();
            *unread = None;
        }
    }

    /// The evidence, the first failure first; if no task failed, what the
    /// tasks still wait for.
    pub(crate) fn told(self, last: Option<&Assessment>) -> Vec<TaskFailure> {
        let mut tasks: Vec<TaskFailure> = self.tasks.into_iter().map(|(task, _)| task).collect();
        // A crash loop says one thing many times.
        for index in (1..tasks.len()).rev() {
            if tasks[index].log == tasks[index - 1].log {
                tasks[index].log.clear();
            }
        }
        if let (true, Some(last)) = (tasks.is_empty(), last) {
            tasks.extend(last.waiting.iter().map(|why| TaskFailure {
                task: "a task".to_owned(),
                node: None,
                state: TaskState::Pending.word().to_owned(),
                error: why.clone(),
                exit_code: None,
                log: Vec::new(),
            }));
        }
        tasks
    }
}

fn described(failure: &Failure) -> TaskFailure {
    TaskFailure {
        task: failure.name.clone(),
        node: failure.hostname.clone(),
        state: failure.state.word().to_owned(),
        error: failure
            .err
            .clone()
            .unwrap_or_else(|| failure.message.clone()),
        exit_code: failure.exit_code.filter(|code| *code != 0),
        log: Vec::new(),
    }
}
