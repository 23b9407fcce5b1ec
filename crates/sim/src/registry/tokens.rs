//! The token server, which is at `/token` of the registry itself.
//!
//! Tokens are opaque: whatever they are good for is remembered here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use super::access::{Action, Login, basic};
use super::refusal::Code;
use super::reply::Reply;
use super::store::State;
use super::{Manner, Registry};
use crate::Asked;

/// What a token is good for.
pub(super) struct Granted {
    /// None: nobody in particular.
    pub(super) user: Option<String>,
    pub(super) access: Vec<(String, Action)>,
    pub(super) expires: Timestamp,
}

impl Granted {
    pub(super) fn covers(&self, name: &str, action: Action) -> bool {
        let mut access = self.access.iter();
        access.any(|(known, granted)| known == name && *granted == action)
    }
}

/// A request for a token.
struct Question {
    login: Option<Login>,
    /// A login was meant, and cannot be read.
    unreadable: bool,
    scopes: Vec<(String, Action)>,
}

impl Registry {
    pub(super) fn token(&self, state: &mut State, asked: &Asked, now: Timestamp) -> Reply {
        let question = match asked.method {
            Method::GET => by_query(asked),
            Method::POST => match by_form(asked) {
                Ok(question) => question,
                Err(reply) => return reply,
            },
            _ => return Reply::empty(StatusCode::METHOD_NOT_ALLOWED),
        };
        let manner = self.0.settings.manner;
        let user = match &question.login {
            Some(login) => match state.user(manner, login, now) {
                Some(user) => Some(user.name.clone()),
                None => return wrong_login(manner),
            },
            None if question.unreadable => return wrong_login(manner),
            None => None,
        };
        let readable = |(name, action): &(String, Action)| {
            *action == Action::Pull && state.exists(name) && state.public.contains(name)
        };
        // Somebody always gets a token of GHCR, and learns later what it is
        // not good for. Nobody gets one only for what is public.
        if manner == Manner::Ghcr && user.is_none() && !question.scopes.iter().all(readable) {
            return Code::Denied.reply();
        }
        let may = |(name, action): &(String, Action)| state.may(user.as_deref(), name, *action);
        let access = question.scopes.into_iter().filter(may).collect();
        self.grant(state, user, access, &asked.method, now)
    }

    fn grant(
        &self,
        state: &mut State,
        user: Option<String>,
        access: Vec<(String, Action)>,
        method: &Method,
        now: Timestamp,
    ) -> Reply {
        let lifetime = self.0.settings.token_lifetime;
        let expires = now.saturating_add(lifetime).unwrap_or(Timestamp::MAX);
        let serial = state.next_serial();
        let token = STANDARD.encode(format!("v1:{}:{serial:08}", self.host()));
        // Now and then: a thousand nodes that pull at once ask for as many.
        if serial.is_multiple_of(256) {
            state.tokens.retain(|_, granted| now < granted.expires);
        }
        let identity = user.clone();
        let granted = Granted {
            user,
            access,
            expires,
        };
        state.tokens.insert(token.clone(), granted);
        let seconds = lifetime.as_secs();
        let body = match (self.0.settings.manner, method) {
            // It does not say how long.
            (Manner::Ghcr, _) => json!({"token": token}),
            (_, &Method::POST) => json!({
                "access_token": token, "scope": "", "expires_in": seconds, "issued_at": now,
            }),
            _ => json!({
                "token": token, "access_token": token, "expires_in": seconds, "issued_at": now,
            }),
        };
        let reply = Reply::json(StatusCode::OK, &body);
        Reply { identity, ..reply }
    }
}

fn wrong_login(manner: Manner) -> Reply {
    match manner {
        Manner::Ghcr => Code::Denied.saying("denied"),
        Manner::Hub => Reply::json(
            StatusCode::UNAUTHORIZED,
            &json!({"details": "incorrect username or password"}),
        ),
        Manner::Plain | Manner::Token => Code::Unauthorized.reply(),
    }
}

fn by_query(asked: &Asked) -> Question {
    let login = basic(asked);
    let pairs = form_urlencoded::parse(asked.query.as_bytes());
    let scopes = pairs.filter(|(key, _)| key == "scope");
    Question {
        unreadable: login.is_none() && asked.header("authorization").is_some(),
        login,
        scopes: scopes.flat_map(|(_, scope)| scope_of(&scope)).collect(),
    }
}

/// The OAuth 2 form, with a password. Nobody is given refresh tokens here.
fn by_form(asked: &Asked) -> Result<Question, Reply> {
    let (mut grant, mut name, mut password) = (None, None, None);
    let mut scopes = Vec::new();
    for (key, value) in form_urlencoded::parse(&asked.body) {
        match key.as_ref() {
            "grant_type" => grant = Some(value.into_owned()),
            "username" => name = Some(value.into_owned()),
            "password" => password = Some(value.into_owned()),
            "scope" => scopes.extend(scope_of(&value)),
            _ => {}
        }
    }
    let error = |status, code: &str| Err(Reply::json(status, &json!({"error": code})));
    match grant.as_deref() {
        Some("password") => {}
        Some("refresh_token") => return error(StatusCode::UNAUTHORIZED, "invalid_grant"),
        _ => return error(StatusCode::BAD_REQUEST, "unsupported_grant_type"),
    }
    let login = name
        .zip(password)
        .map(|(name, password)| (name, password.into()));
    Ok(Question {
        unreadable: login.is_none(),
        login,
        scopes,
    })
}

/// `repository:acme/db:pull,push`, several divided by blanks. What is not of
/// that form is passed over, as token servers do.
fn scope_of(text: &str) -> Vec<(String, Action)> {
    let mut found = Vec::new();
    for scope in text.split_whitespace() {
        let Some(rest) = scope.strip_prefix("repository:") else {
            continue;
        };
        let Some((name, actions)) = rest.rsplit_once(':') else {
            continue;
        };
        let all = [Action::Pull, Action::Push, Action::Delete];
        for action in actions.split(',') {
            let meant = all
                .into_iter()
                .filter(|it| action == "*" || it.word() == action);
            found.extend(meant.map(|it| (name.to_owned(), it)));
        }
    }
    found
}
