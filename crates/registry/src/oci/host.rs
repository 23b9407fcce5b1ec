//! One registry host: how it is reached and how one gets in.
//!
//! A host says once how it asks who one is, in answer to `GET /v2/`; GHCR and
//! Docker Hub are not even asked, because their answer is known. A host that
//! lets the first door stand open and asks at the second is understood when it
//! does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use imgstack_spec::{Registry, RegistryHost, Repository};
use reqwest::Url;
use reqwest::header::HeaderValue;

use super::challenge::{Challenge, challenges};
use super::classify::{Circumstances, Sent, Subject, refusal};
use super::error::Error;
use super::token::{self, Realm, Token};
use crate::credentials::Credential;
use crate::github::GHCR;
use crate::http::{
    Ask, Flight, Flights, PlainHttp, Reply, RequestKind, TlsFault, Transport, sensitive,
};

/// A registry host and what is known of it.
pub(crate) struct Host {
    pub(crate) name: RegistryHost,
    pub(crate) spec: Option<Registry>,
    pub(crate) plain: PlainHttp,
    /// Where it is asked, if not at its own address.
    endpoint: Option<Url>,
    /// What was found for the host; None within: nobody.
    pub(crate) credential: Flight<Option<Arc<Credential>>, Error>,
    greeting: Flight<Arc<Greeting>, Error>,
    tokens: Flights<(String, Who, Rights), Arc<Token>, Error>,
    standings: Mutex<HashMap<String, Standing>>,
}

/// In whose name a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    /// In that of the credential that was found.
    Credential,
    /// In nobody's.
    Anonymous,
}

/// What a request does to a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rights {
    /// It reads.
    Pull,
    /// It writes, and whoever writes reads.
    Push,
}

impl Rights {
    /// As a scope names them.
    pub(crate) fn actions(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
        }
    }
}

/// What has become of questions about a repository, and so of the credential.
#[derive(Clone)]
pub(crate) enum Standing {
    /// The credential was let in.
    Accepted(Arc<Credential>),
    /// It was refused, for that reason, and nobody in particular was let in.
    Refused(Error),
    /// None was sent, and none was wanted.
    Open,
    /// Nobody was let in, with it or without.
    ShutOut(Error),
    /// There was no answer that tells.
    Unanswered(Error),
}

/// How a host asks.
#[derive(Debug, PartialEq, Eq)]
struct Greeting {
    base: Url,
    scheme: Scheme,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Scheme {
    /// It does not ask.
    Open,
    Basic,
    Bearer(Realm),
}

/// What a request carries to be let in.
pub(crate) struct Pass {
    pub(crate) base: Url,
    pub(crate) header: Option<HeaderValue>,
    /// The credential behind the header.
    pub(crate) credential: Option<Arc<Credential>>,
    token: Option<Arc<Token>>,
    rights: Rights,
    /// The host had said that it asks.
    asked: bool,
}

impl Host {
    pub(crate) fn new(name: RegistryHost, spec: Option<Registry>, endpoint: Option<Url>) -> Self {
        let greeting = known(&name, endpoint.as_ref());
        Self {
            plain: match endpoint {
                Some(_) => PlainHttp::Loopback,
                None => PlainHttp::of(&name, spec.as_ref()),
            },
            endpoint,
            greeting: greeting.map_or_else(Flight::default, |it| Flight::landed(Arc::new(it))),
            name,
            spec,
            credential: Flight::default(),
            tokens: Flights::default(),
            standings: Mutex::default(),
        }
    }

    /// What has become of the credential at a repository so far.
    pub(crate) fn standing(&self, repository: &Repository) -> Option<Standing> {
        let standings = self.standings.lock();
        let standings = standings.unwrap_or_else(PoisonError::into_inner);
        standings.get(repository.path()).cloned()
    }

