//! What a test has of the world for a while, and gives back when it ends.
//!
//! In the lab each loan is written down, in a file that its test holds locked
//! for as long as it lives. A lock that can be had is nobody's: what it stands
//! for was left by a run that was killed, and the next run gives it back before
//! it begins. So neither names nor process numbers have to be guessed at, and
//! runs beside this one keep what they have.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Once;

use crate::lab::{self, Lab};
use crate::world::World;

/// In the folder of the lab.
const FOLDER: &str = "loans";

/// Something of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thing {
    /// Services, configs and secrets of a story, which bear its name.
    Story(String),
    /// How a node is and what its labels are.
    Node(u8),
    /// A node more than there is.
    Joined(u8),
}

/// A thing until this is dropped.
#[derive(Debug)]
pub struct Loan {
    world: World,
    thing: Thing,
    entry: Option<Entry>,
}

/// A loan as it is written down. Held for as long as it lives.
#[derive(Debug)]
struct Entry {
    file: File,
    path: PathBuf,
}

impl Loan {
    /// Waits while another test has it.
    ///
    /// # Panics
    /// When it cannot be written down.
    pub fn of(world: &World, thing: Thing) -> Self {
        let entry = match world {
            World::Lab(lab) => Some(Entry::make(&folder(lab), &thing).expect("a loan in the lab")),
            // A simulation goes with its test.
            World::Sim(_) => None,
        };
        Self {
            world: world.clone(),
            thing,
            entry,
        }
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let given_back = self.thing.give_back(&self.world);
        if let (Ok(()), Some(entry)) = (&given_back, self.entry.take()) {
            entry.strike();
        }
        report(&format!("giving back {}", self.thing), given_back);
    }
}

impl Thing {
    fn file(&self) -> String {
        match self {
            Self::Story(name) => format!("story.{name}"),
            Self::Node(number) => format!("node.{number}"),
            Self::Joined(number) => format!("joined.{number}"),
        }
    }

    fn of_file(name: &str) -> Option<Self> {
        let (kind, rest) = name.split_once('.')?;
        match kind {
            "story" => Some(Self::Story(rest.to_owned())),
            "node" => rest.parse().ok().map(Self::Node),
            "joined" => rest.parse().ok().map(Self::Joined),
            _ => None,
        }
    }

    fn give_back(&self, world: &World) -> Result<(), String> {
        match (self, world) {
            (Self::Story(name), _) => sweep(world, name),
            (Self::Node(number), _) => restore(world, *number),
            (Self::Joined(number), World::Lab(_)) => lab::leave(*number),
            (Self::Joined(_), World::Sim(_)) => Ok(()),
        }
    }
}

impl std::fmt::Display for Thing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Story(name) => write!(f, "what {name} has made"),
            Self::Node(number) => write!(f, "node {number} as it was"),
            Self::Joined(number) => write!(f, "node {number}, which had joined"),
        }
    }
}

/// Removes the services of a story, its configs and secrets, the configs that
/// imgstack has made for its stack, and the networks of a stack of docker's. What
/// of one kind cannot go does not keep the others.
///
/// # Errors
/// What docker says of the first that cannot be removed.
fn sweep(world: &World, story: &str) -> Result<(), String> {
    // What a service uses goes once that has gone.
    let swept = ["service", "config", "secret"].map(|kind| {
        let filter = format!("name={story}_");
        let listed = world.try_docker_on(1, &[kind, "ls", "-q", "--filter", &filter])?;
        remove(world, 1, &[kind, "rm"], &listed)
    });
    let own = configs(world, story);
    let own = own.and_then(|own| remove(world, 1, &["config", "rm"], &own.join("\n")));
    let networks = sweep_networks(world, story);
    swept.into_iter().chain([own, networks]).collect()
}

