//! Nodes: what managers know of them, and the machine itself.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::due::{Due, Id};
use super::events::attributes;
use super::spec::Mode;
use super::state::TaskState;
use super::store::Store;
use super::{ApiError, Cluster, NodeSetup, Role};

/// How long managers wait for a heartbeat before they call a node down.
const HEARTBEATS: SignedDuration = SignedDuration::from_secs(16);
/// How long a node that came back takes to be heard.
const RETURN: SignedDuration = SignedDuration::from_secs(1);
/// After so long the tasks of a node that is gone are given up.
const ORPHANED: SignedDuration = SignedDuration::from_hours(24);

/// One node and its machine.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) setup: NodeSetup,
    pub(super) version: u64,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    /// As `GET /nodes` has it: `Availability`, `Role`, `Labels`, `Name`.
    pub(super) spec: Value,
    /// The managers hear it.
    pub(super) up: bool,
    /// The machine is there.
    pub(super) reachable: bool,
    /// Losses and returns before this are void.
    pub(super) epoch: u64,
    pub(super) leader: bool,
    pub(super) store: Store,
    pub(super) events: Vec<Value>,
    /// Tasks that hold resources of it.
    pub(super) busy: std::collections::BTreeSet<Id>,
}

impl Node {
    pub(super) fn is_active(&self) -> bool {
        self.up && self.spec["Availability"] == "active"
    }

    pub(super) fn is_drained(&self) -> bool {
        self.spec["Availability"] == "drain"
    }

    fn json(&self, id: &Id) -> Value {
        let setup = &self.setup;
        let mut node = json!({
            "ID": &**id,
            "Version": {"Index": self.version},
            "CreatedAt": self.created.to_string(),
            "UpdatedAt": self.updated.to_string(),
            "Spec": self.spec,
            "Description": {
                "Hostname": setup.hostname,
                "Platform": {"Architecture": setup.architecture, "OS": setup.os},
                "Resources": {"NanoCPUs": setup.nano_cpus, "MemoryBytes": setup.memory_bytes},
                "Engine": {
                    "EngineVersion": setup.engine_version,
                    "Labels": setup.engine_labels,
                    "Plugins": [{"Type": "Network", "Name": "overlay"}],
                },
                "TLSInfo": {},
            },
            "Status": {"State": if self.up { "ready" } else { "down" }, "Addr": setup.address},
        });
        if !self.up {
            node["Status"]["Message"] = json!("heartbeat failure");
        }
        if setup.role == Role::Manager {
            let reachability = if self.up { "reachable" } else { "unreachable" };
            node["ManagerStatus"] = json!({
                "Reachability": reachability,
                "Addr": format!("{}:2377", setup.address),
            });
            if self.leader {
                node["ManagerStatus"]["Leader"] = json!(true);
            }
        }
        node
    }
}

impl Cluster {
    /// Adds a node, and returns its ID. The first manager leads.
    pub fn add_node(&mut self, now: Timestamp, setup: NodeSetup) -> String {
        self.advance(now);
        let (id, version, now) = (self.identifier(), self.write(), self.now);
        let manager = setup.role == Role::Manager;
        let leader = manager && !self.nodes.values().any(|node| node.leader);
        if self.nodes.is_empty() {
            self.created = now;
        }
        let spec = json!({
            "Availability": "active",
            "Role": if manager { "manager" } else { "worker" },
            "Labels": setup.labels,
        });
        self.hostnames.insert(setup.hostname.clone(), id.clone());
        let name = attributes([("name", setup.hostname.clone())]);
        let node = Node {
            store: Store::of(setup.disk_bytes, setup.bandwidth_bytes_per_s),
            setup,
            version,
            created: now,
            updated: now,
            spec,
            up: true,
            reachable: true,
            epoch: 0,
            leader,
            events: Vec::new(),
            busy: std::collections::BTreeSet::new(),
        };
        self.loads.insert((0, id.clone()));
        self.nodes.insert(id.clone(), node);
        self.tell("node", "create", &id, name);
        self.node_changed(&id);
        id.to_string()
    }

