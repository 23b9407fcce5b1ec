//! What a service runs, task by task, against what it should.

use std::collections::BTreeSet;
use std::ptr;

use imgstack_spec::{Address, ImageRef, NodeName, ServiceName};

use crate::inventory::{Availability, ObservedService, ObservedTask, ServiceMode};
use crate::report::{Code, Finding, Severity};
use crate::service::finding;
use crate::{Inventory, Known, Restarts};

/// What the service's spec and its tasks run, against what they should.
pub(crate) struct Running<'a> {
    /// The spec's image, unless it is something else than a reference.
    pub(crate) spec: Option<ImageRef>,
    /// The spec names the wanted build, under whatever tag.
    pub(crate) spec_is_wanted: bool,
    /// The tasks that an update reaches.
    pub(crate) tasks: Vec<&'a ObservedTask>,
    /// How many of them do not run the wanted build.
    pub(crate) other_tasks: usize,
    /// Tasks with another build that no update reaches.
    unreached: Vec<&'a ObservedTask>,
}

impl<'a> Running<'a> {
    pub(crate) fn of(
        observed: &'a ObservedService,
        wanted: &ImageRef,
        inventory: &Inventory,
    ) -> Self {
        let spec: Option<ImageRef> = observed.image.parse().ok();
        let is_other = |task: &&ObservedTask| {
            let image = task.image.parse();
            !image.is_ok_and(|image| same_build(&image, wanted))
        };
        let (tasks, unreached): (Vec<_>, Vec<_>) = observed
            .tasks
            .iter()
            .partition(|task| is_reached(observed, task, inventory));
        Self {
            spec_is_wanted: spec.as_ref().is_some_and(|spec| same_build(spec, wanted)),
            spec,
            other_tasks: tasks.iter().copied().filter(is_other).count(),
            tasks,
            unreached: unreached.into_iter().filter(is_other).collect(),
        }
    }

    pub(crate) fn is_wanted_everywhere(&self) -> bool {
        self.spec_is_wanted && self.other_tasks == 0
    }

    /// The engine restarts every task whose image string differs from the spec's.
    pub(crate) fn restarts(&self, to: &str) -> Restarts {
        let dirty = self.tasks.iter().filter(|task| task.image != to);
        let nodes: BTreeSet<&NodeName> = dirty
            .clone()
            .filter_map(|task| task.node.as_ref())
            .collect();
        Restarts {
            tasks: dirty.count() as u64,
            nodes: nodes.into_iter().cloned().collect(),
        }
    }

    /// Nothing is left to be sent to such a service, and it is not what the
    /// spec asks for either.
    pub(crate) fn not_running(
        &self,
        name: &ServiceName,
        observed: &ObservedService,
    ) -> Option<Finding> {
        let desired = observed.desired;
        // Another build on a node that no update reaches is not among the desired.
        let counts = |task: &&ObservedTask| {
            task.running && !self.unreached.iter().any(|it| ptr::eq(*it, *task))
        };
        let running = observed.tasks.iter().filter(counts).count() as u64;
        if running >= desired {
            return None;
        }
        let waiting = observed.tasks.iter().filter(|task| !task.running);
        let why = waiting
            .clone()
            .find_map(|task| task.error.as_ref())
            .or(observed.failure.as_ref())
            .cloned()
            .or_else(|| waiting.clone().next().map(state_word))
            .map(|why| format!(": {why}"));
        Some(Finding {
            hint: Some(format!(
                "see why: docker service ps --no-trunc {name}; where the build is at fault, hold the last good one: imgstack rollback {name}"
            )),
            ..finding(
                Severity::Blocked,
                Code::NotRunning,
                &Address::Service(name.clone()),
                format!(
                    "asks for the wanted build, and {running} of {desired} tasks run{}",
                    why.unwrap_or_default()
                ),
            )
        })
    }

    /// Tasks that keep another build, whatever is sent.
    pub(crate) fn paused(&self, address: &Address) -> Option<Finding> {
        let nodes: BTreeSet<&str> = self
            .unreached
            .iter()
            .filter_map(|task| Some(task.node.as_ref()?.as_str()))
            .collect();
        let first = nodes.first()?;
        let names: Vec<&str> = nodes.iter().copied().collect();
        Some(Finding {
            hint: Some(format!(
                "when it may take tasks again: docker node update --availability active {first}, then: imgstack apply"
            )),
            ..finding(
                Severity::Attention,
                Code::NodePaused,
                address,
                format!(
                    "keeps another build on {}, whose availability is not `active`: no update reaches it there",
                    names.join(", ")
                ),
            )
        })
    }
}

/// A task that runs by its last word, and is not counted as running, is on a
/// node that has fallen silent.
fn state_word(task: &ObservedTask) -> String {
    match (task.state.as_str(), &task.node) {
        ("running", Some(node)) => format!("{node} does not answer the managers"),
        (state, _) => state.to_owned(),
    }
}

/// The engine leaves the tasks of a global service alone on a node that takes
/// no tasks; those of other services are replaced on another node.
fn is_reached(observed: &ObservedService, task: &ObservedTask, inventory: &Inventory) -> bool {
    let (ServiceMode::Global, Known::Known(nodes), Some(node)) =
        (observed.mode, &inventory.nodes, &task.node)
    else {
        return true;
    };
    nodes
        .get(node)
        .is_none_or(|node| node.availability == Availability::Active)
}

/// Whether both name the same content: a tag beside a digest is only a name.
fn same_build(a: &ImageRef, b: &ImageRef) -> bool {
    a.repository == b.repository && a.digest.is_some() && a.digest == b.digest
}
