//! Which engine to talk to: the spec's word, else where docker itself goes.
//!
//! Docker's order is `DOCKER_HOST`, `DOCKER_CONTEXT`, `currentContext` of its
//! config file, the socket of this machine. The environment comes in as a
//! value, so that nothing here depends on the process it runs in.
//!
//! Deliberately absent: `--host` and `--context`; `spec.swarm.endpoint` takes
//! their place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use imgstack_spec::{Endpoint, EndpointError};
use thiserror::Error;

use crate::context::{self, Context};

/// An engine's address, and what is needed to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where.
    pub endpoint: Endpoint,
    /// For tcp: speak TLS, with these files. None: plain.
    pub tls: Option<TlsFiles>,
    /// Who said so, in words for people: `spec.swarm.endpoint`,
    /// `DOCKER_HOST`, `docker context lab`.
    pub source: String,
}

/// What a TLS connection is checked with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Who may sign the engine's certificate. None: whom the system trusts.
    pub ca: Option<PathBuf>,
    /// Our certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Believe any certificate: `DOCKER_TLS` without `DOCKER_TLS_VERIFY`, or
    /// `SkipTLSVerify` of a context.
    pub skip_verify: bool,
}

/// The variables of the environment that docker's settings come from.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

const VARIABLES: [&str; 7] = [
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "HOME",
];

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// Why no engine was found to talk to.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TargetError {
    /// An address that cannot be read.
    #[error("{found_in}: {cause}")]
    Address {
        /// Who named it.
        found_in: String,
        /// What is wrong with it.
        cause: EndpointError,
    },
    /// A Windows pipe.
    #[error("{found_in} names a Windows pipe, which cannot be used here")]
    Pipe {
        /// Who named it.
        found_in: String,
    },
    /// No such docker context.
    #[error("docker context `{name}`, named by {found_in}, does not exist")]
    NoContext {
        /// Its name.
        name: String,
        /// Who named it.
        found_in: String,
        /// Names that exist, the most similar first.
        known: Vec<String>,
    },
    /// A docker context without an engine's address.
    #[error("docker context `{name}` names no engine")]
    NoHost {
        /// Its name.
        name: String,
    },
    /// A file of docker's settings that cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// In the system's words, or the parser's.
        cause: String,
    },
    /// A client certificate without its key, or the other way round.
    #[error("{} is there, but {} is not", there.display(), missing.display())]
    HalfAPair {
        /// The file that exists.
        there: PathBuf,
        /// The file that does not.
        missing: PathBuf,
    },
}

impl TargetError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoContext { known, .. } => Some(match known.first() {
                Some(name) => format!(
                    "did you mean `{name}`? `docker context ls` lists them; or name a manager in spec.swarm.endpoint"
                ),
                None => {
                    "name a manager in spec.swarm.endpoint, such as ssh://root@manager-1".to_owned()
                }
            }),
            Self::NoHost { name } => Some(format!(
                "see `docker context inspect {name}`, or name a manager in spec.swarm.endpoint"
            )),
            Self::Pipe { .. } => Some(
                "name a manager in spec.swarm.endpoint, such as ssh://root@manager-1".to_owned(),
            ),
            Self::HalfAPair { .. } => {
                Some("a client certificate takes both cert.pem and key.pem".to_owned())
            }
            Self::Address { .. } | Self::Unreadable { .. } => None,
        }
    }
}

impl Environment {
    /// The environment of this process. A value that is not UTF-8 is taken as
    /// far as it can be read.
    #[must_use]
    pub fn of_process() -> Self {
        let value = |name: &str| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
        Self(
            VARIABLES
                .into_iter()
                .filter_map(|name| Some((name.to_owned(), value(name)?)))
                .collect(),
        )
    }

    /// An environment of these variables.
    #[must_use]
    pub fn of(variables: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self(variables.iter().map(own).collect())
    }

    /// A variable; an empty one counts as none, as for docker.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// The folder of docker's settings.
    pub(crate) fn docker_config(&self) -> Option<PathBuf> {
        let own = self.get("DOCKER_CONFIG").map(PathBuf::from);
        own.or_else(|| Some(Path::new(self.get("HOME")?).join(".docker")))
    }
}

