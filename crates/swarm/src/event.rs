//! What the Swarm says by itself: services and nodes that change.
//!
//! A stream of hints, not a journal: what happened before it was opened is not
//! in it, and a broken connection loses what happened meanwhile. Whoever
//! follows it reads the service anew at each event, and now and then without.
//!
//! What Engine 20.10 sends for an update: at once an event for the write, with
//! `image.old` and `image.new` when the image changed, and for any other write
//! with nothing but the name; then, when tasks have to change, one with
//! `updatestate.new` = `updating` and no old state. `completed` follows when
//! the last task has run for `monitor`; `paused` and `rollback_started` as
//! soon as too many failed, the latter with the images turned round, and
//! `rollback_completed` when all is back. A write that changes no task gets no
//! update state at all.
//!
//! Tasks have no events of their own in Swarm: that a task moved on is only
//! seen by reading.

use std::collections::BTreeMap;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use serde::Deserialize;

use crate::{Error, NodeId, ServiceId, UpdateState};

/// An event is a few hundred bytes.
const LONGEST_LINE: usize = 1 << 20;

/// Events, for as long as the connection holds. Ends with an error when it
/// breaks, and with nothing when the engine ends it.
pub type EventStream = BoxStream<'static, Result<Event, Error>>;

/// Something changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What it happened to.
    pub subject: Subject,
    /// `create`, `update` or `remove`.
    pub action: String,
    /// What the engine says about it: `name`, and what changed as pairs of
    /// `FIELD.old` and `FIELD.new`.
    pub attributes: BTreeMap<String, String>,
}

/// What an event happened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A service.
    Service(ServiceId),
    /// A node.
    Node(NodeId),
}

impl Event {
    /// The state that an update of a service has just reached, from
    /// `updatestate.new`.
    #[must_use]
    pub fn update_state(&self) -> Option<UpdateState> {
        self.attributes
            .get("updatestate.new")
            .map(|word| UpdateState::from_word(word))
    }

    /// Whether it is about this service.
    #[must_use]
    pub fn is_about(&self, service: &ServiceId) -> bool {
        matches!(&self.subject, Subject::Service(id) if id == service)
    }
}

#[derive(Deserialize)]
struct WireEvent {
    #[serde(rename = "Type", default)]
    kind: String,
    #[serde(rename = "Action", default)]
    action: String,
    #[serde(rename = "Actor", default)]
    actor: WireActor,
}

#[derive(Default, Deserialize)]
struct WireActor {
    #[serde(rename = "ID", default)]
    id: String,
    #[serde(rename = "Attributes", default)]
    attributes: Option<BTreeMap<String, String>>,
}

/// One line of the stream; None for kinds that are not followed here.
fn parse(line: &[u8]) -> Result<Option<Event>, serde_json::Error> {
    let wire: WireEvent = serde_json::from_slice(line)?;
    let subject = match wire.kind.as_str() {
        "service" => Subject::Service(ServiceId::new(wire.actor.id)),
        "node" => Subject::Node(NodeId::new(wire.actor.id)),
        _ => return Ok(None),
    };
    Ok(Some(Event {
        subject,
        action: wire.action,
        attributes: wire.actor.attributes.unwrap_or_default(),
    }))
}

/// Cuts chunks of bytes into lines and reads each as an event.
pub(crate) fn decode(chunks: BoxStream<'static, Result<Vec<u8>, Error>>) -> EventStream {
    let state = (chunks, Vec::new());
    stream::unfold(Some(state), |state| async move {
        let (mut chunks, mut pending): (_, Vec<u8>) = state?;
        loop {
            if let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                match read_line(&line) {
                    Ok(Some(event)) => return Some((Ok(event), Some((chunks, pending)))),
                    Ok(None) => continue,
                    Err(error) => return Some((Err(error), None)),
                }
            }
            if pending.len() > LONGEST_LINE {
                let error = Error::Unintelligible {
                    call: "the events".to_owned(),
                    cause: "a line without end".to_owned(),
                };
                return Some((Err(error), None));
            }
            match chunks.next().await? {
                Ok(chunk) => pending.extend_from_slice(&chunk),
                Err(error) => return Some((Err(error), None)),
            }
        }
    })
    // Asked again after its end, an unfold panics.
    .fuse()
    .boxed()
}

fn read_line(line: &[u8]) -> Result<Option<Event>, Error> {
    let line = line.trim_ascii();
    if line.is_empty() {
        return Ok(None);
    }
    parse(line).map_err(|error| Error::Unintelligible {
        call: "the events".to_owned(),
        cause: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use futures_util::stream::{self, StreamExt as _};

    use super::{Subject, decode};
    use crate::{Error, UpdateState};

    fn chunks(parts: &[&str]) -> Vec<Result<Vec<u8>, Error>> {
        parts
            .iter()
            .map(|part| Ok(part.as_bytes().to_vec()))
            .collect()
    }

    #[tokio::test]
    async fn lines_cut_anywhere_are_put_together() {
        let line = r#"{"Type":"service","Action":"update","Actor":{"ID":"s1","Attributes":{"name":"web","updatestate.new":"completed","updatestate.old":"updating"}},"scope":"swarm","time":1}"#;
        let (head, tail) = line.split_at(50);
        let parts = chunks(&[
            head,
            tail,
            "\n\n{\"Type\":\"container\",\"Action\":\"die\"}\n",
            line,
            "\n",
        ]);
        let events: Vec<_> = decode(stream::iter(parts).boxed()).collect().await;
        assert_eq!(events.len(), 2);
        for event in events {
            let event = event.unwrap();
            assert_eq!(event.subject, Subject::Service(crate::ServiceId::new("s1")));
            assert_eq!(event.update_state(), Some(UpdateState::Completed));
        }
    }

    #[tokio::test]
    async fn rubbish_ends_the_stream_with_an_error() {
        let parts = chunks(&["not json\n", "{\"Type\":\"service\"}\n"]);
        let events: Vec<_> = decode(stream::iter(parts).boxed()).collect().await;
        assert!(
            matches!(events.as_slice(), [Err(Error::Unintelligible { .. })]),
            "{events:?}"
        );
    }
}
