//! Who may do what, and how they are asked who they are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::refusal::Code;
use super::reply::Reply;
use super::store::State;
use super::{Manner, Registry};
use crate::Asked;

/// Somebody with a password.
///
/// Rights are beginnings of repositories' names: `acme` covers `acme` and
/// `acme/db`, an empty text covers everything. Who may push may pull.
#[derive(Clone, Debug)]
pub struct User {
    /// The name.
    pub name: String,
    /// The password, or the token that stands for one.
    pub password: SecretString,
    /// What may be read.
    pub pull: Vec<String>,
    /// What may be written.
    pub push: Vec<String>,
    /// The password is good no more.
    pub revoked: bool,
    /// When the password ends.
    pub expires: Option<Timestamp>,
}

impl User {
    /// A user who may read what begins so.
    #[must_use]
    pub fn reader(name: &str, password: &str, pull: &str) -> Self {
        Self {
            name: name.to_owned(),
            password: password.into(),
            pull: vec![pull.to_owned()],
            push: Vec::new(),
            revoked: false,
            expires: None,
        }
    }

    /// A user who may write what begins so.
    #[must_use]
    pub fn writer(name: &str, password: &str, push: &str) -> Self {
        Self {
            push: vec![push.to_owned()],
            pull: Vec::new(),
            ..Self::reader(name, password, "")
        }
    }
}

/// What is to be done with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Pull,
    Push,
    Delete,
}

impl Action {
    pub(super) fn of(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD => Self::Pull,
            Method::DELETE => Self::Delete,
            _ => Self::Push,
        }
    }

    /// As a scope names it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
        }
    }
}

/// A name and a password as they were sent.
pub(super) type Login = (String, SecretString);

impl State {
    /// Who that is. The error is a password that is not good.
    pub(super) fn user(&self, manner: Manner, login: &Login, now: Timestamp) -> Option<&User> {
        let (name, password) = login;
        let password = password.expose_secret();
        let fits = |user: &&User| user.password.expose_secret() == password;
        let user = match manner {
            // GitHub wants classic tokens here, and asks nothing of the name.
            Manner::Ghcr if password.starts_with("github_pat_") => None,
            Manner::Ghcr => self.users.values().find(fits),
            Manner::Plain | Manner::Token | Manner::Hub => self.users.get(name).filter(fits),
        };
        user.filter(|user| !user.revoked && user.expires.is_none_or(|end| now < end))
    }

    /// Whether somebody, or nobody in particular, may do that.
    pub(super) fn may(&self, user: Option<&str>, name: &str, action: Action) -> bool {
        let user = user.and_then(|user| self.users.get(user));
        let covered = |rights: fn(&User) -> &[String]| {
            user.is_some_and(|user| rights(user).iter().any(|right| covers(right, name)))
        };
        let writes = covered(|user| &user.push);
        match action {
            Action::Pull => writes || self.public.contains(name) || covered(|user| &user.pull),
            Action::Push | Action::Delete => writes,
        }
    }
}

