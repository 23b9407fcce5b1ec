//! Desired state after reading and checking: what the planner consumes.
//!
//! A `Stack` is embedded in a saved plan, so that a stale plan can be compared
//! with a fresh one. It never holds a secret, only where one is to be read.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::{Policy, Rules};
use crate::{
    Digest, Endpoint, ImageName, ImageRef, RegistryHost, Repository, ServiceName, StackName, Tag,
};

mod build;
mod gate;
mod node;
mod rollout;
mod stack_file;

pub use build::{BuildSource, DEFAULT_DOCKERFILE, GitHubWorkflow};
pub use gate::{DEFAULT_ANSWER, DEFAULT_EVERY, LastIf, LeaderChange, Probe, Question};
pub use node::{NodeMatch, NodeRole, NodeRule, NodeSettings, Selector};
pub use rollout::{FailureAction, RolloutSettings, UpdateOrder};
pub use stack_file::StackFile;

/// Every stack of the files given, in the order they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackSet {
    /// The stacks. Names of stacks, images and services are unique over the set.
    pub stacks: Vec<Stack>,
}

/// One `ImageStack` document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stack {
    /// `metadata.name`.
    pub name: StackName,
    /// `spec.swarm.endpoint`: a manager. None: where docker itself would go.
    pub endpoint: Option<Endpoint>,
    /// `spec.registries`, in file order.
    pub registries: Vec<Registry>,
    /// `spec.images`, in file order.
    pub images: Vec<Image>,
    /// `spec.nodes`, in file order. Whatever stands here, every node counts that
    /// may run a service; one that no rule matches is reached through the
    /// manager.
    pub nodes: Vec<NodeRule>,
    /// `spec.services`, in file order, which is also their rollout order
    /// within one image.
    pub services: Vec<Service>,
}

/// How to talk to one registry host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Registry {
    /// The host as image references name it.
    pub host: RegistryHost,
    /// The account that `password` belongs to.
    pub username: Option<String>,
    /// Where to read the password. None: the docker config.
    pub password: Option<SecretSource>,
    /// Plain http is allowed. Loopback hosts may always.
    pub insecure: bool,
    /// How long before a credential expires its end is told. Default fourteen
    /// days. Serialised in whole seconds.
    #[serde(rename = "warnBeforeExpirySeconds", with = "seconds")]
    #[schemars(with = "u64")]
    pub warn_before_expiry: Duration,
}

/// The default of `warnBeforeExpiry`.
pub const DEFAULT_WARN_BEFORE_EXPIRY: Duration = Duration::from_secs(14 * 86_400);

/// Where a secret is to be read. Never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file; one trailing line break is not part of the secret. Relative
    /// paths are relative to the working directory.
    File(PathBuf),
    /// A program and its arguments; the first line of its output.
    Command(Vec<String>),
}

/// An image that services run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// The name services refer to.
    pub name: ImageName,
    /// What it is for, in the operator's words, on one line. Shown by `plan` and
    /// `status`.
    pub purpose: Option<String>,
    /// Registry host and path, without tag or digest.
    pub repository: Repository,
    /// Which builds its services run.
    pub follow: Follow,
    /// How old a build must be before a service moves to it. None: of any age,
    /// as a pin always is. Serialised in whole seconds.
    #[serde(rename = "minimumAgeSeconds", with = "optional_seconds")]
    #[schemars(with = "Option<u64>")]
    pub minimum_age: Option<Duration>,
    /// Holds one build: wins over what is followed.
    pub pin: Option<Pin>,
    /// The image it is built on: a repository and a tag, without a digest.
    pub base: Option<ImageRef>,
    /// Where its builds come from.
    pub build: Option<BuildSource>,
    /// Whether its services may move to another major version.
    pub major_upgrade: MajorUpgrade,
    /// How many builds to keep on each node, at least one. None: nothing is
    /// ever removed.
    pub keep: Option<u32>,
}

/// `majorUpgrade`: whether services may move from one major version to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MajorUpgrade {
    /// They stay until somebody allows it: that is a migration.
    #[default]
    Block,
    /// They go.
    Allow,
}

