//! Files for other programs.

use std::path::PathBuf;

use super::{ImageArgs, SpecArgs};
use crate::generate::cloud_init::{self, SecretFile};
use crate::generate::review_action::ActionRef;
use clap::{Args, Subcommand};
use imgstack_spec::GitRef;

#[derive(Debug, Subcommand)]
pub(crate) enum Generate {
    /// Print a cloud-config that logs a new node in and pulls the images; it holds no secret
    CloudInit(CloudInitArgs),
    /// Print a GitHub Actions workflow that builds an image and pushes it; it holds no secret
    Workflow(WorkflowArgs),
    /// Print a GitHub Actions workflow that shows a plan on a pull request, and applies that plan
    /// once it is merged; it holds no secret
    ReviewAction(ReviewActionArgs),
}

#[derive(Args, Debug)]
pub(crate) struct CloudInitArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// The file on the new node that holds a registry's password; `{host}` is the registry
    #[arg(long, value_name = "PATH", default_value = cloud_init::DEFAULT_SECRET_FILE)]
    pub(crate) secret_file: SecretFile,
}

#[derive(Args, Debug)]
pub(crate) struct WorkflowArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// The folder of the repository that the workflow is for
    /// [default: the nearest folder of git's above the spec]
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct ReviewActionArgs {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// The repository of imgstack that has `action.yml`, and the commit to use
    #[arg(long, value_name = "OWNER/NAME@COMMIT")]
    pub(crate) action: ActionRef,
    /// The branch that pull requests are merged into
    #[arg(long, value_name = "BRANCH", default_value = "main")]
    pub(crate) branch: GitRef,
    /// The label of the runner that reaches the Swarm
    /// [default: ubuntu-latest, or self-hosted where the spec names no way for others]
    #[arg(long, value_name = "LABEL")]
    pub(crate) runner: Option<String>,
    /// The folder of the repository that the workflow is for
    /// [default: the nearest folder of git's above the spec]
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
}
