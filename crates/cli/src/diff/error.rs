//! Why two specs cannot be compared.

use std::path::PathBuf;

use thiserror::Error;

use super::revision::UnknownRevision;

/// Why two specs cannot be compared.
#[derive(Debug, Error)]
pub(crate) enum DiffError {
    /// Git says nothing.
    #[error("the older spec cannot be read: {0}")]
    Git(String),
    /// Git does not know the revision.
    #[error(transparent)]
    Revision(#[from] UnknownRevision),
    /// The spec is not there, and was not there.
    #[error("there is no {}, neither here nor at {rev}", path.display())]
    Nowhere { path: PathBuf, rev: String },
    /// There is no path that git could be asked for.
    #[error("standard input has no older state that git would know")]
    Stdin,
    /// One standard input is one text.
    #[error("OLD and NEW cannot both be standard input")]
    BothStdin,
    /// Where a link leads at another time is not looked up.
    #[error("{name} is a link there, or a submodule, and no file")]
    NoFile { name: String },
    /// Larger than any spec.
    #[error("{name} has {bytes} bytes, which is no spec")]
    TooLarge { name: String, bytes: u64 },
}

impl DiffError {
    /// What helps.
    pub(crate) fn hint(&self) -> String {
        let two = "compare two files: imgstack diff OLD NEW";
        match self {
            Self::Git(_) | Self::TooLarge { .. } => two.to_owned(),
            Self::Revision(error) => error.hint(),
            Self::Nowhere { .. } => "name a file or a folder with -f".to_owned(),
            Self::Stdin => "name the older spec: imgstack diff OLD -".to_owned(),
            Self::BothStdin => "write one of them to a file".to_owned(),
            Self::NoFile { .. } => format!("name the file that it leads to with -f, or {two}"),
        }
    }
}
