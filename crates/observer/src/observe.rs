//! The two halves of the world, side by side, then what both are needed for.

use imgstack_planner::{Inventory, Known, Trouble};
use imgstack_registry::oci::Client;
use imgstack_spec::Stack;
use imgstack_swarm::Manager;

use crate::images::{builds, resolve_all, warnings};
use crate::services::{Cluster, read_cluster};

/// Where a stack's world is read from.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// The manager, or why there is none.
    pub manager: Result<&'a Manager, &'a Trouble>,
    /// How the manager was found, in words for people.
    pub endpoint: &'a str,
    /// The registries.
    pub registry: &'a Client,
}

/// Of which builds the facts (age, commit, platforms) are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Details {
    /// Where a service does not run the wanted build: all that a plan needs.
    WhereNeeded,
    /// Every build that runs or is wanted.
    Always,
}

/// Reads what one stack needs to know.
pub async fn observe(stack: &Stack, sources: Sources<'_>, details: Details) -> Inventory {
    let (images, cluster) = tokio::join!(
        resolve_all(stack, sources.registry),
        read(stack, sources.manager),
    );
    let builds = builds(stack, &images, &cluster.services, sources.registry, details).await;
    Inventory {
        cluster: match sources.manager {
            Ok(manager) => Known::Known(manager.cluster().id.clone()),
            Err(trouble) => Known::Unknown(trouble.clone()),
        },
        endpoint: sources.endpoint.to_owned(),
        images,
        builds,
        services: cluster.services,
        service_names: cluster.service_names,
        nodes: cluster.nodes,
        warnings: warnings(sources.registry),
    }
}

async fn read(stack: &Stack, manager: Result<&Manager, &Trouble>) -> Cluster {
    let unknown = |trouble: Trouble| Cluster {
        services: Known::Unknown(trouble.clone()),
        service_names: Vec::new(),
        nodes: Known::Unknown(trouble),
    };
    match manager {
        Err(trouble) => unknown(trouble.clone()),
        Ok(manager) => read_cluster(stack, manager).await.unwrap_or_else(|error| {
            unknown(Trouble {
                why: error.to_string(),
                hint: error.hint(),
            })
        }),
    }
}
