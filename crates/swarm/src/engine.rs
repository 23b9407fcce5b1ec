//! One node's own engine: its images, its disk, and the logins there.
//!
//! A manager knows none of this. The way to the engine is one of those that
//! [`crate::Manager`] has, and over ssh the same connection runs the few
//! programs whose answers no engine gives (`df`, `docker login`).
//!
//! Deliberately absent: everything that a Swarm is asked for, and any decision
//! about what to pull, keep or remove.

mod disk;
mod docker_config;
mod exec;
mod images;
mod login;
mod pull;
mod remove;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use imgstack_spec::{Endpoint, Platform};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::http::{Http, REQUEST};
use crate::manager::{from_bollard, version};
use crate::node::oci_platform;
use crate::transport::Link;
use crate::{Error, Manager, NodeId, Target};

pub use disk::{DiskSpace, DiskUnknown};
pub(crate) use exec::printable;
pub use exec::{ExecError, Ran};
pub use images::{ImageUser, StoredImage};
pub use login::{Login, LoginError, LoginFailure, LoginState};
pub use pull::{PullError, PullProgress};
pub use remove::Removal;

/// A connection to a node's engine. Clones share it; it closes with the last.
#[derive(Clone, Debug)]
pub struct NodeEngine {
    http: Http,
    link: Arc<Link>,
    /// Whose turn it is to write the docker configuration there.
    config: Arc<Mutex<()>>,
    about: About,
}

/// What an engine says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
struct About {
    node_id: Option<NodeId>,
    hostname: String,
    version: String,
    api_version: String,
    platform: Platform,
    root: PathBuf,
    image_root: PathBuf,
}

impl NodeEngine {
    /// Connects, and asks the engine who it is. It need not be part of a Swarm.
    ///
    /// # Errors
    /// Those of [`Error`] that are about reaching an engine.
    pub async fn connect(target: &Target) -> Result<Self, Error> {
        Self::connect_with(target, REQUEST).await
    }

    /// As [`NodeEngine::connect`], with another deadline for requests. Pulls
    /// have one of their own.
    ///
    /// # Errors
    /// As [`NodeEngine::connect`].
    pub async fn connect_with(target: &Target, request: Duration) -> Result<Self, Error> {
        let link = Arc::new(Link::open(target).await?);
        let socket = link.socket().to_string_lossy().into_owned();
        // Asked without a version in the path: which ones there are is the
        // question.
        let typed = Docker::connect_with_unix(
            &socket,
            request.as_secs().max(1),
            bollard::API_DEFAULT_VERSION,
        )
        .map_err(|error| from_bollard("the connection", link.endpoint(), &error))?;
        let (version, api_version) = version(&typed, link.endpoint()).await?;
        let http = Http::new(Arc::clone(&link), &api_version, request)?;
        let info: Info = http.get("the engine's info", "/info", &[]).await?;
        Ok(Self {
            http,
            link,
            config: Arc::default(),
            about: info.about(version, api_version),
        })
    }

    /// The engine of a manager, over the connection that is there.
    ///
    /// # Errors
    /// Those of [`Error`] that are about reading from an engine.
    pub async fn of_manager(manager: &Manager) -> Result<Self, Error> {
        let (http, link) = manager.connection();
        let info: Info = http.get("the engine's info", "/info", &[]).await?;
        let cluster = manager.cluster();
        Ok(Self {
            http: http.clone(),
            link: Arc::clone(link),
            config: Arc::default(),
            about: info.about(cluster.engine_version.clone(), cluster.api_version.clone()),
        })
    }

    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// Where this engine is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        self.link.endpoint()
    }

    /// The member of the Swarm that it says it is; None outside of any. To be
    /// compared with the node that was expected at this address.
    #[must_use]
    pub fn node_id(&self) -> Option<&NodeId> {
        self.about.node_id.as_ref()
    }

    /// What its host calls itself.
    #[must_use]
    pub fn hostname(&self) -> &str {
        &self.about.hostname
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.about.version
    }

    /// The newest API that it speaks, which is the one that is spoken.
    #[must_use]
    pub fn api_version(&self) -> &str {
        &self.about.api_version
    }

    /// What it runs, in OCI's words.
    #[must_use]
    pub fn platform(&self) -> &Platform {
        &self.about.platform
    }

    /// The folder of all its data: `DockerRootDir`.
    #[must_use]
    pub fn root_dir(&self) -> &Path {
        &self.about.root
    }
}

/// `GET /info`, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Info {
    name: Option<String>,
    docker_root_dir: Option<PathBuf>,
    #[serde(rename = "OSType")]
    os: Option<String>,
    architecture: Option<String>,
    driver_status: Option<Vec<Vec<String>>>,
    containerd: Option<InfoContainerd>,
    swarm: Option<InfoSwarm>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct InfoContainerd {
    address: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct InfoSwarm {
    #[serde(rename = "NodeID")]
    node_id: Option<String>,
}

impl Info {
    fn about(self, version: String, api_version: String) -> About {
        let image_root = self.image_root();
        let platform = oci_platform(
            self.os.as_deref().unwrap_or_default(),
            self.architecture.as_deref().unwrap_or_default(),
        );
        let node_id = self.swarm.and_then(|swarm| swarm.node_id);
        About {
            node_id: node_id.filter(|id| !id.is_empty()).map(NodeId::new),
            hostname: self.name.unwrap_or_default(),
            version,
            api_version,
            platform,
            root: self.docker_root_dir.unwrap_or_default(),
            image_root,
        }
    }

    /// The folder that pulls fill. With containerd's image store that is
    /// containerd's, which is the engine's own only if the engine started it.
    fn image_root(&self) -> PathBuf {
        let root = self.docker_root_dir.clone().unwrap_or_default();
        let rows = self.driver_status.as_deref().unwrap_or_default();
        let is_containerds = rows.iter().any(|row| {
            let [key, value, ..] = row.as_slice() else {
                return false;
            };
            key == "driver-type" && value.starts_with("io.containerd.snapshotter")
        });
        let address = self
            .containerd
            .as_ref()
            .and_then(|it| it.address.as_deref());
        let own = address.is_some_and(|address| address.contains("/docker/"));
        if is_containerds && !own {
            return PathBuf::from(CONTAINERD_ROOT);
        }
        root
    }
}

/// Where a containerd of the system keeps images, unless told otherwise.
const CONTAINERD_ROOT: &str = "/var/lib/containerd";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::Info;

    #[test]
    fn where_images_lie() {
        let containerd = json!([["driver-type", "io.containerd.snapshotter.v1"]]);
        let table = [
            (json!({}), "/var/lib/docker"),
            (
                json!({"DriverStatus": [["Backing Filesystem", "extfs"]]}),
                "/var/lib/docker",
            ),
            (
                json!({"DriverStatus": null, "Containerd": null, "Swarm": null}),
                "/var/lib/docker",
            ),
            (json!({"DriverStatus": containerd}), "/var/lib/containerd"),
            (
                json!({"DriverStatus": containerd, "Containerd": {"Address": "/run/containerd/containerd.sock"}}),
                "/var/lib/containerd",
            ),
            (
                json!({"DriverStatus": containerd, "Containerd": {"Address": "/var/run/docker/containerd/containerd.sock"}}),
                "/var/lib/docker",
            ),
        ];
        for (mut info, root) in table {
            info["DockerRootDir"] = json!("/var/lib/docker");
            let read: Info = serde_json::from_value(info.clone()).unwrap();
            assert_eq!(read.image_root(), Path::new(root), "{info}");
        }
    }
}
