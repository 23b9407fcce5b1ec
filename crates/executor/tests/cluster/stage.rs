//! A Swarm of one manager, and whoever comes to it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use imgstack_executor::journal::{Journal, Occasion};
use imgstack_executor::lock::{Claim, Lock, LockError, Pace, acquire, config_name};
use imgstack_executor::{Credentials, Event, Outcome, apply};
use imgstack_planner::{Action, Known, Only, RemoveLeftover, Report, StackPlan, Step};
use imgstack_sim::swarm::{NodeSetup, Role};
use imgstack_sim::{Layout, World};
use imgstack_spec::{Stack, StackName};
use imgstack_swarm::{Config, Manager, Target};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Many heartbeats are missed before a holder counts as gone: a machine that is
/// busy elsewhere is no dead holder.
pub const PACE: Pace = Pace {
    heartbeat: Duration::from_millis(100),
    stale: Duration::from_millis(1_500),
    look: Duration::from_millis(20),
};

pub struct Stage {
    pub world: World,
    pub manager: Manager,
    pub stack: StackName,
    pub told: Mutex<Vec<Event>>,
    _folder: TempDir,
}

impl Stage {
    pub async fn new() -> Self {
        let mut layout = Layout::new(Timestamp::now(), SignedDuration::ZERO, 1);
        layout.add_node(NodeSetup {
            hostname: "host-1".to_owned(),
            role: Role::Manager,
            engine_version: "20.10.24".to_owned(),
            ..NodeSetup::default()
        });
        let folder = tempfile::tempdir().unwrap();
        let world = layout.start(folder.path()).await.unwrap();
        let target = Target {
            endpoint: format!("unix://{}", world.socket("host-1").display())
                .parse()
                .unwrap(),
            tls: None,
            source: "a test".to_owned(),
        };
        Self {
            manager: Manager::connect(&target).await.unwrap(),
            world,
            stack: "Shop".parse().unwrap(),
            told: Mutex::default(),
            _folder: folder,
        }
    }

    /// Somebody wants the lock.
    pub async fn lock_for(&self, owner: &str, wait: Duration) -> Result<Lock, LockError> {
        self.lock_until(owner, wait, &CancellationToken::new())
            .await
    }

    pub async fn lock_until(
        &self,
        owner: &str,
        wait: Duration,
        cancel: &CancellationToken,
    ) -> Result<Lock, LockError> {
        let claim = Claim {
            owner: owner.to_owned(),
            host: "host-1".to_owned(),
            process: 17,
            command: "imgstack apply".to_owned(),
        };
        let tell = |event| self.told.lock().unwrap().push(event);
        let (manager, stack) = (&self.manager, &self.stack);
        acquire(manager, stack, &claim, wait, PACE, cancel, &tell).await
    }

    /// The lock as a config.
    pub async fn config(&self) -> Option<Config> {
        self.manager
            .config(&config_name(&self.stack))
            .await
            .unwrap()
    }

    /// Does these steps under the lock.
    pub async fn apply(&self, steps: Vec<Step>, lock: &Lock) -> Outcome {
        let cancel = CancellationToken::new();
        self.apply_until(steps, lock, &cancel, |_| {}).await
    }

    /// As [`Stage::apply`], with somebody who listens.
    pub async fn apply_until(
        &self,
        steps: Vec<Step>,
        lock: &Lock,
        cancel: &CancellationToken,
        hear: impl Fn(&Event) + Sync,
    ) -> Outcome {
        let world = imgstack_executor::World {
            manager: &self.manager,
            engines: &BTreeMap::new(),
            credentials: &Credentials::default(),
            parallelism: 1,
            owner: "a test".to_owned(),
        };
        let occasion = Occasion {
            owner: "ann".to_owned(),
            host: "ci-1".to_owned(),
            command: "imgstack apply".to_owned(),
            imgstack_version: "0.1.0".to_owned(),
            commit: None,
        };
        let tell = |event: Event| {
            hear(&event);
            self.told.lock().unwrap().push(event);
        };
        apply(&self.plan(steps), &world, lock, &occasion, cancel, &tell).await
    }

    fn plan(&self, steps: Vec<Step>) -> StackPlan {
        StackPlan {
            stack: Stack {
                name: self.stack.clone(),
                endpoint: None,
                registries: Vec::new(),
                images: Vec::new(),
                nodes: Vec::new(),
                services: Vec::new(),
            },
            endpoint: "a test".to_owned(),
            cluster: Known::Known("c1".to_owned()),
            targets: Vec::new(),
            only: Only::Everything,
            retry_failed: false,
            images: Vec::new(),
            steps,
            report: Report::default(),
            holdings: Vec::new(),
            seen: BTreeMap::new(),
            hash: "9f2c".to_owned(),
        }
    }

    /// All requests so far, but heartbeats.
    pub fn asked(&self) -> Vec<String> {
        let configs = self.world.engines.read(|cluster| cluster.configs());
        let lock = configs
            .iter()
            .find(|it| it["Spec"]["Name"] == config_name(&self.stack));
        let by_id = lock.map(|it| format!("/configs/{}", it["ID"].as_str().unwrap()));
        let is_beat = |path: &str| by_id.as_ref().is_some_and(|id| path.contains(id));
        let entries = self.world.server.record.entries();
        let entries = entries.iter().filter(|it| !is_beat(&it.path));
        entries
            .map(|it| format!("{} {}", it.method, it.path))
            .collect()
    }

    pub async fn journal(&self) -> Journal {
        Journal::read(&self.manager, &self.stack).await.unwrap()
    }

    /// The kinds of event so far.
    pub fn kinds(&self) -> Vec<String> {
        let told = self.told.lock().unwrap();
        let kind = |event| {
            let event = serde_json::to_value(event).unwrap();
            event["type"].as_str().unwrap().to_owned()
        };
        told.iter().map(kind).collect()
    }
}

/// Steps that are done by asking the manager alone: removals of services that
/// are gone already.
pub fn steps(count: usize) -> Vec<Step> {
    let step = |number: usize| {
        let left = RemoveLeftover {
            service: format!("left-{number}").parse().unwrap(),
            service_id: format!("gone-{number}"),
        };
        Step::new(Action::RemoveLeftover(left), Vec::new(), Vec::new())
    };
    (0..count).map(step).collect()
}
