//! Where a contract is tried: a world, a name, and the manager's own words.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use imgstack_tests::build::Kind;
use imgstack_tests::loan::{report, sweep_containers};
use imgstack_tests::story::Story;
use imgstack_tests::wire::{Reply, Wire};
use imgstack_tests::world::World;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::service::Service;

/// In nanoseconds, as the Engine API counts.
pub const SECOND: i64 = 1_000_000_000;

/// Where a contract has its tasks that looks at a node's own engine.
pub const ON_2: &str = "node.hostname==docker-infra-2";
/// Where those are that come to a node which has not got their image.
pub const ON_3: &str = "node.hostname==docker-infra-3";

/// The lab is one: whoever drains a node has it alone.
static LAB: RwLock<()> = RwLock::const_new(());

/// A contract's place in the world.
pub struct Stage {
    pub story: Story,
    /// The engine of the manager.
    pub manager: Wire,
    /// Jobs leave containers behind.
    has_jobs: AtomicBool,
    _turn: Turn,
}

/// How a contract shares its world. Held for what its drop does.
#[expect(dead_code, reason = "held, not read")]
enum Turn {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
    /// A simulation is nobody else's.
    Own,
}

impl Stage {
    /// With others beside.
    pub async fn new(world: &World, name: &str) -> Self {
        let turn = match world {
            World::Lab(_) => Turn::Shared(LAB.read().await),
            World::Sim(_) => Turn::Own,
        };
        Self::with(world, name, turn)
    }

    /// With nobody beside: for what concerns all who have tasks.
    pub async fn alone(world: &World, name: &str) -> Self {
        let turn = match world {
            World::Lab(_) => Turn::Alone(LAB.write().await),
            World::Sim(_) => Turn::Own,
        };
        Self::with(world, name, turn)
    }

    fn with(world: &World, name: &str, turn: Turn) -> Self {
        Self {
            story: Story::new(world, &format!("contract-{name}")),
            manager: Wire::engine(&world.socket(1)),
            has_jobs: AtomicBool::new(false),
            _turn: turn,
        }
    }

    pub fn world(&self) -> &World {
        &self.story.world
    }

    /// The engine of a node.
    pub fn engine(&self, node: u8) -> Wire {
        Wire::engine(&self.world().socket(node))
    }

    /// The name of something of this contract's.
    pub fn name(&self, name: &str) -> String {
        self.story.service(name)
    }

    /// Seven digits that stand for `word` in this contract and in no other, so
    /// that no two have one image.
    pub fn sha(&self, word: &str) -> String {
        let hash = Sha256::digest(format!("{} {word}", self.story.name));
        hash.iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()[1..]
            .to_owned()
    }

    /// Pushes a build; the reference to it.
    pub async fn build(&self, kind: Kind, word: &str) -> String {
        let sha = self.sha(word);
        let pushed = self.story.push(kind, &sha).await;
        format!("{}:16-{sha}@{}", self.story.repository(), pushed.digest)
    }

    /// A service of one replica that is watched for a second, and paused when
    /// an update fails; what fails is followed by another after a second.
    pub fn spec(&self, name: &str, image: &str) -> Value {
        let rollout = json!({
            "Parallelism": 1, "Monitor": SECOND, "FailureAction": "pause",
            "MaxFailureRatio": 0, "Order": "stop-first",
        });
        json!({
            "Name": self.name(name),
            "Labels": {},
            "TaskTemplate": {
                "ContainerSpec": {
                    "Image": image, "StopGracePeriod": SECOND, "Isolation": "default",
                },
                "RestartPolicy": {"Condition": "any", "Delay": SECOND, "MaxAttempts": 0},
                "ForceUpdate": 0,
                "Runtime": "container",
            },
            "Mode": {"Replicated": {"Replicas": 1}},
            "UpdateConfig": rollout,
            "RollbackConfig": rollout,
        })
    }

    /// A service that makes every node pull, and no more.
    pub fn prepull(&self, name: &str, image: &str) -> Value {
        json!({
            "Name": self.name(name),
            "TaskTemplate": {
                "ContainerSpec": {
                    "Image": image,
                    "Command": ["/imgstack-prepull"],
                    "Healthcheck": {"Test": ["NONE"]},
                },
                "RestartPolicy": {"Condition": "none"},
            },
            "Mode": {"Global": {}},
        })
    }

