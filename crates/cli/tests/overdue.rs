//! A weekly build that did not come, as `imgstack plan` tells of it, with what
//! a simulated GitHub knows.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use imgstack_sim::github::{GitHub, Repository, Script, Step, Token, Workflow};
use imgstack_sim::registry::{Build, Manner, Registry, Settings};
use imgstack_sim::swarm::{NodeSetup, Role};
use imgstack_sim::{Layout, World};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio::runtime::Handle;

const PROGRAM: &str = env!("CARGO_BIN_EXE_imgstack");
const FILE: &str = "build.yml";
const TOKEN: &str = "github_pat_mArKeD0reads";

/// A Swarm of one node, an image that is nine days old, and its workflow.
struct Stage {
    world: World,
    github: GitHub,
    folder: TempDir,
    runtime: Handle,
}

impl Stage {
    /// In a thread of its own, with a workflow of that one step.
    fn new(step: Step, build: &'static str) -> Self {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let stage = Self::build(step, build).await;
                let stop = stage.world.server.stop.clone();
                sender.send(stage).unwrap();
                stop.cancelled().await;
            });
        });
        receiver.recv().unwrap()
    }

    async fn build(step: Step, build: &str) -> Self {
        let now = Timestamp::now();
        let mut layout = Layout::new(now, SignedDuration::ZERO, 1);
        layout.add_node(NodeSetup {
            hostname: "n1".to_owned(),
            role: Role::Manager,
            ..NodeSetup::default()
        });
        let registry: Registry = layout.add_registry("ghcr.io", Settings::new(Manner::Ghcr));
        registry.set_public("acme/db", true);
        let old = now - SignedDuration::from_hours(9 * 24 + 1);
        registry.push_build(&Build::new("acme/db", "9b1d2e7", old), &["16"]);
        let github = layout.add_github(Some(&registry));
        let script = Script {
            queued: Duration::ZERO,
            ..Script::new("build", vec![step])
        };
        let workflow = Workflow::new("Build", script);
        github.add_repository(Repository::new("acme", "db").with(FILE, workflow));
        github.set_head("acme", "db", "main", &"abc1234".repeat(6)[..40]);
        let may = ["actions:read"];
        github.add_token(Token::fine_grained("acme", TOKEN, &["acme/db"], &may));
        let folder = tempfile::tempdir().unwrap();
        let world = layout.start(folder.path()).await.unwrap();
        let socket = world.socket("n1");
        let spec = format!(
            "apiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\nmetadata: {{name: db}}\n\
             spec:\n  swarm: {{endpoint: \"unix://{}\"}}\n  images:\n    - name: db\n      \
             repository: ghcr.io/acme/db\n      tag: '16'\n      {build}\n",
            socket.display()
        );
        std::fs::write(folder.path().join("imgstack.yaml"), spec).unwrap();
        Self {
            world,
            github,
            folder,
            runtime: Handle::current(),
        }
    }

    /// A run of the workflow, as its schedule starts it; its link.
    fn start(&self) -> String {
        let _entered = self.runtime.enter();
        let id = self.github.start(("acme", "db"), FILE, "schedule", "main");
        format!("https://github.com/acme/db/actions/runs/{}", id.unwrap())
    }

    /// What `imgstack plan` says, on one line.
    fn plan(&self, variables: &[(&str, &str)]) -> String {
        let output = Command::new(PROGRAM)
            .arg("plan")
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", "/nowhere")
            .env("IMGSTACK_ENDPOINTS", self.world.endpoints())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        assert_eq!(output.status.code(), Some(0), "{stdout}\n{stderr}");
        assert!(!stdout.contains("mArKeD"), "{stdout}");
        stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The questions about the workflow's runs.
    fn asked(&self) -> usize {
        let entries = self.world.server.record.entries();
        let runs = entries.iter().filter(|it| it.path.contains("/runs"));
        runs.count()
    }
}

const WEEKLY: &str = "build: {context: ., github: {repository: acme/db, workflow: build.yml}, schedule: 0 4 * * 1, maximumAge: 8d}";
const READS: &[(&str, &str)] = &[("GH_TOKEN", TOKEN)];
const OVERDUE: &str = "! image.db: the build is 9 days old, and `maximumAge` is 8 days: the scheduled build did not come; ";

#[track_caller]
fn says(text: &str, words: &str) {
    assert!(text.contains(words), "`{words}` is not in:\n{text}");
}

#[test]
fn the_last_run_is_named_with_its_link() {
    let stage = Stage::new(
        Step::failing("Build and push", 1, &["no space left"]),
        WEEKLY,
    );
    says(
        &stage.plan(READS),
        &format!("{OVERDUE}build.yml has not run yet"),
    );
    assert_eq!(stage.asked(), 1);
    let link = stage.start();
    let going_on =
        format!("{OVERDUE}a run of build.yml has been going on for less than a minute: {link}");
    says(&stage.plan(READS), &going_on);
    std::thread::sleep(Duration::from_millis(1500));
    let failed =
        format!("{OVERDUE}the last run of build.yml failed, less than a minute ago: {link}");
    let plan = stage.plan(READS);
    says(&plan, &failed);
    says(&plan, "help: imgstack rebuild db");
}

#[test]
fn a_run_that_succeeded_and_moved_nothing_is_told_too() {
    let stage = Stage::new(Step::new("Build and push", 1), WEEKLY);
    let link = stage.start();
    std::thread::sleep(Duration::from_millis(1500));
    let words = "the last run of build.yml succeeded less than a minute ago, all the same";
    says(&stage.plan(READS), &format!("{OVERDUE}{words}: {link}"));
}

#[test]
fn what_github_does_not_tell_is_said_and_holds_nothing_up() {
    let stage = Stage::new(Step::new("Build and push", 1), WEEKLY);
    let unknown = format!("{OVERDUE}what became of the last run of build.yml is not known: ");
    let plan = stage.plan(&[]);
    says(&plan, &unknown);
    says(&plan, "No changes.");
    assert_eq!(stage.asked(), 0);
    stage.github.revoke_token(TOKEN);
    says(&stage.plan(READS), &unknown);
}

#[test]
fn github_is_asked_only_where_a_build_is_overdue() {
    let young =
        "build: {context: ., github: {repository: acme/db, workflow: build.yml}, maximumAge: 10d}";
    let elsewhere = "build: {context: ., maximumAge: 8d}";
    for build in [young, elsewhere] {
        let stage = Stage::new(Step::new("Build and push", 1), build);
        stage.plan(READS);
        let entries = stage.world.server.record.entries();
        let of_github = entries.iter().filter(|it| it.server == "api.github.com");
        assert_eq!(of_github.count(), 0, "{build}");
    }
}
