//! `spec.services[].stackFile`: where docker's own stack file has a service.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A service of a stack file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StackFile {
    /// The file as it is written: relative to the folder of the spec. See
    /// [`StackFile::file`].
    pub path: PathBuf,
    /// The service in it, without the name of the stack that it is deployed as.
    pub service: String,
    /// Where the spec was read, as it was named: empty for the working
    /// directory, as for standard input. It is no part of what is desired, so
    /// that a saved plan says the same wherever it was made.
    #[serde(skip)]
    pub spec_folder: PathBuf,
}

impl StackFile {
    /// The file, relative to the working directory of whoever read the spec.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.spec_folder.join(&self.path)
    }
}
