//! `imgstack rebuild` as a user runs it, on a simulated GitHub and its registry.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use imgstack_sim::github::{GitHub, Repository, Script, Step, Token, Workflow};
use imgstack_sim::registry::{Build, Manner, Registry, Settings, User};
use imgstack_sim::{Fault, Layout, Trigger, World};
use jiff::{SignedDuration, Timestamp};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Handle;

const PROGRAM: &str = env!("CARGO_BIN_EXE_imgstack");
const FILE: &str = "build.yml";
const IMAGE: &str = "acme/stacks/db";
/// For GHCR, and for the workflow.
const PULLS: &str = "ghp_mArKeD0pulls";
const STARTS: &str = "github_pat_mArKeD0starts";

const SPEC: &str = "apiVersion: imgstack.dev/v1alpha1
kind: ImageStack
metadata: {name: stacks}
spec:
  registries:
    - {host: ghcr.io, username: acme, password: {env: GHCR_PAT}}
  images:
    - name: database
      repository: ghcr.io/acme/stacks/db
      tag: '16'
      build:
        context: db
        github: {repository: acme/stacks, workflow: build.yml}
    - {name: cache, repository: ghcr.io/acme/stacks/cache, tag: '7', build: {context: cache}}
    - {name: proxy, repository: ghcr.io/acme/stacks/proxy, tag: '1'}
";

/// A GitHub with a workflow, its registry, and a user.
struct Stage {
    world: World,
    github: GitHub,
    registry: Registry,
    before: String,
    folder: TempDir,
    runtime: Handle,
}

/// The steps of a job that builds and pushes.
fn steps() -> Vec<Step> {
    vec![Step::new("Check out", 1), Step::new("Build and push", 1)]
}

impl Stage {
    fn new() -> Self {
        Self::with(steps(), |workflow| {
            workflow.inputs.insert("imgstack".to_owned(), false);
            workflow.run_name = Some("Build (${{ inputs.imgstack }})".to_owned());
        })
    }

    /// With that workflow, in a thread of its own.
    fn with(steps: Vec<Step>, change: impl Fn(&mut Workflow) + Send + 'static) -> Self {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let stage = Self::build(steps, change).await;
                let stop = stage.world.server.stop.clone();
                sender.send(stage).unwrap();
                stop.cancelled().await;
            });
        });
        receiver.recv().unwrap()
    }

    async fn build(steps: Vec<Step>, change: impl Fn(&mut Workflow)) -> Self {
        let mut layout = Layout::new(Timestamp::now(), SignedDuration::ZERO, 1);
        let registry = layout.add_registry("ghcr.io", Settings::new(Manner::Ghcr));
        registry.add_user(User::reader("acme", PULLS, "acme"));
        let github = layout.add_github(Some(&registry));
        let pushed = registry.clone();
        let mut script = Script::new("build", steps).then(move |run| {
            push(&pushed, run.sha.get(..7).unwrap());
        });
        script.queued = Duration::from_secs(1);
        let mut workflow = Workflow::new("Build", script);
        change(&mut workflow);
        github.add_repository(Repository::new("acme", "stacks").with(FILE, workflow));
        github.set_head("acme", "stacks", "main", &"abc1234".repeat(6)[..40]);
        github.add_token(Token::classic("acme", PULLS, &["read:packages"]));
        let repositories = ["acme/stacks"];
        let token =
            |secret, permission| Token::fine_grained("acme", secret, &repositories, &[permission]);
        github.add_token(token(STARTS, "actions:write"));
        github.add_token(token("github_pat_mArKeD0reads", "actions:read"));
        let before = push(&registry, "9b1d2e7");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("imgstack.yaml"), SPEC).unwrap();
        Self {
            world: layout.start(folder.path()).await.unwrap(),
            github,
            registry,
            before,
            folder,
            runtime: Handle::current(),
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .arg("rebuild")
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", "/nowhere")
            .env("IMGSTACK_ENDPOINTS", self.world.endpoints())
            .env("GHCR_PAT", PULLS)
            .env("GH_TOKEN", STARTS)
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Said {
        Said::of(self.command(args).output().unwrap())
    }

    /// How often anything was asked to start.
    fn starts(&self) -> usize {
        let entries = self.world.server.record.entries();
        let starts = entries.iter().filter(|it| it.path.ends_with("/dispatches"));
        starts.count()
    }

    fn now(&self) -> String {
        self.registry.digest(IMAGE, "16").unwrap()
    }
}

