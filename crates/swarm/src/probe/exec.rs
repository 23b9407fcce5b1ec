//! What the end of a program in a task's container says.

use thiserror::Error as ThisError;

use super::{Answer, Early, Unasked};
use crate::engine::{ExecError, Ran};

/// A shell's exit codes for what it cannot run, and for what it does not find;
/// the engine's, too.
const NOT_RUN: [i64; 2] = [126, 127];

/// Why a program in a task's container did not end.
#[derive(Debug, ThisError)]
pub enum RunError {
    /// There is no container, or it does not run.
    #[error("{0}")]
    NoContainer(String),
    /// It could not be run.
    #[error(transparent)]
    Unasked(#[from] Unasked),
    /// The engine has not run it, or has not said how it ended.
    #[error(transparent)]
    Exec(#[from] ExecError),
}

impl RunError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unasked(unasked) => unasked.hint.clone(),
            Self::Exec(ExecError::Engine(error)) => error.hint(),
            Self::NoContainer(_)
            | Self::Exec(ExecError::NotRunning(_) | ExecError::TooSlow { .. }) => None,
        }
    }
}

impl From<Early> for RunError {
    fn from(early: Early) -> Self {
        match early {
            Early::Silent(why) => Self::NoContainer(why),
            Early::Unknown(unasked) => Self::Unasked(unasked),
        }
    }
}

/// The end of a program as an answer.
pub(super) fn answer(command: &[String], ran: Result<Ran, ExecError>) -> Result<Answer, Early> {
    let program = command.first().map_or("", String::as_str);
    let ran = match ran {
        Ok(ran) => ran,
        Err(ExecError::Engine(error)) => return Err(Unasked::engine(&error).into()),
        Err(error @ (ExecError::NotRunning(_) | ExecError::TooSlow { .. })) => {
            return Ok(Answer::Silent(error.to_string()));
        }
    };
    let said = match ran.last_words() {
        words if words.is_empty() => String::new(),
        words => format!(": {words}"),
    };
    Ok(match ran.code {
        0 => Answer::Yes,
        code if NOT_RUN.contains(&code) => Answer::Silent(format!(
            "`{program}` cannot be run in the container (exit code {code}){said}"
        )),
        code => Answer::No(format!("`{program}` ended with {code}{said}")),
    })
}
