//! What is known of the credential for a registry. Never the credential.

use std::collections::BTreeMap;

use imgstack_spec::Repository;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Known, Trouble};

/// The credential that was found for a registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedCredential {
    /// The account, if the credential names one.
    pub username: Option<String>,
    /// Where it was read, in words: "GHCR_PAT in the environment".
    pub source: String,
    /// Whether the spec names that source: such a credential is the stack's,
    /// not that of whoever types the command.
    pub named_by_spec: bool,
    /// Tells it from other credentials, and nothing else about it.
    pub fingerprint: String,
    /// What kind of token it is, in words, where that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Until when it is good; None inside: no end is known.
    pub expires: Known<Option<Timestamp>>,
    /// What it may, such as `read:packages`, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// What is wrong with it, whether or not a registry has refused it yet.
    pub concerns: Vec<Trouble>,
    /// Whether the registry lets it in, for each repository of the stack.
    pub accepted: BTreeMap<Repository, Acceptance>,
}

/// Whether a registry lets a credential pull from a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Acceptance {
    /// It does.
    Accepted,
    /// It lets anybody.
    NotNeeded,
    /// It does not.
    Refused(Trouble),
    /// It could not be asked.
    Unknown(Trouble),
}

impl ObservedCredential {
    /// Whether the registry lets it pull from there.
    #[must_use]
    pub fn is_accepted_for(&self, repository: &Repository) -> bool {
        matches!(self.accepted.get(repository), Some(Acceptance::Accepted))
    }
}
