//! The credential that a service's nodes will pull with.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};

/// A credential for one registry, as a service update carries it. The Swarm
/// stores it with the service, and each task's node pulls with it; an update
/// without one keeps the one that is stored.
#[derive(Clone)]
pub struct RegistryAuth {
    server: String,
    login: Login,
}

#[derive(Clone)]
enum Login {
    Password(String, SecretString),
    IdentityToken(SecretString),
}

impl RegistryAuth {
    /// Account and password, or access token, for a registry host.
    #[must_use]
    pub fn password(server: &str, username: &str, password: SecretString) -> Self {
        Self {
            server: server.to_owned(),
            login: Login::Password(username.to_owned(), password),
        }
    }

    /// The identity token that a `docker login` got from a registry.
    #[must_use]
    pub fn identity_token(server: &str, token: SecretString) -> Self {
        Self {
            server: server.to_owned(),
            login: Login::IdentityToken(token),
        }
    }

    /// The value of `X-Registry-Auth`: base64 with the URL-safe alphabet,
    /// padded, over JSON. Marked sensitive, so that no `Debug` shows it.
    pub(crate) fn header(&self) -> HeaderValue {
        let json = match &self.login {
            Login::Password(username, password) => serde_json::json!({
                "username": username,
                "password": password.expose_secret(),
                "serveraddress": self.server,
            }),
            Login::IdentityToken(token) => serde_json::json!({
                "identitytoken": token.expose_secret(),
                "serveraddress": self.server,
            }),
        };
        let encoded = URL_SAFE.encode(json.to_string());
        #[expect(clippy::expect_used, reason = "base64 is always a legal header value")]
        let mut header = HeaderValue::from_str(&encoded).expect("base64 is plain ASCII");
        header.set_sensitive(true);
        header
    }
}

impl fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegistryAuth({}, …)", self.server)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::{RegistryAuth, URL_SAFE};

    #[test]
    fn header_is_url_safe_json() {
        // These bytes need the two characters in which the alphabets differ.
        let auth = RegistryAuth::password("ghcr.io", "ann", "??>>~~ÿ".to_owned().into());
        let header = auth.header();
        let text = header.to_str().unwrap();
        assert!(!text.contains(['+', '/']), "{text}");
        let json: serde_json::Value =
            serde_json::from_slice(&URL_SAFE.decode(text).unwrap()).unwrap();
        assert_eq!(json["username"], "ann");
        assert_eq!(json["password"], "??>>~~ÿ");
        assert_eq!(json["serveraddress"], "ghcr.io");
    }

    #[test]
    fn nothing_shows_the_secret() {
        let auth = RegistryAuth::password("ghcr.io", "ann", "hunter2".to_owned().into());
        assert_eq!(format!("{auth:?}"), "RegistryAuth(ghcr.io, …)");
        assert_eq!(format!("{:?}", auth.header()), "Sensitive");
    }
}
