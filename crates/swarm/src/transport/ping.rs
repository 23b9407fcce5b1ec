//! Whether an engine answers at a socket.
//!
//! Spoken by hand, since it asks about the way, not about the engine: any HTTP
//! answer will do, and none tells why.

use std::fmt;
use std::io;
use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::CONNECT;
use crate::error::ConnectFailure;

const REQUEST: &[u8] = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n";

/// Why no engine answers.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// Nothing came in time.
    Silence,
    /// The connection ended before an answer.
    Closed,
    /// The engine speaks TLS, and we do not.
    WantsTls,
    /// Something answers that speaks no HTTP.
    NotHttp,
    /// The socket itself.
    Io(io::Error),
}

impl Unanswered {
    pub(super) fn failure(&self) -> ConnectFailure {
        match self {
            Self::Silence => ConnectFailure::TimedOut,
            Self::WantsTls => ConnectFailure::WantsTls,
            Self::Closed | Self::NotHttp => ConnectFailure::Other,
            Self::Io(error) => super::failure(error),
        }
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silence => write!(f, "no answer within {} s", CONNECT.as_secs()),
            Self::Closed => f.write_str("the connection was closed without an answer"),
            Self::WantsTls => f.write_str("the engine speaks TLS, and we do not"),
            Self::NotHttp => f.write_str("what answers there is no engine"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

pub(super) async fn ping(socket: &Path) -> Result<(), Unanswered> {
    let answer = timeout(CONNECT, ask(socket)).await;
    let answer = answer
        .map_err(|_| Unanswered::Silence)?
        .map_err(Unanswered::Io)?;
    let text = String::from_utf8_lossy(&answer);
    if answer.is_empty() {
        Err(Unanswered::Closed)
    } else if text.contains("HTTP request to an HTTPS server") {
        Err(Unanswered::WantsTls)
    } else if text.starts_with("HTTP/1.") {
        Ok(())
    } else {
        Err(Unanswered::NotHttp)
    }
}

/// The first kilobyte of the answer.
async fn ask(socket: &Path) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(REQUEST).await?;
    let mut answer = Vec::new();
    let read = stream.take(1024).read_to_end(&mut answer).await;
    match read {
        // A reset after the answer is no matter; one before it is the answer.
        Err(error) if answer.is_empty() && error.kind() != io::ErrorKind::ConnectionReset => {
            Err(error)
        }
        _ => Ok(answer),
    }
}
