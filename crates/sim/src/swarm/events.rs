//! What happened, as the Engine API tells it.

use serde_json::{Map, Value, json};

use super::Cluster;
use super::due::Id;

impl Cluster {
    /// Events of the Swarm, the oldest first.
    #[must_use]
    pub fn events(&self) -> &[Value] {
        &self.events
    }

    /// Events of one engine: images and containers.
    #[must_use]
    pub fn node_events(&self, hostname: &str) -> &[Value] {
        match self.node_named(hostname) {
            Some(node) => &node.events,
            None => &[],
        }
    }

    pub(super) fn tell(
        &mut self,
        kind: &str,
        action: &str,
        id: &str,
        attributes: Map<String, Value>,
    ) {
        let event = self.event(kind, action, id, attributes, "swarm");
        self.events.push(event);
    }

    pub(super) fn tell_local(
        &mut self,
        node: &Id,
        (kind, action): (&str, &str),
        id: &str,
        attributes: Map<String, Value>,
    ) {
        let event = self.event(kind, action, id, attributes, "local");
        if let Some(node) = self.nodes.get_mut(node) {
            node.events.push(event);
        }
    }

    fn event(
        &self,
        kind: &str,
        action: &str,
        id: &str,
        attributes: Map<String, Value>,
        scope: &str,
    ) -> Value {
        let nanos = i64::try_from(self.now.as_nanosecond()).unwrap_or(i64::MAX);
        json!({
            "Type": kind,
            "Action": action,
            "Actor": {"ID": id, "Attributes": attributes},
            "scope": scope,
            "time": self.now.as_second(),
            "timeNano": nanos,
        })
    }
}

/// Attributes of an event.
pub(super) fn attributes<const N: usize>(pairs: [(&str, String); N]) -> Map<String, Value> {
    let pairs = pairs.into_iter();
    pairs
        .map(|(key, value)| (key.to_owned(), Value::String(value)))
        .collect()
}
