//! What is wanted of GitHub: a refusal is about that, and so is what helps.

use imgstack_spec::{GitHubRepository, GitHubWorkflow, Repository};

use super::GHCR;
use super::pull::PullId;

/// What a question is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Whose a token is.
    Account,
    /// The versions of a package.
    Package(Package),
    /// The runs of a workflow.
    Runs(GitHubWorkflow),
    /// To start a workflow.
    Start(GitHubWorkflow),
    /// Which pull request a commit has come with.
    Pulls(GitHubRepository),
    /// A pull request with its comments.
    PullRequest(PullId),
    /// To comment there.
    Comment(PullId),
    /// To give it labels, or take them away.
    Labels(PullId),
}

/// A container package of GitHub's: what its registry calls a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Package {
    /// A user or an organisation.
    pub owner: String,
    /// The name, which may have slashes in it.
    pub name: String,
}

impl Package {
    /// The package that a repository of GHCR is. None: it is elsewhere.
    #[must_use]
    pub fn of(repository: &Repository) -> Option<Self> {
        let here = repository.host().as_str() == GHCR;
        let (owner, name) = repository.path().split_once('/').filter(|_| here)?;
        Some(Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl std::fmt::Display for Package {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl Wanted {
    /// What a credential that is refused may not do.
    pub(super) fn forbidden(&self, origin: &str) -> String {
        match self {
            Self::Account => format!("GitHub lets the credential from {origin} ask nothing"),
            Self::Package(package) => {
                format!("the credential from {origin} may not read the package {package}")
            }
            Self::Runs(workflow) => format!(
                "the credential from {origin} may not read the workflows of {}",
                workflow.repository
            ),
            Self::Start(workflow) => format!(
                "the credential from {origin} may not start workflows of {}",
                workflow.repository
            ),
            Self::Pulls(repository) => {
                format!("the credential from {origin} may not read pull requests of {repository}")
            }
            Self::PullRequest(pull) => {
                format!("the credential from {origin} may not read {pull}")
            }
            Self::Comment(pull) => {
                format!("the credential from {origin} may not comment on {pull}")
            }
            Self::Labels(pull) => {
                format!("the credential from {origin} may not label {pull}")
            }
        }
    }

    /// What GitHub does not show it.
    pub(super) fn missing(&self, origin: &str) -> String {
        match self {
            Self::Account => format!("GitHub has no account for the credential from {origin}"),
            Self::Package(package) => {
                format!("GitHub shows the credential from {origin} no package {package}")
            }
            Self::Runs(workflow) | Self::Start(workflow) => format!(
                "GitHub shows the credential from {origin} no workflow {} of {}",
                workflow.workflow, workflow.repository
            ),
            Self::Pulls(repository) => {
                format!("GitHub shows the credential from {origin} no such commit of {repository}")
            }
            Self::PullRequest(pull) | Self::Comment(pull) | Self::Labels(pull) => {
                format!("GitHub shows the credential from {origin} no pull request {pull}")
            }
        }
    }
}

/// Where people see the runs of a workflow.
#[must_use]
pub fn page_of(workflow: &GitHubWorkflow) -> String {
    format!(
        "https://github.com/{}/actions/workflows/{}",
        workflow.repository, workflow.workflow
    )
}
