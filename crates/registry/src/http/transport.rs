//! Requests as they leave the machine: time limits, redirects, sizes, counts.
//!
//! Redirects are followed by hand, because three rules must hold at each hop:
//! `Authorization` stays behind when the host changes, https does not become
//! http where the spec has not allowed that, and whose answer it is must be
//! known, for a storage's 401 says nothing about the registry's credential.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use imgstack_spec::RegistryHost;
use jiff::Timestamp;
use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, IF_NONE_MATCH, LOCATION,
};
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::answer::{self, Answer};
use super::delay;
use super::failure::{Cause, Failure};
use super::fault;
use super::plain::PlainHttp;
use super::retry::{Again, Attempt, End, Gate};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
const REDIRECTS: usize = 5;
/// GitHub's wish after a secondary rate limit when it names no time.
const SECONDARY_PAUSE: Duration = Duration::from_secs(60);
/// The most that is read of a manifest, a config or a page of tags.
pub(crate) const LARGEST_BODY: usize = 8 << 20;
/// What is kept of an answer whose end alone matters.
const LARGEST_END: usize = 256 << 10;
/// The most that is read of an error.
const LARGEST_COMPLAINT: usize = 64 << 10;

/// What requests are for, as they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestKind {
    /// `GET /v2/`: how does this registry ask who one is?
    Ping,
    /// A token of a token server.
    Token,
    /// A manifest, its digest, or why there is none.
    Manifest,
    /// A blob: an image's config.
    Blob,
    /// A page of tags.
    Tags,
    /// May one push?
    Upload,
    /// Whose a token of GitHub's is.
    Account,
    /// A page of a package's versions at GitHub.
    Package,
    /// A workflow of GitHub's: its start, its runs, their logs.
    Workflow,
    /// A pull request of GitHub's: its comments, its labels.
    PullRequest,
}

/// How many requests went to a host, repeated ones and redirects included.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RequestCount {
    /// Host, and port if it is not the scheme's own.
    pub host: String,
    /// `GET`, `HEAD`, `POST` and the like.
    pub method: String,
    /// What for.
    pub kind: RequestKind,
    /// How many.
    pub count: u64,
}

/// A request to be made.
pub(crate) struct Ask<'a> {
    /// The host it is about, which is not always where it goes.
    pub(crate) host: &'a RegistryHost,
    pub(crate) plain: PlainHttp,
    pub(crate) kind: RequestKind,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) authorization: Option<HeaderValue>,
    /// The `ETag` of an answer that is known already.
    pub(crate) known: Option<HeaderValue>,
    /// What to POST.
    pub(crate) body: Option<Body>,
    /// Not worth a second attempt, or not to be done twice.
    pub(crate) once: bool,
    /// What becomes of an answer that is too large.
    pub(crate) excess: Excess,
}

/// What is sent along with a request.
#[derive(Clone)]
pub(crate) struct Body {
    pub(crate) media_type: &'static str,
    pub(crate) text: String,
}

/// What becomes of an answer that is larger than is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excess {
    /// It is an error: half a manifest is none.
    Refused,
    /// Its beginning is dropped: the end of a log is what matters.
    Dropped,
}

impl<'a> Ask<'a> {
    /// A GET of that URL, by nobody.
    pub(crate) fn get(
        host: &'a RegistryHost,
        plain: PlainHttp,
        kind: RequestKind,
        url: Url,
    ) -> Self {
        Self {
            host,
            plain,
            kind,
            method: Method::GET,
            url,
            headers: &[],
            authorization: None,
            known: None,
            body: None,
            once: false,
            excess: Excess::Refused,
        }
    }
}

/// What came back, whatever its status.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The host that was asked has answered, not one that it redirected to.
    pub(crate) from_host: bool,
    /// Until the host wants to be asked again, if that is too long to wait.
    pub(crate) resets_in: Option<Duration>,
}

impl Reply {
    /// What a refusal says of itself.
    pub(crate) fn answer(&self) -> Answer {
        answer::read(&self.headers, self.status.as_u16(), &self.body)
    }
}

