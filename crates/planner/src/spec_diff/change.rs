//! One difference between two specs.

use std::fmt;

use imgstack_spec::{Address, ServiceName, StackName};
use serde::{Serialize, Serializer};

/// One difference, and what it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The stack that it is in: the newer one, or the one that it was in.
    pub stack: StackName,
    /// What has changed.
    pub address: Subject,
    /// Whether it is new, no more, or another.
    pub action: Act,
    /// The field, by its path in the language, such as `rollout.order`. None:
    /// the whole thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What the older spec says, as the language writes it. None: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What the newer spec says, as the language writes it. None: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What the spec says of a thing that is new or no more, but for defaults.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub says: Vec<Said>,
    /// What kind of effect it has.
    pub effect: Effect,
    /// The same in words for people. Nothing branches on them (invariant 4).
    pub message: String,
    /// The services that the effect is on, in rollout order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceName>,
}

/// What has changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// `stack.NAME`
    Stack(StackName),
    /// Whatever has an address.
    Thing(Address),
    /// `nodes[role=worker, labels.zone=a]`: a rule for several nodes, which no
    /// address names.
    Nodes(String),
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Act {
    /// Only the newer spec has it.
    Add,
    /// Only the older spec has it.
    Remove,
    /// The two say something else.
    Change,
}

/// A field and what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// The field, by its path in the language.
    pub field: String,
    /// What it says, as the language writes it.
    pub value: String,
}

/// The kinds of effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It is of another major version, and stopped.
    Blocked,
    /// Another cluster may be meant.
    OtherCluster,
    /// Tasks are restarted, or may be.
    Restarts,
    /// Another build is held, which restarts tasks that run another one.
    Held,
    /// Builds go from nodes.
    Removes,
    /// Starts to be managed.
    Managed,
    /// Is managed no more; nothing is removed.
    Unmanaged,
    /// Nothing restarts.
    NoRestart,
}

/// What a difference means, before it is told of a field.
pub(super) struct Meaning {
    pub(super) effect: Effect,
    pub(super) message: String,
    pub(super) services: Vec<ServiceName>,
}

impl Meaning {
    pub(super) fn new(effect: Effect, message: impl Into<String>) -> Self {
        Self {
            effect,
            message: message.into(),
            services: Vec::new(),
        }
    }

    pub(super) fn no_restart(message: impl Into<String>) -> Self {
        Self::new(Effect::NoRestart, message)
    }

    pub(super) fn on(self, services: Vec<ServiceName>) -> Self {
        Self { services, ..self }
    }

    /// The change of one field, or, without a name, of the whole thing.
    pub(super) fn change(self, stack: &StackName, address: Subject, action: Act) -> Change {
        Change {
            stack: stack.clone(),
            address,
            action,
            field: None,
            from: None,
            to: None,
            says: Vec::new(),
            effect: self.effect,
            message: self.message,
            services: self.services,
        }
    }
}

impl Effect {
    /// Every kind, the gravest first.
    pub const ALL: [Self; 8] = [
        Self::Blocked,
        Self::OtherCluster,
        Self::Restarts,
        Self::Held,
        Self::Removes,
        Self::Managed,
        Self::Unmanaged,
        Self::NoRestart,
    ];

    /// The kind in few words, for a table.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Blocked => "blocked by its major version",
            Self::OtherCluster => "another cluster",
            Self::Restarts => "restarts tasks",
            Self::Held => "another build is held",
            Self::Removes => "removes builds from nodes",
            Self::Managed => "starts to be managed",
            Self::Unmanaged => "is managed no more",
            Self::NoRestart => "no restart",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stack(name) => write!(f, "stack.{name}"),
            Self::Thing(address) => address.fmt(f),
            Self::Nodes(which) => write!(f, "nodes[{which}]"),
        }
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}
