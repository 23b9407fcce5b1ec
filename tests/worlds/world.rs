//! A design that runs, and what a person does in it: look, plan, apply.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use imgstack_executor::{Credentials, Event, Outcome, execute};
use imgstack_observer::{Details, Engines as NodeEngines, Sources, login, observe};
use imgstack_planner::{Inventory, Known, Options, StackPlan, StepId, Trouble, plan};
use imgstack_registry::credentials::Environment;
use imgstack_registry::oci::{Client, ClientOptions, Endpoints};
use imgstack_sim::github::Token;
use imgstack_sim::registry::{self, Layer, Manner, Registry, Settings, User};
use imgstack_sim::swarm::ServiceUpdate;
use imgstack_sim::{Credential, Layout};
use imgstack_spec::{Input, NodeName, Platform, Stack};
use imgstack_swarm::{Manager, NodeEngine, RegistryAuth, Target};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::claims::{Held, held};
use crate::design::{Build, Design, History, PASSWORD, Runs, Service, TAG};
use crate::truth::Truth;

/// A password that is nowhere else.
pub const SECRET: &str = "hunter2-of-the-robot";
/// What a layer takes on its way; an image has one.
pub const PACKED: u64 = 8 << 20;
/// Who plans and applies.
const PERSON: &str = "somebody@here";
/// After so long nothing moves but what moves for ever.
const SETTLED: Duration = Duration::from_secs(60);

/// A design that runs. To be made and used inside a runtime.
pub struct World {
    pub design: Design,
    pub sim: imgstack_sim::World,
    pub registries: Vec<Registry>,
    /// By image and build.
    pub digests: Vec<Vec<String>>,
    pub stack: Stack,
    endpoints: Endpoints,
    target: Target,
    _folder: TempDir,
}

/// What was seen at one moment, and the plan for it.
pub struct Seen {
    manager: Result<Manager, Trouble>,
    registry: Client,
    pub inventory: Inventory,
    engines: BTreeMap<NodeName, NodeEngine>,
    pub plan: StackPlan,
}

/// What an apply told, and what was so when it was told.
pub struct Applied {
    pub outcome: Outcome,
    pub told: Vec<(Event, Truth)>,
    /// What nodes held when a step had succeeded.
    pub held: BTreeMap<StepId, Held>,
}

impl World {
    /// Builds the world and lets it come to rest.
    pub async fn of(design: Design) -> Self {
        let now = "2026-02-09T04:00:00Z".parse().unwrap();
        let mut layout = Layout::new(now, SignedDuration::ZERO, design.seed);
        let hosts = design.hosts.iter();
        let registries: Vec<Registry> = hosts
            .map(|host| add_registry(&mut layout, host.name, host.manner, host.login))
            .collect();
        // GHCR's passwords are GitHub's tokens.
        let github = layout.add_github(registries.first());
        github.add_token(Token::classic("robot", SECRET, &["read:packages"]));
        let digests = push(&design, &registries, now);
        for node in &design.nodes {
            layout.add_node(node.setup.clone());
        }
        let folder = tempfile::tempdir().unwrap();
        let sim = layout.start(folder.path()).await.unwrap();
        let endpoint = |name: &str| format!("unix://{}", sim.socket(name).display());
        let text = design.yaml(endpoint, |image, build| digests[image][build].clone());
        let set = imgstack_spec::read(&[Input::new("drawn.yaml", text.clone())]);
        let stack = match set {
            Ok(set) => set.stacks.into_iter().next().unwrap(),
            Err(mistakes) => panic!("the spec is mistaken: {mistakes:?}\n{text}"),
        };
        let world = Self {
            endpoints: Endpoints::parse(&sim.endpoints()).unwrap(),
            target: target(&sim.socket(&design.nodes[0].setup.hostname)),
            design,
            sim,
            registries,
            digests,
            stack,
            _folder: folder,
        };
        world.populate().await;
        world
    }

