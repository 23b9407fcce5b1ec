//! A connection from an ssh host to an address that it reaches, over the
//! master that is there: what `ssh -W HOST:PORT` does.
//!
//! A forwarded local port would not do. ssh takes its connections before it
//! knows whether the far one comes about, so that "refused" would look like
//! "closed". This request is answered after the far connection was made.
//!
//! The openssh crate does not speak this part of the protocol, so it is spoken
//! here. Source: openssh-portable `PROTOCOL.mux`, "Requesting stdio forwarding".

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest, Join, join};
use tokio::net::UnixStream;
use tokio::net::unix::pipe::{self, Receiver, Sender};

const HELLO: u32 = 1;
const NEW_STDIO_FORWARD: u32 = 0x1000_0008;
const SESSION_OPENED: u32 = 0x8000_0006;
const VERSION: u32 = 4;
const REQUEST: u32 = 0;

/// No answer of the master's is longer.
const LONGEST: u32 = 1 << 16;

/// The connection. It ends when this is dropped.
pub(super) struct Forwarded {
    pub(super) stream: Join<Receiver, Sender>,
    /// The master ends the connection when this closes.
    pub(super) control: UnixStream,
}

/// Asks the master behind a control socket for a connection. None when it says
/// no, which it does without a reason.
pub(super) async fn open(control: &Path, host: &str, port: u16) -> io::Result<Option<Forwarded>> {
    let mut master = UnixStream::connect(control).await?;
    send(&mut master, HELLO, &VERSION.to_be_bytes()).await?;
    let (kind, _) = receive(&mut master).await?;
    if kind != HELLO {
        return Err(io::Error::other("ssh does not speak of a connection"));
    }
    send(&mut master, NEW_STDIO_FORWARD, &request(host, port)).await?;
    let (to_far, far_input) = pipe::pipe()?;
    let (far_output, from_far) = pipe::pipe()?;
    let input = far_input.into_blocking_fd()?;
    let output = far_output.into_blocking_fd()?;
    send_fd(&master, input.as_fd()).await?;
    send_fd(&master, output.as_fd()).await?;
    let (kind, _) = receive(&mut master).await?;
    Ok((kind == SESSION_OPENED).then(|| Forwarded {
        stream: join(from_far, to_far),
        control: master,
    }))
}

/// The request's number, a field that is reserved, and where to.
fn request(host: &str, port: u16) -> Vec<u8> {
    let mut body = REQUEST.to_be_bytes().to_vec();
    for text in ["", host] {
        // A host's name is far shorter than that.
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        body.extend_from_slice(&length.to_be_bytes());
        body.extend_from_slice(text.as_bytes());
    }
    body.extend_from_slice(&u32::from(port).to_be_bytes());
    body
}

async fn send(master: &mut UnixStream, kind: u32, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(4 + body.len()).map_err(io::Error::other)?;
    let packet = [&length.to_be_bytes(), &kind.to_be_bytes(), body].concat();
    master.write_all(&packet).await
}

async fn receive(master: &mut UnixStream) -> io::Result<(u32, Vec<u8>)> {
    let length = master.read_u32().await?;
    if !(4..=LONGEST).contains(&length) {
        return Err(io::Error::other("ssh's answer makes no sense"));
    }
    let kind = master.read_u32().await?;
    let mut body = vec![0; length as usize - 4];
    master.read_exact(&mut body).await?;
    Ok((kind, body))
}

/// Each with a byte of its own, as the master takes them.
async fn send_fd(master: &UnixStream, fd: BorrowedFd<'_>) -> io::Result<()> {
    master
        .async_io(Interest::WRITABLE, || {
            let fds = [fd];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            control.push(SendAncillaryMessage::ScmRights(&fds));
            let byte = [IoSlice::new(&[0])];
            sendmsg(master, &byte, &mut control, SendFlags::empty())?;
            Ok(())
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::request;

    #[test]
    fn a_request_as_it_is_written_down() {
        let expected = [
            &[0, 0, 0, 0][..],
            &[0, 0, 0, 0],
            &[0, 0, 0, 10],
            b"172.18.0.3",
            &[0, 0, 0x1f, 0x48],
        ];
        assert_eq!(request("172.18.0.3", 8008), expected.concat());
    }
}