/// Removes the networks of a stack, which are in use until its last task has
/// ended.
fn sweep_networks(world: &World, stack: &str) -> Result<(), String> {
    let filter = format!("label=com.docker.stack.namespace={stack}");
    let mut swept = Ok(());
    for _ in 0..60 {
        let listed = world.try_docker_on(1, &["network", "ls", "-q", "--filter", &filter])?;
        swept = remove(world, 1, &["network", "rm"], &listed);
        if swept.is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    swept
}

/// The configs that imgstack has made for the stack of that name: its lock and
/// its journal.
///
/// # Errors
/// What docker says when it fails.
pub fn configs(world: &World, stack: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for label in ["dev.imgstack.lock", "dev.imgstack.release"] {
        let filter = format!("label={label}={stack}");
        let args = ["config", "ls", "--filter", &filter, "--format", "{{.Name}}"];
        let listed = world.try_docker_on(1, &args)?;
        names.extend(listed.lines().map(str::to_owned));
    }
    Ok(names)
}

/// Removes the containers of a job from all nodes, and those that were under
/// way when it was removed.
///
/// # Errors
/// What docker says in the end.
pub fn sweep_containers(world: &World, job: &str) -> Result<(), String> {
    let filter = format!("label=com.docker.swarm.service.name={job}");
    let mut swept = Ok(());
    for _ in 0..3 {
        let nodes = [1, 2, 3].map(|node| {
            let listed = world.try_docker_on(node, &["ps", "-aq", "--filter", &filter])?;
            remove(world, node, &["rm", "-f"], &listed)
        });
        // The node may have been faster; then there is nothing the next time.
        swept = nodes.into_iter().collect();
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    swept
}

fn remove(world: &World, node: u8, command: &[&str], listed: &str) -> Result<(), String> {
    let ids: Vec<&str> = listed.lines().collect();
    match ids.is_empty() {
        true => Ok(()),
        false => world
            .try_docker_on(node, &[command, &ids].concat())
            .map(drop),
    }
}

/// A node takes tasks again, and has no label of a contract's.
fn restore(world: &World, number: u8) -> Result<(), String> {
    let host = format!("docker-infra-{number}");
    let update = |change: &[&str]| {
        let args = [&["node", "update"], change, &[host.as_str()]].concat();
        // The Swarm may have written in between.
        let once = || world.try_docker_on(1, &args).map(drop);
        once().or_else(|_| once())
    };
    update(&["--availability", "active"])?;
    let format = ["--format", "{{json .Spec.Labels}}", &host];
    let labels = world.try_docker_on(1, &[&["node", "inspect"][..], &format].concat())?;
    match labels.contains("\"contract\"") {
        true => update(&["--label-rm", "contract"]),
        false => Ok(()),
    }
}

/// Gives back what runs before have left in the lab, and says what is not as
/// it should be; once, before the first test of a run is there.
pub fn settle(world: &World) {
    static ONCE: Once = Once::new();
    if let World::Lab(lab) = world {
        ONCE.call_once(|| {
            for (entry, thing) in abandoned(&folder(lab)) {
                let given_back = thing.give_back(world).and_then(|()| match &thing {
                    // It may have been a contract with a job.
                    Thing::Story(name) => sweep_containers(world, &format!("{name}_job")),
                    Thing::Node(_) | Thing::Joined(_) => Ok(()),
                });
                match given_back {
                    Ok(()) => {
                        entry.strike();
                        say(&format!("an interrupted run has left, now gone: {thing}"));
                    }
                    Err(why) => say(&format!("an interrupted run has left {thing}: {why}")),
                }
            }
            say_who_takes_no_tasks(world, &folder(lab));
        });
    }
}

/// Nodes that take no tasks, of which no test knows that it is so.
fn say_who_takes_no_tasks(world: &World, folder: &Path) {
    let format = "{{.Hostname}} {{.Availability}}";
    let listed = world.try_docker_on(1, &["node", "ls", "--format", format]);
    for line in listed.unwrap_or_else(|why| why).lines() {
        let Some((host, _)) = line.split_once(' ').filter(|(_, it)| *it != "Active") else {
            continue;
        };
        let number = host.rsplit('-').next().and_then(|it| it.parse().ok());
        let lent = number.is_some_and(|it| folder.join(Thing::Node(it).file()).exists());
        if !lent {
            say(&format!(
                "the lab is not as it should be ({line}): docker node update --availability active {host}"
            ));
        }
    }
}

/// What nobody holds.
fn abandoned(folder: &Path) -> Vec<(Entry, Thing)> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let things = files.filter_map(|file| Thing::of_file(&file.file_name().to_string_lossy()));
    things
        .filter_map(|thing| Some((Entry::take(&folder.join(thing.file()))?, thing)))
        .collect()
}

impl Entry {
    fn make(folder: &Path, thing: &Thing) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(thing.file());
        loop {
            let mut open = File::options();
            let file = open.create(true).truncate(false).write(true).open(&path)?;
            file.lock()?;
            let entry = Self {
                file,
                path: path.clone(),
            };
            // Whoever had it may have struck it out meanwhile.
            if entry.is_there() {
                return Ok(entry);
            }
        }
    }

    /// One that nobody holds.
    fn take(path: &Path) -> Option<Self> {
        let file = File::options().write(true).open(path).ok()?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => return None,
        }
        let path = path.to_owned();
        Some(Self { file, path }).filter(Self::is_there)
    }

    fn is_there(&self) -> bool {
        let same = |own: std::fs::Metadata, named: std::fs::Metadata| own.ino() == named.ino();
        match (self.file.metadata(), self.path.metadata()) {
            (Ok(own), Ok(named)) => same(own, named),
            _ => false,
        }
    }

    /// The thing is back.
    fn strike(self) {
        // One that stays is taken for left behind, which does no harm.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn folder(lab: &Lab) -> PathBuf {
    lab.root().join(FOLDER)
}

