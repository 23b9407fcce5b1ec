//! A request from question to answer: who asks, what to do when that is not
//! let in, and what it means when nobody is.
//!
//! A credential that a registry refuses is not the end when something is only
//! to be read: a revoked token must not keep anybody from a public image. So
//! the question is asked once more in nobody's name, and when that works, it
//! stays so for the repository, and there is a [`Warning`].

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use imgstack_spec::{Registry, RegistryHost, Repository};
use reqwest::{Method, Url};

use super::classify::{Circumstances, Subject, refusal};
use super::error::Error;
use super::host::{Host, Pass, Rights, Standing};
use crate::credentials::{Credential, Keychain, Problem};
use crate::http::{Ask, Endpoints, Reply, RequestKind, Transport, next_to};

/// Something that worked, and still wants attention.
#[derive(Clone, Debug)]
pub enum Warning {
    /// The registry refuses the credential; the repository could be read
    /// without it.
    StaleCredential {
        /// The first repository where that happened.
        repository: Repository,
        /// Where the credential was read, in words.
        origin: String,
        /// The refusal.
        cause: Error,
    },
    /// A configuration that might hold a credential cannot be used.
    CredentialSource(Problem),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StaleCredential { cause, .. } => {
                write!(
                    f,
                    "stale credential: {cause}; went on without it, as the nodes will"
                )
            }
            Self::CredentialSource(problem) => problem.fmt(f),
        }
    }
}

impl Warning {
    /// What helps.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::StaleCredential { origin, .. } => format!(
                "put a new credential into {origin}, or take the old one away: a registry may \
                 refuse it tomorrow even where nobody needs one"
            ),
            Self::CredentialSource(problem) => problem.cause.hint(),
        }
    }

    /// One warning for a host and a source is enough.
    fn repeats(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::StaleCredential {
                    repository, origin, ..
                },
                Self::StaleCredential {
                    repository: other,
                    origin: source,
                    ..
                },
            ) => repository.host() == other.host() && origin == source,
            (Self::CredentialSource(one), Self::CredentialSource(other)) => one == other,
            _ => false,
        }
    }
}

/// What is to be asked of a repository.
pub(crate) struct Errand<'a> {
    pub(crate) kind: RequestKind,
    pub(crate) method: Method,
    /// Path and query, from the root of the host.
    pub(crate) target: String,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) subject: Subject<'a>,
}

/// Hosts, credentials and the way out, for one run.
pub(crate) struct Session {
    pub(crate) transport: Arc<Transport>,
    registries: Vec<Registry>,
    endpoints: Endpoints,
    pub(crate) keychain: Keychain,
    hosts: Mutex<HashMap<RegistryHost, Arc<Host>>>,
    warnings: Mutex<Vec<Warning>>,
}

impl Session {
    pub(crate) fn new(
        transport: Arc<Transport>,
        registries: Vec<Registry>,
        endpoints: Endpoints,
        keychain: Keychain,
    ) -> Self {
        Self {
            transport,
            registries,
            endpoints,
            keychain,
            hosts: Mutex::default(),
            warnings: Mutex::default(),
        }
    }

    /// Runs an errand. The reply is a success, or the 405 of a HEAD.
    pub(crate) async fn run(
        &self,
        repository: &Repository,
        errand: &Errand<'_>,
    ) -> Result<Reply, Error> {
        let host = self.host(repository.host());
        let credential = self.credential(repository).await?;
        let result = self
            .run_for(&host, repository, errand, credential.as_ref())
            .await;
        if let Some(standing) = result.as_ref().err().and_then(standing_after) {
            host.stands(repository, standing);
        }
        result
    }

    async fn run_for(
        &self,
        host: &Host,
        repository: &Repository,
        errand: &Errand<'_>,
        credential: Option<&Arc<Credential>>,
    ) -> Result<Reply, Error> {
        let Some(credential) = credential else {
            return self.run_as(host, repository, errand, None).await;
        };
        let refused = match self
            .run_as(host, repository, errand, Some(credential))
            .await
        {
            Err(error) if error.blames_credential() => error,
            other => return other,
        };
        let cause = refused.clone();
        let anonymous = self.run_as(host, repository, errand, None).await;
        match anonymous {
            Ok(_) => {
                host.stands(repository, Standing::Refused(cause.clone()));
                self.warn(Warning::StaleCredential {
                    repository: repository.clone(),
                    origin: credential.source().to_owned(),
                    cause,
                });
                anonymous
            }
            // Nor is a "not found" to be believed: registries say it of what
            // they hide from strangers.
            Err(_) => Err(refused),
        }
    }

    /// The credential to try at a repository.
    pub(crate) async fn credential(
        &self,
        repository: &Repository,
    ) -> Result<Option<Arc<Credential>>, Error> {
        let host = self.host(repository.host());
        let credential = self.found(repository.host()).await?;
        Ok(match host.standing(repository) {
            Some(Standing::Refused(_)) => None,
            Some(
                Standing::Accepted(_)
                | Standing::Open
                | Standing::ShutOut(_)
                | Standing::Unanswered(_),
            )
            | None => credential,
        })
    }