fn covers(right: &str, name: &str) -> bool {
    let right = right.trim_end_matches('/');
    right.is_empty()
        || name
            .strip_prefix(right)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The login of a Basic header; None if there is none that can be read.
pub(super) fn basic(asked: &Asked) -> Option<Login> {
    let (scheme, encoded) = asked.header("authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.into()))
}

impl Registry {
    /// Lets a request in, in somebody's name or in nobody's, or refuses it.
    /// `wanted` is None at the ping.
    pub(super) fn admit(
        &self,
        state: &State,
        asked: &Asked,
        now: Timestamp,
        wanted: Option<(&str, Action)>,
    ) -> Result<Option<String>, Reply> {
        let manner = self.0.settings.manner;
        match manner {
            Manner::Plain => admit_basic(state, asked, now, wanted),
            Manner::Token | Manner::Hub | Manner::Ghcr => {
                let header = asked.header("authorization").unwrap_or_default();
                let token = header.strip_prefix("Bearer ");
                let granted = token.map(|token| state.tokens.get(token.trim()));
                match granted {
                    None => Err(self.challenge(state, asked, wanted, None)),
                    Some(Some(granted)) if now < granted.expires => {
                        let user = granted.user.clone();
                        match wanted {
                            Some((name, action)) if manner == Manner::Ghcr => {
                                admit_package(state, user, name, action)
                            }
                            Some((name, action)) if !granted.covers(name, action) => {
                                let error = Some("insufficient_scope");
                                Err(self.challenge(state, asked, wanted, error)).map_err(|reply| {
                                    Reply {
                                        identity: user,
                                        ..reply
                                    }
                                })
                            }
                            _ => Ok(user),
                        }
                    }
                    Some(_) => Err(self.challenge(state, asked, wanted, Some("invalid_token"))),
                }
            }
        }
    }

    fn challenge(
        &self,
        state: &State,
        asked: &Asked,
        wanted: Option<(&str, Action)>,
        error: Option<&str>,
    ) -> Reply {
        let base = match &state.base_url {
            Some(base) => base.trim_end_matches('/').to_owned(),
            None => format!("http://{}", asked.header("host").unwrap_or(self.host())),
        };
        let mut header = format!(
            r#"Bearer realm="{base}/token",service="{}""#,
            self.service()
        );
        let scope = wanted.map(|(name, action)| match action {
            Action::Push => format!("repository:{name}:pull,push"),
            Action::Pull | Action::Delete => format!("repository:{name}:{}", action.word()),
        });
        // GHCR answers a ping with an example of a scope, word for word.
        let example = || "repository:user/image:pull".to_owned();
        let ghcr = self.0.settings.manner == Manner::Ghcr;
        if let Some(scope) = scope.or_else(|| ghcr.then(example)) {
            header += &format!(r#",scope="{scope}""#);
        }
        if let Some(error) = error {
            header += &format!(r#",error="{error}""#);
        }
        let reply = match wanted {
            Some((name, action)) if !ghcr => {
                let detail = json!([{"Type": "repository", "Class": "", "Name": name, "Action": action.word()}]);
                Code::Unauthorized.detailing(detail)
            }
            _ => Code::Unauthorized.reply(),
        };
        reply.with("www-authenticate", header)
    }

    /// What the registry is called by its token server.
    fn service(&self) -> &str {
        match self.0.settings.manner {
            Manner::Hub => "registry.docker.io",
            Manner::Plain | Manner::Token | Manner::Ghcr => self.host(),
        }
    }
}

fn admit_basic(
    state: &State,
    asked: &Asked,
    now: Timestamp,
    wanted: Option<(&str, Action)>,
) -> Result<Option<String>, Reply> {
    if state.users.is_empty() {
        return Ok(None);
    }
    let login = basic(asked);
    let user = login.and_then(|login| state.user(Manner::Plain, &login, now));
    let Some(user) = user.map(|user| user.name.clone()) else {
        let challenge = r#"Basic realm="Registry Realm""#;
        return Err(Code::Unauthorized
            .reply()
            .with("www-authenticate", challenge));
    };
    match wanted {
        Some((name, action)) if !state.may(Some(&user), name, action) => {
            let reply = Code::Denied.reply();
            Err(Reply {
                identity: Some(user),
                ..reply
            })
        }
        _ => Ok(Some(user)),
    }
}

/// At GitHub it is the package that refuses, in words of its own; what is not
/// there refuses as what may not be read.
fn admit_package(
    state: &State,
    user: Option<String>,
    name: &str,
    action: Action,
) -> Result<Option<String>, Reply> {
    let writes = state.may(user.as_deref(), name, Action::Push);
    let reads = writes || state.exists(name) && state.may(user.as_deref(), name, Action::Pull);
    let words = match action {
        _ if !reads => "permission_denied: read_package",
        Action::Push | Action::Delete if !writes => "permission_denied: write_package",
        Action::Pull | Action::Push | Action::Delete => return Ok(user),
    };
    let reply = Code::Denied.saying(words);
    Err(Reply {
        identity: user,
        ..reply
    })
}
