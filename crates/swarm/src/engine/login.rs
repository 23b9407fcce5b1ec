//! `docker login` on a node, for people who type `docker pull` there. Swarm's
//! own tasks never use it: they pull with the credential of their service.
//!
//! Over ssh, and as the account that ssh logs in as: it is its config file
//! that is read and written. A secret goes through standard input, and what is
//! read is compared in our memory; neither is ever shown.

use std::time::Duration;

use imgstack_spec::{Endpoint, RegistryHost};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use thiserror::Error;

use super::NodeEngine;
use super::docker_config::{HelpersAnswer, Kept, key, look_up};
use crate::SshError;
use crate::transport::{Finished, NOT_FOUND, Program};

/// Reading a file, or asking a helper.
const LOOK: Duration = Duration::from_secs(20);

/// A login asks the registry, by way of the engine there.
const LOG_IN: Duration = Duration::from_secs(60);

/// Prints the config file, or nothing when there is none.
const CAT: &str = r#"f="${DOCKER_CONFIG:-$HOME/.docker}/config.json"; [ ! -e "$f" ] || cat "$f""#;

/// What a node logs in with.
#[derive(Clone, Debug)]
pub struct Login {
    /// The account at the registry.
    pub username: String,
    /// Its password or token.
    pub secret: SecretString,
}

/// Whether a node is logged in with a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginState {
    /// With this very one.
    Same,
    /// With another one.
    Other {
        /// The account of that one.
        username: String,
    },
    /// With none.
    Absent,
    /// It cannot be told.
    Unknown {
        /// Why, in words for people.
        why: String,
    },
}

/// Why a login did not come about.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LoginError {
    /// There is no way to run docker's client there.
    #[error("only a node that is reached by ssh can be logged in")]
    NoSsh,
    /// The ssh connection.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// `docker login` says no.
    #[error("`docker login {registry}` on {host} failed: {words}")]
    Failed {
        /// The host.
        host: String,
        /// The registry.
        registry: RegistryHost,
        /// Which kind of no.
        failure: LoginFailure,
        /// Docker's words.
        words: String,
    },
}

/// Kinds of failed logins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginFailure {
    /// The registry does not accept the credential.
    Refused,
    /// The node does not reach the registry, or does not trust it.
    Unreachable,
    /// There is no docker client on the node.
    NoDocker,
    /// The credential was accepted and could not be kept.
    NotKept,
    /// No answer in time.
    TimedOut,
    /// Anything else.
    Other,
}

impl LoginError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoSsh => Some(
                "give the node an engine such as ssh://root@{hostname} in spec.nodes, or take `login` away".to_owned(),
            ),
            Self::Ssh(error) => Some(error.hint()),
            Self::Failed { host, registry, failure, .. } => match failure {
                LoginFailure::Refused => Some("check the credential: imgstack auth check".to_owned()),
                LoginFailure::Unreachable | LoginFailure::TimedOut => Some(format!(
                    "check the way from {host} to {registry}, and that the engine there trusts it"
                )),
                LoginFailure::NoDocker => Some(format!("install docker's client on {host}")),
                LoginFailure::NotKept => Some(format!(
                    "look at the docker config of that account on {host}, and at the helper that it names"
                )),
                LoginFailure::Other => None,
            },
        }
    }
}

impl NodeEngine {
    /// Whether the account on the node holds this very credential for a
    /// registry. Whatever keeps us from knowing is [`LoginState::Unknown`].
    pub async fn login_state(&self, registry: &RegistryHost, login: &Login) -> LoginState {
        match self.kept(registry).await {
            Ok(Kept::Nowhere) => LoginState::Absent,
            Ok(Kept::Here { username, secret }) => login.compared(username, &secret),
            Ok(Kept::Unreadable) => LoginState::Unknown {
                why: "the docker config there holds a token of another kind".to_owned(),
            },
            Ok(Kept::Helper { name, key }) => match self.ask_helper(&name, &key).await {
                Ok(Some(kept)) => login.compared(kept.username, &kept.secret),
                Ok(None) => LoginState::Absent,
                Err(why) => LoginState::Unknown { why },
            },
            Err(why) => LoginState::Unknown { why },
        }
    }