impl Target {
    /// The engine that the spec names, or that docker's settings lead to. An
    /// address given by the spec or by `DOCKER_HOST` speaks TLS over tcp when
    /// `DOCKER_TLS_VERIFY` or `DOCKER_TLS` is set; a context brings its own.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn find(spec: Option<&Endpoint>, environment: &Environment) -> Result<Self, TargetError> {
        if let Some(endpoint) = spec {
            return Self::named(endpoint.clone(), "spec.swarm.endpoint", environment);
        }
        if let Some(host) = environment.get("DOCKER_HOST") {
            let tls = tls_of(environment)?.is_some();
            let endpoint = read_host(host, "DOCKER_HOST", tls)?;
            return Self::named(endpoint, "DOCKER_HOST", environment);
        }
        match context::chosen(environment)? {
            Some(context) => Self::of_context(context),
            None => Ok(Self {
                endpoint: Endpoint::Unix(DEFAULT_SOCKET.into()),
                tls: None,
                source: "docker's default socket".to_owned(),
            }),
        }
    }

    /// The engine at an address that `source` names, such as
    /// `spec.nodes`; with TLS as the environment has it, over tcp.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn named(
        endpoint: Endpoint,
        source: &str,
        environment: &Environment,
    ) -> Result<Self, TargetError> {
        let tls = match endpoint {
            Endpoint::Tcp { .. } => tls_of(environment)?,
            Endpoint::Unix(_) | Endpoint::Ssh { .. } => None,
        };
        Ok(Self {
            endpoint,
            tls,
            source: source.to_owned(),
        })
    }

    fn of_context(context: Context) -> Result<Self, TargetError> {
        let source = format!("docker context {}", context.name);
        let is_tcp = !["unix:", "ssh:"]
            .iter()
            .any(|it| context.host.starts_with(it));
        let tls = match is_tcp {
            true => {
                let files = TlsFiles::in_folder(&context.tls, context.skip_verify)?;
                // A context speaks TLS when it has a reason to.
                Some(files).filter(|files| *files != TlsFiles::default())
            }
            false => None,
        };
        let endpoint = read_host(&context.host, &source, tls.is_some())?;
        Ok(Self {
            endpoint,
            tls,
            source,
        })
    }
}

impl TlsFiles {
    /// Those of ca.pem, cert.pem and key.pem that exist in a folder.
    fn in_folder(folder: &Path, skip_verify: bool) -> Result<Self, TargetError> {
        let file = |name| Some(folder.join(name)).filter(|path: &PathBuf| path.exists());
        let client = match (file("cert.pem"), file("key.pem")) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(there), None) => {
                let missing = folder.join("key.pem");
                return Err(TargetError::HalfAPair { there, missing });
            }
            (None, Some(there)) => {
                let missing = folder.join("cert.pem");
                return Err(TargetError::HalfAPair { there, missing });
            }
        };
        Ok(Self {
            ca: file("ca.pem"),
            client,
            skip_verify,
        })
    }
}

/// Docker looks whether these variables are set, not what they are set to.
fn tls_of(environment: &Environment) -> Result<Option<TlsFiles>, TargetError> {
    let verify = environment.get("DOCKER_TLS_VERIFY").is_some();
    if !verify && environment.get("DOCKER_TLS").is_none() {
        return Ok(None);
    }
    let folder = environment
        .get("DOCKER_CERT_PATH")
        .map(PathBuf::from)
        .or_else(|| environment.docker_config())
        .unwrap_or_default();
    TlsFiles::in_folder(&folder, !verify).map(Some)
}

/// An address in docker's notation, where scheme and port may be left out.
fn read_host(host: &str, found_in: &str, tls: bool) -> Result<Endpoint, TargetError> {
    if host.starts_with("npipe:") {
        return Err(TargetError::Pipe {
            found_in: found_in.to_owned(),
        });
    }
    let written = if host.contains("://") {
        host.to_owned()
    } else {
        format!("tcp://{host}")
    };
    let read = match written.parse() {
        Err(EndpointError::Port(_)) => {
            let port = if tls { 2376 } else { 2375 };
            let completed = format!("{}:{port}", written.trim_end_matches('/'));
            // With a port that is wrong it has two now, and the first error counts.
            completed.parse().or_else(|_| written.parse())
        }
        read => read,
    };
    read.map_err(|cause| TargetError::Address {
        found_in: found_in.to_owned(),
        cause,
    })
}
