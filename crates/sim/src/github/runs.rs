//! Runs of workflows: they go by the world's clock, asked about or not.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio::time::Duration;

use super::GitHub;
use super::store::{State, key};
use super::workflow::{Ending, Script};

/// One run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its ID.
    pub id: u64,
    /// `owner/name` of its repository.
    pub repository: String,
    /// Its workflow's file.
    pub file: String,
    /// `workflow_dispatch`, `push`, `schedule`
    pub event: String,
    /// The branch.
    pub branch: String,
    /// The commit.
    pub sha: String,
    /// What it was dispatched with.
    pub inputs: BTreeMap<String, String>,
    /// Who started it.
    pub actor: String,
    /// When it was started.
    pub created: Timestamp,
    pub(super) number: u64,
    pub(super) job: u64,
    pub(super) workflow: String,
    pub(super) title: String,
    pub(super) script: Script,
    /// Its end has come, and what it does in the end is done.
    pub(super) ended: bool,
    /// When somebody stopped it.
    pub(super) cancelled: Option<Timestamp>,
}

/// Why a run is started.
pub(super) struct Cause<'a> {
    pub(super) event: &'a str,
    pub(super) branch: &'a str,
    pub(super) actor: &'a str,
    pub(super) inputs: BTreeMap<String, String>,
}

impl Run {
    /// When its runner took it, or will.
    pub(super) fn starts(&self) -> Timestamp {
        later(self.created, self.script.queued)
    }

    pub(super) fn ends(&self) -> Timestamp {
        let end = later(self.starts(), self.script.lasts());
        self.cancelled.unwrap_or(end)
    }

    pub(super) fn status(&self, now: Timestamp) -> &'static str {
        match () {
            () if self.ended => "completed",
            () if now < self.starts() => "queued",
            () => "in_progress",
        }
    }

    pub(super) fn conclusion(&self) -> Option<&'static str> {
        self.ended.then(|| match self.cancelled {
            Some(_) => "cancelled",
            None => self.script.ends().conclusion(),
        })
    }
}

pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

impl GitHub {
    /// Starts a run as a push or a schedule does; its ID. None: there is no
    /// such workflow or branch. To be called inside a tokio runtime.
    pub fn start(
        &self,
        repository: (&str, &str),
        file: &str,
        event: &str,
        branch: &str,
    ) -> Option<u64> {
        let cause = Cause {
            event,
            branch,
            actor: repository.0,
            inputs: BTreeMap::new(),
        };
        let key = key(repository.0, repository.1);
        let mut state = self.state();
        self.begin(&mut state, &key, file, cause)
    }

    /// Stops a run that has not ended, as somebody does at GitHub.
    pub fn cancel(&self, id: u64) {
        let now = self.now();
        if let Some(run) = self.state().runs.get_mut(&id).filter(|run| !run.ended) {
            run.cancelled = Some(now);
            run.ended = true;
        }
    }

    /// The runs of all workflows, by ID, the oldest first.
    #[must_use]
    pub fn runs(&self) -> Vec<Run> {
        self.state().runs.values().cloned().collect()
    }

    pub(super) fn begin(
        &self,
        state: &mut State,
        repository: &str,
        file: &str,
        cause: Cause<'_>,
    ) -> Option<u64> {
        let (id, job) = (state.next_id(), state.next_id());
        let known = state.repositories.get(repository)?;
        let workflow = known.workflows.get(file)?;
        let same = |run: &&Run| run.repository == repository && run.file == file;
        let before = state.runs.values().filter(same).count() as u64;
        let run = Run {
            id,
            repository: repository.to_owned(),
            file: file.to_owned(),
            event: cause.event.to_owned(),
            branch: cause.branch.to_owned(),
            sha: known.branches.get(cause.branch)?.clone(),
            title: workflow.title(&cause.inputs),
            inputs: cause.inputs,
            actor: cause.actor.to_owned(),
            created: self.now(),
            number: before + 1,
            job,
            workflow: workflow.name.clone(),
            script: workflow.script.clone(),
            ended: false,
            cancelled: None,
        };
        self.follow(&run);
        state.runs.insert(id, run);
        Some(id)
    }

    /// Ends the run when its time has come.
    fn follow(&self, run: &Run) {
        let (github, run, server) = (self.clone(), run.clone(), &self.0.server);
        let (clock, stop) = (server.clock, server.stop.clone());
        server.tasks.spawn(async move {
            let end = clock.until(run.ends());
            if stop.run_until_cancelled(end).await.is_none() {
                return;
            }
            let runs = |run: &Run| !run.ended && run.script.ends() == Ending::Succeeds;
            let succeeds = github.state().runs.get(&run.id).is_some_and(runs);
            // Not under the lock: it may well ask this GitHub something.
            if let Some(then) = run.script.then.as_ref().filter(|_| succeeds) {
                then(&run);
            }
            if let Some(run) = github.state().runs.get_mut(&run.id) {
                run.ended = true;
            }
        });
    }
}
