//! Why a task could not be asked, and what to do about it.

use std::time::Duration;

use imgstack_spec::TaskTemplateError;
use thiserror::Error as ThisError;

use crate::transport::NotCarried;
use crate::{Error, Node};

/// Why a task could not be asked.
#[derive(Clone, Debug, ThisError, PartialEq, Eq)]
#[error("{why}")]
pub struct Unasked {
    /// Why, as a lower-case fragment.
    pub why: String,
    /// What a person can do about it.
    pub hint: Option<String>,
}

const EXEC: &str = "ask with `exec`, which needs its engine only";

impl Unasked {
    fn new(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            hint: Some(hint.into()),
        }
    }

    /// Nobody knows a way to the engine of a node.
    pub(super) fn no_engine(node: &Node) -> Self {
        Self::new(
            format!("there is no way to the engine of node {}", node.hostname),
            "give the node an engine such as ssh://root@{hostname} in spec.nodes",
        )
    }

    /// The engine does not answer.
    pub(super) fn slow_engine(node: &Node, within: Duration) -> Self {
        let seconds = within.as_secs_f64();
        Self::new(
            format!(
                "the engine of node {} does not answer within {seconds} s",
                node.hostname
            ),
            "check the engine and the way to it, then run the command again",
        )
    }

    /// An engine's error.
    pub(super) fn engine(error: &Error) -> Self {
        Self {
            why: error.to_string(),
            hint: error.hint(),
        }
    }

    /// A task that its node has no address for.
    pub(super) fn no_address() -> Self {
        Self::new(
            "the task is on internal networks only, so its node has no address for it",
            EXEC,
        )
    }

    /// A text that cannot be filled in for the task.
    pub(super) fn text(error: &TaskTemplateError) -> Self {
        Self {
            why: error.to_string(),
            hint: None,
        }
    }

    /// Something that is no address to ask.
    pub(super) fn not_an_address(written: &str, wanted: &str) -> Self {
        Self {
            why: format!("`{written}` is not {wanted}"),
            hint: None,
        }
    }
}

impl From<NotCarried> for Unasked {
    fn from(not_carried: NotCarried) -> Self {
        match not_carried {
            NotCarried::Refused(words) => Self {
                why: words,
                hint: None,
            },
            NotCarried::EngineAlone => Self::new(
                "the node is reached by tcp, where nothing but its engine answers",
                format!("reach it by ssh, or {EXEC}"),
            ),
            NotCarried::NotHere => Self::new(
                "the engine's socket is here, but this is not its node",
                format!("give the node an engine such as ssh://root@{{hostname}}, or {EXEC}"),
            ),
            NotCarried::Forbidden { host } => Self::new(
                format!("{host} forbids tcp forwarding over ssh, and has no `nc`"),
                format!("allow it (AllowTcpForwarding local), install `nc` there, or {EXEC}"),
            ),
            NotCarried::Ssh(error) => Self {
                why: error.to_string(),
                hint: Some(error.hint()),
            },
        }
    }
}
