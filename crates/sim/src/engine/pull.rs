//! `POST /images/create`: a pull and its progress, one JSON object a line.
//!
//! What is wrong before the first line is the status of the answer; what goes
//! wrong later, such as a disk that fills, is the last line.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use futures_util::stream;
use hyper::StatusCode;
use imgstack_spec::ImageRef;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::answers::{Outcome, bad_request};
use super::call::Call;
use super::images::reference;
use super::moments::Moments;
use crate::Answer;
use crate::swarm::PullTicket;

/// How often a layer tells of its progress.
const STEPS: u64 = 5;

/// `POST /images/create?fromImage=…&tag=…`
pub(super) fn answer(call: &Call<'_>) -> Outcome {
    let Some(name) = call.parameter("fromImage") else {
        return Err(bad_request("fromImage is missing: only pulls make images"));
    };
    if let Some(platform) = call.parameter("platform") {
        let own = format!("{}/{}", call.standing.os(), call.standing.architecture());
        if platform != own && platform != call.standing.os() {
            return Err(bad_request(format!(
                "a simulated node pulls for its own platform ({own}), not for {platform}"
            )));
        }
    }
    let reference = reference(&name, call.parameter("tag").as_deref())?;
    let auth = call.credential_if_any();
    let (begun, ticket) = call.engines.with(|cluster, now| {
        let ticket = cluster.begin_pull(now, call.hostname, &reference, auth);
        ticket.map(|ticket| (now, ticket))
    })?;
    let telling = Telling {
        moments: Moments::of(call),
        hostname: call.hostname.to_owned(),
        lines: progress(&reference, begun, &ticket).into(),
        last: Some((ticket, reference)),
    };
    let lines = stream::try_unfold(telling, |mut telling| async move {
        let line = telling.next().await?;
        Ok(line.map(|line| (Bytes::from(format!("{line}\r\n")), telling)))
    });
    let answer = Answer::try_stream(StatusCode::OK, lines);
    Ok(answer.header("content-type", "application/json"))
}

/// A line and when it is written.
type Due = (Timestamp, Value);

/// One client that waits for its image.
struct Telling {
    moments: Moments,
    hostname: String,
    lines: VecDeque<Due>,
    /// What is still to be told when all lines are.
    last: Option<(PullTicket, String)>,
}

impl Telling {
    async fn next(&mut self) -> io::Result<Option<Value>> {
        if let Some((at, line)) = self.lines.pop_front() {
            self.until(at).await?;
            return Ok(Some(line));
        }
        let Some((ticket, reference)) = self.last.take() else {
            return Ok(None);
        };
        self.until(ticket.done_at).await?;
        let hostname = &self.hostname;
        let outcome = self
            .moments
            .look(|cluster| cluster.pull_outcome(hostname, &reference))?;
        if let Err(error) = outcome {
            let message = error.message;
            let line = json!({"errorDetail": {"message": message}, "error": message});
            return Ok(Some(line));
        }
        let status = match ticket.total_bytes {
            0 => "Image is up to date",
            _ => "Downloaded newer image",
        };
        let status = json!({"status": format!("Status: {status} for {reference}")});
        self.lines.push_back((ticket.done_at, status));
        let digest = format!("Digest: {}", ticket.image.digest);
        Ok(Some(json!({ "status": digest })))
    }

    /// Waits for a date, unless the host goes first.
    async fn until(&mut self, at: Timestamp) -> io::Result<()> {
        loop {
            self.moments.look(|_| ())?;
            if self.moments.now() >= at {
                return Ok(());
            }
            self.moments.next(Some(at)).await;
        }
    }
}

