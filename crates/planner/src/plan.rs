//! The plan: plain data, apart from the engine that makes it and the one that
//! carries it out. What a person reads is rendered from this (invariant 5).
//!
//! Every choice is a literal value here (invariant 1). A plan holds no secret
//! and no part of a service's spec that could be one.

use std::collections::BTreeMap;

use imgstack_spec::policy::Policy;
use imgstack_spec::{Address, Digest, ImageRef, ServiceName, Stack};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hash::PlanHash;
use crate::holdings::Holding;
use crate::planner::Only;
use crate::step::{Effect, Step};
use crate::{Build, Known, Observed, Report, Trouble};

/// Version of the JSON forms that have none of their own.
pub const FORMAT_VERSION: &str = "1.0";

/// Version of the JSON form of a plan, `MAJOR.MINOR`.
///
/// A new minor adds fields, which an older reader may pass over when it shows a
/// plan; it does not carry one out, since it would not do what they ask for. A
/// new major is for everything that makes an older reader show something wrong:
/// a field or a kind of step that became another or went.
///
/// 1.1: `hash`, `holdings`, and `probe` of an update.
pub const PLAN_FORMAT_VERSION: &str = "1.1";

/// A plan for every stack given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// `MAJOR.MINOR`: which form of the file it is.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: String,
    /// Version of the program that made it.
    pub imgstack_version: String,
    /// When it was made. This and the commit do not follow from the input.
    pub created_at: Timestamp,
    /// The commit of the folder of the spec, where git knows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// The hash of all stacks: of one its own, of several the SHA-256 of a line
    /// for each, `NAME HASH`. Whoever reads a file makes it anew, whatever
    /// stands there.
    #[serde(default)]
    pub hash: PlanHash,
    /// One for each stack, in the order of the files.
    pub stacks: Vec<StackPlan>,
}

/// A commit of git's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Commit {
    /// All of its hexadecimal digits.
    pub id: String,
    /// Whether something was not as in the commit.
    pub dirty: bool,
}

/// The plan of one stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StackPlan {
    /// What is desired, so that a stale plan can be made anew.
    pub stack: Stack,
    /// Where the cluster was found, in words.
    pub endpoint: String,
    /// The cluster's ID, so that a plan is not carried out elsewhere.
    pub cluster: Known<String>,
    /// What the plan was narrowed to; empty is everything.
    pub targets: Vec<Address>,
    /// The kinds of steps that were asked for.
    #[serde(default)]
    pub only: Only,
    /// Whether builds that have failed may be tried again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retry_failed: bool,
    /// The images that the targets take in, in file order.
    pub images: Vec<PlannedImage>,
    /// What is to be done, in the order of doing.
    pub steps: Vec<Step>,
    /// What blocks, waits or wants attention.
    pub report: Report,
    /// Which node holds which build, for people: neither the hash nor `drift`
    /// looks at it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holdings: Vec<Holding>,
    /// The state of every service that the targets take in, as it was decided from.
    pub seen: BTreeMap<ServiceName, Seen>,
    /// Identifies what is to be done and what it was decided from.
    pub hash: String,
}

/// An image: what runs and what is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedImage {
    /// `image.NAME`
    pub address: Address,
    /// What the spec asks for, or its policy has chosen.
    pub reference: ImageRef,
    /// The policy that chooses the tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// The spec's words on what it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Whether the spec pins it.
    pub pinned: bool,
    /// The builds that tasks run, most services first.
    pub runs: Vec<RunningBuild>,
    /// The build that the reference means now; where the policy leads to none
    /// that services could move to, the one that they all keep.
    pub wants: Observed<Digest>,
    /// Whether the policy leads to none, so that each service keeps what it runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
    /// Facts of the wanted build, if they were needed and answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
}

/// A build that tasks run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunningBuild {
    /// The image as the tasks have it.
    pub image: String,
    /// Its digest; None for a bare tag, which says nothing about the build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Facts of the build, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
    /// The services with such tasks.
    pub services: Vec<ServiceName>,
}

/// What binds a plan to the state of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// The service's ID.
    pub service_id: String,
    /// `Version.Index`. The engine raises it for reasons of its own, so only a
    /// different `spec_digest` means that the service moved.
    pub version: u64,
    /// Digest of the whole spec, canonically written.
    pub spec_digest: String,
    /// Fields that cannot be secret, by path, to name what moved.
    pub fields: BTreeMap<String, Value>,
}

/// Counts for the closing line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Things that will be there and are not.
    pub add: usize,
    /// Things that will be changed in place.
    pub change: usize,
    /// Things that will go.
    pub destroy: usize,
}

impl Plan {
    /// Counts of all stacks.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for step in self.stacks.iter().flat_map(|stack| &stack.steps) {
            match step.action.effect() {
                Effect::Add => summary.add += 1,
                Effect::Change => summary.change += 1,
                Effect::Destroy => summary.destroy += 1,
            }
        }
        summary
    }

    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stacks.iter().all(|stack| stack.steps.is_empty())
    }

    /// Whether something that the spec asks for could not be planned.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.stacks.iter().any(|stack| stack.report.is_blocked())
    }
}

impl PlannedImage {
    /// Whether its services keep builds that are not all the same.
    #[must_use]
    pub fn keeps_several(&self) -> bool {
        self.kept && self.wants.present().is_none()
    }
}

impl<T> Observed<T> {
    /// Why there is no value.
    pub fn trouble(&self) -> Option<&Trouble> {
        match self {
            Self::Present(_) => None,
            Self::Absent(trouble) | Self::Unknown(trouble) => Some(trouble),
        }
    }
}
