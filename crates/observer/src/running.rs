//! What runs of one image, for who wants to know nothing else: three requests
//! to a manager, and none to a registry.
//!
//! Services that no stack names are looked at, too: a build that one of them
//! runs is in use.

use std::collections::BTreeSet;

use imgstack_planner::{ObservedTask, Trouble};
use imgstack_spec::{Image, ImageRef, ServiceName, Stack};
use imgstack_swarm::{Error, Manager, RawService, prepull};

use crate::fleet;
use crate::services::{observed_task, read_tasks};

/// A task that is meant to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningTask {
    /// Its service, by the name that it has in the Swarm.
    pub service: String,
    /// The task.
    pub task: ObservedTask,
}

/// The tasks of all services that the stack has run the image, and of all
/// others that run a build of its repository.
///
/// # Errors
/// Why the Swarm cannot tell.
pub async fn running(
    stack: &Stack,
    image: &Image,
    manager: Result<&Manager, &Trouble>,
) -> Result<Vec<RunningTask>, Trouble> {
    let manager = manager.map_err(Clone::clone)?;
    read(stack, image, manager).await.map_err(|error| Trouble {
        why: error.to_string(),
        hint: error.hint(),
    })
}

async fn read(stack: &Stack, image: &Image, manager: &Manager) -> Result<Vec<RunningTask>, Error> {
    let (all, nodes) = tokio::try_join!(manager.services(), manager.nodes())?;
    let named = stack.services.iter().filter(|it| it.image == image.name);
    let named: BTreeSet<&ServiceName> = named.map(|service| &service.name).collect();
    let is_of_image = |service: &&RawService| {
        let is_named = named.iter().any(|name| name.as_str() == service.name());
        // What was made for pulls never runs.
        let is_for_pulls = service.label(prepull::LABEL).is_some();
        is_named || (is_build_of(image, service.image()) && !is_for_pulls)
    };
    let services: Vec<&RawService> = all.iter().filter(is_of_image).collect();
    let tasks = read_tasks(manager, &services).await?;
    let names = fleet::names(&nodes);
    let mut running = Vec::new();
    for service in services {
        let id = service.id();
        let tasks = tasks
            .iter()
            .filter(|task| task.service_id == id && task.is_wanted());
        running.extend(tasks.map(|task| RunningTask {
            service: service.name().to_owned(),
            task: observed_task(task, service, &nodes, &names),
        }));
    }
    running.sort_by(|a, b| {
        let key = |it: &RunningTask| (it.service.clone(), it.task.node.clone(), it.task.id.clone());
        key(a).cmp(&key(b))
    });
    Ok(running)
}

fn is_build_of(image: &Image, reference: &str) -> bool {
    let reference: Option<ImageRef> = reference.parse().ok();
    reference.is_some_and(|it| it.repository == image.repository)
}
