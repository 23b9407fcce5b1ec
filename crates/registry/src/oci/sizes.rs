//! What a node would have to fetch of an image.
//!
//! Only the platforms that are asked for are looked at: an index may hold
//! images for a dozen, and a clean-up may have deleted one that no node runs.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt as _};
use imgstack_spec::{Digest, Platform, Repository};

use super::build::missing;
use super::client::{CONCURRENT, Client};
use super::error::Error;
use super::manifest::{self, Child, Manifest};

/// The image that nodes of one platform run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformImage {
    /// Its manifest; for an image that is no index, the digest itself.
    pub manifest: Digest,
    /// What a node has to download when it has nothing of it yet: the
    /// compressed layers and the config, in bytes.
    pub size: u64,
}

/// An answer for each platform.
type ByPlatform = BTreeMap<Platform, Result<PlatformImage, Error>>;

impl Client {
    /// What nodes of those platforms run of an image, chosen as they choose
    /// it, and how large that is.
    ///
    /// One request for the index and one for each different image in it; all of
    /// it comes from the cache the next time, and is no proof then that the
    /// registry still has it: that is [`Client::pullable`].
    ///
    /// # Errors
    /// Any of [`Error`] for the image as a whole. For one platform
    /// [`Error::PlatformMissing`], and [`Error::ManifestDeleted`] when only its
    /// image is gone.
    pub async fn sizes(
        &self,
        repository: &Repository,
        digest: &Digest,
        platforms: &[Platform],
    ) -> Result<ByPlatform, Error> {
        let top = self.manifest(repository, digest).await?;
        let (children, alone) = match &top {
            Manifest::Index(_) => (top.children(), None),
            Manifest::Image(image) => {
                // Only its config says what a lone image runs on.
                let child = self.alone(repository, digest, image).await?;
                (vec![child], Some(manifest::size(image)))
            }
        };
        let made: Vec<Platform> = children.iter().map(|it| it.platform.clone()).collect();
        let (children, made) = (&children, &made);
        let answers = stream::iter(platforms).map(|node| async move {
            let best = Platform::best(made, node);
            let chosen = children.iter().find(|it| Some(&it.platform) == best);
            let found = match (chosen, alone) {
                (None, _) => Err(missing(repository, digest, node, made)),
                (Some(child), Some(size)) => Ok(PlatformImage {
                    manifest: child.digest.clone(),
                    size,
                }),
                (Some(child), None) => self.measured(repository, child).await,
            };
            (node.clone(), found)
        });
        Ok(answers.buffered(CONCURRENT).collect().await)
    }

    /// As [`Client::sizes`], and the registry has those images in this run: one
    /// HEAD more for each that came from the cache. A tag may well be there
    /// when what it leads to was cleaned away.
    ///
    /// # Errors
    /// As [`Client::sizes`], [`Error::ManifestDeleted`] above all.
    pub async fn pullable(
        &self,
        repository: &Repository,
        digest: &Digest,
        platforms: &[Platform],
    ) -> Result<ByPlatform, Error> {
        let sizes = self.sizes(repository, digest, platforms).await?;
        let answers = stream::iter(sizes).map(|(platform, found)| async move {
            let found = match found {
                Ok(image) => {
                    let proof = self.prove(repository, &image.manifest).await;
                    proof.map(|()| image)
                }
                Err(error) => Err(error),
            };
            (platform, found)
        });
        Ok(answers.buffered(CONCURRENT).collect().await)
    }

    async fn measured(
        &self,
        repository: &Repository,
        child: &Child,
    ) -> Result<PlatformImage, Error> {
        match self.manifest(repository, &child.digest).await? {
            Manifest::Image(image) => Ok(PlatformImage {
                manifest: child.digest.clone(),
                size: manifest::size(&image),
            }),
            Manifest::Index(_) => {
                let cause = format!("sends an index within an index of {repository}");
                Err(Error::protocol(repository.host(), cause))
            }
        }
    }
}
