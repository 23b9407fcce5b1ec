//! A request that was read whole, and an answer.

use std::io;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::StreamExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Response, StatusCode};
use serde::Serialize;

/// Why a body ended early.
pub(super) type Broken = io::Error;

/// The body of an answer: known bytes, or a stream that may never end.
pub type Body = UnsyncBoxBody<Bytes, Broken>;

/// A request with its whole body.
#[derive(Debug)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// The path, percent-encoded as it was sent, without the query.
    pub path: String,
    /// The query, as it was sent; empty without one.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Asked {
    /// A header as text; None if it is missing or not text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The first parameter of this name, decoded.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.query.as_bytes());
        pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub(super) response: Response<Body>,
    pub(super) identity: Option<String>,
    /// The host is gone: the connection is closed without an answer.
    pub(super) silent: bool,
}

impl Answer {
    /// No answer: the connection is closed, as by a host that is gone.
    #[must_use]
    pub fn hang_up() -> Self {
        Self {
            silent: true,
            ..Self::empty(StatusCode::SERVICE_UNAVAILABLE)
        }
    }

    /// A status and nothing else.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self::bytes(status, Bytes::new())
    }

    /// Bytes of no stated type.
    #[must_use]
    pub fn bytes(status: StatusCode, bytes: impl Into<Bytes>) -> Self {
        let full = Full::new(bytes.into()).map_err(|never| match never {});
        Self::with_body(status, UnsyncBoxBody::new(full))
    }

    /// JSON.
    #[must_use]
    pub fn json(status: StatusCode, value: &impl Serialize) -> Self {
        // Values of this crate's own making: keys are text.
        let text = serde_json::to_vec(value).unwrap_or_default();
        Self::bytes(status, text).header("content-type", "application/json")
    }

    /// A stream, such as events; its end is the end of the body.
    #[must_use]
    pub fn stream(status: StatusCode, chunks: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        Self::try_stream(status, chunks.map(Ok))
    }

    /// A stream that may break off: with an error, the connection is closed.
    #[must_use]
    pub fn try_stream(
        status: StatusCode,
        chunks: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Self {
        let frames = chunks.map(|chunk| chunk.map(Frame::data));
        Self::with_body(status, UnsyncBoxBody::new(StreamBody::new(frames)))
    }

    /// With a header more. One that is no valid header is left out.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            let name = HeaderName::from_static(name);
            self.response.headers_mut().insert(name, value);
        }
        self
    }

    /// Who asked, for the record. Never a secret.
    #[must_use]
    pub fn asked_by(mut self, identity: Option<String>) -> Self {
        self.identity = identity;
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Whether the content is JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        let of_type = self.response.headers().get(CONTENT_TYPE);
        of_type.is_some_and(|value| value.as_bytes().ends_with(b"json"))
    }

    fn with_body(status: StatusCode, body: Body) -> Self {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        Self {
            response,
            identity: None,
            silent: false,
        }
    }
}