/// Pushes a build of that commit; its digest.
fn push(registry: &Registry, sha: &str) -> String {
    let build = Build::new(IMAGE, sha, Timestamp::now());
    let tags = ["16", &format!("16-{sha}")];
    registry.push_build(&build, &tags).digest
}

/// The first digits of a digest, as people see them.
fn short(digest: &str) -> &str {
    &digest[..19]
}

/// How the program ended, and what it said.
struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Said {
    #[track_caller]
    fn of(output: Output) -> Self {
        let said = Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!said.all().contains("mArKeD"), "{}", said.all());
        said
    }

    fn all(&self) -> String {
        format!("--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr)
    }

    #[track_caller]
    fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.all());
        self
    }

    /// All of these, on however many lines, each after the one before.
    #[track_caller]
    fn says(&self, words: &[&str]) {
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let all = flat(&format!("{}\n{}", self.stderr, self.stdout));
        let mut rest = all.as_str();
        for word in words {
            let at = rest.find(&flat(word));
            let at = at.unwrap_or_else(|| panic!("`{word}` does not follow in:\n{}", self.all()));
            rest = &rest[at..];
        }
    }
}

#[test]
fn an_image_is_built_anew_and_followed() {
    let stage = Stage::new();
    let said = stage.run(&["database"]).ends(0);
    let run = &stage.github.runs()[0];
    let link = format!("https://github.com/acme/stacks/actions/runs/{}", run.id);
    let (before, now) = (stage.before.clone(), stage.now());
    assert_ne!(before, now);
    said.says(&[
        "image.database: Starting build.yml of acme/stacks on main, with GH_TOKEN in the environment...",
        &format!("image.database: Started: {link}"),
        "build: Check out succeeded after 1s",
        "build: Build and push succeeded after 1s",
        "build: succeeded after 2s",
        "image.database ghcr.io/acme/stacks/db:16",
        &format!("was {}…", short(&before)),
        &format!("is {}… run 1, 3s", short(&now)),
        "Rebuilt. To roll it out: imgstack plan",
    ]);
    assert_eq!(stage.starts(), 1);
    assert!(run.inputs["imgstack"].starts_with("imgstack-"));
    assert!(!said.stdout.contains("Starting"), "{}", said.all());
}

#[test]
fn a_run_that_github_does_not_tell_is_found() {
    let stage = Stage::new();
    stage.github.set_run_details(false);
    // Somebody starts another one at the same time.
    let entered = stage.runtime.enter();
    let repository = ("acme", "stacks");
    let other = stage
        .github
        .start(repository, FILE, "workflow_dispatch", "main");
    drop(entered);
    let said = stage.run(&["image.database"]).ends(0);
    let runs = stage.github.runs();
    assert_eq!((runs.len(), other), (2, Some(runs[0].id)));
    said.says(&[
        "Started; GitHub does not say which run it is. Looking for it...",
        &format!(
            "Started: https://github.com/acme/stacks/actions/runs/{}",
            runs[1].id
        ),
        "run 2",
        "Rebuilt.",
    ]);
    assert_eq!(stage.starts(), 1);
}

#[test]
fn a_start_whose_answer_is_lost_is_not_repeated() {
    let stage = Stage::new();
    let faults = &stage.world.server.faults;
    faults.set(Trigger::once("POST", "/dispatches"), Fault::Cut);
    let said = stage.run(&["database"]).ends(0);
    let runs = stage.github.runs();
    assert_eq!((runs.len(), stage.starts()), (1, 1));
    said.says(&[
        "GitHub's answer was lost. Looking whether there is a run...",
        &format!(
            "Started: https://github.com/acme/stacks/actions/runs/{}",
            runs[0].id
        ),
        "Rebuilt.",
    ]);
}

#[test]
fn a_workflow_that_takes_no_input_is_followed_all_the_same() {
    let stage = Stage::with(steps(), |_| {});
    stage.github.set_run_details(false);
    let said = stage.run(&["database"]).ends(0);
    said.says(&["Looking for it...", "Started: https://", "Rebuilt."]);
    // The first was refused for its input.
    assert_eq!((stage.github.runs().len(), stage.starts()), (1, 2));
}