/// Which builds the services of an image run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Follow {
    /// `tag`: the one that it names, wherever it moves.
    Tag(Tag),
    /// `policy`: the one that the best of several tags names.
    #[serde(rename_all = "camelCase")]
    Policy {
        /// Which is the best.
        policy: Policy,
        /// `allowDowngrade`: whether it may be below what runs.
        allow_downgrade: bool,
    },
}

/// A build held until the line goes from the spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Pin {
    /// By a tag that is expected not to move, such as `16-abc1234`.
    Tag(Tag),
    /// By digest.
    Digest(Digest),
}

/// A Swarm service whose image is managed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// The service's name in the Swarm.
    pub name: ServiceName,
    /// The image it runs; always one of the same stack.
    pub image: ImageName,
    /// Services that must have converged first; always of the same stack.
    pub after: Vec<ServiceName>,
    /// The settings of `rollout` that the service is to have in the Swarm.
    #[serde(default, skip_serializing_if = "RolloutSettings::is_empty")]
    pub rollout: RolloutSettings,
    /// `rollout.timeout`: how long one service may take to converge.
    /// Default ten minutes. Serialised in whole seconds.
    #[serde(rename = "timeoutSeconds", with = "seconds")]
    #[schemars(with = "u64")]
    pub timeout: Duration,
    /// `rollout.probe`: what must hold before the next service goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// `rollout.lastIf`, `onLeaderChange` and `beforeLast`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_if: Option<LastIf>,
    /// `stackFile`: where `docker stack deploy` has it from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_file: Option<StackFile>,
}

/// The default of `rollout.timeout`.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(value.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_secs)
    }
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

mod optional_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(|it| it.as_secs()).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(Duration::from_secs))
    }
}

impl Stack {
    /// The image of that name. Reading has checked that services name images
    /// which exist, so `None` means a name from elsewhere.
    #[must_use]
    pub fn image(&self, name: &ImageName) -> Option<&Image> {
        self.images.iter().find(|image| &image.name == name)
    }

    /// The service of that name.
    #[must_use]
    pub fn service(&self, name: &ServiceName) -> Option<&Service> {
        self.services.iter().find(|service| &service.name == name)
    }

    /// What the spec says about a registry host.
    #[must_use]
    pub fn registry(&self, host: &RegistryHost) -> Option<&Registry> {
        self.registries
            .iter()
            .find(|registry| &registry.host == host)
    }
}

impl Image {
    /// What is to be asked of the registry: the repository with the pin, or
    /// else with the tag to follow. None: a policy is to choose the tag.
    #[must_use]
    pub fn reference(&self) -> Option<ImageRef> {
        let (tag, digest) = match (&self.pin, &self.follow) {
            (Some(Pin::Tag(tag)), _) | (None, Follow::Tag(tag)) => (Some(tag.clone()), None),
            (Some(Pin::Digest(digest)), _) => (None, Some(digest.clone())),
            (None, Follow::Policy { .. }) => return None,
        };
        Some(ImageRef {
            tag,
            digest,
            ..self.anywhere()
        })
    }

    /// The tag that builds move, whatever is pinned. None: a policy chooses
    /// among tags.
    #[must_use]
    pub fn tag(&self) -> Option<&Tag> {
        match &self.follow {
            Follow::Tag(tag) => Some(tag),
            Follow::Policy { .. } => None,
        }
    }

    /// The repository with a tag.
    #[must_use]
    pub fn tagged(&self, tag: &Tag) -> ImageRef {
        ImageRef {
            tag: Some(tag.clone()),
            ..self.anywhere()
        }
    }

    /// The repository, whatever the tag.
    #[must_use]
    pub fn anywhere(&self) -> ImageRef {
        ImageRef {
            repository: self.repository.clone(),
            tag: None,
            digest: None,
        }
    }

    /// What is to choose the tag. None: the spec names it, or a pin holds a
    /// build.
    #[must_use]
    pub fn rules(&self) -> Option<Rules<'_>> {
        match (&self.pin, &self.follow) {
            (
                None,
                Follow::Policy {
                    policy,
                    allow_downgrade,
                },
            ) => Some(Rules {
                policy,
                minimum_age: self.minimum_age,
                allow_downgrade: *allow_downgrade,
            }),
            (None, Follow::Tag(_)) | (Some(_), _) => None,
        }
    }
}