    /// Remembers what has become of a question. What one question has settled
    /// is not unsettled by another that has less to tell.
    pub(crate) fn stands(&self, repository: &Repository, standing: Standing) {
        let standings = self.standings.lock();
        let mut standings = standings.unwrap_or_else(PoisonError::into_inner);
        let known = standings.get(repository.path());
        let settled = matches!(known, Some(Standing::Accepted(_) | Standing::Refused(_)));
        let settles = matches!(standing, Standing::Accepted(_) | Standing::Refused(_));
        if settles || !settled {
            standings.insert(repository.path().to_owned(), standing);
        }
    }

    /// What it takes to be let into a repository.
    pub(crate) async fn pass(
        &self,
        transport: &Transport,
        repository: &Repository,
        credential: Option<&Arc<Credential>>,
        rights: Rights,
    ) -> Result<Pass, Error> {
        let greeting = self.greet(transport, repository).await?;
        let mut pass = Pass {
            base: greeting.base.clone(),
            header: None,
            credential: None,
            token: None,
            rights,
            asked: greeting.scheme != Scheme::Open,
        };
        match &greeting.scheme {
            Scheme::Open => {}
            Scheme::Basic => {
                let basic = credential.and_then(|credential| credential.basic());
                pass.header = basic.as_ref().and_then(sensitive);
                pass.credential = pass.header.as_ref().and(credential).cloned();
            }
            Scheme::Bearer(realm) => {
                let token = self.token(transport, repository, realm, credential, rights);
                let token = token.await?;
                pass.header = Some(token.header.clone());
                pass.credential = credential.cloned();
                pass.token = Some(token);
            }
        }
        Ok(pass)
    }

    /// After a 401: whether another attempt may go better, because a token has
    /// aged, or because the host has only now said that it asks.
    pub(crate) async fn reconsider(
        &self,
        repository: &Repository,
        pass: &Pass,
        reply: &Reply,
    ) -> Result<bool, Error> {
        let challenges = challenges(&reply.headers);
        if let Some(token) = &pass.token {
            let bearer = challenges.iter().find(|it| it.scheme == "bearer");
            let aged = token.has_aged(bearer);
            if aged {
                let who = who(pass.credential.as_ref());
                let key = (repository.path().to_owned(), who, pass.rights);
                // Unless somebody else has renewed it in the meantime.
                let tokens = self.tokens.to(key);
                tokens.forget(|it| Arc::ptr_eq(it, token)).await;
            }
            return Ok(aged);
        }
        let scheme = self.scheme(&challenges)?;
        if pass.asked || scheme == Scheme::Open {
            return Ok(false);
        }
        let base = pass.base.clone();
        self.greeting.put(Arc::new(Greeting { base, scheme })).await;
        Ok(true)
    }

    async fn greet(
        &self,
        transport: &Transport,
        repository: &Repository,
    ) -> Result<Arc<Greeting>, Error> {
        let ask = || async {
            let answer = match self.plain {
                PlainHttp::Never => self.ping(transport, repository, "https").await,
                PlainHttp::Loopback | PlainHttp::Insecure => {
                    match self.ping(transport, repository, "http").await {
                        Err(Error::Tls {
                            fault: TlsFault::TlsPort,
                            ..
                        }) => self.ping(transport, repository, "https").await,
                        other => other,
                    }
                }
            };
            answer.map(Arc::new)
        };
        self.greeting.get(|_| true, ask).await
    }

    async fn ping(
        &self,
        transport: &Transport,
        repository: &Repository,
        protocol: &str,
    ) -> Result<Greeting, Error> {
        let malformed = || Error::protocol(&self.name, "not a host that can be asked");
        let base: Url = match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => format!("{protocol}://{}/", self.name)
                .parse()
                .map_err(|_| malformed())?,
        };
        let url = base.join("v2/").map_err(|_| malformed())?;
        let ask = Ask::get(&self.name, self.plain, RequestKind::Ping, url);
        let reply = transport.send(&ask).await?;
        let scheme = match reply.status.as_u16() {
            401 => self.scheme(&challenges(&reply.headers))?,
            // Not every registry has this door; the next one will tell.
            200..=299 | 403..=405 => Scheme::Open,
            _ => {
                let circumstances = Circumstances {
                    repository,
                    subject: Subject::Repository,
                    sent: Sent::Anonymous,
                };
                return Err(refusal(circumstances, &reply));
            }
        };
        Ok(Greeting { base, scheme })
    }

