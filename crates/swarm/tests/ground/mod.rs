//! What the tests on the lab share: where things are, builds, credentials.
//!
//! Needs the lab up, and its environment (`eval "$(tests/lab/lab env)"`).

#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test program uses a part of it"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use imgstack_spec::{Digest, Repository};
use imgstack_swarm::{Environment, Error, Manager, NodeEngine, Target};
use serde_json::Value;

/// The registry that asks for nothing.
pub const ANONYMOUS: &str = "10.77.0.1:5000";
/// The one that asks for a token.
pub const PRIVATE: &str = "10.77.0.1:5001";

/// The folder of the lab.
pub fn lab() -> PathBuf {
    std::env::var_os("IMGSTACK_LAB")
        .expect("IMGSTACK_LAB is the folder of the lab")
        .into()
}

/// The socket of a node's engine.
pub fn socket(node: u32) -> String {
    let socket = lab().join(format!("node-{node}/docker.sock"));
    format!("unix://{}", socket.display())
}

/// The manager's.
pub fn local() -> String {
    socket(1)
}

/// The engine that docker's settings would lead to.
pub fn target(variables: &[(&str, &str)]) -> Target {
    Target::find(None, &Environment::of(variables)).unwrap()
}

/// A manager at an address.
pub async fn host(address: &str) -> Result<Manager, Error> {
    Manager::connect(&target(&[("DOCKER_HOST", address)])).await
}

/// A node's engine at an address.
pub async fn engine(address: &str) -> NodeEngine {
    let target = target(&[("DOCKER_HOST", address)]);
    NodeEngine::connect(&target).await.unwrap()
}

/// A password of the private registry.
pub fn password(user: &str) -> String {
    let file = std::fs::read(lab().join("credentials.json")).unwrap();
    let all: Value = serde_json::from_slice(&file).unwrap();
    all[user].as_str().unwrap().to_owned()
}

/// A build in a registry.
#[derive(Clone, Debug)]
pub struct Built {
    pub repository: Repository,
    pub digest: Digest,
}

impl Built {
    /// `REPOSITORY:TAG@DIGEST`.
    pub fn reference(&self) -> String {
        format!("{}:16@{}", self.repository, self.digest)
    }
}

/// Pushes a build to the anonymous registry.
pub fn build(path: &str, sha: &str, more: &[&str]) -> Built {
    build_in(ANONYMOUS, path, sha, more)
}

/// Pushes a build to a registry.
pub fn build_in(registry: &str, path: &str, sha: &str, more: &[&str]) -> Built {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lab/lab");
    let name = match registry {
        PRIVATE => "private",
        _ => "anonymous",
    };
    let own = [
        "build",
        path,
        "--date",
        "20260209",
        "--sha",
        sha,
        "--registry",
        name,
    ];
    let output = Command::new(lab).args(own).args(more).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let built: Value = serde_json::from_slice(&output.stdout).unwrap();
    Built {
        repository: format!("{registry}/{path}").parse().unwrap(),
        digest: built["digest"].as_str().unwrap().parse().unwrap(),
    }
}

/// Docker's own client on a node's engine; its standard output if it is content.
pub fn docker(node: u32, arguments: &[&str]) -> Option<String> {
    let output = Command::new("docker")
        .args(["--host", &socket(node)])
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// Every image of a repository goes from a node when the test ends.
pub struct Swept(u32, String);

impl Swept {
    /// They are gone when the test begins, too, should one have been killed.
    pub fn new(node: u32, repository: &Repository) -> Self {
        let swept = Self(node, repository.familiar());
        swept.sweep();
        swept
    }

    fn sweep(&self) {
        let Self(node, repository) = self;
        let name =
            "{{.Repository}}{{if eq .Digest \"<none>\"}}:{{.Tag}}{{else}}@{{.Digest}}{{end}}";
        let list = ["images", "--digests", "--format", name, repository];
        // A task's container may still be on its way out.
        for _ in 0..50 {
            let images = docker(*node, &list).unwrap_or_default();
            if images.is_empty() {
                return;
            }
            for image in images.lines() {
                docker(*node, &["image", "rm", image]);
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Swept {
    fn drop(&mut self) {
        self.sweep();
    }
}
