//! From a request to an answer: one way for sockets and for engines.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hyper::StatusCode;
use jiff::Timestamp;

use super::access::Action;
use super::reply::Reply;
use super::route::{Part, Route, is_name};
use super::store::{State, sha256};
use super::{Manner, Registry};
use crate::registry::refusal::Code;
use crate::{Answer, Asked, Service};

impl Service for Registry {
    fn answer(&self, asked: Asked) -> BoxFuture<'_, Answer> {
        let reply = self.reply(&asked, self.0.clock.now());
        std::future::ready(reply.into_answer(&asked.method)).boxed()
    }
}

impl Registry {
    /// Answers a request that came in at that time.
    pub(super) fn reply(&self, asked: &Asked, now: Timestamp) -> Reply {
        let mut state = self.state();
        // A socket that listens cannot refuse a connection: this is what the
        // proxy before a registry that is down would say.
        if state.off {
            return Reply::bytes(StatusCode::SERVICE_UNAVAILABLE, "no healthy upstream");
        }
        let serial = state.next_serial();
        let reply = match self.throttle(&mut state) {
            Some(reply) => reply,
            None => self.routed(&mut state, asked, now),
        };
        let reply = reply.with("docker-distribution-api-version", "registry/2.0");
        match self.0.settings.manner {
            Manner::Ghcr => reply.with("x-github-request-id", request_id(serial, now)),
            Manner::Plain | Manner::Token | Manner::Hub => reply,
        }
    }

    fn routed(&self, state: &mut State, asked: &Asked, now: Timestamp) -> Reply {
        match Route::of(&asked.path) {
            Route::Token if self.0.settings.manner != Manner::Plain => {
                self.token(state, asked, now)
            }
            Route::Ping => match self.admit(state, asked, now, None) {
                Ok(identity) => Reply {
                    identity,
                    ..Reply::json(StatusCode::OK, &serde_json::json!({}))
                },
                Err(refused) => refused,
            },
            Route::Of(name, part) => self.within(state, asked, now, name, part),
            Route::Token | Route::Nowhere => {
                Reply::bytes(StatusCode::NOT_FOUND, "404 page not found\n")
            }
        }
    }

    fn within(
        &self,
        state: &mut State,
        asked: &Asked,
        now: Timestamp,
        name: &str,
        part: Part<'_>,
    ) -> Reply {
        if !is_name(name) {
            return Code::NameInvalid.reply();
        }
        // What an upload has so far is asked for by those who push.
        let action = match part {
            Part::Uploads | Part::Upload(_) => Action::Push,
            Part::Manifest(_) | Part::Blob(_) | Part::Tags => Action::of(&asked.method),
        };
        let identity = match self.admit(state, asked, now, Some((name, action))) {
            Ok(identity) => identity,
            Err(refused) => return refused,
        };
        let reply = match part {
            Part::Manifest(reference) => {
                self.manifest(state, asked, now, name, reference, identity.as_deref())
            }
            Part::Blob(digest) => self.blob(state, asked, name, digest),
            Part::Uploads => self.begin_upload(state, asked, name, identity.as_deref()),
            Part::Upload(id) => self.upload(state, asked, name, id),
            Part::Tags => self.tags(state, asked, name),
        };
        Reply { identity, ..reply }
    }
}

/// In GitHub's form, and another one for each request.
fn request_id(serial: u64, now: Timestamp) -> String {
    let hash = sha256(format!("{serial} {now}").as_bytes()).to_uppercase();
    let part = |from: usize, to: usize| hash.get(from..to).unwrap_or_default();
    let seconds = now.as_second();
    format!(
        "{}:{}:{}:{}:{seconds:X}",
        part(7, 11),
        part(11, 17),
        part(17, 24),
        part(24, 31)
    )
}
