//! Image references, by the distribution reference grammar.
//!
//! Source of the rules: `reference/reference.go` of the distribution project
//! and Docker Hub's short names (`postgres` is `docker.io/library/postgres`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a string is not an image reference.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ReferenceError {}

/// A registry's host and port as references name it: `ghcr.io`,
/// `docker.io`, `localhost:5000`, `[::1]:5000`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RegistryHost(String);

impl RegistryHost {
    /// Takes the text as it is; [`Repository`] has its own, checked way.
    #[must_use]
    pub fn new(host: &str) -> Self {
        Self(host.to_owned())
    }

    /// The host as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the host is this machine: plain http is allowed there.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        todo!()
    }
}

/// Registry host and path: `ghcr.io/owner/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository {
    host: RegistryHost,
    path: String,
}

impl Repository {
    /// The registry.
    #[must_use]
    pub fn host(&self) -> &RegistryHost {
        &self.host
    }

    /// The path, Docker Hub's `library/` included.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// A tag, such as `16`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(String);

/// A content digest, such as `sha256:9f31…` with 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

/// A reference to an image: repository, and tag or digest or both or neither.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef {
    /// Host and path.
    pub repository: Repository,
    /// The tag, if one is written. `latest` is not assumed.
    pub tag: Option<Tag>,
    /// The digest, if one is written.
    pub digest: Option<Digest>,
}

macro_rules! text {
    ($($type:ident),*) => {$(
        impl FromStr for $type {
            type Err = ReferenceError;

            fn from_str(text: &str) -> Result<Self, ReferenceError> {
                let _ = text;
                todo!()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let _ = f;
                todo!()
            }
        }

        impl TryFrom<String> for $type {
            type Error = ReferenceError;

            fn try_from(text: String) -> Result<Self, ReferenceError> {
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
text!(Repository, Tag, Digest, ImageRef);

impl Tag {
    /// The tag as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Digest {
    /// The digest as text, algorithm included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RegistryHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
