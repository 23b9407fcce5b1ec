//! The client: questions about tokens, each answered once a run.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use imgstack_spec::RegistryHost;
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};

use super::error::{Error, NotAsked};
use super::token::{TokenFacts, TokenKind};
use crate::credentials::{Credential, Identity};
use crate::http::{Ask, Endpoints, Flight, PlainHttp, Reply, RequestKind, Transport, sensitive};

const HOST: &str = "api.github.com";
/// GitHub's registry, whose credentials are GitHub's tokens.
pub(crate) const GHCR: &str = "ghcr.io";
/// The version of the API that all of GitHub's servers speak.
const HEADERS: &[(&str, &str)] = &[
    ("accept", "application/vnd.github+json"),
    ("x-github-api-version", "2022-11-28"),
];
/// What a token may is worth a warning, not a wait: a machine from which GitHub
/// cannot be reached should still plan.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client of `api.github.com`, for one run.
///
/// Cheap to clone; clones share everything. Callers who ask the same question
/// share one answer.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    transport: Arc<Transport>,
    /// Where it is asked, if not at its own address.
    endpoint: Option<Url>,
    /// Something stands in for GHCR, and nothing for GitHub.
    other_world: bool,
    // Few, and found by comparing, so that a secret is no key of a map.
    facts: Mutex<Vec<(SecretString, Facts)>>,
}

/// The place of what is known of one token.
type Facts = Arc<Flight<TokenFacts, Error>>;

impl Client {
    pub(crate) fn new(transport: Arc<Transport>, endpoints: &Endpoints) -> Self {
        let endpoint = endpoints.of(&RegistryHost::new(HOST)).cloned();
        let ghcr = endpoints.of(&RegistryHost::new(GHCR));
        Self(Arc::new(Inner {
            transport,
            other_world: ghcr.is_some() && endpoint.is_none(),
            endpoint,
            facts: Mutex::default(),
        }))
    }

    /// What GitHub says of the token that is the credential's password: one
    /// request, the first time that token is asked about.
    ///
    /// A password that is no token of GitHub's is not sent there.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn token_facts(&self, credential: &Credential) -> Result<TokenFacts, Error> {
        let not_asked = |why| Error::NotAsked {
            origin: credential.source().to_owned(),
            why,
        };
        let (Identity::Password { password, .. }, Some(kind)) =
            (credential.identity(), TokenKind::of(credential))
        else {
            return Err(not_asked(NotAsked::NoToken));
        };
        if kind == TokenKind::Installation {
            return Err(not_asked(NotAsked::NoAccount));
        }
        if self.0.other_world {
            return Err(not_asked(NotAsked::OtherWorld));
        }
        let ask = || async {
            let asking = self.0.ask(kind, password, credential.source());
            let late = || Error::Unavailable {
                cause: format!("no answer within {} s", PATIENCE.as_secs()),
                answer: None,
            };
            let answer = tokio::time::timeout(PATIENCE, asking).await;
            answer.unwrap_or_else(|_| Err(late()))
        };
        self.0.flight(password).get(|_| true, ask).await
    }
}

impl Inner {
    fn flight(&self, token: &SecretString) -> Facts {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |it: &SecretString| it.expose_secret() == token.expose_secret();
        if let Some((_, flight)) = facts.iter().find(|(known, _)| same(known)) {
            return Arc::clone(flight);
        }
        let flight = Facts::default();
        facts.push((token.clone(), Arc::clone(&flight)));
        flight
    }

    async fn ask(
        &self,
        kind: TokenKind,
        token: &SecretString,
        origin: &str,
    ) -> Result<TokenFacts, Error> {
        let host = RegistryHost::new(HOST);
        let malformed = |cause: &str| Error::Protocol {
            cause: cause.to_owned(),
            answer: None,
        };
        let base = match &self.endpoint {
            Some(endpoint) => Some(endpoint.clone()),
            None => format!("https://{HOST}/").parse().ok(),
        };
        let url = base.and_then(|base| base.join("user").ok());
        let bearer = SecretString::from(format!("Bearer {}", token.expose_secret()));
        let Some(authorization) = sensitive(&bearer) else {
            return Err(Error::NotAsked {
                origin: origin.to_owned(),
                why: NotAsked::NoToken,
            });
        };
        let ask = Ask {
            host: &host,
            plain: match self.endpoint {
                Some(_) => PlainHttp::Loopback,
                None => PlainHttp::Never,
            },
            kind: RequestKind::Account,
            method: Method::GET,
            url: url.ok_or_else(|| malformed("not a host that can be asked"))?,
            headers: HEADERS,
            authorization: Some(authorization),
            form: None,
            once: false,
        };
        let reply = self.transport.send(&ask).await?;
        if !reply.status.is_success() {
            return Err(refusal(origin, &reply));
        }
        TokenFacts::read(kind, &reply.headers, &reply.body)
            .ok_or_else(|| malformed("the answer does not say whose token it is"))
    }
}

/// The error that a refusal amounts to.
fn refusal(origin: &str, reply: &Reply) -> Error {
    let answer = Box::new(reply.answer());
    let origin = origin.to_owned();
    let limited = || {
        let words = answer.message.as_deref().unwrap_or_default();
        words.to_ascii_lowercase().contains("rate limit")
    };
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
        401 => Error::TokenRejected { origin, answer },
        403 if reply.headers.contains_key("x-github-sso") => {
            Error::SignOnRequired { origin, answer }
        }
        403 => Error::Forbidden { origin, answer },
        408 | 500.. => Error::Unavailable {
            cause: "GitHub is in trouble".to_owned(),
            answer: Some(answer),
        },
        _ => Error::Protocol {
            cause: "GitHub does not take the request".to_owned(),
            answer: Some(answer),
        },
    }
}

/// Shows no token.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("github::Client").finish_non_exhaustive()
    }
}
