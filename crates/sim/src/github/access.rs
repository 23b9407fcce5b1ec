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
    /// Of an app, such as a workflow's `GITHUB_TOKEN`: nobody's in particular.
    Installation {
        /// `owner/name`
        repositories: Vec<String>,
        /// `pull_requests:write`, `issues:read`
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

    /// The `GITHUB_TOKEN` of a workflow.
    #[must_use]
    pub fn of_workflow(secret: &str, repositories: &[&str], permissions: &[&str]) -> Self {
        Self {
            kind: TokenKind::Installation {
                repositories: owned(repositories),
                permissions: owned(permissions),
            },
            ..Self::classic("github-actions[bot]", secret, &[])
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

impl Wanted {
    /// What `x-accepted-github-permissions` says of it. Of comments and labels
    /// that is one text for issues and pull requests, although a pull request
    /// takes the second.
    fn accepted(self) -> String {
        let level = if self.write { "write" } else { "read" };
        match self.part {
            "issues" | "pull_requests" => format!("issues={level}; pull_requests={level}"),
            part => format!("{part}={level}"),
        }
    }
}

impl TokenKind {
    /// Whether it has the permission. None: it has scopes.
    pub(super) fn has(&self, part: &str, write: bool) -> Option<bool> {
        let permissions = match self {
            Self::Classic(_) => return None,
            Self::FineGrained { permissions, .. } | Self::Installation { permissions, .. } => {
                permissions
            }
        };
        let has = |level: &str| permissions.contains(&format!("{part}:{level}"));
        Some(has("write") || !write && (part == "metadata" || has("read")))
    }

    /// How GitHub refuses it.
    pub(super) fn refusal(&self) -> &'static str {
        match self {
            Self::Classic(_) => "Must have admin rights to Repository.",
            Self::FineGrained { .. } => "Resource not accessible by personal access token",
            Self::Installation { .. } => "Resource not accessible by integration",
        }
    }
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
            TokenKind::FineGrained { repositories, .. }
            | TokenKind::Installation { repositories, .. } => {
                let full = key(&repository.owner, &repository.name);
                let chosen = repositories.iter().any(|it| it.to_lowercase() == full);
                let app = matches!(token.kind, TokenKind::Installation { .. });
                let sees = chosen && (app || member);
                let may = token.kind.has(wanted.part, wanted.write);
                (sees, sees && may.unwrap_or_default())
            }
        };
        match () {
            () if may || !repository.private && !wanted.write => Ok(repository),
            () if repository.private && !sees => Err(refuse(404, "Not Found")),
            () => Err(token.forbidden(wanted)),
        }
    }
}

impl Token {
    /// The refusal of what it may not, with what that takes for tokens that
    /// have permissions.
    fn forbidden(&self, wanted: Wanted) -> Reply {
        let refused = refuse(403, self.kind.refusal());
        match self.kind {
            TokenKind::Classic(_) => refused,
            TokenKind::FineGrained { .. } | TokenKind::Installation { .. } => {
                refused.with("x-accepted-github-permissions", wanted.accepted())
            }
        }
    }

    /// Whether the packages of somebody may be asked about. Fine-grained
    /// tokens have no permission for it.
    pub(super) fn reads_packages(&self) -> Result<(), Reply> {
        match &self.kind {
            TokenKind::Classic(scopes) if reads(scopes) => Ok(()),
            TokenKind::Classic(_) => Err(refuse(
                403,
                "You need at least read:packages scope to list the versions of a package.",
            )),
            kind @ (TokenKind::FineGrained { .. } | TokenKind::Installation { .. }) => {
                Err(refuse(403, kind.refusal()))
            }
        }
    }
}

/// Who may write packages may read them.
fn reads(scopes: &[String]) -> bool {
    let mut scopes = scopes.iter();
    scopes.any(|scope| scope == "read:packages" || scope == "write:packages")
}
