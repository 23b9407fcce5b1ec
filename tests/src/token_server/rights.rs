//! Who may do what with which repository.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The file of users.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Users {
    /// How long a token is good for, in seconds.
    #[serde(default = "five_minutes")]
    pub(super) expires_in: u64,
    #[serde(default)]
    pub(super) users: BTreeMap<String, User>,
    /// What needs no login.
    #[serde(default)]
    pub(super) anonymous: Rights,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    pub(super) password: String,
    /// A revoked password is as wrong as any other.
    #[serde(default)]
    pub(super) revoked: bool,
    #[serde(default)]
    pub(super) pull: Vec<Pattern>,
    #[serde(default)]
    pub(super) push: Vec<Pattern>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rights {
    #[serde(default)]
    pub(super) pull: Vec<Pattern>,
}

/// A repository, or with `*` at its end all that begin so.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Pattern(String);

impl Pattern {
    pub(super) fn covers(&self, repository: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => repository.starts_with(beginning),
            None => repository == self.0,
        }
    }
}

/// What a token is good for, as the registry reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Access {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) actions: Vec<String>,
}

/// Reads the users; the error is for the log of whoever broke the file.
pub(super) fn read(path: &Path) -> Result<Users, String> {
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn five_minutes() -> u64 {
    300
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_pattern_covers_what_it_says() {
        let cases = [
            ("*", "a/b", true),
            ("public/*", "public/b", true),
            ("public/*", "public", false),
            ("public/*", "publicly/b", false),
            ("a/b", "a/b", true),
            ("a/b", "a/bc", false),
            ("", "a", false),
        ];
        for (pattern, repository, expected) in cases {
            let pattern = Pattern(pattern.to_owned());
            assert_eq!(
                pattern.covers(repository),
                expected,
                "{pattern:?} {repository}"
            );
        }
    }
}
