//! From what a registry said to what is the matter.
//!
//! Registries word the same trouble differently: GHCR says `DENIED` for what
//! does not exist, Docker Hub answers `details` instead of `errors`, a proxy
//! answers HTML. The status counts first, the code next, words last.

use std::time::Duration;

use imgstack_spec::{Digest, Repository, Tag};
use reqwest::header::HeaderMap;
use serde::Deserialize;

use super::error::{Answer, Error, TlsFault};
use super::transport::Reply;

/// The longest message that is kept of an answer.
const LONGEST_MESSAGE: usize = 200;

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
    let answer = Box::new(answer(&reply.headers, reply.status.as_u16(), &reply.body));
    let Circumstances { repository, .. } = circumstances;
    let host = repository.host().clone();
    match answer.status {
        429 => rate_limited(circumstances, answer, reply.resets_in),
        401 | 403 if says(&answer, "rate limit") => {
            rate_limited(circumstances, answer, reply.resets_in)
        }
        401 | 403 if !reply.from_registry => Error::Unavailable {
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

/// The shapes of an error's body that registries and token servers use.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    /// The distribution protocol.
    errors: Vec<OciError>,
    /// GitHub, and token servers.
    message: Option<String>,
    /// Docker Hub's token server.
    details: Option<String>,
    /// OAuth 2.
    error: Option<String>,
    error_description: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OciError {
    code: Option<String>,
    message: Option<String>,
}

/// Reads what a refusal says of itself.
pub(crate) fn answer(headers: &HeaderMap, status: u16, body: &[u8]) -> Answer {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (code, message) = match serde_json::from_slice::<Body>(body) {
        Ok(mut body) => {
            let first = body.errors.drain(..).next().unwrap_or_default();
            let message = first.message.or(body.message).or(body.details);
            (
                first.code,
                message.or(body.error_description).or(body.error),
            )
        }
        Err(_) => {
            let text = String::from_utf8_lossy(body);
            let page = text.trim_start().starts_with('<');
            (None, (!page).then(|| text.into_owned()))
        }
    };
    Answer {
        status,
        code: code.and_then(|code| one_line(&code)),
        message: message.and_then(|message| one_line(&message)),
        request_id: header("x-github-request-id").and_then(one_line),
    }
}

/// One line that a terminal can be trusted with; None for an empty one.
fn one_line(text: &str) -> Option<String> {
    let line: String = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    match line.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => Some(format!("{}…", &line[..end])),
        None => Some(line).filter(|line| !line.is_empty()),
    }
}

#[cfg(test)]
mod tests;
