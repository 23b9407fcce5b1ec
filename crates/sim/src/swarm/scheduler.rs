//! Finds nodes for tasks, and says why there is none.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Cluster;
use super::due::{Due, Id};
use super::node::Node;
use super::state::TaskState;
use super::task::{Place, Task};

/// Why a node does not take a task, in the order in which swarmkit asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unfit {
    NotAvailable,
    Resources,
    Constraints,
    Platform,
    HostPort,
    MaxReplicas,
}

impl Unfit {
    fn words(self, nodes: usize) -> String {
        let on = format!("{nodes} node{}", if nodes == 1 { "" } else { "s" });
        match self {
            Self::NotAvailable => format!("{on} not available for new tasks"),
            Self::Resources => format!("insufficient resources on {on}"),
            Self::Constraints => format!("scheduling constraints not satisfied on {on}"),
            Self::Platform => format!("unsupported platform on {on}"),
            Self::HostPort => format!("host-mode port already in use on {on}"),
            Self::MaxReplicas => "max replicas per node limit exceed".to_owned(),
        }
    }
}

impl Cluster {
    /// A new task has its addresses, and waits for a node.
    pub(super) fn allocate(&mut self, id: &Id) {
        if self
            .tasks
            .get(id)
            .is_some_and(|task| task.state == TaskState::New)
        {
            self.set_state(id, TaskState::Pending, "pending task scheduling", None);
            self.unscheduled.insert(id.clone());
            self.ask_scheduler();
        }
    }

    /// The scheduler looks once for all that came together.
    pub(super) fn ask_scheduler(&mut self) {
        if !self.schedule_asked && !self.unscheduled.is_empty() {
            self.schedule_asked = true;
            self.ask(6, Due::Schedule);
        }
    }

    pub(super) fn schedule(&mut self) {
        self.schedule_asked = false;
        let waiting: Vec<Id> = self.unscheduled.iter().cloned().collect();
        for id in waiting {
            let Some(task) = self.tasks.get(&id) else {
                self.unscheduled.remove(&id);
                continue;
            };
            if !task.desired.is_to_run() || task.state != TaskState::Pending {
                self.unscheduled.remove(&id);
                continue;
            }
            match self.choose(task) {
                Ok(node) => self.assign(&id, node),
                Err(why) => self.set_state(
                    &id,
                    TaskState::Pending,
                    "pending task scheduling",
                    Some(why),
                ),
            }
        }
    }

    fn assign(&mut self, id: &Id, node: Id) {
        self.unscheduled.remove(id);
        if let Some(it) = self.nodes.get_mut(&node) {
            self.loads.remove(&(it.busy.len(), node.clone()));
            it.busy.insert(id.clone());
            self.loads.insert((it.busy.len(), node.clone()));
        }
        if let Some(task) = self.tasks.get_mut(id) {
            task.node = Some(node);
        }
        self.set_state(
            id,
            TaskState::Assigned,
            "scheduler assigned task to node",
            None,
        );
        self.next_step(id, 8);
    }

    /// The node with the fewest tasks of the service, then with the fewest.
    fn choose(&self, task: &Task) -> Result<Id, String> {
        let own = self.own(task);
        let own_on = |id: &Id| own.get(id).copied().unwrap_or(0);
        let is_candidate = |id: &Id| match &task.place {
            Place::Slot(_) => true,
            Place::Node(own) => own == id,
        };
        let mut best: Option<((usize, usize), &Id)> = None;
        // The idlest first: mostly the first that fits is the best there is.
        for (load, id) in self.loads.iter().filter(|(_, id)| is_candidate(id)) {
            let rank = (own_on(id), *load);
            let better = best.is_none_or(|(least, _)| rank < least);
            let fits = |node| self.unfit(task, id, node, rank.0).is_none();
            if better && self.nodes.get(id).is_some_and(fits) {
                best = Some((rank, id));
                if rank.0 == 0 {
                    break;
                }
            }
        }
        if let Some((_, id)) = best {
            return Ok(id.clone());
        }
        let mut unfit: BTreeMap<Unfit, usize> = BTreeMap::new();
        for (id, node) in self.nodes.iter().filter(|(id, _)| is_candidate(id)) {
            if let Some(why) = self.unfit(task, id, node, own_on(id)) {
                *unfit.entry(why).or_default() += 1;
            }
        }
        if unfit.is_empty() {
            return Err("no suitable node".to_owned());
        }
        let mut reasons: Vec<_> = unfit.into_iter().collect();
        reasons.sort_by_key(|(why, nodes)| (std::cmp::Reverse(*nodes), *why));
        let words: Vec<String> = reasons.iter().map(|(why, n)| why.words(*n)).collect();
        let words = words.join("; ");
        Err(match task.place {
            Place::Slot(_) => format!("no suitable node ({words})"),
            // There was no other to choose.
            Place::Node(_) => words,
        })
    }

    /// How many tasks of the same service each node has.
    fn own(&self, task: &Task) -> BTreeMap<&Id, usize> {
        let mut own = BTreeMap::new();
        let service = self.services.get(&task.service);
        let tasks = service
            .into_iter()
            .flat_map(|it| it.places.values().flatten());
        for other in tasks.filter_map(|id| self.tasks.get(id)) {
            let node = other
                .node
                .as_ref()
                .and_then(|id| self.nodes.get_key_value(id));
            if let Some((id, node)) = node
                && other.is_wanted()
                && node.busy.contains(&other.id)
            {
                *own.entry(id).or_default() += 1;
            }
        }
        own
    }

