//! Why a request got no answer, found in the chain of causes below it.
//!
//! The chain matters more than its top, which only says that sending failed.
//! URLs are kept out: their query may name accounts.

use std::error::Error as StdError;
use std::{fmt, io};

/// How TLS failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// We spoke https, the port speaks plain http.
    PlainPort,
    /// We spoke plain http, the port speaks https.
    TlsPort,
    /// Both spoke TLS, and the certificate or the handshake failed.
    Handshake,
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PlainPort => "answers in plain http where https was spoken",
            Self::TlsPort => "answers in https where plain http was spoken",
            Self::Handshake => "no secure connection",
        })
    }
}

/// The families of failure, with the cause in words.
#[derive(Debug)]
pub(crate) enum Fault {
    /// No connection.
    Unreached(String),
    /// A connection that broke, or no answer in time.
    Network(String),
    /// A connection, and no agreement on how to speak.
    Tls(TlsFault, String),
}

/// What stands behind the error.
pub(crate) fn of(error: &reqwest::Error) -> Fault {
    let causes = causes(error);
    if let Some(tls) = causes.iter().find_map(|cause| rustls_error(*cause)) {
        return match tls {
            rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => {
                Fault::Tls(TlsFault::PlainPort, tls.to_string())
            }
            _ => Fault::Tls(TlsFault::Handshake, tls.to_string()),
        };
    }
    let root = causes.last().map(ToString::to_string).unwrap_or_default();
    // A TLS server meets a plain request with a TLS alert, which is no HTTP.
    if root.contains("invalid HTTP version") {
        return Fault::Tls(TlsFault::TlsPort, "the answer is not HTTP".to_owned());
    }
    match (error.is_connect(), error.is_timeout()) {
        (true, true) => Fault::Unreached("connecting took too long".to_owned()),
        (true, false) => Fault::Unreached(format!("cannot connect: {}", plainly(&causes, &root))),
        (false, true) => Fault::Network("no answer in time".to_owned()),
        (false, false) => Fault::Network(format!("connection broke: {root}")),
    }
}

/// The root cause, and that it was the name if it was.
fn plainly(causes: &[&(dyn StdError + 'static)], root: &str) -> String {
    let is_name = |cause: &&&(dyn StdError + 'static)| cause.to_string().contains("dns error");
    match causes.iter().find(is_name) {
        Some(_) => format!("the name does not resolve: {root}"),
        None => root.to_owned(),
    }
}

fn causes(error: &reqwest::Error) -> Vec<&(dyn StdError + 'static)> {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause);
        next = cause.source();
    }
    causes
}

/// An I/O error hides the error it was made of from `source`.
fn rustls_error<'a>(cause: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    cause.downcast_ref().or_else(|| {
        let io = cause.downcast_ref::<io::Error>()?;
        rustls_error(io.get_ref()?)
    })
}
