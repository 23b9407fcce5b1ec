//! A port that leads elsewhere, so that a story can take it away.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::{Path, PathBuf};

use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::world::World;

/// Where a proxy leads.
enum Behind {
    Tcp(String),
    Unix(PathBuf),
}

/// A pull of a story's image takes about five seconds at this speed.
const CRAWL: u64 = 400_000;
/// As simulated nodes pull by themselves.
const SPEED: u64 = 100 << 20;

/// A port beside the registries', which nodes can reach. Closed when dropped.
#[derive(Debug)]
pub struct Proxy {
    world: World,
    address: String,
    held: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Another door to the anonymous registry.
    pub fn to_anonymous(world: &World) -> Self {
        Self::to_registry(world, world.anonymous())
    }

    /// Another door to the registry that asks for a token.
    pub fn to_private(world: &World) -> Self {
        Self::to_registry(world, world.private())
    }

    /// A plain tcp door to an engine's socket.
    pub fn to_socket(world: &World, socket: &Path) -> Self {
        Self::open(world, Behind::Unix(socket.to_owned()))
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// From now on pulls of nodes do not get on: real ones get no answer until
    /// [`Proxy::release`], simulated ones crawl. imgstack itself is answered.
    pub fn hold(&self) {
        self.held.send_replace(true);
        if let World::Sim(sim) = &self.world {
            sim.set_bandwidth(CRAWL);
        }
    }

    /// Pulls get on again.
    pub fn release(&self) {
        self.held.send_replace(false);
        if let World::Sim(sim) = &self.world {
            sim.set_bandwidth(SPEED);
        }
    }

    fn to_registry(world: &World, registry: &str) -> Self {
        let proxy = Self::open(world, Behind::Tcp(registry.to_owned()));
        world.add_door(&proxy.address, registry);
        proxy
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
        let (held, holding) = watch::channel(false);
        let task = tokio::spawn(async move {
            while let Ok((stream, from)) = listener.accept().await {
                // Nodes have addresses of their own; we call from the bridge's.
                let holding = (from.ip() != address.ip()).then(|| holding.clone());
                match &behind {
                    Behind::Tcp(to) => join(stream, holding, TcpStream::connect(to.clone())),
                    Behind::Unix(to) => join(stream, holding, UnixStream::connect(to.clone())),
                }
            }
        });
        Self {
            world: world.clone(),
            address: address.to_string(),
            held,
            task,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.world.remove_door(&self.address);
        self.task.abort();
    }
}

fn join<S: AsyncRead + AsyncWrite + Unpin + Send>(
    mut front: TcpStream,
    holding: Option<watch::Receiver<bool>>,
    back: impl Future<Output = std::io::Result<S>> + Send + 'static,
) {
    tokio::spawn(async move {
        if let Some(mut holding) = holding {
            // A proxy that is gone holds nobody.
            let _ = holding.wait_for(|held| !held).await;
        }
        if let Ok(mut back) = back.await {
            // Either side may hang up whenever it likes.
            let _ = copy_bidirectional(&mut front, &mut back).await;
        }
    });
}
