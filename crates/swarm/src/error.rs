//! Everything that can go wrong between us and a manager.
//!
//! A message is a fragment for the end of a sentence; what to do about it is
//! [`Error::hint`]. Engine messages are kept word for word: they hold nothing
//! that we sent but names and image references. The credential header is never
//! part of an error.

use imgstack_spec::Endpoint;
use thiserror::Error;

use crate::target::TargetError;
use crate::transport::SshError;

/// Why a call to a manager did not do what it should.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// No engine could be found to talk to.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The ssh connection, or the engine at its far end.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// No connection: nothing was sent.
    #[error("cannot connect to {endpoint}: {cause}")]
    Connect {
        /// Where.
        endpoint: Box<Endpoint>,
        /// Which kind of no.
        failure: ConnectFailure,
        /// In the system's words.
        cause: String,
    },
    /// The engine answers, but it has no say over a Swarm.
    #[error("{endpoint} {}", not_a_manager(managers, *.member))]
    NotAManager {
        /// The engine that was asked.
        endpoint: Box<Endpoint>,
        /// Whether it belongs to a Swarm at all.
        member: bool,
        /// Addresses of managers that it knows, as Swarm peers name them.
        managers: Vec<String>,
    },
    /// The engine belongs to a Swarm and cannot speak for it now.
    #[error("{endpoint} belongs to a Swarm that is {state}{}", detail_of(detail))]
    NotReady {
        /// The engine that was asked.
        endpoint: Box<Endpoint>,
        /// `locked`, `pending` or `error`: docker's `LocalNodeState`.
        state: String,
        /// The engine's own words, if it has some.
        detail: String,
    },
    /// The engine is older than [`crate::API_FLOOR`].
    #[error(
        "engine {engine} at {endpoint} speaks API {api}; the oldest that is understood is {}.{}",
        crate::API_FLOOR.0, crate::API_FLOOR.1
    )]
    EngineTooOld {
        /// The engine that was asked.
        endpoint: Box<Endpoint>,
        /// Its version.
        engine: String,
        /// The newest API that it speaks.
        api: String,
    },
    /// Compare-and-swap said no: the version index of the service, or of the
    /// config, moved since it was read. Nothing was changed.
    #[error("it was changed since it was read ({message})")]
    OutOfSequence {
        /// The engine's words.
        message: String,
    },
    /// A change was sent and its answer never came: it may have been done or
    /// not. Read before sending anything again.
    #[error("the answer to {call} was lost, so whether it was done is unknown: {cause}")]
    AnswerLost {
        /// What was asked for, in words.
        call: String,
        /// In the transport's words.
        cause: String,
    },
    /// The engine says no.
    #[error("{call} was refused with status {status}: {message}")]
    Refused {
        /// What was asked for, in words.
        call: String,
        /// HTTP status.
        status: u16,
        /// The engine's words.
        message: String,
    },
    /// No answer to a read in time.
    #[error("no answer to {call} within {seconds} s")]
    Deadline {
        /// What was asked for, in words.
        call: String,
        /// How long we waited.
        seconds: u64,
    },
    /// The connection broke during a read or a stream.
    #[error("the connection broke during {call}: {cause}")]
    Broken {
        /// What was asked for, in words.
        call: String,
        /// In the transport's words.
        cause: String,
    },
    /// An answer that is not what the Engine API promises.
    #[error("the answer to {call} makes no sense: {cause}")]
    Unintelligible {
        /// What was asked for, in words.
        call: String,
        /// What is wrong with it.
        cause: String,
    },
}

/// Kinds of not getting a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectFailure {
    /// No such socket, or nobody listens on it.
    NobodyListens,
    /// The socket is there and we may not use it.
    Denied,
    /// No such host, or no way to it.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// The TLS handshake, or a certificate or key file.
    Tls,
    /// Plain tcp to a port that speaks TLS.
    WantsTls,
    /// Anything else.
    Other,
}

