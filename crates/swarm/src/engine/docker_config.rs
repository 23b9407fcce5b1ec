//! What a docker `config.json` says of one registry: the credential itself,
//! or the helper that has it.
//!
//! Source: `cli/config/configfile` and `cli/config/credentials` of docker/cli.
//! The keys are addresses in many spellings; a host is what counts in them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use imgstack_spec::RegistryHost;
use secrecy::zeroize::Zeroize as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

/// Docker Hub's key in a config file, and its name in references.
const HUB_KEY: &str = "https://index.docker.io/v1/";
const HUB: &str = "docker.io";

/// Docker pads; people and other tools may not.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where the credential of a registry is.
pub(super) enum Kept {
    /// Nowhere.
    Nowhere,
    /// In the file.
    Here {
        username: String,
        secret: SecretString,
    },
    /// `docker-credential-NAME` has it, under this key.
    Helper { name: String, key: String },
    /// In the file, in a form that cannot be compared.
    Unreadable,
}

/// What a helper answers to `get`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HelpersAnswer {
    #[serde(default)]
    pub(super) username: String,
    #[serde(default)]
    pub(super) secret: SecretString,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    // Go writes null for what is empty.
    auths: Option<BTreeMap<String, Option<Entry>>>,
    creds_store: Option<String>,
    cred_helpers: Option<BTreeMap<String, Option<String>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<SecretString>,
    username: Option<String>,
    password: Option<SecretString>,
    identitytoken: Option<SecretString>,
}

/// The name that docker knows a registry by, in its config file and for its
/// helpers.
pub(super) fn key(host: &RegistryHost) -> &str {
    match host.as_str() {
        HUB => HUB_KEY,
        other => other,
    }
}

/// Looks a registry up in the text of a config file. None: it is no such file.
pub(super) fn look_up(text: &[u8], host: &RegistryHost) -> Option<Kept> {
    if text.trim_ascii().is_empty() {
        return Some(Kept::Nowhere);
    }
    let config: Config = serde_json::from_slice(text).ok()?;
    let wanted = key(host);
    let helpers = config.cred_helpers.unwrap_or_default();
    let helper = helpers.get(wanted).cloned().flatten();
    let helper = helper.or(config.creds_store);
    if let Some(name) = helper.filter(|name| !name.is_empty()) {
        return Some(Kept::Helper {
            name,
            key: wanted.to_owned(),
        });
    }
    let mut auths = config.auths.unwrap_or_default();
    let entry = auths.remove(wanted).or_else(|| {
        // Older dockers wrote whole addresses.
        let mut others = auths.into_iter();
        let (_, entry) = others.find(|(written, _)| host_of(written) == host_of(wanted))?;
        Some(entry)
    });
    Some(entry.flatten().map_or(Kept::Nowhere, Entry::kept))
}

/// The host in an address: without the scheme and what follows the host.
fn host_of(address: &str) -> &str {
    let bare = address
        .strip_prefix("https://")
        .or_else(|| address.strip_prefix("http://"))
        .unwrap_or(address);
    bare.split('/').next().unwrap_or(bare)
}

impl Entry {
    fn kept(self) -> Kept {
        let is_there = |secret: &Option<SecretString>| {
            secret
                .as_ref()
                .is_some_and(|it| !it.expose_secret().is_empty())
        };
        if is_there(&self.identitytoken) {
            return Kept::Unreadable;
        }
        if let Some(auth) = self.auth.filter(|it| !it.expose_secret().is_empty()) {
            return pair(&auth).unwrap_or(Kept::Unreadable);
        }
        match (self.username, self.password) {
            (Some(username), Some(secret)) => Kept::Here { username, secret },
            (None, None) => Kept::Nowhere,
            _ => Kept::Unreadable,
        }
    }
}

