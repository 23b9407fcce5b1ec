//! The images on a node, by the names that registries know them by.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_spec::{Digest, ImageRef, Repository, Tag};
use jiff::Timestamp;
use serde::Deserialize;

use super::NodeEngine;
use crate::{Error, ImageId};

/// An image that lies on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredImage {
    /// What the engine calls it.
    pub id: ImageId,
    /// The digests that it was pulled by: `RepoDigests`. Those of other
    /// repositories than the ones that were asked for are among them.
    pub digests: BTreeSet<(Repository, Digest)>,
    /// Its tags, likewise: `RepoTags`.
    pub tags: BTreeSet<(Repository, Tag)>,
    /// What it takes on the disk, in bytes; layers that it shares with other
    /// images are counted in each.
    pub size: u64,
    /// When it was built.
    pub created: Option<Timestamp>,
    /// The containers made of it, whether they run or not. While there is one,
    /// the engine does not let go of the image.
    pub users: Vec<ImageUser>,
}

/// A container made of an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageUser {
    /// Its name, without the slash.
    pub name: String,
    /// `running`, `exited` and so on.
    pub state: String,
    /// The Swarm's service that it belongs to.
    pub service: Option<String>,
}

impl StoredImage {
    /// Whether this is what the repository knows by the digest.
    #[must_use]
    pub fn is(&self, repository: &Repository, digest: &Digest) -> bool {
        self.digests.contains(&(repository.clone(), digest.clone()))
    }

    /// Whether it has a name of this repository.
    #[must_use]
    pub fn is_of(&self, repository: &Repository) -> bool {
        self.digests.iter().any(|(own, _)| own == repository)
            || self.tags.iter().any(|(own, _)| own == repository)
    }
}

impl NodeEngine {
    /// The images of these repositories, and what uses them; two requests,
    /// however many there are.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn images(&self, repositories: &[Repository]) -> Result<Vec<StoredImage>, Error> {
        let containers = [("all", "1".to_owned())];
        let (images, containers): (Vec<WireImage>, Vec<WireContainer>) = tokio::try_join!(
            self.http.get("the list of images", "/images/json", &[]),
            self.http
                .get("the list of containers", "/containers/json", &containers),
        )?;
        let mut users = users(containers);
        let mut found: Vec<StoredImage> = images
            .into_iter()
            .map(|wire| {
                let users = users.remove(&wire.id).unwrap_or_default();
                wire.stored(users)
            })
            .filter(|image| repositories.iter().any(|wanted| image.is_of(wanted)))
            .collect();
        found.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(found)
    }
}

/// `GET /images/json`, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WireImage {
    id: String,
    repo_digests: Option<Vec<String>>,
    repo_tags: Option<Vec<String>>,
    size: i64,
    created: i64,
}

/// `GET /containers/json`, as far as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WireContainer {
    id: String,
    names: Option<Vec<String>>,
    #[serde(rename = "ImageID")]
    image_id: String,
    state: String,
    labels: Option<BTreeMap<String, String>>,
}

impl WireImage {
    fn stored(self, users: Vec<ImageUser>) -> StoredImage {
        // What has no name is called `<none>`, which is no reference.
        let read = |names: Option<Vec<String>>| {
            let names = names.unwrap_or_default().into_iter();
            names.filter_map(|name| name.parse::<ImageRef>().ok())
        };
        StoredImage {
            id: ImageId::new(self.id),
            digests: read(self.repo_digests)
                .filter_map(|name| Some((name.repository, name.digest?)))
                .collect(),
            tags: read(self.repo_tags)
                .filter_map(|name| Some((name.repository, name.tag?)))
                .collect(),
            size: u64::try_from(self.size).unwrap_or(0),
            created: Timestamp::from_second(self.created)
                .ok()
                .filter(|_| self.created > 0),
            users,
        }
    }
}

/// The containers of each image, by its identifier.
fn users(containers: Vec<WireContainer>) -> BTreeMap<String, Vec<ImageUser>> {
    let mut users: BTreeMap<String, Vec<ImageUser>> = BTreeMap::new();
    for container in containers {
        let labels = container.labels.unwrap_or_default();
        let name = container.names.unwrap_or_default().into_iter().next();
        let name = name.map(|name| name.trim_start_matches('/').to_owned());
        users
            .entry(container.image_id)
            .or_default()
            .push(ImageUser {
                name: name.unwrap_or(container.id),
                state: container.state,
                service: labels.get("com.docker.swarm.service.name").cloned(),
            });
    }
    for list in users.values_mut() {
        list.sort();
    }
    users
}
