//! Tokens of GitHub: their kinds, and what GitHub says of one.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use reqwest::header::HeaderMap;
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::credentials::{Credential, Identity};

/// The end of a personal access token: `2027-10-12 09:00:00 UTC`, or with an
/// offset, `+0900`.
const EXPIRATION: &str = "github-authentication-token-expiration";
/// What a classic token may. Fine-grained ones have none.
const SCOPES: &str = "x-oauth-scopes";

/// The kinds of GitHub's tokens. It shows in how they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenKind {
    /// A classic personal access token: `ghp_…`.
    Classic,
    /// A fine-grained personal access token: `github_pat_…`.
    FineGrained,
    /// Of an OAuth app, such as GitHub's own command line: `gho_…`.
    OAuth,
    /// Of a GitHub App in somebody's name: `ghu_…`.
    AppUser,
    /// Of an installation of a GitHub App, such as the `GITHUB_TOKEN` of a
    /// workflow: `ghs_…`.
    Installation,
    /// From before tokens had prefixes, in 2021: 40 hexadecimal digits.
    Old,
}

impl TokenKind {
    /// The kind of the token that the credential's password is. None: it is
    /// none of GitHub's.
    #[must_use]
    pub fn of(credential: &Credential) -> Option<Self> {
        match credential.identity() {
            Identity::Password { password, .. } => Self::read(password.expose_secret()),
            Identity::IdentityToken(_) => None,
        }
    }

    fn read(token: &str) -> Option<Self> {
        let prefixes = [
            ("ghp_", Self::Classic),
            ("github_pat_", Self::FineGrained),
            ("gho_", Self::OAuth),
            ("ghu_", Self::AppUser),
            ("ghs_", Self::Installation),
        ];
        let known = prefixes.iter().find(|(it, _)| token.starts_with(it));
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        match known {
            Some((_, kind)) => Some(*kind),
            None if token.len() == 40 && token.chars().all(hex) => Some(Self::Old),
            None => None,
        }
    }
}

/// As people call it: `classic token`.
impl fmt::Display for TokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Classic => "classic token",
            Self::FineGrained => "fine-grained token",
            Self::OAuth => "token of an OAuth app",
            Self::AppUser => "token of a GitHub App in a user's name",
            Self::Installation => "token of a GitHub App, such as a workflow's GITHUB_TOKEN",
            Self::Old => "classic token without a prefix, from before 2021",
        })
    }
}

/// When a token ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Then.
    At(Timestamp),
    /// GitHub knows of no end.
    NoneKnown,
    /// It cannot be told, and why.
    Unknown(String),
}

/// What GitHub says of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFacts {
    /// Whose it is.
    pub login: String,
    /// Of which kind.
    pub kind: TokenKind,
    /// What it may, such as `read:packages`. None: it has no scopes but
    /// permissions, of which GitHub tells nothing.
    pub scopes: Option<BTreeSet<String>>,
    /// When it ends.
    pub expires: Expiry,
}

#[derive(Deserialize)]
pub(super) struct User {
    pub(super) login: String,
}

impl TokenFacts {
    /// Reads the answer to `GET /user`. None: it is of another form.
    pub(super) fn read(kind: TokenKind, headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        let user: User = serde_json::from_slice(body).ok()?;
        let text = |name: &str| {
            let value = headers.get(name)?;
            Some(value.to_str().unwrap_or_default().trim())
        };
        Some(Self {
            login: user.login,
            kind,
            scopes: text(SCOPES).map(|scopes| {
                let scopes = scopes.split(',').map(str::trim);
                let scopes = scopes.filter(|scope| !scope.is_empty());
                scopes.map(str::to_owned).collect()
            }),
            expires: match text(EXPIRATION) {
                None => Expiry::NoneKnown,
                Some(date) => moment(date).map_or_else(
                    || Expiry::Unknown("GitHub writes its end in an unknown form".to_owned()),
                    Expiry::At,
                ),
            },
        })
    }

