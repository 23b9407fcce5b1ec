//! Docker's `config.json`, whose form podman's `auth.json` and the variable
//! `DOCKER_AUTH_CONFIG` share.
//!
//! For one registry, in docker's order: its own helper, the helper for all,
//! then what stands in the file itself.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use imgstack_spec::RegistryHost;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::credential::{Credential, Identity, server_address};
use super::environment::Environment;
use super::error::CredentialError;
use super::helper;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ConfigFile {
    // Go writes null for what is empty.
    auths: Option<BTreeMap<String, Option<Entry>>>,
    cred_helpers: Option<BTreeMap<String, Option<String>>>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<SecretString>,
    username: Option<String>,
    password: Option<SecretString>,
    identitytoken: Option<SecretString>,
}

/// What the file has for the registry. A file that does not exist has nothing.
///
/// `owner` is whose file it is, in words.
pub(crate) async fn find(
    environment: &Environment,
    owner: &str,
    path: &Path,
    host: &RegistryHost,
) -> Result<Option<Credential>, CredentialError> {
    let shown = environment.shown(path);
    let Some(file) = read(path, &shown).await? else {
        return Ok(None);
    };
    let helper = file
        .cred_helpers
        .iter()
        .flatten()
        .find(|(key, _)| names(key, host))
        .and_then(|(_, name)| name.as_ref())
        .or(file.creds_store.as_ref())
        .filter(|name| !name.is_empty());
    if let Some(name) = helper
        && let Some(identity) = helper::get(environment, name, server_address(host)).await?
    {
        let source = format!("docker-credential-{name}, named in {shown}");
        return Ok(Some(Credential::new(identity, source)));
    }
    let identity = file.identity(&shown, host)?;
    Ok(identity.map(|identity| Credential::new(identity, format!("{owner} {shown}"))))
}

/// What a configuration that stands in an environment variable has for the
/// registry. Helpers that it names count for nothing, as for docker.
pub(crate) fn find_in(
    environment: &Environment,
    variable: &str,
    host: &RegistryHost,
) -> Result<Option<Credential>, CredentialError> {
    let Some(text) = environment.get(variable) else {
        return Ok(None);
    };
    let text = text
        .to_str()
        .ok_or_else(|| CredentialError::NotText(variable.to_owned()))?;
    let identity = parse(text.as_bytes(), variable)?.identity(variable, host)?;
    Ok(identity.map(|it| Credential::new(it, format!("{variable} in the environment"))))
}

async fn read(path: &Path, shown: &str) -> Result<Option<ConfigFile>, CredentialError> {
    let bytes = match tokio::fs::read(path).await {
        Ok(bytes) => bytes,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => {
            return Err(CredentialError::File {
                path: shown.to_owned(),
                cause: error.to_string(),
            });
        }
    };
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    parse(&bytes, shown).map(Some)
}

fn parse(bytes: &[u8], shown: &str) -> Result<ConfigFile, CredentialError> {
    serde_json::from_slice(bytes).map_err(|error| CredentialError::Malformed {
        path: shown.to_owned(),
        // The parser's own words may quote a value, which may be a secret.
        cause: format!("line {}, column {}", error.line(), error.column()),
    })
}

/// Whether a key of the file means the registry: keys come with and without a
/// scheme, and older ones with a path.
fn names(key: &str, host: &RegistryHost) -> bool {
    let url = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"));
    let name = match url {
        Some(rest) => rest.split('/').next().unwrap_or(rest),
        None => key.trim_end_matches('/'),
    };
    match name {
        "index.docker.io" | "registry-1.docker.io" => host.as_str() == "docker.io",
        _ => name == host.as_str(),
    }
}