/// All lines but the last ones. Layers come one after another, each with an
/// equal part of the bytes: an image's sum is all that is known.
fn progress(reference: &str, begun: Timestamp, ticket: &PullTicket) -> Vec<Due> {
    let mut lines = vec![(begun, pulling_from(reference))];
    let layers = ticket.image.config["rootfs"]["diff_ids"].as_array();
    let layers: Vec<&str> = layers
        .into_iter()
        .flatten()
        .filter_map(|digest| digest.as_str()?.split_once(':')?.1.get(..12))
        .collect();
    let count = layers.len() as u64;
    if ticket.total_bytes == 0 || count == 0 {
        return lines;
    }
    for layer in &layers {
        lines.push((begun, line(layer, "Pulling fs layer", json!({}))));
    }
    let period = ticket.done_at.duration_since(begun);
    let size = (ticket.total_bytes / count).max(1);
    for (n, layer) in (0_u64..).zip(&layers) {
        for step in 1..=STEPS {
            let part = (n * STEPS + step) as f64 / (count * STEPS) as f64;
            let passed = SignedDuration::try_from_secs_f64(period.as_secs_f64() * part);
            let at = begun.saturating_add(passed.unwrap_or_default());
            let at = at.unwrap_or(ticket.done_at).min(ticket.done_at);
            let detail = json!({"current": size * step / STEPS, "total": size});
            lines.push((at, line(layer, "Downloading", detail)));
            if step == STEPS {
                lines.push((at, line(layer, "Download complete", json!({}))));
                lines.push((at, line(layer, "Pull complete", json!({}))));
            }
        }
    }
    lines
}

fn line(layer: &str, status: &str, detail: Value) -> Value {
    json!({"status": status, "progressDetail": detail, "id": layer})
}

/// The path without the host, and what of it: as `docker pull` begins.
fn pulling_from(reference: &str) -> Value {
    // The reference was put together from a parsed one.
    let parsed = reference.parse::<ImageRef>().ok();
    let path = parsed.as_ref().map(|image| image.repository.path());
    let id = parsed.as_ref().and_then(|image| match &image.digest {
        Some(digest) => Some(digest.as_str()),
        None => image.tag.as_ref().map(|tag| tag.as_str()),
    });
    json!({"status": format!("Pulling from {}", path.unwrap_or(reference)), "id": id})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Image;

    fn ticket(layers: usize, total_bytes: u64) -> PullTicket {
        let digests: Vec<String> = (0..layers).map(|n| format!("sha256:{n:064}")).collect();
        PullTicket {
            image: Image {
                repository: "ghcr.io/acme/db".to_owned(),
                digest: "sha256:11".to_owned(),
                manifest: "sha256:22".to_owned(),
                id: "sha256:33".to_owned(),
                compressed: total_bytes,
                size: total_bytes,
                config: json!({"rootfs": {"diff_ids": digests}}),
            },
            done_at: Timestamp::new(110, 0).unwrap(),
            total_bytes,
        }
    }

    fn begun() -> Timestamp {
        Timestamp::new(100, 0).unwrap()
    }

    #[test]
    fn a_pull_tells_of_every_layer_in_time() {
        let lines = progress("ghcr.io/acme/db:16", begun(), &ticket(2, 1000));
        let (at, first) = &lines[0];
        assert_eq!(*at, begun());
        assert_eq!(
            *first,
            json!({"status": "Pulling from acme/db", "id": "16"})
        );
        assert!(lines.is_sorted_by_key(|(at, _)| *at));
        assert_eq!(
            lines.last().map(|(at, _)| *at),
            Some(ticket(2, 1000).done_at)
        );
        let of = |status: &str| {
            let of_status = lines.iter().filter(|(_, line)| line["status"] == status);
            of_status
                .map(|(at, line)| (at.as_second(), line))
                .collect::<Vec<_>>()
        };
        let half = of("Downloading")[4];
        assert_eq!(half.0, 105);
        let whole = json!({"current": 500, "total": 500});
        assert_eq!(half.1["progressDetail"], whole);
        assert_eq!(of("Pull complete").len(), 2);
    }

    #[test]
    fn what_is_there_is_not_carried_again() {
        let lines = progress("db@sha256:00", begun(), &ticket(2, 0));
        assert_eq!(lines.len(), 1);
    }
}
