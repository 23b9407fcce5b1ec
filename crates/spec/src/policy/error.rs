//! Why a policy is none.

use thiserror::Error;

use super::pattern::LONGEST_PATTERN;

/// Why a text is not a range, a suffix, a pattern or an order.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PolicyError {
    /// Not a range of versions.
    #[error("`{text}` is not a range of versions: {cause}")]
    Range {
        /// The text.
        text: String,
        /// What is wrong with it.
        cause: String,
    },
    /// A version without an operator, which some tools take for itself alone,
    /// some for all of its patches, and some for all up to the next major.
    #[error("`{0}` does not say which versions beside it are meant")]
    Bare(String),
    /// Not the end of a tag, or one that begins with a digit.
    #[error("`{0}` is not the end of a tag after its version")]
    Suffix(String),
    /// An empty pattern, which no tag matches.
    #[error("a pattern cannot be empty")]
    EmptyPattern,
    /// Not a regular expression.
    #[error("`{pattern}` is not a pattern: {cause}")]
    Pattern {
        /// The text.
        pattern: String,
        /// What is wrong with it.
        cause: String,
    },
    /// More text than a pattern for tags needs.
    #[error("a pattern has at most {LONGEST_PATTERN} characters, this one has {0}")]
    LongPattern(usize),
    /// Too much work for each tag.
    #[error("`{0}` repeats too much")]
    LargePattern(String),
    /// Nobody could say which of the groups is ordered.
    #[error("a pattern has one group at most, this one has {0}")]
    Groups(usize),
    /// Not an order.
    #[error("`{0}` is not an order")]
    Order(String),
}

impl PolicyError {
    /// What to write instead.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::Range { text, .. } if text.contains("||") => {
                "write one range; alternatives can be a `regex` with `order: semver`".to_owned()
            }
            Self::Range { text, .. } if text.trim().contains(' ') && !text.contains(',') => {
                "join conditions with a comma: `>=16.2, <17`".to_owned()
            }
            Self::Range { .. } => {
                "write a range such as `~3.3`, `^16`, `16.x` or `>=16.2, <17`".to_owned()
            }
            Self::Bare(version) => {
                format!(
                    "write `~{version}` or `^{version}` for it and later ones, `={version}` for it alone"
                )
            }
            Self::Suffix(_) => "write the end as it stands in tags, such as `-alpine`".to_owned(),
            Self::EmptyPattern | Self::Pattern { .. } => {
                r"write a regular expression for whole tags, such as `16-(\d{8})`".to_owned()
            }
            Self::LongPattern(_) | Self::LargePattern(_) => "write a simpler pattern".to_owned(),
            Self::Groups(_) => {
                "keep the group around what is ordered, and write `(?:…)` for the others".to_owned()
            }
            Self::Order(_) => "write `semver`, `numeric`, `alphabetical` or `date`".to_owned(),
        }
    }
}
