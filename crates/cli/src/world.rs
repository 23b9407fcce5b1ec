//! From a set of stacks to what is observed and planned for them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use imgstack_executor::Credentials;
use imgstack_executor::journal::Journal;
use imgstack_observer::{Details, Engines, Sources, login, observe};
use imgstack_planner::{
    History, Inventory, Known, Only, Options, PLAN_FORMAT_VERSION, Plan, PlanHash, StackPlan,
    Trouble, plan,
};
use imgstack_registry::oci::{CacheOptions, Client, ClientOptions, Endpoints, EndpointsError};
use imgstack_spec::{Digest, NodeName, Repository, Stack, StackSet};
use imgstack_swarm::{Environment, Error, Manager, NodeEngine, RegistryAuth, Target};
use jiff::Timestamp;

use crate::args::WidthArgs;

/// A stack with the connections to its world.
pub(crate) struct Connected {
    pub(crate) stack: Stack,
    pub(crate) manager: Result<Manager, Trouble>,
    pub(crate) registry: Client,
    endpoint: String,
}

/// A stack with what was observed.
pub(crate) struct Seen {
    pub(crate) connected: Connected,
    pub(crate) inventory: Inventory,
    /// The engines of the nodes that were reached.
    pub(crate) engines: BTreeMap<NodeName, NodeEngine>,
}

/// Connects to the managers, and observes.
pub(crate) async fn look(
    set: &StackSet,
    details: Details,
    only: Only,
    width: WidthArgs,
) -> Result<Vec<Seen>, EndpointsError> {
    Ok(observe_all(connect_all(set).await?, details, only, width).await)
}

/// Connects to the managers, one stack after another.
pub(crate) async fn connect_all(set: &StackSet) -> Result<Vec<Connected>, EndpointsError> {
    let endpoints = endpoints()?;
    let mut all: Vec<Connected> = Vec::with_capacity(set.stacks.len());
    for stack in &set.stacks {
        let connected = connect(stack, &all, &endpoints).await;
        all.push(connected);
    }
    Ok(all)
}

/// Observes what a plan of these steps needs, one stack after another; within a
/// stack everything is read side by side, its journal as well.
pub(crate) async fn observe_all(
    all: Vec<Connected>,
    details: Details,
    only: Only,
    width: WidthArgs,
) -> Vec<Seen> {
    let engines = Engines::new(Environment::of_process());
    let observer = owner();
    let mut seen: Vec<Seen> = Vec::with_capacity(all.len());
    for connected in all {
        let sources = Sources {
            manager: connected.manager.as_ref(),
            endpoint: &connected.endpoint,
            registry: &connected.registry,
            engines: &engines,
            parallelism: width.nodes(),
            now: now(),
            observer: &observer,
        };
        // Credentials move whatever has failed.
        let is_wanted = match only {
            Only::Everything => true,
            Only::Credentials => false,
        };
        let (observed, history) = tokio::join!(
            observe(&connected.stack, sources, details),
            history(&connected.stack, connected.manager.as_ref(), is_wanted),
        );
        seen.push(Seen {
            connected,
            inventory: Inventory {
                history,
                ..observed.inventory
            },
            engines: observed.engines,
        });
    }
    tell_one_another(&mut seen);
    seen
}

/// What the journal of a stack tells of its builds, in one request; in none where
/// that is not wanted.
pub(crate) async fn history(
    stack: &Stack,
    manager: Result<&Manager, &Trouble>,
    is_wanted: bool,
) -> Known<History> {
    let manager = match manager {
        _ if !is_wanted => return Known::Unknown(Trouble::new("it was not read")),
        Ok(manager) => manager,
        Err(trouble) => return Known::Unknown(trouble.clone()),
    };
    match Journal::read(manager, &stack.name).await {
        Ok(journal) => Known::Known(journal.history(stack)),
        Err(error) => Known::Unknown(trouble(&error)),
    }
}

/// What a stack wants is nothing that another stack's clean-up may take.
fn tell_one_another(seen: &mut [Seen]) {
    let wanted: Vec<BTreeMap<Repository, Known<BTreeSet<Digest>>>> =
        seen.iter().map(wanted).collect();
    for (own, seen) in seen.iter_mut().enumerate() {
        let others = wanted.iter().enumerate().filter(|(other, _)| *other != own);
        for (repository, digests) in others.flat_map(|(_, wanted)| wanted) {
            let known = &mut seen.inventory.wanted_elsewhere;
            let known = known.entry(repository.clone());
            let known = known.or_insert_with(|| Known::Known(BTreeSet::new()));
            match (&mut *known, digests) {
                (Known::Known(all), Known::Known(more)) => all.extend(more.iter().cloned()),
                (Known::Known(_), Known::Unknown(_)) => *known = digests.clone(),
                (Known::Unknown(_), _) => {}
            }
        }
    }
}

/// The builds that a stack wants, by repository; unknown where one cannot be
/// told, or where nothing is ever to go.
fn wanted(seen: &Seen) -> BTreeMap<Repository, Known<BTreeSet<Digest>>> {
    let mut wanted: BTreeMap<Repository, Known<BTreeSet<Digest>>> = BTreeMap::new();
    for image in &seen.connected.stack.images {
        let asked = seen.inventory.images.get(&image.name);
        let digest = asked
            .and_then(|it| it.digest.present())
            .filter(|_| image.keep.is_some());
        let known = wanted.entry(image.repository.clone());
        let known = known.or_insert_with(|| Known::Known(BTreeSet::new()));
        match (&mut *known, digest) {
            (Known::Known(all), Some(digest)) => {
                all.insert(digest.clone());
            }
            (_, None) => {
                let why = format!("the stack {} keeps its builds", seen.connected.stack.name);
                *known = Known::Unknown(Trouble::new(why));
            }
            (Known::Unknown(_), Some(_)) => {}
        }
    }
    wanted
}

