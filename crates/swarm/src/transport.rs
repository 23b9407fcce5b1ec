//! The way to an engine. However it goes, it ends in a unix socket on this
//! machine.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use imgstack_spec::Endpoint;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::error::{ConnectFailure, chain};
use crate::{Error, Target};

/// How long a connection may take to come about.
pub(crate) const CONNECT: Duration = Duration::from_secs(10);

/// An open way to an engine; closed when dropped.
#[derive(Debug)]
pub(crate) struct Link {
    endpoint: Endpoint,
    socket: PathBuf,
}

impl Link {
    pub(crate) async fn open(target: &Target) -> Result<Self, Error> {
        let endpoint = target.endpoint.clone();
        let socket = match &endpoint {
            Endpoint::Unix(path) => path.clone(),
            Endpoint::Tcp { .. } | Endpoint::Ssh { .. } => PathBuf::new(),
        };
        match timeout(CONNECT, UnixStream::connect(&socket)).await {
            Ok(Ok(_)) => Ok(Self { endpoint, socket }),
            Ok(Err(error)) => Err(io_error(&endpoint, &error)),
            Err(_) => Err(Error::Connect {
                endpoint: Box::new(endpoint),
                failure: ConnectFailure::TimedOut,
                cause: format!("no answer within {} s", CONNECT.as_secs()),
            }),
        }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// What broke a connection: the far side's words, where they are known.
    pub(crate) fn explain(&self, cause: String) -> String {
        cause
    }

    /// The error of a request that could not even be sent.
    pub(crate) fn refused_connection(&self, error: &reqwest::Error) -> Error {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(next) = cause {
            if let Some(io) = next.downcast_ref::<io::Error>() {
                return io_error(&self.endpoint, io);
            }
            cause = next.source();
        }
        Error::Connect {
            endpoint: Box::new(self.endpoint.clone()),
            failure: ConnectFailure::Other,
            cause: chain(error),
        }
    }
}

pub(crate) fn io_error(endpoint: &Endpoint, error: &io::Error) -> Error {
    use io::ErrorKind as Kind;
    let failure = match error.kind() {
        Kind::NotFound | Kind::ConnectionRefused => ConnectFailure::NobodyListens,
        Kind::PermissionDenied => ConnectFailure::Denied,
        Kind::HostUnreachable | Kind::NetworkUnreachable => ConnectFailure::Unreachable,
        Kind::TimedOut => ConnectFailure::TimedOut,
        _ => ConnectFailure::Other,
    };
    Error::Connect {
        endpoint: Box::new(endpoint.clone()),
        failure,
        cause: error.to_string(),
    }
}
