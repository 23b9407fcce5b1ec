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
    /// Longer than what is named can have.
    #[error("this name has at most {longest} characters, not {length}")]
    TooLong {
        /// The most characters that this kind of name has.
        longest: usize,
        /// The characters of the one given.
        length: usize,
    },
    /// A character outside `[A-Za-z0-9_.-]`, or a separator at either end.
    #[error(
        "a name is made of letters, digits, `_`, `.` and `-`, and begins and ends with a letter or a digit"
    )]
    Form,
    /// The same for a service, whose name is also a DNS name and has no dots.
    #[error(
        "a service's name is made of letters, digits, `_` and `-`, and begins and ends with a letter or a digit"
    )]
    ServiceForm,
}

/// What a kind of name may look like.
struct Rule {
    longest: usize,
    separators: &'static [char],
    form: NameError,
}

impl Rule {
    fn check(self, text: &str) -> Result<(), NameError> {
        let word = |c: &char| c.is_ascii_alphanumeric();
        let edges = [text.chars().next(), text.chars().next_back()];
        let length = text.chars().count();
        if text.is_empty() {
            Err(NameError::Empty)
        } else if !edges.iter().flatten().all(word)
            || !text
                .chars()
                .all(|c| word(&c) || self.separators.contains(&c))
        {
            Err(self.form)
        } else if length > self.longest {
            let longest = self.longest;
            Err(NameError::TooLong { longest, length })
        } else {
            Ok(())
        }
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
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
                $rule.check(text).map(|()| Self(text.to_owned()))
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
    ///
    /// It stands in the names of Swarm configs, which have 64 characters, such
    /// as `imgstack.release.NAME.123456`.
    StackName,
    Rule { longest: 40, separators: &['_', '.', '-'], form: NameError::Form }
}
name! {
    /// The name an image has in the spec.
    ImageName,
    Rule { longest: 63, separators: &['_', '.', '-'], form: NameError::Form }
}
name! {
    /// The name of a Swarm service, by the Swarm's own rule.
    ServiceName,
    Rule { longest: 63, separators: &['_', '-'], form: NameError::ServiceForm }
}
name! {
    /// The hostname of a node, as its engine tells it to the Swarm. Not
    /// necessarily unique there.
    NodeName,
    Rule { longest: 253, separators: &['_', '.', '-'], form: NameError::Form }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_kind() {
        let long = |length| "a".repeat(length);
        // The name; whether a stack, an image, a service, a node can have it.
        let cases = [
            ("a", [true, true, true, true]),
            ("7", [true, true, true, true]),
            ("postgres-ha", [true, true, true, true]),
            ("postgres_postgres-1", [true, true, true, true]),
            ("A--b__c", [true, true, true, true]),
            ("a.b", [true, true, false, true]),
            ("", [false, false, false, false]),
            ("-a", [false, false, false, false]),
            ("a-", [false, false, false, false]),
            ("_a", [false, false, false, false]),
            ("a.", [false, false, false, false]),
            ("a b", [false, false, false, false]),
            ("a/b", [false, false, false, false]),
            ("ä", [false, false, false, false]),
            ("a\n", [false, false, false, false]),
            (&long(40), [true, true, true, true]),
            (&long(41), [false, true, true, true]),
            (&long(63), [false, true, true, true]),
            (&long(64), [false, false, false, true]),
            ("docker-infra-1.Example.org", [true, true, false, true]),
            (&long(253), [false, false, false, true]),
            (&long(254), [false, false, false, false]),
        ];
        for (text, expected) in cases {
            let fits = [
                text.parse::<StackName>().is_ok(),
                text.parse::<ImageName>().is_ok(),
                text.parse::<ServiceName>().is_ok(),
                text.parse::<NodeName>().is_ok(),
            ];
            assert_eq!(fits, expected, "{text}");
        }
    }

    #[test]
    fn the_reason_fits_the_kind() {
        let too_long = NameError::TooLong {
            longest: 63,
            length: 64,
        };
        assert_eq!("a".repeat(64).parse::<ServiceName>(), Err(too_long));
        assert_eq!("a.b".parse::<ServiceName>(), Err(NameError::ServiceForm));
        assert_eq!(" ".parse::<ImageName>(), Err(NameError::Form));
        assert_eq!("".parse::<StackName>(), Err(NameError::Empty));
    }

    #[test]
    fn serde_checks_what_it_reads() {
        assert!(serde_json::from_str::<ServiceName>("\"a\"").is_ok());
        assert!(serde_json::from_str::<ServiceName>("\"a.b\"").is_err());
    }
}
