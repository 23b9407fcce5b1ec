//! What the language names of GitHub: repositories, workflows, branches.
//!
//! Source of the rules: GitHub's own for owners and repositories, its folder
//! `.github/workflows`, and `git check-ref-format`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest name of an owner.
const LONGEST_OWNER: usize = 39;

/// The longest name of a repository.
const LONGEST_NAME: usize = 100;

/// The longest file name and branch that are of use.
const LONGEST: usize = 200;

/// Why a text names nothing of GitHub's.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum GitHubError {
    /// No repository.
    #[error("a repository of GitHub is named `owner/name`")]
    Repository,
    /// No file of a workflow.
    #[error("a workflow is named by its file in `.github/workflows`, which ends in `.yml`")]
    Workflow,
    /// No branch and no tag.
    #[error("this cannot be a branch")]
    Ref,
    /// A commit, on which GitHub starts no workflow.
    #[error("a workflow is started on a branch, not on a commit")]
    Commit,
}

/// A repository of GitHub: `owner/name`.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct GitHubRepository {
    owner: String,
    name: String,
}

impl GitHubRepository {
    /// A user or an organisation.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Its name at the owner.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The file of a workflow, by its name in `.github/workflows`.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct WorkflowFile(String);

impl WorkflowFile {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A branch, or a tag of git's, by its short name: `main`.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct GitRef(String);

impl GitRef {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The branch that GitHub gives a new repository.
impl Default for GitRef {
    fn default() -> Self {
        Self("main".to_owned())
    }
}

impl FromStr for GitHubRepository {
    type Err = GitHubError;

    fn from_str(text: &str) -> Result<Self, GitHubError> {
        let (owner, name) = text.split_once('/').ok_or(GitHubError::Repository)?;
        // With `_` go the users that a company manages.
        let of_owner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let of_name = |c: char| of_owner(c) || c == '.';
        let fits = (1..=LONGEST_OWNER).contains(&owner.len())
            && owner.chars().all(of_owner)
            && !owner.starts_with('-')
            && (1..=LONGEST_NAME).contains(&name.len())
            && name.chars().all(of_name)
            && !matches!(name, "." | "..")
            // What is cloned ends so; what is named never does.
            && !name.ends_with(".git");
        match fits {
            true => Ok(Self {
                owner: owner.to_owned(),
                name: name.to_owned(),
            }),
            false => Err(GitHubError::Repository),
        }
    }
}

impl FromStr for WorkflowFile {
    type Err = GitHubError;

    fn from_str(text: &str) -> Result<Self, GitHubError> {
        let stem = text
            .strip_suffix(".yml")
            .or_else(|| text.strip_suffix(".yaml"));
        let strange = |c: char| c == '/' || c == '\\' || c.is_control() || c.is_whitespace();
        match stem {
            Some(stem) if !stem.is_empty() && !text.contains(strange) && text.len() <= LONGEST => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(GitHubError::Workflow),
        }
    }
}

impl FromStr for GitRef {
    type Err = GitHubError;

    fn from_str(text: &str) -> Result<Self, GitHubError> {
        let strange = |c: char| {
            c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c) || !c.is_ascii_graphic()
        };
        let part =
            |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
        let fits = !text.contains(strange)
            && text.split('/').all(part)
            && !text.starts_with('-')
            && !text.ends_with('.')
            && !text.contains("..")
            && !text.contains("@{")
            && !matches!(text, "@" | "HEAD")
            && !text.starts_with("refs/")
            && text.len() <= LONGEST;
        let is_commit =
            text.len() == 40 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match fits {
            _ if is_commit => Err(GitHubError::Commit),
            true => Ok(Self(text.to_owned())),
            false => Err(GitHubError::Ref),
        }
    }
}

impl fmt::Display for GitHubRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl fmt::Display for WorkflowFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for GitRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// serde goes through the text, so that nothing unchecked comes out of a file.
macro_rules! through_text {
    ($($type:ident),*) => {$(
        impl TryFrom<String> for $type {
            type Error = GitHubError;

            fn try_from(text: String) -> Result<Self, GitHubError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.to_string()
            }
        }
    )*};
}
through_text!(GitHubRepository, WorkflowFile, GitRef);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories() {
        let long = format!("{}/a", "a".repeat(40));
        let cases = [
            ("acme/web", true),
            ("Acme-1/web.site_2", true),
            ("acme_corp/.github", true),
            ("acme", false),
            ("acme/", false),
            ("/web", false),
            ("acme/web/x", false),
            ("acme/..", false),
            ("acme/web.git", false),
            ("-acme/web", false),
            ("a.cme/web", false),
            ("acme/wéb", false),
            ("acme/web site", false),
            ("https://github.com/acme/web", false),
            (&long, false),
            ("", false),
        ];
        for (text, fits) in cases {
            let read = text.parse::<GitHubRepository>();
            assert_eq!(read.is_ok(), fits, "{text}");
            if let Ok(repository) = read {
                assert_eq!(repository.to_string(), text);
            }
        }
    }

    #[test]
    fn workflows() {
        let cases = [
            ("build.yml", true),
            ("build-web.yaml", true),
            (".hidden.yml", true),
            ("build", false),
            (".yml", false),
            (".github/workflows/build.yml", false),
            ("../build.yml", false),
            ("build web.yml", false),
            ("1234567", false),
            ("", false),
        ];
        for (text, fits) in cases {
            assert_eq!(text.parse::<WorkflowFile>().is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn branches() {
        use GitHubError::{Commit, Ref};
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let cases = [
            ("main", Ok(())),
            ("feature/x-1", Ok(())),
            ("v1.2.3", Ok(())),
            ("0123456", Ok(())),
            (commit, Err(Commit)),
            ("refs/heads/main", Err(Ref)),
            ("HEAD", Err(Ref)),
            ("@", Err(Ref)),
            ("-main", Err(Ref)),
            ("a..b", Err(Ref)),
            ("a b", Err(Ref)),
            ("a~1", Err(Ref)),
            ("a^", Err(Ref)),
            ("a:b", Err(Ref)),
            ("a//b", Err(Ref)),
            ("/a", Err(Ref)),
            ("a/", Err(Ref)),
            ("a/.b", Err(Ref)),
            ("a.lock", Err(Ref)),
            ("a.", Err(Ref)),
            ("a@{1}", Err(Ref)),
            ("", Err(Ref)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<GitRef>().map(|_| ()), expected, "{text}");
        }
    }
}