    /// Logs the account on the node in to a registry, as `docker login` does:
    /// the registry is asked, and what it accepts is kept there. One login
    /// waits for another: docker reads its whole configuration and writes it
    /// back, and of two at once one would be lost.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub async fn login(&self, registry: &RegistryHost, login: &Login) -> Result<(), LoginError> {
        let ssh = self.link.ssh().ok_or(LoginError::NoSsh)?;
        let user = format!("--username={}", login.username);
        let socket = self.far_socket();
        let mut arguments: Vec<&str> = Vec::new();
        if let Some(socket) = &socket {
            arguments.extend(["--host", socket]);
        }
        arguments.extend(["login", &user, "--password-stdin", key(registry)]);
        let secret = login.secret.expose_secret();
        let docker = Program {
            name: "docker",
            arguments: &arguments,
            input: Some(secret.as_bytes()),
            within: LOG_IN,
        };
        let _turn = self.config.lock().await;
        let finished = docker.run(ssh).await?;
        let (failure, words) = match &finished {
            Finished::Ended { code: Some(0), .. } => return Ok(()),
            Finished::Ended { code, .. } => {
                let words = finished.words(Some(secret));
                (login_failure(*code, &words), words)
            }
            Finished::TooSlow => {
                let words = format!("no answer within {} s", LOG_IN.as_secs());
                (LoginFailure::TimedOut, words)
            }
        };
        Err(LoginError::Failed {
            host: ssh.host().to_owned(),
            registry: registry.clone(),
            failure,
            words,
        })
    }

    /// Where the credential is, by the config file there.
    async fn kept(&self, registry: &RegistryHost) -> Result<Kept, String> {
        let cat = Program {
            name: "sh",
            arguments: &["-c", CAT],
            input: None,
            within: LOOK,
        };
        let (code, text, words) = self.ask(&cat).await?;
        if code != Some(0) {
            return Err(format!("the docker config there cannot be read: {words}"));
        }
        look_up(text.expose_secret(), registry)
            .ok_or_else(|| "the docker config there cannot be read: it is no such JSON".to_owned())
    }

    /// What a credential helper there has; None: nothing.
    async fn ask_helper(&self, name: &str, key: &str) -> Result<Option<HelpersAnswer>, String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if !name.bytes().all(plain) {
            return Err(
                "the credential helper in the docker config there has no name of one".to_owned(),
            );
        }
        let program = format!("docker-credential-{name}");
        let helper = Program {
            name: &program,
            arguments: &["get"],
            input: Some(key.as_bytes()),
            within: LOOK,
        };
        let (code, output, words) = self.ask(&helper).await?;
        helpers_word(&program, code, output.expose_secret(), &words)
    }

    /// Exit code, output, and last words of a program.
    async fn ask(
        &self,
        program: &Program<'_>,
    ) -> Result<(Option<i32>, SecretSlice<u8>, String), String> {
        let Some(ssh) = self.link.ssh() else {
            return Err("only a node that is reached by ssh tells its logins".to_owned());
        };
        let finished = program.run(ssh).await.map_err(|error| error.to_string())?;
        let words = finished.words(None);
        match finished {
            Finished::Ended { code, output, .. } => Ok((code, output, words)),
            Finished::TooSlow => Err(format!(
                "`{}` there does not end within {} s",
                program.name,
                program.within.as_secs()
            )),
        }
    }

    /// The engine that is meant, for docker's client there, if it is not its
    /// own choice.
    fn far_socket(&self) -> Option<String> {
        match self.endpoint() {
            Endpoint::Ssh {
                socket: Some(socket),
                ..
            } => Some(format!("unix://{}", socket.display())),
            Endpoint::Ssh { .. } | Endpoint::Unix(_) | Endpoint::Tcp { .. } => None,
        }
    }
}

impl Login {
    fn compared(&self, username: String, secret: &SecretString) -> LoginState {
        let same =
            self.username == username && self.secret.expose_secret() == secret.expose_secret();
        match same {
            true => LoginState::Same,
            false => LoginState::Other { username },
        }
    }
}

/// What a credential helper means by its exit code and its output. A failure
/// is in words for people; the output, which may hold a secret, is not.
fn helpers_word(
    program: &str,
    code: Option<i32>,
    output: &[u8],
    words: &str,
) -> Result<Option<HelpersAnswer>, String> {
    if code == Some(0) {
        let answer = serde_json::from_slice(output);
        return answer
            .map(Some)
            .map_err(|_| format!("`{program}` there gives no answer that can be read"));
    }
    // Helpers say it on standard output, in these words.
    if String::from_utf8_lossy(output).contains("credentials not found") {
        return Ok(None);
    }
    let words = match words {
        "" => "it gives no reason",
        words => words,
    };
    Err(format!("`{program}` there failed: {words}"))
}