#[test]
fn a_job_that_fails_says_where_and_why() {
    let log = ["#7 RUN pip install patroni==9", "ERROR: no such version"];
    let steps = vec![
        Step::new("Check out", 1),
        Step::failing("Build and push", 1, &log),
        Step::new("Sign", 1),
    ];
    let stage = Stage::with(steps, |workflow| {
        workflow.inputs.insert("imgstack".to_owned(), false);
    });
    let said = stage.run(&["database"]).ends(1);
    let url = format!(
        "https://github.com/acme/stacks/actions/runs/{}",
        stage.github.runs()[0].id
    );
    said.says(&[
        "build: Check out succeeded after 1s",
        "build: Build and push failed after 1s",
        "build: failed after 2s",
        "Error: image.database: run 1 of build.yml failed",
        "build: Build and push failed",
        "│ #7 RUN pip install patroni==9",
        "│ ERROR: no such version",
        "│ Process completed with exit code 1.",
        &format!("see {url}"),
    ]);
    assert_eq!(said.stdout, "");
    assert!(!said.all().contains("Cleaning up"), "{}", said.all());
    assert_eq!(stage.now(), stage.before);

    // The same for a program: one document, and nothing else.
    let said = stage.run(&["database", "-o", "json"]).ends(1);
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    let rebuild = &document["rebuild"];
    assert_eq!(document["formatVersion"], "1.0");
    assert_eq!(rebuild["image"], "database");
    assert_eq!(rebuild["run"]["conclusion"], "failure");
    assert_eq!(rebuild["before"], stage.before);
    let outcome = &rebuild["outcome"];
    assert_eq!(
        (&outcome["is"], &outcome["jobs"][0]["step"]),
        (&"failed".into(), &"Build and push".into())
    );
    let log = outcome["jobs"][0]["log"].as_array().unwrap();
    assert!(log.contains(&"ERROR: no such version".into()), "{log:?}");
}

#[test]
fn a_token_that_may_not_start_workflows_is_told_what_it_takes() {
    let stage = Stage::new();
    let mut command = stage.command(&["database"]);
    command.env("GH_TOKEN", "github_pat_mArKeD0reads");
    let said = Said::of(command.output().unwrap()).ends(1);
    said.says(&[
        "Error: the credential from GH_TOKEN in the environment may not start workflows of acme/stacks (HTTP 403: Resource not accessible by personal access token",
        "help: give the token the permission `Actions: read and write` for acme/stacks, in GitHub's list of fine-grained tokens; or put another one into GH_TOKEN",
    ]);
    // Nor may the one that pulls, and that is seen without trying.
    let mut command = stage.command(&["database"]);
    command.env_remove("GH_TOKEN");
    let said = Said::of(command.output().unwrap()).ends(1);
    said.says(&[
        "Error: no credential was found that may start workflows of acme/stacks: the one from GHCR_PAT in the environment has no scope `repo`",
        "help: export GH_TOKEN with a fine-grained token for acme/stacks with the permission `Actions: read and write`, or a classic one with the scope `repo`, or log in with: gh auth login",
    ]);
    assert_eq!((stage.github.runs().len(), stage.starts()), (0, 1));
}

#[test]
fn who_does_not_stay_is_told_where_the_run_is() {
    let stage = Stage::new();
    let said = stage.run(&["database", "--no-follow"]).ends(0);
    let link = format!(
        "https://github.com/acme/stacks/actions/runs/{}",
        stage.github.runs()[0].id
    );
    assert_eq!(said.stdout, format!("The run goes on: {link}\n"));
    let said = stage.run(&["database", "-no-follow", "-o", "json"]).ends(0);
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    let rebuild = &document["rebuild"];
    assert_eq!(rebuild["outcome"]["is"], "started");
    assert_eq!(rebuild["run"]["id"], stage.github.runs()[1].id);
}

