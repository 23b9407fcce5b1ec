//! The hash of a whole plan: what somebody has looked at and agreed to.
//!
//! It binds what would be done, value by value, and what that was decided from:
//! the hash of each stack does, and names the cluster as well. When and from
//! which file or commit a plan was made, and by whom, is no part of it: a plan
//! that is made again while nothing moved has the same hash.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::plan::StackPlan;

/// Hexadecimal digits of a hash.
const DIGITS: usize = 64;

/// The hash of a plan: 64 hexadecimal digits.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct PlanHash(#[schemars(regex(pattern = r"^[0-9a-f]{64}$"))] String);

/// Why a text is no hash of a plan.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("a plan's hash has {DIGITS} hexadecimal digits")]
pub struct HashError;

impl PlanHash {
    /// The hash of a plan of these stacks. Of one stack it is that stack's own,
    /// which an apply also writes into the label `dev.imgstack.plan` of what it
    /// updates; of several it is the SHA-256 of a line for each, in the order
    /// of the plan: the name, a space, the hash.
    #[must_use]
    pub fn of(stacks: &[StackPlan]) -> Self {
        if let [only] = stacks {
            return Self(only.hash.clone());
        }
        let line = |plan: &StackPlan| format!("{} {}\n", plan.stack.name, plan.hash);
        let lines: String = stacks.iter().map(line).collect();
        let digest = Sha256::digest(lines);
        Self(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Its digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PlanHash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        match text.len() == DIGITS && text.bytes().all(hex) {
            true => Ok(Self(text.to_owned())),
            false => Err(HashError),
        }
    }
}

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