/// What cannot be given back fails the test; where that has failed already it
/// is only told: nobody may panic twice.
///
/// # Panics
/// When it failed and the test has not.
pub fn report(what: &str, outcome: Result<(), String>) {
    if let Err(why) = outcome {
        say(&format!("{what}: {why}"));
        assert!(std::thread::panicking(), "{what}: {why}");
    }
}

/// Past the capture of a test's output, which shows only what has failed.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_is_found_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let things = [
            Thing::Story("contract-a.b-1".to_owned()),
            Thing::Node(3),
            Thing::Joined(4),
        ];
        let entries = things
            .each_ref()
            .map(|thing| Entry::make(folder.path(), thing).expect("an entry"));
        std::fs::write(folder.path().join("notes.txt"), "").expect("a file of somebody else's");
        let found = || -> Vec<Thing> {
            let mut found = abandoned(folder.path());
            found.sort_by_key(|(_, thing)| thing.file());
            found.into_iter().map(|(_, thing)| thing).collect()
        };
        assert_eq!(found(), []);
        // As when their process is killed.
        let [story, node, joined] = entries;
        drop((node, joined));
        assert_eq!(found(), [things[2].clone(), things[1].clone()]);
        let again = Entry::make(folder.path(), &things[1]).expect("an entry");
        assert_eq!(found(), [things[2].clone()]);
        again.strike();
        story.strike();
        assert_eq!(found(), [things[2].clone()]);
    }

    #[test]
    fn who_waits_for_a_thing_has_it_written_down() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = Entry::make(folder.path(), &Thing::Node(3)).expect("an entry");
        let path = folder.path().to_owned();
        let waits = std::thread::spawn(move || Entry::make(&path, &Thing::Node(3)));
        // Long enough to have opened the file that goes.
        std::thread::sleep(std::time::Duration::from_millis(200));
        assert!(!waits.is_finished());
        first.strike();
        let second = waits.join().expect("a thread").expect("an entry");
        assert!(second.is_there());
    }

    #[test]
    fn what_cannot_be_given_back_fails_a_test_once() {
        struct Guard;
        impl Drop for Guard {
            fn drop(&mut self) {
                report("a guard", Err("cannot".to_owned()));
            }
        }
        let fails = |test: fn()| {
            let failed = std::panic::catch_unwind(test).expect_err("it fails");
            let words = failed.downcast_ref::<String>().cloned();
            words.or_else(|| failed.downcast_ref::<&str>().map(|it| (*it).to_owned()))
        };
        let alone = fails(|| drop(Guard));
        assert_eq!(alone.as_deref(), Some("a guard: cannot"));
        let beside = fails(|| {
            let _guard = Guard;
            panic!("the test");
        });
        assert_eq!(beside.as_deref(), Some("the test"));
    }
}
