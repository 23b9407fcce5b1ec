//! A task, as the Engine API tells it.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// One task.
#[derive(Clone, Debug)]
pub struct Task(pub Value);

impl Task {
    fn text(&self, pointer: &str) -> &str {
        let found = self.0.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_default()
    }

    pub fn id(&self) -> &str {
        self.text("/ID")
    }

    /// How far it is.
    pub fn state(&self) -> &str {
        self.text("/Status/State")
    }

    /// How far it is meant to go.
    pub fn desired(&self) -> &str {
        self.text("/DesiredState")
    }

    pub fn message(&self) -> &str {
        self.text("/Status/Message")
    }

    /// Why it is where it is; empty if nothing is wrong.
    pub fn err(&self) -> &str {
        self.text("/Status/Err")
    }

    pub fn image(&self) -> &str {
        self.text("/Spec/ContainerSpec/Image")
    }

    /// The ID of its node; empty before it has one.
    pub fn node(&self) -> &str {
        self.text("/NodeID")
    }

    pub fn slot(&self) -> Option<u64> {
        self.0["Slot"].as_u64()
    }

    pub fn created(&self) -> Timestamp {
        self.text("/CreatedAt").parse().unwrap()
    }

    /// Since when it is in its state.
    pub fn since(&self) -> Timestamp {
        self.text("/Status/Timestamp").parse().unwrap()
    }

    /// How long after `other` came to its state this one was made.
    pub fn made_after(&self, other: &Self) -> SignedDuration {
        self.created().duration_since(other.since())
    }

    /// The ID of its container; empty without one.
    pub fn container(&self) -> &str {
        self.text("/Status/ContainerStatus/ContainerID")
    }

    pub fn exit_code(&self) -> Option<i64> {
        self.0["Status"]["ContainerStatus"]["ExitCode"].as_i64()
    }

    /// It is wanted, and it runs.
    pub fn runs(&self) -> bool {
        self.state() == "running" && self.desired() == "running"
    }
}
