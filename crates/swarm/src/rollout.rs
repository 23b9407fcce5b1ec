//! How far a service has got with an image: facts, no verdict.
//!
//! Pure, so that the executor, which waits for a rollout, and the observer,
//! which only looks, see the same things.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    Availability, Node, NodeId, NodeState, RawService, ServiceMode, Task, TaskId, TaskState,
    UpdateStatus,
};

/// What the tasks of a service say about an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assessment {
    /// How many tasks the service wants now.
    pub desired: u64,
    /// Wanted tasks that run the image, by state. History is not counted.
    pub current: BTreeMap<TaskState, u64>,
    /// Tasks of `current` that are running, on nodes that the managers hear.
    pub running: Vec<TaskId>,
    /// Tasks with anything else than the image that may still be alive on a
    /// node that the managers hear, whether Swarm wants them or stops them.
    pub outdated: Vec<TaskId>,
    /// Tasks with the image that ended badly, history included, oldest first.
    /// They may be older than the update at hand: compare the identifiers.
    pub failures: Vec<Failure>,
    /// Why tasks of `current` find no node, such as
    /// `no suitable node (insufficient resources on 3 nodes)`.
    pub waiting: BTreeSet<String>,
    /// What Swarm's updater says.
    pub update: Option<UpdateStatus>,
}

/// A task that ended badly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The task.
    pub task: TaskId,
    /// The task's name in docker's tables.
    pub name: String,
    /// Where it was.
    pub node: Option<NodeId>,
    /// What the node calls itself.
    pub hostname: Option<String>,
    /// Failed, rejected, or complete although it should have gone on.
    pub state: TaskState,
    /// In the node's words.
    pub err: Option<String>,
    /// In Swarm's words.
    pub message: String,
    /// What its process ended with.
    pub exit_code: Option<i64>,
    /// When, by the clock of its node.
    pub at: Option<Timestamp>,
}

impl Assessment {
    /// Whether every wanted task runs the image and nothing else is left. It
    /// may only just be so: how long it has been is for the caller to measure.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        self.running.len() as u64 >= self.desired
            && self.outdated.is_empty()
            && self
                .current
                .keys()
                .all(|state| *state == TaskState::Running)
    }
}

/// Looks at one service. `tasks` may hold those of others. A task is taken for
/// current when it was made with `image`, character by character, and the
/// service's present `ForceUpdate`.
#[must_use]
pub fn assess<'a>(
    service: &RawService,
    tasks: impl IntoIterator<Item = &'a Task>,
    nodes: &[Node],
    image: &str,
) -> Assessment {
    let id = service.id();
    let own = tasks.into_iter().filter(|task| task.service_id == id);
    let force_update = service.force_update();
    let (current, mut others): (Vec<&Task>, Vec<&Task>) =
        own.partition(|task| task.image == image && task.force_update == force_update);
    if service.mode() == ServiceMode::Global {
        // The updater does not touch them, so they are not waited for.
        others.retain(|task| node_of(task, nodes).is_none_or(takes_tasks));
    }

    let mut assessment = Assessment {
        desired: desired(service, &current, &others, nodes),
        update: service.update_status(),
        ..Assessment::default()
    };
    for task in current.iter().filter(|task| task.is_wanted()) {
        *assessment.current.entry(task.state).or_default() += 1;
        if task.state == TaskState::Running && is_on_live_node(task, nodes) {
            assessment.running.push(task.id.clone());
        }
        if task.state <= TaskState::Pending {
            assessment.waiting.extend(task.err.clone());
        }
    }
    // In one order, so that two looks can be compared.
    assessment.running.sort();
    let outdated = others
        .into_iter()
        .filter(|task| task.is_wanted() || (task.is_alive() && is_on_live_node(task, nodes)));
    assessment.outdated = outdated.map(|task| task.id.clone()).collect();
    assessment.failures = failures(service, &current, nodes);
    assessment
}

/// A global service wants one task on each node that fits, and Swarm keeps one
/// wanted task there, so these are counted rather than the rules repeated. A
/// task that ended and is not restarted is missed all the same.
fn desired(service: &RawService, current: &[&Task], others: &[&Task], nodes: &[Node]) -> u64 {
    match service.mode() {
        ServiceMode::Replicated(replicas) => replicas,
        ServiceMode::Global => {
            let wanted = current.iter().chain(others).filter(|task| task.is_wanted());
            let ended = current.iter().filter(|task| {
                use TaskState::{Complete, Failed, Rejected};
                let ended = matches!(task.state, Complete | Failed | Rejected);
                ended && node_of(task, nodes).is_some_and(takes_tasks)
            });
            let nodes: BTreeSet<_> = wanted
                .chain(ended)
                .filter_map(|task| task.node_id.as_ref())
                .collect();
            nodes.len() as u64
        }
        ServiceMode::ReplicatedJob | ServiceMode::GlobalJob => 0,
    }
}

fn takes_tasks(node: &Node) -> bool {
    node.state == NodeState::Ready && node.availability == Availability::Active
}

fn failures(service: &RawService, current: &[&Task], nodes: &[Node]) -> Vec<Failure> {
    let is_job = matches!(
        service.mode(),
        ServiceMode::ReplicatedJob | ServiceMode::GlobalJob
    );
    let mut failed: Vec<&Task> = current
        .iter()
        .copied()
        .filter(|task| match task.state {
            TaskState::Failed | TaskState::Rejected => true,
            TaskState::Complete => !is_job,
            _ => false,
        })
        .collect();
    failed.sort_by(|a, b| (a.timestamp, &a.id).cmp(&(b.timestamp, &b.id)));
    let failure = |task: &Task| Failure {
        task: task.id.clone(),
        name: task.name(service.name()),
        node: task.node_id.clone(),
        hostname: node_of(task, nodes).map(|node| node.hostname.clone()),
        state: task.state,
        err: task.err.clone(),
        message: task.message.clone(),
        exit_code: task.exit_code,
        at: task.timestamp,
    };
    failed.into_iter().map(failure).collect()
}

fn node_of<'a>(task: &Task, nodes: &'a [Node]) -> Option<&'a Node> {
    let id = task.node_id.as_ref()?;
    nodes.iter().find(|node| &node.id == id)
}

/// What a node that is gone last said about its tasks says nothing about now.
fn is_on_live_node(task: &Task, nodes: &[Node]) -> bool {
    node_of(task, nodes).is_some_and(|node| node.state == NodeState::Ready)
}

#[cfg(test)]
mod tests;
