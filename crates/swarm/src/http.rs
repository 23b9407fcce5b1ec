//! The raw half of the client: JSON in, JSON out, nothing lost in between.
//!
//! Every transport ends in a local unix socket (see [`crate::transport`]), so
//! this knows of no other. Requests name the newest API version of the engine:
//! an older one would make it strip the fields that are newer than that from
//! a service spec, in what it sends and in what it stores.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt as _};
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

use crate::error::{chain, is_passing};
use crate::transport::Link;
use crate::{Error, ServiceId};

/// How long a request may take, body included.
pub(crate) const REQUEST: Duration = Duration::from_secs(30);

/// The most that is read of one answer: tens of thousands of services.
const LARGEST: usize = 512 << 20;

/// Pauses before a read whose connection broke is tried again.
const RETRIES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];

static REGISTRY_AUTH: HeaderName = HeaderName::from_static("x-registry-auth");

#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: Client,
    base: String,
    /// Keeps the way to the engine open for as long as anybody uses it.
    link: Arc<Link>,
    request: Duration,
}

#[derive(serde::Deserialize)]
struct EngineMessage {
    message: String,
}

impl Http {
    /// A client of the engine behind a socket, speaking this API version.
    pub(crate) fn new(link: Arc<Link>, api: &str, request: Duration) -> Result<Self, Error> {
        Ok(Self {
            client: client(link.socket())?,
            base: format!("http://docker/v{api}"),
            link,
            request,
        })
    }

