//! Names: one type each, so that a service name never stands for an image name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a string is not a name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NameError {
    /// The empty string.
    #[error("a name cannot be empty")]
    Empty,
    /// Longer than the 63 characters that Swarm allows in a service name.
    #[error("a name has at most 63 characters, this one has {0}")]
    TooLong(usize),
    /// A character outside `[A-Za-z0-9_.-]`, or a separator at either end.
    #[error(
        "a name is made of letters, digits, `_`, `.` and `-`, and begins and ends with a letter or a digit"
    )]
    Form,
}

fn check(text: &str) -> Result<(), NameError> {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    match text {
        "" => Err(NameError::Empty),
        _ if text.len() > 63 => Err(NameError::TooLong(text.chars().count())),
        _ if !edge(text.chars().next()) || !edge(text.chars().next_back()) => Err(NameError::Form),
        _ if text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')) =>
        {
            Ok(())
        }
        _ => Err(NameError::Form),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text).map(|()| Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// `metadata.name` of a stack.
    StackName
}
name! {
    /// The name an image has in the spec.
    ImageName
}
name! {
    /// The name of a Swarm service.
    ServiceName
}
