//! What can go wrong with a registry, told apart by what helps.
//!
//! A message is a fragment that names the registry or the repository; what to
//! do about it is [`Error::hint`]. No credential, token or query string is in
//! any of them.

use std::time::Duration;

use imgstack_spec::{Digest, Platform, RegistryHost, Repository, Tag};
use serde::{Deserialize, Serialize};

use crate::credentials::CredentialError;
use crate::http::{Answer, Cause, Failure, Passing, TlsFault, Wait};

/// Why a registry could not be read.
///
/// Cloneable, because callers who ask the same question share one answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No credential was sent, and the registry wants one, or hides that the
    /// repository does not exist.
    #[error("{repository}: authentication required{answer}")]
    AuthenticationRequired {
        /// What was asked for.
        repository: Repository,
        /// What the registry said.
        answer: Box<Answer>,
    },
    /// The registry does not accept the credential.
    #[error("{repository}: the credential from {origin} was rejected{answer}")]
    CredentialRejected {
        /// What was asked for.
        repository: Repository,
        /// Where the credential was read, in words.
        origin: String,
        /// What the registry said.
        answer: Box<Answer>,
    },
    /// A fine-grained token of GitHub, which GHCR does not take.
    #[error(
        "{repository}: {origin} holds a fine-grained GitHub token (github_pat_…), which {} does not accept{answer}",
        .repository.host()
    )]
    UnsupportedToken {
        /// What was asked for.
        repository: Repository,
        /// Where the credential was read, in words.
        origin: String,
        /// What the registry said.
        answer: Box<Answer>,
    },
    /// The source that the spec names gave no credential.
    #[error("{host}: {cause}")]
    CredentialUnavailable {
        /// The registry it is for.
        host: RegistryHost,
        /// Which source, and what became of it.
        cause: CredentialError,
    },
    /// The credential is good, but not for this repository.
    #[error("{repository}: the credential from {origin} gives no access{answer}")]
    NoPackageAccess {
        /// What was asked for.
        repository: Repository,
        /// Where the credential was read, in words.
        origin: String,
        /// What the registry said.
        answer: Box<Answer>,
    },
    /// The credential may not write to this repository.
    #[error("{repository}: no permission to push{answer}")]
    NoPushAccess {
        /// What was asked for.
        repository: Repository,
        /// What the registry said.
        answer: Box<Answer>,
    },
    /// Too many requests, and the limit does not reset soon enough to wait.
    #[error("{host}: rate limited{}{answer}", Wait(*.resets_in))]
    RateLimited {
        /// The registry.
        host: RegistryHost,
        /// Until the limit resets, counted from the answer. None: not said.
        resets_in: Option<Duration>,
        /// What the registry said.
        answer: Box<Answer>,
    },
    /// The registry knows no such repository.
    #[error("{repository}: no such repository{answer}")]
    RepositoryNotFound {
        /// What was asked for.
        repository: Repository,
        /// What the registry said.
        answer: Box<Answer>,
    },
    /// The repository has no such tag.
    #[error("{repository}: no tag `{}`{answer}", .tag.as_str())]
    TagNotFound {
        /// Where it was looked for.
        repository: Repository,
        /// The tag.
        tag: Tag,
        /// What the registry said.
        answer: Box<Answer>,
    },
    /// A digest that was known is not there any more.
    #[error("{repository}: {} is not in the registry{answer}", .digest.as_str())]
    ManifestDeleted {
        /// Where it was looked for.
        repository: Repository,
        /// What is missing.
        digest: Digest,
        /// What the registry said.
        answer: Box<Answer>,
    },
    /// The image was not built for a platform that is needed.
    #[error("{repository}: {} has nothing for {platform}, only {available}", .digest.as_str())]
    PlatformMissing {
        /// The repository.
        repository: Repository,
        /// The image.
        digest: Digest,
        /// What is needed.
        platform: Box<Platform>,
        /// What there is, in words.
        available: String,
    },
    /// The content is not what its digest says.
    #[error(
        "{repository}: {} was asked for, and the content received is {}",
        .expected.as_str(),
        .actual.as_str()
    )]
    Integrity {
        /// The repository.
        repository: Repository,
        /// What was asked for.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// TLS failed, or one side speaks http and the other https.
    #[error("{host}: {fault}: {cause}")]
    Tls {
        /// The registry.
        host: RegistryHost,
        /// What kind of disagreement.
        fault: TlsFault,
        /// The cause, in the words of the library underneath.
        cause: String,
    },
    /// The registry, or the way to it, is down.
    #[error("{host}: {cause}{}", .answer.as_deref().unwrap_or(&Answer::NONE))]
    Unavailable {
        /// The registry.
        host: RegistryHost,
        /// The cause, such as `connection refused`.
        cause: String,
        /// What the registry said, if it said anything.
        answer: Option<Box<Answer>>,
    },
    /// The registry's answer cannot be used.
    #[error("{host}: {cause}{}", .answer.as_deref().unwrap_or(&Answer::NONE))]
    Protocol {
        /// The registry.
        host: RegistryHost,
        /// What is wrong with the answer.
        cause: String,
        /// What the registry said, if that is what is wrong.
        answer: Option<Box<Answer>>,
    },
}

