//! Whether the credential of a registry is good: for which repositories, until
//! when, and what is wrong with it.
//!
//! A registry says whether it lets a credential in, and nothing else. For GHCR
//! GitHub tells the rest, because its credentials are GitHub's tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use imgstack_spec::{ImageRef, RegistryHost, Repository};

use super::access::Access;
use super::client::{CONCURRENT, Client};
use super::error::Error;
use super::hint;
use crate::credentials::{Credential, Fingerprint};
use crate::github::{self, Expiry, GHCR, NotAsked, TokenFacts, TokenKind};

/// What is known of the credential for one registry.
#[derive(Clone, Debug)]
pub struct CredentialCheck {
    /// The registry.
    pub host: RegistryHost,
    /// What was found for it. None: nobody. The error: the source that the
    /// spec names gives none.
    pub credential: Result<Option<Checked>, Error>,
    /// What the registry makes of it at each repository.
    pub access: BTreeMap<Repository, Access>,
}

/// A credential as it may be shown and written down.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The account, if the credential has one.
    pub username: Option<String>,
    /// Where it was read, in words: `GHCR_PAT in the environment`.
    pub source: String,
    /// Tells it from others.
    pub fingerprint: Fingerprint,
    /// Its kind. None: it is not for GHCR, or no token of GitHub's.
    pub kind: Option<TokenKind>,
    /// What GitHub says of it. None: it is not for GHCR.
    pub github: Option<Result<TokenFacts, github::Error>>,
}

/// Something about a credential that wants attention, whether or not a
/// registry has refused it yet.
#[derive(Clone, Debug)]
pub enum Concern {
    /// A fine-grained token of GitHub, which GHCR does not take.
    FineGrained {
        /// Where the credential was read, in words.
        origin: String,
    },
    /// A token that may not read packages.
    NoPackageScope {
        /// Where the credential was read, in words.
        origin: String,
        /// What it may.
        scopes: BTreeSet<String>,
    },
    /// A token that ends with its workflow, while nodes pull whenever they
    /// have to.
    ShortLived {
        /// Where the credential was read, in words.
        origin: String,
    },
    /// GitHub says that the token is no good.
    Refused(github::Error),
}

impl Client {
    /// What is known of the credential for a registry, and of its access to the
    /// repositories of those images that are there.
    ///
    /// At most one token and one HEAD for a repository, none where this run
    /// knows already; for GHCR one request to GitHub for a token. `salt` goes
    /// into the fingerprint: the cluster's ID.
    pub async fn check(
        &self,
        host: &RegistryHost,
        images: &[ImageRef],
        salt: &str,
    ) -> CredentialCheck {
        let here = images.iter().filter(|it| it.repository.host() == host);
        // Any image of a repository tells of the whole.
        let one: BTreeMap<&Repository, &ImageRef> =
            here.rev().map(|it| (&it.repository, it)).collect();
        let access = stream::iter(one)
            .map(
                |(repository, image)| async move { (repository.clone(), self.access(image).await) },
            )
            .buffered(CONCURRENT)
            .collect();
        let (credential, access) = tokio::join!(self.checked(host, salt), access);
        CredentialCheck {
            host: host.clone(),
            credential,
            access,
        }
    }

    /// The credential that was found for a registry, whatever the registry
    /// makes of it. None: nobody.
    ///
    /// # Errors
    /// [`Error::CredentialUnavailable`]: the source that the spec names gives
    /// none.
    pub async fn credential(&self, host: &RegistryHost) -> Result<Option<Arc<Credential>>, Error> {
        self.0.session.found(host).await
    }

    /// The fingerprint of the credential for a registry: slow the first time,
    /// and aside. None: there is no credential.
    ///
    /// # Errors
    /// As [`Client::credential`].
    pub async fn fingerprint(
        &self,
        host: &RegistryHost,
        salt: &str,
    ) -> Result<Option<Fingerprint>, Error> {
        let make = || async {
            let Some(credential) = self.credential(host).await? else {
                return Ok(None);
            };
            let (host, salt) = (host.clone(), salt.to_owned());
            let work = move || Fingerprint::of(&credential, &host, &salt);
            let made = tokio::task::spawn_blocking(work.clone()).await;
            // There is no other thread any more: then here.
            Ok(Some(made.unwrap_or_else(|_| work())))
        };
        let key = (host.clone(), salt.to_owned());
        self.0.fingerprints.to(key).get(|_| true, make).await
    }

