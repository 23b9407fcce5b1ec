//! Why a plan is not shown on a pull request, or was not found there.

use std::path::PathBuf;

use imgstack_registry::github::{self, PullId};
use imgstack_registry::oci::EndpointsError;
use imgstack_spec::{GitHubRepository, StackName};
use thiserror::Error;

/// What stands in the way.
#[derive(Debug, Error)]
pub(crate) enum ReviewError {
    /// Nobody says which repository.
    #[error("which repository of GitHub is meant is not known")]
    NoRepository,
    /// A variable does not name one.
    #[error("{0} does not name a repository")]
    Repository(&'static str),
    /// Nobody says which pull request.
    #[error("which pull request is meant is not known")]
    NoNumber,
    /// There is no token.
    #[error("there is no token for GitHub{}", place(.0))]
    NoToken(Option<String>),
    /// What a workflow runs for cannot be read.
    #[error("cannot read the event of the workflow, {}: {cause}", path.display())]
    Event { path: PathBuf, cause: String },
    /// A variable of the environment that cannot be used.
    #[error(transparent)]
    Endpoints(#[from] EndpointsError),
    /// GitHub does not do it.
    #[error(transparent)]
    GitHub(#[from] github::Error),
    /// The token of a pull request from elsewhere only reads.
    #[error("{pull} comes from a fork, where a workflow's token only reads: {cause}")]
    Fork {
        pull: PullId,
        cause: Box<github::Error>,
    },
    /// The commit came without a pull request.
    #[error("the commit {commit} came to {repository} without a pull request")]
    Direct {
        repository: GitHubRepository,
        commit: String,
    },
    /// No plan of the stack was shown.
    #[error("no plan of the stack {stack} was shown on {pull}{}", of(.other))]
    NotShown {
        stack: StackName,
        pull: PullId,
        /// Whose comment looks like one.
        other: Option<String>,
    },
    /// The stacks were shown with plans of their own.
    #[error("the comments on {0} are not of one plan")]
    Differ(PullId),
}

fn place(variable: &Option<String>) -> String {
    let words = |name: &String| format!(" in {name}");
    variable.as_ref().map(words).unwrap_or_default()
}

fn of(other: &Option<String>) -> String {
    let words = |login: &String| format!(": the comment of {login} does not count");
    other.as_ref().map(words).unwrap_or_default()
}

impl ReviewError {
    /// What helps.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::NoRepository | Self::Repository(_) => {
                "name it with --repository OWNER/NAME; in a workflow GITHUB_REPOSITORY has it"
                    .to_owned()
            }
            Self::NoNumber => "name it with --pull-request NUMBER; a workflow that runs for a \
                               pull request has it"
                .to_owned(),
            Self::NoToken(_) => "in a workflow, give the step: env: {GITHUB_TOKEN: ${{ \
                                 github.token }}}; elsewhere export GH_TOKEN, or log in with: gh \
                                 auth login"
                .to_owned(),
            Self::Event { .. } => "unset GITHUB_EVENT_PATH outside a workflow".to_owned(),
            Self::Endpoints(_) => {
                "write it as: GITHUB_API_URL=https://github.example.com/api/v3".to_owned()
            }
            Self::GitHub(error) => error.hint(),
            Self::Fork { .. } => "no `permissions` of the workflow change that. The plan is in \
                                  the summary of the run; for a comment, push the branch to the \
                                  repository itself and open the pull request from there"
                .to_owned(),
            Self::Direct { .. } => {
                "look at the plan yourself: imgstack plan; then name its hash: imgstack apply \
                 --only-if-hash HASH"
                    .to_owned()
            }
            Self::NotShown { other: Some(_), .. } => {
                "comments of an app count, such as a workflow's, and those of the account whose \
                 token this is"
                    .to_owned()
            }
            Self::NotShown { other: None, .. } => {
                "look at the plan yourself: imgstack plan; then name its hash: imgstack apply \
                 --only-if-hash HASH"
                    .to_owned()
            }
            Self::Differ(_) => "plan all stacks together that are applied together, and show \
                                that plan: imgstack comment PLAN"
                .to_owned(),
        }
    }
}
