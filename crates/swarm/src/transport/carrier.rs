//! A connection from a node's host to an address that only it reaches.
//!
//! - ssh: the master carries it ([`stdio_forward`]). A host that forbids that
//!   may have `nc`, which makes one as well.
//! - `unix`: this machine, if it is the node.
//! - `tcp`: no way, since nothing but the engine answers there.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::net::{IpAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use imgstack_spec::Endpoint;
use openssh::{Child, Session, Stdio};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, join};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::program::{Finished, NOT_FOUND, Program, exit_code};
use super::ssh::{LAST_WORDS, Master, lost_to, words};
use super::{Link, SshError, stdio_forward};

/// Carries a connection on its standard input and output.
const CARRY: &str = r#"
if command -v nc >/dev/null; then exec nc "$1" "$2"; fi
if command -v busybox >/dev/null; then exec busybox nc "$1" "$2"; fi
exit 127"#;

/// Makes a connection and gives it up again. Not every `nc` knows `-z`.
const KNOCK: &str = r#"
if command -v nc >/dev/null; then
	nc -h 2>&1 | grep -q -e -z && exec nc -z "$1" "$2"
	exec nc "$1" "$2" -e true
fi
if command -v busybox >/dev/null; then exec busybox nc "$1" "$2" -e true; fi
exit 127"#;

/// A connection that came about, or that a program is making. It ends when this
/// is dropped.
pub(crate) struct Carried {
    pub(crate) stream: Box<dyn Stream>,
    keeper: Keeper,
}

/// What holds a connection.
enum Keeper {
    Nobody,
    /// The ssh master, as long as this is open.
    Master {
        _control: UnixStream,
    },
    /// The program that makes it, and its host.
    Program(Box<Child<Arc<Session>>>, String),
}

/// Both ways.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The node that an engine is expected to be on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    /// What it calls itself.
    pub(crate) hostname: &'a str,
    /// Where the managers see it.
    pub(crate) address: Option<IpAddr>,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum NotCarried {
    /// It was tried from the node, and did not come about.
    Refused(String),
    /// Over tcp there is an engine and nothing else.
    EngineAlone,
    /// The engine's socket is on this machine, which is not its node, as in a
    /// container that was given the socket.
    NotHere,
    /// The host forbids it, and has no program for it.
    Forbidden { host: String },
    /// The ssh connection itself.
    Ssh(SshError),
}

impl Carried {
    /// Why it ended without a byte, where that is known.
    pub(crate) async fn silence(self) -> Option<NotCarried> {
        let Keeper::Program(mut child, host) = self.keeper else {
            return None;
        };
        // A program that still waits for input ends with it.
        drop(self.stream);
        let mut text = Vec::new();
        if let Some(stderr) = child.stderr().take() {
            // Whatever could be read in time is what there is to say.
            let _ = timeout(LAST_WORDS, stderr.take(4096).read_to_end(&mut text)).await;
        }
        let said = String::from_utf8_lossy(&text).trim().to_owned();
        match timeout(LAST_WORDS, child.wait()).await {
            Ok(status) => match exit_code(status) {
                Ok(code) => Some(ended(&host, code, said)),
                Err(error) => Some(NotCarried::Ssh(lost_to(&host, words(&error)))),
            },
            Err(_) => None,
        }
    }
}

impl Link {
    /// A connection from the engine's host. That it is there does not mean that
    /// it came about, see [`Carried::silence`].
    pub(crate) async fn carry(
        &self,
        node: Expected<'_>,
        (host, port): (&str, u16),
    ) -> Result<Carried, NotCarried> {
        let Some(master) = self.way(node)? else {
            let stream = TcpStream::connect((host, port)).await;
            return Ok(Carried {
                stream: Box::new(stream.map_err(|error| not_here(&error))?),
                keeper: Keeper::Nobody,
            });
        };
        match forward(master, host, port).await? {
            Some(carried) => Ok(carried),
            None => run_carrier(master, host, port).await,
        }
    }

    /// Whether a connection comes about, which is given up again.
    pub(crate) async fn knock(
        &self,
        node: Expected<'_>,
        (host, port): (&str, u16),
        within: Duration,
    ) -> Result<(), NotCarried> {
        let Some(master) = self.way(node)? else {
            let stream = TcpStream::connect((host, port)).await;
            return stream.map(drop).map_err(|error| not_here(&error));
        };
        if forward(master, host, port).await?.is_some() {
            return Ok(());
        }
        let port = port.to_string();
        let program = Program {
            name: "sh",
            arguments: &["-c", KNOCK, "sh", host, &port],
            input: None,
            within,
        };
        let finished = program.run(master).await.map_err(NotCarried::Ssh)?;
        match &finished {
            Finished::Ended { code: Some(0), .. } => Ok(()),
            Finished::Ended { code, .. } => Err(ended(master.host(), *code, finished.words(None))),
            Finished::TooSlow => Err(NotCarried::Refused("no answer in time".to_owned())),
        }
    }

