//! What goes wrong on the way over ssh.

use thiserror::Error;

/// The ssh connection to a manager, or the engine at its far end.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{}: {detail}", failure.words(host))]
pub struct SshError {
    /// As ssh was called.
    pub host: String,
    /// Which kind.
    pub failure: SshFailure,
    /// In the words of ssh or of docker over there.
    pub detail: String,
}

/// Kinds of failure over ssh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SshFailure {
    /// No key that the host accepts.
    Auth,
    /// The host's key is not known, or is another than the known one.
    HostKey,
    /// No such host, no way to it, or nobody listens.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// No `ssh` program here.
    NoSsh,
    /// No docker there, or no engine running.
    NoEngine,
    /// The login may not use the engine's socket.
    SocketDenied,
    /// It was there, and ended.
    Lost,
    /// Anything else.
    Other,
}

impl SshFailure {
    fn words(self, host: &str) -> String {
        match self {
            Self::Auth => format!("ssh to {host} was refused"),
            Self::HostKey => format!("the host key of {host} is not trusted"),
            Self::Unreachable => format!("{host} cannot be reached by ssh"),
            Self::TimedOut => format!("{host} does not answer by ssh"),
            Self::NoSsh => "there is no ssh program to run".to_owned(),
            Self::NoEngine => format!("no engine answers on {host}"),
            Self::SocketDenied => format!("the login on {host} may not use its engine"),
            Self::Lost => format!("the ssh connection to {host} ended"),
            Self::Other => format!("ssh to {host} failed"),
        }
    }
}

impl SshError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        let host = &self.host;
        match self.failure {
            SshFailure::Auth => format!(
                "try `ssh {host} true`: it must work without a question; load the key into an agent or name it in ~/.ssh/config"
            ),
            SshFailure::HostKey => format!(
                "compare the key and accept it once with `ssh {host}`; after a reinstall, `ssh-keygen -R` removes the old one"
            ),
            SshFailure::Unreachable | SshFailure::TimedOut => {
                "check the host's name, its port and the network".to_owned()
            }
            SshFailure::NoSsh => "install OpenSSH's client".to_owned(),
            SshFailure::NoEngine => {
                format!("try `ssh {host} docker version`: is docker installed and running there?")
            }
            SshFailure::SocketDenied => {
                "log in as root, or add the account to the group `docker` there".to_owned()
            }
            SshFailure::Lost => "see where things stand: imgstack status".to_owned(),
            SshFailure::Other => format!("try `ssh {host} docker version`"),
        }
    }

    pub(crate) fn is_retryable(&self) -> bool {
        matches!(self.failure, SshFailure::Unreachable | SshFailure::TimedOut)
    }
}
