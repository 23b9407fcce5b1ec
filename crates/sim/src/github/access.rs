//! Tokens: who somebody is, and what they may.

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::reply::{Reply, refuse};
use super::store::{Repository, State, key};
use crate::Asked;

/// A personal access token.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token itself: `ghp_…`, `github_pat_…`.
    pub secret: SecretString,
    /// Whose it is.
    pub login: String,
    /// Of which kind, and what it is good for.
    pub kind: TokenKind,
    /// When it ends; None: never.
    pub expires: Option<Timestamp>,
}

/// The two kinds of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// With scopes, such as `repo` and `read:packages`.
    Classic(Vec<String>),
    /// For some repositories alone, and for each the same permissions.
    FineGrained {
        /// `owner/name`
        repositories: Vec<String>,
        /// `actions:write`, `issues:read`
        permissions: Vec<String>,
    },
}

impl Token {
    /// A classic token that never ends.
    #[must_use]
    pub fn classic(login: &str, secret: &str, scopes: &[&str]) -> Self {
        Self {
            secret: secret.into(),
            login: login.to_owned(),
            kind: TokenKind::Classic(owned(scopes)),
            expires: None,
        }
    }

    /// A fine-grained token that never ends.
    #[must_use]
    pub fn fine_grained(
        login: &str,
        secret: &str,
        repositories: &[&str],
        permissions: &[&str],
    ) -> Self {
        Self {
            kind: TokenKind::FineGrained {
                repositories: owned(repositories),
                permissions: owned(permissions),
            },
            ..Self::classic(login, secret, &[])
        }
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// What is to be done with a part of a repository: `actions`, `issues`,
/// `metadata`.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) part: &'static str,
    pub(super) write: bool,
}

impl State {
    /// The token of a request; None: there is none.
    pub(super) fn caller(&self, asked: &Asked, now: Timestamp) -> Result<Option<&Token>, Reply> {
        let Some(header) = asked.header("authorization") else {
            return Ok(None);
        };
        let (_, secret) = header.split_once(' ').unwrap_or_default();
        let mut tokens = self.tokens.iter();
        let token = tokens.find(|token| token.secret.expose_secret() == secret.trim());
        let token = token.filter(|token| token.expires.is_none_or(|end| now < end));
        token
            .map(Some)
            .ok_or_else(|| refuse(401, "Bad credentials"))
    }

    /// The repository, if the caller may do that there.
    pub(super) fn repository(
        &self,
        caller: Option<&Token>,
        owner: &str,
        name: &str,
        wanted: Wanted,
    ) -> Result<&Repository, Reply> {
        let known = self.repositories.get(&key(owner, name));
        let Some(repository) = known else {
            return Err(refuse(404, "Not Found"));
        };
        let Some(token) = caller else {
            return match (repository.private, wanted.write) {
                (true, _) => Err(refuse(404, "Not Found")),
                (false, true) => Err(refuse(401, "Requires authentication")),
                (false, false) => Ok(repository),
            };
        };
        let member = self.belongs(&token.login, &repository.owner);
        let (sees, may) = match &token.kind {
            TokenKind::Classic(scopes) => {
                let has = |scope: &str| scopes.iter().any(|it| it == scope);
                let all = member && has("repo");
                (
                    all,
                    all || !repository.private && member && has("public_repo"),
                )
            }
            TokenKind::FineGrained {
                repositories,
                permissions,
            } => {
                let full = key(&repository.owner, &repository.name);
                let chosen = repositories.iter().any(|it| it.to_lowercase() == full);
                let has = |level: &str| {
                    let permission = format!("{}:{level}", wanted.part);
                    permissions.contains(&permission)
                };
                let read = wanted.part == "metadata" || has("read") || has("write");
                let may = if wanted.write { has("write") } else { read };
                (member && chosen, member && chosen && may)
            }
        };
        let words = match token.kind {
            TokenKind::Classic(_) => "Must have admin rights to Repository.",
            TokenKind::FineGrained { .. } => "Resource not accessible by personal access token",
        };
        match () {
            () if may || !repository.private && !wanted.write => Ok(repository),
            () if repository.private && !sees => Err(refuse(404, "Not Found")),
            () => Err(refuse(403, words)),
        }
    }
}

impl Token {
    /// Whether the packages of somebody may be asked about. Fine-grained
    /// tokens have no permission for it.
    pub(super) fn reads_packages(&self) -> Result<(), Reply> {
        match &self.kind {
            TokenKind::Classic(scopes) if reads(scopes) => Ok(()),
            TokenKind::Classic(_) => Err(refuse(
                403,
                "You need at least read:packages scope to list the versions of a package.",
            )),
            TokenKind::FineGrained { .. } => Err(refuse(
                403,
                "Resource not accessible by personal access token",
            )),
        }
    }
}

/// Who may write packages may read them.
fn reads(scopes: &[String]) -> bool {
    let mut scopes = scopes.iter();
    scopes.any(|scope| scope == "read:packages" || scope == "write:packages")
}
