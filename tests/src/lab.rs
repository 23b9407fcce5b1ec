//! The real lab of `tests/lab`, as stories use it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::loan::{Loan, Thing, report};
use crate::world::World;

/// A lab that is up, and a place in it. Clones share the place.
#[derive(Clone, Debug)]
pub struct Lab {
    root: PathBuf,
    anonymous: String,
    private: String,
    _place: Arc<File>,
}

/// Who else may be in the lab meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    /// Other stories.
    Others,
    /// Nobody: the lab itself is changed, as when a node joins, which all
    /// would see.
    Nobody,
}

/// A node more, which is gone when this is dropped.
#[derive(Debug)]
pub struct Joined {
    number: u8,
    _loan: Loan,
}

/// Logins of workers, which go when this is dropped.
#[derive(Debug)]
pub struct Logins(Vec<String>);

impl Lab {
    /// The lab that `tests/lab/lab env` speaks of. Waits for a place in it.
    ///
    /// # Panics
    /// When it is not up: a story without a lab has failed, not been skipped.
    pub fn open(company: Company) -> Self {
        let variable = |key: &str| {
            std::env::var(key).unwrap_or_else(|_| {
                panic!("{key} is not set; run the stories with tests/run, or: tests/lab/lab up && eval \"$(tests/lab/lab env)\"")
            })
        };
        let root = PathBuf::from(variable("IMGSTACK_LAB"));
        Self {
            _place: Arc::new(place(&root, company)),
            root,
            anonymous: variable("IMGSTACK_LAB_ANONYMOUS"),
            private: variable("IMGSTACK_LAB_PRIVATE"),
        }
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
        said(args, Self::script().args(args))
    }

    /// One more node, with a disk of that size (`300M`), or with the machine's.
    ///
    /// # Panics
    /// When it cannot join.
    #[track_caller]
    pub fn join(&self, number: u8, disk: Option<&str>) -> Joined {
        // Before it is there, so that half a node goes as well.
        let world = World::Lab(self.clone());
        let joined = Joined {
            number,
            _loan: Loan::of(&world, Thing::Joined(number)),
        };
        if self.root.join(format!("node-{number}")).exists() {
            // Somebody has made it by hand.
            self.verb(&["leave", &number.to_string()]);
        }
        let args = ["join", &number.to_string()];
        let mut script = Self::script();
        if let Some(size) = disk {
            script.env(format!("LAB_SMALL_DISK_{number}"), size);
        }
        said(&args, script.args(args));
        joined
    }

    /// Whatever workers are logged in to these registries meanwhile, they are
    /// not when this is dropped.
    pub fn logins(&self, registries: &[&str]) -> Logins {
        Logins(registries.iter().map(|it| (*it).to_owned()).collect())
    }

    /// Changes the users of the token server, which reads them on every
    /// request.
    ///
    /// # Panics
    /// When the file of users cannot be had.
    pub fn change_users(&self, change: impl FnOnce(&mut Value)) {
        self.try_change_users(change).expect("the users of the lab");
    }

    /// As [`Lab::change_users`].
    ///
    /// # Errors
    /// When the file of users cannot be had.
    pub fn try_change_users(&self, change: impl FnOnce(&mut Value)) -> io::Result<()> {
        let folder = self.root.join("token");
        let lock = open_lock(&folder.join("users.lock"))?;
        lock.lock()?;
        let file = folder.join("users.json");
        let mut all: Value = serde_json::from_str(&std::fs::read_to_string(&file)?)?;
        change(&mut all["users"]);
        let new = folder.join("users.json.stories");
        std::fs::write(&new, all.to_string())?;
        std::fs::rename(&new, &file)
    }

    fn script() -> Command {
        Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("lab/lab"))
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

impl Joined {
    /// What the Swarm calls it.
    pub fn hostname(&self) -> String {
        format!("docker-infra-{}", self.number)
    }

    /// Its number in the lab.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// Runs something on it, and returns what that printed.
    ///
    /// # Panics
    /// When that fails.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> String {
        said(args, &mut self.command(args))
    }

    /// Something to be run on it.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Lab::script();
        command.args(["node", &self.number.to_string()]).args(args);
        command
    }
}

impl Drop for Logins {
    fn drop(&mut self) {
        for node in ["2", "3"] {
            for registry in &self.0 {
                let args = ["node", node, "docker", "logout", registry];
                report(
                    &format!("lab {args:?}"),
                    tried(Lab::script().args(args)).map(drop),
                );
            }
        }
    }
}

/// A node goes that had joined.
///
/// # Errors
/// What the lab says.
pub(crate) fn leave(number: u8) -> Result<(), String> {
    tried(Lab::script().args(["leave", &number.to_string()])).map(drop)
}

/// What a program printed that must end well.
#[track_caller]
fn said(args: &[&str], program: &mut Command) -> String {
    match tried(program) {
        Ok(printed) => printed,
        Err(words) => panic!("lab {args:?}: {words}"),
    }
}

/// What a program printed; the error is what it says when it fails.
fn tried(program: &mut Command) -> Result<String, String> {
    let output = program
        .output()
        .map_err(|error| format!("the lab's script does not start: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}

/// Waits for a place among others, or alone. Who came first gets in first: one
/// who waits for the others to go keeps the gate closed behind them.
fn place(root: &Path, company: Company) -> File {
    let gate = lock_file(&root.join("stories.gate"));
    gate.lock().expect("the gate of the lab");
    let place = lock_file(&root.join("stories.lock"));
    let taken = match company {
        Company::Others => place.lock_shared(),
        Company::Nobody => place.lock(),
    };
    taken.expect("a place in the lab");
    place
}

fn lock_file(path: &Path) -> File {
    open_lock(path).expect("a file to lock in the lab")
}

fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true).open(path)
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
