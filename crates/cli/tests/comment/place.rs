//! A GitHub with a pull request, and a workflow that runs for it.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;

use imgstack_sim::github::{GitHub, Repository, Token};
use imgstack_sim::{Layout, World};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_imgstack");
pub const BOT: &str = "github-actions[bot]";
/// Of the workflow: it may comment, and label.
pub const TOKEN: &str = "ghs_mArKeD0workflow";
/// Of the workflow, without what makes labels.
pub const PULLS: &str = "ghs_mArKeD0pulls";
/// Of the workflow, of a fork's pull request for one.
pub const READS: &str = "ghs_mArKeD0reads";
/// Ann's own.
pub const ANN: &str = "ghp_mArKeD0ann";

pub struct Place {
    world: World,
    pub github: GitHub,
    folder: TempDir,
}

impl Place {
    /// `acme/stacks#7`, on a branch of `acme/stacks`.
    pub fn new() -> Self {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let place = Self::build().await;
                let stop = place.world.server.stop.clone();
                sender.send(place).unwrap();
                stop.cancelled().await;
            });
        });
        receiver.recv().unwrap()
    }

    async fn build() -> Self {
        let mut layout = Layout::new(Timestamp::now(), SignedDuration::ZERO, 1);
        let github = layout.add_github(None);
        github.add_repository(Repository::new("acme", "stacks"));
        github.add_member("acme", "ann");
        github.add_pull_request("acme", "stacks", 7);
        let repositories = ["acme/stacks"];
        let token = |secret, permissions: &[&str]| {
            github.add_token(Token::of_workflow(secret, &repositories, permissions));
        };
        token(TOKEN, &["pull_requests:write", "issues:write"]);
        token(PULLS, &["pull_requests:write"]);
        token(READS, &["pull_requests:read"]);
        github.add_token(Token::classic("ann", ANN, &["repo"]));
        let folder = tempfile::tempdir().unwrap();
        let place = Self {
            world: layout.start(folder.path()).await.unwrap(),
            github,
            folder,
        };
        place.event("acme/stacks");
        place
    }

    /// The workflow runs for a branch of that repository.
    pub fn event(&self, head: &str) {
        let repo = |name: &str| json!({"repo": {"full_name": name}});
        let event = json!({"pull_request":
            {"number": 7, "head": repo(head), "base": repo("acme/stacks")}});
        std::fs::write(self.file("event.json"), event.to_string()).unwrap();
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A plan of that case of the golden outputs, changed.
    pub fn plan(&self, case: &str, change: impl Fn(&mut Value)) -> Value {
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/outputs/golden");
        let text = std::fs::read_to_string(format!("{golden}/{case}.json")).unwrap();
        let mut plan: Value = serde_json::from_str(&text).unwrap();
        change(&mut plan);
        std::fs::write(self.file("plan.json"), plan.to_string()).unwrap();
        plan
    }

    pub fn command(&self, args: &[&str], token: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", "/nowhere")
            .env("HOME", self.folder.path())
            .env("IMGSTACK_ENDPOINTS", self.world.endpoints())
            .env("GITHUB_REPOSITORY", "acme/stacks")
            .env("GITHUB_REF", "refs/pull/7/merge")
            .env("GITHUB_EVENT_PATH", self.file("event.json"))
            .env("GITHUB_STEP_SUMMARY", self.file("summary.md"))
            .env("GITHUB_API_URL", "https://api.github.com")
            .env("GITHUB_TOKEN", token)
            .stdin(Stdio::null());
        command
    }

    /// `imgstack comment plan.json`
    pub fn comment(&self) -> Said {
        self.comment_as(TOKEN)
    }

    pub fn comment_as(&self, token: &str) -> Said {
        Said::of(
            self.command(&["comment", "plan.json"], token)
                .output()
                .unwrap(),
        )
    }

    pub fn world(&self) -> &World {
        &self.world
    }

    /// What was asked of GitHub since the last time.
    pub fn requests(&self) -> Vec<String> {
        let record = &self.world.server.record;
        let entries = record.entries();
        record.clear();
        let line = |it: &imgstack_sim::Recorded| {
            let path = it.path.split('?').next().unwrap_or_default();
            let short = path.trim_start_matches("/repos/acme/stacks/issues");
            format!("{} {short}", it.method)
        };
        entries.iter().map(line).collect()
    }

    pub fn comments(&self) -> Vec<(String, String)> {
        self.github.comments("acme", "stacks", 7)
    }

    pub fn labels(&self) -> Vec<String> {
        self.github.labels("acme", "stacks", 7)
    }
}

/// How the program ended, and what it said.
pub struct Said {
    code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    #[track_caller]
    pub fn of(output: Output) -> Self {
        let said = Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!said.all().contains("mArKeD"), "{}", said.all());
        said
    }

    pub fn all(&self) -> String {
        format!("--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr)
    }

    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.all());
        self
    }

    /// All of these, on however many lines, each after the one before.
    #[track_caller]
    pub fn says(&self, words: &[&str]) {
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let all = flat(&format!("{}\n{}", self.stdout, self.stderr));
        let mut rest = all.as_str();
        for word in words {
            let at = rest.find(&flat(word));
            let at = at.unwrap_or_else(|| panic!("`{word}` does not follow in:\n{}", self.all()));
            rest = &rest[at..];
        }
    }
}