/// The way out.
#[derive(Default)]
pub(crate) struct Transport {
    usual: OnceLock<reqwest::Client>,
    direct: OnceLock<reqwest::Client>,
    plain: OnceLock<reqwest::Client>,
    gates: Mutex<HashMap<String, Arc<Gate>>>,
    counts: Mutex<BTreeMap<(String, String, RequestKind), u64>>,
}

impl Transport {
    /// Sends the request, again if need be. Any status is a reply.
    pub(crate) async fn send(&self, ask: &Ask<'_>) -> Result<Reply, Failure> {
        let gate = self.gate(&ask.url);
        match gate.pass(|| self.attempt(ask)).await {
            End::Said(Ok(reply), resets_in) => Ok(Reply { resets_in, ..reply }),
            End::Said(Err(error), _) => Err(error),
            End::Closed(wait) => Err(Failure {
                host: ask.host.clone(),
                cause: Cause::Closed(wait),
            }),
        }
    }

    /// What was sent so far.
    pub(crate) fn counts(&self) -> Vec<RequestCount> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let one =
            |((host, method, kind), count): (&(String, String, RequestKind), &u64)| RequestCount {
                host: host.clone(),
                method: method.clone(),
                kind: *kind,
                count: *count,
            };
        counts.iter().map(one).collect()
    }

    async fn attempt(&self, ask: &Ask<'_>) -> Attempt<Result<Reply, Failure>> {
        let result = self.follow(ask).await;
        let again = match &result {
            Ok(reply) => again(reply),
            Err(failure) => failure.is_passing().then(Again::default),
        };
        let once = ask.once;
        Attempt {
            result,
            again,
            once,
        }
    }

    /// The request, and where it is redirected to.
    async fn follow(&self, ask: &Ask<'_>) -> Result<Reply, Failure> {
        let mut url = ask.url.clone();
        let mut authorization = ask.authorization.clone();
        for _ in 0..=REDIRECTS {
            let response = self.exchange(ask, &url, authorization.as_ref()).await?;
            let Some(next) = redirect(ask, &url, &response)? else {
                let from_host = next_to(&url, &ask.url);
                return read(ask, response, from_host).await;
            };
            if !next_to(&next, &url) {
                authorization = None;
            }
            url = next;
        }
        let cause = format!("redirects more than {REDIRECTS} times");
        Err(Failure::protocol(ask.host, cause))
    }

    async fn exchange(
        &self,
        ask: &Ask<'_>,
        url: &Url,
        authorization: Option<&HeaderValue>,
    ) -> Result<reqwest::Response, Failure> {
        self.count(ask, url);
        let client = self.client(url).map_err(|error| unsent(ask, url, error))?;
        let mut request = client.request(ask.method.clone(), url.clone());
        for (name, value) in ask.headers {
            request = request.header(*name, *value);
        }
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(known) = &ask.known {
            request = request.header(IF_NONE_MATCH, known);
        }
        if let Some(body) = &ask.body {
            request = request
                .header(CONTENT_TYPE, body.media_type)
                // Of an empty one it would not be told, and some servers want it.
                .header(CONTENT_LENGTH, body.text.len())
                .body(body.text.clone());
        }
        request
            .send()
            .await
            .map_err(|error| unsent(ask, url, error))
    }

    fn count(&self, ask: &Ask<'_>, url: &Url) {
        let key = (authority(url), ask.method.to_string(), ask.kind);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(key).or_default() += 1;
    }

    fn gate(&self, url: &Url) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(authority(url)).or_default())
    }

    /// A client that goes through the proxy of the environment, unless the
    /// request is to this machine, which no proxy can reach. Where no TLS is
    /// spoken the system's certificates are not read: that takes longer than
    /// many a request.
    fn client(&self, url: &Url) -> Result<&reqwest::Client, reqwest::Error> {
        let host = RegistryHost::new(&authority(url));
        match (host.is_loopback(), url.scheme()) {
            (true, "http") => built(&self.plain, |builder| {
                builder.no_proxy().tls_certs_only(std::iter::empty())
            }),
            (true, _) => built(&self.direct, |builder| builder.no_proxy()),
            (false, _) => built(&self.usual, |builder| builder),
        }
    }
}

