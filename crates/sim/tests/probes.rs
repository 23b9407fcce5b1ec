//! Questions to the tasks of a simulated Swarm, by the product's own client.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use imgstack_sim::registry::{Build, Manner, Settings};
use imgstack_sim::swarm::{NodeSetup, Role};
use imgstack_sim::{Behaviour, Layout, Program, World};
use imgstack_spec::Question;
use imgstack_swarm::probe::{Answer, Asked, Asker};
use imgstack_swarm::{Manager, Node, Target, Task, TaskState};
use jiff::SignedDuration;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;

const WITHIN: Duration = Duration::from_secs(5);

/// One node, on which a database runs.
struct Stage {
    world: World,
    manager: Manager,
    task: Task,
    node: Node,
    _folder: TempDir,
}

impl Stage {
    async fn new(programs: Vec<Program>) -> Self {
        let now = "2026-02-09T04:00:00Z".parse().unwrap();
        let mut layout = Layout::new(now, SignedDuration::from_hours(1), 1);
        layout.add_node(NodeSetup {
            hostname: "n1".to_owned(),
            role: Role::Manager,
            ..NodeSetup::default()
        });
        let registry = layout.add_registry("ghcr.io", Settings::new(Manner::Ghcr));
        registry.set_public("acme/db", true);
        let mut build = Build::new("acme/db", "abc1234", now);
        build.behaviour = Behaviour {
            programs,
            ..Behaviour::default()
        };
        registry.push_build(&build, &["16"]);
        let image = json!({"ContainerSpec": {"Image": "ghcr.io/acme/db:16"}});
        let spec =
            json!({"Name": "db", "TaskTemplate": image, "Mode": {"Replicated": {"Replicas": 1}}});
        layout.add_service(spec, None).unwrap();
        layout.pass(SignedDuration::from_mins(30));
        let folder = tempfile::tempdir().unwrap();
        let world = layout.start(folder.path()).await.unwrap();
        let target = Target {
            endpoint: format!("unix://{}", world.socket("n1").display())
                .parse()
                .unwrap(),
            tls: None,
            source: "a test".to_owned(),
        };
        let manager = Manager::connect(&target).await.unwrap();
        let task = manager.all_tasks().await.unwrap().remove(0);
        assert_eq!(task.state, TaskState::Running, "{task:?}");
        let node = manager.nodes().await.unwrap().remove(0);
        Self {
            world,
            manager,
            task,
            node,
            _folder: folder,
        }
    }

    async fn ask(&self, command: &[&str]) -> Answer {
        let words = command.iter().map(|word| word.parse().unwrap());
        let question = Question::Exec(words.collect());
        let asked = Asked {
            task: &self.task,
            node: &self.node,
        };
        Asker::new(&self.manager, [])
            .ask(&question, WITHIN, &asked)
            .await
    }
}

fn program(command: &[&str], exit_code: i64, ends_after_ms: u64) -> Program {
    Program {
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        ends_after_ms,
        exit_code,
        stdout: vec![format!("ends with {exit_code}")],
        stderr: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_program_does_what_its_image_says_or_a_story() {
    let slow = program(&["pg_isready", "--slot=1"], 0, 4000);
    let stage = Stage::new(vec![slow, program(&["leads"], 1, 0)]).await;
    let start = Instant::now();
    assert_eq!(
        stage.ask(&["pg_isready", "--slot={task.slot}"]).await,
        Answer::Yes
    );
    assert!(start.elapsed() >= Duration::from_secs(4));
    let no = Answer::No("`leads` ended with 1: ends with 1".to_owned());
    assert_eq!(stage.ask(&["leads"]).await, no);

    // Leadership moves, and then the program takes for ever.
    let engines = &stage.world.engines;
    engines.set_program("db", program(&["leads"], 0, 0));
    engines.set_program("other", program(&["leads"], 7, 0));
    assert_eq!(stage.ask(&["leads"]).await, Answer::Yes);
    engines.set_program("db", program(&["leads"], 0, 60_000));
    let silent = Answer::Silent("`leads` was not done within 5 s".to_owned());
    assert_eq!(stage.ask(&["leads"]).await, silent);

    let missing = stage.ask(&["leads", "--really"]).await;
    assert!(matches!(missing, Answer::Silent(_)), "{missing:?}");
}