/// Tells kinds by docker's words, since its exit code is always the same.
fn login_failure(code: Option<i32>, words: &str) -> LoginFailure {
    use LoginFailure as F;
    const KINDS: &[(&str, LoginFailure)] = &[
        ("error saving credentials", F::NotKept),
        ("error storing credentials", F::NotKept),
        ("x509:", F::Unreachable),
        ("tls: ", F::Unreachable),
        ("http response to https client", F::Unreachable),
        ("dial tcp", F::Unreachable),
        ("no such host", F::Unreachable),
        ("connection refused", F::Unreachable),
        ("timeout", F::Unreachable),
        ("deadline exceeded", F::Unreachable),
        ("unauthorized", F::Refused),
        ("denied", F::Refused),
        ("incorrect username or password", F::Refused),
        ("forbidden", F::Refused),
        ("command not found", F::NoDocker),
        ("docker: not found", F::NoDocker),
    ];
    let told = words.to_lowercase();
    let found = KINDS.iter().find(|(words, _)| told.contains(words));
    match (found, code) {
        (Some((_, kind)), _) => *kind,
        (None, Some(NOT_FOUND)) => F::NoDocker,
        (None, _) => F::Other,
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::{Login, LoginFailure as F, LoginState, helpers_word, login_failure};

    #[test]
    fn what_a_helper_means() {
        let answer = br#"{"ServerURL":"ghcr.io","Username":"ann","Secret":"hunter2"}"#;
        let told = |code, output: &[u8], words| match helpers_word(
            "docker-credential-pass",
            code,
            output,
            words,
        ) {
            Ok(Some(kept)) => format!("{} {}", kept.username, kept.secret.expose_secret()),
            Ok(None) => "nothing".to_owned(),
            Err(why) => why,
        };
        assert_eq!(told(Some(0), answer, "warning"), "ann hunter2");
        let none = b"credentials not found in native keychain\n";
        assert_eq!(told(Some(1), none, ""), "nothing");
        let table: [(Option<i32>, &[u8], &str, &str); 4] = [
            (
                Some(0),
                b"{\"Secret\": hunter2}",
                "",
                "gives no answer that can be read",
            ),
            (
                Some(127),
                b"",
                "sh: 1: not found",
                "failed: sh: 1: not found",
            ),
            (Some(1), b"hunter2", "", "failed: it gives no reason"),
            (None, b"", "", "failed: it gives no reason"),
        ];
        for (code, output, words, expected) in table {
            let why = told(code, output, words);
            assert_eq!(why, format!("`docker-credential-pass` there {expected}"));
        }
    }

    #[test]
    fn kinds_by_dockers_words() {
        let table = [
            (
                1,
                "Error response from daemon: Get \"http://10.77.0.1:5001/v2/\": unauthorized: authentication required",
                F::Refused,
            ),
            (
                1,
                "Error response from daemon: Get \"https://ghcr.io/v2/\": denied: denied",
                F::Refused,
            ),
            (
                1,
                "Error response from daemon: Get \"https://r/v2/\": dial tcp 10.0.0.9:443: connect: connection refused",
                F::Unreachable,
            ),
            (
                1,
                "Error response from daemon: Get \"https://r/v2/\": x509: certificate signed by unknown authority",
                F::Unreachable,
            ),
            (
                1,
                "Error saving credentials: error storing credentials - err: exit status 1, out: ``",
                F::NotKept,
            ),
            (127, "sh: 1: docker: not found", F::NoDocker),
            (127, "", F::NoDocker),
            (1, "something new", F::Other),
        ];
        for (code, words, kind) in table {
            assert_eq!(login_failure(Some(code), words), kind, "{words}");
        }
    }

    #[test]
    fn the_very_same_and_nothing_else() {
        let login = Login {
            username: "ann".to_owned(),
            secret: "hunter2".into(),
        };
        let table = [
            ("ann", "hunter2", LoginState::Same),
            (
                "ann",
                "hunter3",
                LoginState::Other {
                    username: "ann".to_owned(),
                },
            ),
            (
                "bob",
                "hunter2",
                LoginState::Other {
                    username: "bob".to_owned(),
                },
            ),
        ];
        for (username, secret, expected) in table {
            assert_eq!(
                login.compared(username.to_owned(), &secret.into()),
                expected
            );
        }
        assert!(!format!("{login:?}").contains("hunter2"));
    }
}
