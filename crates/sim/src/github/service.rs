//! From a request to an answer: who asks, how much they have asked, what for.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hyper::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::access::{Token, TokenKind, Wanted};
use super::issues::pulls_of;
use super::reply::{Reply, refuse};
use super::store::State;
use super::{GitHub, views};
use crate::{Answer, Asked, Service};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

impl Service for GitHub {
    fn answer(&self, asked: Asked) -> BoxFuture<'_, Answer> {
        let (reply, identity) = self.reply(&asked);
        std::future::ready(reply.into_answer(identity)).boxed()
    }
}

impl GitHub {
    fn reply(&self, asked: &Asked) -> (Reply, Option<String>) {
        let (mut guard, now) = (self.state(), self.now());
        let state = &mut *guard;
        if let Some(job) = asked.path.strip_prefix("/_logs/") {
            return (Self::log(state, asked, job), None);
        }
        if asked.header("user-agent").is_none() {
            let words = "Request forbidden by administrative rules. Please make sure your \
                         request has a User-Agent header";
            return (refuse(403, words), None);
        }
        let caller = match state.caller(asked, now) {
            Ok(caller) => caller.cloned(),
            Err(refused) => return (refused, None),
        };
        let identity = caller.as_ref().map(|token| token.login.clone());
        let reply = match state.left(identity.as_deref(), now) {
            0 => refuse(403, &exceeded(identity.as_deref())),
            _ => {
                let base = state.base_url.clone().unwrap_or_else(|| {
                    format!(
                        "http://{}",
                        asked.header("host").unwrap_or("api.github.com")
                    )
                });
                let routed = self.routed(state, asked, &base, caller.as_ref());
                tagged(asked, routed.unwrap_or_else(|refused| refused))
            }
        };
        // What has not changed is free for those who say who they are.
        let free = reply.status == StatusCode::NOT_MODIFIED && identity.is_some();
        let mut reply = state.metered(reply, identity.as_deref(), now, !free);
        if let Some(token) = &caller {
            reply.headers.extend(facts(token));
        }
        let id = views::id_of(&format!("{} {}", asked.path, state.next_id()));
        (
            reply.with("x-github-request-id", format!("SIM:{id:08X}")),
            identity,
        )
    }

    fn routed(
        &self,
        state: &mut State,
        asked: &Asked,
        base: &str,
        caller: Option<&Token>,
    ) -> Result<Reply, Reply> {
        let parts: Vec<&str> = asked.path.trim_start_matches('/').split('/').collect();
        match parts.as_slice() {
            ["user"] => {
                let token = caller.ok_or_else(|| refuse(401, "Requires authentication"))?;
                match &token.kind {
                    TokenKind::Classic(_) | TokenKind::FineGrained { .. } => {
                        Ok(Reply::ok(&views::user(&token.login, false)))
                    }
                    kind @ TokenKind::Installation { .. } => Err(refuse(403, kind.refusal())),
                }
            }
            [
                kind @ ("users" | "orgs"),
                owner,
                "packages",
                "container",
                name,
                "versions",
            ] => self.versions(state, asked, base, caller, (kind, owner), name),
            ["repos", owner, name] if asked.method == Method::GET => {
                let wanted = Wanted {
                    part: "metadata",
                    write: false,
                };
                let repository = state.repository(caller, owner, name, wanted)?;
                Ok(Reply::ok(&views::repository(state, repository, base)))
            }
            ["repos", owner, name, "actions", rest @ ..] => {
                self.actions(state, asked, base, caller, (owner, name), rest)
            }
            ["repos", owner, name, "commits", sha, "pulls"] if asked.method == Method::GET => {
                let wanted = Wanted {
                    part: "pull_requests",
                    write: false,
                };
                state.repository(caller, owner, name, wanted)?;
                Ok(pulls_of(state, asked, base, (owner, name), sha))
            }
            ["repos", owner, name, "issues", rest @ ..] => {
                self.issues(state, asked, base, caller, (owner, name), rest)
            }
            _ => Err(refuse(404, "Not Found")),
        }
    }
}

impl State {
    fn allowed(&self, identity: Option<&str>) -> u64 {
        self.limit
            .unwrap_or(if identity.is_some() { 5000 } else { 60 })
    }

    /// How many requests are left in the caller's hour, this one included.
    fn left(&mut self, identity: Option<&str>, now: Timestamp) -> u64 {
        let allowed = self.allowed(identity);
        let spent = self.spent.entry(identity.unwrap_or_default().to_owned());
        let (began, used) = spent.or_insert((now, 0));
        if now.duration_since(*began) >= HOUR {
            (*began, *used) = (now, 0);
        }
        allowed.saturating_sub(*used)
    }

    fn metered(
        &mut self,
        reply: Reply,
        identity: Option<&str>,
        now: Timestamp,
        counts: bool,
    ) -> Reply {
        let allowed = self.allowed(identity);
        let spent = self.spent.entry(identity.unwrap_or_default().to_owned());
        let (began, used) = spent.or_insert((now, 0));
        *used = (*used + u64::from(counts)).min(allowed);
        let reset = began.saturating_add(HOUR).unwrap_or(Timestamp::MAX);
        reply
            .with("x-ratelimit-limit", allowed.to_string())
            .with("x-ratelimit-remaining", (allowed - *used).to_string())
            .with("x-ratelimit-used", used.to_string())
            .with("x-ratelimit-reset", reset.as_second().to_string())
            .with("x-ratelimit-resource", "core")
    }
}

fn exceeded(identity: Option<&str>) -> String {
    match identity {
        Some(login) => format!(
            "API rate limit exceeded for user ID {}.",
            views::id_of(login)
        ),
        None => "API rate limit exceeded for 203.0.113.7.".to_owned(),
    }
}

/// An ETag, and nothing more for whoever has that already.
fn tagged(asked: &Asked, reply: Reply) -> Reply {
    if asked.method != Method::GET || reply.status != StatusCode::OK {
        return reply;
    }
    let hash = Sha256::digest(&reply.body);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hex}\"");
    let known = asked.header("if-none-match").unwrap_or_default();
    let known = known
        .split(',')
        .any(|it| it.trim().trim_start_matches("W/") == tag);
    if known {
        return Reply::empty(StatusCode::NOT_MODIFIED).with("etag", tag);
    }
    // The weak form is what GitHub sends for JSON.
    reply.with("etag", format!("W/{tag}"))
}

/// What GitHub says of a token with each answer.
fn facts(token: &Token) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(end) = token.expires {
        let end = end.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        facts.push(("github-authentication-token-expiration", end));
    }
    if let TokenKind::Classic(scopes) = &token.kind {
        facts.push(("x-oauth-scopes", scopes.join(", ")));
    }
    facts
}
