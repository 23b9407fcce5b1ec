//! Other people's programs: asked something, within a time, or watched while
//! they work.
//!
//! They get no terminal, so that one which asks a question fails rather than
//! waits, and a group of processes of their own: Ctrl-C is ours to pass on, so
//! that what is half done is known to be.

use std::collections::VecDeque;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// After so long without a word a sign of life is due.
const SILENCE: Duration = Duration::from_secs(10);
/// What a program may take to end when it is told to.
const GRACE: Duration = Duration::from_secs(10);
/// What may still come from a program's children when it has ended.
const AFTERMATH: Duration = Duration::from_secs(1);
/// So many of the last lines are kept.
const KEPT: usize = 12;
/// A longer line is cut.
const LONGEST_LINE: usize = 4096;

/// What a program answered.
pub(crate) struct Said {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(super) stderr: String,
    /// Its output to the byte.
    pub(crate) bytes: Vec<u8>,
}

impl Said {
    /// Its first line of complaint.
    pub(crate) fn complaint(&self) -> String {
        let mut lines = self.stderr.lines().chain(self.stdout.lines());
        let first = lines.find(|line| !line.trim().is_empty());
        first.unwrap_or("it says nothing").trim().to_owned()
    }
}

/// Runs a program to its end, within the limit.
pub(super) async fn ask(mut command: Command, limit: Duration) -> io::Result<Said> {
    command
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    let output = timeout(limit, command.output()).await.map_err(|_| {
        io::Error::new(io::ErrorKind::TimedOut, format!("no answer in {limit:?}"))
    })??;
    Ok(Said {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        bytes: output.stdout,
    })
}

/// What is heard of a program that works.
pub(super) enum Heard<'a> {
    /// A line.
    Line(&'a str),
    /// Nothing, for a while.
    Silence,
}

/// How a program ended.
pub(super) struct Ended {
    pub(super) success: bool,
    /// It was told to end.
    pub(super) interrupted: bool,
    /// Its last words.
    pub(super) lines: Vec<String>,
}