    /// Creates a service.
    pub async fn create(&self, spec: &Value) -> Service<'_> {
        self.create_with(spec, None).await
    }

    /// Creates a job. On real nodes its containers outlive it, and are removed
    /// with this contract.
    pub async fn create_job(&self, spec: &Value) -> Service<'_> {
        self.has_jobs.store(true, Ordering::Relaxed);
        self.create(spec).await
    }

    /// Creates a service with a credential for its pulls.
    pub async fn create_with(&self, spec: &Value, auth: Option<&str>) -> Service<'_> {
        let reply = self.post("/services/create", spec, auth).await;
        let id = reply.expect(201).json()["ID"].as_str().unwrap().to_owned();
        Service { stage: self, id }
    }

    /// Creates a service of `replicas` and waits until they run.
    pub async fn running(&self, name: &str, image: &str, replicas: usize) -> Service<'_> {
        let mut spec = self.spec(name, image);
        spec["Mode"]["Replicated"]["Replicas"] = json!(replicas);
        let service = self.create(&spec).await;
        service.runs(replicas).await;
        service
    }

    /// A service of one task on node 2, whatever becomes of it.
    pub async fn on_node_2(&self, name: &str, image: &str) -> Service<'_> {
        let mut spec = self.spec(name, image);
        spec["TaskTemplate"]["Placement"] = json!({"Constraints": [ON_2]});
        self.create(&spec).await
    }

    /// POST to the manager, with a credential in its header.
    pub async fn post(&self, path: &str, body: &Value, auth: Option<&str>) -> Reply {
        let request = self.manager.request(reqwest::Method::POST, path).json(body);
        imgstack_tests::wire::read(match auth {
            Some(auth) => request.header("X-Registry-Auth", auth),
            None => request,
        })
        .await
    }

    /// A list of the manager's, filtered.
    pub async fn list(&self, kind: &str, filters: Value) -> Vec<Value> {
        let path = format!("/{kind}?{}", parameter("filters", &filters.to_string()));
        let reply = self.manager.get(&path).await.expect(200);
        reply.json().as_array().cloned().unwrap()
    }

    /// A node as the manager has it.
    pub async fn node(&self, number: u8) -> Value {
        let path = format!("/nodes/docker-infra-{number}");
        self.manager.get(&path).await.expect(200).json()
    }

    pub async fn node_id(&self, number: u8) -> String {
        let node = self.node(number).await;
        node["ID"].as_str().unwrap().to_owned()
    }

    /// A credential of a user of the private registry.
    pub fn auth(&self, user: &str) -> String {
        auth(user, &self.world().password(user))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The rest goes with the story.
        if let (World::Lab(_), true) = (self.world(), self.has_jobs.load(Ordering::Relaxed)) {
            let job = self.name("job");
            let service = self.world().try_docker_on(1, &["service", "rm", &job]);
            // A contract may have removed it itself.
            drop(service);
            report(
                &format!("the containers of {job} go"),
                sweep_containers(self.world(), &job),
            );
        }
    }
}

/// `X-Registry-Auth`
pub fn auth(user: &str, password: &str) -> String {
    use base64::Engine as _;
    let login = json!({"username": user, "password": password}).to_string();
    base64::prelude::BASE64_URL_SAFE.encode(login)
}

/// `name=value`, encoded.
pub fn parameter(name: &str, value: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair(name, value).finish()
}

/// Looks until there is something.
#[track_caller]
pub fn until<T>(
    what: &str,
    look: impl AsyncFnMut() -> Result<T, String>,
) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    looked(what.to_owned(), caller, look)
}

async fn looked<T>(
    what: String,
    caller: &'static std::panic::Location<'static>,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let start = Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) => assert!(
                start.elapsed() < Duration::from_secs(40),
                "{caller}: waited for {what}: {seen}"
            ),
        }
        pause(30).await;
    }
}

/// Lets so many milliseconds pass.
pub async fn pause(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
