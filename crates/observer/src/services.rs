//! Services, their tasks and the nodes, from a manager.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use imgstack_planner::{
    Leftover, ObservedService, ObservedTask, References, Seen, ServiceMode, UpdateSettings,
    UpdateState, UpdateStatus,
};
use imgstack_spec::{NodeName, ServiceName, Stack};
use imgstack_swarm::placement::Placement;
use imgstack_swarm::prepull;
use imgstack_swarm::rollout::assess;
use imgstack_swarm::{
    Error, Manager, Node, NodeId, RawService, Task, TaskState, open_fields, spec_digest,
};

use crate::fleet;

/// The prefix of the labels that imgstack sets on services.
const LABELS: &str = "dev.imgstack.";
/// The label that names the stack a service belongs to.
const STACK_LABEL: &str = "dev.imgstack.stack";
/// With more services than this, all tasks are read at once: the filter would
/// make the address too long for some proxies.
const FILTERED: usize = 50;

/// What a manager knows.
pub(crate) struct Cluster {
    pub(crate) services: BTreeMap<ServiceName, ObservedService>,
    pub(crate) service_names: Vec<String>,
    pub(crate) nodes: Vec<Node>,
    /// Of the services that the stack names.
    pub(crate) tasks: Vec<Task>,
    pub(crate) references: BTreeMap<String, References>,
    pub(crate) leftovers: BTreeMap<ServiceName, Leftover>,
}

/// Reads services and nodes side by side, then the tasks of the services that
/// matter: three requests.
pub(crate) async fn read_cluster(stack: &Stack, manager: &Manager) -> Result<Cluster, Error> {
    let (all, nodes) = tokio::try_join!(manager.services(), manager.nodes())?;
    let mut service_names: Vec<String> = all.iter().map(|s| s.name().to_owned()).collect();
    service_names.sort();
    let ours: Vec<&RawService> = all
        .iter()
        .filter(|service| concerns(stack, service))
        .collect();
    let leftovers: Vec<&RawService> = all
        .iter()
        .filter(|service| is_leftover(stack, service))
        .collect();
    let watched = [&ours[..], &leftovers].concat();
    let tasks = read_tasks(manager, &watched).await?;
    let names = fleet::names(&nodes);
    let mut tasks_of: BTreeMap<_, Vec<&Task>> = BTreeMap::new();
    for task in &tasks {
        tasks_of.entry(&task.service_id).or_default().push(task);
    }
    let services = ours.into_iter().filter_map(|service| {
        let id = service.id();
        let tasks = tasks_of.get(&id).map_or(&[][..], Vec::as_slice);
        // A name outside the grammar cannot be in a spec.
        Some((
            service.name().parse().ok()?,
            observed(service, tasks, &nodes, &names),
        ))
    });
    Ok(Cluster {
        services: services.collect(),
        service_names,
        references: all.iter().map(references).collect(),
        leftovers: leftovers
            .into_iter()
            .filter_map(|service| leftover(service, &tasks))
            .collect(),
        nodes,
        tasks,
    })
}

fn references(service: &RawService) -> (String, References) {
    let previous = service.previous_spec().and_then(|spec| {
        let image = spec.pointer("/TaskTemplate/ContainerSpec/Image")?;
        image.as_str().map(str::to_owned)
    });
    let image = service.image().to_owned();
    (service.name().to_owned(), References { image, previous })
}

fn is_leftover(stack: &Stack, service: &RawService) -> bool {
    service.label(prepull::LABEL) == Some(stack.name.as_str())
}

fn leftover(service: &RawService, tasks: &[Task]) -> Option<(ServiceName, Leftover)> {
    let id = service.id();
    let label = |key| service.label(key).unwrap_or("somebody").to_owned();
    let mut tasks = tasks.iter().filter(|task| task.service_id == id);
    let left = Leftover {
        owner: label(prepull::OWNER),
        created: label(prepull::CREATED),
        busy: tasks.any(|task| task.is_wanted() && task.is_alive()),
        service_id: id.as_str().to_owned(),
    };
    Some((service.name().parse().ok()?, left))
}

/// In the spec, or carrying the stack's label.
fn concerns(stack: &Stack, service: &RawService) -> bool {
    service.label(STACK_LABEL) == Some(stack.name.as_str())
        || stack
            .services
            .iter()
            .any(|wanted| wanted.name.as_str() == service.name())
}

