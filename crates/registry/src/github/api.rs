//! Questions to the API, and what a refusal of one amounts to.

use std::fmt;
use std::sync::Arc;

use imgstack_spec::RegistryHost;
use reqwest::header::{HeaderValue, LINK};
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::error::{Error, NotAsked, NotStarted};
use super::token::TokenKind;
use super::wanted::Wanted;
use super::{GHCR, HOST};
use crate::credentials::{Credential, Identity};
use crate::http::{
    Ask, Body, Cause, Endpoints, Excess, Failure, PlainHttp, Reply, RequestKind, Transport,
    next_in, next_to, sensitive,
};

/// The version of the API that all of GitHub's servers speak.
const HEADERS: &[(&str, &str)] = &[
    ("accept", "application/vnd.github+json"),
    ("x-github-api-version", "2022-11-28"),
];

/// A token for the API, and where it was read.
#[derive(Clone)]
pub struct ApiToken {
    pub(super) secret: SecretString,
    pub(super) origin: String,
    pub(super) kind: Option<TokenKind>,
}

impl ApiToken {
    /// The credential's password, whatever it looks like: for what was put
    /// where GitHub's tokens belong. None: it has none.
    #[must_use]
    pub(crate) fn of(credential: &Credential) -> Option<Self> {
        match credential.identity() {
            Identity::Password { password, .. } => Some(Self {
                secret: password.clone(),
                origin: credential.source().to_owned(),
                kind: TokenKind::of(credential),
            }),
            Identity::IdentityToken(_) => None,
        }
    }

    /// The same, if it looks like a token of GitHub's. None: it is for somebody
    /// else, who alone may see it.
    pub(super) fn of_github(credential: &Credential) -> Option<Self> {
        Self::of(credential).filter(|token| token.kind.is_some())
    }

    /// Where it was read, in words: `GH_TOKEN in the environment`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

/// Shows no secret.
impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiToken")
            .field("origin", &self.origin)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Where GitHub is, and the way there.
pub(super) struct Api {
    transport: Arc<Transport>,
    host: RegistryHost,
    /// Where it is asked, if not at its own address.
    endpoint: Option<Url>,
    /// Something stands in for GHCR, and nothing for GitHub.
    other_world: bool,
}

/// What is asked.
pub(super) struct Question<'a> {
    pub(super) wanted: &'a Wanted,
    pub(super) token: &'a ApiToken,
    pub(super) kind: RequestKind,
    pub(super) method: Method,
    pub(super) url: Url,
    /// The `ETag` of an answer that is known.
    pub(super) known: Option<HeaderValue>,
    /// JSON to send.
    pub(super) body: Option<String>,
    pub(super) excess: Excess,
}

impl<'a> Question<'a> {
    pub(super) fn get(
        wanted: &'a Wanted,
        token: &'a ApiToken,
        kind: RequestKind,
        url: Url,
    ) -> Self {
        Self {
            wanted,
            token,
            kind,
            method: Method::GET,
            url,
            known: None,
            body: None,
            excess: Excess::Refused,
        }
    }
}

impl Api {
    pub(super) fn new(transport: Arc<Transport>, endpoints: &Endpoints) -> Self {
        let host = RegistryHost::new(HOST);
        let endpoint = endpoints.of(&host).cloned();
        let ghcr = endpoints.of(&RegistryHost::new(GHCR));
        Self {
            transport,
            other_world: ghcr.is_some() && endpoint.is_none(),
            host,
            endpoint,
        }
    }

    /// Refuses to send a token for one world to another.
    pub(super) fn is_of_this_world(&self, origin: &str) -> Result<(), Error> {
        match self.other_world {
            false => Ok(()),
            true => Err(Error::NotAsked {
                origin: origin.to_owned(),
                why: NotAsked::OtherWorld,
            }),
        }
    }

