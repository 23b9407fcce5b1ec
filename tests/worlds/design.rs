//! A world before it is built: what there is, and what the spec says of it.

use std::fmt::Write as _;

use imgstack_sim::Behaviour;
use imgstack_sim::registry::Manner;
use imgstack_sim::swarm::NodeSetup;
use serde_json::Value;

use crate::claims::Settings;

/// The tag that images follow.
pub const TAG: &str = "16";
/// The variable that the spec reads passwords from.
pub const PASSWORD: &str = "ROBOT_PASSWORD";
/// The name of the stack.
pub const STACK: &str = "drawn";

/// One world.
#[derive(Debug)]
pub struct Design {
    /// Gives the Swarm its identifiers and small delays.
    pub seed: u64,
    /// The first is the manager that is talked to.
    pub nodes: Vec<Node>,
    pub hosts: Vec<Host>,
    pub images: Vec<Image>,
    /// In the order of the spec.
    pub services: Vec<Service>,
    /// The spec says how the nodes' own engines are reached.
    pub engines: bool,
}

#[derive(Debug)]
pub struct Node {
    pub setup: NodeSetup,
    pub availability: &'static str,
    /// Becomes so before there are services, or when they run already.
    pub from_the_start: bool,
    /// Its machine is gone before anybody plans.
    pub lost: bool,
}

/// A registry.
#[derive(Debug)]
pub struct Host {
    pub name: &'static str,
    pub manner: Manner,
    /// The spec has a login for it.
    pub login: bool,
}

#[derive(Debug)]
pub struct Image {
    pub name: String,
    /// Index of its registry.
    pub host: usize,
    /// Without the registry.
    pub path: String,
    pub private: bool,
    /// The oldest first; the tag leads to the last.
    pub builds: Vec<Build>,
    pub wants: Wants,
}

#[derive(Clone, Debug)]
pub struct Build {
    pub sha: String,
    /// As images call them: `amd64`.
    pub architectures: Vec<&'static str>,
    /// Whether a single platform is listed by an index, too.
    pub index: bool,
    pub behaviour: Behaviour,
    pub healthcheck: bool,
}

/// What the spec asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// The newest build, by the tag.
    Tag,
    /// A pin by the tag of that build.
    PinnedTag(usize),
    /// A pin by its digest.
    PinnedDigest(usize),
    /// A tag that nobody has pushed.
    Missing,
}

#[derive(Debug)]
pub struct Service {
    pub name: String,
    /// Index of its image.
    pub image: usize,
    /// The engine's spec, but for the image.
    pub spec: Value,
    pub runs: Runs,
    pub history: History,
    /// Whether it was created with a credential.
    pub credential: bool,
    /// Indices of services.
    pub after: Vec<usize>,
    /// What its spec says of `UpdateConfig`, by the names there.
    pub rollout: Settings,
    pub timeout_seconds: u64,
    /// It is in the Swarm.
    pub is_there: bool,
    /// It is in the spec.
    pub in_spec: bool,
}

/// The image that a service was created with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// Tag and digest of a build.
    Build(usize),
    /// The same under the tag of the build alone.
    BuildByItsTag(usize),
    /// The digest of a build without a tag.
    BuildWithoutTag(usize),
    /// The tag without a digest.
    BareTag,
    /// Neither.
    Bare,
    /// A build of another repository.
    Elsewhere,
}

/// What has happened to a service before anybody plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// Nothing.
    Calm,
    /// An update of something else than the image went well.
    Updated,
    /// An update to a dying build was rolled back.
    RolledBack,
    /// An update to a dying build stopped half-way.
    Paused,
    /// An update to the wanted build stopped half-way: its registry was down.
    HalfWay,
    /// An update is going on, and will for an hour.
    Updating,
}

impl Design {
    /// The index of the build that the spec asks for; None: there is none.
    pub fn wanted(&self, image: usize) -> Option<usize> {
        let image = &self.images[image];
        match image.wants {
            Wants::Tag => Some(image.builds.len() - 1),
            Wants::PinnedTag(build) | Wants::PinnedDigest(build) => Some(build),
            Wants::Missing => None,
        }
    }

