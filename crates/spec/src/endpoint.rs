//! Where an engine listens, in docker's notation.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An engine's address: `unix:///var/run/docker.sock`, `tcp://10.0.0.1:2376`
/// or `ssh://root@manager-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Endpoint {
    /// A socket on this machine.
    Unix(PathBuf),
    /// A port; whether TLS is spoken is not part of the address.
    Tcp {
        /// Host name or address; IPv6 without brackets.
        host: String,
        /// Port; docker's default is 2375, with TLS 2376, and must be written.
        port: u16,
    },
    /// A host reached by ssh, and the engine's socket there.
    Ssh {
        /// Login name; None leaves it to ssh's configuration.
        user: Option<String>,
        /// Host, or an alias of ssh's configuration.
        host: String,
        /// Port; None leaves it to ssh's configuration.
        port: Option<u16>,
        /// The socket on the far side. None: `/var/run/docker.sock`.
        socket: Option<PathBuf>,
    },
}

/// Why a string is not an endpoint.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EndpointError {
    /// Not one of the three schemes.
    #[error("`{0}` is not an engine's address: write ssh://[USER@]HOST, tcp://HOST:PORT or unix:///PATH")]
    Scheme(String),
    /// The host is missing or malformed.
    #[error("`{0}` names no host")]
    Host(String),
    /// `tcp` without a port, or a port that is no number from 1 to 65535.
    #[error("`{0}` needs a port from 1 to 65535, such as 2376")]
    Port(String),
    /// A socket path that is not absolute.
    #[error("`{0}` needs an absolute path, such as unix:///var/run/docker.sock")]
    Path(String),
    /// A password has no place in an address.
    #[error("an engine's address cannot hold a password")]
    Password,
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let _ = text;
        todo!()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = f;
        todo!()
    }
}

impl TryFrom<String> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: String) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> String {
        endpoint.to_string()
    }
}