fn built(
    place: &OnceLock<reqwest::Client>,
    adjust: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<&reqwest::Client, reqwest::Error> {
    if let Some(client) = place.get() {
        return Ok(client);
    }
    // The process may have chosen its provider already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .user_agent(concat!("imgstack/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT);
    let client = adjust(builder).build()?;
    Ok(place.get_or_init(|| client))
}

/// Whether a reply is worth another attempt.
fn again(reply: &Reply) -> Option<Again> {
    let status = reply.status.as_u16();
    let secondary = status == 403
        && String::from_utf8_lossy(&reply.body)
            .to_ascii_lowercase()
            .contains("rate limit");
    let limited = status == 429 || secondary;
    (limited || status == 408 || status >= 500).then(|| Again {
        after: delay::asked(&reply.headers, &reply.body, Timestamp::now())
            .or(secondary.then_some(SECONDARY_PAUSE)),
        limited,
    })
}

/// Where the response points to, if it does and may.
fn redirect(
    ask: &Ask<'_>,
    url: &Url,
    response: &reqwest::Response,
) -> Result<Option<Url>, Failure> {
    let reading = ask.method == Method::GET || ask.method == Method::HEAD;
    if !reading || !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(LOCATION) else {
        return Ok(None);
    };
    let next = location
        .to_str()
        .ok()
        .and_then(|location| url.join(location).ok())
        .filter(Url::has_host)
        .ok_or_else(|| Failure::protocol(ask.host, "redirects to something that is no URL"))?;
    if !ask.plain.allows(&next) {
        let cause = format!(
            "redirects to {}://{}, which is not https",
            next.scheme(),
            authority(&next)
        );
        return Err(Failure::protocol(ask.host, cause));
    }
    Ok(Some(next))
}

async fn read(
    ask: &Ask<'_>,
    mut response: reqwest::Response,
    from_host: bool,
) -> Result<Reply, Failure> {
    let status = response.status();
    let most = if status.is_success() {
        LARGEST_BODY
    } else {
        LARGEST_COMPLAINT
    };
    let url = response.url().clone();
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| unsent(ask, &url, error))?
    {
        if status.is_success() && ask.excess == Excess::Dropped {
            body.extend_from_slice(&chunk);
            // Not with every chunk, which would move the rest each time.
            if body.len() > 2 * LARGEST_END {
                body.drain(..body.len() - LARGEST_END);
            }
            continue;
        }
        let room = most - body.len();
        if chunk.len() > room && status.is_success() {
            let cause = format!("sends more than {} MiB where that is the limit", most >> 20);
            return Err(Failure::protocol(ask.host, cause));
        }
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == most && !status.is_success() {
            break;
        }
    }
    Ok(Reply {
        status,
        headers: response.headers().clone(),
        body,
        from_host,
        resets_in: None,
    })
}

/// The failure of a request that got no answer.
fn unsent(ask: &Ask<'_>, url: &Url, error: reqwest::Error) -> Failure {
    let there = authority(url);
    let elsewhere = |cause: String| {
        if there == ask.host.as_str() {
            cause
        } else {
            format!("{there}: {cause}")
        }
    };
    Failure {
        host: ask.host.clone(),
        cause: match fault::of(&error) {
            fault::Fault::Unreached(cause) => Cause::Unreached(elsewhere(cause)),
            fault::Fault::Network(cause) => Cause::Network(elsewhere(cause)),
            fault::Fault::Tls(fault, cause) => Cause::Tls(fault, elsewhere(cause)),
        },
    }
}

/// Host, and port if it is not the scheme's own.
pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// A header's value that is kept out of debug output; None if it holds a
/// line break or the like.
pub(crate) fn sensitive(value: &SecretString) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value.expose_secret()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Whether both are the same host, port and scheme.
pub(crate) fn next_to(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin()
}
