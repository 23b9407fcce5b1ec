//! Requests as they are and answers as they come: to the Engine API of one
//! node, or to a registry, without the manners of a client in between.

use std::path::Path;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use tokio::time::timeout;

/// No answer takes so long to come whole. One whose body is still to come has
/// no such end: it stays open for as long as somebody reads.
const DEADLINE: Duration = Duration::from_secs(60);

/// Somebody who answers HTTP.
#[derive(Clone, Debug)]
pub struct Wire {
    client: Client,
    base: String,
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Reply {
    /// What was asked, for whoever reads of a failure.
    pub asked: String,
    /// HTTP status.
    pub status: u16,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Wire {
    /// The engine that listens on this socket.
    pub fn engine(socket: &Path) -> Self {
        Self {
            client: client(|builder| builder.unix_socket(socket)),
            base: "http://docker".to_owned(),
        }
    }

    /// A server that is reached by host and port.
    pub fn host(host: &str) -> Self {
        Self {
            client: client(|builder| builder),
            base: format!("http://{host}"),
        }
    }

    /// A request to be completed; the path holds its query.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = match path.starts_with("http://") {
            true => path.to_owned(),
            false => format!("{}{path}", self.base),
        };
        self.client.request(method, url)
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None).await
    }

    /// POST with JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, Some(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, None).await
    }

    /// Any method, with JSON or without a body.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let request = self.request(method, path);
        read(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    /// An answer whose body is still to come.
    ///
    /// # Panics
    /// When there is none.
    pub async fn open(&self, path: &str) -> Response {
        let answer = timeout(DEADLINE, self.request(Method::GET, path).send()).await;
        answer.expect("an answer in time").expect("an answer")
    }
}

fn client(of: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> Client {
    // The second time it is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder().user_agent("contract").no_proxy();
    of(builder).build().expect("a client")
}

/// Sends a request and reads the answer whole.
///
/// # Panics
/// When there is none.
pub async fn read(request: RequestBuilder) -> Reply {
    let (client, request) = request.timeout(DEADLINE).build_split();
    let request = request.expect("a request");
    let asked = format!("{} {}", request.method(), request.url());
    let answer = client.execute(request).await;
    let answer = answer.unwrap_or_else(|error| panic!("{asked}: {error:?}"));
    let status = answer.status().as_u16();
    let headers = answer.headers().iter();
    let headers = headers
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect();
    let body = answer.bytes().await;
    let body = body.unwrap_or_else(|error| panic!("{asked}: {error:?}"));
    Reply {
        asked,
        status,
        headers,
        body: body.to_vec(),
    }
}

impl Reply {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header; empty if it is missing.
    pub fn header(&self, name: &str) -> &str {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// What an engine says of a refusal.
    pub fn message(&self) -> String {
        self.json()["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Code and message of a registry's first error.
    pub fn error(&self) -> (String, String) {
        let error = &self.json()["errors"][0];
        let word = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
        (word("code"), word("message"))
    }

    /// Fails the test unless this is the status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.text());
        self
    }

    /// Fails the test unless an engine refuses with this status and, all or in
    /// part, these words.
    #[track_caller]
    pub fn refuses(self, status: u16, words: &str) {
        let reply = self.expect(status);
        let message = reply.message();
        assert!(
            message.contains(words),
            "{}: `{words}` is not in `{message}`",
            reply.asked
        );
    }
}
