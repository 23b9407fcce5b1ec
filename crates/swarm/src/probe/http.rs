//! One GET over a connection of the node's.

use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout_at};

use super::{Answer, Unasked, too_slow};
use crate::NodeEngine;
use crate::engine::printable;
use crate::error::chain;
use crate::transport::{Expected, NotCarried, Stream};

/// More of an answer than this is not read, nor waited for longer.
const BODY_MAX: usize = 1 << 12;
const BODY: Duration = Duration::from_secs(1);

const PLAIN_PORT: u16 = 80;

/// What is asked for, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url {
    host: String,
    port: u16,
    /// Host and port as they were written.
    authority: String,
    /// Path and query.
    path: String,
}

impl Url {
    pub(super) fn read(written: &str) -> Result<Self, Unasked> {
        let no = || Unasked::not_an_address(written, "an address that begins with http://");
        let uri: Uri = written.parse().map_err(|_| no())?;
        if uri.scheme_str() != Some("http") {
            return Err(no());
        }
        let authority = uri.authority().ok_or_else(no)?.as_str();
        let (host, port) = host_and_port(authority, Some(PLAIN_PORT))?;
        Ok(Self {
            host,
            port,
            authority: authority.to_owned(),
            path: uri
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned(),
        })
    }
}

/// `host:port`, an IPv6 address in brackets.
pub(super) fn host_and_port(written: &str, default: Option<u16>) -> Result<(String, u16), Unasked> {
    let no = || Unasked::not_an_address(written, "`host:port`");
    let authority: hyper::http::uri::Authority = written.parse().map_err(|_| no())?;
    // Asked for its port, it has none where that is no number of a port.
    let after = written.strip_prefix(authority.host()).ok_or_else(no)?;
    let port = match after.strip_prefix(':') {
        Some(port) => Some(port.parse().map_err(|_| no())?),
        None => default,
    };
    let host = authority.host().trim_matches(['[', ']']);
    // Over ssh it may become an argument.
    let is_host = !host.is_empty() && !host.starts_with('-');
    match port.filter(|port| *port > 0 && is_host) {
        Some(port) => Ok((host.to_owned(), port)),
        None => Err(no()),
    }
}

/// Asks, and reads the answer's status, and what it says if that is no.
pub(super) async fn get(
    engine: &NodeEngine,
    node: Expected<'_>,
    url: &Url,
    within: Duration,
) -> Result<Answer, Unasked> {
    let ends = Instant::now() + within;
    let carried = engine.link().carry(node, (&url.host, url.port));
    let mut carried = match timeout_at(ends, carried).await {
        Ok(Ok(carried)) => carried,
        Ok(Err(NotCarried::Refused(words))) => return Ok(Answer::Silent(words)),
        Ok(Err(not_carried)) => return Err(not_carried.into()),
        Err(_) => return Ok(Answer::Silent(too_slow(within))),
    };
    match exchange(&mut carried.stream, url, ends).await {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => Ok(Answer::Silent(too_slow(within))),
        Err(error) => match carried.silence().await {
            Some(NotCarried::Refused(words)) => Ok(Answer::Silent(words)),
            Some(not_carried) => Err(not_carried.into()),
            None => Ok(Answer::Silent(error)),
        },
    }
}

/// One request and the answer to it; None when there was none by then. Where
/// another page is meant, that is a no: only the task itself is asked.
async fn exchange(
    stream: &mut (dyn Stream + '_),
    url: &Url,
    ends: Instant,
) -> Result<Option<Answer>, String> {
    let request = Request::get(&url.path)
        .header(HOST, &url.authority)
        .header(USER_AGENT, concat!("imgstack/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| chain(&error))?;
    let talk = async {
        let response = match timeout_at(ends, sender.send_request(request)).await {
            Ok(response) => response.map_err(|error| chain(&error))?,
            Err(_) => return Ok(None),
        };
        let status = response.status();
        if status.is_success() {
            return Ok(Some(Answer::Yes));
        }
        // What it says is an extra, for which no status is given up.
        let ends = ends.min(Instant::now() + BODY);
        let said = match timeout_at(ends, first_line(response.into_body())).await {
            Ok(line) if !line.is_empty() => format!(": {line}"),
            Ok(_) | Err(_) => String::new(),
        };
        let no = format!("status {}{said}", status.as_u16());
        Ok(Some(Answer::No(no)))
    };
    // Whatever becomes of the connection shows in the answer to the request.
    let connection = async {
        let _ = connection.await;
        std::future::pending().await
    };
    tokio::select! {
        answer = talk => answer,
        never = connection => never,
    }
}

/// The beginning of an answer, as it may stand in a message.
async fn first_line(mut body: Incoming) -> String {
    let mut text = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        text.extend_from_slice(frame.data_ref().map_or(&[][..], |data| &data[..]));
        if text.len() > BODY_MAX || text.contains(&b'\n') {
            break;
        }
    }
    let text = String::from_utf8_lossy(&text);
    printable(text.lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{Url, host_and_port};

    #[test]
    fn addresses() {
        let read = |written: &str| {
            let url = Url::read(written).ok()?;
            Some(format!(
                "{} {} {} {}",
                url.host, url.port, url.authority, url.path
            ))
        };
        let table = [
            (
                "http://172.18.0.3:8008/replica?lag=1MB",
                Some("172.18.0.3 8008 172.18.0.3:8008 /replica?lag=1MB"),
            ),
            ("http://web", Some("web 80 web /")),
            (
                "http://[fd00::3]:8008/",
                Some("fd00::3 8008 [fd00::3]:8008 /"),
            ),
            ("https://172.18.0.3:8008/", None),
            ("172.18.0.3:8008", None),
            ("http://a:b@172.18.0.3/", None),
            ("http://-oProxyCommand=x:80/", None),
            ("http://172.18.0.3:0/", None),
            ("http://172.18.0.3:65536/", None),
        ];
        for (written, expected) in table {
            assert_eq!(read(written).as_deref(), expected, "{written}");
        }
    }

    #[test]
    fn ports() {
        let table = [
            ("172.18.0.3:5432", Some(("172.18.0.3", 5432))),
            ("[fd00::3]:5432", Some(("fd00::3", 5432))),
            ("localhost:5432", Some(("localhost", 5432))),
            ("172.18.0.3", None),
            (":5432", None),
            ("172.18.0.3:5432/", None),
        ];
        for (written, expected) in table {
            let read = host_and_port(written, None).ok();
            let read = read.as_ref().map(|(host, port)| (host.as_str(), *port));
            assert_eq!(read, expected, "{written}");
        }
    }
}