    /// The credential that was found for a registry.
    pub(crate) async fn found(
        &self,
        registry: &RegistryHost,
    ) -> Result<Option<Arc<Credential>>, Error> {
        let host = self.host(registry);
        let find = || async {
            let found = self.keychain.find(&host.name, host.spec.as_ref()).await;
            let found = found.map_err(|cause| Error::CredentialUnavailable {
                host: host.name.clone(),
                cause,
            })?;
            for problem in found.problems {
                self.warn(Warning::CredentialSource(problem));
            }
            Ok(found.credential.map(Arc::new))
        };
        host.credential.get(|_| true, find).await
    }

    /// What has become of questions about a repository so far.
    pub(crate) fn standing(&self, repository: &Repository) -> Option<Standing> {
        self.host(repository.host()).standing(repository)
    }

    pub(crate) fn warnings(&self) -> Vec<Warning> {
        let warnings = self.warnings.lock();
        warnings.unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn run_as(
        &self,
        host: &Host,
        repository: &Repository,
        errand: &Errand<'_>,
        credential: Option<&Arc<Credential>>,
    ) -> Result<Reply, Error> {
        let mut reconsidered = false;
        loop {
            let pass = host.pass(&self.transport, repository, credential, Rights::Pull);
            let pass = pass.await?;
            let ask = ask(host, errand, &pass)?;
            let reply = self.transport.send(&ask).await?;
            if reply.status == 401 && reply.from_host && !reconsidered {
                reconsidered = true;
                if host.reconsider(repository, &pass, &reply).await? {
                    continue;
                }
            }
            let reply = match is_answer(errand, &reply) {
                true => reply,
                false => self.explained(ask, reply).await,
            };
            if is_answer(errand, &reply) {
                pass.prove();
                host.stands(
                    repository,
                    match &pass.credential {
                        Some(credential) => Standing::Accepted(Arc::clone(credential)),
                        None => Standing::Open,
                    },
                );
                return Ok(reply);
            }
            let circumstances = Circumstances {
                repository,
                subject: errand.subject,
                sent: pass.sent(repository),
            };
            return Err(refusal(circumstances, &reply));
        }
    }

    /// A HEAD's refusal has no body to say why: one GET may tell. Never after
    /// a 429, of which a GET would be one more.
    async fn explained(&self, head: Ask<'_>, reply: Reply) -> Reply {
        let silent = head.method == Method::HEAD && reply.status.is_client_error();
        if !silent || matches!(reply.status.as_u16(), 408 | 429) {
            return reply;
        }
        let get = Ask {
            method: Method::GET,
            once: true,
            ..head
        };
        match self.transport.send(&get).await {
            // Some proxies know no HEAD and answer 404 to it.
            Ok(told) if told.status == reply.status || told.status.is_success() => told,
            _ => reply,
        }
    }

    pub(super) fn host(&self, name: &RegistryHost) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = hosts.entry(name.clone()).or_insert_with(|| {
            let spec = self.registries.iter().find(|it| &it.host == name);
            let endpoint = self.endpoints.of(name).cloned();
            Arc::new(Host::new(name.clone(), spec.cloned(), endpoint))
        });
        Arc::clone(host)
    }

    fn warn(&self, warning: Warning) {
        let warnings = self.warnings.lock();
        let mut warnings = warnings.unwrap_or_else(PoisonError::into_inner);
        if !warnings.iter().any(|known| known.repeats(&warning)) {
            warnings.push(warning);
        }
    }
}

/// What a failure tells of the credential. That a tag or a digest is not there
/// tells nothing: registries say it of what they hide, too.
fn standing_after(error: &Error) -> Option<Standing> {
    match error {
        Error::TagNotFound { .. } | Error::ManifestDeleted { .. } => None,
        Error::AuthenticationRequired { .. } => Some(Standing::ShutOut(error.clone())),
        refused if refused.blames_credential() => Some(Standing::ShutOut(error.clone())),
        _ => Some(Standing::Unanswered(error.clone())),
    }
}

fn ask<'a>(host: &'a Host, errand: &Errand<'_>, pass: &Pass) -> Result<Ask<'a>, Error> {
    let url = at(&pass.base, &errand.target)
        .ok_or_else(|| Error::protocol(&host.name, "not a path that can be asked for"))?;
    Ok(Ask {
        method: errand.method.clone(),
        headers: errand.headers,
        authorization: pass.header.clone(),
        ..Ask::get(&host.name, host.plain, errand.kind, url)
    })
}

/// A path and query at the host of `base`, and at no other: the credential
/// goes along. Joining would take a path that starts with `//` for a host.
pub(super) fn at(base: &Url, target: &str) -> Option<Url> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let mut url = base.clone();
    url.set_path(path);
    url.set_query(query);
    next_to(&url, base).then_some(url)
}

fn is_answer(errand: &Errand<'_>, reply: &Reply) -> bool {
    let no_head = errand.method == Method::HEAD && reply.status == 405;
    reply.status.is_success() || no_head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_never_leaves_the_host() {
        let base = "https://ghcr.io:8443/".parse().unwrap();
        let table = [
            ("/v2/o/n/tags/list?n=1", "/v2/o/n/tags/list?n=1"),
            ("//evil.test/v2/x", "//evil.test/v2/x"),
            ("/\\evil.test/v2/x", "//evil.test/v2/x"),
            ("https://evil.test/x", "/https://evil.test/x"),
            ("?a=b?c", "/?a=b?c"),
        ];
        for (target, expected) in table {
            let url = at(&base, target).unwrap();
            assert_eq!(url.as_str(), format!("https://ghcr.io:8443{expected}"));
        }
    }
}
