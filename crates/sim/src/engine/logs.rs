//! Logs of tasks and services: frames of an 8-byte header and a line.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use futures_util::stream;
use hyper::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use super::answers::{Outcome, broken};
use super::call::Call;
use super::moments::Moments;
use super::version::OF_23;
use crate::Answer;
use crate::swarm::{ApiError, Cluster, LogLine};

/// The first byte of a frame's header.
#[derive(Clone, Copy)]
pub(super) enum Source {
    Stdout = 1,
    Stderr = 2,
    /// The engine's own words, in between those of the task.
    Engine = 3,
}

/// What the client wants to read, and how.
struct Wanted {
    what: What,
    stdout: bool,
    stderr: bool,
    timestamps: bool,
    details: bool,
    follow: bool,
    since: Option<Timestamp>,
    /// The last so many lines of each task; None: all.
    tail: Option<usize>,
    /// Without frames, as for a terminal.
    raw: bool,
}

enum What {
    Service(String),
    Task(String),
}

/// `GET /services/{id}/logs`
pub(super) fn of_service(call: &Call<'_>, service: &str) -> Outcome {
    let found = call.engines.read(|cluster| cluster.service(service))?;
    let id = found["ID"].as_str().unwrap_or_default().to_owned();
    answer(call, What::Service(id), &found["Spec"]["TaskTemplate"])
}

/// `GET /tasks/{id}/logs`
pub(super) fn of_task(call: &Call<'_>, task: &str) -> Outcome {
    let found = call.engines.read(|cluster| cluster.task(task))?;
    let id = found["ID"].as_str().unwrap_or_default().to_owned();
    answer(call, What::Task(id), &found["Spec"])
}

fn answer(call: &Call<'_>, what: What, template: &Value) -> Outcome {
    if call.method() != Method::GET {
        return Err(call.no_such_page());
    }
    let wanted = wanted(call, what, template)?;
    let media = match wanted.raw {
        false => "application/vnd.docker.multiplexed-stream",
        true => "application/vnd.docker.raw-stream",
    };
    let told = call.api >= OF_23;
    let reader = Reader {
        moments: Moments::of(call),
        wanted,
        read: Read::new(),
        first: true,
    };
    let frames = stream::try_unfold(reader, |mut reader| async move {
        let bytes = reader.next().await?;
        Ok(bytes.map(|bytes| (bytes, reader)))
    });
    let answer = Answer::try_stream(StatusCode::OK, frames);
    // Engines of old do not say what it is.
    Ok(match told {
        true => answer.header("content-type", media),
        false => answer,
    })
}

fn wanted(call: &Call<'_>, what: What, template: &Value) -> Result<Wanted, ApiError> {
    let (stdout, stderr) = (call.flag("stdout"), call.flag("stderr"));
    if !stdout && !stderr {
        let message = "Bad parameters: you must choose at least one stream";
        return Err(broken(message));
    }
    let tail = match call.parameter("tail").as_deref() {
        None | Some("all") => None,
        Some(number) => match number.parse::<i64>() {
            Ok(number) if number < 0 => return Err(broken("negative tail values not supported")),
            Ok(number) => usize::try_from(number).ok(),
            Err(_) => return Err(broken("tail value must be a positive integer or \"all\"")),
        },
    };
    Ok(Wanted {
        what,
        stdout,
        stderr,
        tail,
        timestamps: call.flag("timestamps"),
        details: call.flag("details"),
        follow: call.flag("follow"),
        since: call.date("since")?,
        raw: template["ContainerSpec"]["TTY"] == Value::Bool(true),
    })
}

/// How many lines of each task were read.
type Read = BTreeMap<String, usize>;

/// One reader of logs.
struct Reader {
    moments: Moments,
    wanted: Wanted,
    read: Read,
    /// Nothing was read yet.
    first: bool,
}

impl Reader {
    /// What comes next; None: that was all.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let first = std::mem::take(&mut self.first);
            if !first && !self.wanted.follow {
                return Ok(None);
            }
            let (wanted, read) = (&self.wanted, &mut self.read);
            let bytes = self
                .moments
                .look(|cluster| wanted.frames(cluster, read, first))?;
            if !bytes.is_empty() {
                return Ok(Some(Bytes::from(bytes)));
            }
            if wanted.follow {
                self.moments.next(None).await;
            }
        }
    }
}

impl Wanted {
    /// What was written since it was last read, of all tasks, by time.
    fn frames(&self, cluster: &Cluster, read: &mut Read, first: bool) -> Vec<u8> {
        let mut lines: Vec<(LogLine, String)> = Vec::new();
        let mut unheard = Vec::new();
        for task in self.tasks(cluster) {
            let text = |field: &str| task[field].as_str().unwrap_or_default();
            if first && is_down(cluster, text("NodeID")) {
                unheard.push(format!("node {} is not available", text("NodeID")));
                continue;
            }
            let written = cluster.logs(text("ID"));
            let from = read
                .insert(text("ID").to_owned(), written.len())
                .unwrap_or(0);
            let mut new: Vec<LogLine> = written.into_iter().skip(from).collect();
            // The last ones of all, before those of one stream are taken.
            if let (true, Some(tail)) = (first, self.tail) {
                new.drain(..new.len().saturating_sub(tail));
            }
            new.retain(|line| self.takes(line));
            let details = format!(
                "com.docker.swarm.node.id={},com.docker.swarm.service.id={},com.docker.swarm.task.id={} ",
                text("NodeID"),
                text("ServiceID"),
                text("ID"),
            );
            lines.extend(new.into_iter().map(|line| (line, details.clone())));
        }
        lines.sort_by_key(|(line, _)| line.at);
        let mut bytes = Vec::new();
        for (line, details) in &lines {
            self.frame(line, details, &mut bytes);
        }
        if !unheard.is_empty() {
            unheard.dedup();
            let complaint = format!(
                "Error grabbing logs: rpc error: code = Unknown desc = warning: incomplete log stream. some logs could not be retrieved for the following reasons: {}\n",
                unheard.join(", ")
            );
            self.write(Source::Engine, &complaint, &mut bytes);
        }
        bytes
    }

    fn tasks(&self, cluster: &Cluster) -> Vec<Value> {
        match &self.what {
            What::Service(service) => cluster.tasks_of(std::slice::from_ref(service)),
            What::Task(task) => cluster.task(task).into_iter().collect(),
        }
    }

    fn takes(&self, line: &LogLine) -> bool {
        let stream = if line.stderr {
            self.stderr
        } else {
            self.stdout
        };
        stream && self.since.is_none_or(|since| since <= line.at)
    }

    fn frame(&self, line: &LogLine, details: &str, bytes: &mut Vec<u8>) {
        let mut text = String::new();
        if self.timestamps {
            text.push_str(&format!("{:.9} ", line.at));
        }
        if self.details {
            text.push_str(details);
        }
        text.push_str(&line.text);
        text.push('\n');
        let source = if line.stderr {
            Source::Stderr
        } else {
            Source::Stdout
        };
        self.write(source, &text, bytes);
    }

    fn write(&self, source: Source, text: &str, bytes: &mut Vec<u8>) {
        match self.raw {
            true => bytes.extend_from_slice(text.as_bytes()),
            false => frame(source, text, bytes),
        }
    }
}

/// A piece of output with its header.
pub(super) fn frame(source: Source, text: &str, bytes: &mut Vec<u8>) {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&[source as u8, 0, 0, 0]);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

fn is_down(cluster: &Cluster, node: &str) -> bool {
    let node = cluster.node(node);
    node.is_ok_and(|node| node["Status"]["State"].as_str() == Some("down"))
}
