//! An engine's side of a pull, as Docker 20.10 does it: which requests it
//! sends, and how it words what comes back.
//!
//! Deliberately absent: layers that the node has already, which a registry
//! cannot know of; every pull asks for all of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use imgstack_spec::{ImageRef, Platform};
use secrecy::ExposeSecret as _;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::Registry;
use super::refusal::Code;
use super::reply::Reply;
use super::store::sha256;
use crate::{Asked, Descriptor, Fault, Pull, PullError, Recorded};

const AGENT: &str = "docker/20.10.24";
const MANIFESTS: &str = "application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.index.v1+json, \
     application/vnd.oci.image.manifest.v1+json";

/// One pull under way.
pub(super) struct Puller<'a> {
    registry: &'a Registry,
    image: &'a ImageRef,
    pull: &'a Pull<'a>,
    authorization: Option<String>,
}

impl<'a> Puller<'a> {
    pub(super) fn new(registry: &'a Registry, image: &'a ImageRef, pull: &'a Pull<'a>) -> Self {
        Self {
            registry,
            image,
            pull,
            authorization: None,
        }
    }

    /// Asks how one gets in, and gets what it takes.
    pub(super) fn knock(&mut self) -> Result<(), PullError> {
        let ping = self.send(&Method::GET, "/v2/")?;
        if !ping.status.is_success() && ping.status != StatusCode::UNAUTHORIZED {
            return Err(self.refused(&ping));
        }
        let challenge = ping.header("www-authenticate").unwrap_or_default();
        if challenge.starts_with("Basic") {
            // Only the first real request finds out that there is nothing to
            // send, and so it is the one that is named.
            let login = self
                .login()
                .ok_or_else(|| PullError::Denied(self.first("no basic auth credentials")))?;
            self.authorization = Some(login);
        } else if challenge.starts_with("Bearer") {
            self.authorization = Some(self.token(challenge)?);
        }
        Ok(())
    }

    fn login(&self) -> Option<String> {
        let credential = self.pull.credential?;
        let password = credential.password.expose_secret();
        let pair = format!("{}:{password}", credential.username);
        Some(format!("Basic {}", STANDARD.encode(pair)))
    }

    fn token(&mut self, challenge: &str) -> Result<String, PullError> {
        let service = challenge.split("service=\"").nth(1);
        let service = service.and_then(|rest| rest.split('"').next());
        let scope = format!("repository:{}:pull", self.image.repository.path());
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(credential) = self.pull.credential {
            query.append_pair("account", &credential.username);
        }
        query.append_pair("scope", &scope);
        query.append_pair("service", service.unwrap_or_default());
        self.authorization = self.login();
        let reply = self.send(&Method::GET, &format!("/token?{}", query.finish()))?;
        if !reply.status.is_success() {
            // That, too, is told of the request that wanted the token.
            return Err(match words(&reply) {
                Some((_, text)) if reply.status.is_client_error() => match reply.status {
                    StatusCode::TOO_MANY_REQUESTS => PullError::Failed(text),
                    _ => PullError::Denied(self.first(&text)),
                },
                _ => self.refused(&reply),
            });
        }
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        Ok(format!(
            "Bearer {}",
            body["token"].as_str().unwrap_or_default()
        ))
    }

    /// What the reference leads to: itself, if it says so.
    pub(super) fn digest(&self) -> Result<String, PullError> {
        if let Some(digest) = &self.image.digest {
            return Ok(digest.as_str().to_owned());
        }
        let path = self.manifest_path(&self.reference());
        let mut reply = self.send(&Method::HEAD, &path)?;
        if !reply.status.is_success() {
            // A HEAD does not say why.
            reply = self.send(&Method::GET, &path)?;
        }
        let reply = self.checked(reply)?;
        let told = reply.header("docker-content-digest").map(str::to_owned);
        Ok(told.unwrap_or_else(|| sha256(&reply.body)))
    }

    pub(super) fn manifest(&self, digest: &str) -> Result<Value, PullError> {
        let reply = self.send(&Method::GET, &self.manifest_path(digest))?;
        let body = self.checked(reply)?.body;
        let content = serde_json::from_slice(&body).ok();
        content.filter(|_| sha256(&body) == digest).ok_or_else(|| {
            PullError::Failed(format!("manifest verification failed for digest {digest}"))
        })
    }

    /// What the manifest or index is, and for which platforms.
    pub(super) fn descriptor(&self, digest: &str) -> Result<Descriptor, PullError> {
        let reply = self.checked(self.send(&Method::GET, &self.manifest_path(digest))?)?;
        let content: Value = serde_json::from_slice(&reply.body)
            .map_err(|error| PullError::Failed(format!("invalid manifest: {error}")))?;
        let platforms = match content["manifests"].as_array() {
            Some(entries) => entries.iter().map(|it| it["platform"].clone()).collect(),
            None => {
                let config = self.config(&content["config"])?;
                vec![json!({"os": config["os"], "architecture": config["architecture"]})]
            }
        };
        Ok(Descriptor {
            media_type: reply.header("content-type").unwrap_or_default().to_owned(),
            digest: digest.to_owned(),
            size: reply.body.len() as u64,
            platforms,
        })
    }