/// Reads base64 of `USER:PASSWORD`.
fn pair(auth: &SecretString) -> Option<Kept> {
    let mut bytes = LENIENT.decode(auth.expose_secret().trim()).ok()?;
    let kept = std::str::from_utf8(&bytes).ok().and_then(|text| {
        let (username, secret) = text.split_once(':')?;
        Some(Kept::Here {
            username: username.to_owned(),
            // Docker drops these, too.
            secret: SecretString::from(secret.trim_matches('\0')),
        })
    });
    bytes.zeroize();
    kept
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use secrecy::ExposeSecret as _;
    use serde_json::{Value, json};

    use super::{Kept, look_up};

    fn told(config: &Value, host: &str) -> String {
        let host = host.parse().unwrap();
        match look_up(config.to_string().as_bytes(), &host).unwrap() {
            Kept::Nowhere => "nowhere".to_owned(),
            Kept::Here { username, secret } => format!("{username} {}", secret.expose_secret()),
            Kept::Helper { name, key } => format!("{name} has {key}"),
            Kept::Unreadable => "unreadable".to_owned(),
        }
    }

    #[test]
    fn where_a_credential_is() {
        let auth = |pair: &str| json!({"auth": BASE64_STANDARD.encode(pair)});
        let unpadded = json!({"auth": BASE64_STANDARD.encode("ann:hunter2").trim_end_matches('=')});
        let table = [
            (json!({}), "nowhere"),
            (json!({"auths": null, "credHelpers": null}), "nowhere"),
            (
                json!({"auths": {"ghcr.io": auth("ann:hunter2")}}),
                "ann hunter2",
            ),
            (json!({"auths": {"ghcr.io": unpadded}}), "ann hunter2"),
            (json!({"auths": {"ghcr.io": auth("ann:a:b")}}), "ann a:b"),
            (
                json!({"auths": {"https://ghcr.io/v1/": auth("ann:hunter2")}}),
                "ann hunter2",
            ),
            (
                json!({"auths": {"ghcr.io.example": auth("ann:hunter2")}}),
                "nowhere",
            ),
            (json!({"auths": {"ghcr.io": {}}}), "nowhere"),
            (json!({"auths": {"ghcr.io": null}}), "nowhere"),
            (json!({"auths": {"ghcr.io": {"auth": ""}}}), "nowhere"),
            (
                json!({"auths": {"ghcr.io": {"username": "ann", "password": "hunter2"}}}),
                "ann hunter2",
            ),
            (json!({"auths": {"ghcr.io": {"auth": "%%%"}}}), "unreadable"),
            (
                json!({"auths": {"ghcr.io": {"auth": BASE64_STANDARD.encode("ann")}}}),
                "unreadable",
            ),
            (
                json!({"auths": {"ghcr.io": {"auth": BASE64_STANDARD.encode("ann:"), "identitytoken": "x"}}}),
                "unreadable",
            ),
            // A helper has the word, whatever the file says itself.
            (
                json!({"auths": {"ghcr.io": {}}, "credsStore": "pass"}),
                "pass has ghcr.io",
            ),
            (
                json!({"credHelpers": {"ghcr.io": "gh"}, "credsStore": "pass"}),
                "gh has ghcr.io",
            ),
            (json!({"credHelpers": {"other.io": "gh"}}), "nowhere"),
            (json!({"credsStore": ""}), "nowhere"),
        ];
        for (config, expected) in table {
            assert_eq!(told(&config, "ghcr.io"), expected, "{config}");
        }
    }

    #[test]
    fn docker_hub_has_a_key_of_its_own() {
        let auth = json!({"auth": BASE64_STANDARD.encode("ann:hunter2")});
        let config = json!({"auths": {"https://index.docker.io/v1/": auth}});
        assert_eq!(told(&config, "docker.io"), "ann hunter2");
        assert_eq!(told(&config, "ghcr.io"), "nowhere");
        let helper = json!({"credsStore": "pass"});
        assert_eq!(
            told(&helper, "docker.io"),
            "pass has https://index.docker.io/v1/"
        );
    }

    #[test]
    fn what_is_no_config_file() {
        let host = "ghcr.io".parse().unwrap();
        assert!(look_up(b"[1]", &host).is_none());
        assert!(look_up(b"{\"auths\": {", &host).is_none());
        assert!(matches!(look_up(b" \n", &host), Some(Kept::Nowhere)));
    }
}