    /// A read, tried again when the connection breaks.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        call: &str,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, Error> {
        let body = retrying(|| async {
            let request = self.client.get(self.url(path)).query(query);
            let response = self.answer(call, request.timeout(self.request)).await?;
            self.body(call, response).await
        })
        .await?;
        serde_json::from_slice(&body).map_err(|error| Error::Unintelligible {
            call: call.to_owned(),
            cause: error.to_string(),
        })
    }

    /// A change, sent once: JSON posted, and the answer to it. Any failure after
    /// it may have gone out is [`Error::AnswerLost`].
    pub(crate) async fn post(
        &self,
        call: &str,
        path: &str,
        query: &[(&str, String)],
        body: &Value,
        auth: Option<HeaderValue>,
    ) -> Result<Response, Error> {
        let mut request = self
            .client
            .post(self.url(path))
            .query(query)
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string());
        if let Some(auth) = auth {
            request = request.header(&REGISTRY_AUTH, auth);
        }
        self.change(call, request).await
    }

    /// Makes something, sent once: its ID, which the engine answers, spelt
    /// either way. As [`Http::post`]; an answer without an ID is lost as well.
    pub(crate) async fn create(
        &self,
        call: &str,
        path: &str,
        spec: &Value,
        auth: Option<HeaderValue>,
    ) -> Result<String, Error> {
        let answer = self.post(call, path, &[], spec, auth).await?;
        let lost = |cause: String| Error::AnswerLost {
            call: call.to_owned(),
            cause,
        };
        let made: Value = answer
            .json()
            .await
            .map_err(|error| lost(chain(&error.without_url())))?;
        let id = made.get("ID").or_else(|| made.get("Id"));
        match id.and_then(Value::as_str) {
            Some(id) if !id.is_empty() => Ok(id.to_owned()),
            _ => Err(lost("it names no ID".to_owned())),
        }
    }

    /// A removal, sent once, and the answer to it; as [`Http::post`].
    pub(crate) async fn delete(
        &self,
        call: &str,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Response, Error> {
        let request = self.client.delete(self.url(path)).query(query);
        self.change(call, request).await
    }

    async fn change(&self, call: &str, request: RequestBuilder) -> Result<Response, Error> {
        let answer = self.answer(call, request.timeout(self.request)).await;
        answer.map_err(|error| match error {
            Error::Broken { call, cause } => Error::AnswerLost { call, cause },
            Error::Deadline { call, seconds } => Error::AnswerLost {
                call,
                cause: format!("none came within {seconds} s"),
            },
            // The manager, or a proxy before it, may have passed it on.
            Error::Refused {
                call,
                status,
                message,
            } if is_passing(status, &message) => Error::AnswerLost {
                call,
                cause: message,
            },
            other => other,
        })
    }

    /// A change of what has a version index, which the query names; as
    /// [`Http::post`].
    pub(crate) async fn swap(
        &self,
        call: &str,
        path: &str,
        query: &[(&str, String)],
        body: &Value,
        auth: Option<HeaderValue>,
    ) -> Result<Response, Error> {
        let answer = self.post(call, path, query, body, auth).await;
        answer.map_err(|error| match error {
            Error::Refused { message, .. } if message.contains("update out of sequence") => {
                Error::OutOfSequence { message }
            }
            other => other,
        })
    }

    /// Writes a service's spec, once; the engine's warnings.
    pub(crate) async fn update_service(
        &self,
        service: &ServiceId,
        version: u64,
        spec: &Value,
        auth: Option<HeaderValue>,
    ) -> Result<Vec<String>, Error> {
        let call = format!("the update of service {}", service.short());
        let path = format!("/services/{service}/update");
        let query = [("version", version.to_string())];
        let response = self.swap(&call, &path, &query, spec, auth).await?;
        // The status has said that it is done; warnings are an extra.
        let warnings: Option<Value> = response.json().await.ok();
        let warnings = warnings.as_ref().and_then(|answer| answer.get("Warnings"));
        let warnings = warnings.and_then(Value::as_array).into_iter().flatten();
        Ok(warnings
            .filter_map(|text| Some(text.as_str()?.to_owned()))
            .collect())
    }

    /// A stream of bytes without an end, returned once the engine has begun to
    /// answer.
    pub(crate) async fn stream(
        &self,
        call: &'static str,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<BoxStream<'static, Result<Vec<u8>, Error>>, Error> {
        let response = retrying(|| async {
            let request = self.client.get(self.url(path)).query(query);
            match timeout(self.request, self.answer(call, request)).await {
                Ok(answer) => answer,
                Err(_) => Err(self.deadline(call)),
            }
        })
        .await?;
        Ok(self.chunks(call, response))
    }

    /// A change whose answer tells of it while it goes on, sent once. Returned
    /// once the engine has begun to answer, which may take `within`.
    pub(crate) async fn post_stream(
        &self,
        call: &'static str,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
        auth: Option<HeaderValue>,
        within: Duration,
    ) -> Result<BoxStream<'static, Result<Vec<u8>, Error>>, Error> {
        let mut request = self.client.post(self.url(path)).query(query);
        if let Some(body) = body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        if let Some(auth) = auth {
            request = request.header(&REGISTRY_AUTH, auth);
        }
        match timeout(within, self.answer(call, request)).await {
            Ok(answer) => Ok(self.chunks(call, answer?)),
            Err(_) => Err(Error::Deadline {
                call: call.to_owned(),
                seconds: within.as_secs(),
            }),
        }
    }

    fn chunks(
        &self,
        call: &'static str,
        response: Response,
    ) -> BoxStream<'static, Result<Vec<u8>, Error>> {
        let link = Arc::clone(&self.link);
        let chunks = response.bytes_stream().map(move |chunk| match chunk {
            Ok(bytes) => Ok(bytes.to_vec()),
            Err(error) => Err(Error::Broken {
                call: call.to_owned(),
                cause: link.explain(chain(&error.without_url())),
            }),
        });
        chunks.boxed()
    }

    /// Sends, and tells a yes from the kinds of no.
    async fn answer(&self, call: &str, request: RequestBuilder) -> Result<Response, Error> {
        let response = request
            .send()
            .await
            .map_err(|error| self.broken(call, &error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = self.body(call, response).await.unwrap_or_default();
        let message = match serde_json::from_slice::<EngineMessage>(&body) {
            Ok(answer) => answer.message,
            Err(_) => String::from_utf8_lossy(&body).trim().to_owned(),
        };
        Err(self.refused(call, status.as_u16(), message))
    }

    /// The whole of an answer, or an error when it has no end.
    async fn body(&self, call: &str, mut response: Response) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.broken(call, &e))? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                return Err(Error::Unintelligible {
                    call: call.to_owned(),
                    cause: format!("it is larger than {} MiB", LARGEST >> 20),
                });
            }
        }
        Ok(body)
    }

    /// The error of an answer that is not a yes.
    pub(crate) fn refused(&self, call: &str, status: u16, message: String) -> Error {
        if status == StatusCode::SERVICE_UNAVAILABLE && message.contains("not a swarm manager") {
            return Error::NotAManager {
                endpoint: Box::new(self.link.endpoint().clone()),
                member: !message.contains("docker swarm init"),
                managers: Vec::new(),
            };
        }
        Error::Refused {
            call: call.to_owned(),
            status,
            message,
        }
    }

    fn broken(&self, call: &str, error: &reqwest::Error) -> Error {
        if error.is_timeout() {
            return self.deadline(call);
        }
        if error.is_connect() {
            return self.link.refused_connection(error);
        }
        Error::Broken {
            call: call.to_owned(),
            cause: self.link.explain(innermost(error)),
        }
    }

    fn deadline(&self, call: &str) -> Error {
        Error::Deadline {
            call: call.to_owned(),
            seconds: self.request.as_secs(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// What happened at the bottom. The layers above it only name themselves, and
/// the address of a unix socket's http host means nothing to people.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

/// TLS is never spoken by this client: given an empty store, it does not read
/// the system's certificates either, nor need a provider for the process.
fn client(socket: &Path) -> Result<Client, Error> {
    let setup = |cause: String| Error::Unintelligible {
        call: "the client's own setup".to_owned(),
        cause,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| setup(error.to_string()))?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Client::builder()
        .unix_socket(socket)
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| setup(chain(&error)))
}

/// Runs a read again when its connection broke, or its manager is between two
/// leaders. Everything else, a deadline
/// included, is final: who waited once has waited long enough.
pub(crate) async fn retrying<T, F>(read: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    for pause in RETRIES {
        match read().await {
            Err(Error::Broken { .. } | Error::Connect { .. }) => tokio::time::sleep(pause).await,
            Err(Error::Refused {
                status, message, ..
            }) if is_passing(status, &message) => tokio::time::sleep(pause).await,
            answer => return answer,
        }
    }
    read().await
}
