//! What can go wrong with `api.github.com`, told apart by what helps.
//!
//! No token is in any message.

use std::fmt;
use std::time::Duration;

use imgstack_spec::GitHubWorkflow;

use super::pull::PullId;
use super::token::TokenKind;
use super::wanted::Wanted;
use crate::http::{Answer, Cause, Failure, Passing, TlsFault, Wait};

/// Why GitHub says nothing of a token.
///
/// Cloneable, because callers who ask the same question share one answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was asked.
    #[error("GitHub was not asked about the credential from {origin}: {why}")]
    NotAsked {
        /// Where the credential was read, in words.
        origin: String,
        /// Why not.
        why: NotAsked,
    },
    /// No token was found that could do what is wanted.
    #[error("no credential was found that may start workflows of {}{}", .workflow.repository, Reason(.seen))]
    NoToken {
        /// The workflow.
        workflow: Box<GitHubWorkflow>,
        /// What was found, and why it will not do.
        seen: Option<String>,
    },
    /// GitHub does not know the token.
    #[error("GitHub does not accept the credential from {origin}{answer}")]
    TokenRejected {
        /// Where the credential was read, in words.
        origin: String,
        /// What for.
        wanted: Box<Wanted>,
        /// What GitHub said.
        answer: Box<Answer>,
    },
    /// The token is good, and its owner's organisation wants a sign-on.
    #[error("the credential from {origin} is not authorised for single sign-on{answer}")]
    SignOnRequired {
        /// Where the credential was read, in words.
        origin: String,
        /// What GitHub said.
        answer: Box<Answer>,
    },
    /// The token may not do that.
    #[error("{}{answer}", .wanted.forbidden(.origin))]
    Forbidden {
        /// Where the credential was read, in words.
        origin: String,
        /// Of which kind it is, if that shows.
        kind: Option<TokenKind>,
        /// What it may not.
        wanted: Box<Wanted>,
        /// What GitHub said.
        answer: Box<Answer>,
    },
    /// It is not there, or not for this token: GitHub says the same of both.
    #[error("{}{answer}", .wanted.missing(.origin))]
    NotFound {
        /// Where the credential was read, in words.
        origin: String,
        /// What is not there.
        wanted: Box<Wanted>,
        /// What GitHub said.
        answer: Box<Answer>,
    },
    /// The workflow cannot be started so.
    #[error("GitHub does not start {} of {} on {}{answer}", .workflow.workflow, .workflow.repository, .workflow.reference)]
    NotStarted {
        /// The workflow.
        workflow: Box<GitHubWorkflow>,
        /// Why not.
        why: NotStarted,
        /// What GitHub said.
        answer: Box<Answer>,
    },
    /// Whether the workflow was started is not known.
    #[error("whether {} of {} was started is not known: {cause}", .workflow.workflow, .workflow.repository)]
    Lost {
        /// The workflow.
        workflow: Box<GitHubWorkflow>,
        /// What became of the request, and of the search for its run.
        cause: String,
    },
    /// It was started, and its run is not to be found.
    #[error("{} of {} was started, and which run that is cannot be told: {cause}", .workflow.workflow, .workflow.repository)]
    Unseen {
        /// The workflow.
        workflow: Box<GitHubWorkflow>,
        /// What became of the search.
        cause: String,
    },
    /// Whether a comment was posted is not known.
    #[error("whether the comment on {pull} was posted is not known: {cause}")]
    CommentLost {
        /// The pull request.
        pull: Box<PullId>,
        /// What became of the request, and of the search for the comment.
        cause: String,
    },
    /// The number is an issue's.
    #[error("{0} is an issue, and no pull request")]
    NoPullRequest(Box<PullId>),
    /// Too many requests, and the limit does not reset soon enough to wait.
    #[error("api.github.com: rate limited{}{answer}", Wait(*.resets_in))]
    RateLimited {
        /// Until the limit resets, counted from the answer. None: not said.
        resets_in: Option<Duration>,
        /// What GitHub said.
        answer: Box<Answer>,
    },
    /// TLS failed, or one side speaks http and the other https.
    #[error("api.github.com: {fault}: {cause}")]
    Tls {
        /// What kind of disagreement.
        fault: TlsFault,
        /// The cause, in the words of the library underneath.
        cause: String,
    },
    /// GitHub, or the way to it, is down.
    #[error("api.github.com: {cause}{}", .answer.as_deref().unwrap_or(&Answer::NONE))]
    Unavailable {
        /// The cause, such as `connection refused`.
        cause: String,
        /// What GitHub said, if it said anything.
        answer: Option<Box<Answer>>,
    },
    /// GitHub's answer cannot be used.
    #[error("api.github.com: {cause}{}", .answer.as_deref().unwrap_or(&Answer::NONE))]
    Protocol {
        /// What is wrong with the answer.
        cause: String,
        /// What GitHub said, if that is what is wrong.
        answer: Option<Box<Answer>>,
    },
}

/// Why a workflow was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStarted {
    /// It cannot be started by hand.
    NoTrigger,
    /// There is no such branch.
    NoRef,
    /// It wants an input that it was not given.
    MissingInput,
    /// It takes no input of that name.
    StrangeInput,
    /// GitHub's own words must do.
    Other,
}

impl NotStarted {
    pub(super) fn of(answer: &Answer) -> Self {
        let words = answer.message.as_deref().unwrap_or_default();
        match () {
            () if words.contains("workflow_dispatch' trigger") => Self::NoTrigger,
            () if words.contains("No ref found") => Self::NoRef,
            () if words.contains("Unexpected inputs") => Self::StrangeInput,
            () if words.contains("Required input") => Self::MissingInput,
            () => Self::Other,
        }
    }
}

/// After a colon, to go on in a message.
struct Reason<'a>(&'a Option<String>);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

/// Why GitHub was not asked about a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAsked {
    /// It is no token of GitHub's, and goes to nobody whom it is not for.
    #[error("it does not look like a token of GitHub")]
    NoToken,
    /// An installation's token is nobody's in particular.
    #[error("the token of an app, such as a workflow's GITHUB_TOKEN, has no account to ask about")]
    NoAccount,
    /// Something stands in for GHCR, and nothing for GitHub: a credential for
    /// the one is not sent to the real other.
    #[error("ghcr.io is asked elsewhere, and api.github.com is not")]
    OtherWorld,
}

impl Error {
    /// Whether the same question may be answered later, with nothing changed
    /// by anybody.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unavailable { .. })
    }

    /// Whether GitHub says that the token is no good.
    #[must_use]
    pub fn blames_token(&self) -> bool {
        matches!(
            self,
            Self::TokenRejected { .. } | Self::SignOnRequired { .. }
        )
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure.cause {
            Cause::Closed(wait) => Self::RateLimited {
                resets_in: Some(wait),
                answer: Box::default(),
            },
            Cause::Unreached(cause) | Cause::Network(cause) => Self::Unavailable {
                cause,
                answer: None,
            },
            Cause::Tls(fault, cause) => Self::Tls { fault, cause },
            Cause::Protocol(cause) => Self::Protocol {
                cause,
                answer: None,
            },
        }
    }
}

impl Passing for Error {
    fn is_passing(&self) -> bool {
        self.is_retryable()
    }
}
