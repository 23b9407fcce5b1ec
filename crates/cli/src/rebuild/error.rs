//! Why an image cannot be built anew, or how it comes out is not known.

use imgstack_registry::github;
use imgstack_registry::oci::EndpointsError;
use imgstack_spec::ImageName;
use thiserror::Error;

/// What stands in the way.
#[derive(Debug, Error)]
pub(crate) enum RebuildError {
    /// The image does not say which workflow builds it.
    #[error("the image `{image}` does not say which workflow builds it")]
    NoWorkflow { image: ImageName, has_build: bool },
    /// GitHub does not do it, or what it did is not known.
    #[error(transparent)]
    GitHub(#[from] github::Error),
    /// The run was started, and cannot be watched any more.
    #[error("the run goes on, and cannot be followed any more: {cause}")]
    OutOfSight {
        url: String,
        cause: Box<github::Error>,
    },
    /// A variable of the environment that cannot be used.
    #[error(transparent)]
    Endpoints(#[from] EndpointsError),
}

impl RebuildError {
    /// What helps.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::NoWorkflow {
                has_build: true, ..
            } => "add to its `build` in the spec: `github: {repository: OWNER/NAME, workflow: \
                  build.yml}`"
                .to_owned(),
            Self::NoWorkflow {
                has_build: false, ..
            } => "add to it in the spec: `build: {context: FOLDER, github: {repository: \
                  OWNER/NAME, workflow: build.yml}}`"
                .to_owned(),
            Self::GitHub(error) => error.hint(),
            Self::OutOfSight { url, .. } => format!("look at {url}"),
            Self::Endpoints(_) => {
                "write it as: IMGSTACK_ENDPOINTS=ghcr.io=http://127.0.0.1:4000".to_owned()
            }
        }
    }
}
