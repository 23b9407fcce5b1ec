//! Identifiers that a Swarm gives out: one type each, so that a task's
//! identifier never stands for a service's.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            /// Takes the identifier as the engine wrote it.
            #[must_use]
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The first twelve characters, as docker's own tables show it.
            #[must_use]
            pub fn short(&self) -> &str {
                self.0.get(..12).unwrap_or(&self.0)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// A service's identifier. It survives updates, not a remove and create.
    ServiceId
}
id! {
    /// A node's identifier. A node that left and joined again has a new one.
    NodeId
}
id! {
    /// A task's identifier. A restarted task is a new task.
    TaskId
}
id! {
    /// A config's identifier. One that was removed and made again under the same
    /// name has another.
    ConfigId
}
id! {
    /// An image's identifier on one engine, such as `sha256:96cd…`: the digest
    /// of what lies there, not the one that a registry knows it by.
    ImageId
}
