//! Workflows, and what their runs do: a script, since nothing is built here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::runs::Run;

/// A workflow's file, as far as it matters here.
#[derive(Clone, Debug)]
pub struct Workflow {
    /// What people call it.
    pub name: String,
    /// Whether it has the trigger `workflow_dispatch`.
    pub dispatch: bool,
    /// Its inputs, and whether each must be given.
    pub inputs: BTreeMap<String, bool>,
    /// `run-name`, in which `${{ inputs.NAME }}` stands for an input.
    pub run_name: Option<String>,
    /// What its runs do.
    pub script: Script,
}

impl Workflow {
    /// One that can be dispatched, without inputs.
    #[must_use]
    pub fn new(name: &str, script: Script) -> Self {
        Self {
            name: name.to_owned(),
            dispatch: true,
            inputs: BTreeMap::new(),
            run_name: None,
            script,
        }
    }

    /// The title of a run with these inputs.
    pub(super) fn title(&self, inputs: &BTreeMap<String, String>) -> String {
        let mut title = self.run_name.clone().unwrap_or_else(|| self.name.clone());
        for (name, value) in inputs {
            title = title.replace(&format!("${{{{ inputs.{name} }}}}"), value);
        }
        title
    }

    /// What is wrong with the inputs, in GitHub's words.
    pub(super) fn complaint(&self, inputs: &BTreeMap<String, String>) -> Option<String> {
        let known: BTreeSet<&String> = self.inputs.keys().collect();
        let strange: Vec<_> = inputs.keys().filter(|name| !known.contains(name)).collect();
        if !strange.is_empty() {
            return Some(format!("Unexpected inputs provided: {strange:?}"));
        }
        let mut missing = self.inputs.iter();
        let missing = missing.find(|(name, needed)| **needed && !inputs.contains_key(*name));
        missing.map(|(name, _)| format!("Required input '{name}' not provided"))
    }
}

/// What happens in a run: one job, step by step.
#[derive(Clone, Default)]
pub struct Script {
    /// The job's name.
    pub job: String,
    /// How long the run waits for a runner.
    pub queued: Duration,
    /// In order. After one that fails the rest is skipped.
    pub steps: Vec<Step>,
    /// Done when all steps have succeeded, before the run says so.
    pub then: Option<Effect>,
}

/// What a run does to the world.
type Effect = Arc<dyn Fn(&Run) + Send + Sync>;

/// One step of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// The name.
    pub name: String,
    /// How long it takes.
    pub takes: Duration,
    /// What it writes.
    pub log: Vec<String>,
    /// How it ends.
    pub ends: Ending,
}

/// How a step ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// Well.
    #[default]
    Succeeds,
    /// Not well, and so does its job.
    Fails,
    /// With the time that the job may take.
    TimesOut,
}

impl Ending {
    /// As GitHub writes it.
    pub(super) fn conclusion(self) -> &'static str {
        match self {
            Self::Succeeds => "success",
            Self::Fails => "failure",
            Self::TimesOut => "timed_out",
        }
    }
}

impl Script {
    /// A job that waits five seconds for its runner.
    #[must_use]
    pub fn new(job: &str, steps: Vec<Step>) -> Self {
        Self {
            job: job.to_owned(),
            queued: Duration::from_secs(5),
            steps,
            then: None,
        }
    }

    /// With something that is done in the end, such as to push a build.
    #[must_use]
    pub fn then(mut self, effect: impl Fn(&Run) + Send + Sync + 'static) -> Self {
        self.then = Some(Arc::new(effect));
        self
    }

    /// The steps that are run at all.
    pub(super) fn reached(&self) -> usize {
        let failing = self
            .steps
            .iter()
            .position(|step| step.ends != Ending::Succeeds);
        failing.map_or(self.steps.len(), |at| at + 1)
    }

    pub(super) fn ends(&self) -> Ending {
        let mut ends = self.steps.iter().map(|step| step.ends);
        ends.find(|ends| *ends != Ending::Succeeds)
            .unwrap_or_default()
    }

    /// From the runner's start to the end of the last step that is run.
    pub(super) fn lasts(&self) -> Duration {
        let run = self.steps.iter().take(self.reached());
        run.map(|step| step.takes).sum()
    }
}

impl Step {
    /// A step that succeeds.
    #[must_use]
    pub fn new(name: &str, seconds: u64) -> Self {
        Self {
            name: name.to_owned(),
            takes: Duration::from_secs(seconds),
            ..Self::default()
        }
    }

    /// A step that fails, having written that.
    #[must_use]
    pub fn failing(name: &str, seconds: u64, log: &[&str]) -> Self {
        Self {
            log: log.iter().map(|&line| line.to_owned()).collect(),
            ends: Ending::Fails,
            ..Self::new(name, seconds)
        }
    }

    /// A step that goes on for so long that GitHub ends the job.
    #[must_use]
    pub fn endless(name: &str, seconds: u64) -> Self {
        Self {
            ends: Ending::TimesOut,
            ..Self::new(name, seconds)
        }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Script");
        debug.field("job", &self.job).field("steps", &self.steps);
        debug.finish_non_exhaustive()
    }
}
