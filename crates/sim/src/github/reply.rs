//! Answers as GitHub words them, and pages of them.

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::{Answer, Asked};

/// An answer in the making.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

impl Reply {
    pub(super) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    pub(super) fn json(status: StatusCode, value: &Value) -> Self {
        Self {
            body: Bytes::from(value.to_string()),
            ..Self::empty(status)
        }
        .with("content-type", "application/json; charset=utf-8")
    }

    pub(super) fn ok(value: &Value) -> Self {
        Self::json(StatusCode::OK, value)
    }

    pub(super) fn text(text: String) -> Self {
        Self {
            body: Bytes::from(text),
            ..Self::empty(StatusCode::OK)
        }
        .with("content-type", "text/plain; charset=utf-8")
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn into_answer(self, identity: Option<String>) -> Answer {
        let mut answer = Answer::bytes(self.status, self.body);
        for (name, value) in self.headers {
            answer = answer.header(name, &value);
        }
        answer.asked_by(identity)
    }
}

/// A refusal. `status` is one of HTTP's.
pub(super) fn refuse(status: u16, message: &str) -> Reply {
    let body = json!({
        "message": message,
        "documentation_url": "https://docs.github.com/rest",
        "status": status.to_string(),
    });
    let status = StatusCode::from_u16(status);
    Reply::json(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &body)
}

/// The page that was asked for, out of all rows.
pub(super) struct Page {
    pub(super) rows: Vec<Value>,
    /// Of all pages.
    pub(super) total: usize,
    link: Option<String>,
}

impl Page {
    pub(super) fn of(asked: &Asked, base: &str, rows: Vec<Value>) -> Self {
        let number = |name: &str| asked.parameter(name).and_then(|it| it.parse().ok());
        let size = number("per_page").unwrap_or(30_usize).clamp(1, 100);
        let page = number("page").unwrap_or(1).max(1);
        let total = rows.len();
        let last = total.div_ceil(size).max(1);
        let to = |page: usize, relation: &str| {
            let pairs = form_urlencoded::parse(asked.query.as_bytes());
            let kept = pairs.filter(|(key, _)| key != "page");
            let mut query = form_urlencoded::Serializer::new(String::new());
            query
                .extend_pairs(kept)
                .append_pair("page", &page.to_string());
            format!(
                "<{base}{}?{}>; rel=\"{relation}\"",
                asked.path,
                query.finish()
            )
        };
        let mut links = Vec::new();
        if page > 1 {
            links.push(to(page - 1, "prev"));
        }
        if page < last {
            links.extend([to(page + 1, "next"), to(last, "last")]);
        }
        if page > 1 {
            links.push(to(1, "first"));
        }
        let before = (page - 1).saturating_mul(size);
        Self {
            rows: rows.into_iter().skip(before).take(size).collect(),
            total,
            link: (!links.is_empty()).then(|| links.join(", ")),
        }
    }

    /// As it is, or with its number under a name.
    pub(super) fn reply(self, name: Option<&str>) -> Reply {
        let body = match name {
            None => Value::Array(self.rows),
            Some(name) => json!({"total_count": self.total, name: self.rows}),
        };
        let reply = Reply::ok(&body);
        match self.link {
            Some(link) => reply.with("link", link),
            None => reply,
        }
    }
}
