//! `/events`: what happened since, and what happens until.
//!
//! A manager tells what happens in the Swarm; every engine what happens on its
//! own node. Unlike lists, events take any filter: one that is unknown filters
//! nothing, as on a real engine.

use std::io;

use bytes::Bytes;
use futures_util::stream;
use hyper::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use super::answers::{Outcome, bad_request};
use super::call::Call;
use super::filters::Filters;
use super::moments::Moments;
use super::version::OF_29;
use crate::Answer;
use crate::swarm::Cluster;

/// Filters that name the object that something happened to.
const OF_OBJECTS: [&str; 9] = [
    "daemon",
    "container",
    "plugin",
    "volume",
    "network",
    "service",
    "node",
    "secret",
    "config",
];

/// How many past events an engine remembers.
const REMEMBERED: usize = 256;

/// Which events a client is told.
struct Wanted {
    filters: Filters,
    hostname: String,
    of_swarm: bool,
    /// With the fields that were there before there were actors.
    old_fields: bool,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// One client and how far it was told.
struct Telling {
    moments: Moments,
    wanted: Wanted,
    /// The next event of the Swarm, and of the node.
    next: (usize, usize),
}

/// `GET /events`
pub(super) fn answer(call: &Call<'_>) -> Outcome {
    let wanted = Wanted {
        filters: call.filters(&[])?,
        hostname: call.hostname.to_owned(),
        of_swarm: call.standing.manages(),
        old_fields: call.standing.spoken().newest < OF_29,
        since: call.date("since")?,
        until: call.date("until")?,
    };
    let dates = wanted.since.zip(wanted.until);
    if dates.is_some_and(|(since, until)| until < since) {
        return Err(bad_request("`since` time cannot be after `until` time"));
    }
    // From this moment on nothing is missed, whenever the client reads on.
    let next = call.engines.read(|cluster| wanted.begin(cluster));
    let telling = Telling {
        moments: Moments::of(call),
        wanted,
        next,
    };
    let lines = stream::try_unfold(telling, |mut telling| async move {
        let lines = telling.next().await?;
        Ok(lines.map(|lines| (lines, telling)))
    });
    let answer = Answer::try_stream(StatusCode::OK, lines);
    Ok(answer.header("content-type", "application/json"))
}

impl Telling {
    /// The next lines; None: the end that the client set has come.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            // Before the look, so that what happens at that very moment is told.
            let now = self.moments.now();
            let (wanted, next) = (&self.wanted, self.next);
            let (lines, next) = self.moments.look(|cluster| wanted.after(next, cluster))?;
            self.next = next;
            if !lines.is_empty() {
                return Ok(Some(Bytes::from(lines)));
            }
            let until = self.wanted.until;
            if until.is_some_and(|until| until <= now) {
                return Ok(None);
            }
            self.moments.next(until).await;
        }
    }
}

impl Wanted {
    /// Where to begin: with what is remembered, if the client asks for it.
    fn begin(&self, cluster: &Cluster) -> (usize, usize) {
        let (swarm, node) = self.sources(cluster);
        if self.since.is_none() {
            return (swarm.len(), node.len());
        }
        let mut all: Vec<(i128, bool)> = Vec::with_capacity(2 * REMEMBERED);
        for (events, of_swarm) in [(swarm, true), (node, false)] {
            let last = events.iter().rev().take(REMEMBERED);
            all.extend(last.map(|event| (nanoseconds(event), of_swarm)));
        }
        all.sort_unstable();
        let forgotten = all.len().saturating_sub(REMEMBERED);
        let kept = all.iter().skip(forgotten);
        let of_swarm = kept.clone().filter(|(_, of_swarm)| *of_swarm).count();
        (
            swarm.len() - of_swarm,
            node.len() - (kept.count() - of_swarm),
        )
    }

    /// The lines from there on, in the order in which things happened, and
    /// where to go on.
    fn after(&self, next: (usize, usize), cluster: &Cluster) -> (Vec<u8>, (usize, usize)) {
        let (swarm, node) = self.sources(cluster);
        let new = |events: &'_ [Value], from: usize| events.len().min(from);
        let mut events: Vec<&Value> = swarm[new(swarm, next.0)..].iter().collect();
        events.extend(&node[new(node, next.1)..]);
        events.retain(|event| self.includes(event));
        events.sort_by_key(|event| nanoseconds(event));
        let mut lines = Vec::new();
        for event in events {
            let text = match self.old_fields && event["scope"] == "local" {
                true => with_old_fields(event).to_string(),
                false => event.to_string(),
            };
            lines.extend_from_slice(text.as_bytes());
            lines.push(b'\n');
        }
        (lines, (swarm.len(), node.len()))
    }

