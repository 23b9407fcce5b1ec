//! Manifests and indexes: read, pushed and deleted, by tag and by digest.

use hyper::{Method, StatusCode};
use imgstack_spec::{Digest, Tag};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::refusal::Code;
use super::reply::Reply;
use super::store::{State, sha256};
use super::{Manner, Registry};
use crate::Asked;

pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// As Distribution bounds them.
const LARGEST: usize = 4 << 20;

impl Registry {
    pub(super) fn manifest(
        &self,
        state: &mut State,
        asked: &Asked,
        now: Timestamp,
        name: &str,
        reference: &str,
        identity: Option<&str>,
    ) -> Reply {
        match asked.method {
            Method::GET | Method::HEAD => {
                let counts = asked.method == Method::GET;
                let metered = match self.meter(state, identity, now, counts) {
                    Ok(metered) => metered,
                    Err(refused) => return refused,
                };
                let mut reply = self.read_manifest(state, asked, name, reference);
                reply.headers.extend(metered);
                reply
            }
            Method::PUT => put(state, asked, now, name, reference),
            Method::DELETE => self.delete_by_request(state, name, reference),
            _ => Code::Unsupported.reply(),
        }
    }

    fn read_manifest(&self, state: &State, asked: &Asked, name: &str, reference: &str) -> Reply {
        let shelf = state.repositories.get(name);
        let Some((digest, manifest)) = shelf.and_then(|shelf| shelf.find(reference)) else {
            let detail = match reference.parse::<Digest>() {
                Ok(_) => json!({"Name": name, "Revision": reference}),
                Err(_) => json!({"Tag": reference}),
            };
            return match self.0.settings.manner {
                Manner::Ghcr if !state.exists(name) => Code::NameUnknown.reply(),
                _ => Code::ManifestUnknown.detailing(detail),
            };
        };
        // Whoever does not say that they read OCI gets nothing: these
        // registries convert nothing.
        let kind = match manifest.media_type.as_str() {
            OCI_INDEX => Some(("index", "indexes")),
            OCI_MANIFEST => Some(("manifest", "manifests")),
            _ => None,
        };
        if let Some((one, several)) = kind
            && self.0.settings.manner != Manner::Hub
            && !accepts(asked, &manifest.media_type)
        {
            let words =
                format!("OCI {one} found, but accept header does not support OCI {several}");
            return Code::ManifestUnknown.saying(&words);
        }
        Reply::bytes(StatusCode::OK, manifest.bytes.clone())
            .with("content-type", &*manifest.media_type)
            .with("docker-content-digest", digest)
            .with("etag", format!("\"{digest}\""))
    }

    fn delete_by_request(&self, state: &mut State, name: &str, reference: &str) -> Reply {
        if matches!(self.0.settings.manner, Manner::Ghcr | Manner::Hub) {
            return Code::Unsupported.reply();
        }
        let shelf = state.repositories.get_mut(name);
        let deleted = shelf
            .is_some_and(|shelf| shelf.tags.remove(reference).is_some() || shelf.remove(reference));
        match deleted {
            true => Reply::empty(StatusCode::ACCEPTED),
            false => Code::ManifestUnknown.reply(),
        }
    }
}

fn accepts(asked: &Asked, media_type: &str) -> bool {
    let headers = asked.headers.get_all("accept").iter();
    headers
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| range.split(';').next().unwrap_or_default().trim() == media_type)
}

fn put(state: &mut State, asked: &Asked, now: Timestamp, name: &str, reference: &str) -> Reply {
    let digest = sha256(&asked.body);
    let tag = match (reference.parse::<Digest>(), reference.parse::<Tag>()) {
        (Ok(named), _) if named.as_str() != digest => return Code::DigestInvalid.reply(),
        (Ok(_), _) => None,
        (Err(_), Ok(tag)) => Some(tag),
        (Err(_), Err(_)) => return Code::ManifestInvalid.saying("neither a tag nor a digest"),
    };
    if asked.body.len() > LARGEST {
        return Code::ManifestInvalid.saying("manifest exceeds the limit of 4 MiB");
    }
    let Some(media_type) = media_type(asked) else {
        return Code::ManifestInvalid.reply();
    };
    let Ok(content) = serde_json::from_slice::<Value>(&asked.body) else {
        return Code::ManifestInvalid.reply();
    };
    if let Err(refused) = check(state, name, &content) {
        return refused;
    }
    state.keep_manifest(name, &media_type, asked.body.clone(), now);
    if let Some(tag) = tag {
        state.point(name, tag.as_str(), &digest);
    }
    Reply::empty(StatusCode::CREATED)
        .with("location", format!("/v2/{name}/manifests/{digest}"))
        .with("docker-content-digest", digest)
}

/// The media type that the request and the content agree on, of those known.
fn media_type(asked: &Asked) -> Option<String> {
    let sent = asked.header("content-type")?;
    let sent = sent.split(';').next().unwrap_or_default().trim();
    let known = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];
    let content: Value = serde_json::from_slice(&asked.body).ok()?;
    let agrees = content["mediaType"].as_str().is_none_or(|it| it == sent);
    (known.contains(&sent) && agrees).then(|| sent.to_owned())
}

/// Whether everything that a manifest names was pushed before it.
fn check(state: &State, name: &str, content: &Value) -> Result<(), Reply> {
    let digest = |descriptor: &Value| descriptor["digest"].as_str().map(str::to_owned);
    let missing = |digest: Option<String>| {
        Err(Code::ManifestBlobUnknown.detailing(json!({"digest": digest})))
    };
    let shelf = state.repositories.get(name);
    if let Some(manifests) = content["manifests"].as_array() {
        for wanted in manifests.iter().map(digest) {
            let there = |digest| shelf.is_some_and(|shelf| shelf.manifests.contains_key(digest));
            if !wanted.as_deref().is_some_and(there) {
                return missing(wanted);
            }
        }
        return Ok(());
    }
    let Some(layers) = content["layers"].as_array() else {
        return Err(Code::ManifestInvalid.reply());
    };
    for wanted in layers.iter().chain([&content["config"]]).map(digest) {
        let there = |digest: &str| state.blob(name, digest).is_some();
        if !wanted.as_deref().is_some_and(there) {
            return missing(wanted);
        }
    }
    Ok(())
}
