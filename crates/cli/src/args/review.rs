//! What somebody has agreed to on a pull request of GitHub.

use std::path::PathBuf;

use clap::Args;
use imgstack_planner::PlanHash;
use imgstack_spec::GitHubRepository;

/// Which plan somebody has agreed to. It is then carried out without a question.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReviewArgs {
    /// Do nothing unless the plan has this hash, as `imgstack plan -o json` has it under `hash`;
    /// asks nothing
    #[arg(long, value_name = "HASH")]
    pub(crate) only_if_hash: Option<PlanHash>,
    /// Do nothing unless the plan is the one that `imgstack comment` has shown on the pull
    /// request; asks nothing
    #[arg(long, conflicts_with = "only_if_hash")]
    pub(crate) only_if_reviewed: bool,
    /// The pull request [default: the workflow's, or the one that its commit has come with]
    #[arg(long, value_name = "NUMBER", requires = "only_if_reviewed")]
    pull_request: Option<u64>,
    /// Its repository [default: $GITHUB_REPOSITORY]
    #[arg(long, value_name = "OWNER/NAME", requires = "only_if_reviewed")]
    repository: Option<GitHubRepository>,
    /// The variable that holds the token [default: GH_TOKEN, then GITHUB_TOKEN, then the command
    /// `gh auth token`]
    #[arg(long, value_name = "VARIABLE", requires = "only_if_reviewed")]
    token_env: Option<String>,
    /// Where GitHub's API is [default: $GITHUB_API_URL]
    #[arg(long, value_name = "URL", requires = "only_if_reviewed")]
    api_url: Option<String>,
}

impl ReviewArgs {
    /// Where the review is.
    pub(crate) fn pull(&self) -> PullArgs {
        PullArgs {
            pull_request: self.pull_request,
            repository: self.repository.clone(),
            token_env: self.token_env.clone(),
            api_url: self.api_url.clone(),
        }
    }
}

/// A pull request of GitHub. What is not typed, a workflow's environment tells.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct PullArgs {
    /// The pull request [default: the workflow's]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) pull_request: Option<u64>,
    /// Its repository [default: $GITHUB_REPOSITORY]
    #[arg(long, value_name = "OWNER/NAME")]
    pub(crate) repository: Option<GitHubRepository>,
    /// The variable that holds the token [default: GH_TOKEN, then GITHUB_TOKEN, then the command
    /// `gh auth token`]
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) token_env: Option<String>,
    /// Where GitHub's API is [default: $GITHUB_API_URL]
    #[arg(long, value_name = "URL")]
    pub(crate) api_url: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct CommentArgs {
    /// A plan saved by `imgstack plan --out`
    #[arg(value_name = "PLAN")]
    pub(crate) plan: PathBuf,
    #[command(flatten)]
    pub(crate) pull: PullArgs,
    /// Leave the labels of the pull request alone
    #[arg(long)]
    pub(crate) no_labels: bool,
}
