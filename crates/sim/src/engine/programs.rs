//! `/containers/{id}/exec` and `/exec`: programs in the containers of a node.
//!
//! What a program does its image says in a label ([`Behaviour::programs`]), or a
//! story of one service ([`Engines::set_program`]); others are not there. They
//! have no input and no terminal, and go on when their container ends.
//!
//! [`Behaviour::programs`]: crate::Behaviour::programs

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::stream;
use hyper::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::answers::{Outcome, bad_request, conflict, not_found, ok};
use super::call::Call;
use super::logs::{Source, frame};
use super::{Engines, containers};
use crate::{Answer, Program};

/// What every engine says with for a program that it cannot start.
const NOT_FOUND: i64 = 126;

/// The programs of a Swarm's containers.
#[derive(Debug, Default)]
pub(super) struct Programs {
    /// By service, what stories say.
    told: BTreeMap<String, Vec<Program>>,
    /// By identifier, those that were made.
    made: BTreeMap<String, Made>,
}

#[derive(Clone, Debug)]
struct Made {
    hostname: String,
    container: String,
    program: Program,
    /// When it was started, and when it ends.
    runs: Option<(Timestamp, Timestamp)>,
}

impl Engines {
    /// From now on this is what the program does in the containers of a
    /// service, whatever their images say.
    pub fn set_program(&self, service: &str, program: Program) {
        let mut programs = self.programs();
        let told = programs.told.entry(service.to_owned()).or_default();
        told.retain(|known| known.command != program.command);
        told.push(program);
    }
}

/// `POST /containers/{id}/exec`
pub(super) fn create(call: &Call<'_>, name: &str) -> Outcome {
    let spec = call.body()?;
    let container = containers::find(call, name)?;
    let command: Vec<String> = spec["Cmd"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|word| word.as_str().map(str::to_owned))
        .collect();
    let Some(first) = command.first() else {
        return Err(bad_request("No exec command specified"));
    };
    if !container.runs() {
        let id = container.id();
        return Err(conflict(format!("Container {id} is not running")));
    }
    let mut programs = call.engines.programs();
    let told = programs.told.get(container.service()).into_iter().flatten();
    let of_image = container.programs();
    let program = told.chain(&of_image).find(|it| it.command == command);
    let program = program
        .cloned()
        .unwrap_or_else(|| not_there(first, &command));
    let id = format!("{:064x}", programs.made.len() + 1);
    let made = Made {
        hostname: call.hostname.to_owned(),
        container: container.id().to_owned(),
        program,
        runs: None,
    };
    programs.made.insert(id.clone(), made);
    Ok(Answer::json(StatusCode::CREATED, &json!({ "Id": id })))
}

fn not_there(first: &str, command: &[String]) -> Program {
    let words = format!(
        "OCI runtime exec failed: exec failed: unable to start container process: exec: \
         \"{first}\": executable file not found in $PATH: unknown\r"
    );
    Program {
        command: command.to_vec(),
        exit_code: NOT_FOUND,
        stdout: vec![words],
        ..Program::default()
    }
}

/// `/exec…`
pub(super) fn answer(call: &Call<'_>, rest: &[&str]) -> Outcome {
    let absent = |id: &str| not_found(format!("No such exec instance: {id}"));
    match (call.method(), rest) {
        (&Method::GET, [id, "json"]) => {
            let mut programs = call.engines.programs();
            let made = programs.of(call.hostname, id).ok_or_else(|| absent(id))?;
            Ok(ok(&made.inspected(id, call.now())))
        }
        (&Method::POST, [id, "start"]) => {
            let detached = call.body()?["Detach"] == json!(true);
            let mut programs = call.engines.programs();
            let made = programs.of(call.hostname, id).ok_or_else(|| absent(id))?;
            if made.runs.is_some() {
                return Err(conflict(format!(
                    "Error: Exec command {id} has already run"
                )));
            }
            let now = call.now();
            let ends = made.program.ends(now);
            made.runs = Some((now, ends));
            if detached {
                return Ok(Answer::empty(StatusCode::OK));
            }
            let (clock, output) = (call.engines.clock(), made.program.output());
            let told = stream::once(async move {
                clock.until(ends).await;
                Bytes::from(output)
            });
            let answer = Answer::stream(StatusCode::OK, told);
            Ok(answer.header("content-type", "application/vnd.docker.raw-stream"))
        }
        _ => Err(call.no_such_page()),
    }
}

impl Programs {
    fn of(&mut self, hostname: &str, id: &str) -> Option<&mut Made> {
        self.made
            .get_mut(id)
            .filter(|made| made.hostname == hostname)
    }
}

impl Made {
    fn inspected(&self, id: &str, now: Timestamp) -> Value {
        let ended = self.runs.is_some_and(|(_, ends)| ends <= now);
        let code = ended.then_some(self.program.exit_code);
        json!({
            "ID": id,
            "Running": self.runs.is_some() && !ended,
            "ExitCode": code,
            "ProcessConfig": {
                "tty": false,
                "entrypoint": self.program.command.first(),
                "arguments": self.program.command.get(1..),
                "privileged": false,
            },
            "OpenStdin": false,
            "OpenStderr": true,
            "OpenStdout": true,
            "CanRemove": false,
            "ContainerID": self.container,
            "DetachKeys": "",
            "Pid": 0,
        })
    }
}

impl Program {
    fn ends(&self, started: Timestamp) -> Timestamp {
        let millis = i64::try_from(self.ends_after_ms).unwrap_or(i64::MAX);
        let after = started.saturating_add(SignedDuration::from_millis(millis));
        after.unwrap_or(Timestamp::MAX)
    }

    fn output(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let streams = [
            (Source::Stdout, &self.stdout),
            (Source::Stderr, &self.stderr),
        ];
        for (source, lines) in streams {
            for line in lines {
                frame(source, &format!("{line}\n"), &mut bytes);
            }
        }
        bytes
    }
}
