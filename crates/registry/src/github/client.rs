//! The client: questions about tokens, each answered once a run.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::api::{Api, ApiToken, Question, json, malformed};
use super::error::{Error, NotAsked};
use super::package::OwnerKind;
use super::token::{TokenFacts, TokenKind, User};
use super::wanted::Wanted;
use crate::credentials::Credential;
use crate::http::{Endpoints, Flight, RequestKind, Transport};

/// What a token may is worth a warning, not a wait: a machine from which GitHub
/// cannot be reached should still plan.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client of `api.github.com`, for one run.
///
/// Cheap to clone; clones share everything. Callers who ask the same question
/// about a token share one answer.
#[derive(Clone)]
pub struct Client(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) api: Api,
    // Few, and found by comparing, so that a secret is no key of a map.
    facts: Mutex<Vec<(SecretString, Facts)>>,
    /// What owners of packages have turned out to be.
    pub(super) owners: Mutex<HashMap<String, OwnerKind>>,
}

/// The place of what is known of one token.
type Facts = Arc<Flight<TokenFacts, Error>>;

impl Client {
    pub(crate) fn new(transport: Arc<Transport>, endpoints: &Endpoints) -> Self {
        Self(Arc::new(Inner {
            api: Api::new(transport, endpoints),
            facts: Mutex::default(),
            owners: Mutex::default(),
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
        let token = ApiToken::of_github(credential).ok_or_else(|| not_asked(NotAsked::NoToken))?;
        if token.kind == Some(TokenKind::Installation) {
            return Err(not_asked(NotAsked::NoAccount));
        }
        self.0.api.is_of_this_world(&token.origin)?;
        let ask = || async {
            let late = || Error::Unavailable {
                cause: format!("no answer within {} s", PATIENCE.as_secs()),
                answer: None,
            };
            let answer = tokio::time::timeout(PATIENCE, self.0.ask(&token)).await;
            answer.unwrap_or_else(|_| Err(late()))
        };
        self.0.flight(&token.secret).get(|_| true, ask).await
    }
}

impl Client {
    /// Whose a token is.
    pub(super) async fn login(&self, token: &ApiToken) -> Result<String, Error> {
        let (wanted, url) = (Wanted::Account, self.0.api.url(&["user"], &[])?);
        let question = Question::get(&wanted, token, RequestKind::Account, url);
        let reply = self.0.api.ask(&question).await?;
        let user: User = json(&reply.body, "an account")?;
        Ok(user.login)
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

    async fn ask(&self, token: &ApiToken) -> Result<TokenFacts, Error> {
        let (wanted, url) = (Wanted::Account, self.api.url(&["user"], &[])?);
        let question = Question::get(&wanted, token, RequestKind::Account, url);
        let reply = self.api.ask(&question).await?;
        let facts = token
            .kind
            .and_then(|kind| TokenFacts::read(kind, &reply.headers, &reply.body));
        facts.ok_or_else(|| malformed("the answer does not say whose token it is"))
    }
}

/// Shows no token.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("github::Client").finish_non_exhaustive()
    }
}
