//! What is so, as the simulated managers themselves have it: read past every
//! client of the product.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_sim::engine::Engines;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// The whole Swarm at one moment.
#[derive(Clone, Debug)]
pub struct Truth {
    pub at: Timestamp,
    pub services: BTreeMap<String, Service>,
    /// By hostname.
    pub nodes: BTreeMap<String, Node>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    pub id: String,
    pub spec: Value,
    /// `UpdateStatus.State`; empty without one.
    pub state: String,
    /// Tasks that are wanted.
    pub tasks: Vec<Task>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub id: String,
    pub image: String,
    /// Hostname.
    pub node: Option<String>,
    pub state: String,
    /// When it came to that state.
    pub since: Timestamp,
    /// It was made from the template as it is now.
    pub as_asked: bool,
}

#[derive(Clone, Debug)]
pub struct Node {
    pub up: bool,
    pub active: bool,
    pub role: String,
    pub zone: String,
    /// As images call it.
    pub architecture: String,
}

impl Truth {
    pub fn of(engines: &Engines, at: Timestamp) -> Self {
        engines.read(|cluster| {
            let nodes = cluster.nodes();
            let names: BTreeMap<&str, &str> = nodes
                .iter()
                .map(|node| (text(&node["ID"]), text(&node["Description"]["Hostname"])))
                .collect();
            let mut tasks: BTreeMap<String, Vec<Task>> = BTreeMap::new();
            for task in cluster.tasks().iter().filter(|task| is_wanted(task)) {
                let of = tasks.entry(text(&task["ServiceID"]).to_owned());
                let as_asked = cluster.is_up_to_date(text(&task["ID"]));
                of.or_default().push(Task::read(task, &names, as_asked));
            }
            let services = cluster.services();
            let services = services.iter().map(|service| {
                let name = text(&service["Spec"]["Name"]).to_owned();
                let id = text(&service["ID"]).to_owned();
                let tasks = tasks.remove(&id).unwrap_or_default();
                (name, Service::read(service, id, tasks))
            });
            Self {
                services: services.collect(),
                at,
                nodes: nodes
                    .iter()
                    .map(|node| (names[text(&node["ID"])].to_owned(), Node::read(node)))
                    .collect(),
            }
        })
    }

    /// Wanted tasks of a service that run, as far as the managers know.
    pub fn running<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = &'a Task> {
        let is_heard = |task: &&Task| {
            let node = task.node.as_ref().and_then(|node| self.nodes.get(node));
            node.is_some_and(|node| node.up)
        };
        let running = service.tasks.iter().filter(|task| task.state == "running");
        running.filter(is_heard)
    }

    /// The tasks of a service that an update would come to: the engine leaves
    /// a global service alone on a node that takes no tasks.
    pub fn reached<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = &'a Task> {
        let global = service.is_global();
        service.tasks.iter().filter(move |task| {
            let node = task.node.as_ref().and_then(|node| self.nodes.get(node));
            !global || node.is_none_or(|node| node.up && node.active)
        })
    }

    /// Those that an update would come to, and that run: what counts against
    /// [`Truth::desired`].
    pub fn serving<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = &'a Task> {
        let running: BTreeSet<&str> = self.running(service).map(|it| it.id.as_str()).collect();
        let reached = self.reached(service);
        reached.filter(move |task| running.contains(task.id.as_str()))
    }

    /// How many tasks of a service there should be.
    pub fn desired(&self, service: &Service) -> usize {
        match service.spec["Mode"]["Replicated"]["Replicas"].as_u64() {
            Some(replicas) => usize::try_from(replicas).unwrap(),
            None => self.places(service).count(),
        }
    }

    /// The nodes that meet the constraints of a service: a global one has a
    /// task for each, be its platform what it may.
    pub fn places<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = &'a Node> {
        let nodes = self.nodes.iter().filter(|(_, node)| node.up && node.active);
        let fitting = nodes.filter(move |(name, node)| node.is_allowed(name, service));
        fitting.map(|(_, node)| node)
    }

    /// Whether a service stands still: every task that should be there runs,
    /// and has for a while.
    pub fn is_calm(&self, service: &Service, for_seconds: i64) -> bool {
        let long = SignedDuration::from_secs(for_seconds);
        let mut running = self.running(service);
        let steady = running.all(|task| self.at.duration_since(task.since) >= long);
        let all = self.running(service).count() == service.tasks.len();
        // One on a node that no update reaches stands for no other.
        let reached = self.reached(service).count() >= self.desired(service);
        steady && all && reached
    }
}

