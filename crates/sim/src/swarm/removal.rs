//! Names taken from images, and images that go with their last name.
//!
//! Source of the rules: moby `daemon/images/image_delete.go` and
//! `image_prune.go`.

use imgstack_spec::ImageRef;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::due::Id;
use super::events::attributes;
use super::store::{Names, Stored};
use super::{ApiError, Cluster};

impl Cluster {
    /// Takes a name away, and with the last one the image.
    ///
    /// # Errors
    /// There is none, or a container uses it and nobody insists.
    pub fn remove_image(
        &mut self,
        now: Timestamp,
        hostname: &str,
        reference: &str,
        force: bool,
    ) -> Result<Vec<Value>, ApiError> {
        self.advance(now);
        let node = self.find_node(hostname)?;
        let found = self.nodes[&node].store.find(reference).cloned();
        let Some(stored) = found else {
            return Err(ApiError::plain(404, format!("No such image: {reference}")));
        };
        let going = going(&stored, reference);
        if going.by_id && going.names.len() > 1 && !is_one_name(&stored) && !force {
            let id = stored.image.id.trim_start_matches("sha256:");
            return Err(ApiError::plain(
                409,
                format!(
                    "conflict: unable to delete {id:.12} (must be forced) - image is referenced in multiple repositories"
                ),
            ));
        }
        if let (Some(user), false) = (self.users(hostname, &stored.image.id).first(), force)
            // As long as another name is left, one may go.
            && (going.by_id || is_one_name(&stored))
        {
            let container = user.container.as_ref().map_or("", |it| it.id.as_str());
            let id = stored.image.id.trim_start_matches("sha256:");
            return Err(ApiError::plain(
                409,
                match going.by_id {
                    true => format!(
                        "conflict: unable to delete {id:.12} (must be forced) - image is being used by stopped container {container:.12}"
                    ),
                    false => format!(
                        "conflict: unable to remove repository reference \"{reference}\" (must force) - container {container:.12} is using its referenced image {id:.12}"
                    ),
                },
            ));
        }
        Ok(self.untag(&node, &stored, going.names))
    }

    fn untag(&mut self, node: &Id, stored: &Stored, names: Vec<String>) -> Vec<Value> {
        let id = stored.image.id.clone();
        let mut gone = Vec::new();
        let Some(store) = self.nodes.get_mut(node).map(|node| &mut node.store) else {
            return gone;
        };
        if let Some(stored) = store.images.get_mut(&id) {
            for name in names {
                stored.tags.remove(&name);
                stored.digests.remove(&name);
                gone.push(json!({"Untagged": name}));
            }
            if stored.tags.is_empty() && stored.digests.is_empty() {
                store.images.remove(&id);
                gone.push(json!({"Deleted": id}));
            }
        }
        let name = attributes([("name", id.clone())]);
        self.tell_local(node, ("image", "delete"), &id, name);
        gone
    }

    /// Removes what no container uses: images without a tag, be there a digest
    /// or not, or with `all` every one. Returns what went and how many bytes
    /// that freed.
    pub fn prune_images(&mut self, now: Timestamp, hostname: &str, all: bool) -> (Vec<Value>, u64) {
        self.advance(now);
        let Some(node) = self.hostnames.get(hostname).cloned() else {
            return (Vec::new(), 0);
        };
        let stored = self.nodes[&node].store.images.values();
        let unused: Vec<Stored> = stored
            .filter(|it| all || it.tags.is_empty())
            .filter(|it| self.users(hostname, &it.image.id).is_empty())
            .cloned()
            .collect();
        let (mut gone, mut bytes) = (Vec::new(), 0);
        for stored in unused {
            let names = stored.tags.iter().chain(&stored.digests).cloned().collect();
            gone.extend(self.untag(&node, &stored, names));
            bytes += stored.image.size;
        }
        (gone, bytes)
    }
}

/// What a reference takes with it.
struct Going {
    names: Vec<String>,
    by_id: bool,
}

/// With the last tag of a repository go the repository's digests of the same
/// image; a digest goes alone. By its identifier all names go.
fn going(stored: &Stored, reference: &str) -> Going {
    let names = Names::of(reference);
    let (tag, digest) = names.map_or((None, None), |names| (names.tag, names.digest));
    if let Some(digest) = digest.filter(|it| stored.digests.contains(it)) {
        return Going {
            names: vec![digest],
            by_id: false,
        };
    }
    let Some(tag) = tag.filter(|it| stored.tags.contains(it)) else {
        return Going {
            names: stored.tags.iter().chain(&stored.digests).cloned().collect(),
            by_id: true,
        };
    };
    let own = repository(&tag);
    let is_last = !stored
        .tags
        .iter()
        .any(|other| *other != tag && repository(other) == own);
    let digests = stored.digests.iter();
    let digests = digests.filter(|digest| is_last && repository(digest) == own);
    Going {
        names: [tag.clone()].into_iter().chain(digests.cloned()).collect(),
        by_id: false,
    }
}

/// Whether an image is known by one name only: a tag and digests of the same
/// repository count as one.
fn is_one_name(stored: &Stored) -> bool {
    let mut repositories: Vec<String> = stored.digests.iter().map(|it| repository(it)).collect();
    repositories.dedup();
    match (stored.tags.len(), repositories.as_slice()) {
        (0, digests) => digests.len() <= 1,
        (1, []) => true,
        (1, [own]) => stored.tags.iter().all(|tag| repository(tag) == *own),
        _ => false,
    }
}

fn repository(name: &str) -> String {
    let read = name.parse::<ImageRef>();
    read.map_or_else(|_| name.to_owned(), |image| image.repository.familiar())
}