    async fn populate(&self) {
        self.set_availability(true);
        for service in self
            .design
            .services
            .iter()
            .filter(|service| service.is_there)
        {
            let image = self.created_with(service);
            // As docker's client writes it.
            let image = image.strip_prefix("docker.io/").unwrap_or(&image);
            let spec = self.with_image(service, image);
            let auth = service.credential.then(credential);
            let created = self
                .sim
                .engines
                .with(|cluster, now| cluster.create_service(now, spec, auth));
            created.unwrap();
        }
        sleep(SETTLED).await;
        self.set_availability(false);
        self.live_through().await;
        for node in self.design.nodes.iter().filter(|node| node.lost) {
            self.sim
                .engines
                .with(|cluster, now| cluster.lose_node(now, &node.setup.hostname));
        }
        sleep(SETTLED).await;
    }

    fn set_availability(&self, at_the_start: bool) {
        for node in &self.design.nodes {
            if node.from_the_start == at_the_start {
                self.make_available(&node.setup.hostname, node.availability);
            }
        }
    }

    /// Sets a node's availability.
    pub fn make_available(&self, hostname: &str, availability: &str) {
        self.sim.engines.with(|cluster, now| {
            let node = cluster.node(hostname).unwrap();
            let mut spec = node["Spec"].clone();
            spec["Availability"] = availability.into();
            let version = node["Version"]["Index"].as_u64().unwrap();
            cluster.update_node(now, hostname, version, spec).unwrap();
        });
    }

    /// What has happened to the services, and that it came to an end.
    async fn live_through(&self) {
        let services = self.design.services.iter();
        let services = services.filter(|it| it.is_there && it.history != History::Calm);
        let services: Vec<&Service> = services.collect();
        for service in &services {
            let half_way = service.history == History::HalfWay;
            let host = &self.registries[self.design.images[service.image].host];
            host.set_off(half_way);
            self.change(&service.name, |spec| self.touch(service, spec));
            if half_way {
                sleep(Duration::from_secs(20)).await;
                host.set_off(false);
            }
        }
        if !services.is_empty() {
            sleep(SETTLED).await;
        }
    }

    /// An update by somebody with docker's client.
    fn touch(&self, service: &Service, spec: &mut Value) {
        let image = |spec: &mut Value, image: String| {
            spec["TaskTemplate"]["ContainerSpec"]["Image"] = image.into();
        };
        let action = |spec: &mut Value, action: &str| {
            if !spec["UpdateConfig"].is_object() {
                spec["UpdateConfig"] = serde_json::json!({"Parallelism": 1});
            }
            spec["UpdateConfig"]["FailureAction"] = action.into();
            spec["UpdateConfig"]["MaxFailureRatio"] = 0.into();
        };
        let host = self.registries[self.design.images[service.image].host].host();
        match service.history {
            History::Calm => {}
            History::Updated => {
                spec["TaskTemplate"]["ContainerSpec"]["Labels"] = serde_json::json!({"a": "b"});
            }
            History::RolledBack => {
                action(spec, "rollback");
                image(spec, format!("{host}/acme/dying:1"));
            }
            History::Paused => {
                action(spec, "pause");
                image(spec, format!("{host}/acme/dying:1"));
            }
            History::HalfWay => {
                action(spec, "pause");
                if let Some(wanted) = self.wanted(service.image) {
                    image(
                        spec,
                        format!("{}:{TAG}@{wanted}", self.design.repository(service.image)),
                    );
                }
            }
            History::Updating => {
                let hour = 3_600_000_000_000_u64;
                spec["UpdateConfig"] = serde_json::json!({"Parallelism": 1, "Delay": hour});
                spec["TaskTemplate"]["ContainerSpec"]["Labels"] = serde_json::json!({"a": "c"});
            }
        }
    }

