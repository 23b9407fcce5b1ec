//! Tokens: what a token server gives for a credential, or for none.
//!
//! With a password the token is fetched by GET (the distribution project's
//! token specification), with an identity token by POST (its OAuth 2 form).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use imgstack_spec::Repository;
use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::Instant;

use super::challenge::Challenge;
use super::classify::{Circumstances, Subject, refusal};
use super::error::Error;
use super::host::{Host, Rights, sent};
use crate::credentials::{Credential, Identity};
use crate::http::{Ask, Body, RequestKind, Transport, sensitive};

/// The protocol's own default, and what it says is the least.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);
/// A token is given up a little early: it must last for the request's way.
const LONGEST_MARGIN: Duration = Duration::from_secs(10);
/// No claim to a longer life is believed.
const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Where tokens are given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Realm {
    pub(crate) url: Url,
    pub(crate) service: Option<String>,
}

/// A token for one repository and one identity.
pub(crate) struct Token {
    /// The value of `Authorization`, marked as sensitive.
    pub(crate) header: HeaderValue,
    expires: Instant,
    /// A request with it was let in.
    proven: AtomicBool,
}

#[derive(Deserialize)]
struct Grant {
    token: Option<SecretString>,
    access_token: Option<SecretString>,
    expires_in: Option<u64>,
}

impl Token {
    pub(crate) fn is_fresh(&self) -> bool {
        Instant::now() < self.expires
    }

    pub(crate) fn prove(&self) {
        self.proven.store(true, Ordering::Relaxed);
    }

    /// Whether a refusal with that challenge means that the token has grown
    /// old, rather than that it never was enough.
    pub(crate) fn has_aged(&self, challenge: Option<&Challenge>) -> bool {
        match challenge.and_then(|challenge| challenge.parameter("error")) {
            Some("insufficient_scope") => false,
            Some("invalid_token") => true,
            _ => self.proven.load(Ordering::Relaxed),
        }
    }
}

/// Fetches a token for the repository.
pub(crate) async fn fetch(
    transport: &Transport,
    host: &Host,
    repository: &Repository,
    rights: Rights,
    realm: &Realm,
    credential: Option<&Credential>,
) -> Result<Token, Error> {
    let kind = RequestKind::Token;
    let mut ask = Ask::get(repository.host(), host.plain, kind, realm.url.clone());
    let scope = format!("repository:{}:{}", repository.path(), rights.actions());
    let service = realm.service.as_deref().map(|service| ("service", service));
    match credential.map(Credential::identity) {
        Some(Identity::IdentityToken(refresh)) => {
            let fields = service.into_iter().chain([
                ("scope", scope.as_str()),
                ("grant_type", "refresh_token"),
                ("client_id", "imgstack"),
                ("refresh_token", refresh.expose_secret()),
            ]);
            ask.method = Method::POST;
            ask.body = Some(Body {
                media_type: "application/x-www-form-urlencoded",
                text: form(fields),
            });
        }
        Some(Identity::Password { .. }) | None => {
            let fields = service.into_iter().chain([("scope", scope.as_str())]);
            ask.url.query_pairs_mut().extend_pairs(fields);
            ask.authorization = credential
                .and_then(Credential::basic)
                .and_then(|basic| sensitive(&basic));
        }
    }
    let asked = Instant::now();
    let reply = transport.send(&ask).await?;
    if !reply.status.is_success() {
        let circumstances = Circumstances {
            repository,
            subject: Subject::Token,
            sent: sent(repository, credential, false),
        };
        return Err(refusal(circumstances, &reply));
    }
    read(&reply.body, asked).ok_or_else(|| {
        Error::protocol(
            repository.host(),
            "the token server's answer holds no token",
        )
    })
}

/// The token in the answer. The parser's complaints are dropped, because they
/// may quote it.
fn read(body: &[u8], asked: Instant) -> Option<Token> {
    let grant: Grant = serde_json::from_slice(body).ok()?;
    let filled = |token: &SecretString| !token.expose_secret().is_empty();
    let token = grant
        .token
        .filter(filled)
        .or(grant.access_token)
        .filter(filled)?;
    let lifetime = grant
        .expires_in
        .map_or(DEFAULT_LIFETIME, Duration::from_secs);
    let lifetime = lifetime.min(LONGEST_LIFETIME);
    let bearer = SecretString::from(format!("Bearer {}", token.expose_secret()));
    Some(Token {
        header: sensitive(&bearer)?,
        expires: asked + lifetime - LONGEST_MARGIN.min(lifetime / 10),
        proven: AtomicBool::new(false),
    })
}

fn form<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    // Only the query of the URL is of use, which is encoded as a form is.
    let Ok(mut url) = Url::parse("https://form") else {
        return String::new();
    };
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().to_owned()
}

/// Shows no token.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn how_long_a_token_is_used() {
        let table = [
            (r#"{"token":"t","expires_in":300}"#, Some(290)),
            (r#"{"access_token":"t","expires_in":10}"#, Some(9)),
            (r#"{"token":"","access_token":"t"}"#, Some(54)),
            (r#"{"token":"t","expires_in":99999999999999}"#, Some(86390)),
            (r#"{"token":"t","expires_in":0}"#, Some(0)),
            (r#"{"token":"t","expires_in":null}"#, Some(54)),
            (r#"{"token":"a\nb"}"#, None),
            (r#"{"token":""}"#, None),
            ("{}", None),
            ("<html>", None),
        ];
        for (body, seconds) in table {
            let token = read(body.as_bytes(), Instant::now());
            let used = token
                .as_ref()
                .map(|token| (token.expires - Instant::now()).as_secs());
            assert_eq!(used, seconds, "{body}");
            assert!(!format!("{token:?}").contains("\"t\""));
        }
    }
}