#[test]
fn an_interrupted_watch_leaves_the_run_alone() {
    let stage = Stage::new();
    let mut command = stage.command(&["database"]);
    command.stderr(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut heard = String::new();
    while !heard.contains("Started: ") {
        assert_ne!(stderr.read_line(&mut heard).unwrap(), 0, "{heard}");
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    stderr.read_to_string(&mut heard).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{heard}");
    let run = &stage.github.runs()[0];
    let words = "Interrupted; the run goes on:";
    let link = format!("https://github.com/acme/stacks/actions/runs/{}", run.id);
    let end = heard.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(end.ends_with(&format!("{words} {link}")), "{heard}");
    let patience = std::time::Instant::now() + Duration::from_secs(10);
    while stage.now() == stage.before {
        assert!(
            std::time::Instant::now() < patience,
            "the run did not go on"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_run_that_somebody_stops_is_no_build() {
    let steps = vec![Step::new("Build", 60)];
    let stage = Stage::with(steps, |workflow| {
        workflow.inputs.insert("imgstack".to_owned(), false);
    });
    let child = stage
        .command(&["database"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = child.unwrap();
    let patience = std::time::Instant::now() + Duration::from_secs(10);
    while stage.github.runs().is_empty() {
        assert!(std::time::Instant::now() < patience, "nothing was started");
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_secs(2));
    stage.github.cancel(stage.github.runs()[0].id);
    let said = Said::of(child.wait_with_output().unwrap()).ends(1);
    said.says(&[
        "Error: image.database: run 1 of build.yml was cancelled",
        "build: Build was cancelled",
    ]);
}

#[test]
fn programs_read_one_event_a_line() {
    let stage = Stage::new();
    let said = stage.run(&["database", "-o", "ndjson"]).ends(0);
    let lines: Vec<Value> = said
        .stdout
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    let (last, events) = lines.split_last().unwrap();
    let types: Vec<&str> = events
        .iter()
        .map(|it| it["event"]["type"].as_str().unwrap())
        .collect();
    assert_eq!(types[..2], ["starting", "started"], "{types:?}");
    assert!(types.contains(&"stepEnded"), "{types:?}");
    assert_eq!(types.last(), Some(&"jobEnded"));
    assert!(events.iter().all(|it| it["time"].is_string()));
    let rebuild = &last["rebuild"];
    assert_eq!(rebuild["outcome"]["is"], "built");
    assert_eq!(rebuild["outcome"]["digest"], stage.now());
    assert_eq!(rebuild["before"], stage.before);
    assert_eq!(rebuild["run"]["conclusion"], "success");
}

#[test]
fn a_tag_that_stays_where_it_is_is_not_called_a_new_build() {
    let stage = Stage::new();
    let script = Script::new("build", vec![Step::new("Build", 1)]);
    stage.github.set_script("acme", "stacks", FILE, script);
    let said = stage.run(&["database"]).ends(0);
    said.says(&[&format!(
        "image.database: run 1 succeeded after 6s, and ghcr.io/acme/stacks/db:16 leads to {}… as before",
        short(&stage.before)
    )]);
}

/// What a rebuild says if the registry refuses until its run has begun.
fn refused_until_it_runs(args: &[&str]) -> (Said, String) {
    let stage = Stage::new();
    let faults = stage.world.server.faults.clone();
    for method in ["HEAD", "GET"] {
        let trigger = Trigger {
            times: None,
            ..Trigger::once(method, "/v2/acme/stacks/db")
        };
        let fault = Fault::Answer {
            status: 403,
            headers: Vec::new(),
            body: String::new(),
        };
        faults.set(trigger, fault);
    }
    let mut command = stage.command(args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let patience = std::time::Instant::now() + Duration::from_secs(10);
    while stage.github.runs().is_empty() {
        assert!(std::time::Instant::now() < patience, "nothing was started");
        std::thread::sleep(Duration::from_millis(50));
    }
    faults.clear();
    let said = Said::of(child.wait_with_output().unwrap()).ends(0);
    (said, stage.now())
}

#[test]
fn what_the_tag_led_to_before_is_not_guessed() {
    let (said, now) = refused_until_it_runs(&["database"]);
    assert!(!said.all().contains("Rebuilt"), "{}", said.all());
    said.says(&[
        &format!(
            "run 1 succeeded, and ghcr.io/acme/stacks/db:16 leads to {}…",
            short(&now)
        ),
        "whether that is new is not known, since what it led to before could not be read:",
    ]);
    let (said, now) = refused_until_it_runs(&["database", "-o", "json"]);
    let document: Value = serde_json::from_str(&said.stdout).unwrap();
    let rebuild = &document["rebuild"];
    assert_eq!(rebuild["outcome"]["is"], "doubtful", "{rebuild}");
    assert_eq!(rebuild["outcome"]["digest"], now);
    assert_eq!(rebuild["before"], Value::Null);
}

#[test]
fn what_cannot_be_built_anew_is_told_before_anything_is_asked() {
    let stage = Stage::new();
    let table = [
        (
            "databse",
            "Error: there is no image `databse` in the spec help: did you mean `database`?",
        ),
        (
            "web-frontend",
            "help: the images there are: database, cache, proxy",
        ),
        (
            "cache",
            "the image `cache` does not say which workflow builds it help: add to its `build` in the spec: `github: {repository: OWNER/NAME, workflow: build.yml}`",
        ),
        (
            "proxy",
            "help: add to it in the spec: `build: {context: FOLDER, github: {repository: OWNER/NAME, workflow: build.yml}}`",
        ),
    ];
    for (image, words) in table {
        stage.run(&[image]).ends(1).says(&[words]);
    }
    let entries = stage.world.server.record.entries();
    assert!(entries.is_empty(), "{entries:?}");
}
