//! A small client of `api.github.com`.
//!
//! It answers what GHCR itself does not tell: whose a token is, what it may,
//! when it ends, and which builds a package has; it starts the workflow that
//! makes one, and it comments on a pull request. Transport, retries and rate
//! limits are those of all clients here; the requests count towards the same
//! limits and are counted in the same list as those to registries.
//!
//! - `client`: facts of tokens, each asked for once a run;
//! - `token`: kinds of tokens, and what GitHub says of one;
//! - `package`: versions of container packages;
//! - `actions`: a workflow, its start and its runs;
//! - `pull`: a pull request, its comments and labels;
//! - `api`: how anything is asked, and what a refusal amounts to;
//! - `wanted`: what a question is for;
//! - `error`, `hint`: what went wrong, and what helps.
//!
//! Deliberately absent: GraphQL, and writing anything but the start of a workflow,
//! comments and labels.

mod actions;
mod api;
mod client;
mod error;
mod hint;
mod package;
mod pull;
mod token;
mod wanted;

pub use actions::{
    Actions, Conclusion, Dispatch, Follow, Glance, Job, JobId, Run, RunId, RunLink, RunStep,
    Status, Unseen,
};
pub use api::ApiToken;
pub use client::Client;
pub use error::{Error, NotAsked, NotStarted};
pub use package::{Extent, PackageVersion, PackageVersions};
pub use pull::{Author, Comment, CommentId, Edited, Oneself, PullId, PullRequest, Sight};
pub use token::{Expiry, TokenFacts, TokenKind};
pub use wanted::{Package, Wanted, page_of};

/// Where the API is.
const HOST: &str = "api.github.com";
/// GitHub's registry, whose credentials are GitHub's tokens.
pub(crate) const GHCR: &str = "ghcr.io";
