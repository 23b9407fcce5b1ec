//! A program in a container, run by the engine of its node.
//!
//! The engine has no way to end it: one that is not done in time goes on in its
//! container, and only we stop waiting.

use std::time::Duration;

use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::json;
use thiserror::Error as ThisError;
use tokio::time::{sleep, timeout};

use super::NodeEngine;
use crate::Error;
use crate::logs::{self, LogLine};

/// More of its output than this is of no use to a person.
const OUTPUT_MAX: usize = 1 << 16;

/// Its output can end a moment before the engine knows how it ended.
const END_LOOKS: u32 = 50;
const END_PAUSE: Duration = Duration::from_millis(20);

/// A program that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code. An engine that could not start it says 126 or 127.
    pub code: i64,
    /// What it wrote; of much, the beginning.
    pub output: Vec<LogLine>,
}

/// Why a program in a container did not end.
#[derive(Debug, ThisError)]
pub enum ExecError {
    /// The container is gone, or does not run.
    #[error("the container does not run: {0}")]
    NotRunning(String),
    /// It takes longer, and goes on.
    #[error("`{program}` was not done within {} s", within.as_secs_f64())]
    TooSlow {
        /// Its name.
        program: String,
        /// How long it was waited for.
        within: Duration,
    },
    /// The engine, or the way to it.
    #[error(transparent)]
    Engine(#[from] Error),
}

impl Ran {
    /// The last lines that say something, for people.
    #[must_use]
    pub fn last_words(&self) -> String {
        let lines: Vec<String> = self
            .output
            .iter()
            .map(|line| printable(&line.text))
            .filter(|line| !line.is_empty())
            .collect();
        lines[lines.len().saturating_sub(3)..].join("; ")
    }
}

/// A line as it may stand in a message: on a terminal it does nothing, and it
/// is short.
pub(crate) fn printable(line: &str) -> String {
    const LONGEST: usize = 200;
    let clean: String = line.chars().filter(|c| !c.is_control()).collect();
    let clean = clean.trim();
    match clean.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean.to_owned(),
    }
}

/// `GET /exec/{id}/json`, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct State {
    running: bool,
    exit_code: Option<i64>,
}

impl NodeEngine {
    /// Runs a program in a container, without a shell and without input, and
    /// waits for its end.
    ///
    /// # Errors
    /// See [`ExecError`]. A program that ends with a code other than 0 is none.
    pub async fn exec(
        &self,
        container: &str,
        command: &[String],
        within: Duration,
    ) -> Result<Ran, ExecError> {
        let ran = timeout(within, self.exec_to_the_end(container, command, within));
        ran.await.unwrap_or_else(|_| {
            Err(ExecError::TooSlow {
                program: command.first().cloned().unwrap_or_default(),
                within,
            })
        })
    }

    async fn exec_to_the_end(
        &self,
        container: &str,
        command: &[String],
        within: Duration,
    ) -> Result<Ran, ExecError> {
        let spec = json!({"Cmd": command, "AttachStdout": true, "AttachStderr": true});
        let path = format!("/containers/{container}/exec");
        let created = self
            .http
            .create("a program in a container", &path, &spec, None)
            .await;
        let id = created.map_err(|error| match error {
            Error::Refused {
                status: 404 | 409,
                message,
                ..
            } => ExecError::NotRunning(message),
            other => other.into(),
        })?;
        let output = self.exec_output(&id, within).await?;
        Ok(Ran {
            code: self.exec_code(&id).await?,
            output: logs::lines(&output),
        })
    }

    /// Starts it: its output, up to a bound. What is beyond is read all the
    /// same, since a program whose output nobody takes stands still.
    async fn exec_output(&self, id: &str, within: Duration) -> Result<Vec<u8>, Error> {
        let start = json!({"Detach": false, "Tty": false});
        let path = format!("/exec/{id}/start");
        let call = "the output of a program";
        let started = self
            .http
            .post_stream(call, &path, &[], Some(&start), None, within)
            .await;
        let mut chunks = match started {
            Ok(chunks) => chunks,
            // Some engines say so here that they cannot start it, and some in
            // its output. Either way its exit code tells.
            Err(Error::Refused {
                status: 400 | 500,
                message,
                ..
            }) => return Ok(message.into_bytes()),
            Err(error) => return Err(error),
        };
        let mut output = Vec::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            let room = OUTPUT_MAX - output.len();
            output.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
        Ok(output)
    }

    async fn exec_code(&self, id: &str) -> Result<i64, Error> {
        let call = "the end of a program";
        let path = format!("/exec/{id}/json");
        for _ in 0..END_LOOKS {
            let state: State = self.http.get(call, &path, &[]).await?;
            if let (false, Some(code)) = (state.running, state.exit_code) {
                return Ok(code);
            }
            sleep(END_PAUSE).await;
        }
        Err(Error::Unintelligible {
            call: call.to_owned(),
            cause: "it has no exit code, and no output any more".to_owned(),
        })
    }
}