impl Service {
    fn read(service: &Value, id: String, tasks: Vec<Task>) -> Self {
        Self {
            id,
            spec: service["Spec"].clone(),
            state: text(&service["UpdateStatus"]["State"]).to_owned(),
            tasks,
        }
    }

    pub fn image(&self) -> &str {
        text(&self.spec["TaskTemplate"]["ContainerSpec"]["Image"])
    }

    pub fn is_global(&self) -> bool {
        self.spec["Mode"]["Global"].is_object()
    }

    pub fn is_job(&self) -> bool {
        self.spec["Mode"]["ReplicatedJob"].is_object()
    }

    pub fn monitor(&self) -> SignedDuration {
        match self.spec["UpdateConfig"]["Monitor"].as_i64() {
            None | Some(0) => SignedDuration::from_secs(5),
            Some(nanos) => SignedDuration::from_nanos(nanos),
        }
    }

    pub fn label(&self, key: &str) -> Option<&str> {
        self.spec["Labels"][key].as_str()
    }

    /// `Placement.Platforms`, as `os/architecture`.
    pub fn platforms(&self) -> BTreeSet<String> {
        platforms(&self.spec["TaskTemplate"]["Placement"])
    }
}

impl Task {
    fn read(task: &Value, names: &BTreeMap<&str, &str>, as_asked: bool) -> Self {
        let node = task["NodeID"].as_str();
        Self {
            id: text(&task["ID"]).to_owned(),
            image: text(&task["Spec"]["ContainerSpec"]["Image"]).to_owned(),
            node: node.map(|id| names.get(id).copied().unwrap_or(id).to_owned()),
            state: text(&task["Status"]["State"]).to_owned(),
            since: text(&task["Status"]["Timestamp"]).parse().unwrap(),
            as_asked,
        }
    }
}

impl Node {
    fn read(node: &Value) -> Self {
        let architecture = text(&node["Description"]["Platform"]["Architecture"]);
        Self {
            up: node["Status"]["State"] == "ready",
            active: node["Spec"]["Availability"] == "active",
            role: text(&node["Spec"]["Role"]).to_owned(),
            zone: text(&node["Spec"]["Labels"]["zone"]).to_owned(),
            architecture: match architecture {
                "x86_64" => "amd64".to_owned(),
                "aarch64" => "arm64".to_owned(),
                other => other.to_owned(),
            },
        }
    }

    /// Whether the constraints of a service let it run on this node.
    pub fn is_allowed(&self, name: &str, service: &Service) -> bool {
        let placement = &service.spec["TaskTemplate"]["Placement"];
        let constraints = placement["Constraints"].as_array().into_iter().flatten();
        let mut constraints = constraints.map(text);
        constraints.all(|constraint| self.meets(name, constraint))
    }

    /// The constraints that are drawn, and no others.
    fn meets(&self, name: &str, constraint: &str) -> bool {
        let (key, value, same) = match constraint.split_once("!=") {
            Some((key, value)) => (key, value, false),
            None => {
                let (key, value) = constraint.split_once("==").unwrap();
                (key, value, true)
            }
        };
        let actual = match key.trim() {
            "node.role" => &self.role,
            "node.labels.zone" => &self.zone,
            "node.hostname" => name,
            "node.platform.os" => "linux",
            other => panic!("{other} is not drawn"),
        };
        (actual == value.trim()) == same
    }
}

fn platforms(placement: &Value) -> BTreeSet<String> {
    let platforms = placement["Platforms"].as_array().into_iter().flatten();
    let words = |it: &Value| format!("{}/{}", text(&it["OS"]), text(&it["Architecture"]));
    platforms.map(words).collect()
}

fn is_wanted(task: &Value) -> bool {
    let over = [
        "complete", "shutdown", "failed", "rejected", "remove", "orphaned",
    ];
    !over.contains(&text(&task["DesiredState"]))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
