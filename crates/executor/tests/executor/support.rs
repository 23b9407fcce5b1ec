//! Services, tasks and a plan, spelled in a few words.
//!
//! A service is read once before the step begins and once before each sending,
//! then once a look; tasks are read once before the step begins, then once a
//! look. Scripts of answers follow this.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use imgstack_executor::{Credentials, Event, Failure, Outcome, StepOutcome, execute};
use imgstack_planner::{
    Action, Change, Known, Only, Report, Restarts, Seen, SettingsChange, StackPlan, Step, StepId,
    UpdateService,
};
use imgstack_spec::{Address, FailureAction, NodeName, Stack, UpdateOrder};
use imgstack_swarm::{Manager, NodeEngine, open_fields, spec_digest};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::scripted::{Engine, Reply, Request};

pub const LABEL: &str = "dev.imgstack.plan";
pub const PLAN: &str = "9f2c";
pub const WEB: &str = "GET /services/id-web";
pub const UPDATE_WEB: &str = "POST /services/id-web/update";
pub const TASKS: &str = "GET /tasks";
pub const EVENTS: &str = "GET /events";

/// An image whose digest is one hexadecimal digit over and over.
pub fn image(digit: char) -> String {
    let hex: String = std::iter::repeat_n(digit, 64).collect();
    format!("ghcr.io/acme/web:1@sha256:{hex}")
}

pub fn old() -> String {
    image('a')
}

pub fn new() -> String {
    image('b')
}

pub fn service_address(name: &str) -> Address {
    Address::Service(name.parse().unwrap())
}

/// The spec that was planned from.
pub fn spec(name: &str) -> Value {
    json!({
        "Name": name,
        "Labels": {"com.docker.stack.namespace": "shop"},
        "TaskTemplate": {"ContainerSpec": {"Image": old(), "Env": ["A=1"]}, "ForceUpdate": 0},
        "Mode": {"Replicated": {"Replicas": 1}},
    })
}

/// What the plan makes of it.
pub fn planned_spec(name: &str) -> Value {
    let mut spec = spec(name);
    spec["TaskTemplate"]["ContainerSpec"]["Image"] = json!(new());
    spec["Labels"][LABEL] = json!(PLAN);
    spec
}

pub fn service(version: u64, spec: &Value) -> Value {
    let id = format!("id-{}", spec["Name"].as_str().unwrap());
    json!({"ID": id, "Version": {"Index": version}, "Spec": spec})
}

/// `web` as it was planned from.
pub fn before(version: u64) -> Value {
    service(version, &spec("web"))
}

/// `web` as the plan makes it.
pub fn after(version: u64) -> Value {
    service(version, &planned_spec("web"))
}

/// The same service, with the words of the updater.
pub fn with_status(mut service: Value, state: &str, message: &str) -> Value {
    service["UpdateStatus"] = json!({"State": state, "Message": message});
    service
}

/// A task of `web`; Swarm wants it for as long as it has not ended.
pub fn task(id: &str, image: &str, state: &str) -> Value {
    let desired = match state {
        "failed" | "rejected" | "complete" | "shutdown" => "shutdown",
        _ => "running",
    };
    json!({
        "ID": id, "ServiceID": "id-web", "Slot": 1, "NodeID": "n1", "DesiredState": desired,
        "Spec": {"ContainerSpec": {"Image": image}},
        "Status": {"State": state, "Message": state},
    })
}

/// The same task, with what its node says about its end.
pub fn with_error(mut task: Value, error: &str, exit_code: i64) -> Value {
    task["Status"]["Err"] = json!(error);
    task["Status"]["ContainerStatus"] = json!({"ContainerID": "c1", "ExitCode": exit_code});
    task
}

/// One answer after another.
pub fn says(answers: &[Value]) -> Vec<Reply> {
    let answer = |answer: &Value| Reply::Json(200, answer.clone());
    answers.iter().map(answer).collect()
}

/// The engine's no.
pub fn refusal(status: u16, message: &str) -> Reply {
    Reply::Json(status, json!({"message": message}))
}

/// Events of `web`, so many.
pub fn events(count: usize) -> Vec<Vec<u8>> {
    let actor = json!({"ID": "id-web", "Attributes": {"name": "web"}});
    let event = json!({"Type": "service", "Action": "update", "Actor": actor});
    vec![format!("{event}\n").into_bytes(); count]
}

/// An engine, and a plan for services that it may know.
pub struct World {
    pub engine: Engine,
    pub plan: StackPlan,
    pub credentials: Credentials,
    /// Engines of nodes that were reached.
    pub engines: BTreeMap<NodeName, NodeEngine>,
    pub cancel: CancellationToken,
    /// The kind of event at which somebody asks to stop.
    pub cancel_at: Option<&'static str>,
    /// How much is done at once.
    pub width: usize,
}

/// What was told, and how it ended.
pub struct Told {
    pub events: Vec<Event>,
    pub outcome: Outcome,
    /// How long it took, without connecting.
    pub took: Duration,
}

impl World {
    /// A plan that brings these services to the new build, one after another.
    /// The engine has one node and takes every update.
    pub fn planned(names: &[&str]) -> Self {
        let engine = Engine::start();
        let node = json!({
            "ID": "n1", "Spec": {"Role": "manager", "Availability": "active"},
            "Description": {"Hostname": "host-1"}, "Status": {"State": "ready"},
        });
        engine.on("GET /nodes", &says(&[json!([node])]));
        engine.on(TASKS, &says(&[json!([])]));
        engine.on("POST /services", &says(&[json!({})]));
        Self {
            engine,
            plan: plan(names),
            credentials: Credentials::default(),
            engines: BTreeMap::new(),
            cancel: CancellationToken::new(),
            cancel_at: None,
            width: 4,
        }
    }

