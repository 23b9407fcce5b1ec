//! Where a story plays: on the real lab or in a simulation. What a story does
//! is the same in both, down to docker's own client.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::lab::{Company, Lab};
use crate::loan;
use crate::sim::Sim;

/// A cluster of three nodes, `docker-infra-1` being a manager, with a registry
/// that asks for nothing and one that asks for a token.
#[derive(Clone, Debug)]
pub enum World {
    /// Real engines and registries.
    Lab(Lab),
    /// A world of the story's own, in one process.
    Sim(Sim),
}

impl World {
    /// The lab.
    ///
    /// # Panics
    /// When it is not up: a story without a lab has failed, not been skipped.
    pub fn lab() -> Self {
        Self::settled(Lab::open(Company::Others))
    }

    /// The lab, with no other story in it meanwhile.
    ///
    /// # Panics
    /// When it is not up.
    pub fn lab_alone() -> Self {
        Self::settled(Lab::open(Company::Nobody))
    }

    fn settled(lab: Lab) -> Self {
        let world = Self::Lab(lab);
        loan::settle(&world);
        world
    }

    /// A new simulation.
    pub fn simulation() -> Self {
        Self::Sim(Sim::start())
    }

    /// The simulation, for what only it can be told to do.
    ///
    /// # Panics
    /// On the lab.
    pub fn sim(&self) -> &Sim {
        match self {
            Self::Lab(_) => panic!("this story plays on the simulation alone"),
            Self::Sim(sim) => sim,
        }
    }

    /// Another address of a registry, which nodes are to know.
    pub fn add_door(&self, address: &str, registry: &str) {
        match self {
            // Real nodes find what is on their network.
            Self::Lab(_) => {}
            Self::Sim(sim) => sim.add_door(address, registry),
        }
    }

    /// That address leads nowhere any more.
    pub fn remove_door(&self, address: &str) {
        match self {
            Self::Lab(_) => {}
            Self::Sim(sim) => sim.remove_door(address),
        }
    }

    /// Host and port of the registry that asks for nothing.
    pub fn anonymous(&self) -> &str {
        match self {
            Self::Lab(lab) => lab.anonymous(),
            Self::Sim(sim) => sim.anonymous(),
        }
    }

    /// Host and port of the registry that asks for a token.
    pub fn private(&self) -> &str {
        match self {
            Self::Lab(lab) => lab.private(),
            Self::Sim(sim) => sim.private(),
        }
    }

    /// The socket of a node's engine.
    pub fn socket(&self, node: u8) -> PathBuf {
        match self {
            Self::Lab(lab) => lab.socket(node),
            Self::Sim(sim) => sim.socket(node),
        }
    }

    /// The manager's socket as an endpoint.
    pub fn endpoint(&self) -> String {
        self.engine(1)
    }

    /// A node's socket as an endpoint.
    pub fn engine(&self, node: u8) -> String {
        format!("unix://{}", self.socket(node).display())
    }

    /// A `PATH` for imgstack.
    pub fn path(&self) -> String {
        match self {
            Self::Lab(lab) => lab.path(),
            Self::Sim(sim) => sim.path(),
        }
    }

    /// The password of a user of the private registry.
    ///
    /// # Panics
    /// When there is no such user.
    pub fn password(&self, user: &str) -> String {
        match self {
            Self::Lab(lab) => lab.password(user),
            Self::Sim(sim) => sim.password(user),
        }
    }

    /// The requests that a registry (`anonymous`, `private`) was sent by
    /// imgstack for a repository, as "METHOD URI".
    pub fn requests(&self, registry: &str, path: &str) -> Vec<String> {
        match self {
            Self::Lab(lab) => lab.requests(registry, path),
            Self::Sim(sim) => sim.requests(registry, path),
        }
    }

    /// How many tokens imgstack asked for, for a repository.
    pub fn tokens(&self, path: &str) -> usize {
        match self {
            Self::Lab(lab) => lab.tokens(path),
            Self::Sim(sim) => sim.tokens(path),
        }
    }

    /// Runs docker against the manager and returns what it printed.
    ///
    /// # Panics
    /// When docker fails.
    #[track_caller]
    pub fn docker(&self, args: &[&str]) -> String {
        self.docker_on(1, args)
    }

    /// Runs docker against the engine of a node.
    ///
    /// # Panics
    /// When docker fails.
    #[track_caller]
    pub fn docker_on(&self, node: u8, args: &[&str]) -> String {
        match self.try_docker_on(node, args) {
            Ok(printed) => printed,
            Err(words) => panic!("docker {args:?}: {words}"),
        }
    }

    /// As [`World::docker_on`]; the error is what docker says when it fails.
    ///
    /// # Errors
    /// When docker fails, or there is none.
    pub fn try_docker_on(&self, node: u8, args: &[&str]) -> Result<String, String> {
        // docker waits for a service to converge, if need be for ever.
        let output = Command::new("timeout")
            .args(["60", "docker", "-H", &self.engine(node)])
            .args(args)
            .output()
            .map_err(|error| format!("docker does not start: {error}"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(text(&output.stderr)),
        }
    }
}

/// The program under test, built now, so that no story runs a stale one.
pub fn imgstack() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "imgstack-cli"]);
        cargo.args(["--bin", "imgstack"]);
        let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status();
        assert!(
            status.expect("cargo starts").success(),
            "imgstack does not build"
        );
        // The test runs as target/PROFILE/deps/stories-HASH.
        let own = std::env::current_exe().expect("the path of the test itself");
        let debug = own.ancestors().nth(2).expect("a folder above deps");
        debug.join("imgstack")
    })
}

/// Waits until `done` holds.
///
/// # Panics
/// When it takes too long.
#[track_caller]
pub fn wait_until(what: &str, timeout: Duration, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < timeout, "waited {timeout:?} for {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
