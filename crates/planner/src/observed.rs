//! Unknown is a value (invariant 3 of the architecture).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why something could not be observed, and what to do about it. For people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trouble {
    /// What went wrong, as a lower-case fragment.
    pub why: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Trouble {
    /// A trouble without advice.
    #[must_use]
    pub fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            hint: None,
        }
    }
}

/// Something that was asked for: either it answered, or it is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Known<T> {
    /// The answer.
    Known(T),
    /// No answer. Never to be read as "there is none".
    Unknown(Trouble),
}

/// Something that may exist: there, certainly not there, or unknown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Observed<T> {
    /// It is there.
    Present(T),
    /// Its keeper said that it does not exist.
    Absent(Trouble),
    /// Its keeper could not be asked.
    Unknown(Trouble),
}

impl<T> Observed<T> {
    /// The value, if it is there.
    pub fn present(&self) -> Option<&T> {
        match self {
            Self::Present(value) => Some(value),
            Self::Absent(_) | Self::Unknown(_) => None,
        }
    }
}
