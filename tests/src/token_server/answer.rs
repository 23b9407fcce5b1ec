//! A request for a token, the judgement on it, and the words of the answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::rights::{Access, Pattern, User, Users};

/// Who asks for what.
#[derive(Debug, Default)]
pub(super) struct Question {
    login: Login,
    scopes: Vec<String>,
}

#[derive(Debug, Default)]
enum Login {
    #[default]
    None,
    Password {
        user: String,
        password: String,
    },
    /// Something was sent that is no login at all.
    Unreadable,
}

/// Why there is no token. The kinds are those that GHCR's users meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The user does not exist, or the password is wrong or revoked.
    WrongLogin,
    /// Nobody is logged in, and the package is private or does not exist.
    Anonymous,
    /// Logged in, but without access to the package.
    NoPull,
    /// May read the package, but not write it.
    NoPush,
}

pub(super) enum Answer {
    Granted {
        body: Value,
        access: Vec<Access>,
    },
    Refused(Refusal),
    /// The lab itself is at fault.
    Broken(String),
}

impl Question {
    /// `scope` may come several times, and one may hold several.
    pub(super) fn from_query(query: &str, authorization: Option<&[u8]>) -> Self {
        let login = authorization.map_or(Login::None, basic_login);
        let mut scopes = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if name == "scope" {
                scopes.extend(words(&value));
            }
        }
        Self { login, scopes }
    }

    pub(super) fn from_form(body: &[u8]) -> Self {
        let (mut user, mut password, mut scopes) = (None, None, Vec::new());
        for (name, value) in form_urlencoded::parse(body) {
            match name.as_ref() {
                "username" => user = Some(value.into_owned()),
                "password" => password = Some(value.into_owned()),
                "scope" => scopes.extend(words(&value)),
                _ => {}
            }
        }
        let login = match (user, password) {
            (Some(user), Some(password)) => Login::Password { user, password },
            _ => Login::Unreadable,
        };
        Self { login, scopes }
    }

    pub(super) fn account(&self) -> Option<&str> {
        match &self.login {
            Login::Password { user, .. } => Some(user),
            Login::None | Login::Unreadable => None,
        }
    }

    pub(super) fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// What may be granted: all that was asked for, or nothing.
    pub(super) fn judge(&self, users: &Users) -> Result<Vec<Access>, Refusal> {
        let user = self.user(users)?;
        self.scopes
            .iter()
            .map(|scope| granted(scope, user, users))
            .collect()
    }

    fn user<'a>(&self, users: &'a Users) -> Result<Option<&'a User>, Refusal> {
        match &self.login {
            Login::None => Ok(None),
            Login::Unreadable => Err(Refusal::WrongLogin),
            Login::Password { user, password } => match users.users.get(user) {
                Some(known) if known.password == *password && !known.revoked => Ok(Some(known)),
                _ => Err(Refusal::WrongLogin),
            },
        }
    }
}

fn words(value: &str) -> impl Iterator<Item = String> {
    value.split_whitespace().map(str::to_owned)
}

fn basic_login(header: &[u8]) -> Login {
    let decoded = header
        .split_at_checked(6)
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"basic "))
        .and_then(|(_, encoded)| STANDARD.decode(encoded.trim_ascii()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded.as_deref().and_then(|login| login.split_once(':')) {
        Some((user, password)) => Login::Password {
            user: user.to_owned(),
            password: password.to_owned(),
        },
        None => Login::Unreadable,
    }
}

/// Judges one scope, such as `repository:stacks/postgres:pull,push`. The name
/// may hold colons of its own.
fn granted(scope: &str, user: Option<&User>, users: &Users) -> Result<Access, Refusal> {
    let masked = match user {
        Some(_) => Refusal::NoPull,
        None => Refusal::Anonymous,
    };
    let (kind, rest) = scope.split_once(':').ok_or(masked)?;
    let (name, actions) = rest.rsplit_once(':').ok_or(masked)?;
    if kind != "repository" {
        return Err(masked);
    }
    let covers = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.covers(name));
    let may_pull = covers(&users.anonymous.pull) || user.is_some_and(|user| covers(&user.pull));
    let may_push = user.is_some_and(|user| covers(&user.push));
    for action in actions.split(',') {
        match action {
            _ if !may_pull => return Err(masked),
            "pull" => {}
            _ if !may_push => return Err(user.map_or(Refusal::Anonymous, |_| Refusal::NoPush)),
            _ => {}
        }
    }
    Ok(Access {
        kind: kind.to_owned(),
        name: name.to_owned(),
        actions: actions.split(',').map(str::to_owned).collect(),
    })
}

