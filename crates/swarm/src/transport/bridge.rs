//! A local unix socket whose every connection is carried elsewhere.
//!
//! Why a connection could not be carried on is noted ([`Trouble`]), since the
//! client at the socket only sees it close.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, copy};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use super::{CONNECT, failure, ssh, tls, too_slow};
use crate::error::ConnectFailure;

/// Where connections are carried to.
pub(super) enum Dial {
    /// A port, with TLS or without.
    Tcp {
        /// Host and port.
        address: (String, u16),
        tls: Option<tls::Connector>,
    },
    /// A program on a host, which speaks for its engine.
    Stdio(ssh::Stdio),
}

/// What last went wrong with a connection. Cleared by one that goes well.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble(Arc<Mutex<Option<(ConnectFailure, String)>>>);

impl Trouble {
    pub(super) fn last(&self) -> Option<(ConnectFailure, String)> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, trouble: Option<(ConnectFailure, String)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn note(&self, error: &io::Error) {
        self.set(Some((failure(error), error.to_string())));
    }
}

/// The proxy; it and its connections end when this is dropped.
pub(super) struct Bridge(AbortHandle);

impl Drop for Bridge {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Bridge {
    pub(super) fn start(socket: &Path, dial: Dial, trouble: Trouble) -> io::Result<Self> {
        let listener = UnixListener::bind(socket)?;
        let task = tokio::spawn(serve(listener, Arc::new(dial), trouble));
        Ok(Self(task.abort_handle()))
    }
}

/// After a connection could not be taken.
const PAUSE: Duration = Duration::from_millis(100);

/// The connections live in a set that goes with this future.
async fn serve(listener: UnixListener, dial: Arc<Dial>, trouble: Trouble) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((local, _)) => {
                    let (dial, trouble) = (Arc::clone(&dial), trouble.clone());
                    connections.spawn(async move { dial.carry(local, &trouble).await });
                }
                Err(error) => {
                trouble.note(&error);
                // Out of files, say: the next try would fail at once as well.
                tokio::time::sleep(PAUSE).await;
            }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

impl Dial {
    /// The local side stays open until any trouble is noted, so that whoever
    /// sees it close finds the reason.
    async fn carry(&self, mut local: UnixStream, trouble: &Trouble) {
        match self {
            Self::Tcp { address, tls } => {
                let far = match timeout(CONNECT, TcpStream::connect(address.clone())).await {
                    Ok(Ok(far)) => far,
                    Ok(Err(error)) => return trouble.note(&resolve_error(error)),
                    Err(_) => return trouble.note(&too_slow()),
                };
                // Small requests would wait for one another.
                let _ = far.set_nodelay(true);
                match tls {
                    None => {
                        trouble.set(None);
                        let (from, to) = far.into_split();
                        // A break is seen by the client, in its own words.
                        let _ = pump(&mut local, from, to).await;
                    }
                    Some(connector) => carry_tls(connector, far, &mut local, trouble).await,
                }
            }
            Self::Stdio(stdio) => match stdio.carry(&mut local).await {
                Ok(()) => trouble.set(None),
                Err(words) => trouble.set(Some((ConnectFailure::Other, words))),
            },
        }
    }
}

async fn carry_tls(
    connector: &tls::Connector,
    far: TcpStream,
    local: &mut UnixStream,
    trouble: &Trouble,
) {
    let tls_trouble = |error: io::Error| {
        let words = connector.words(&error);
        trouble.set(Some((ConnectFailure::Tls, words)));
    };
    let far = match timeout(CONNECT, connector.connect(far)).await {
        Ok(Ok(far)) => far,
        Ok(Err(error)) => return tls_trouble(error),
        Err(_) => return trouble.note(&too_slow()),
    };
    trouble.set(None);
    let (from, to) = tokio::io::split(far);
    // With TLS 1.3 an engine refuses our certificate after the handshake.
    match pump(local, from, to).await {
        Err(error) if tls::is_alert(&error) => tls_trouble(error),
        _ => {}
    }
}

/// The resolver's error has no kind of its own.
fn resolve_error(error: io::Error) -> io::Error {
    if error.to_string().contains("lookup") {
        return io::Error::new(io::ErrorKind::HostUnreachable, error.to_string());
    }
    error
}

/// Carries bytes both ways until either side ends: a client of HTTP never ends
/// its half while it still wants an answer.
pub(super) async fn pump(
    local: &mut UnixStream,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
) -> io::Result<u64> {
    let (mut read, mut write) = local.split();
    tokio::select! {
        // Before the other, so that a last word from afar is not lost.
        biased;
        down = copy(&mut from, &mut write) => down,
        up = copy(&mut read, &mut to) => up,
    }
}