    /// All nodes.
    #[must_use]
    pub fn nodes(&self) -> Vec<Value> {
        self.nodes.iter().map(|(id, node)| node.json(id)).collect()
    }

    /// A node, by ID, hostname, or the beginning of an ID.
    ///
    /// # Errors
    /// There is none.
    pub fn node(&self, id_or_hostname: &str) -> Result<Value, ApiError> {
        let id = self.find_node(id_or_hostname)?;
        Ok(self.nodes[&id].json(&id))
    }

    pub(super) fn find_node(&self, what: &str) -> Result<Id, ApiError> {
        if let Some((id, _)) = self.nodes.get_key_value(what) {
            return Ok(id.clone());
        }
        if let Some(id) = self.hostnames.get(what) {
            return Ok(id.clone());
        }
        let mut found = self.nodes.keys().filter(|id| id.starts_with(what));
        match (found.next(), found.next()) {
            (Some(id), None) if !what.is_empty() => Ok(id.clone()),
            _ => Err(ApiError::not_found("node", what)),
        }
    }

    pub(super) fn node_named(&self, hostname: &str) -> Option<&Node> {
        self.nodes.get(self.hostnames.get(hostname)?)
    }

    /// Changes a node's labels, role or availability.
    ///
    /// # Errors
    /// There is none, or somebody wrote in between.
    pub fn update_node(
        &mut self,
        now: Timestamp,
        id: &str,
        version: u64,
        spec: Value,
    ) -> Result<(), ApiError> {
        self.advance(now);
        let id = self.find_node(id)?;
        let availability = spec["Availability"].as_str().unwrap_or_default();
        if !["active", "pause", "drain"].contains(&availability) {
            return Err(ApiError::plain(
                400,
                format!("invalid Availability: {availability:?}"),
            ));
        }
        let (written, now) = (self.write(), self.now);
        let Some(node) = self.nodes.get_mut(&id) else {
            return Err(ApiError::not_found("node", &id));
        };
        if node.version != version {
            return Err(ApiError::out_of_sequence());
        }
        let before = node.spec["Availability"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let mut told = attributes([("name", node.setup.hostname.clone())]);
        if before != availability {
            told.insert("availability.old".to_owned(), json!(before));
            told.insert("availability.new".to_owned(), json!(availability));
        }
        node.spec = spec;
        if node.spec["Labels"].is_null() {
            node.spec["Labels"] = json!({});
        }
        node.version = written;
        node.updated = now;
        self.tell("node", "update", &id, told);
        self.node_changed(&id);
        Ok(())
    }

    /// Takes a node out of the Swarm.
    ///
    /// # Errors
    /// There is none, or it is still there and nobody insists.
    pub fn remove_node(&mut self, now: Timestamp, id: &str, force: bool) -> Result<(), ApiError> {
        self.advance(now);
        let id = self.find_node(id)?;
        let node = &self.nodes[&id];
        if node.up && !force {
            return Err(ApiError::precondition(format!(
                "node {id} is not down and can't be removed"
            )));
        }
        let hostname = node.setup.hostname.clone();
        self.loads.remove(&(node.busy.len(), id.clone()));
        self.write();
        self.nodes.remove(&id);
        self.hostnames.remove(&hostname);
        let tasks = self
            .tasks
            .values()
            .filter(|task| task.node.as_ref() == Some(&id));
        let tasks: Vec<Id> = tasks.map(|task| task.id.clone()).collect();
        for task in tasks {
            self.set_state(&task, TaskState::Orphaned, "node removed", None);
        }
        self.tell("node", "remove", &id, attributes([("name", hostname)]));
        self.node_changed(&id);
        Ok(())
    }

    /// The machine goes, as when its cable is pulled. The managers notice when
    /// its heartbeats stay away.
    pub fn lose_node(&mut self, now: Timestamp, hostname: &str) {
        self.advance(now);
        let Some(id) = self.hostnames.get(hostname).cloned() else {
            return;
        };
        let now = self.now;
        if let Some(node) = self.nodes.get_mut(&id).filter(|node| node.reachable) {
            node.reachable = false;
            node.epoch += 1;
            let epoch = node.epoch;
            self.queue
                .push(now + HEARTBEATS, Due::NodeDown { node: id, epoch });
        }
    }

    /// The machine comes back, with what it ran.
    pub fn return_node(&mut self, now: Timestamp, hostname: &str) {
        self.advance(now);
        let Some(id) = self.hostnames.get(hostname).cloned() else {
            return;
        };
        let now = self.now;
        if let Some(node) = self.nodes.get_mut(&id).filter(|node| !node.reachable) {
            node.reachable = true;
            node.epoch += 1;
            let epoch = node.epoch;
            self.queue
                .push(now + RETURN, Due::NodeReady { node: id, epoch });
        }
    }

    pub(super) fn node_down(&mut self, id: &Id, epoch: u64) {
        if !self.set_up(id, epoch, false) {
            return;
        }
        let node = id.clone();
        self.queue
            .push(self.now + ORPHANED, Due::Orphan { node, epoch });
        self.node_changed(id);
    }

    pub(super) fn node_ready(&mut self, id: &Id, epoch: u64) {
        let heard = self.nodes.get(id).is_some_and(|node| node.epoch == epoch);
        if !heard {
            return;
        }
        // It may never have been missed.
        self.set_up(id, epoch, true);
        let tasks = self
            .tasks
            .values()
            .filter(|task| task.node.as_ref() == Some(id));
        let tasks: Vec<Id> = tasks.map(|task| task.id.clone()).collect();
        for task in tasks {
            self.next_step(&task, 50);
        }
        self.node_changed(id);
    }

    fn set_up(&mut self, id: &Id, epoch: u64, up: bool) -> bool {
        let (version, now) = (self.write(), self.now);
        let node = self.nodes.get_mut(id);
        let Some(node) = node.filter(|node| node.epoch == epoch && node.up != up) else {
            return false;
        };
        node.up = up;
        node.version = version;
        node.updated = now;
        let (old, new) = if up {
            ("down", "ready")
        } else {
            ("ready", "down")
        };
        let told = attributes([
            ("name", node.setup.hostname.clone()),
            ("state.old", old.to_owned()),
            ("state.new", new.to_owned()),
        ]);
        self.tell("node", "update", id, told);
        true
    }

    pub(super) fn orphan(&mut self, id: &Id, epoch: u64) {
        if !self
            .nodes
            .get(id)
            .is_some_and(|node| node.epoch == epoch && !node.up)
        {
            return;
        }
        let tasks = self.tasks.values();
        let tasks = tasks.filter(|task| task.node.as_ref() == Some(id) && !task.state.is_over());
        let tasks: Vec<Id> = tasks.map(|task| task.id.clone()).collect();
        for task in tasks {
            self.set_state(&task, TaskState::Orphaned, "orphaned", None);
        }
    }

    /// Services look again at where their tasks are.
    fn node_changed(&mut self, node: &Id) {
        self.turn_out(node);
        self.ask_scheduler();
        let services: Vec<(Id, Mode)> = self
            .services
            .iter()
            .map(|(id, service)| (id.clone(), service.mode()))
            .collect();
        for (service, mode) in services {
            let node = node.clone();
            self.ask(
                20,
                match mode {
                    Mode::Global => Due::ReconcileNode { service, node },
                    Mode::Replicated(_) | Mode::ReplicatedJob { .. } | Mode::GlobalJob => {
                        Due::Reconcile(service)
                    }
                },
            );
        }
    }

    /// Takes the tasks from a node that their services' constraints do not let
    /// it have any more, as swarmkit's constraint enforcer does.
    fn turn_out(&mut self, node: &Id) {
        let stays = |task: &super::Task| {
            let service = self.services.get(&task.service);
            service.is_none_or(|service| {
                service.mode() == Mode::Global || self.lets_in(&service.template, node)
            })
        };
        let tasks = self.tasks.values();
        let tasks = tasks.filter(|task| task.node.as_ref() == Some(node) && task.is_wanted());
        let tasks: Vec<Id> = tasks
            .filter(|task| !stays(task))
            .map(|task| task.id.clone())
            .collect();
        for task in tasks {
            self.tell_container(&task, "die", Some(0));
            let err = "assigned node no longer meets constraints".to_owned();
            let message = "task rejected by constraint enforcer";
            self.set_state(&task, TaskState::Rejected, message, Some(err));
        }
    }

    /// The version of the engine that leads.
    pub(super) fn leader_version(&self) -> &str {
        let leader = self.nodes.values().find(|node| node.leader);
        leader.map_or("", |node| &node.setup.engine_version)
    }

    /// Whether the machine answers at all: a lost one does not.
    #[must_use]
    pub fn reachable(&self, hostname: &str) -> bool {
        self.node_named(hostname).is_some_and(|node| node.reachable)
    }

    /// What a manager tells of its Swarm.
    fn told(&self) -> Value {
        json!({
            "ID": self.id,
            "Version": {"Index": 10},
            "CreatedAt": self.created.to_string(),
            "UpdatedAt": self.created.to_string(),
            "Spec": {
                "Name": "default",
                "Labels": {},
                "Orchestration": {"TaskHistoryRetentionLimit": 5},
                "Raft": {
                    "SnapshotInterval": 10_000,
                    "KeepOldSnapshots": 0,
                    "LogEntriesForSlowFollowers": 500,
                    "ElectionTick": 10,
                    "HeartbeatTick": 1,
                },
                "Dispatcher": {"HeartbeatPeriod": 5_000_000_000_u64},
                "CAConfig": {"NodeCertExpiry": 7_776_000_000_000_000_u64},
                "TaskDefaults": {},
                "EncryptionConfig": {"AutoLockManagers": false},
            },
            "RootRotationInProgress": false,
            "DefaultAddrPool": null,
            "SubnetSize": 24,
            "DataPathPort": 4789,
        })
    }

    /// `GET /info` of a node's engine, but for its containers.
    #[must_use]
    pub fn info(&self, hostname: &str) -> Value {
        let (Some(id), Some(node)) = (self.hostnames.get(hostname), self.node_named(hostname))
        else {
            return json!({});
        };
        let setup = &node.setup;
        let is_manager = setup.role == Role::Manager;
        let managers = self
            .nodes
            .iter()
            .filter(|(_, it)| it.setup.role == Role::Manager);
        let peers: Vec<Value> = managers
            .clone()
            .map(|(id, it)| json!({"NodeID": &**id, "Addr": format!("{}:2377", it.setup.address)}))
            .collect();
        let mut swarm = json!({
            "NodeID": &**id,
            "NodeAddr": setup.address,
            "LocalNodeState": "active",
            "ControlAvailable": is_manager,
            "Error": "",
            "RemoteManagers": peers,
        });
        if is_manager {
            swarm["Nodes"] = json!(self.nodes.len());
            swarm["Managers"] = json!(managers.count());
            swarm["Cluster"] = self.told();
        }
        json!({
            "ID": format!("{:.12}", &**id),
            "Name": setup.hostname,
            "ServerVersion": setup.engine_version,
            "NCPU": setup.nano_cpus / 1_000_000_000,
            "MemTotal": setup.memory_bytes,
            "OSType": setup.os,
            "OperatingSystem": "Simulated Linux",
            "KernelVersion": "6.1.0",
            "Architecture": setup.architecture,
            "Images": node.store.len(),
            "Driver": "overlay2",
            "DriverStatus": [],
            "DockerRootDir": "/var/lib/docker",
            "Plugins": {"Volume": ["local"], "Network": ["bridge", "overlay"], "Authorization": null, "Log": ["json-file"]},
            "RegistryConfig": {"InsecureRegistryCIDRs": ["127.0.0.0/8"], "IndexConfigs": {}, "Mirrors": []},
            "Labels": setup.engine_labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>(),
            "SystemTime": self.now.to_string(),
            "Warnings": null,
            "Swarm": swarm,
        })
    }
}
