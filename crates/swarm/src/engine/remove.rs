//! Takes a build of a repository from a node.
//!
//! By its names and never by the image's identifier, and never by force: the
//! same image may have names in other repositories, and those stay, with the
//! image. What a container is made of stays as well, whether it runs or not.

use imgstack_spec::{Digest, ImageRef, Repository};
use serde::Deserialize;

use super::images::ImageUser;
use super::{NodeEngine, StoredImage};
use crate::Error;

/// What became of a build that was to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Its names are gone.
    Removed {
        /// The names that went.
        untagged: Vec<String>,
        /// Whether the image went with them. It stays when it has a name in
        /// another repository, or another digest.
        deleted: bool,
        /// Bytes of the layers that went with it, where the engine's words
        /// are enough to know.
        freed: Option<u64>,
    },
    /// A container is made of it. Nothing went.
    InUse {
        /// The containers, as far as they are known.
        users: Vec<ImageUser>,
        /// The engine's words, when it was the one to refuse.
        message: Option<String>,
    },
    /// It was not there.
    AlreadyGone,
}

impl NodeEngine {
    /// Removes what this repository knows by this digest, with its tags of
    /// this repository.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn remove_image(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Removal, Error> {
        let images = self.images(std::slice::from_ref(repository)).await?;
        let Some(image) = images.iter().find(|image| image.is(repository, digest)) else {
            return Ok(Removal::AlreadyGone);
        };
        // Looked at first: an engine lets a name go although a container uses
        // the image, as long as another name is left.
        if !image.users.is_empty() {
            return Ok(Removal::InUse {
                users: image.users.clone(),
                message: None,
            });
        }
        let layers = self.layers(image).await;
        let mut gone = Gone::default();
        for name in names(image, repository, digest) {
            match self.untag(&name).await {
                Ok(told) => gone.note(told),
                Err(error) if error.is_not_found() => {}
                Err(Error::Refused {
                    status: 409,
                    message,
                    ..
                }) => {
                    return Ok(Removal::InUse {
                        users: Vec::new(),
                        message: Some(message),
                    });
                }
                Err(error) => return Err(error),
            }
        }
        if gone.untagged.is_empty() && gone.deleted == 0 {
            return Ok(Removal::AlreadyGone);
        }
        Ok(Removal::Removed {
            deleted: gone.deleted > 0,
            freed: gone.freed(layers.as_deref()),
            untagged: gone.untagged,
        })
    }

    async fn untag(&self, name: &ImageRef) -> Result<Vec<WireGone>, Error> {
        let call = format!("the removal of {}", name.familiar());
        let path = format!("/images/{name}");
        let query = [("force", "0".to_owned()), ("noprune", "0".to_owned())];
        let answer = self.http.delete(&call, &path, &query).await?;
        // The status has said that it is done; what went is an extra.
        Ok(answer.json().await.unwrap_or_default())
    }

    /// The sizes of an image's layers, the topmost first. None where the
    /// engine does not tell each of them.
    async fn layers(&self, image: &StoredImage) -> Option<Vec<u64>> {
        let path = |what: &str| format!("/images/{}/{what}", image.id);
        let (history, inspected) = (path("history"), path("json"));
        let (history, inspected): (Vec<WireHistory>, WireInspected) = tokio::try_join!(
            self.http.get("an image's history", &history, &[]),
            self.http.get("an image", &inspected, &[]),
        )
        .ok()?;
        let sizes = history
            .iter()
            .map(|step| u64::try_from(step.size).unwrap_or(0));
        // Steps that changed no file have no layer.
        let sizes: Vec<u64> = sizes.filter(|size| *size > 0).collect();
        let layers = inspected.root_fs?.layers?.len();
        (sizes.len() == layers).then_some(sizes)
    }
}

/// The names to take away: tags first, so that what is left by a failure
/// half-way is still found by its digest.
///
/// With the last tag of a repository, an engine drops the repository's digests
/// of the same image as well. So tags stay when there is another digest: it
/// may be one to keep.
fn names(image: &StoredImage, repository: &Repository, digest: &Digest) -> Vec<ImageRef> {
    let of_repository = |own: &Repository| own == repository;
    let mut digests = image.digests.iter();
    let is_alone = !digests.any(|(own, it)| of_repository(own) && it != digest);
    let tags = image
        .tags
        .iter()
        .filter(|(own, _)| of_repository(own) && is_alone);
    let mut names: Vec<ImageRef> = tags
        .map(|(repository, tag)| ImageRef {
            repository: repository.clone(),
            tag: Some(tag.clone()),
            digest: None,
        })
        .collect();
    names.push(ImageRef {
        repository: repository.clone(),
        tag: None,
        digest: Some(digest.clone()),
    });
    names
}

/// What an engine says that it removed.
#[derive(Default)]
struct Gone {
    untagged: Vec<String>,
    deleted: usize,
}

impl Gone {
    fn note(&mut self, told: Vec<WireGone>) {
        for entry in told {
            self.untagged.extend(entry.untagged);
            self.deleted += usize::from(entry.deleted.is_some());
        }
    }

    /// An engine names the image and each layer that went with it, from the
    /// top down to the first that another image has, too.
    fn freed(&self, layers: Option<&[u64]>) -> Option<u64> {
        if self.deleted == 0 {
            return Some(0);
        }
        let went = self.deleted.checked_sub(1).filter(|count| *count > 0)?;
        Some(layers?.get(..went)?.iter().sum())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireGone {
    untagged: Option<String>,
    deleted: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireHistory {
    #[serde(default)]
    size: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireInspected {
    #[serde(rename = "RootFS")]
    root_fs: Option<WireRootFs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireRootFs {
    layers: Option<Vec<String>>,
}