impl ConfigFile {
    /// What stands in the file itself.
    fn identity(
        &self,
        shown: &str,
        host: &RegistryHost,
    ) -> Result<Option<Identity>, CredentialError> {
        let Some(auths) = &self.auths else {
            return Ok(None);
        };
        let own = auths.get(server_address(host));
        let entry = own.or_else(|| {
            let mut named = auths.iter().filter(|(key, _)| names(key, host));
            named.next().map(|(_, entry)| entry)
        });
        let Some(entry) = entry.and_then(Option::as_ref) else {
            return Ok(None);
        };
        entry
            .identity()
            .map_err(|cause| CredentialError::Malformed {
                path: shown.to_owned(),
                cause: format!("the entry for {host} {cause}"),
            })
    }
}

impl Entry {
    /// None for the empty entry that a login with a helper leaves behind.
    fn identity(&self) -> Result<Option<Identity>, &'static str> {
        if let Some(token) = filled(self.identitytoken.as_ref()) {
            return Ok(Some(Identity::IdentityToken(token.clone())));
        }
        if let Some(auth) = filled(self.auth.as_ref()) {
            return decode(auth.expose_secret()).map(Some);
        }
        Ok(match (&self.username, filled(self.password.as_ref())) {
            (Some(username), Some(password)) => Some(Identity::Password {
                username: username.clone(),
                password: password.clone(),
            }),
            _ => None,
        })
    }
}

fn filled(secret: Option<&SecretString>) -> Option<&SecretString> {
    secret.filter(|secret| !secret.expose_secret().is_empty())
}

/// `user:password` in base64, the padding optional.
fn decode(auth: &str) -> Result<Identity, &'static str> {
    let lenient =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let pair = GeneralPurpose::new(&base64::alphabet::STANDARD, lenient)
        .decode(auth.trim())
        .map_err(|_| "is not base64")?;
    let pair = String::from_utf8(pair).map_err(|_| "is not text")?;
    let (username, password) = pair.split_once(':').ok_or("has no password")?;
    Ok(Identity::Password {
        username: username.to_owned(),
        // Some old clients pad the password with NUL.
        password: SecretString::from(password.trim_end_matches('\0').to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_keys_mean_which_registry() {
        let table = [
            ("ghcr.io", "ghcr.io", true),
            ("https://ghcr.io", "ghcr.io", true),
            ("https://ghcr.io/v2/", "ghcr.io", true),
            ("ghcr.io/", "ghcr.io", true),
            ("ghcr.io/owner", "ghcr.io", false),
            ("ghcr.io.evil.test", "ghcr.io", false),
            ("https://index.docker.io/v1/", "docker.io", true),
            ("index.docker.io", "docker.io", true),
            ("docker.io", "docker.io", true),
            ("127.0.0.1:5000", "127.0.0.1:5000", true),
            ("http://127.0.0.1:5000", "127.0.0.1:5000", true),
            ("127.0.0.1:5001", "127.0.0.1:5000", false),
        ];
        for (key, host, expected) in table {
            assert_eq!(
                names(key, &RegistryHost::new(host)),
                expected,
                "{key} {host}"
            );
        }
    }

    #[test]
    fn the_pair_in_an_entry() {
        let table = [
            ("dXNlcjpwYXNz", Ok(("user", "pass"))),
            ("dXNlcjpwYTpzcw==", Ok(("user", "pa:ss"))),
            ("dXNlcjpwYTpzcw", Ok(("user", "pa:ss"))),
            ("dXNlcjpwYXNzAAA=", Ok(("user", "pass"))),
            ("dXNlcg==", Err("has no password")),
            ("!!", Err("is not base64")),
        ];
        for (auth, expected) in table {
            let found = match &decode(auth) {
                Ok(Identity::Password { username, password }) => {
                    Ok((username.clone(), password.expose_secret().to_owned()))
                }
                Ok(Identity::IdentityToken(_)) => panic!("{auth}"),
                Err(cause) => Err(*cause),
            };
            let expected = expected.map(|(user, pass)| (user.to_owned(), pass.to_owned()));
            assert_eq!(found, expected, "{auth}");
        }
    }
}