    /// The challenge that can be met; Bearer before Basic, which sends the
    /// password itself with every request.
    fn scheme(&self, challenges: &[Challenge]) -> Result<Scheme, Error> {
        let named = |scheme: &str| challenges.iter().find(|it| it.scheme == scheme);
        let Some(bearer) = named("bearer") else {
            return Ok(match named("basic") {
                Some(_) => Scheme::Basic,
                None => Scheme::Open,
            });
        };
        let url = bearer
            .parameter("realm")
            .and_then(|realm| realm.parse().ok())
            .filter(Url::has_host)
            .ok_or_else(|| Error::protocol(&self.name, "names no token server"))?;
        if !self.plain.allows(&url) {
            let cause = "names a token server that is not https";
            return Err(Error::protocol(&self.name, cause));
        }
        let service = bearer.parameter("service").map(str::to_owned);
        Ok(Scheme::Bearer(Realm { url, service }))
    }

    async fn token(
        &self,
        transport: &Transport,
        repository: &Repository,
        realm: &Realm,
        credential: Option<&Arc<Credential>>,
        rights: Rights,
    ) -> Result<Arc<Token>, Error> {
        let key = (repository.path().to_owned(), who(credential), rights);
        let fetch = || async {
            let credential = credential.map(Arc::as_ref);
            token::fetch(transport, self, repository, rights, realm, credential)
                .await
                .map(Arc::new)
        };
        let tokens = self.tokens.to(key);
        tokens.get(|token| token.is_fresh(), fetch).await
    }
}

fn who(credential: Option<&Arc<Credential>>) -> Who {
    match credential {
        Some(_) => Who::Credential,
        None => Who::Anonymous,
    }
}

impl Pass {
    /// Remembers that the pass was good.
    pub(crate) fn prove(&self) {
        if let Some(token) = &self.token {
            token.prove();
        }
    }

    /// What the request carried, for the error.
    pub(crate) fn sent<'a>(&'a self, repository: &Repository) -> Sent<'a> {
        sent(repository, self.credential.as_deref(), self.token.is_none())
    }
}

/// What a request carried, for the error.
pub(crate) fn sent<'a>(
    repository: &Repository,
    credential: Option<&'a Credential>,
    itself: bool,
) -> Sent<'a> {
    match credential {
        None => Sent::Anonymous,
        Some(credential) => Sent::Credential {
            origin: credential.source(),
            fine_grained: repository.host().as_str() == GHCR && credential.is_fine_grained(),
            itself,
        },
    }
}

/// The hosts whose answer is known beforehand. Whoever stands in for one of
/// them hands out its tokens, too.
fn known(host: &RegistryHost, endpoint: Option<&Url>) -> Option<Greeting> {
    let (base, realm, service) = match host.as_str() {
        GHCR => ("https://ghcr.io/", "https://ghcr.io/token", "ghcr.io"),
        "docker.io" => (
            "https://registry-1.docker.io/",
            "https://auth.docker.io/token",
            "registry.docker.io",
        ),
        _ => return None,
    };
    let (base, realm) = match endpoint {
        Some(endpoint) => (endpoint.clone(), endpoint.join("token").ok()?),
        None => (base.parse().ok()?, realm.parse().ok()?),
    };
    Some(Greeting {
        base,
        scheme: Scheme::Bearer(Realm {
            url: realm,
            service: Some(service.to_owned()),
        }),
    })
}