pub(crate) async fn read_tasks(
    manager: &Manager,
    services: &[&RawService],
) -> Result<Vec<Task>, Error> {
    if services.len() > FILTERED {
        return manager.all_tasks().await;
    }
    let ids: Vec<_> = services.iter().map(|service| service.id()).collect();
    manager.tasks(&ids).await
}

fn observed(
    service: &RawService,
    tasks: &[&Task],
    nodes: &[Node],
    names: &BTreeMap<&NodeId, NodeName>,
) -> ObservedService {
    let assessment = assess(service, tasks.iter().copied(), nodes, service.image());
    let config = service.update_config();
    let labels = service.labels().into_iter();
    let wanted = tasks.iter().filter(|task| task.is_wanted());
    let mut wanted: Vec<ObservedTask> = wanted
        .map(|task| observed_task(task, service, nodes, names))
        .collect();
    wanted.sort_by(|a, b| (&a.node, &a.id).cmp(&(&b.node, &b.id)));
    ObservedService {
        seen: Seen {
            service_id: service.id().as_str().to_owned(),
            version: service.version(),
            spec_digest: spec_digest(service.spec()),
            fields: open_fields(service.spec()),
        },
        image: service.image().to_owned(),
        platforms: service.platforms(),
        labels: labels.filter(|(key, _)| key.starts_with(LABELS)).collect(),
        mode: mode(service),
        update: UpdateSettings {
            parallelism: config.parallelism,
            order: config.order,
            monitor_ms: millis(config.monitor),
            on_failure: config.failure_action,
        },
        update_status: service.update_status().map(|status| UpdateStatus {
            state: state(status.state),
            message: status.message,
        }),
        tasks: wanted,
        desired: assessment.desired,
        failure: assessment
            .failures
            .into_iter()
            .next_back()
            .map(|last| last.err.unwrap_or(last.message)),
        allowed_nodes: allowed(service, nodes, names),
    }
}

/// The nodes that the constraints of a service allow. Its platforms are left
/// out: they follow the image, and the image that counts is the wanted one.
fn allowed(
    service: &RawService,
    nodes: &[Node],
    names: &BTreeMap<&NodeId, NodeName>,
) -> BTreeSet<NodeName> {
    // The Swarm takes no service with a constraint that is none.
    let placement = Placement::of(service).unwrap_or_default();
    let constraints = placement.constraints;
    let allowed = nodes
        .iter()
        .filter(|node| constraints.iter().all(|constraint| constraint.holds(node)));
    allowed
        .filter_map(|node| names.get(&node.id).cloned())
        .collect()
}

pub(crate) fn observed_task(
    task: &Task,
    service: &RawService,
    nodes: &[Node],
    names: &BTreeMap<&NodeId, NodeName>,
) -> ObservedTask {
    // A node that is gone for good has no other name left.
    let name = |id: &NodeId| names.get(id).cloned().or_else(|| id.short().parse().ok());
    // What a node that is gone last said about its tasks says nothing about now.
    let node = nodes
        .iter()
        .find(|node| Some(&node.id) == task.node_id.as_ref());
    let heard = node.is_some_and(Node::is_live);
    ObservedTask {
        id: task.id.as_str().to_owned(),
        node: task.node_id.as_ref().and_then(name),
        image: task.image.clone(),
        state: task.state.word().to_owned(),
        running: heard && task.state == TaskState::Running,
        error: task.err.clone(),
        as_asked: task.image == service.image() && service.places_like(task),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn mode(service: &RawService) -> ServiceMode {
    match service.mode() {
        imgstack_swarm::ServiceMode::Replicated(replicas) => ServiceMode::Replicated(replicas),
        imgstack_swarm::ServiceMode::Global => ServiceMode::Global,
        imgstack_swarm::ServiceMode::ReplicatedJob | imgstack_swarm::ServiceMode::GlobalJob => {
            ServiceMode::Job
        }
    }
}

fn state(state: imgstack_swarm::UpdateState) -> UpdateState {
    use imgstack_swarm::UpdateState as Engine;
    match state {
        Engine::Updating => UpdateState::Updating,
        Engine::Paused => UpdateState::Paused,
        Engine::Completed => UpdateState::Completed,
        Engine::RollbackStarted => UpdateState::RollbackStarted,
        Engine::RollbackPaused => UpdateState::RollbackPaused,
        Engine::RollbackCompleted => UpdateState::RollbackCompleted,
        Engine::Unknown => UpdateState::Unknown,
    }
}
