//! The observed world, as far as one stack needs it.

mod credential;
mod freshness;
mod history;
mod node;
mod service;
mod stack_file;

use std::collections::{BTreeMap, BTreeSet};

use imgstack_spec::policy::TagList;
use imgstack_spec::{
    Digest, ImageName, ImageRef, NodeName, Platform, RegistryHost, Repository, ServiceName, Tag,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Known, Observed, Trouble};

pub use credential::{Acceptance, ObservedCredential};
pub use freshness::{
    BaseState, Evidence, Freshness, LastRun, MovedBase, PlatformContent, RunState, same_content,
};
pub use history::{FailedBuild, GoodBuild, History, Past, UnreadRelease};
pub use node::{Availability, Disk, LoginState, ObservedEngine, ObservedNode, StoredBuild};
pub use service::{
    ObservedService, ObservedTask, ServiceMode, UpdateSettings, UpdateState, UpdateStatus,
};
pub use stack_file::StackFileImage;

/// What was observed for one stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    /// When it was observed, to the second: planning itself has no clock.
    pub observed_at: Timestamp,
    /// The cluster's ID, if a manager answered.
    pub cluster: Known<String>,
    /// How the manager was found, in words: "ssh://root@m1, from spec.swarm.endpoint".
    pub endpoint: String,
    /// Each image of the stack.
    pub images: BTreeMap<ImageName, ObservedImage>,
    /// Facts of builds that run or are wanted, by digest. A build that is
    /// missing here was not asked for.
    pub builds: BTreeMap<Digest, Known<Build>>,
    /// How fresh the newest builds are, of images that the spec names a base or a
    /// greatest age for, where it can be said which that is.
    pub freshness: BTreeMap<ImageName, Freshness>,
    /// Every service of the cluster that the stack names, or that carries its label.
    pub services: Known<BTreeMap<ServiceName, ObservedService>>,
    /// Names of all services of the cluster, to suggest the nearest.
    pub service_names: Vec<String>,
    /// Who looks, as services that are made for pulls name their owner.
    pub observer: String,
    /// Services that were made for pulls for this stack, by whomever.
    pub leftovers: BTreeMap<ServiceName, Leftover>,
    /// The cluster's nodes, by hostname.
    pub nodes: Known<BTreeMap<NodeName, ObservedNode>>,
    /// What every service of the cluster refers to, by the service's name.
    pub references: BTreeMap<String, References>,
    /// Builds that other stacks of the same run want, by repository; unknown
    /// where one of them cannot be told, or keeps every build.
    pub wanted_elsewhere: BTreeMap<Repository, Known<BTreeSet<Digest>>>,
    /// The credentials for the registries of the stack's images. A registry
    /// that is missing here has none.
    pub credentials: BTreeMap<RegistryHost, ObservedCredential>,
    /// What a registry's answers gave cause to warn of.
    pub warnings: Vec<RegistryWarning>,
    /// The images of services in their stack files, of those that name one.
    #[serde(default)]
    pub stack_files: BTreeMap<ServiceName, Known<StackFileImage>>,
    /// Whether a task of the service answers as the leader, of those with
    /// `lastIf` where that can matter. One that is missing here was not asked.
    #[serde(default)]
    pub leaders: BTreeMap<ServiceName, Known<bool>>,
    /// What the journal of the stack tells of builds.
    pub history: Known<History>,
}

/// A service that was made for pulls through a manager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leftover {
    /// Its ID.
    pub service_id: String,
    /// Who made it.
    pub owner: String,
    /// When, in its own words.
    pub created: String,
    /// Whether a node is still at work for it.
    pub busy: bool,
}

/// The images that one service of the cluster refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct References {
    /// What it asks for.
    pub image: String,
    /// What the engine would roll it back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
}

/// What worked at a registry and still wants attention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryWarning {
    /// The registry.
    pub host: RegistryHost,
    /// Whether a credential was refused; otherwise a place where credentials
    /// are looked for could not be read.
    pub refused: bool,
    /// What and why.
    pub trouble: Trouble,
}

impl Inventory {
    /// Facts of a build, if they were asked for and answered.
    #[must_use]
    pub fn build(&self, digest: &Digest) -> Option<&Build> {
        match self.builds.get(digest)? {
            Known::Known(build) => Some(build),
            Known::Unknown(_) => None,
        }
    }
}

/// The image of the spec, as its registry has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedImage {
    /// What was asked for: the repository with the pin, the tag, or the tag
    /// that the policy chooses; alone where it chooses none.
    pub reference: ImageRef,
    /// The index digest that the registry answered.
    pub digest: Observed<Digest>,
    /// What a policy chooses from. None: the spec names the tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<ObservedTags>,
}

impl ObservedImage {
    /// Whether the registry has told all the tags that a policy chooses from.
    pub(crate) fn has_all_tags(&self) -> bool {
        let list = self.tags.as_ref().map(|tags| &tags.list);
        matches!(list, Some(TagList::Complete(_)))
    }
}

/// The tags of a repository that a policy chooses from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedTags {
    /// All of them, or why not.
    pub list: TagList,
    /// What to do about a list that is not whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where those tags lead that had to be asked for their builds' dates,
    /// which are among the facts of builds.
    pub digests: BTreeMap<Tag, Observed<Digest>>,
}

/// Facts of one build, from its index, manifests and config. They never
/// change for a digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Build {
    /// What it runs on; attestations left out.
    pub platforms: Vec<Platform>,
    /// What a pull fetches, for the platforms that were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sizes: Vec<PullSize>,
    /// What names its content, for the platforms that were asked for: only where
    /// a service is to move from one build to another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contents: Vec<PlatformContent>,
    /// When it was built, by its config or annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// `org.opencontainers.image.revision`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// `org.opencontainers.image.version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// What a node of one platform fetches of a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PullSize {
    /// The node's platform.
    pub platform: Platform,
    /// Its layers and its configuration, compressed, in bytes.
    pub bytes: u64,
}

impl Build {
    /// What a node of that platform fetches, in bytes.
    #[must_use]
    pub fn size_for(&self, platform: &Platform) -> Option<u64> {
        let mut sizes = self.sizes.iter();
        sizes.find(|it| it.platform == *platform).map(|it| it.bytes)
    }
}