    pub(super) fn config(&self, descriptor: &Value) -> Result<Value, PullError> {
        let body = self.blob(descriptor, "image config")?;
        serde_json::from_slice(&body)
            .map_err(|error| PullError::Failed(format!("invalid image config: {error}")))
    }

    /// Fetches a layer; what it takes on the disk.
    pub(super) fn layer(&self, descriptor: &Value) -> Result<u64, PullError> {
        self.blob(descriptor, "filesystem layer")?;
        let digest = descriptor["digest"].as_str().unwrap_or_default();
        let state = self.registry.state();
        let blob = state.blob(self.image.repository.path(), digest);
        let unpacked = blob.and_then(|blob| blob.unpacked);
        // What text and programs usually shrink to.
        let size = descriptor["size"].as_u64().unwrap_or_default();
        Ok(unpacked.unwrap_or_else(|| size.saturating_mul(5) / 2))
    }

    fn blob(&self, descriptor: &Value, kind: &str) -> Result<Bytes, PullError> {
        let digest = descriptor["digest"].as_str().unwrap_or_default();
        let path = format!("/v2/{}/blobs/{digest}", self.image.repository.path());
        let body = self.checked(self.send(&Method::GET, &path)?)?.body;
        match sha256(&body) == digest {
            true => Ok(body),
            false => Err(PullError::Failed(format!(
                "{kind} verification failed for digest {digest}"
            ))),
        }
    }

    /// The tag or the digest that is asked for first.
    fn reference(&self) -> String {
        match (&self.image.digest, &self.image.tag) {
            (Some(digest), _) => digest.as_str().to_owned(),
            (None, Some(tag)) => tag.as_str().to_owned(),
            (None, None) => "latest".to_owned(),
        }
    }

    fn manifest_path(&self, reference: &str) -> String {
        format!("/v2/{}/manifests/{reference}", self.image.repository.path())
    }

    /// Something that went wrong with the first request for a manifest.
    fn first(&self, what: &str) -> String {
        let method = match self.image.digest {
            Some(_) => Method::GET,
            None => Method::HEAD,
        };
        let path = self.manifest_path(&self.reference());
        self.of(&method, &path, what)
    }

    /// Something that went wrong with a request, as Go's client has it.
    fn of(&self, method: &Method, path: &str, what: &str) -> String {
        let verb = match *method {
            Method::HEAD => "Head",
            _ => "Get",
        };
        let (scheme, host) = (self.registry.scheme(), host_of_api(self.registry.host()));
        format!("{verb} \"{scheme}://{host}{path}\": {what}")
    }