    fn sources<'a>(&self, cluster: &'a Cluster) -> (&'a [Value], &'a [Value]) {
        let swarm = match self.of_swarm {
            true => cluster.events(),
            false => &[],
        };
        (swarm, cluster.node_events(&self.hostname))
    }

    fn includes(&self, event: &Value) -> bool {
        let filters = &self.filters;
        let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
        let (kind, scope) = (text(&event["Type"]), text(&event["scope"]));
        let at = Timestamp::from_nanosecond(nanoseconds(event)).unwrap_or_default();
        let (id, attributes) = (text(&event["Actor"]["ID"]), &event["Actor"]["Attributes"]);
        let name = text(&attributes["name"]);
        // A beginning of the ID or of the name will do, whatever the type.
        let of_object = |kind: &&str| filters.prefix(kind, &id) || filters.prefix(kind, &name);
        self.since.is_none_or(|since| since <= at)
            && self.until.is_none_or(|until| at <= until)
            && filters.exact("type", &kind)
            && filters.exact("scope", &scope)
            && self.is_action(&text(&event["Action"]))
            && OF_OBJECTS.iter().all(of_object)
            && self.is_image(&kind, &id, attributes)
            && filters.labels("label", attributes)
    }

    /// `health_status` stands for `health_status: healthy` too.
    fn is_action(&self, action: &str) -> bool {
        let word = action.split(':').next().unwrap_or_default();
        self.filters.exact("event", action) || self.filters.exact("event", word)
    }

    fn is_image(&self, kind: &str, id: &str, attributes: &Value) -> bool {
        let attribute = if kind == "image" { "name" } else { "image" };
        let name = attributes[attribute].as_str().unwrap_or_default();
        let names = [id, name, without_tag(id), without_tag(name)];
        names.iter().any(|name| self.filters.exact("image", name))
    }
}

/// What happened on a node as it was told once, beside how it is told now.
fn with_old_fields(event: &Value) -> Value {
    let mut event = event.clone();
    event["status"] = event["Action"].clone();
    event["id"] = event["Actor"]["ID"].clone();
    if event["Type"] == "container" {
        event["from"] = event["Actor"]["Attributes"]["image"].clone();
    }
    event
}

fn nanoseconds(event: &Value) -> i128 {
    i128::from(event["timeNano"].as_i64().unwrap_or_default())
}

/// `ghcr.io/acme/db:16@sha256:…` is `ghcr.io/acme/db`.
pub(super) fn without_tag(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or_default();
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wanted(filters: &str) -> Wanted {
        Wanted {
            filters: Filters::read(Some(filters), &[]).unwrap(),
            hostname: "one".to_owned(),
            of_swarm: true,
            old_fields: false,
            since: None,
            until: None,
        }
    }

    #[test]
    fn events_are_filtered_as_dockers_daemon_filters_them() {
        let event = json!({
            "Type": "image", "Action": "pull", "scope": "local",
            "Actor": {"ID": "ghcr.io/acme/db:16", "Attributes": {"name": "ghcr.io/acme/db", "team": "a"}},
            "time": 5, "timeNano": 5_000_000_000_i64,
        });
        let table = [
            ("{}", true),
            (r#"{"type":["image","service"],"event":["pull"]}"#, true),
            (r#"{"type":["service"]}"#, false),
            (r#"{"event":["untag"]}"#, false),
            (r#"{"scope":["swarm"]}"#, false),
            (r#"{"image":["ghcr.io/acme/db"]}"#, true),
            (r#"{"image":["ghcr.io/acme"]}"#, false),
            (r#"{"label":["team=a"]}"#, true),
            (r#"{"label":["team=b"]}"#, false),
            (r#"{"service":["ghcr.io/ac"]}"#, true),
            (r#"{"node":["infra"]}"#, false),
        ];
        for (filters, expected) in table {
            assert_eq!(wanted(filters).includes(&event), expected, "{filters}");
        }
        let date = |seconds| Some(Timestamp::new(seconds, 0).unwrap());
        let within = |since, until| {
            let wanted = Wanted {
                since: date(since),
                until: date(until),
                ..wanted("{}")
            };
            wanted.includes(&event)
        };
        assert!(within(5, 5));
        assert!(!within(6, 9));
        assert!(!within(1, 4));
    }

    #[test]
    fn a_word_stands_for_all_states_of_health() {
        let only = wanted(r#"{"event":["health_status"]}"#);
        assert!(only.is_action("health_status: unhealthy"));
        assert!(!only.is_action("start"));
        assert!(
            wanted(r#"{"event":["health_status: healthy"]}"#).is_action("health_status: healthy")
        );
    }

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(without_tag("host:5000/db@sha256:00"), "host:5000/db");
        assert_eq!(without_tag("host:5000/db:16"), "host:5000/db");
    }
}