/// A client of a stack's registries, for who asks nothing else.
pub(crate) fn registries(stack: &Stack) -> Result<Client, EndpointsError> {
    Ok(registry(stack, &endpoints()?))
}

/// A stack's manager, for who observes nothing else.
pub(crate) async fn manager(stack: &Stack) -> Result<Manager, Trouble> {
    let target = Target::find(stack.endpoint.as_ref(), &Environment::of_process());
    let target = target.map_err(|error| trouble(&error.into()))?;
    let connected = Manager::connect(&target).await;
    connected.map_err(|error| trouble(&error))
}

/// Hosts that are asked elsewhere, as the environment says.
pub(crate) fn endpoints() -> Result<Endpoints, EndpointsError> {
    let text = std::env::var(Endpoints::VARIABLE).unwrap_or_default();
    Endpoints::parse(&text)
}

/// Plans what was seen.
pub(crate) fn plan_all(seen: &[Seen], options: &Options) -> Plan {
    let stacks: Vec<StackPlan> = seen.iter().map(|seen| seen.plan(options)).collect();
    Plan {
        format_version: PLAN_FORMAT_VERSION.to_owned(),
        imgstack_version: env!("CARGO_PKG_VERSION").to_owned(),
        created_at: now(),
        commit: None,
        hash: PlanHash::of(&stacks),
        stacks,
    }
}

impl Seen {
    pub(crate) fn plan(&self, options: &Options) -> StackPlan {
        plan(&self.connected.stack, &self.inventory, options)
    }
}

/// The time to the second: more says nothing to a person.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// Who types the command, for people that look at the Swarm meanwhile.
pub(crate) fn owner() -> String {
    format!("{}@{}", user(), host())
}

/// The account that the command is typed in.
pub(crate) fn user() -> String {
    let mut keys = ["USER", "LOGNAME"].into_iter();
    let user = keys.find_map(|key| std::env::var(key).ok());
    user.unwrap_or_else(|| "somebody".to_owned())
}

/// The machine that the command is typed on.
pub(crate) fn host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

async fn connect(stack: &Stack, before: &[Connected], endpoints: &Endpoints) -> Connected {
    let (manager, endpoint) =
        match Target::find(stack.endpoint.as_ref(), &Environment::of_process()) {
            Err(error) => (Err(trouble(&error.into())), "no engine found".to_owned()),
            Ok(target) => {
                let words = format!("{}, from {}", target.endpoint, target.source);
                let known = before.iter().find(|known| known.endpoint == words);
                let manager = match known {
                    Some(known) => known.manager.clone(),
                    None => Manager::connect(&target)
                        .await
                        .map_err(|error| trouble(&error)),
                };
                (manager, words)
            }
        };
    Connected {
        stack: stack.clone(),
        manager,
        endpoint,
        registry: before
            .iter()
            .find(|known| known.stack.registries == stack.registries)
            .map_or_else(
                || registry(stack, endpoints),
                |known| known.registry.clone(),
            ),
    }
}

/// A client of the registries, as the spec describes them; stacks that describe
/// them alike share one, its answers and its limits. What a digest names
/// never changes, so that is kept on disk; without a place for it, it is not,
/// nor where a registry is asked elsewhere: a simulated world leaves nothing
/// behind, least of all under a real host's name.
pub(crate) fn registry(stack: &Stack, endpoints: &Endpoints) -> Client {
    let mut options = ClientOptions::new(stack.registries.clone());
    options.endpoints = endpoints.clone();
    let bases = stack.images.iter().filter_map(|image| image.base.as_ref());
    let repositories = stack.images.iter().map(|image| &image.repository);
    let mut asked = repositories.chain(bases.map(|base| &base.repository));
    options.cache = match asked.any(|repository| endpoints.moves(repository.host())) {
        true => None,
        false => cache_folder().map(CacheOptions::at),
    };
    Client::new(options)
}

fn cache_folder() -> Option<PathBuf> {
    let folder = |key: &str| std::env::var_os(key).map(PathBuf::from);
    let base = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    base.is_absolute().then(|| base.join("imgstack"))
}

impl Connected {
    /// The credentials that the registries let in, for nodes to pull and to log
    /// in with.
    pub(crate) async fn credentials(&self) -> Credentials {
        let mut logins = BTreeMap::new();
        for image in &self.stack.images {
            let host = image.repository.host();
            // What is wrong with one was found when the world was looked at.
            let found = self.registry.credential(host).await.ok().flatten();
            let login = found.as_deref().and_then(login);
            logins.extend(login.map(|login| (host.clone(), login)));
        }
        Credentials {
            pulls: self.pulls(),
            logins,
        }
    }

    fn pulls(&self) -> BTreeMap<Repository, RegistryAuth> {
        let repositories = self.stack.images.iter().map(|image| &image.repository);
        repositories
            .filter_map(|repository| {
                let auth = match self.registry.accepted_credential(repository) {
                    Some(credential) => {
                        let header = credential.registry_auth_header(repository.host());
                        // Base64 is always a header's value.
                        RegistryAuth::encoded(&header).ok()?
                    }
                    // Without one the engine would keep the one it has.
                    None if self.registry.has_refused_credential(repository) => {
                        RegistryAuth::nobody()
                    }
                    None => return None,
                };
                Some((repository.clone(), auth))
            })
            .collect()
    }
}

pub(crate) fn trouble(error: &Error) -> Trouble {
    Trouble {
        why: error.to_string(),
        hint: error.hint(),
    }
}