    /// Sends a request, and writes it down as a server would.
    fn send(&self, method: &Method, target: &str) -> Result<Reply, PullError> {
        let (registry, inner) = (self.registry, &self.registry.0);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let asked = Asked {
            method: method.clone(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: self.headers(),
            body: Bytes::new(),
        };
        let fault = inner.faults.hit(registry.host(), method.as_str(), target);
        let answered = if registry.state().off {
            let host = host_of_api(registry.host());
            let host = match host.contains(':') {
                true => host.to_owned(),
                false => format!("{host}:443"),
            };
            let what = format!("dial tcp {host}: connect: connection refused");
            Err(PullError::Unreachable(self.of(method, target, &what)))
        } else {
            self.suffer(fault, &asked, target)
        };
        inner.record.add(Recorded {
            at: self.pull.at,
            server: registry.host().to_owned(),
            method: method.to_string(),
            path: target.to_owned(),
            identity: answered.as_ref().ok().and_then(|it| it.identity.clone()),
            agent: Some(format!("{AGENT} ({})", self.pull.node)),
            status: answered.as_ref().ok().map(|it| it.status.as_u16()),
        });
        answered
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(HOST, host_of_api(self.registry.host()));
        set(ACCEPT, MANIFESTS);
        if let Some(authorization) = &self.authorization {
            set(AUTHORIZATION, authorization);
        }
        headers
    }

    /// What the network would have done. A delay is none here: nothing waits.
    fn suffer(
        &self,
        fault: Option<Fault>,
        asked: &Asked,
        target: &str,
    ) -> Result<Reply, PullError> {
        let lost = |what: &str| PullError::Unreachable(self.of(&asked.method, target, what));
        let carried_out = || self.registry.reply(asked, self.pull.at);
        match fault {
            None | Some(Fault::Delay(_)) => Ok(carried_out()),
            Some(Fault::Refuse) => Err(lost("EOF")),
            Some(Fault::Cut) => {
                carried_out();
                Err(lost("EOF"))
            }
            Some(Fault::CutBody) => {
                carried_out();
                Err(PullError::Failed("unexpected EOF".to_owned()))
            }
            Some(Fault::Corrupt) => {
                let mut reply = carried_out();
                let mut body = reply.body.to_vec();
                if let Some(byte) = body.last_mut() {
                    *byte = byte.wrapping_add(1);
                }
                reply.body = body.into();
                Ok(reply)
            }
            Some(Fault::Answer { status, body, .. }) => {
                let status = StatusCode::from_u16(status);
                Ok(Reply::bytes(
                    status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                    body,
                ))
            }
        }
    }

    fn checked(&self, reply: Reply) -> Result<Reply, PullError> {
        match reply.status.is_success() {
            true => Ok(reply),
            false => Err(self.refused(&reply)),
        }
    }

    fn refused(&self, reply: &Reply) -> PullError {
        let Some((code, text)) = words(reply) else {
            let text = format!("received unexpected HTTP status: {}", reply.status);
            return PullError::Failed(text);
        };
        let name = self.image.repository.familiar();
        match code.as_str() {
            "DENIED" => PullError::Denied(format!(
                "pull access denied for {name}, repository does not exist or may require \
                 'docker login': {text}"
            )),
            "UNAUTHORIZED" => PullError::Denied(text),
            "MANIFEST_UNKNOWN" => PullError::NotFound(format!(
                "manifest for {} not found: {text}",
                self.familiar()
            )),
            "NAME_UNKNOWN" => PullError::NotFound(format!("repository {name} not found: {text}")),
            "BLOB_UNKNOWN" => PullError::NotFound(text),
            _ => PullError::Failed(text),
        }
    }

    /// The reference as docker shows it. It drops a tag beside a digest.
    fn familiar(&self) -> String {
        let name = self.image.repository.familiar();
        match self.image.digest {
            Some(_) => format!("{name}@{}", self.reference()),
            None => format!("{name}:{}", self.reference()),
        }
    }
}

/// Code and words of a refusal, as Distribution's client reads and prints them;
/// None for what it calls an unexpected status.
fn words(reply: &Reply) -> Option<(String, String)> {
    if reply.status.is_server_error() {
        return None;
    }
    let challenge = reply.header("www-authenticate").unwrap_or_default();
    // Before the body: a token that is not enough is a denial.
    if challenge.contains("error=\"insufficient_scope\"") {
        let text = "denied: requested access to the resource is denied";
        return Some(("DENIED".to_owned(), text.to_owned()));
    }
    let body: Value = serde_json::from_slice(&reply.body).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let first = &body["errors"][0];
    if let (Some(code), Some(message)) = (text(&first["code"]), text(&first["message"])) {
        // The usual words alone say no more than the code.
        let usual = Code::usual_words(&code) == Some(&message) && first["detail"].is_null();
        let said = match usual {
            true => spoken(&code),
            false => format!("{}: {message}", spoken(&code)),
        };
        return Some((code, said));
    }
    let code = match reply.status {
        StatusCode::UNAUTHORIZED => "UNAUTHORIZED",
        StatusCode::TOO_MANY_REQUESTS => "TOOMANYREQUESTS",
        _ => return None,
    };
    let details = text(&body["details"])?;
    Some((code.to_owned(), format!("{}: {details}", spoken(code))))
}

/// A code as Distribution's client prints it.
fn spoken(code: &str) -> String {
    code.replace('_', " ").to_lowercase()
}

/// The child of an index that runs on a node.
pub(super) fn select(index: &Value, os: &str, architecture: &str) -> Result<String, PullError> {
    let (architecture, variant) = match architecture {
        "x86_64" => ("amd64", None),
        "aarch64" | "arm64" => ("arm64", Some("v8")),
        "armv7l" => ("arm", Some("v7")),
        "armv6l" => ("arm", Some("v6")),
        other => (other, None),
    };
    let node = Platform {
        os: os.to_owned(),
        architecture: architecture.to_owned(),
        variant: variant.map(str::to_owned),
    };
    let entries = index["manifests"].as_array().into_iter().flatten();
    let made: Vec<(Platform, &str)> = entries
        .filter_map(|entry| {
            let platform = Platform::deserialize(&entry["platform"]).ok()?;
            Some((platform, entry["digest"].as_str()?))
        })
        .collect();
    let best = Platform::best(made.iter().map(|(platform, _)| platform), &node);
    let child = made.iter().find(|(platform, _)| Some(platform) == best);
    child
        .map(|(_, digest)| (*digest).to_owned())
        .ok_or_else(|| {
            PullError::NoPlatform(format!(
                "no matching manifest for {node} in the manifest list entries"
            ))
        })
}

/// Where the registry of that name is reached.
pub(super) fn host_of_api(host: &str) -> &str {
    match host {
        "docker.io" => "registry-1.docker.io",
        other => other,
    }
}
