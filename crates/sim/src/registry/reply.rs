//! An answer in the making: for a socket, or for an engine of this process.

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde::Serialize;

use crate::Answer;

/// An answer. A HEAD's still has its body, which [`Reply::into_answer`] drops.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
    /// What a HEAD says of the length, if the body is not all there is.
    pub(super) length: Option<u64>,
    pub(super) identity: Option<String>,
}

impl Reply {
    pub(super) fn empty(status: StatusCode) -> Self {
        Self::bytes(status, Bytes::new())
    }

    pub(super) fn bytes(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            length: None,
            identity: None,
        }
    }

    pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Self {
        // Values of this crate's own making: keys are text.
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self::bytes(status, body).with("content-type", "application/json")
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn into_answer(self, method: &Method) -> Answer {
        let mut answer = if method == Method::HEAD {
            let length = self.length.unwrap_or(self.body.len() as u64);
            Answer::empty(self.status).header("content-length", &length.to_string())
        } else {
            Answer::bytes(self.status, self.body)
        };
        for (name, value) in self.headers {
            answer = answer.header(name, &value);
        }
        answer.asked_by(self.identity)
    }
}
