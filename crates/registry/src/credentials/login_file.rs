//! A credential for docker's own programs, which take one from their
//! configuration alone: in an argument or in a variable others could read it.
//!
//! The configuration stays what it is but for one login, so that whatever else
//! docker finds there (other logins, plugins, proxies) is found again. A text
//! comes in and a text goes out: where it lies is the caller's business.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use imgstack_spec::RegistryHost;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::credential::{Credential, Identity, server_address};

/// A text that is no configuration of docker's. It tells no more, since the
/// text may hold secrets.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("it is not a configuration of docker's")]
pub struct NotAConfiguration;

/// A configuration of docker's with a login in it.
pub struct DockerLogin(SecretString);

impl DockerLogin {
    /// The text of the file, which is a secret.
    #[must_use]
    pub fn text(&self) -> &SecretString {
        &self.0
    }
}

/// Shows no secret.
impl fmt::Debug for DockerLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DockerLogin").finish_non_exhaustive()
    }
}

/// Docker's configuration (an empty text is one, too) with the credential as
/// its login at a registry. `variable` is the text of `DOCKER_AUTH_CONFIG`,
/// whose logins newer clients take before those of the file; they come along,
/// and the variable is to be taken away from whoever reads the result.
///
/// # Errors
/// [`NotAConfiguration`]: a text is not.
pub fn with_login(
    configuration: &SecretString,
    variable: Option<&SecretString>,
    host: &RegistryHost,
    credential: &Credential,
) -> Result<DockerLogin, NotAConfiguration> {
    let mut file = read(configuration)?;
    let mut logins = match variable {
        Some(text) => part(&mut read(text)?, "auths")?,
        None => Map::new(),
    };
    logins.insert(server_address(host).to_owned(), entry(credential));
    let mut auths = part(&mut file, "auths")?;
    let mut helpers = part(&mut file, "credHelpers")?;
    for (name, login) in logins {
        // No helper: else the one for all would be asked instead.
        helpers.insert(name.clone(), "".into());
        auths.insert(name, login);
    }
    file.insert("auths".to_owned(), auths.into());
    file.insert("credHelpers".to_owned(), helpers.into());
    Ok(DockerLogin(Value::Object(file).to_string().into()))
}

fn read(text: &SecretString) -> Result<Map<String, Value>, NotAConfiguration> {
    let text = text.expose_secret().trim();
    if text.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_str(text).map_err(|_| NotAConfiguration)
}

/// A part of the configuration, taken out. Go writes null for what is empty.
fn part(file: &mut Map<String, Value>, key: &str) -> Result<Map<String, Value>, NotAConfiguration> {
    match file.remove(key) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(part)) => Ok(part),
        Some(_) => Err(NotAConfiguration),
    }
}

fn entry(credential: &Credential) -> Value {
    match credential.identity() {
        Identity::Password { username, password } => {
            let pair = format!("{username}:{}", password.expose_secret());
            json!({"auth": STANDARD.encode(pair)})
        }
        Identity::IdentityToken(token) => json!({"identitytoken": token.expose_secret()}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn robot() -> Credential {
        let identity = Identity::Password {
            username: "robot".to_owned(),
            password: SecretString::from("secret".to_owned()),
        };
        Credential::new(identity, "a test")
    }

    fn login(
        configuration: &str,
        variable: Option<&str>,
        host: &str,
    ) -> Result<Value, NotAConfiguration> {
        let secret = |text: &str| SecretString::from(text.to_owned());
        let variable = variable.map(secret);
        let host = RegistryHost::new(host);
        let login = with_login(&secret(configuration), variable.as_ref(), &host, &robot())?;
        assert!(!format!("{login:?}").contains("cm9ib3Q6c2VjcmV0"));
        Ok(serde_json::from_str(login.text().expose_secret()).unwrap())
    }

    /// `robot:secret`
    const ROBOT: &str = "cm9ib3Q6c2VjcmV0";

    #[test]
    fn one_login_is_another_and_all_else_stays() {
        let own = json!({"auth": ROBOT});
        let table = [
            (
                "",
                None,
                json!({"auths": {"ghcr.io": own}, "credHelpers": {"ghcr.io": ""}}),
            ),
            (
                r#"{"auths":null,"credHelpers":null,"proxies":{"default":{}},"currentContext":"lab"}"#,
                None,
                json!({"auths": {"ghcr.io": own}, "credHelpers": {"ghcr.io": ""},
                    "proxies": {"default": {}}, "currentContext": "lab"}),
            ),
            // The store for all is not asked for this one, and still for others.
            (
                r#"{"auths":{"ghcr.io":{}},"credsStore":"desktop","credHelpers":{"ghcr.io":"gh","quay.io":"q"}}"#,
                None,
                json!({"auths": {"ghcr.io": own}, "credsStore": "desktop",
                    "credHelpers": {"ghcr.io": "", "quay.io": "q"}}),
            ),
            (
                r#"{"auths":{"ghcr.io":{"auth":"old"},"quay.io":{"auth":"q"}}}"#,
                Some(r#"{"auths":{"ghcr.io":{"auth":"older"},"quay.io":{"auth":"newer"}}}"#),
                json!({"auths": {"ghcr.io": own, "quay.io": {"auth": "newer"}},
                    "credHelpers": {"ghcr.io": "", "quay.io": ""}}),
            ),
        ];
        for (before, variable, after) in table {
            assert_eq!(login(before, variable, "ghcr.io").unwrap(), after);
        }
        let hub = login("{}", None, "docker.io").unwrap();
        assert_eq!(hub["auths"]["https://index.docker.io/v1/"], own);
    }

    #[test]
    fn what_is_no_configuration_is_not_overwritten_with_one() {
        for text in ["[]", "{", r#"{"auths":[]}"#, r#"{"credHelpers":"x"}"#] {
            assert_eq!(login(text, None, "ghcr.io"), Err(NotAConfiguration));
        }
        assert_eq!(login("", Some("{"), "ghcr.io"), Err(NotAConfiguration));
    }
}