    /// A plan for `web` alone, which shows these faces one after another.
    pub fn web(faces: &[Value]) -> Self {
        let world = Self::planned(&["web"]);
        world.engine.on(WEB, &says(faces));
        world
    }

    /// What the engine says about tasks, one list after another.
    pub fn tasks(&self, lists: &[Vec<Value>]) -> &Self {
        let lists: Vec<Value> = lists.iter().map(|list| json!(list)).collect();
        self.engine.on(TASKS, &says(&lists));
        self
    }

    /// A task of the old build runs, then one of the new build.
    pub fn tasks_follow(&self) -> &Self {
        self.tasks(&[
            vec![task("t1", &old(), "running")],
            vec![
                task("t1", &old(), "shutdown"),
                task("t2", &new(), "running"),
            ],
        ])
    }

    /// Changes the first step.
    pub fn update(&mut self, change: impl FnOnce(&mut UpdateService)) {
        match &mut self.plan.steps[0].action {
            Action::UpdateService(update) => change(update),
            other => panic!("{other:?} is no update"),
        }
    }

    /// The engine is that of a node, too.
    pub async fn connect_node(&mut self, node: &str) {
        let engine = NodeEngine::connect(&self.engine.target()).await.unwrap();
        self.engines.insert(node.parse().unwrap(), engine);
    }

    pub async fn apply(&self) -> Told {
        let manager = self.engine.connect().await.unwrap();
        let events = Mutex::new(Vec::new());
        let started = Instant::now();
        let tell = |event: Event| {
            if self.cancel_at == Some(kind(&event).as_str()) {
                self.cancel.cancel();
            }
            events.lock().unwrap().push(event);
        };
        let world = self.world(&manager);
        let outcome = execute(&self.plan, &world, &self.cancel, &tell).await;
        Told {
            events: events.into_inner().unwrap(),
            outcome,
            took: started.elapsed(),
        }
    }

    /// Where the plan is carried out.
    pub fn world<'a>(&'a self, manager: &'a Manager) -> imgstack_executor::World<'a> {
        imgstack_executor::World {
            manager,
            engines: &self.engines,
            credentials: &self.credentials,
            parallelism: self.width,
            owner: "a test".to_owned(),
        }
    }

    /// The updates that were sent.
    pub fn sent(&self) -> Vec<Request> {
        self.engine.asked("/update")
    }

    /// The version indexes that they named.
    pub fn sent_versions(&self) -> Vec<String> {
        let version = |request: &Request| {
            let (_, version) = request.line.split_once("version=").unwrap();
            version.split(' ').next().unwrap().to_owned()
        };
        self.sent().iter().map(version).collect()
    }
}

impl Told {
    /// What became of each step.
    pub fn steps(&self) -> Vec<StepOutcome> {
        let steps = self.outcome.steps.iter();
        steps.map(|(_, outcome)| *outcome).collect()
    }

    /// The steps that were begun, in their order.
    pub fn begun(&self) -> Vec<String> {
        let begun = self.events.iter().filter_map(|event| match event {
            Event::StepStarted { step, .. } => Some(step.to_string()),
            _ => None,
        });
        begun.collect()
    }

    /// The one failure.
    pub fn failure(&self) -> &Failure {
        let failures: Vec<&Failure> = self
            .events
            .iter()
            .filter_map(|event| match event {
                Event::StepFailed { failure, .. } => Some(failure.as_ref()),
                _ => None,
            })
            .collect();
        assert_eq!(failures.len(), 1, "{:?}", self.events);
        failures[0]
    }

    /// The kinds of event, in order; progress that is repeated counts once.
    pub fn kinds(&self) -> Vec<String> {
        let mut kinds: Vec<String> = self.events.iter().map(kind).collect();
        kinds.dedup_by(|next, kind| next == kind && kind == "step_progress");
        kinds
    }
}

fn kind(event: &Event) -> String {
    let event = serde_json::to_value(event).unwrap();
    event["type"].as_str().unwrap().to_owned()
}

fn plan(names: &[&str]) -> StackPlan {
    let mut steps: Vec<Step> = names.iter().map(|name| step(name)).collect();
    for (index, name) in names.iter().enumerate().skip(1) {
        steps[index].follows = vec![StepId::update(&names[index - 1].parse().unwrap())];
        assert_eq!(steps[index].id, StepId::update(&name.parse().unwrap()));
    }
    let seen = |name: &&str| (name.parse().unwrap(), seen(7, &spec(name)));
    StackPlan {
        stack: Stack {
            name: "shop".parse().unwrap(),
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
        seen: names.iter().map(seen).collect(),
        hash: PLAN.to_owned(),
    }
}

/// What a plan remembers of a service.
pub fn seen(version: u64, spec: &Value) -> Seen {
    Seen {
        service_id: format!("id-{}", spec["Name"].as_str().unwrap()),
        version,
        spec_digest: spec_digest(spec),
        fields: open_fields(spec),
    }
}

fn step(name: &str) -> Step {
    let label = Change {
        from: None,
        to: Some(PLAN.to_owned()),
    };
    let update = UpdateService {
        service: name.parse().unwrap(),
        image: Change {
            from: old(),
            to: new(),
        },
        platforms: None,
        settings: SettingsChange::default(),
        labels: BTreeMap::from([(LABEL.to_owned(), label)]),
        restarts: Restarts {
            tasks: 1,
            nodes: vec!["host-1".parse().unwrap()],
        },
        order: UpdateOrder::StopFirst,
        on_failure: FailureAction::Pause,
        monitor_ms: 50,
        timeout_seconds: 2,
        probe: None,
        leader: None,
    };
    let action = Action::UpdateService(Box::new(update));
    Step::new(action, Vec::new(), Vec::new())
}
