//! Programs that give credentials: run aside, with a deadline.
//!
//! They get no terminal, so that one which asks a question fails or runs into
//! the deadline rather than mixing with our output.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::environment::Environment;
use super::error::CredentialError;

/// A password manager may have to wake up an agent; nobody waits longer.
const DEADLINE: Duration = Duration::from_secs(30);
/// The most that is read of an output.
const LARGEST_OUTPUT: u64 = 64 << 10;
/// The longest complaint that is passed on.
const LONGEST_COMPLAINT: usize = 160;

/// What a program left behind.
pub(crate) struct Output {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: SecretString,
    pub(crate) stderr: String,
}

/// Runs a program to its end, within the deadline.
pub(crate) async fn run(
    environment: &Environment,
    program: &str,
    arguments: &[String],
    input: &str,
) -> Result<Output, CredentialError> {
    run_within(DEADLINE, environment, program, arguments, input).await
}

async fn run_within(
    limit: Duration,
    environment: &Environment,
    program: &str,
    arguments: &[String],
    input: &str,
) -> Result<Output, CredentialError> {
    let not_run = |error: std::io::Error| CredentialError::NotRun {
        program: program.to_owned(),
        cause: error.to_string(),
    };
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment.variables())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Its children are ended with it, and Ctrl-C is ours to deal with.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(not_run)?;
    match tokio::time::timeout(limit, attend(child, input)).await {
        Ok(output) => output.map_err(not_run),
        Err(_) => Err(CredentialError::TooSlow {
            program: program.to_owned(),
            limit,
        }),
    }
}

async fn attend(mut child: Child, input: &str) -> std::io::Result<Output> {
    let mut group = Group(child.id());
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read its input is free not to.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    };
    let reading = async {
        let ((), stdout, stderr) = tokio::join!(feed, drain(stdout), drain(stderr));
        Ok::<_, std::io::Error>((stdout?, stderr?))
    };
    let ending = async {
        let status = child.wait().await;
        group.end();
        status
    };
    let (status, output) = tokio::join!(ending, reading);
    let (stdout, stderr) = output?;
    Ok(Output {
        status: status?,
        stdout: SecretString::from(stdout),
        stderr,
    })
}

/// The program and what it has started, ended with this: nobody else would, and
/// what holds its pipes open would hold us up. A daemon has left the group.
struct Group(Option<u32>);

impl Group {
    fn end(&mut self) {
        let id = self.0.take().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = id.and_then(Pid::from_raw) {
            // Most often there is nobody left.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads to the end, and keeps no more than the limit.
async fn drain(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        (&mut pipe)
            .take(LARGEST_OUTPUT)
            .read_to_end(&mut bytes)
            .await?;
        tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl Output {
    /// The error of a program that failed. `complaint`: where it complains.
    pub(crate) fn failure(&self, program: &str, complaint: &str) -> CredentialError {
        let line = complaint
            .lines()
            .map(str::trim)
            .rfind(|line| !line.is_empty());
        let shown = line.map(|line| {
            // What it wrote as a password is not told as its complaint either.
            let secrets = self.stdout.expose_secret().lines().map(str::trim);
            let line = secrets
                .filter(|secret| !secret.is_empty() && complaint != self.stdout.expose_secret())
                .fold(line.to_owned(), |line, secret| line.replace(secret, "***"));
            let clean = line.chars().filter(|c| !c.is_control());
            let short: String = clean.take(LONGEST_COMPLAINT).collect();
            format!(": {short}")
        });
        CredentialError::Failed {
            program: program.to_owned(),
            status: match self.status.code() {
                Some(code) => format!("exit status {code}"),
                None => "a signal".to_owned(),
            },
            complaint: shown.unwrap_or_default(),
        }
    }

    /// The first line of what it wrote; None if that is empty.
    pub(crate) fn first_line(&self) -> Option<SecretString> {
        let line = self.stdout.expose_secret().lines().next()?;
        (!line.is_empty()).then(|| SecretString::from(line.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_never_ends_is_stopped() {
        let environment = Environment::of_process();
        let limit = Duration::from_millis(100);
        let arguments = ["60".to_owned()];
        let started = std::time::Instant::now();
        let end = run_within(limit, &environment, "sleep", &arguments, "").await;
        assert!(matches!(end, Err(CredentialError::TooSlow { .. })));
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    /// Otherwise it would be waited for until the deadline.
    #[tokio::test]
    async fn what_a_program_leaves_behind_ends_with_it() {
        let environment = Environment::of_process();
        let arguments = [
            "-c".to_owned(),
            "sleep 77 & echo secret; echo $!".to_owned(),
        ];
        let started = std::time::Instant::now();
        let output = run(&environment, "sh", &arguments, "").await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(5));
        let text = output.stdout.expose_secret().to_owned();
        let left = text.lines().nth(1).unwrap();
        // It is told to end, and ends when the kernel gets round to it.
        let lives = || {
            let stat = std::fs::read_to_string(format!("/proc/{left}/stat"));
            stat.is_ok_and(|stat| !stat.contains(") Z"))
        };
        while lives() {
            assert!(started.elapsed() < Duration::from_secs(5), "{left} lives");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn a_complaint_tells_no_password() {
        let environment = Environment::of_process();
        let script = "echo hunter2; echo bad password hunter2 >&2; exit 1";
        let arguments = ["-c".to_owned(), script.to_owned()];
        let output = run(&environment, "sh", &arguments, "").await.unwrap();
        let error = output.failure("sh", &output.stderr).to_string();
        assert!(error.ends_with(": bad password ***"), "{error}");
    }

    #[tokio::test]
    async fn a_flood_of_output_neither_fills_memory_nor_blocks() {
        let environment = Environment::of_process();
        let script = "head -c 1000000 /dev/zero; echo no >&2; exit 3";
        let arguments = ["-c".to_owned(), script.to_owned()];
        let output = run(&environment, "sh", &arguments, "").await.unwrap();
        assert_eq!(
            output.stdout.expose_secret().len(),
            usize::try_from(LARGEST_OUTPUT).unwrap()
        );
        let error = output.failure("sh", &output.stderr);
        assert_eq!(error.to_string(), "`sh` failed with exit status 3: no");
    }
}
