//! From what a registry said to what is the matter.
//!
//! Registries word the same trouble differently: GHCR says `DENIED` for what
//! does not exist, Docker Hub answers `details` instead of `errors`, a proxy
//! answers HTML. The status counts first, the code next, words last.

use std::time::Duration;

use imgstack_spec::{Digest, Repository, Tag};

use super::error::Error;
use crate::http::{Answer, Reply, TlsFault};

/// What a request was about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'a> {
    /// A token of the registry's token server.
    Token,
    /// A manifest by tag.
    Tag(&'a Tag),
    /// A manifest or another blob by digest.
    Digest(&'a Digest),
    /// The repository as a whole.
    Repository,
}

/// The circumstances of a request that failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) subject: Subject<'a>,
    /// What the request carried.
    pub(crate) sent: Sent<'a>,
}

/// What a request carried to be let in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sent<'a> {
    /// Nothing that names anybody.
    Anonymous,
    /// A credential, or a token got with one.
    Credential {
        /// Where it was read, in words.
        origin: &'a str,
        /// A GitHub token of the kind that GHCR refuses.
        fine_grained: bool,
        /// The credential itself went along, rather than a token that the
        /// token server gave for it.
        itself: bool,
    },
}

/// The error that a refusal amounts to.
pub(crate) fn refusal(circumstances: Circumstances<'_>, reply: &Reply) -> Error {
    let answer = Box::new(reply.answer());
    let Circumstances { repository, .. } = circumstances;
    let host = repository.host().clone();
    match answer.status {
        429 => rate_limited(circumstances, answer, reply.resets_in),
        401 | 403 if says(&answer, "rate limit") => {
            rate_limited(circumstances, answer, reply.resets_in)
        }
        401 | 403 if !reply.from_host => Error::Unavailable {
            host,
            cause: "the storage that the registry points to refuses".to_owned(),
            answer: Some(answer),
        },
        401 | 403 => denied(circumstances, answer),
        404 => missing(circumstances, answer),
        408 | 500.. => Error::Unavailable {
            host,
            cause: format!("{} is in trouble", who(circumstances.subject)),
            answer: Some(answer),
        },
        400 if says(&answer, "https server") || says(&answer, "https port") => Error::Tls {
            host,
            fault: TlsFault::TlsPort,
            cause: answer.message.unwrap_or_default(),
        },
        _ => Error::Protocol {
            host,
            cause: format!("{} does not take the request", who(circumstances.subject)),
            answer: Some(answer),
        },
    }
}

fn who(subject: Subject<'_>) -> &'static str {
    match subject {
        Subject::Token => "the token server",
        Subject::Tag(_) | Subject::Digest(_) | Subject::Repository => "the registry",
    }
}

fn rate_limited(
    circumstances: Circumstances<'_>,
    answer: Box<Answer>,
    resets_in: Option<Duration>,
) -> Error {
    Error::RateLimited {
        host: circumstances.repository.host().clone(),
        resets_in,
        answer,
    }
}

fn denied(circumstances: Circumstances<'_>, answer: Box<Answer>) -> Error {
    let Circumstances {
        repository,
        subject,
        sent,
    } = circumstances;
    let repository = repository.clone();
    let Sent::Credential {
        origin,
        fine_grained,
        itself,
    } = sent
    else {
        return Error::AuthenticationRequired { repository, answer };
    };
    let origin = origin.to_owned();
    // Who looked at the credential itself, and did not say that it is fine.
    let judged = matches!(subject, Subject::Token) || itself && answer.status == 401;
    if fine_grained {
        Error::UnsupportedToken {
            repository,
            origin,
            answer,
        }
    } else if says(&answer, "write_package") {
        Error::NoPushAccess { repository, answer }
    } else if judged && !says(&answer, "read_package") {
        Error::CredentialRejected {
            repository,
            origin,
            answer,
        }
    } else {
        Error::NoPackageAccess {
            repository,
            origin,
            answer,
        }
    }
}

fn missing(circumstances: Circumstances<'_>, answer: Box<Answer>) -> Error {
    let repository = circumstances.repository.clone();
    let elsewhere = |cause: &str| Error::Protocol {
        host: repository.host().clone(),
        cause: cause.to_owned(),
        answer: Some(answer.clone()),
    };
    if matches!(circumstances.subject, Subject::Token) {
        return elsewhere("the token server is not where the registry says");
    }
    // A proxy's 404, or some other server's, says nothing about an image.
    let Some(code) = answer.code.as_deref() else {
        return elsewhere("there is a 404 that is not in a registry's words");
    };
    let unknown_name = code == "NAME_UNKNOWN";
    match circumstances.subject {
        Subject::Tag(tag) if !unknown_name => Error::TagNotFound {
            repository,
            tag: tag.clone(),
            answer,
        },
        Subject::Digest(digest) if !unknown_name => Error::ManifestDeleted {
            repository,
            digest: digest.clone(),
            answer,
        },
        Subject::Token | Subject::Tag(_) | Subject::Digest(_) | Subject::Repository => {
            Error::RepositoryNotFound { repository, answer }
        }
    }
}

fn says(answer: &Answer, words: &str) -> bool {
    answer
        .message
        .as_ref()
        .is_some_and(|message| message.to_ascii_lowercase().contains(words))
}

#[cfg(test)]
mod tests;
