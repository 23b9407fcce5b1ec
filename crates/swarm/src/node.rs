//! Nodes, in OCI's words.

use std::collections::BTreeMap;

use bollard::models;
use imgstack_spec::Platform;

use crate::NodeId;

/// A member of the Swarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Identifier.
    pub id: NodeId,
    /// What the host calls itself; not necessarily unique.
    pub hostname: String,
    /// Manager or worker.
    pub role: NodeRole,
    /// Whether tasks may be placed there.
    pub availability: Availability,
    /// Whether the managers hear from it.
    pub state: NodeState,
    /// Why it is in that state, when Swarm says so.
    pub message: Option<String>,
    /// The address that managers see it at.
    pub address: Option<String>,
    /// What it runs, in OCI's words (`linux/amd64`).
    pub platform: Platform,
    /// Its architecture in the words of its kernel (`x86_64`), which are the
    /// ones that constraints and the scheduler see.
    pub machine: String,
    /// Version of its engine.
    pub engine_version: String,
    /// Labels of the node, not those of its engine.
    pub labels: BTreeMap<String, String>,
    /// Labels that its engine was started with.
    pub engine_labels: BTreeMap<String, String>,
    /// Whether it leads the managers.
    pub leader: bool,
}

impl Node {
    /// Whether tasks that are there can be believed: the managers hear it.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.state == NodeState::Ready
    }

    /// Whether Swarm places new tasks there, as things are now.
    #[must_use]
    pub fn takes_tasks(&self) -> bool {
        self.is_live() && self.availability == Availability::Active
    }
}

/// What a node is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeRole {
    /// Keeps the state of the Swarm.
    Manager,
    /// Runs tasks only.
    Worker,
}

/// Whether tasks may be placed on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Yes.
    Active,
    /// No new ones.
    Pause,
    /// None; those that were there are moved.
    Drain,
}

/// Whether the managers hear from a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// Yes.
    Ready,
    /// No.
    Down,
    /// It has just gone.
    Disconnected,
    /// Not known yet, as after a new leader was elected.
    Unknown,
}

impl From<models::Node> for Node {
    fn from(node: models::Node) -> Self {
        let spec = node.spec.unwrap_or_default();
        let description = node.description.unwrap_or_default();
        let status = node.status.unwrap_or_default();
        let platform = description.platform.unwrap_or_default();
        let machine = platform.architecture.unwrap_or_default();
        let engine = description.engine.unwrap_or_default();
        Self {
            id: NodeId::new(node.id.unwrap_or_default()),
            hostname: description.hostname.unwrap_or_default(),
            role: match spec.role {
                Some(models::NodeSpecRoleEnum::MANAGER) => NodeRole::Manager,
                _ => NodeRole::Worker,
            },
            availability: match spec.availability {
                Some(models::NodeSpecAvailabilityEnum::PAUSE) => Availability::Pause,
                Some(models::NodeSpecAvailabilityEnum::DRAIN) => Availability::Drain,
                _ => Availability::Active,
            },
            state: match status.state {
                Some(models::NodeState::READY) => NodeState::Ready,
                Some(models::NodeState::DOWN) => NodeState::Down,
                Some(models::NodeState::DISCONNECTED) => NodeState::Disconnected,
                Some(models::NodeState::UNKNOWN) | None => NodeState::Unknown,
            },
            message: status.message.filter(|message| !message.is_empty()),
            address: status.addr.filter(|address| !address.is_empty()),
            platform: oci_platform(&platform.os.unwrap_or_default(), &machine),
            machine,
            engine_version: engine.engine_version.unwrap_or_default(),
            labels: spec.labels.unwrap_or_default().into_iter().collect(),
            engine_labels: engine.labels.unwrap_or_default().into_iter().collect(),
            leader: node
                .manager_status
                .is_some_and(|status| status.leader == Some(true)),
        }
    }
}

/// A node names its architecture as its kernel does; images and their indexes
/// use Go's words, and put the generation of a 32-bit ARM in the variant.
/// Source: containerd `platforms/database.go`.
pub(crate) fn oci_platform(os: &str, architecture: &str) -> Platform {
    let (architecture, variant) = match architecture {
        "x86_64" | "x86-64" => ("amd64", None),
        "i386" | "i686" => ("386", None),
        "aarch64" => ("arm64", None),
        "armhf" | "armv7l" => ("arm", Some("v7")),
        "armel" | "armv6l" => ("arm", Some("v6")),
        "armv5l" | "armv5tel" => ("arm", Some("v5")),
        other => (other, None),
    };
    Platform {
        os: os.to_owned(),
        architecture: architecture.to_owned(),
        variant: variant.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::oci_platform;

    #[test]
    fn kernels_words_become_images_words() {
        for (kernel, image) in [
            ("x86_64", "linux/amd64"),
            ("amd64", "linux/amd64"),
            ("aarch64", "linux/arm64"),
            ("armv7l", "linux/arm/v7"),
            ("armv6l", "linux/arm/v6"),
            ("i686", "linux/386"),
            ("ppc64le", "linux/ppc64le"),
            ("s390x", "linux/s390x"),
            ("riscv64", "linux/riscv64"),
        ] {
            assert_eq!(oci_platform("linux", kernel).to_string(), image, "{kernel}");
        }
    }
}
