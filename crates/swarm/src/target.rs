//! Which engine to talk to.

use std::path::PathBuf;

use imgstack_spec::Endpoint;
use thiserror::Error;

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
    /// Believe any certificate (`SkipTLSVerify` of a context).
    pub skip_verify: bool,
}

/// The environment, as far as docker's settings go.
#[derive(Clone, Debug, Default)]
pub struct Environment {}

/// Why no engine was found to talk to.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TargetError {}

impl TargetError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        None
    }
}