    fn unfit(&self, task: &Task, id: &Id, node: &Node, own: usize) -> Option<Unfit> {
        if !node.is_active() {
            return Some(Unfit::NotAvailable);
        }
        let (cpus, memory) = reserved(&task.template);
        if cpus > 0 || memory > 0 {
            let tasks = node.busy.iter().filter_map(|id| self.tasks.get(id));
            let held = tasks.filter(|other| !other.state.is_over() && other.id != task.id);
            let held = held.map(|other| reserved(&other.template));
            let (c, m) = held.fold((0, 0), |(c, m), (cpus, memory)| (c + cpus, m + memory));
            if c + cpus > node.setup.nano_cpus || m + memory > node.setup.memory_bytes {
                return Some(Unfit::Resources);
            }
        }
        if !constraints_hold(&task.template, id, node) {
            return Some(Unfit::Constraints);
        }
        if !platform_fits(&task.template, node) {
            return Some(Unfit::Platform);
        }
        let ports = host_ports(task);
        if !ports.is_empty() {
            let tasks = node.busy.iter().filter_map(|id| self.tasks.get(id));
            let mut held = tasks.filter(|other| !other.state.is_over() && other.id != task.id);
            if held.any(|other| host_ports(other).iter().any(|port| ports.contains(port))) {
                return Some(Unfit::HostPort);
            }
        }
        let most = task.template["Placement"]["MaxReplicas"]
            .as_u64()
            .unwrap_or(0);
        (most > 0 && own as u64 >= most).then_some(Unfit::MaxReplicas)
    }

    /// Whether the constraints of the template let a node in, whatever its
    /// platform, load and availability.
    pub(super) fn lets_in(&self, template: &Value, id: &Id) -> bool {
        let node = self.nodes.get(id);
        node.is_some_and(|node| constraints_hold(template, id, node))
    }

    /// What a task held is free again.
    pub(super) fn free_node_of(&mut self, id: &Id) {
        let node = self.tasks.get(id).and_then(|task| task.node.clone());
        let Some(node) = node else {
            return;
        };
        let Some(it) = self.nodes.get_mut(&node) else {
            return;
        };
        let load = it.busy.len();
        if it.busy.remove(id) {
            self.loads.remove(&(load, node.clone()));
            self.loads.insert((load - 1, node));
            self.ask_scheduler();
        }
    }
}

fn reserved(template: &Value) -> (i64, i64) {
    let reserved = &template["Resources"]["Reservations"];
    let number = |field: &str| reserved[field].as_i64().unwrap_or(0);
    (number("NanoCPUs"), number("MemoryBytes"))
}

/// The ports of its node that a task takes for itself.
fn host_ports(task: &Task) -> Vec<(&str, u64)> {
    let ports = task.endpoint["Ports"].as_array();
    let ports = ports
        .into_iter()
        .flatten()
        .filter(|port| port["PublishMode"] == "host");
    ports
        .filter_map(|port| {
            let number = port["PublishedPort"]
                .as_u64()
                .filter(|number| *number > 0)?;
            Some((port["Protocol"].as_str().unwrap_or("tcp"), number))
        })
        .collect()
}

fn constraints_hold(template: &Value, id: &Id, node: &Node) -> bool {
    let constraints = template["Placement"]["Constraints"].as_array();
    let mut texts = constraints.into_iter().flatten().filter_map(Value::as_str);
    texts.all(|text| holds(text, id, node))
}

fn holds(text: &str, id: &Id, node: &Node) -> bool {
    let (key, value, wanted) = match (text.split_once("!="), text.split_once("==")) {
        (Some((key, value)), _) => (key, value, false),
        (None, Some((key, value))) => (key, value, true),
        (None, None) => return false,
    };
    let (key, value) = (key.trim(), value.trim());
    let label = |labels: &Value, name: &str| labels[name].as_str().unwrap_or_default().to_owned();
    let setup = &node.setup;
    let actual = match key {
        "node.id" => id.to_string(),
        "node.hostname" => setup.hostname.clone(),
        "node.ip" => setup.address.clone(),
        "node.role" => node.spec["Role"].as_str().unwrap_or_default().to_owned(),
        "node.platform.os" => setup.os.clone(),
        "node.platform.arch" => setup.architecture.clone(),
        _ => match (
            key.strip_prefix("node.labels."),
            key.strip_prefix("engine.labels."),
        ) {
            (Some(name), _) => label(&node.spec["Labels"], name),
            (None, Some(name)) => setup.engine_labels.get(name).cloned().unwrap_or_default(),
            (None, None) => return false,
        },
    };
    actual.eq_ignore_ascii_case(value) == wanted
}

/// Without platforms, any will do; an empty field is any, too.
fn platform_fits(template: &Value, node: &Node) -> bool {
    let Some(platforms) = template["Placement"]["Platforms"].as_array() else {
        return true;
    };
    let is = |wanted: &Value, actual: &str| {
        let wanted = wanted.as_str().unwrap_or_default();
        wanted.is_empty() || common_name(wanted) == common_name(actual)
    };
    platforms.is_empty()
        || platforms.iter().any(|platform| {
            is(&platform["OS"], &node.setup.os)
                && is(&platform["Architecture"], &node.setup.architecture)
        })
}

/// Kernels and images have different names for one thing.
fn common_name(architecture: &str) -> &str {
    match architecture {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
