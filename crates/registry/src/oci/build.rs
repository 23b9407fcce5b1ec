//! A build: what one digest holds, whichever way it was pushed.

use std::collections::BTreeMap;

use imgstack_spec::{Digest, Platform, Repository};
use oci_spec::image::ImageManifest;

use super::error::Error;
use super::manifest;

pub(crate) const CREATED: &str = "org.opencontainers.image.created";
const REVISION: &str = "org.opencontainers.image.revision";
const VERSION: &str = "org.opencontainers.image.version";

/// What one digest holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// The digest asked about.
    pub digest: Digest,
    /// What the build runs on, in its own order. Attestations are left out.
    pub platforms: Vec<Platform>,
    /// The manifest of each platform; for an image that is no index, the
    /// digest itself.
    pub children: BTreeMap<Platform, Digest>,
    /// What a node has to download for a platform when it has no layer yet:
    /// the compressed layers and the config, in bytes.
    pub sizes: BTreeMap<Platform, u64>,
    /// When it was made, in RFC 3339, as the builder wrote it.
    pub created: Option<String>,
    /// The commit it was made from.
    pub revision: Option<String>,
    /// The version that its maker gave it.
    pub version: Option<String>,
}

impl Build {
    /// A build of which nothing but the digest is known yet.
    pub(crate) fn new(digest: &Digest) -> Self {
        Self {
            digest: digest.clone(),
            platforms: Vec::new(),
            children: BTreeMap::new(),
            sizes: BTreeMap::new(),
            created: None,
            revision: None,
            version: None,
        }
    }

    /// The manifest that a node of that platform runs.
    ///
    /// # Errors
    /// [`Error::PlatformMissing`], which names what there is.
    pub fn child(&self, repository: &Repository, wanted: &Platform) -> Result<&Digest, Error> {
        Platform::best(&self.platforms, wanted)
            .and_then(|platform| self.children.get(platform))
            .ok_or_else(|| missing(repository, &self.digest, wanted, &self.platforms))
    }

    /// Adds a platform. The first of two equal ones counts, as for docker.
    pub(crate) fn add(&mut self, platform: Platform, child: Digest, image: &ImageManifest) {
        if self.children.contains_key(&platform) {
            return;
        }
        self.sizes.insert(platform.clone(), manifest::size(image));
        self.children.insert(platform.clone(), child);
        self.platforms.push(platform);
    }

    /// Takes from annotations or labels what is not known yet.
    pub(crate) fn learn(&mut self, said: &BTreeMap<String, String>) {
        let take = |place: &mut Option<String>, key: &str| {
            if place.is_none() {
                *place = said.get(key).filter(|value| !value.is_empty()).cloned();
            }
        };
        take(&mut self.created, CREATED);
        take(&mut self.revision, REVISION);
        take(&mut self.version, VERSION);
    }

    /// Whether a config could still tell something.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.created.is_none() || self.revision.is_none() || self.version.is_none()
    }
}

/// The error of a platform that an image was not built for.
pub(crate) fn missing(
    repository: &Repository,
    digest: &Digest,
    wanted: &Platform,
    made: &[Platform],
) -> Error {
    let names: Vec<String> = made.iter().map(ToString::to_string).collect();
    Error::PlatformMissing {
        repository: repository.clone(),
        digest: digest.clone(),
        platform: Box::new(wanted.clone()),
        available: match &names[..] {
            [] => "attestations".to_owned(),
            some => some.join(", "),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        let parts: Vec<_> = text.split('/').collect();
        Platform {
            os: parts[0].to_owned(),
            architecture: parts[1].to_owned(),
            variant: parts.get(2).map(ToString::to_string),
        }
    }

    #[test]
    fn which_image_a_node_runs() {
        let repository: Repository = "ghcr.io/o/n".parse().unwrap();
        let digest = |n: usize| -> Digest { format!("sha256:{n:064x}").parse().unwrap() };
        let table = [
            ("linux/amd64 linux/arm64", "linux/arm64", Some(1)),
            ("linux/amd64 linux/arm64/v8", "linux/arm64", Some(1)),
            ("linux/arm64", "linux/arm64/v8", Some(0)),
            ("linux/arm/v6 linux/arm/v7", "linux/arm/v7", Some(1)),
            ("linux/arm/v6 linux/arm/v7", "linux/arm", Some(1)),
            ("linux/arm/v7", "linux/arm/v6", None),
            ("linux/amd64/v3", "linux/amd64", None),
            ("linux/amd64", "linux/amd64/v3", Some(0)),
            ("linux/amd64", "windows/amd64", None),
            ("", "linux/amd64", None),
        ];
        for (made, node, expected) in table {
            let mut build = Build::new(&digest(99));
            for (n, made) in made.split_whitespace().enumerate() {
                build.platforms.push(platform(made));
                build.children.insert(platform(made), digest(n));
            }
            let child = build.child(&repository, &platform(node));
            let expected = expected.map(digest);
            assert_eq!(child.ok(), expected.as_ref(), "{made} on {node}");
        }
    }
}