    /// The ssh connection to go over; None when this machine is the node.
    fn way(&self, node: Expected<'_>) -> Result<Option<&Master>, NotCarried> {
        match (self.endpoint(), self.ssh()) {
            (_, Some(master)) => Ok(Some(master)),
            (Endpoint::Tcp { .. }, None) => Err(NotCarried::EngineAlone),
            (Endpoint::Unix(_) | Endpoint::Ssh { .. }, None) if is_here(node) => Ok(None),
            (Endpoint::Unix(_) | Endpoint::Ssh { .. }, None) => Err(NotCarried::NotHere),
        }
    }
}

/// Whether this machine is that node: the same hostname, and its address is one
/// of ours. A socket can be lent to a container, which is another host.
fn is_here(node: Expected<'_>) -> bool {
    let uname = rustix::system::uname();
    let same = uname.nodename().to_str() == Ok(node.hostname);
    let ours = |address: IpAddr| UdpSocket::bind((address, 0)).is_ok();
    same && node.address.is_some_and(ours)
}

fn not_here(error: &io::Error) -> NotCarried {
    NotCarried::Refused(match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        _ => error.to_string(),
    })
}

/// A connection that the ssh master carries; None when it does not for a reason
/// that has nothing to do with the far side.
async fn forward(master: &Master, host: &str, port: u16) -> Result<Option<Carried>, NotCarried> {
    let session = master.session();
    let log = Log::at(session.control_socket());
    let failed = |error: io::Error| NotCarried::Ssh(lost_to(master.host(), error.to_string()));
    let forwarded = stdio_forward::open(session.control_socket(), host, port).await;
    match (forwarded.map_err(failed)?, log.refusal()) {
        (Some(forwarded), _) => Ok(Some(Carried {
            stream: Box::new(forwarded.stream),
            keeper: Keeper::Master {
                _control: forwarded.control,
            },
        })),
        (None, Some(words)) => Err(NotCarried::Refused(words)),
        (None, None) => Ok(None),
    }
}

/// What the ssh master writes down: its refusals have no reason elsewhere.
struct Log<'a> {
    control: &'a Path,
    /// How much of it there was.
    from: u64,
}

impl<'a> Log<'a> {
    fn at(control: &'a Path) -> Self {
        let there = std::fs::metadata(control.with_file_name("log"));
        let from = there.map_or(0, |file| file.len());
        Self { control, from }
    }

    /// Why the far side could not connect, if that is what has been written
    /// since. Of several at once any may be another's; a reason is a reason.
    fn refusal(&self) -> Option<String> {
        let mut file = File::open(self.control.with_file_name("log")).ok()?;
        file.seek(SeekFrom::Start(self.from)).ok()?;
        let mut text = String::new();
        file.take(1 << 14).read_to_string(&mut text).ok()?;
        refusal(&text)
    }
}

/// Source: openssh-portable `channels.c`, `channel_input_open_failure`.
fn refusal(log: &str) -> Option<String> {
    let told = log
        .lines()
        .rev()
        .find_map(|line| line.split_once("open failed: "));
    let words = told?.1.strip_prefix("connect failed: ")?;
    Some(words.trim().to_lowercase())
}

async fn run_carrier(master: &Master, host: &str, port: u16) -> Result<Carried, NotCarried> {
    let failed = |error: &openssh::Error| NotCarried::Ssh(lost_to(master.host(), words(error)));
    let mut command = master.session().arc_command("sh");
    command
        .args(["-c", CARRY, "sh", host, &port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().await.map_err(|error| failed(&error))?;
    let (Some(to), Some(from)) = (child.stdin().take(), child.stdout().take()) else {
        let none = "no streams to the program".to_owned();
        return Err(NotCarried::Ssh(lost_to(master.host(), none)));
    };
    Ok(Carried {
        stream: Box::new(join(from, to)),
        keeper: Keeper::Program(Box::new(child), master.host().to_owned()),
    })
}

/// What a carrier's end means that has carried nothing.
fn ended(host: &str, code: Option<i32>, said: String) -> NotCarried {
    match code {
        Some(NOT_FOUND) => NotCarried::Forbidden {
            host: host.to_owned(),
        },
        _ if said.is_empty() => NotCarried::Refused("no connection".to_owned()),
        _ => NotCarried::Refused(said),
    }
}
