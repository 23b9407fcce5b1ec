//! What can go wrong with `api.github.com`, told apart by what helps.
//!
//! No token is in any message.

use std::time::Duration;

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
    /// GitHub does not know the token.
    #[error("GitHub does not accept the credential from {origin}{answer}")]
    TokenRejected {
        /// Where the credential was read, in words.
        origin: String,
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
    /// The token may not ask that.
    #[error("GitHub lets the credential from {origin} ask nothing{answer}")]
    Forbidden {
        /// Where the credential was read, in words.
        origin: String,
        /// What GitHub said.
        answer: Box<Answer>,
    },
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
    /// What helps.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NotAsked { origin, why } => not_asked(origin, *why),
            Self::TokenRejected { origin, .. } => format!(
                "the credential from {origin} is wrong, expired or revoked: make a new one \
                 (classic, with `read:packages`) and put it there"
            ),
            Self::SignOnRequired { origin, .. } => format!(
                "authorise the token from {origin} for the organisation, under Configure SSO in \
                 GitHub's list of tokens"
            ),
            Self::Forbidden { origin, .. } => format!(
                "check in GitHub's list of tokens what the one from {origin} may, and when it ends"
            ),
            Self::RateLimited { resets_in, .. } => {
                let when = if resets_in.is_some() {
                    "when the limit has reset"
                } else {
                    "in some minutes"
                };
                format!("run it again {when}")
            }
            Self::Tls { .. } => "have this machine trust the certificate of api.github.com, or \
                                 of the proxy in between"
                .to_owned(),
            Self::Unavailable { .. } => {
                "check that api.github.com is reachable from this machine; without it the end of \
                 a token is not known, and everything else goes on"
                    .to_owned()
            }
            Self::Protocol { .. } => {
                "check that no proxy or login page answers in place of api.github.com".to_owned()
            }
        }
    }

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

fn not_asked(origin: &str, why: NotAsked) -> String {
    match why {
        NotAsked::NoToken => format!(
            "put a classic personal access token with `read:packages` into {origin}: GHCR takes \
             no other password"
        ),
        NotAsked::NoAccount => {
            "it ends with its workflow, after a day at most: give the services a classic personal \
             access token with `read:packages`, since nodes pull when they have to"
                .to_owned()
        }
        NotAsked::OtherWorld => {
            "add `api.github.com=URL` to IMGSTACK_ENDPOINTS, beside ghcr.io".to_owned()
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure.cause {
            Cause::Closed(wait) => Self::RateLimited {
                resets_in: Some(wait),
                answer: Box::default(),
            },
            Cause::Network(cause) => Self::Unavailable {
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
