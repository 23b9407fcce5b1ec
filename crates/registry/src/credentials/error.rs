//! Why a source gave no credential.

use std::time::Duration;

/// What became of a source of credentials. Holds nothing of what the source
/// held.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The spec names a variable that is not set, or is empty.
    #[error("the environment variable {0} is not set")]
    Unset(String),
    /// A variable that is not text.
    #[error("the environment variable {0} is not UTF-8")]
    NotText(String),
    /// A file that cannot be read.
    #[error("cannot read {path}: {cause}")]
    File {
        /// The file.
        path: String,
        /// The system's words.
        cause: String,
    },
    /// A file, or a program's output, with nothing in it.
    #[error("{0} holds nothing")]
    Empty(String),
    /// A configuration that cannot be understood.
    #[error("{path} is not a docker configuration: {cause}")]
    Malformed {
        /// The file.
        path: String,
        /// Where in it, or which entry.
        cause: String,
    },
    /// A program that could not be started.
    #[error("cannot run `{program}`: {cause}")]
    NotRun {
        /// The program, without its arguments.
        program: String,
        /// The system's words.
        cause: String,
    },
    /// A program that failed.
    #[error("`{program}` failed with {status}{complaint}")]
    Failed {
        /// The program, without its arguments.
        program: String,
        /// How it ended.
        status: String,
        /// The last line of its complaint, after a colon; or nothing.
        complaint: String,
    },
    /// A program that did not end.
    #[error("`{program}` did not end within {} s and was stopped", .limit.as_secs())]
    TooSlow {
        /// The program, without its arguments.
        program: String,
        /// The deadline.
        limit: Duration,
    },
    /// A helper whose output is not what the protocol says.
    #[error("`{program}` answered with something other than a credential")]
    Unintelligible {
        /// The helper.
        program: String,
    },
    /// The spec gives a password and no account.
    #[error("the spec gives a `password` and no `username`")]
    NoUsername,
}

impl CredentialError {
    /// What helps.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unset(name) => format!(
                "export {name}, or take `password` out of the spec to use docker's configuration"
            ),
            Self::NotText(name) => format!("put the password into {name} as plain text"),
            Self::File { path, .. } => {
                format!("check that {path} exists and that this user may read it")
            }
            Self::Empty(what) => format!("write the password into {what}"),
            Self::Malformed { path, .. } => format!("repair {path}, or log in again"),
            Self::NotRun { program, .. } => {
                format!("install `{program}`, or check that it is on the PATH")
            }
            Self::Failed { program, .. } | Self::Unintelligible { program } => {
                format!("run `{program}` by hand to see what it wants")
            }
            Self::TooSlow { program, .. } => format!(
                "run `{program}` by hand: it may wait for a question to be answered, which it \
                 cannot ask here"
            ),
            Self::NoUsername => {
                "write `username` next to `password` in the spec; for a token it is the account \
                 that made it"
                    .to_owned()
            }
        }
    }
}