impl Answer {
    pub(super) fn granted(token: String, expires_in: u64, access: Vec<Access>) -> Self {
        let body = json!({
            "token": token,
            "access_token": token,
            "expires_in": expires_in,
            "issued_at": jiff::Timestamp::now().to_string(),
        });
        Self::Granted { body, access }
    }

    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Granted { .. } => 200,
            Self::Refused(Refusal::WrongLogin) => 401,
            Self::Refused(Refusal::Anonymous | Refusal::NoPull | Refusal::NoPush) => 403,
            Self::Broken(_) => 500,
        }
    }

    pub(super) fn body(&self) -> Value {
        let (code, message) = match self {
            Self::Granted { body, .. } => return body.clone(),
            Self::Refused(refusal) => refusal.words(),
            Self::Broken(reason) => ("UNKNOWN", reason.as_str()),
        };
        json!({"errors": [{"code": code, "message": message}]})
    }

    /// What the log says was granted.
    pub(super) fn scopes(&self) -> Vec<String> {
        let Self::Granted { access, .. } = self else {
            return Vec::new();
        };
        access
            .iter()
            .map(|access| {
                format!(
                    "{}:{}:{}",
                    access.kind,
                    access.name,
                    access.actions.join(",")
                )
            })
            .collect()
    }
}

impl Refusal {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::WrongLogin => ("UNAUTHORIZED", "authentication required"),
            Self::Anonymous => ("DENIED", "requested access to the resource is denied"),
            Self::NoPull => ("DENIED", "permission_denied: read_package"),
            Self::NoPush => ("DENIED", "permission_denied: write_package"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Question, Refusal, STANDARD};
    use crate::token_server::rights::Users;
    use base64::Engine;

    fn users() -> Users {
        serde_json::from_value(serde_json::json!({
            "users": {
                "publisher": {"password": "p:w", "pull": ["*"], "push": ["*"]},
                "robot": {"password": "r", "pull": ["*"]},
                "limited": {"password": "l", "pull": ["limited/*"]},
                "former": {"password": "f", "pull": ["*"], "revoked": true},
            },
            "anonymous": {"pull": ["public/*"]},
        }))
        .unwrap()
    }

    #[test]
    fn rights_as_ghcr_gives_them() {
        use Refusal::{Anonymous, NoPull, NoPush, WrongLogin};
        let cases = [
            (None, "", Ok(0)),
            (None, "repository:public/a:pull", Ok(1)),
            (None, "repository:public/a:push", Err(Anonymous)),
            (None, "repository:a:pull", Err(Anonymous)),
            (Some("robot:r"), "repository:a:pull", Ok(1)),
            (Some("robot:r"), "repository:a:pull,push", Err(NoPush)),
            (
                Some("robot:r"),
                "repository:a:pull repository:b:pull",
                Ok(2),
            ),
            (Some("robot:r"), "registry:catalog:*", Err(NoPull)),
            (Some("robot:r"), "nonsense", Err(NoPull)),
            (Some("robot:r"), "repository:host:5000/a:pull", Ok(1)),
            (Some("robot:wrong"), "repository:a:pull", Err(WrongLogin)),
            (
                Some("robot:wrong"),
                "repository:public/a:pull",
                Err(WrongLogin),
            ),
            (Some("former:f"), "", Err(WrongLogin)),
            (Some("nobody:x"), "", Err(WrongLogin)),
            (Some("no colon"), "", Err(WrongLogin)),
            (Some("limited:l"), "repository:limited/a:pull", Ok(1)),
            (Some("limited:l"), "repository:public/a:pull", Ok(1)),
            (Some("limited:l"), "repository:a:pull", Err(NoPull)),
            (
                Some("publisher:p:w"),
                "repository:a:pull,push,delete",
                Ok(1),
            ),
        ];
        for (login, scope, expected) in cases {
            let header = login.map(|login| format!("Basic {}", STANDARD.encode(login)));
            let query: String = form_urlencoded::Serializer::new(String::new())
                .append_pair("scope", scope)
                .finish();
            let question = Question::from_query(&query, header.as_ref().map(|h| h.as_bytes()));
            let judged = question.judge(&users()).map(|granted| granted.len());
            assert_eq!(judged, expected, "{login:?} asks for {scope:?}");
        }
    }

    #[test]
    fn a_form_is_judged_like_a_query() {
        let good = b"grant_type=password&username=robot&password=r&scope=repository%3Aa%3Apull";
        assert_eq!(Question::from_form(good).judge(&users()).unwrap().len(), 1);
        let refresh = b"grant_type=refresh_token&refresh_token=x";
        assert_eq!(
            Question::from_form(refresh).judge(&users()),
            Err(Refusal::WrongLogin)
        );
    }

    #[test]
    fn odd_logins_are_wrong_ones() {
        let headers: [&[u8]; 5] = [
            b"",
            b"Basic",
            b"Basic !!!",
            b"Bearer abc",
            b"Basic \xff\xfe",
        ];
        for header in headers {
            let question = Question::from_query("", Some(header));
            assert_eq!(
                question.judge(&users()),
                Err(Refusal::WrongLogin),
                "{header:?}"
            );
        }
    }
}