    /// Whether it may read packages, if its scopes are known. Who may write
    /// them may read them.
    #[must_use]
    pub fn reads_packages(&self) -> Option<bool> {
        let scopes = self.scopes.as_ref()?;
        Some(scopes.contains("read:packages") || scopes.contains("write:packages"))
    }
}

fn moment(text: &str) -> Option<Timestamp> {
    const LOCAL: &str = "%Y-%m-%d %H:%M:%S";
    if let Some(utc) = text.strip_suffix("UTC") {
        let date = jiff::civil::DateTime::strptime(LOCAL, utc.trim()).ok()?;
        return Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp());
    }
    Timestamp::strptime(format!("{LOCAL} %z"), text).ok()
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn the_kind_shows_in_how_a_token_begins() {
        let hex = "0123456789abcdef0123456789abcdef01234567";
        let table = [
            ("ghp_x", Some(TokenKind::Classic)),
            ("github_pat_x", Some(TokenKind::FineGrained)),
            ("gho_x", Some(TokenKind::OAuth)),
            ("ghu_x", Some(TokenKind::AppUser)),
            ("ghs_x", Some(TokenKind::Installation)),
            (hex, Some(TokenKind::Old)),
            (&hex[1..], None),
            ("0123456789ABCDEF0123456789abcdef01234567", None),
            ("hunter2", None),
            ("", None),
        ];
        for (token, kind) in table {
            assert_eq!(TokenKind::read(token), kind, "{token}");
        }
        let token = Identity::IdentityToken(SecretString::from("ghp_x"));
        assert_eq!(TokenKind::of(&Credential::new(token, "a test")), None);
    }

    #[test]
    fn what_the_answer_says() {
        let at = |text: &str| Expiry::At(text.parse().unwrap());
        let odd = || Expiry::Unknown("GitHub writes its end in an unknown form".to_owned());
        let some = |scopes: &[&str]| Some(scopes.iter().map(ToString::to_string).collect());
        #[rustfmt::skip]
        let table = [
            (None, None, None, Expiry::NoneKnown, None),
            (Some(""), None, some(&[]), Expiry::NoneKnown, Some(false)),
            (Some("repo, read:packages"), None, some(&["read:packages", "repo"]), Expiry::NoneKnown, Some(true)),
            (Some("write:packages"), None, some(&["write:packages"]), Expiry::NoneKnown, Some(true)),
            (Some("repo"), None, some(&["repo"]), Expiry::NoneKnown, Some(false)),
            (None, Some("2027-10-12 09:00:00 UTC"), None, at("2027-10-12T09:00:00Z"), None),
            (None, Some("2027-10-12 09:00:00 +0900"), None, at("2027-10-12T00:00:00Z"), None),
            (None, Some("2027-10-12 09:00:00 -0730"), None, at("2027-10-12T16:30:00Z"), None),
            (None, Some("soon"), None, odd(), None),
            (None, Some("2027-10-12"), None, odd(), None),
            (None, Some("2027-13-12 09:00:00 UTC"), None, odd(), None),
            (None, Some(""), None, odd(), None),
        ];
        for (scopes, expiry, expected, expires, reads) in table {
            let mut headers = HeaderMap::new();
            for (name, value) in [(SCOPES, scopes), (EXPIRATION, expiry)] {
                if let Some(value) = value {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            let body = br#"{"login":"ann","id":1}"#;
            let facts = TokenFacts::read(TokenKind::Classic, &headers, body).unwrap();
            assert_eq!(facts.scopes, expected, "{scopes:?}");
            assert_eq!(facts.expires, expires, "{expiry:?}");
            assert_eq!(facts.reads_packages(), reads, "{scopes:?}");
        }
        for body in ["", "[]", "{}", "<html>"] {
            let read = TokenFacts::read(TokenKind::Classic, &HeaderMap::new(), body.as_bytes());
            assert_eq!(read, None, "{body}");
        }
    }
}
