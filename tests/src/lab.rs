//! The real lab of `tests/lab`, as stories use it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A lab that is up.
#[derive(Clone, Debug)]
pub struct Lab {
    root: PathBuf,
    anonymous: String,
    private: String,
}

impl Lab {
    /// The lab that `tests/lab/lab env` speaks of.
    ///
    /// # Panics
    /// When it is not up: a story without a lab has failed, not been skipped.
    pub fn open() -> Self {
        static LAB: OnceLock<Lab> = OnceLock::new();
        LAB.get_or_init(|| {
            let variable = |key: &str| {
                std::env::var(key).unwrap_or_else(|_| {
                    panic!("{key} is not set; run the stories with tests/run, or: tests/lab/lab up && eval \"$(tests/lab/lab env)\"")
                })
            };
            Self {
                root: PathBuf::from(variable("IMGSTACK_LAB")),
                anonymous: variable("IMGSTACK_LAB_ANONYMOUS"),
                private: variable("IMGSTACK_LAB_PRIVATE"),
            }
        })
        .clone()
    }

    /// Host and port of the registry that asks for nothing.
    pub fn anonymous(&self) -> &str {
        &self.anonymous
    }

    /// Host and port of the registry that asks for a token.
    pub fn private(&self) -> &str {
        &self.private
    }

    /// The folder of the lab.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The socket of a node's engine.
    pub fn socket(&self, node: u8) -> PathBuf {
        self.root.join(format!("node-{node}/docker.sock"))
    }

    /// A `PATH` whose `ssh` knows the nodes.
    pub fn path(&self) -> String {
        let rest = std::env::var("PATH").unwrap_or_default();
        format!("{}:{rest}", self.root.join("bin").display())
    }

    /// The password of a user of the private registry.
    ///
    /// # Panics
    /// When there is no such user.
    pub fn password(&self, user: &str) -> String {
        let text = std::fs::read_to_string(self.root.join("credentials.json"));
        let users: Value = serde_json::from_str(&text.expect("the lab's passwords")).expect("JSON");
        users[user].as_str().expect("a user of the lab").to_owned()
    }

    /// Runs a verb of `tests/lab/lab`.
    ///
    /// # Panics
    /// When the verb fails.
    #[track_caller]
    pub fn verb(&self, args: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("lab/lab");
        let output = Command::new(script)
            .args(args)
            .output()
            .expect("the lab's script starts");
        assert!(
            output.status.success(),
            "lab {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The requests that a registry (`anonymous`, `private`) was sent by this
    /// machine for a repository, as "METHOD URI", from its own log.
    pub fn requests(&self, registry: &str, path: &str) -> Vec<String> {
        let log = self.root.join(format!("registry-{registry}.log"));
        let prefix = format!("/v2/{path}/");
        let lines = settled(&log);
        let entries = lines
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        entries
            .filter(|entry| {
                entry["agent"]
                    .as_str()
                    .is_some_and(|a| a.starts_with("imgstack/"))
            })
            .filter(|entry| {
                entry["uri"]
                    .as_str()
                    .is_some_and(|uri| uri.starts_with(&prefix))
            })
            .map(|entry| {
                let word = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
                format!("{} {}", word("method"), word("uri"))
            })
            .collect()
    }

    /// How many tokens imgstack asked the token server for, for a repository.
    pub fn tokens(&self, path: &str) -> usize {
        let scope = format!("repository:{path}:");
        let lines = settled(&self.root.join("token.log"));
        let entries = lines
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        entries
            .filter(|entry| {
                entry["agent"]
                    .as_str()
                    .is_some_and(|a| a.starts_with("imgstack/"))
            })
            .filter(|entry| entry["asked"].to_string().contains(&scope))
            .count()
    }
}

/// A log that has not grown for a moment: a registry writes its line just
/// after it has answered.
fn settled(log: &Path) -> String {
    let read = || std::fs::read_to_string(log).unwrap_or_default();
    let mut text = read();
    let mut since = Instant::now();
    while since.elapsed() < Duration::from_millis(300) {
        std::thread::sleep(Duration::from_millis(50));
        let now = read();
        if now.len() != text.len() {
            text = now;
            since = Instant::now();
        }
    }
    text
}
