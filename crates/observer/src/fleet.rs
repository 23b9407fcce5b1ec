//! The nodes: what the manager says of them, and what their own engines say
//! where the spec names a way to them.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt as _};
use imgstack_planner::{
    Availability, Disk, Known, LoginState, ObservedEngine, ObservedNode, StoredBuild, Trouble,
};
use imgstack_registry::credentials::{Credential, Identity};
use imgstack_registry::oci::Client;
use imgstack_spec::{
    ByteSize, Endpoint, NodeName, NodeRole, NodeSettings, RegistryHost, Repository, Stack,
};
use imgstack_swarm::engine::{self, Login, StoredImage};
use imgstack_swarm::{Node, NodeEngine, NodeId};

use crate::engines::Engines;
use crate::observe::Sources;

/// The nodes, and the connections to those that were reached.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    pub(crate) nodes: BTreeMap<NodeName, ObservedNode>,
    pub(crate) engines: BTreeMap<NodeName, NodeEngine>,
}

/// What is asked of every engine.
struct Questions<'a> {
    repositories: Vec<Repository>,
    logins: BTreeMap<RegistryHost, Option<Login>>,
    engines: &'a Engines,
}

/// Looks at every node, side by side.
pub(crate) async fn read(stack: &Stack, nodes: &[Node], sources: Sources<'_>) -> Fleet {
    let wants_logins = stack.nodes.iter().any(|rule| rule.login == Some(true));
    let repositories = stack.images.iter().map(|image| image.repository.clone());
    let questions = Questions {
        repositories: repositories.collect(),
        logins: match wants_logins {
            true => logins(stack, sources.registry).await,
            false => BTreeMap::new(),
        },
        engines: sources.engines,
    };
    let names = names(nodes);
    let named = nodes
        .iter()
        .filter_map(|node| Some((node, names.get(&node.id)?.clone())));
    let looks = stream::iter(named).map(|(node, name)| {
        let questions = &questions;
        async move {
            let (observed, engine) = one(stack, node, questions).await;
            (name, observed, engine)
        }
    });
    let mut fleet = Fleet::default();
    let seen: Vec<_> = looks
        .buffer_unordered(sources.parallelism.max(1))
        .collect()
        .await;
    for (name, observed, engine) in seen {
        if let Some(engine) = engine {
            fleet.engines.insert(name.clone(), engine);
        }
        fleet.nodes.insert(name, observed);
    }
    fleet
}

/// A name for each node that tells it from the others: hostnames need not be
/// unique in a Swarm, nor names at all.
pub(crate) fn names(nodes: &[Node]) -> BTreeMap<&NodeId, NodeName> {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for node in nodes {
        *count.entry(&node.hostname).or_default() += 1;
    }
    let named = nodes.iter().filter_map(|node| {
        let own = node.hostname.parse().ok();
        let own = own.filter(|_| count.get(&*node.hostname) == Some(&1));
        let with_id = || {
            format!("{}.{}", node.hostname, node.id.short())
                .parse()
                .ok()
        };
        // An ID is letters and digits, which is a name.
        let name = own
            .or_else(with_id)
            .or_else(|| node.id.as_str().parse().ok())?;
        Some((&node.id, name))
    });
    named.collect()
}

/// What nodes are to be logged in with; None where there is no credential.
async fn logins(stack: &Stack, registry: &Client) -> BTreeMap<RegistryHost, Option<Login>> {
    let mut logins = BTreeMap::new();
    for image in &stack.images {
        let host = image.repository.host();
        // A source that gives none makes the images unknown, and is told there.
        let Ok(found) = registry.credential(host).await else {
            continue;
        };
        let login = found.as_deref().and_then(login);
        if login.is_some() || stack.registry(host).is_some() {
            logins.insert(host.clone(), login);
        }
    }
    logins
}

/// A credential as `docker login` takes it; None for a token without account.
#[must_use]
pub fn login(credential: &Credential) -> Option<Login> {
    match credential.identity() {
        Identity::Password { username, password } => Some(Login {
            username: username.clone(),
            secret: password.clone(),
        }),
        Identity::IdentityToken(_) => None,
    }
}