    /// Whether no build is a bad one.
    pub fn is_sound(&self) -> bool {
        let mut builds = self.images.iter().flat_map(|image| &image.builds);
        builds.all(Build::is_good)
    }

    /// Whether nodes, and imgstack, can read the image.
    pub fn is_readable(&self, image: usize) -> bool {
        let image = &self.images[image];
        !image.private || self.hosts[image.host].login
    }

    /// Host and path, as references have them.
    pub fn repository(&self, image: usize) -> String {
        let image = &self.images[image];
        format!("{}/{}", self.hosts[image.host].name, image.path)
    }

    /// The spec, as a person would write it. `endpoint` tells that of a node,
    /// `digest` that of a build.
    pub fn yaml(
        &self,
        endpoint: impl Fn(&str) -> String,
        digest: impl Fn(usize, usize) -> String,
    ) -> String {
        let mut text = format!(
            "apiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\nmetadata:\n  name: {STACK}\nspec:\n  swarm:\n    endpoint: {}\n",
            endpoint(&self.nodes[0].setup.hostname)
        );
        if self.engines {
            let engine = endpoint("{hostname}");
            let _ = writeln!(
                text,
                "  nodes:\n    - selector: {{}}\n      engine: \"{engine}\""
            );
        }
        if self.hosts.iter().any(|host| host.login) {
            text.push_str("  registries:\n");
        }
        for host in self.hosts.iter().filter(|host| host.login) {
            let name = host.name;
            let _ = writeln!(
                text,
                "    - host: {name}\n      username: robot\n      password: {{env: {PASSWORD}}}"
            );
        }
        text.push_str("  images:\n");
        for (index, image) in self.images.iter().enumerate() {
            let (name, repository) = (&image.name, self.repository(index));
            let tag = match image.wants {
                Wants::Missing => "17",
                _ => TAG,
            };
            let _ = writeln!(
                text,
                "    - name: {name}\n      repository: {repository}\n      tag: \"{tag}\""
            );
            let pin = match image.wants {
                Wants::Tag | Wants::Missing => continue,
                Wants::PinnedTag(build) => image.builds[build].tag(),
                Wants::PinnedDigest(build) => digest(index, build),
            };
            let _ = writeln!(text, "      pin: \"{pin}\"");
        }
        text.push_str("  services:\n");
        for service in self.services.iter().filter(|service| service.in_spec) {
            let (name, image) = (&service.name, &self.images[service.image].name);
            let _ = writeln!(text, "    - name: {name}\n      image: {image}");
            if !service.after.is_empty() {
                let after = service
                    .after
                    .iter()
                    .map(|it| self.services[*it].name.as_str());
                let _ = writeln!(
                    text,
                    "      after: [{}]",
                    after.collect::<Vec<_>>().join(", ")
                );
            }
            let _ = writeln!(
                text,
                "      rollout:\n        timeout: {}s",
                service.timeout_seconds
            );
            for (key, value) in &service.rollout {
                let _ = match (*key, value) {
                    ("Order", word) => writeln!(text, "        order: {word}"),
                    ("Parallelism", count) => writeln!(text, "        parallelism: {count}"),
                    ("FailureAction", word) => writeln!(text, "        onFailure: {word}"),
                    (_, nanos) => {
                        let seconds = nanos.as_u64().unwrap() / 1_000_000_000;
                        writeln!(text, "        monitor: {seconds}s")
                    }
                };
            }
        }
        text
    }
}

impl Build {
    /// Whether it runs until it is stopped.
    pub fn is_good(&self) -> bool {
        self.behaviour.ends_after_ms.is_none() && !self.behaviour.unhealthy
    }

    /// The tag of this build alone.
    pub fn tag(&self) -> String {
        format!("{TAG}-{}", self.sha)
    }
}