    /// Somebody else changes a service's spec; nothing if it is not there.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut Value)) {
        self.sim.engines.with(|cluster, now| {
            let Ok(service) = cluster.service(name) else {
                return;
            };
            let mut spec = service["Spec"].clone();
            change(&mut spec);
            let update = ServiceUpdate {
                version: service["Version"]["Index"].as_u64().unwrap(),
                spec,
                ..ServiceUpdate::default()
            };
            cluster.update_service(now, name, update).unwrap();
        });
    }

    /// The digest that the spec asks for.
    pub fn wanted(&self, image: usize) -> Option<&str> {
        let build = self.design.wanted(image)?;
        Some(&self.digests[image][build])
    }

    fn created_with(&self, service: &Service) -> String {
        let image = service.image;
        let repository = self.design.repository(image);
        let digest = |build: usize| self.digests[image][build].as_str();
        let tag = |build: usize| self.design.images[image].builds[build].tag();
        match service.runs {
            Runs::Build(build) => format!("{repository}:{TAG}@{}", digest(build)),
            Runs::BuildByItsTag(build) => format!("{repository}:{}@{}", tag(build), digest(build)),
            Runs::BuildWithoutTag(build) => format!("{repository}@{}", digest(build)),
            Runs::BareTag => format!("{repository}:{TAG}"),
            Runs::Bare => repository,
            Runs::Elsewhere => {
                let host = self.registries[self.design.images[image].host].host();
                format!("{host}/acme/elsewhere:1")
            }
        }
    }

    fn with_image(&self, service: &Service, image: &str) -> Value {
        let mut spec = service.spec.clone();
        spec["Name"] = service.name.clone().into();
        spec["TaskTemplate"]["ContainerSpec"]["Image"] = image.into();
        spec
    }

    /// Builds of an image are pushed anew: the tags lead to the last.
    pub fn push_another(&mut self, image: usize, build: Build) {
        let host = self.design.images[image].host;
        let registry = &self.registries[host];
        let path = self.design.images[image].path.clone();
        let digest = push_build(registry, &path, &build, self.sim.server.clock.now());
        self.design.images[image].builds.push(build);
        self.digests[image].push(digest);
    }

    /// Looks at everything anew, and plans.
    pub async fn look(&self) -> Seen {
        let manager = Manager::connect(&self.target)
            .await
            .map_err(|error| Trouble {
                why: error.to_string(),
                hint: error.hint(),
            });
        let registry = self.client();
        let sources = Sources {
            manager: manager.as_ref(),
            endpoint: "a test",
            registry: &registry,
            engines: &NodeEngines::default(),
            parallelism: 4,
            now: self.sim.server.clock.now(),
            observer: PERSON,
        };
        let mut observed = observe(&self.stack, sources, Details::WhereNeeded).await;
        // What is carried out here leaves no journal.
        observed.inventory.history = Known::Known(imgstack_planner::History::default());
        let plan = plan(&self.stack, &observed.inventory, &Options::default());
        Seen {
            manager,
            registry,
            inventory: observed.inventory,
            engines: observed.engines,
            plan,
        }
    }

    fn client(&self) -> Client {
        let mut options = ClientOptions::new(self.stack.registries.clone());
        options.environment = [(PASSWORD, SECRET)].into_iter().collect::<Environment>();
        options.endpoints = self.endpoints.clone();
        Client::new(options)
    }

    /// Carries the plan out.
    pub async fn apply(&self, seen: &Seen, cancel: &CancellationToken) -> Applied {
        let told = Mutex::new((Vec::new(), BTreeMap::new()));
        let tell = |event: Event| {
            let truth = self.truth();
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            if let Event::StepSucceeded { step, .. } = &event {
                told.1.insert(step.clone(), held(self));
            }
            told.0.push((event, truth));
        };
        let Ok(manager) = &seen.manager else {
            panic!("nothing is planned without a manager");
        };
        let there = imgstack_executor::World {
            manager,
            engines: &seen.engines,
            credentials: &seen.credentials().await,
            parallelism: 4,
            owner: PERSON.to_owned(),
        };
        let outcome = execute(&seen.plan, &there, cancel, &tell).await;
        let (told, held) = told.into_inner().unwrap();
        Applied {
            outcome,
            told,
            held,
        }
    }

    /// What is so now.
    pub fn truth(&self) -> Truth {
        Truth::of(&self.sim.engines, self.sim.server.clock.now())
    }

    /// Lets the world come to rest.
    pub async fn settle(&self) {
        sleep(SETTLED).await;
    }

    /// How many changes of services the world has told so far, and what.
    pub fn history(&self) -> Vec<Value> {
        self.sim.engines.read(|cluster| cluster.events().to_vec())
    }
}

