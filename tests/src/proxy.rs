//! A port that leads elsewhere, so that a story can take it away.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::{Path, PathBuf};

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinHandle;

use crate::world::World;

/// Where a proxy leads.
enum Behind {
    Tcp(String),
    Unix(PathBuf),
}

/// A port beside the registries', which nodes can reach. Closed when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: String,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Another door to the anonymous registry.
    pub fn to_anonymous(world: &World) -> Self {
        Self::open(world, Behind::Tcp(world.anonymous().to_owned()))
    }

    /// A plain tcp door to an engine's socket.
    pub fn to_socket(world: &World, socket: &Path) -> Self {
        Self::open(world, Behind::Unix(socket.to_owned()))
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    fn open(world: &World, behind: Behind) -> Self {
        let bridge = world.anonymous().split(':').next().map(str::to_owned);
        let address = format!("{}:0", bridge.expect("the registry's address"));
        let listener = StdListener::bind(&address).expect("a free port on the bridge");
        listener
            .set_nonblocking(true)
            .expect("a socket of tokio's kind");
        let address: SocketAddr = listener.local_addr().expect("its address");
        let listener = TcpListener::from_std(listener).expect("a runtime");
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                match &behind {
                    Behind::Tcp(to) => join(stream, TcpStream::connect(to.clone())),
                    Behind::Unix(to) => join(stream, UnixStream::connect(to.clone())),
                }
            }
        });
        world.add_door(&address.to_string());
        Self {
            address: address.to_string(),
            task,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn join<S: AsyncRead + AsyncWrite + Unpin + Send>(
    mut front: TcpStream,
    back: impl Future<Output = std::io::Result<S>> + Send + 'static,
) {
    tokio::spawn(async move {
        if let Ok(mut back) = back.await {
            // Either side may hang up whenever it likes.
            let _ = copy_bidirectional(&mut front, &mut back).await;
        }
    });
}
