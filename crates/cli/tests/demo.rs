//! The demo as a user runs it: with the program, and nothing else.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead as _, BufReader, PipeReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_imgstack");
const TOKEN: &str = "ghp_simulated";

/// A user without docker, without any program, and with settings that lead
/// nowhere.
struct User(TempDir);

/// A demo that runs, with stdout and stderr as one.
struct Demo {
    child: Child,
    output: BufReader<PipeReader>,
    heard: String,
}

impl User {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn start(&self, args: &[&str]) -> Demo {
        let mut command = self.demo(args);
        command.stdin(Stdio::piped());
        Demo::of(command)
    }

    fn demo(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .arg("demo")
            .args(args)
            .env_clear()
            .env("PATH", "")
            .env("TMPDIR", self.0.path())
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
            .env("IMGSTACK_FILE", "/nowhere/imgstack.yaml")
            .env("IMGSTACK_ENDPOINTS", "ghcr.io=http://127.0.0.1:9")
            .env("HTTP_PROXY", "http://127.0.0.1:9")
            .process_group(0);
        command
    }

    /// What the demo left in the temporary folder.
    fn left(&self) -> usize {
        std::fs::read_dir(self.0.path()).unwrap().count()
    }
}

impl Demo {
    fn of(mut command: Command) -> Self {
        let (output, writer) = std::io::pipe().unwrap();
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        Self {
            child: command.spawn().unwrap(),
            output: BufReader::new(output),
            heard: String::new(),
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Reads on until a line contains `words`.
    #[track_caller]
    fn hear(&mut self, words: &str) {
        loop {
            let from = self.heard.len();
            let read = self.output.read_line(&mut self.heard).unwrap();
            assert!(read > 0, "`{words}` is not in:\n{}", self.heard);
            if self.heard[from..].contains(words) {
                return;
            }
        }
    }

    /// The exit code, and all that was said.
    fn end(mut self) -> (Option<i32>, String) {
        self.output.read_to_string(&mut self.heard).unwrap();
        let code = self.child.wait().unwrap().code();
        (code, std::mem::take(&mut self.heard))
    }
}

impl Drop for Demo {
    /// Of a test that has failed; else it has ended.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // It takes its folder with it, so it is asked.
            let _ = kill_process(self.pid(), Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

/// In this order, each after the one before.
#[track_caller]
fn in_order(text: &str, words: &[&str]) {
    let mut rest = text;
    for word in words {
        let at = rest.find(word);
        let at = at.unwrap_or_else(|| panic!("`{word}` does not follow in:\n{text}"));
        rest = &rest[at + word.len()..];
    }
}

#[test]
fn the_whole_loop_is_shown_in_order_and_leaves_nothing_behind() {
    let user = User::new();
    let began = Instant::now();
    let (code, text) = user.start(&[]).end();
    assert_eq!(code, Some(0), "{text}");
    assert!(began.elapsed() < Duration::from_secs(60));
    let scenes = [
        "tag: \"16\"",
        "$ imgstack status\n",
        "9b1d2e7   built 7 days ago",
        "postgres_postgres-1  docker-infra-1",
        "wanted",
        "# 2. A new build arrives",
        "$ imgstack plan\n",
        "abc1234   built 2 hours ago",
        "+ pull     node.docker-infra-1",
        "the tag `16` moved",
        "Plan: 3 to add, 3 to change, 0 to destroy.",
        "$ imgstack apply --auto-approve\n",
        "node.docker-infra-3 image.patroni-postgres: Pulling...",
        "service.postgres_postgres-2: Updated after",
        "service.postgres_postgres-3: Updated after",
        "service.postgres_postgres-1: Updated after",
        "Apply complete! Resources: 3 added, 3 changed, 0 destroyed.",
        "$ imgstack plan\n",
        "No changes. Your infrastructure matches the configuration.",
        "a prune took the image",
        "$ imgstack plan --detailed-exitcode\n",
        "# node.docker-infra-2: does not hold the image",
        "+ pull     node.docker-infra-2",
        "exit code 2",
        "Apply complete! Resources: 1 added, 0 changed, 0 destroyed.",
        "$ imgstack status\n",
        "postgres_postgres-2  docker-infra-2",
        "running  wanted",
        "A bad build arrives",
        "$ imgstack apply --auto-approve\n",
        "bad0bad   built just now",
        "Error: service.postgres_postgres-2: the new build failed",
        "Can not find suitable configuration of distributed configuration store",
        "not started  service.postgres_postgres-1",
        "exit code 1",
        "imgstack demo --keep",
    ];
    in_order(&text, &scenes);
    assert!(!text.contains(TOKEN), "{text}");
    assert!(!text.contains('\u{1b}'), "colours in a pipe: {text:?}");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "does not fit: {line}");
    }
    assert_eq!(user.left(), 0);
}

/// The processes that the demo has started.
fn children(of: Pid) -> Vec<String> {
    let of = of.as_raw_nonzero();
    let list = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children"));
    list.unwrap()
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

/// On a terminal all of a job hear Ctrl-C; a `kill` is heard by one.
#[test]
fn ctrl_c_ends_the_world_and_everybody_in_it() {
    type Send = fn(Pid, Signal) -> rustix::io::Result<()>;
    let table: [(Send, &str); 2] = [
        (kill_process_group, "Apply interrupted."),
        (kill_process, "Interrupted"),
    ];
    for (send, words) in table {
        let user = User::new();
        let mut demo = user.start(&[]);
        demo.hear("Updating...");
        let started = children(demo.pid());
        assert_eq!(started.len(), 1, "{started:?}");
        let began = Instant::now();
        // Twice: nobody is so hasty that the folder stays.
        send(demo.pid(), Signal::INT).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        kill_process(demo.pid(), Signal::INT).unwrap();
        let (code, text) = demo.end();
        assert_eq!(code, Some(130), "{text}");
        assert!(began.elapsed() < Duration::from_secs(10));
        in_order(&text, &[words, "the simulated world is gone"]);
        assert!(!Path::new("/proc").join(&started[0]).exists());
        assert_eq!(user.left(), 0);
    }
}

/// Runs imgstack in a shell into which the demo's lines were pasted.
fn in_another_shell(home: &Path, lines: &str, command: &str) -> Output {
    let mut shell = Command::new("sh");
    shell.args(["-euc", &format!("{lines}\n{PROGRAM} {command}")]);
    shell.env("HOME", home).env_remove("XDG_CACHE_HOME");
    shell.env_remove("DOCKER_CONTEXT").stdin(Stdio::null());
    shell.output().unwrap()
}

#[test]
fn a_kept_world_is_reached_from_another_shell_and_changes_on_request() {
    let user = User::new();
    let mut demo = user.start(&["--keep"]);
    demo.hear("Ctrl-C ends it");
    let pasted = demo
        .heard
        .lines()
        .filter(|line| line.starts_with("export "));
    let pasted: Vec<_> = pasted.collect();
    let lines = pasted.join("\n");
    assert!(demo.heard.contains(&format!("alias imgstack={PROGRAM}\n")));
    let home = User::new();
    let run = |command: &str, code: i32, words: &str| {
        let output = in_another_shell(home.0.path(), &lines, command);
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{command}: {text}");
        assert!(text.contains(words), "`{words}` is not in:\n{text}");
        assert!(!text.contains(TOKEN), "{text}");
    };
    let token = pasted.last().unwrap().split(['(', ')']).nth(1).unwrap();
    let token = token.strip_prefix("cat ").unwrap();
    assert_eq!(std::fs::read_to_string(token).unwrap(), TOKEN);

    run("status", 0, "another build");
    run("plan --detailed-exitcode", 2, "abc1234   built 2 hours ago");
    run("apply --auto-approve", 0, "Apply complete!");
    let mut keyboard = demo.child.stdin.take().unwrap();
    writeln!(keyboard, "bad").unwrap();
    demo.hear("which dies at start");
    run("apply --auto-approve", 1, "configuration store");
    writeln!(keyboard, "good").unwrap();
    demo.hear("has arrived");
    run("plan --detailed-exitcode", 2, "built just now");
    run("apply --auto-approve", 0, "Apply complete!");
    writeln!(keyboard, "lost").unwrap();
    demo.hear("has lost the image");
    // However long nobody looks.
    std::thread::sleep(Duration::from_secs(6));
    run(
        "plan --detailed-exitcode",
        2,
        "+ pull     node.docker-infra-2",
    );
    writeln!(keyboard, "better").unwrap();
    demo.hear("type good, bad or lost");
    drop(keyboard);
    demo.hear(&format!("any more; `kill {}` or", demo.child.id()));
    run("status", 0, "docker-infra-2");

    kill_process(demo.pid(), Signal::INT).unwrap();
    let (code, text) = demo.end();
    assert_eq!(code, Some(130), "{text}");
    assert!(!text.contains(TOKEN), "{text}");
    assert_eq!((user.left(), home.left()), (0, 0));
}

#[test]
fn where_nobody_can_type_the_world_stays_until_it_is_killed() {
    let user = User::new();
    let mut command = user.demo(&["--keep"]);
    command.stdin(Stdio::null());
    let mut demo = Demo::of(command);
    demo.hear("nothing is left behind");
    let words = format!("stays until `kill {}` or Ctrl-C", demo.child.id());
    in_order(&demo.heard, &["Nobody can type here", &words]);
    assert!(!demo.heard.contains("Type here"), "{}", demo.heard);
    for line in demo.heard.lines().filter(|line| line.starts_with('#')) {
        assert!(line.chars().count() <= 80, "does not fit: {line}");
    }
    // The end of what nobody typed is not the world's.
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(user.left(), 1);
    kill_process(demo.pid(), Signal::TERM).unwrap();
    let (code, text) = demo.end();
    assert_eq!(code, Some(130), "{text}");
    in_order(&text, &["left behind", "the simulated world is gone"]);
    assert_eq!(user.left(), 0);
}

#[test]
fn an_odd_or_long_tmpdir_is_not_used() {
    let user = User::new();
    let places = [
        "a".repeat(100),
        "a b".to_owned(),
        "{hostname}".to_owned(),
        "nowhere".to_owned(),
    ];
    for name in places {
        let place = user.0.path().join(&name);
        if name != "nowhere" {
            std::fs::create_dir(&place).unwrap();
        }
        let mut command = user.demo(&["--keep"]);
        command.env("TMPDIR", &place).stdin(Stdio::null());
        let mut demo = Demo::of(command);
        demo.hear("nothing is left behind");
        let mut lines = demo.heard.lines();
        let file = lines.find_map(|line| line.strip_prefix("export IMGSTACK_FILE="));
        let folder = Path::new(file.unwrap()).parent().unwrap().to_owned();
        assert!(folder.starts_with("/tmp"), "{}", folder.display());
        let exports = demo.heard.lines().filter(|it| it.starts_with("export "));
        let exports = exports.collect::<Vec<_>>().join("\n");
        let status = in_another_shell(user.0.path(), &exports, "status");
        assert_eq!(status.status.code(), Some(0), "{name}: {status:?}");
        kill_process(demo.pid(), Signal::TERM).unwrap();
        let (code, text) = demo.end();
        assert_eq!(code, Some(130), "{name}: {text}");
        assert!(!folder.exists(), "{} is left", folder.display());
    }
}
