//! A program on a node's host, run over the ssh connection that is there.
//!
//! What goes in and comes out may be secret, so it is kept in secret types and
//! never becomes part of an error. Arguments never are: they show in the
//! host's list of processes.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use openssh::Stdio;
use secrecy::zeroize::Zeroize as _;
use secrecy::{ExposeSecret as _, SecretSlice};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::SshError;
use super::ssh::{Master, classify, lost_to, words};

/// A shell's exit code for a program that it does not find.
pub(crate) const NOT_FOUND: i32 = 127;

/// More than any answer here is long.
const LARGEST: u64 = 1 << 20;

/// A program to be run.
pub(crate) struct Program<'a> {
    /// Its name, found in the host's `PATH`.
    pub(crate) name: &'a str,
    /// Its arguments, each taken as it is.
    pub(crate) arguments: &'a [&'a str],
    /// What it reads from its standard input.
    pub(crate) input: Option<&'a [u8]>,
    /// How long it may take.
    pub(crate) within: Duration,
}

/// What became of it.
pub(crate) enum Finished {
    /// It ended by itself.
    Ended {
        /// Its exit code; None when a signal ended it.
        code: Option<i32>,
        /// Its standard output.
        output: SecretSlice<u8>,
        /// Its standard error.
        errors: SecretSlice<u8>,
    },
    /// It was not done in time, and its input and output were closed.
    TooSlow,
}

impl Program<'_> {
    /// Runs it to its end.
    pub(crate) async fn run(&self, ssh: &Master) -> Result<Finished, SshError> {
        match timeout(self.within, self.finish(ssh)).await {
            Ok(finished) => finished,
            Err(_) => Ok(Finished::TooSlow),
        }
    }

    async fn finish(&self, ssh: &Master) -> Result<Finished, SshError> {
        let failed = |error: &openssh::Error| lost_to(ssh.host(), words(error));
        let mut command = ssh.session().arc_command(self.name);
        command
            .args(self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().await.map_err(|error| failed(&error))?;
        let streams = (
            child.stdin().take(),
            child.stdout().take(),
            child.stderr().take(),
        );
        let (Some(mut stdin), Some(stdout), Some(stderr)) = streams else {
            return Err(classify(ssh.host(), "no streams to the program".to_owned()));
        };
        let write = async {
            if let Some(input) = self.input {
                // A program that does not want it says so with its exit code.
                let _ = stdin.write_all(input).await;
            }
            drop(stdin);
        };
        let ((), output, errors) = tokio::join!(write, read(stdout), read(stderr));
        let code = exit_code(child.wait().await).map_err(|error| failed(&error))?;
        Ok(Finished::Ended {
            code,
            output,
            errors,
        })
    }
}

/// The exit code of a program; None when a signal ended it.
pub(super) fn exit_code(
    status: Result<ExitStatus, openssh::Error>,
) -> Result<Option<i32>, openssh::Error> {
    match status {
        Ok(status) => Ok(status.code()),
        // ssh has no exit code of a program that a signal ended.
        Err(openssh::Error::RemoteProcessTerminated) => Ok(None),
        // The crate makes an error of its own of a shell's 127.
        Err(openssh::Error::Remote(error)) if error.kind() == io::ErrorKind::NotFound => {
            Ok(Some(NOT_FOUND))
        }
        Err(error) => Err(error),
    }
}

/// Everything up to the limit; what is longer is cut, and so no JSON any more.
async fn read(from: impl AsyncRead + Unpin) -> SecretSlice<u8> {
    let mut bytes = Vec::new();
    // What could be read is what there is; a broken connection shows below.
    let _ = from.take(LARGEST).read_to_end(&mut bytes).await;
    SecretSlice::from(bytes)
}

impl Finished {
    /// The last words on standard error, for people: at most a few lines, and
    /// without `secret`, should a program repeat it.
    pub(crate) fn words(&self, secret: Option<&str>) -> String {
        let Self::Ended { errors, .. } = self else {
            return String::new();
        };
        let mut text = String::from_utf8_lossy(errors.expose_secret()).into_owned();
        if let Some(secret) = secret.filter(|secret| !secret.is_empty()) {
            let clean = text.replace(secret, "…");
            text.zeroize();
            text = clean;
        }
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let lines: Vec<&str> = lines.into_iter().filter(|line| !line.is_empty()).collect();
        let last = lines.len().saturating_sub(4);
        lines[last..].join("; ")
    }
}
