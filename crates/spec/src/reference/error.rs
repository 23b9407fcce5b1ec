//! Why a string is not an image reference, or not the part of one it stands for.

use thiserror::Error;

use super::{Digest, Tag};

/// Why a string is not an image reference.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ReferenceError {
    /// The empty string.
    #[error("an image reference cannot be empty")]
    Empty,
    /// A URL.
    #[error("an image reference has no `{scheme}`")]
    Scheme {
        /// What stands before the host, `://` included.
        scheme: String,
        /// What remains without it.
        rest: String,
    },
    /// The part before the first slash is no host with an optional port.
    #[error("`{0}` is not a registry host")]
    Host(String),
    /// A path with uppercase letters that is right without them.
    #[error("`{part}` has uppercase letters, which a repository's path cannot have")]
    Uppercase {
        /// The component of the path.
        part: String,
        /// The same in lowercase.
        lowercase: String,
    },
    /// A component of the path that is empty or has characters or separators
    /// that the grammar does not know.
    #[error("{}", path(.0))]
    Path(String),
    /// More than 255 characters.
    #[error("a repository's path has at most 255 characters, this one has {0}")]
    LongPath(usize),
    /// A name of 64 hexadecimal digits, which docker takes for an image ID.
    #[error("64 hexadecimal digits are an image ID, not a name")]
    Identifier,
    /// Not a tag.
    #[error("{}", tag(.0))]
    Tag(String),
    /// More than 128 characters.
    #[error("a tag has at most 128 characters, this one has {0}")]
    LongTag(usize),
    /// Not a digest.
    #[error("{}", digest(.0))]
    Digest(String),
    /// A repository was wanted, and a tag is written as well.
    #[error("the tag `{0}` is not part of a repository's name")]
    TagInRepository(Tag),
    /// A repository was wanted, and a digest is written as well.
    #[error("a digest is not part of a repository's name")]
    DigestInRepository(Digest),
}

impl ReferenceError {
    /// The part of the text that is wrong, as it stands there; None when it is
    /// the whole.
    #[must_use]
    pub fn part(&self) -> Option<&str> {
        let part = match self {
            Self::Empty | Self::LongPath(_) | Self::Identifier | Self::LongTag(_) => return None,
            Self::Scheme { scheme: part, .. }
            | Self::Uppercase { part, .. }
            | Self::Host(part)
            | Self::Path(part)
            | Self::Tag(part)
            | Self::Digest(part) => part,
            Self::TagInRepository(tag) => tag.as_str(),
            Self::DigestInRepository(digest) => digest.as_str(),
        };
        (!part.is_empty()).then_some(part)
    }
}

fn path(part: &str) -> String {
    match part {
        "" => "a part of the repository's path is empty".to_owned(),
        _ => format!(
            "`{part}` cannot stand in a repository's path, which is made of lowercase letters and digits, joined by `.`, `_`, `__` or `-` and separated by `/`"
        ),
    }
}

fn tag(text: &str) -> String {
    match text {
        "" => "a tag cannot be empty".to_owned(),
        _ => format!(
            "`{text}` is not a tag, which is made of letters, digits, `_`, `.` and `-` and does not begin with `.` or `-`"
        ),
    }
}

fn digest(text: &str) -> String {
    match text {
        "" => "a digest cannot be empty".to_owned(),
        _ => format!(
            "`{text}` is not a digest, which is `sha256:` and 64 or `sha512:` and 128 lowercase hexadecimal digits"
        ),
    }
}