/// Runs a program to its end, however long that takes, and passes its lines
/// on, those of its two outputs in their order.
pub(super) async fn watch(
    command: Command,
    tell: &(dyn Fn(Heard<'_>) + Sync),
    cancel: &CancellationToken,
) -> io::Result<Ended> {
    let (mut child, mut pipe) = start(command)?;
    let mut lines = Lines::default();
    let (mut interrupted, mut until) = (false, None::<Instant>);
    let mut buffer = [0; 8192];
    let mut open = true;
    let status = loop {
        let due = until.unwrap_or_else(|| Instant::now() + SILENCE);
        tokio::select! {
            read = pipe.read(&mut buffer), if open => match read? {
                0 => open = false,
                n => lines.take(&buffer[..n], tell),
            },
            status = child.wait() => break status?,
            () = cancel.cancelled(), if !interrupted => {
                interrupted = true;
                until = Some(Instant::now() + GRACE);
                signal(&child, Signal::INT);
            }
            () = tokio::time::sleep_until(due) => match until {
                Some(_) => {
                    signal(&child, Signal::KILL);
                    until = None;
                }
                None => tell(Heard::Silence),
            },
        }
    };
    let rest = async {
        while let Ok(n @ 1..) = pipe.read(&mut buffer).await {
            lines.take(&buffer[..n], tell);
        }
    };
    // A child of it may hold the pipe for ever.
    let _ = timeout(AFTERMATH, rest).await;
    lines.end(tell);
    Ok(Ended {
        success: status.success(),
        interrupted,
        lines: lines.last.into(),
    })
}

fn start(mut command: Command) -> io::Result<(Child, Receiver)> {
    let (reader, writer) = io::pipe()?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0)
        .kill_on_drop(true);
    let child = command.spawn()?;
    // With the command go our own ends of the pipe.
    drop(command);
    Ok((child, Receiver::from_owned_fd(reader.into())?))
}

/// To the program and to what it has started.
fn signal(child: &Child, signal: Signal) {
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(group) = id.and_then(Pid::from_raw) {
        // One that has just ended need not be told.
        let _ = kill_process_group(group, signal);
    }
}

/// Lines, from pieces of a text.
#[derive(Default)]
struct Lines {
    begun: Vec<u8>,
    last: VecDeque<String>,
}

impl Lines {
    fn take(&mut self, piece: &[u8], tell: &(dyn Fn(Heard<'_>) + Sync)) {
        for byte in piece {
            match byte {
                b'\n' | b'\r' => self.end(tell),
                byte if self.begun.len() < LONGEST_LINE => self.begun.push(*byte),
                _ => {}
            }
        }
    }

    fn end(&mut self, tell: &(dyn Fn(Heard<'_>) + Sync)) {
        let line = String::from_utf8_lossy(&self.begun).trim_end().to_owned();
        self.begun.clear();
        if line.is_empty() {
            return;
        }
        tell(Heard::Line(&line));
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    async fn watched(script: &str, cancel: &CancellationToken) -> (Ended, Vec<String>) {
        let heard = Mutex::new(Vec::new());
        let tell = |it: Heard<'_>| match it {
            Heard::Line(line) => heard.lock().unwrap().push(line.to_owned()),
            Heard::Silence => {}
        };
        let ended = watch(shell(script), &tell, cancel).await.unwrap();
        (ended, heard.into_inner().unwrap())
    }

    #[tokio::test]
    async fn lines_of_both_outputs_come_in_their_order() {
        let script = "echo one; echo two >&2; printf 'three\\rfour\\n\\n'; printf five; exit 3";
        let (ended, heard) = watched(script, &CancellationToken::new()).await;
        assert_eq!(heard, ["one", "two", "three", "four", "five"]);
        assert_eq!(ended.lines, heard);
        assert!(!ended.success && !ended.interrupted);
    }

    #[tokio::test]
    async fn the_last_words_are_kept_and_a_flood_is_not() {
        let script = "seq 1 20000; head -c 100000 /dev/zero | tr '\\0' x";
        let (ended, heard) = watched(script, &CancellationToken::new()).await;
        assert!(ended.success);
        assert_eq!(heard.len(), 20_001);
        assert_eq!(ended.lines.len(), KEPT);
        assert_eq!(ended.lines[KEPT - 2], "20000");
        assert_eq!(ended.lines[KEPT - 1].len(), LONGEST_LINE);
    }

    #[tokio::test]
    async fn a_stop_reaches_the_program_and_its_children_and_its_end_is_awaited() {
        let cancel = CancellationToken::new();
        let started = Instant::now();
        let script = "trap 'echo tidied; exit 7' INT; echo up; sleep 60 & wait";
        let stop = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            cancel.cancel();
        };
        let ((ended, heard), ()) = tokio::join!(watched(script, &cancel), stop);
        assert_eq!(heard, ["up", "tidied"]);
        assert!(ended.interrupted && !ended.success);
        assert!(started.elapsed() < GRACE);
    }

    #[tokio::test]
    async fn a_child_that_stays_behind_does_not_hold_us_up() {
        let started = Instant::now();
        let script = "sleep 20 & echo $!";
        let (ended, heard) = watched(script, &CancellationToken::new()).await;
        assert!(ended.success);
        assert!(started.elapsed() < Duration::from_secs(10));
        let left = Pid::from_raw(heard[0].parse().unwrap()).unwrap();
        rustix::process::kill_process(left, Signal::KILL).unwrap();
    }

    #[tokio::test]
    async fn who_does_not_answer_in_time_is_not_waited_for() {
        let error = ask(shell("sleep 20"), Duration::from_millis(100)).await;
        assert_eq!(error.err().unwrap().kind(), io::ErrorKind::TimedOut);
        let said = ask(shell("echo; echo no >&2; exit 1"), GRACE)
            .await
            .unwrap();
        assert_eq!((said.success, said.complaint().as_str()), (false, "no"));
    }
}
