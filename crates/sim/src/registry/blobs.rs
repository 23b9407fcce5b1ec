//! Blobs: read, uploaded at once or in chunks, mounted, deleted.

use bytes::{Bytes, BytesMut};
use hyper::{Method, StatusCode};
use imgstack_spec::Digest;
use serde_json::json;

use super::access::Action;
use super::refusal::Code;
use super::reply::Reply;
use super::store::{Blob, State, sha256};
use super::{Manner, Registry};
use crate::Asked;

impl Registry {
    pub(super) fn blob(&self, state: &mut State, asked: &Asked, name: &str, digest: &str) -> Reply {
        let unknown = || Code::BlobUnknown.detailing(json!(digest));
        if digest.parse::<Digest>().is_err() {
            return Code::DigestInvalid.reply();
        }
        match asked.method {
            Method::GET | Method::HEAD => {
                let Some(blob) = state.blob(name, digest) else {
                    return unknown();
                };
                let reply = Reply::bytes(StatusCode::OK, blob.bytes.clone())
                    .with("content-type", "application/octet-stream")
                    .with("docker-content-digest", digest)
                    .with("etag", format!("\"{digest}\""));
                Reply {
                    length: Some(blob.size),
                    ..reply
                }
            }
            Method::DELETE if matches!(self.0.settings.manner, Manner::Plain | Manner::Token) => {
                let shelf = state.repositories.get_mut(name);
                match shelf.is_some_and(|shelf| shelf.blobs.remove(digest)) {
                    true => Reply::empty(StatusCode::ACCEPTED),
                    false => unknown(),
                }
            }
            _ => Code::Unsupported.reply(),
        }
    }

    /// `POST`: a whole blob, one of another repository, or the begin of one.
    pub(super) fn begin_upload(
        &self,
        state: &mut State,
        asked: &Asked,
        name: &str,
        identity: Option<&str>,
    ) -> Reply {
        if asked.method != Method::POST {
            return Code::Unsupported.reply();
        }
        if let Some(digest) = asked.parameter("digest") {
            return finish(state, name, &digest, asked.body.clone());
        }
        let mount = asked.parameter("mount").zip(asked.parameter("from"));
        if let Some((digest, from)) = mount
            && let Some(blob) = state.blob(&from, &digest).cloned()
            && self.lends(state, identity, &from)
        {
            state.keep_blob(name, &digest, blob);
            return created(name, &digest);
        }
        let id = format!("{:08}", state.next_serial());
        state.uploads.insert(id.clone(), asked.body.clone());
        progress(StatusCode::ACCEPTED, name, &id, asked.body.len())
    }

    /// Whether a mount may take from a repository. A registry open to all has
    /// nobody to forbid it to.
    fn lends(&self, state: &State, identity: Option<&str>, from: &str) -> bool {
        let open = self.0.settings.manner == Manner::Plain && state.users.is_empty();
        open || state.may(identity, from, Action::Pull)
    }

    /// An upload that was begun.
    pub(super) fn upload(&self, state: &mut State, asked: &Asked, name: &str, id: &str) -> Reply {
        let Some(before) = state.uploads.get(id).cloned() else {
            return Code::BlobUploadUnknown.reply();
        };
        match asked.method {
            Method::GET => progress(StatusCode::NO_CONTENT, name, id, before.len()),
            Method::PATCH if !continues(asked, before.len()) => {
                progress(StatusCode::RANGE_NOT_SATISFIABLE, name, id, before.len())
            }
            Method::PATCH => {
                let now = joined(&before, &asked.body);
                let length = now.len();
                state.uploads.insert(id.to_owned(), now);
                progress(StatusCode::ACCEPTED, name, id, length)
            }
            Method::PUT => {
                let Some(digest) = asked.parameter("digest") else {
                    return Code::DigestInvalid.saying("digest missing");
                };
                let reply = finish(state, name, &digest, joined(&before, &asked.body));
                if reply.status.is_success() {
                    state.uploads.remove(id);
                }
                reply
            }
            Method::DELETE => {
                state.uploads.remove(id);
                Reply::empty(StatusCode::NO_CONTENT)
            }
            _ => Code::BlobUploadInvalid.reply(),
        }
    }
}

/// A chunk that says where it belongs must belong at the end.
fn continues(asked: &Asked, length: usize) -> bool {
    let Some(range) = asked.header("content-range") else {
        return true;
    };
    let start = range.trim_start_matches("bytes ").split('-').next();
    start.and_then(|start| start.parse().ok()) == Some(length)
}

fn joined(before: &Bytes, more: &Bytes) -> Bytes {
    let mut bytes = BytesMut::with_capacity(before.len() + more.len());
    bytes.extend_from_slice(before);
    bytes.extend_from_slice(more);
    bytes.freeze()
}

fn finish(state: &mut State, name: &str, digest: &str, bytes: Bytes) -> Reply {
    if sha256(&bytes) != digest {
        return Code::DigestInvalid.reply();
    }
    let size = bytes.len() as u64;
    let blob = Blob {
        bytes,
        size,
        unpacked: None,
    };
    state.keep_blob(name, digest, blob);
    created(name, digest)
}

fn created(name: &str, digest: &str) -> Reply {
    Reply::empty(StatusCode::CREATED)
        .with("location", format!("/v2/{name}/blobs/{digest}"))
        .with("docker-content-digest", digest)
}

fn progress(status: StatusCode, name: &str, id: &str, length: usize) -> Reply {
    Reply::empty(status)
        .with("location", format!("/v2/{name}/blobs/uploads/{id}"))
        .with("docker-upload-uuid", id)
        .with("range", format!("0-{}", length.saturating_sub(1)))
}
