//! A credential, and the forms in which others want it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use imgstack_spec::RegistryHost;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

/// Docker Hub's key in docker's configuration, since its first API.
pub(crate) const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// Who one is for a registry, and where that was read.
#[derive(Clone)]
pub struct Credential {
    identity: Identity,
    source: String,
}

/// Who one is for a registry.
#[derive(Clone)]
pub enum Identity {
    /// An account. The password may be a token that the registry takes for one.
    Password {
        /// The account's name.
        username: String,
        /// Its password.
        password: SecretString,
    },
    /// A token that the token server changes for a short-lived one.
    IdentityToken(SecretString),
}

#[derive(Serialize)]
#[serde(untagged)]
enum RegistryAuth<'a> {
    Password {
        username: &'a str,
        password: &'a str,
        serveraddress: &'a str,
    },
    IdentityToken {
        identitytoken: &'a str,
        serveraddress: &'a str,
    },
}

impl Credential {
    /// A credential that was read at `source`.
    #[must_use]
    pub fn new(identity: Identity, source: impl Into<String>) -> Self {
        Self {
            identity,
            source: source.into(),
        }
    }

    /// Who one is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The account's name, if the credential has one.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        match &self.identity {
            Identity::Password { username, .. } => Some(username),
            Identity::IdentityToken(_) => None,
        }
    }

    /// Where it was read, in words: `GHCR_PAT in the environment`.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The value of `X-Registry-Auth`, with which a Swarm manager hands the
    /// credential on to its nodes: JSON in URL-safe base64, with padding.
    #[must_use]
    pub fn registry_auth_header(&self, host: &RegistryHost) -> SecretString {
        let serveraddress = server_address(host);
        let auth = match &self.identity {
            Identity::Password { username, password } => RegistryAuth::Password {
                username,
                password: password.expose_secret(),
                serveraddress,
            },
            Identity::IdentityToken(token) => RegistryAuth::IdentityToken {
                identitytoken: token.expose_secret(),
                serveraddress,
            },
        };
        // Strings always serialise.
        let json = serde_json::to_vec(&auth).unwrap_or_default();
        SecretString::from(URL_SAFE.encode(json))
    }

    /// The value of `Authorization` for the scheme Basic; None for a token,
    /// which has no such form.
    pub(crate) fn basic(&self) -> Option<SecretString> {
        match &self.identity {
            Identity::Password { username, password } => {
                let pair = format!("{username}:{}", password.expose_secret());
                Some(SecretString::from(format!(
                    "Basic {}",
                    STANDARD.encode(pair)
                )))
            }
            Identity::IdentityToken(_) => None,
        }
    }

    /// Whether it is a fine-grained personal access token of GitHub.
    pub(crate) fn is_fine_grained(&self) -> bool {
        match &self.identity {
            Identity::Password { password, .. } => {
                password.expose_secret().starts_with("github_pat_")
            }
            Identity::IdentityToken(_) => false,
        }
    }

    /// Tells identities apart without being derived from a secret.
    pub(crate) fn label(&self) -> String {
        match self.username() {
            Some(username) => format!("user {username}"),
            None => format!("token {}", self.source),
        }
    }
}

/// Shows no secret.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("identity", &self.identity)
            .field("source", &self.source)
            .finish()
    }
}

/// Shows no secret.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { username, .. } => f
                .debug_struct("Password")
                .field("username", username)
                .finish_non_exhaustive(),
            Self::IdentityToken(_) => f.write_str("IdentityToken"),
        }
    }
}

/// The registry as docker's configuration and credential helpers name it.
pub(crate) fn server_address(host: &RegistryHost) -> &str {
    match host.as_str() {
        "docker.io" => DOCKER_HUB_KEY,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(header: &SecretString) -> String {
        String::from_utf8(URL_SAFE.decode(header.expose_secret()).unwrap()).unwrap()
    }

    fn account() -> Credential {
        let identity = Identity::Password {
            username: "robot".to_owned(),
            password: SecretString::from("s3cret?>~ü".to_owned()),
        };
        Credential::new(identity, "a test")
    }

    #[test]
    fn the_header_for_a_swarm() {
        let header = account().registry_auth_header(&RegistryHost::new("ghcr.io"));
        assert_eq!(
            decoded(&header),
            r#"{"username":"robot","password":"s3cret?>~ü","serveraddress":"ghcr.io"}"#
        );
        assert!(!header.expose_secret().contains(['+', '/']));
        assert_eq!(header.expose_secret().len() % 4, 0, "padded");

        let token = Identity::IdentityToken(SecretString::from("t0ken".to_owned()));
        let header =
            Credential::new(token, "a test").registry_auth_header(&RegistryHost::new("docker.io"));
        assert_eq!(
            decoded(&header),
            r#"{"identitytoken":"t0ken","serveraddress":"https://index.docker.io/v1/"}"#
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        let header = account().registry_auth_header(&RegistryHost::new("ghcr.io"));
        let shown = format!("{:?} {header:?}", account());
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(!shown.contains(header.expose_secret()), "{shown}");
        assert!(shown.contains("robot"), "{shown}");
    }
}