/// The kinds of [`Error`], for those who decide by it or write it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// [`Error::AuthenticationRequired`]
    AuthenticationRequired,
    /// [`Error::CredentialRejected`]
    CredentialRejected,
    /// [`Error::UnsupportedToken`]
    UnsupportedToken,
    /// [`Error::CredentialUnavailable`]
    CredentialUnavailable,
    /// [`Error::NoPackageAccess`]
    NoPackageAccess,
    /// [`Error::NoPushAccess`]
    NoPushAccess,
    /// [`Error::RateLimited`]
    RateLimited,
    /// [`Error::RepositoryNotFound`]
    RepositoryNotFound,
    /// [`Error::TagNotFound`]
    TagNotFound,
    /// [`Error::ManifestDeleted`]
    ManifestDeleted,
    /// [`Error::PlatformMissing`]
    PlatformMissing,
    /// [`Error::Integrity`]
    Integrity,
    /// [`Error::Tls`]
    Tls,
    /// [`Error::Unavailable`]
    Unavailable,
    /// [`Error::Protocol`]
    Protocol,
}

impl Error {
    /// Which kind of error this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::AuthenticationRequired { .. } => ErrorKind::AuthenticationRequired,
            Self::CredentialRejected { .. } => ErrorKind::CredentialRejected,
            Self::UnsupportedToken { .. } => ErrorKind::UnsupportedToken,
            Self::CredentialUnavailable { .. } => ErrorKind::CredentialUnavailable,
            Self::NoPackageAccess { .. } => ErrorKind::NoPackageAccess,
            Self::NoPushAccess { .. } => ErrorKind::NoPushAccess,
            Self::RateLimited { .. } => ErrorKind::RateLimited,
            Self::RepositoryNotFound { .. } => ErrorKind::RepositoryNotFound,
            Self::TagNotFound { .. } => ErrorKind::TagNotFound,
            Self::ManifestDeleted { .. } => ErrorKind::ManifestDeleted,
            Self::PlatformMissing { .. } => ErrorKind::PlatformMissing,
            Self::Integrity { .. } => ErrorKind::Integrity,
            Self::Tls { .. } => ErrorKind::Tls,
            Self::Unavailable { .. } => ErrorKind::Unavailable,
            Self::Protocol { .. } => ErrorKind::Protocol,
        }
    }

    /// Whether the same question may be answered later, with nothing changed
    /// by anybody.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unavailable { .. })
    }

    /// What the registry said, if it answered at all.
    #[must_use]
    pub fn answer(&self) -> Option<&Answer> {
        match self {
            Self::AuthenticationRequired { answer, .. }
            | Self::CredentialRejected { answer, .. }
            | Self::UnsupportedToken { answer, .. }
            | Self::NoPackageAccess { answer, .. }
            | Self::NoPushAccess { answer, .. }
            | Self::RateLimited { answer, .. }
            | Self::RepositoryNotFound { answer, .. }
            | Self::TagNotFound { answer, .. }
            | Self::ManifestDeleted { answer, .. } => Some(&**answer),
            Self::Unavailable { answer, .. } | Self::Protocol { answer, .. } => answer.as_deref(),
            Self::CredentialUnavailable { .. }
            | Self::PlatformMissing { .. }
            | Self::Integrity { .. }
            | Self::Tls { .. } => None,
        }
        .filter(|answer| answer.status != 0)
    }

    /// The registry that the error is about.
    #[must_use]
    pub fn host(&self) -> &RegistryHost {
        match self {
            Self::AuthenticationRequired { repository, .. }
            | Self::CredentialRejected { repository, .. }
            | Self::UnsupportedToken { repository, .. }
            | Self::NoPackageAccess { repository, .. }
            | Self::NoPushAccess { repository, .. }
            | Self::RepositoryNotFound { repository, .. }
            | Self::TagNotFound { repository, .. }
            | Self::ManifestDeleted { repository, .. }
            | Self::PlatformMissing { repository, .. }
            | Self::Integrity { repository, .. } => repository.host(),
            Self::CredentialUnavailable { host, .. }
            | Self::RateLimited { host, .. }
            | Self::Tls { host, .. }
            | Self::Unavailable { host, .. }
            | Self::Protocol { host, .. } => host,
        }
    }

    /// Whether the credential is what the registry objects to, so that a
    /// public repository could still be read without it.
    pub(crate) fn blames_credential(&self) -> bool {
        matches!(
            self,
            Self::CredentialRejected { .. }
                | Self::UnsupportedToken { .. }
                | Self::NoPackageAccess { .. }
        )
    }

    /// An answer that cannot be used.
    pub(crate) fn protocol(host: &RegistryHost, cause: impl Into<String>) -> Self {
        Self::Protocol {
            host: host.clone(),
            cause: cause.into(),
            answer: None,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let Failure { host, cause } = failure;
        match cause {
            Cause::Closed(wait) => Self::RateLimited {
                host,
                resets_in: Some(wait),
                answer: Box::default(),
            },
            Cause::Unreached(cause) | Cause::Network(cause) => Self::Unavailable {
                host,
                cause,
                answer: None,
            },
            Cause::Tls(fault, cause) => Self::Tls { host, fault, cause },
            Cause::Protocol(cause) => Self::Protocol {
                host,
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
