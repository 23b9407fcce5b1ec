//! `spec.images[].build`: where the builds of an image come from.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{GitHubRepository, GitRef, Schedule, WorkflowFile};

/// The file that docker builds from, if no other is named.
pub const DEFAULT_DOCKERFILE: &str = "Dockerfile";

/// Where the builds of an image come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BuildSource {
    /// The folder that is built, as it is written: relative to the folder of
    /// the spec. See [`BuildSource::folder`].
    pub context: PathBuf,
    /// The Dockerfile, relative to the context.
    pub dockerfile: PathBuf,
    /// The workflow that builds it.
    pub github: Option<GitHubWorkflow>,
    /// When it is built by itself.
    pub schedule: Option<Schedule>,
    /// How old a build may be until one is missing. Serialised in whole seconds.
    #[serde(rename = "maximumAgeSeconds", with = "super::optional_seconds")]
    #[schemars(with = "Option<u64>")]
    pub maximum_age: Option<Duration>,
    /// Where the spec was read, as it was named: empty for the working
    /// directory, as for standard input. It is no part of what is desired, so
    /// that a saved plan says the same wherever it was made.
    #[serde(skip)]
    pub spec_folder: PathBuf,
}

impl BuildSource {
    /// The folder that is built, relative to the working directory of whoever
    /// read the spec.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.spec_folder.join(&self.context)
    }
}

/// A workflow of GitHub Actions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GitHubWorkflow {
    /// The repository that has it.
    pub repository: GitHubRepository,
    /// Its file.
    pub workflow: WorkflowFile,
    /// The branch it is started on. Default `main`.
    #[serde(rename = "ref")]
    pub reference: GitRef,
}
