//! The way to an engine. However it goes, it ends in a unix socket on this
//! machine, so that the clients know one transport only.
//!
//! - `unix`: the socket itself.
//! - `ssh`: one ssh master. The far socket forwarded by it, or, where the host
//!   forbids that, `docker system dial-stdio` for each connection ([`ssh`]).
//! - `tcp`, with TLS or without: a small proxy ([`bridge`]). It keeps TLS out
//!   of the clients, one of which cannot skip the check of a certificate.
//!
//! Sockets of ours lie in a folder that nobody else may enter, and go with it.

mod bridge;
mod carrier;
mod ping;
mod program;
mod ssh;
mod ssh_error;
mod stdio_forward;
mod tls;

use std::fmt;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use imgstack_spec::Endpoint;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::error::{ConnectFailure, chain};
use crate::{Error, Target};
use bridge::{Bridge, Dial, Trouble};

pub(crate) use carrier::{Expected, NotCarried, Stream};
pub(crate) use program::{Finished, NOT_FOUND, Program};
pub use ssh_error::{SshError, SshFailure};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// An open way to an engine; closed when dropped.
pub(crate) struct Link {
    endpoint: Endpoint,
    socket: PathBuf,
    trouble: Trouble,
    // The order is that of dropping: what uses the folder, then the folder.
    _bridge: Option<Bridge>,
    ssh: Option<ssh::Master>,
    _folder: Option<TempDir>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({})", self.endpoint)
    }
}

impl Link {
    /// Opens the way and makes sure that something answers at its end.
    pub(crate) async fn open(target: &Target) -> Result<Self, Error> {
        let endpoint = target.endpoint.clone();
        match &target.endpoint {
            Endpoint::Unix(path) => {
                reach(&endpoint, UnixStream::connect(path)).await?;
                Ok(Self {
                    socket: path.clone(),
                    trouble: Trouble::default(),
                    _bridge: None,
                    ssh: None,
                    _folder: None,
                    endpoint,
                })
            }
            Endpoint::Tcp { host, port } => {
                let tls = match &target.tls {
                    Some(files) => Some(tls::Connector::new(&endpoint, host, files)?),
                    None => None,
                };
                let dial = Dial::Tcp {
                    address: (host.clone(), *port),
                    tls,
                };
                let folder = private_folder(&endpoint)?;
                Self::bridged(endpoint, folder, dial, None).await
            }
            Endpoint::Ssh { socket, .. } => Self::over_ssh(&endpoint, socket.as_deref()).await,
        }
    }

    async fn over_ssh(endpoint: &Endpoint, far: Option<&Path>) -> Result<Self, Error> {
        let folder = private_folder(endpoint)?;
        // Beside the folder, not in it: ssh's socket must be there until the
        // last connection has let go of it.
        let master = ssh::Master::connect(endpoint, &base_folder()).await?;
        let socket = folder.path().join("engine.sock");
        if master.forward(&socket, far).await && ping::ping(&socket).await.is_ok() {
            return Ok(Self {
                endpoint: endpoint.clone(),
                socket,
                trouble: Trouble::default(),
                _bridge: None,
                ssh: Some(master),
                _folder: Some(folder),
            });
        }
        // Forbidden, no such socket, or no right to it: ssh does not say which,
        // and docker over there may know its engine better than we do.
        let dial = Dial::Stdio(master.stdio(far));
        Self::bridged(endpoint.clone(), folder, dial, Some(master)).await
    }

    async fn bridged(
        endpoint: Endpoint,
        folder: TempDir,
        dial: Dial,
        ssh: Option<ssh::Master>,
    ) -> Result<Self, Error> {
        let socket = folder.path().join("bridge.sock");
        let trouble = Trouble::default();
        let bridge = Bridge::start(&socket, dial, trouble.clone())
            .map_err(|error| io_error(&endpoint, &error))?;
        let answer = ping::ping(&socket).await;
        let link = Self {
            endpoint,
            socket,
            trouble,
            _bridge: Some(bridge),
            ssh,
            _folder: Some(folder),
        };
        match answer {
            Ok(()) => Ok(link),
            Err(cause) => Err(link.unanswered(cause)),
        }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The ssh connection, where the way goes over one.
    pub(crate) fn ssh(&self) -> Option<&ssh::Master> {
        self.ssh.as_ref()
    }

    /// What broke a connection: the far side's words, where they are known.
    pub(crate) fn explain(&self, cause: String) -> String {
        match self.trouble.last() {
            Some((_, words)) => words,
            None => cause,
        }
    }

    /// The error of a request that could not even be sent.
    pub(crate) fn refused_connection(&self, error: &reqwest::Error) -> Error {
        // The socket here is ssh's, and says nothing of the engine there.
        if let Endpoint::Ssh { .. } = &self.endpoint {
            return ssh::lost(&self.endpoint, chain(error)).into();
        }
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(next) = cause {
            if let Some(io) = next.downcast_ref::<io::Error>() {
                return io_error(&self.endpoint, io);
            }
            cause = next.source();
        }
        self.no_connection(ConnectFailure::Other, chain(error))
    }

    /// The error of a way whose far end does not answer.
    fn unanswered(&self, cause: ping::Unanswered) -> Error {
        let told = self.trouble.last();
        if let Endpoint::Ssh { .. } = &self.endpoint {
            let detail = told.map_or_else(|| cause.to_string(), |(_, words)| words);
            return ssh::engine_error(&self.endpoint, detail).into();
        }
        match told {
            Some((failure, words)) => self.no_connection(failure, words),
            None => self.no_connection(cause.failure(), cause.to_string()),
        }
    }

    fn no_connection(&self, failure: ConnectFailure, cause: String) -> Error {
        Error::Connect {
            endpoint: Box::new(self.endpoint.clone()),
            failure,
            cause,
        }
    }
}

/// A folder for sockets: for us alone, and with a path that is short enough
/// for a socket's (108 bytes, of which ssh adds some).
fn private_folder(endpoint: &Endpoint) -> Result<TempDir, Error> {
    let base = base_folder();
    tempfile::Builder::new()
        .prefix("imgstack-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(&base)
        .map_err(|error| Error::Connect {
            endpoint: Box::new(endpoint.clone()),
            failure: ConnectFailure::Other,
            cause: format!("no folder for sockets in {}: {error}", base.display()),
        })
}

fn base_folder() -> PathBuf {
    let usual = std::env::temp_dir();
    if usual.as_os_str().len() > 40 {
        return PathBuf::from("/tmp");
    }
    usual
}

async fn reach<T>(
    endpoint: &Endpoint,
    connect: impl Future<Output = io::Result<T>>,
) -> Result<T, Error> {
    match timeout(CONNECT, connect).await {
        Ok(connected) => connected.map_err(|error| io_error(endpoint, &error)),
        Err(_) => Err(io_error(endpoint, &too_slow())),
    }
}

fn too_slow() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("no answer within {} s", CONNECT.as_secs()),
    )
}

fn io_error(endpoint: &Endpoint, error: &io::Error) -> Error {
    Error::Connect {
        endpoint: Box::new(endpoint.clone()),
        failure: failure(error),
        cause: error.to_string(),
    }
}

fn failure(error: &io::Error) -> ConnectFailure {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::NotFound | Kind::ConnectionRefused => ConnectFailure::NobodyListens,
        Kind::PermissionDenied => ConnectFailure::Denied,
        Kind::HostUnreachable | Kind::NetworkUnreachable => ConnectFailure::Unreachable,
        Kind::TimedOut => ConnectFailure::TimedOut,
        _ => ConnectFailure::Other,
    }
}