async fn one(
    stack: &Stack,
    node: &Node,
    questions: &Questions<'_>,
) -> (ObservedNode, Option<NodeEngine>) {
    let role = match node.role {
        imgstack_swarm::NodeRole::Manager => NodeRole::Manager,
        imgstack_swarm::NodeRole::Worker => NodeRole::Worker,
    };
    let settings = stack.node_rule(&node.hostname, role, &node.labels);
    let settings = settings.unwrap_or_default();
    let minimum_free_disk: Option<ByteSize> = settings.minimum_free_disk;
    let (engine, connection) = match (node.is_live(), &settings.engine) {
        // Nothing is asked of a node that is down: it is not waited for.
        (false, _) | (_, None) => (None, None),
        (true, Some(_)) => match look(node, &settings, questions).await {
            Ok((seen, connection)) => (Some(Known::Known(seen)), Some(connection)),
            Err(trouble) => (Some(Known::Unknown(trouble)), None),
        },
    };
    let observed = ObservedNode {
        id: node.id.as_str().to_owned(),
        platform: node.platform.clone(),
        ready: node.is_live(),
        availability: match node.availability {
            imgstack_swarm::Availability::Active => Availability::Active,
            imgstack_swarm::Availability::Pause => Availability::Pause,
            imgstack_swarm::Availability::Drain => Availability::Drain,
        },
        engine,
        minimum_free_disk,
    };
    (observed, connection)
}

async fn look(
    node: &Node,
    settings: &NodeSettings,
    questions: &Questions<'_>,
) -> Result<(ObservedEngine, NodeEngine), Trouble> {
    let endpoint = endpoint(node, settings)?;
    let engine = questions.engines.at(&endpoint).await?;
    if engine.node_id() != Some(&node.id) {
        return Err(Trouble {
            why: format!(
                "{endpoint} leads to {}, which is another node",
                engine.hostname()
            ),
            hint: Some("mend `engine:` under `nodes:` in the spec".to_owned()),
        });
    }
    let (images, disk) = tokio::join!(engine.images(&questions.repositories), engine.disk());
    let images = images.map_err(|error| Trouble {
        why: error.to_string(),
        hint: error.hint(),
    })?;
    let mut logins = BTreeMap::new();
    if settings.login {
        for (host, login) in &questions.logins {
            logins.insert(
                host.clone(),
                login_state(&engine, host, login.as_ref()).await,
            );
        }
    }
    let seen = ObservedEngine {
        images: stored(&questions.repositories, &images),
        disk: match disk {
            Ok(disk) => Known::Known(Disk {
                free: disk.free,
                total: disk.total,
            }),
            Err(unknown) => Known::Unknown(Trouble {
                why: unknown.to_string(),
                hint: unknown.hint(),
            }),
        },
        logins,
        endpoint,
    };
    Ok((seen, engine))
}

fn endpoint(node: &Node, settings: &NodeSettings) -> Result<Endpoint, Trouble> {
    let Some(template) = &settings.engine else {
        return Err(Trouble::new("the spec names no way to its engine"));
    };
    let endpoint = template.endpoint(&node.hostname, node.address.as_deref());
    endpoint.map_err(|error| Trouble {
        why: error.to_string(),
        hint: Some("mend `engine:` under `nodes:` in the spec".to_owned()),
    })
}

async fn login_state(
    engine: &NodeEngine,
    host: &RegistryHost,
    login: Option<&Login>,
) -> Known<LoginState> {
    let Some(login) = login else {
        return Known::Known(LoginState::None);
    };
    match engine.login_state(host, login).await {
        engine::LoginState::Same => Known::Known(LoginState::Same),
        engine::LoginState::Other { .. } => Known::Known(LoginState::Other),
        engine::LoginState::Absent => Known::Known(LoginState::None),
        engine::LoginState::Unknown { why } => Known::Unknown(Trouble::new(why)),
    }
}

fn stored(
    repositories: &[Repository],
    images: &[StoredImage],
) -> BTreeMap<Repository, Vec<StoredBuild>> {
    let mut stored: BTreeMap<Repository, Vec<StoredBuild>> = BTreeMap::new();
    for repository in repositories {
        let of = |image: &StoredImage| {
            let own = image.digests.iter().filter(|(name, _)| name == repository);
            let tags = image.tags.iter().filter(|(name, _)| name == repository);
            let tags: Vec<_> = tags.map(|(_, tag)| tag.clone()).collect();
            own.map(|(_, digest)| StoredBuild {
                digest: digest.clone(),
                tags: tags.clone(),
                bytes: image.size,
                created: image.created,
                in_use: !image.users.is_empty(),
            })
            .collect::<Vec<_>>()
        };
        let mut builds: Vec<StoredBuild> = images.iter().flat_map(of).collect();
        builds.sort_by(|a, b| a.digest.cmp(&b.digest));
        stored.insert(repository.clone(), builds);
    }
    stored
}