impl Seen {
    /// What nodes are to pull and to log in with, as the command line has it.
    async fn credentials(&self) -> Credentials {
        let mut credentials = Credentials::default();
        for image in &self.plan.stack.images {
            let repository = &image.repository;
            let host = repository.host();
            let found = self.registry.credential(host).await.ok().flatten();
            let known = found.as_deref().and_then(login);
            credentials
                .logins
                .extend(known.map(|it| (host.clone(), it)));
            let auth = match self.registry.accepted_credential(repository) {
                Some(credential) => {
                    let header = credential.registry_auth_header(host);
                    RegistryAuth::encoded(&header).unwrap()
                }
                None if self.registry.has_refused_credential(repository) => RegistryAuth::nobody(),
                None => continue,
            };
            credentials.pulls.insert(repository.clone(), auth);
        }
        credentials
    }
}

/// What nodes pull with.
fn credential() -> Credential {
    Credential {
        username: "robot".to_owned(),
        password: SECRET.into(),
    }
}

fn add_registry(layout: &mut Layout, name: &str, manner: Manner, login: bool) -> Registry {
    let settings = Settings {
        // The limit has tests of its own.
        pulls: None,
        ..Settings::new(manner)
    };
    let registry = layout.add_registry(name, settings);
    if login {
        registry.add_user(User::reader("robot", SECRET, "acme"));
    }
    registry
}

fn target(socket: &Path) -> Target {
    Target {
        endpoint: format!("unix://{}", socket.display()).parse().unwrap(),
        tls: None,
        source: "a test".to_owned(),
    }
}

fn push(design: &Design, registries: &[Registry], now: Timestamp) -> Vec<Vec<String>> {
    for registry in registries {
        for (path, ends_after_ms) in [("acme/elsewhere", None), ("acme/dying", Some(100))] {
            let mut build = registry::Build::new(path, "0000001", now);
            build.behaviour.ends_after_ms = ends_after_ms;
            build.behaviour.exit_code = 1;
            registry.push_build(&build, &["1"]);
            registry.set_public(path, true);
        }
    }
    let images = design.images.iter().map(|image| {
        let registry = &registries[image.host];
        registry.set_public(&image.path, !image.private);
        let builds = image.builds.iter();
        builds
            .map(|build| push_build(registry, &image.path, build, now))
            .collect()
    });
    images.collect()
}

fn push_build(registry: &Registry, path: &str, build: &Build, now: Timestamp) -> String {
    let architectures = build.architectures.iter();
    let pushed = registry::Build {
        platforms: architectures
            .map(|architecture| Platform {
                os: "linux".to_owned(),
                architecture: (*architecture).to_owned(),
                variant: None,
            })
            .collect(),
        index: build.index,
        layers: vec![Layer {
            compressed: PACKED,
            unpacked: 20 << 20,
        }],
        behaviour: build.behaviour.clone(),
        healthcheck: build.healthcheck,
        ..registry::Build::new(path, &build.sha, now)
    };
    let tags = [TAG.to_owned(), build.tag(), "latest".to_owned()];
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    registry.push_build(&pushed, &tags).digest
}
