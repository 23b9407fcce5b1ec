//! A world to try things in: it stays until Ctrl-C, and things happen in it on
//! request, where somebody can make one.

use std::fs::File;
use std::io::{BufRead as _, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use jiff::SignedDuration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::cluster::Kind;
use super::stage::{Stage, TOKEN_VARIABLE};
use super::told;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::views::typed::quoted;

const BEFORE: [&str; 3] = [
    "A simulated cluster: three nodes, PostgreSQL with Patroni on each, its image",
    "on GHCR. A new build has just arrived there. Paste this into another shell:",
    "",
];
const TRY: [&str; 9] = [
    "",
    "Then try there:",
    "  imgstack status         which build runs where",
    "  imgstack plan           what would change, and why",
    "  imgstack apply          does it, after a `yes`",
    "  imgstack tags patroni-postgres      its builds, and what runs where",
    "  imgstack rebuild patroni-postgres   runs its workflow, and follows it",
    "  vi $IMGSTACK_FILE       `pin: 16-9b1d2e7` goes back to a build and stays",
    "  docker service ls       docker's own client sees the same, if you have it",
];
/// For whoever sits at the keyboard.
const TYPE: [&str; 5] = [
    "",
    "Type here, and it happens in that world:",
    "  good                    another build arrives",
    "  bad                     one arrives that dies at start",
    "  lost                    a prune takes the image from docker-infra-2",
];
const END: [&str; 2] = ["", "Ctrl-C ends it, and nothing is left behind."];

/// For whoever started it where nobody can type.
fn end_from_elsewhere() -> [String; 3] {
    let kill = kill();
    [
        String::new(),
        format!("Nobody can type here. The world stays until `{kill}` or Ctrl-C"),
        "ends it, and nothing is left behind.".to_owned(),
    ]
}

/// What ends it from another shell.
fn kill() -> String {
    format!("kill {}", std::process::id())
}

/// Keeps the world until it is interrupted.
pub(crate) async fn keep(
    stage: &Stage,
    printer: Printer,
    cancel: &CancellationToken,
) -> Result<Exit, Problem> {
    stage.build(Kind::Good, "abc1234", SignedDuration::from_hours(2));
    let mut keyboard = keyboard();
    let page = told(&BEFORE) + &exports(stage)? + &told(&TRY);
    let end = match keyboard {
        Some(_) => told(&TYPE) + &told(&END),
        None => told(&end_from_elsewhere()),
    };
    printer.page(&(page + &end))?;
    loop {
        let line = tokio::select! {
            line = next(&mut keyboard) => line,
            () = cancel.cancelled() => return Ok(Exit::Interrupted),
        };
        let words = match line {
            Some(line) => happens(stage, line.trim()),
            None => {
                keyboard = None;
                let kill = kill();
                format!("Nobody types here any more; `{kill}` or Ctrl-C ends the world.")
            }
        };
        printer.page(&told(&[&words]))?;
    }
}

/// Does what was typed, and says what that was.
fn happens(stage: &Stage, typed: &str) -> String {
    match typed {
        "good" => {
            let sha = stage.next_build(Kind::Good);
            format!("The build {sha} has arrived: imgstack apply")
        }
        "bad" => {
            let sha = stage.next_build(Kind::Dying);
            format!("The build {sha} has arrived, which dies at start: imgstack apply")
        }
        "lost" => {
            stage.incident();
            "docker-infra-2 has lost the image, its replica stands still: imgstack plan".to_owned()
        }
        "" => "Type good, bad or lost.".to_owned(),
        other => format!("`{other}` is nothing that happens here: type good, bad or lost."),
    }
}

/// Lines for a shell.
fn exports(stage: &Stage) -> std::io::Result<String> {
    let mut lines = String::new();
    let program = std::env::current_exe()?;
    if !is_found(&program) {
        lines += &format!("alias imgstack={}\n", quoted(&program.to_string_lossy()));
    }
    for (key, value) in stage.settings() {
        lines += &format!("export {key}={}\n", quoted(&value));
    }
    let token = stage.token_file();
    let token = quoted(&token.to_string_lossy());
    lines += &format!("export {TOKEN_VARIABLE}=\"$(cat {token})\"\n");
    Ok(lines)
}

/// Whether a shell finds this very program by its name.
fn is_found(program: &Path) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let first = std::env::split_paths(&path)
        .map(|folder| folder.join("imgstack"))
        .find(|candidate| candidate.is_file());
    first.is_some_and(|first| first.canonicalize().is_ok_and(|it| it == program))
}

/// The lines that are typed; None where nobody can type.
fn keyboard() -> Option<mpsc::Receiver<String>> {
    let stdin = std::io::stdin();
    let may_be_typed = match stdin.is_terminal() {
        // Reading a terminal that belongs to another job would stop this one.
        true => is_in_the_foreground(),
        false => !is_device(&stdin),
    };
    if !may_be_typed {
        return None;
    }
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in stdin.lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    Some(receiver)
}

/// A device that is no terminal, as `/dev/null`: nobody is at its other end.
fn is_device(stdin: &std::io::Stdin) -> bool {
    let file = stdin.as_fd().try_clone_to_owned().map(File::from);
    let kind = file.and_then(|file| Ok(file.metadata()?.file_type()));
    kind.is_ok_and(|kind| kind.is_char_device())
}

fn is_in_the_foreground() -> bool {
    let front = rustix::termios::tcgetpgrp(std::io::stdin());
    front.is_ok_and(|front| front == rustix::process::getpgrp())
}

/// The next line; None when there are no more, and never where nobody types.
async fn next(keyboard: &mut Option<mpsc::Receiver<String>>) -> Option<String> {
    match keyboard {
        Some(lines) => lines.recv().await,
        None => std::future::pending().await,
    }
}