    async fn checked(&self, host: &RegistryHost, salt: &str) -> Result<Option<Checked>, Error> {
        let Some(credential) = self.credential(host).await? else {
            return Ok(None);
        };
        let is_ghcr = host.as_str() == GHCR;
        let facts = async {
            match is_ghcr {
                true => Some(self.github().token_facts(&credential).await),
                false => None,
            }
        };
        let (fingerprint, github) = tokio::join!(self.fingerprint(host, salt), facts);
        Ok(fingerprint?.map(|fingerprint| Checked {
            username: credential.username().map(str::to_owned),
            source: credential.source().to_owned(),
            fingerprint,
            kind: TokenKind::of(&credential).filter(|_| is_ghcr),
            github,
        }))
    }
}

impl Checked {
    /// When it ends, as far as that can be told.
    #[must_use]
    pub fn expiry(&self) -> Expiry {
        match &self.github {
            None => Expiry::Unknown("the registry does not tell".to_owned()),
            Some(Ok(facts)) => facts.expires.clone(),
            Some(Err(error)) => Expiry::Unknown(error.to_string()),
        }
    }

    /// What it may, such as `read:packages`. None: that is not known, or it has
    /// no scopes.
    #[must_use]
    pub fn scopes(&self) -> Option<&BTreeSet<String>> {
        let facts = self.github.as_ref()?.as_ref().ok()?;
        facts.scopes.as_ref()
    }

    /// What wants attention.
    #[must_use]
    pub fn concerns(&self) -> Vec<Concern> {
        let origin = self.source.clone();
        let mut concerns = Vec::new();
        if self.kind == Some(TokenKind::FineGrained) {
            let origin = origin.clone();
            concerns.push(Concern::FineGrained { origin });
        }
        concerns.extend(match &self.github {
            Some(Ok(facts)) => match &facts.scopes {
                Some(scopes) if facts.reads_packages() == Some(false) => {
                    let scopes = scopes.clone();
                    Some(Concern::NoPackageScope { origin, scopes })
                }
                Some(_) | None => None,
            },
            Some(Err(error)) if error.blames_token() => Some(Concern::Refused(error.clone())),
            Some(Err(github::Error::NotAsked {
                why: NotAsked::NoAccount,
                ..
            })) => Some(Concern::ShortLived { origin }),
            Some(Err(_)) | None => None,
        });
        concerns
    }
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FineGrained { origin } => write!(
                f,
                "{origin} holds a fine-grained GitHub token (github_pat_…), which {GHCR} does not \
                 accept"
            ),
            Self::NoPackageScope { origin, scopes } => {
                write!(
                    f,
                    "the token from {origin} lacks the scope `read:packages`; it has "
                )?;
                match scopes.is_empty() {
                    true => f.write_str("none"),
                    false => {
                        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
                        write!(f, "`{}`", scopes.join("`, `"))
                    }
                }
            }
            Self::ShortLived { origin } => write!(
                f,
                "{origin} holds the token of an app, such as a workflow's GITHUB_TOKEN, which \
                 ends within a day"
            ),
            Self::Refused(error) => error.fmt(f),
        }
    }
}

impl Concern {
    /// What helps.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::FineGrained { origin } => hint::fine_grained(origin),
            Self::NoPackageScope { origin, .. } => format!(
                "tick `read:packages` for that token in GitHub's list of tokens, which leaves the \
                 token itself as it is; or put another one into {origin}"
            ),
            Self::ShortLived { origin } => format!(
                "put a classic personal access token with `read:packages` into {origin}: nodes \
                 pull whenever they have to, long after the workflow"
            ),
            Self::Refused(error) => error.hint(),
        }
    }
}