impl Error {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Target(error) => error.hint(),
            Self::Ssh(error) => Some(error.hint()),
            Self::Connect {
                endpoint, failure, ..
            } => connect_hint(endpoint, *failure),
            Self::NotAManager {
                member, managers, ..
            } => Some(manager_hint(*member, managers)),
            Self::NotReady { state, .. } => Some(match state.as_str() {
                "locked" => "unlock it on that node: docker swarm unlock".to_owned(),
                _ => "look at the engine there: docker info".to_owned(),
            }),
            Self::EngineTooOld { .. } => {
                Some("update the engine to 20.10 or newer on the managers first".to_owned())
            }
            Self::OutOfSequence { .. } => {
                Some("plan again: somebody else, or the Swarm itself, wrote to it".to_owned())
            }
            Self::AnswerLost { .. } => {
                Some("look at the service before trying again; `imgstack plan` shows it".to_owned())
            }
            Self::Refused { message, .. } if is_leaderless(message) => Some(
                "the managers have no quorum: bring them back before changing anything".to_owned(),
            ),
            Self::Deadline { .. } | Self::Broken { .. } => {
                Some("check the engine and the way to it, then run the command again".to_owned())
            }
            Self::Refused { .. } | Self::Unintelligible { .. } => None,
        }
    }

    /// Whether the very same call may succeed a little later with nobody
    /// having done anything. Never true once a change may have been sent.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connect { failure, .. } => matches!(
                failure,
                ConnectFailure::NobodyListens
                    | ConnectFailure::Unreachable
                    | ConnectFailure::TimedOut
                    | ConnectFailure::Other
            ),
            Self::Ssh(error) => error.is_retryable(),
            Self::Deadline { .. } | Self::Broken { .. } => true,
            Self::Refused {
                status, message, ..
            } => is_passing(*status, message),
            Self::Target(_)
            | Self::NotAManager { .. }
            | Self::NotReady { .. }
            | Self::EngineTooOld { .. }
            | Self::OutOfSequence { .. }
            | Self::AnswerLost { .. }
            | Self::Unintelligible { .. } => false,
        }
    }

    /// Whether the engine knows no such thing (status 404).
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether the engine says that it would be in the way of something that
    /// is there, such as a name or a container (status 409).
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { status: 409, .. })
    }
}

fn not_a_manager(managers: &[String], member: bool) -> &'static str {
    match (member, managers.is_empty()) {
        (false, _) => "belongs to no Swarm",
        (true, false) => "is a worker, not a manager",
        (true, true) => "is not a manager of its Swarm",
    }
}

fn manager_hint(member: bool, managers: &[String]) -> String {
    if !member {
        return "name a manager in spec.swarm.endpoint, or make a Swarm with `docker swarm init`"
            .to_owned();
    }
    let hosts: Vec<_> = managers
        .iter()
        .map(|peer| {
            peer.rsplit_once(':')
                .map_or(peer.as_str(), |(host, _)| host)
        })
        .collect();
    match hosts.as_slice() {
        [] => "name a manager in spec.swarm.endpoint".to_owned(),
        [host] => format!("name the manager {host} in spec.swarm.endpoint"),
        _ => format!(
            "name one of the managers {} in spec.swarm.endpoint",
            hosts.join(", ")
        ),
    }
}

fn detail_of(detail: &str) -> String {
    match detail {
        "" => String::new(),
        words => format!(": {words}"),
    }
}

fn connect_hint(endpoint: &Endpoint, failure: ConnectFailure) -> Option<String> {
    let hint = match failure {
        ConnectFailure::NobodyListens => match endpoint {
            Endpoint::Unix(_) => {
                "is the engine running? To manage a Swarm from elsewhere, name a manager in spec.swarm.endpoint, such as ssh://root@manager-1"
            }
            Endpoint::Tcp { .. } | Endpoint::Ssh { .. } => {
                "does the engine listen on that port? Docker's is 2376 with TLS"
            }
        },
        ConnectFailure::Denied => {
            "run as root, or as a member of the group that owns the socket (usually `docker`)"
        }
        ConnectFailure::Unreachable => "check the address and the network",
        ConnectFailure::TimedOut => "is the host up, and does a firewall let the port through?",
        ConnectFailure::Tls => {
            "check ca.pem, cert.pem and key.pem, and the names in the engine's certificate"
        }
        ConnectFailure::WantsTls => {
            "set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder of ca.pem, cert.pem and key.pem"
        }
        ConnectFailure::Other => return None,
    };
    Some(hint.to_owned())
}

/// Whether an answer is about the manager's own state of the moment, or that
/// of a proxy before it, and not about what was asked. Whether a change was
/// done, such an answer does not tell.
pub(crate) fn is_passing(status: u16, message: &str) -> bool {
    const WORDS: [&str; 5] = [
        "DeadlineExceeded",
        "code = Unavailable",
        "code = Canceled",
        "context deadline exceeded",
        "transport is closing",
    ];
    let proxy = matches!(status, 502 | 504);
    let manager = status >= 500 && WORDS.iter().any(|words| message.contains(words));
    proxy || manager || is_leaderless(message)
}

/// Swarm's words when raft has no leader: passes by itself after an election.
fn is_leaderless(message: &str) -> bool {
    message.contains("does not have a leader") || message.contains("has no leader")
}

/// An error and its causes in one line, each cause said once.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}
