//! How fresh the newest build of an image is.

use std::fmt;

use imgstack_spec::{Digest, Platform};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Build;
use crate::{Known, Trouble};

/// What is known of the age of the newest build (see [`freshest`]), where the
/// spec names a base or a greatest age for the image.
///
/// [`freshest`]: crate::freshest
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Freshness {
    /// When it was made. None: its maker wrote no real date.
    pub created: Known<Option<Timestamp>>,
    /// Whether its base has moved since. None: the spec names no base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseState>,
    /// The last run of the workflow that should have made a newer build. Asked
    /// for only where one is overdue; None in it: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<Known<Option<LastRun>>>,
}

/// The last run of a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastRun {
    /// What became of it.
    pub state: RunState,
    /// When it ended; while it has not, when it was asked for.
    pub at: Timestamp,
    /// Where people see it.
    pub url: String,
}

/// What became of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RunState {
    /// It has not ended.
    GoingOn,
    /// It ended well.
    Succeeded,
    /// It ended otherwise, in words: "failed", "timed out".
    Ended(String),
}

/// Whether the base has moved since a build was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BaseState {
    /// The build was made on what the base's tag leads to now.
    Current(Evidence),
    /// The base's tag leads to something else by now.
    Moved(MovedBase),
    /// Nobody knows.
    Unknown(Trouble),
}

/// A base that moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MovedBase {
    /// Who says what the build was made on.
    pub how: Evidence,
    /// What that was, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Digest>,
    /// What the base's tag leads to now.
    pub to: Digest,
    /// When that was made, by its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Timestamp>,
}

/// Who says what a build was made on, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Evidence {
    /// The provenance that was pushed with it.
    Provenance,
    /// Annotations of its manifest.
    Annotations,
    /// Its labels.
    Labels,
    /// The layers that it begins with.
    Layers,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Provenance => "provenance",
            Self::Annotations => "annotations",
            Self::Labels => "labels",
            Self::Layers => "layers",
        })
    }
}

/// The content of a build, for nodes of one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformContent {
    /// The nodes' platform.
    pub platform: Platform,
    /// Names the layers and what a container is started with; labels and dates
    /// do not count.
    pub content: Digest,
}

/// Whether two builds are the same but for their names, for every platform that
/// was asked about. Nothing known of them is not the same.
#[must_use]
pub fn same_content(a: &Build, b: &Build) -> bool {
    !a.contents.is_empty() && a.contents == b.contents
}
