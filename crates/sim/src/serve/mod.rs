//! HTTP/1.1 on loopback and on unix sockets: recorded, and faulty on request.
//!
//! A [`Service`] sees whole requests and gives whole answers or streams. What
//! the network does to them is done here, once for all servers.

mod answer;
mod connection;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use answer::{Answer, Asked, Body};

use crate::{Clock, Faults, Record};

/// What a server does with a request.
pub trait Service: Send + Sync + 'static {
    /// Answers one request.
    fn answer(&self, asked: Asked) -> BoxFuture<'_, Answer>;
}

/// What all servers of one world share.
#[derive(Clone, Debug)]
pub struct Server {
    /// The world's time.
    pub clock: Clock,
    /// Where requests are written down.
    pub record: Record,
    /// What goes wrong.
    pub faults: Faults,
    /// Ends all servers and their connections.
    pub stop: CancellationToken,
    /// Their tasks.
    pub tasks: TaskTracker,
}

/// Where a server listens. Dropping it stops nothing: the world does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    /// A port on loopback.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

impl Server {
    /// Servers on this clock.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            record: Record::default(),
            faults: Faults::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Serves on a free port of loopback, or on `port`.
    ///
    /// # Errors
    /// The port cannot be had.
    pub async fn tcp(
        &self,
        name: &str,
        port: Option<u16>,
        service: Arc<dyn Service>,
    ) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(("127.0.0.1", port.unwrap_or(0))).await?;
        self.accept(name, listener, service)
    }

    /// Serves where somebody has begun to listen already. To be called inside
    /// a tokio runtime.
    ///
    /// # Errors
    /// The system does not let it be waited for.
    pub fn listen(
        &self,
        name: &str,
        listener: std::net::TcpListener,
        service: Arc<dyn Service>,
    ) -> io::Result<SocketAddr> {
        listener.set_nonblocking(true)?;
        self.accept(name, TcpListener::from_std(listener)?, service)
    }

    fn accept(
        &self,
        name: &str,
        listener: TcpListener,
        service: Arc<dyn Service>,
    ) -> io::Result<SocketAddr> {
        let address = listener.local_addr()?;
        let (server, name) = (self.clone(), name.to_owned());
        self.tasks.spawn(async move {
            while let Some(accepted) = server.until_stopped(listener.accept()).await {
                let Ok((stream, _)) = accepted else { continue };
                // Small answers in small packets; loopback does not mind.
                let _ = stream.set_nodelay(true);
                server.connection(&name, &service, stream);
            }
        });
        Ok(address)
    }

    /// Serves on a unix socket.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn unix(&self, name: &str, path: &Path, service: Arc<dyn Service>) -> io::Result<()> {
        let listener = UnixListener::bind(path)?;
        let (server, name) = (self.clone(), name.to_owned());
        self.tasks.spawn(async move {
            while let Some(accepted) = server.until_stopped(listener.accept()).await {
                let Ok((stream, _)) = accepted else { continue };
                server.connection(&name, &service, stream);
            }
        });
        Ok(())
    }

    /// None when the world ends first.
    async fn until_stopped<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        self.stop.run_until_cancelled(future).await
    }
}
