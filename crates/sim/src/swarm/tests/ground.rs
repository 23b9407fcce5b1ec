//! A small Swarm, a registry that has what it is told, and questions to both.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::swarm::{Cluster, NodeSetup, Role, ServiceUpdate};
use crate::{Behaviour, Image, Pull, PullError, Upstream};

pub(super) const GOOD: &str =
    "reg.test/db:16@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub(super) const NEXT: &str =
    "reg.test/db:16@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
pub(super) const DYING: &str =
    "reg.test/db:16@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd";
pub(super) const SICK: &str =
    "reg.test/db:16@sha256:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee";
pub(super) const ABSENT: &str =
    "reg.test/db:16@sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";

/// Has three builds; one dies at start, one fails its healthcheck.
#[derive(Default)]
pub(super) struct Registry {
    pub(super) asked: Mutex<Vec<String>>,
    pub(super) refuses: Mutex<Option<PullError>>,
}

impl Upstream for Registry {
    fn pull(&self, pull: &Pull<'_>) -> Result<Image, PullError> {
        self.asked
            .lock()
            .unwrap()
            .push(format!("{} {}", pull.node, pull.reference));
        if let Some(error) = self.refuses.lock().unwrap().clone() {
            return Err(error);
        }
        let known = [GOOD, NEXT, DYING, SICK];
        let reference = if pull.reference == "reg.test/db:16" {
            GOOD
        } else {
            pull.reference
        };
        if !known.contains(&reference) {
            return Err(PullError::NotFound("manifest unknown".to_owned()));
        }
        let digest = reference.split_once('@').unwrap().1.to_owned();
        let behaviour = match reference {
            DYING => r#"{"endsAfterMs": 100, "exitCode": 1, "stderr": ["FATAL"]}"#,
            SICK => r#"{"unhealthy": true, "healthAfterMs": 500}"#,
            _ => "{}",
        };
        let healthcheck = (reference == SICK).then(|| json!({"Test": ["CMD", "true"]}));
        Ok(Image {
            repository: "reg.test/db".to_owned(),
            digest: digest.clone(),
            manifest: digest.clone(),
            id: digest,
            compressed: 10 << 20,
            size: 30 << 20,
            config: json!({"config": {
                "Labels": {Behaviour::LABEL: behaviour},
                "Healthcheck": healthcheck,
            }}),
        })
    }
}

/// A Swarm with its registry and a time of its own.
pub(super) struct Ground {
    pub(super) cluster: Cluster,
    pub(super) registry: Arc<Registry>,
    pub(super) now: Timestamp,
}

impl Ground {
    /// A manager `n1` and two workers.
    pub(super) fn new() -> Self {
        Self::of("20.10.24")
    }

    pub(super) fn of(engine: &str) -> Self {
        let now: Timestamp = "2026-02-09T04:00:00Z".parse().unwrap();
        let mut cluster = Cluster::new(7);
        let registry = Arc::new(Registry::default());
        cluster.set_upstream(Arc::clone(&registry) as Arc<dyn Upstream>);
        for number in 1..=3 {
            let role = if number == 1 {
                Role::Manager
            } else {
                Role::Worker
            };
            cluster.add_node(
                now,
                NodeSetup {
                    hostname: format!("n{number}"),
                    role,
                    engine_version: engine.to_owned(),
                    labels: BTreeMap::from([("disk".to_owned(), format!("d{number}"))]),
                    ..NodeSetup::default()
                },
            );
        }
        Self {
            cluster,
            registry,
            now,
        }
    }

    /// Lets seconds pass.
    pub(super) fn pass(&mut self, seconds: f64) -> &mut Self {
        self.now += SignedDuration::try_from_secs_f64(seconds).unwrap();
        self.cluster.advance(self.now);
        self
    }

    /// Lets time pass until it is so, and says how long that took.
    #[track_caller]
    pub(super) fn until(&mut self, what: &str, is: impl Fn(&Cluster) -> bool) -> f64 {
        let start = self.now;
        while !is(&self.cluster) {
            let passed = self.now.duration_since(start).as_secs();
            assert!(
                passed < 600,
                "waited for {what}: {:#?}",
                self.cluster.tasks()
            );
            self.pass(0.01);
        }
        self.now.duration_since(start).as_secs_f64()
    }

    /// Creates `db` with that image; `more` is laid over the spec.
    pub(super) fn create(&mut self, image: &str, more: &Value) -> String {
        let id = self
            .cluster
            .create_service(self.now, spec(image, more), None);
        let id = id.unwrap();
        self.until("the tasks", |cluster| {
            let status = cluster.service_status(&id);
            status["DesiredTasks"] != 0 && status["RunningTasks"] == status["DesiredTasks"]
        });
        id
    }

    /// Changes `db` as it is now.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Value)) {
        let service = self.cluster.service("db").unwrap();
        let mut spec = service["Spec"].clone();
        change(&mut spec);
        let update = ServiceUpdate {
            version: service["Version"]["Index"].as_u64().unwrap(),
            spec,
            ..ServiceUpdate::default()
        };
        self.cluster.update_service(self.now, "db", update).unwrap();
    }

    pub(super) fn roll_to(&mut self, image: &str) {
        self.change(|spec| spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(image));
    }

    /// The updater's word.
    pub(super) fn state(&self) -> String {
        state(&self.cluster)
    }

    /// Until the updater says so.
    #[track_caller]
    pub(super) fn until_state(&mut self, wanted: &str) -> f64 {
        self.until(wanted, |cluster| state(cluster) == wanted)
    }

    /// The images of the tasks that are meant to run and do, by digest's letter.
    pub(super) fn running(&self) -> String {
        let mut running: Vec<String> = tasks(&self.cluster)
            .iter()
            .filter(|task| {
                task["Status"]["State"] == "running" && task["DesiredState"] == "running"
            })
            .map(letter)
            .collect();
        running.sort();
        running.concat()
    }

    /// How many tasks there have been.
    pub(super) fn tasks(&self) -> Vec<Value> {
        tasks(&self.cluster)
    }

    /// The states that the updater has told, in order.
    pub(super) fn told(&self) -> Vec<String> {
        let events = self.cluster.events().iter();
        let states =
            events.filter_map(|event| event["Actor"]["Attributes"]["updatestate.new"].as_str());
        states.map(str::to_owned).collect()
    }
}

pub(super) fn state(cluster: &Cluster) -> String {
    let service = cluster.service("db").unwrap();
    service["UpdateStatus"]["State"]
        .as_str()
        .unwrap_or("none")
        .to_owned()
}

pub(super) fn tasks(cluster: &Cluster) -> Vec<Value> {
    let mut tasks = cluster.tasks();
    tasks.sort_by_key(|task| task["Version"]["Index"].as_u64());
    tasks
}

fn letter(task: &Value) -> String {
    let image = task["Spec"]["ContainerSpec"]["Image"].as_str().unwrap();
    image[image.len() - 1..].to_owned()
}

/// A spec of `db`, quick to watch.
pub(super) fn spec(image: &str, more: &Value) -> Value {
    let mut spec = json!({
        "Name": "db",
        "TaskTemplate": {"ContainerSpec": {"Image": image}, "RestartPolicy": {"Delay": 1_000_000_000}},
        "Mode": {"Replicated": {"Replicas": 3}},
        "UpdateConfig": {"Parallelism": 1, "Monitor": 2_000_000_000_u64},
        "RollbackConfig": {"Parallelism": 1, "Monitor": 1_000_000_000},
    });
    lay(&mut spec, more);
    spec
}

fn lay(below: &mut Value, above: &Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (key, value) in above {
                lay(below.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above.clone(),
    }
}
