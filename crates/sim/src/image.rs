//! What crosses from a registry to an engine, without a network between them:
//! the simulated engines pull in-process, and the registry records it.

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A credential as `X-Registry-Auth` carries it.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The user.
    pub username: String,
    /// Never shown.
    pub password: SecretString,
}

/// One pull.
#[derive(Clone, Debug)]
pub struct Pull<'a> {
    /// As the task or the person has it: `ghcr.io/acme/db:16@sha256:…`.
    pub reference: &'a str,
    /// The credential of the task; None pulls anonymously.
    pub credential: Option<&'a Credential>,
    /// `linux`
    pub os: &'a str,
    /// `amd64`
    pub architecture: &'a str,
    /// Which engine asks, for the record.
    pub node: &'a str,
    /// When.
    pub at: Timestamp,
}

/// What a node has after a pull.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// The repository in docker's familiar form: `ghcr.io/acme/db`.
    pub repository: String,
    /// The digest that the reference named: the index, for several platforms.
    pub digest: String,
    /// The manifest of the platform; the same as `digest` without an index.
    pub manifest: String,
    /// The digest of the configuration: the engine's image ID.
    pub id: String,
    /// Compressed, in bytes: what the network carried.
    pub compressed: u64,
    /// On the disk, in bytes.
    pub size: u64,
    /// The OCI configuration.
    pub config: Value,
}

impl Image {
    /// What a container of it does: the label [`Behaviour::LABEL`] tells. An
    /// image without it runs until it is stopped.
    #[must_use]
    pub fn behaviour(&self) -> Behaviour {
        let label = &self.config["config"]["Labels"][Behaviour::LABEL];
        let told = label.as_str().map(serde_json::from_str);
        told.and_then(Result::ok).unwrap_or_default()
    }
}

/// What a container does. The image says so in a label, since the simulation
/// runs no processes; on real engines the label changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Behaviour {
    /// Ends after so many milliseconds; None: when it is told to.
    pub ends_after_ms: Option<u64>,
    /// What it ends with.
    pub exit_code: i64,
    /// What it writes when it starts.
    pub stdout: Vec<String>,
    /// The same on the other stream.
    pub stderr: Vec<String>,
    /// Whether its healthcheck passes, if it has one.
    pub unhealthy: bool,
    /// Milliseconds until the first healthcheck has passed or failed for good.
    pub health_after_ms: u64,
    /// The programs that can be run in it.
    pub programs: Vec<Program>,
}

/// What a program does that is run in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Program {
    /// Its name and its arguments, all of them.
    pub command: Vec<String>,
    /// How many milliseconds it takes.
    pub ends_after_ms: u64,
    /// What it ends with.
    pub exit_code: i64,
    /// What it writes when it ends.
    pub stdout: Vec<String>,
    /// The same on the other stream.
    pub stderr: Vec<String>,
}

impl Behaviour {
    /// The label's name.
    pub const LABEL: &str = "dev.imgstack.sim.behaviour";
}

/// Where a reference leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Of the manifest or index.
    pub media_type: String,
    /// Its digest.
    pub digest: String,
    /// Its size in bytes, without what it lists.
    pub size: u64,
    /// As the index has them; the only one of a manifest.
    pub platforms: Vec<Value>,
}

/// Why a pull failed, in the registry's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PullError {
    /// No such host, or nobody there.
    #[error("{0}")]
    Unreachable(String),
    /// 401 or 403, or 404 in the manner of GHCR.
    #[error("{0}")]
    Denied(String),
    /// No such tag or digest.
    #[error("{0}")]
    NotFound(String),
    /// No manifest for the node's platform.
    #[error("{0}")]
    NoPlatform(String),
    /// 429, 5xx.
    #[error("{0}")]
    Failed(String),
}

/// Where engines pull from.
pub trait Upstream: Send + Sync {
    /// Looks the image up, as a `docker pull` does, and records the requests.
    ///
    /// # Errors
    /// As [`PullError`] says.
    fn pull(&self, pull: &Pull<'_>) -> Result<Image, PullError>;

    /// Whether the host lets somebody in, as `docker login` asks.
    ///
    /// # Errors
    /// As [`PullError`] says.
    fn login(&self, host: &str, _credential: &Credential) -> Result<(), PullError> {
        let text = format!("{host}: there is no registry to ask");
        Err(PullError::Unreachable(text))
    }

    /// Looks up where the reference leads, and for which platforms, without
    /// pulling. Registries can; a mere store of images need not.
    ///
    /// # Errors
    /// As [`PullError`] says.
    fn describe(&self, pull: &Pull<'_>) -> Result<Descriptor, PullError> {
        let reference = pull.reference;
        let text = format!("{reference}: there is no registry to ask");
        Err(PullError::Unreachable(text))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_label_tells_what_a_container_does_and_without_it_it_runs_on() {
        let image = |labels: Value| Image {
            repository: String::new(),
            digest: String::new(),
            manifest: String::new(),
            id: String::new(),
            compressed: 0,
            size: 0,
            config: json!({"config": {"Labels": labels}}),
        };
        assert_eq!(image(json!(null)).behaviour(), Behaviour::default());
        let dying = json!({Behaviour::LABEL: r#"{"endsAfterMs": 0, "exitCode": 1}"#});
        let dying = image(dying).behaviour();
        assert_eq!((dying.ends_after_ms, dying.exit_code), (Some(0), 1));
    }
}