    /// The URL of a path, whose parts may be any text.
    pub(super) fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Url, Error> {
        let own = || format!("https://{HOST}/").parse().ok();
        let mut url: Url = self
            .endpoint
            .clone()
            .or_else(own)
            .ok_or_else(|| malformed("not a host that can be asked"))?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// Asks; any status is a reply. What is posted is posted once; anything else
    /// leads to the same when it is asked for again.
    pub(super) async fn send(&self, question: &Question<'_>) -> Result<Sent, Error> {
        let Question { token, .. } = question;
        self.is_of_this_world(&token.origin)?;
        let bearer = SecretString::from(format!("Bearer {}", token.secret.expose_secret()));
        let authorization = sensitive(&bearer).ok_or_else(|| Error::NotAsked {
            origin: token.origin.clone(),
            why: NotAsked::NoToken,
        })?;
        let plain = match self.endpoint {
            Some(_) => PlainHttp::Loopback,
            None => PlainHttp::Never,
        };
        let ask = Ask {
            method: question.method.clone(),
            headers: HEADERS,
            authorization: Some(authorization),
            known: question.known.clone(),
            body: question.body.clone().map(|text| Body {
                media_type: "application/json",
                text,
            }),
            once: question.method == Method::POST,
            excess: question.excess,
            ..Ask::get(&self.host, plain, question.kind, question.url.clone())
        };
        Ok(self.transport.send(&ask).await)
    }

    /// Asks for what is read; a reply is a success, or says that nothing has
    /// changed.
    pub(super) async fn ask(&self, question: &Question<'_>) -> Result<Reply, Error> {
        let reply = self.send(question).await??;
        match reply.status {
            status if status.is_success() || status == StatusCode::NOT_MODIFIED => Ok(reply),
            _ => Err(refusal(question.wanted, question.token, &reply)),
        }
    }
}

/// What became of a request: a reply of any status, or none.
pub(super) type Sent = Result<Reply, Failure>;

/// What became of a request that changes something, and is sent once.
pub(super) enum Once {
    /// GitHub has answered, and not that it failed: it is done or surely not.
    Answered(Reply),
    /// It may have been done; why that is not known.
    Lost(String),
}

/// Tells what was surely not done from what may have been.
pub(super) fn once(sent: Sent) -> Result<Once, Error> {
    let reply = match sent {
        Ok(reply) => reply,
        Err(failure) => {
            return match failure.cause {
                Cause::Closed(_) | Cause::Unreached(_) | Cause::Tls(..) => Err(failure.into()),
                Cause::Network(cause) | Cause::Protocol(cause) => Ok(Once::Lost(cause)),
            };
        }
    };
    // Who answers so may have come further than they know.
    let is_lost = reply.status.is_server_error() || reply.status == StatusCode::REQUEST_TIMEOUT;
    Ok(match is_lost {
        true => Once::Lost(format!("GitHub answered{}", reply.answer())),
        false => Once::Answered(reply),
    })
}

/// The URL of the next page, if there is one. GitHub may name the owner or the
/// repository by a number there, so that the path need not be the same; the
/// host must be, since the token goes along.
pub(super) fn next_page(reply: &Reply, url: &Url) -> Result<Option<Url>, Error> {
    let values = reply.headers.get_all(LINK).iter();
    let text = values.filter_map(|value| value.to_str().ok());
    let Some(link) = text.filter_map(next_in).next() else {
        return Ok(None);
    };
    let foreign = || malformed("the next page of a list is at another host");
    let next = url.join(link).map_err(|_| foreign())?;
    let own = next.scheme() == "https" && next.host_str() == Some(HOST) && next.port().is_none();
    if !own && !next_to(&next, url) {
        return Err(foreign());
    }
    let mut there = url.clone();
    there.set_path(next.path());
    there.set_query(next.query());
    // A path that starts with `//` is another host to whoever joins URLs.
    match next_to(&there, url) {
        true => Ok(Some(there)),
        false => Err(foreign()),
    }
}

/// Reads JSON.
pub(super) fn json<T: DeserializeOwned>(body: &[u8], what: &str) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|_| malformed(&format!("the answer is not {what}")))
}

/// An answer that cannot be used.
pub(super) fn malformed(cause: &str) -> Error {
    Error::Protocol {
        cause: cause.to_owned(),
        answer: None,
    }
}

/// The error that a refusal amounts to.
pub(super) fn refusal(wanted: &Wanted, token: &ApiToken, reply: &Reply) -> Error {
    let answer = Box::new(reply.answer());
    let (origin, kind) = (token.origin.clone(), token.kind);
    let limited = || {
        let words = answer.message.as_deref().unwrap_or_default();
        words.to_ascii_lowercase().contains("rate limit")
    };
    let wanted = || Box::new(wanted.clone());
    match answer.status {
        401 | 403 if !reply.from_host => Error::Protocol {
            cause: "GitHub sends people to somebody who refuses".to_owned(),
            answer: Some(answer),
        },
        429 => Error::RateLimited {
            resets_in: reply.resets_in,
            answer,
        },
        403 if limited() => Error::RateLimited {
            resets_in: reply.resets_in,
            answer,
        },
        401 => Error::TokenRejected {
            origin,
            wanted: wanted(),
            answer,
        },
        403 if reply.headers.contains_key("x-github-sso") => {
            Error::SignOnRequired { origin, answer }
        }
        403 => Error::Forbidden {
            origin,
            kind,
            wanted: wanted(),
            answer,
        },
        404 if *wanted() != Wanted::Account => Error::NotFound {
            origin,
            wanted: wanted(),
            answer,
        },
        422 => match *wanted() {
            Wanted::Start(workflow) => Error::NotStarted {
                why: NotStarted::of(&answer),
                workflow: Box::new(workflow),
                answer,
            },
            Wanted::Account
            | Wanted::Package(_)
            | Wanted::Runs(_)
            | Wanted::Pulls(_)
            | Wanted::PullRequest(_)
            | Wanted::Comment(_)
            | Wanted::Labels(_) => refused(answer),
        },
        408 | 500.. => Error::Unavailable {
            cause: "GitHub is in trouble".to_owned(),
            answer: Some(answer),
        },
        _ => refused(answer),
    }
}

fn refused(answer: Box<crate::http::Answer>) -> Error {
    Error::Protocol {
        cause: "GitHub does not take the request".to_owned(),
        answer: Some(answer),
    }
}
