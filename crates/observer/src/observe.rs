//! The halves of the world, side by side, then what both are needed for.

use std::collections::BTreeMap;

use imgstack_planner::{Inventory, Known, Trouble};
use imgstack_registry::oci::Client;
use imgstack_spec::{NodeName, Stack};
use imgstack_swarm::probe::Asker;
use imgstack_swarm::{Manager, NodeEngine};
use jiff::Timestamp;

use crate::builds::builds;
use crate::credentials;
use crate::engines::Engines;
use crate::fleet::{self, Fleet};
use crate::freshness::freshness;
use crate::images::{resolve_all, warnings};
use crate::leaders::leaders;
use crate::policies::follow;
use crate::services::{Cluster, read_cluster};
use crate::stack_files::stack_files;

/// Where a stack's world is read from.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// The manager, or why there is none.
    pub manager: Result<&'a Manager, &'a Trouble>,
    /// How the manager was found, in words for people.
    pub endpoint: &'a str,
    /// The registries.
    pub registry: &'a Client,
    /// The engines of nodes.
    pub engines: &'a Engines,
    /// How many of them are asked at once.
    pub parallelism: usize,
    /// The time now, to the second.
    pub now: Timestamp,
    /// Who looks, as services that are made for pulls name their owner.
    pub observer: &'a str,
}

/// What was seen, and the connections that it was seen by.
#[derive(Debug)]
pub struct Observation {
    /// What was seen.
    pub inventory: Inventory,
    /// The engines of the nodes that were reached, by hostname.
    pub engines: BTreeMap<NodeName, NodeEngine>,
}

/// Of which builds the facts (age, commit, platforms) are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Details {
    /// Where a service or a node does not have the wanted build: all that a
    /// plan needs.
    WhereNeeded,
    /// Every build that runs or is wanted.
    Always,
}

/// Reads what one stack needs to know.
pub async fn observe(stack: &Stack, sources: Sources<'_>, details: Details) -> Observation {
    let (images, (cluster, fleet)) =
        tokio::join!(resolve_all(stack, sources.registry), read(stack, sources),);
    let mut inventory = Inventory {
        observed_at: sources.now,
        cluster: match sources.manager {
            Ok(manager) => Known::Known(manager.cluster().id.clone()),
            Err(trouble) => Known::Unknown(trouble.clone()),
        },
        endpoint: sources.endpoint.to_owned(),
        images,
        builds: BTreeMap::new(),
        freshness: BTreeMap::new(),
        services: Known::Known(BTreeMap::new()),
        service_names: Vec::new(),
        observer: sources.observer.to_owned(),
        leftovers: BTreeMap::new(),
        wanted_elsewhere: BTreeMap::new(),
        nodes: Known::Known(fleet.nodes),
        references: BTreeMap::new(),
        credentials: BTreeMap::new(),
        warnings: Vec::new(),
        stack_files: stack_files(stack),
        leaders: BTreeMap::new(),
        // Who can read a journal fills it in.
        history: Known::Unknown(Trouble::new("it was not read")),
    };
    let (mut tasks, mut nodes) = (Vec::new(), Vec::new());
    match cluster {
        Ok(cluster) => {
            (tasks, nodes) = (cluster.tasks, cluster.nodes);
            inventory.services = Known::Known(cluster.services);
            inventory.service_names = cluster.service_names;
            inventory.leftovers = cluster.leftovers;
            inventory.references = cluster.references;
        }
        Err(trouble) => {
            inventory.services = Known::Unknown(trouble.clone());
            inventory.nodes = Known::Unknown(trouble);
        }
    }
    follow(stack, &mut inventory, sources.registry).await;
    let (builds, freshness, credentials) = tokio::join!(
        builds(stack, &inventory, sources.registry, details),
        freshness(stack, &inventory, sources.registry),
        check(stack, &inventory, sources.registry),
    );
    inventory.builds.extend(builds);
    inventory.freshness = freshness;
    inventory.credentials = credentials;
    inventory.warnings = warnings(sources.registry);
    if let (Ok(manager), Details::WhereNeeded) = (sources.manager, details) {
        let asker = Asker::new(manager, fleet.engines.values());
        inventory.leaders = leaders(stack, &inventory, &asker, &tasks, &nodes).await;
    }
    Observation {
        inventory,
        engines: fleet.engines,
    }
}

/// The cluster, and then its nodes, of which it tells.
async fn read(stack: &Stack, sources: Sources<'_>) -> (Result<Cluster, Trouble>, Fleet) {
    let cluster = match sources.manager {
        Err(trouble) => Err(trouble.clone()),
        Ok(manager) => read_cluster(stack, manager).await.map_err(|error| Trouble {
            why: error.to_string(),
            hint: error.hint(),
        }),
    };
    let fleet = match &cluster {
        Ok(cluster) => fleet::read(stack, &cluster.nodes, sources).await,
        Err(_) => Fleet::default(),
    };
    (cluster, fleet)
}

/// Without a cluster there is no service to carry a credential.
async fn check(
    stack: &Stack,
    inventory: &Inventory,
    registry: &Client,
) -> BTreeMap<imgstack_spec::RegistryHost, imgstack_planner::ObservedCredential> {
    match &inventory.cluster {
        Known::Known(id) => credentials::check(stack, &inventory.images, id, registry).await,
        Known::Unknown(_) => BTreeMap::new(),
    }
}
