//! A digest whose manifest has been read, and what else it leads to, each
//! fetched when it is asked for.

use imgstack_spec::{Digest, Platform, Repository};
use jiff::Timestamp;
use oci_spec::image::{Descriptor, ImageManifest};

use super::build::CREATED;
use super::client::Client;
use super::config::ImageConfig;
use super::error::Error;
use super::manifest::{self, Child, Manifest};

/// Dates until then mean that the builder wrote none: the epoch, or the least
/// that a zip file can hold.
const NO_DATE_UNTIL: i64 = 315_619_200;

/// An index, or an image that is in none.
pub(super) struct Opened<'a> {
    pub(super) client: &'a Client,
    pub(super) repository: &'a Repository,
    pub(super) digest: &'a Digest,
    pub(super) top: Manifest,
}

impl<'a> Opened<'a> {
    pub(super) async fn open(
        client: &'a Client,
        repository: &'a Repository,
        digest: &'a Digest,
    ) -> Result<Self, Error> {
        Ok(Self {
            client,
            repository,
            digest,
            top: client.manifest(repository, digest).await?,
        })
    }

    /// What an index lists, attestations included.
    pub(super) fn entries(&self) -> &[Descriptor] {
        match &self.top {
            Manifest::Index(index) => index.manifests(),
            Manifest::Image(_) => &[],
        }
    }

    /// Whether an index lists that digest.
    pub(super) fn lists(&self, digest: &Digest) -> bool {
        let mut listed = self.entries().iter().filter_map(manifest::digest);
        listed.any(|listed| listed == *digest)
    }

    /// The first image.
    ///
    /// # Errors
    /// Any of [`Error`]; that there is none is one.
    pub(super) async fn first(&self) -> Result<ImageManifest, Error> {
        if let Manifest::Image(image) = &self.top {
            return Ok((**image).clone());
        }
        let children = self.top.children();
        let first = children.first().ok_or_else(|| {
            let cause = format!("sends an index of {} without images", self.repository);
            Error::protocol(self.repository.host(), cause)
        })?;
        self.image(&first.digest).await
    }

    /// The images by platform. A lone one takes its config to tell.
    pub(super) async fn children(&self) -> Result<Vec<Child>, Error> {
        match &self.top {
            Manifest::Index(_) => Ok(self.top.children()),
            Manifest::Image(image) => {
                let alone = self.client.alone(self.repository, self.digest, image);
                Ok(vec![alone.await?])
            }
        }
    }

    /// The image of that digest, which is no index.
    pub(super) async fn image(&self, digest: &Digest) -> Result<ImageManifest, Error> {
        match self.client.manifest(self.repository, digest).await? {
            Manifest::Image(image) => Ok(*image),
            Manifest::Index(_) => {
                let cause = format!("sends an index within an index of {}", self.repository);
                Err(Error::protocol(self.repository.host(), cause))
            }
        }
    }

    /// The config of an image.
    pub(super) async fn config(&self, image: &ImageManifest) -> Result<ImageConfig, Error> {
        let config = manifest::config_digest(self.repository, image)?;
        self.client.config(self.repository, &config).await
    }

    /// The config of the image that a node of that platform runs; None: it has
    /// none for it.
    pub(super) async fn config_for(&self, node: &Platform) -> Result<Option<ImageConfig>, Error> {
        let children = self.children().await?;
        let best = Platform::best(children.iter().map(|it| &it.platform), node);
        let Some(child) = children.iter().find(|it| Some(&it.platform) == best) else {
            return Ok(None);
        };
        let image = self.image(&child.digest).await?;
        self.config(&image).await.map(Some)
    }

    /// When it was made, by the first that has a date: the index, its entry for
    /// the first image, that image, its config. A label comes last: it may be
    /// the base's.
    pub(super) async fn created(&self) -> Result<Option<Timestamp>, Error> {
        let annotated = self.top.annotations();
        let first = self.top.children().into_iter().next();
        let entry = first.and_then(|first| {
            let mut entries = self.entries().iter();
            let entry =
                entries.find(|it| manifest::digest(it).is_some_and(|it| it == first.digest))?;
            entry.annotations().as_ref()?.get(CREATED).cloned()
        });
        if let Some(date) = date(annotated.get(CREATED)).or_else(|| date(entry.as_ref())) {
            return Ok(Some(date));
        }
        let image = self.first().await?;
        let annotations = image.annotations().as_ref();
        if let Some(date) = date(annotations.and_then(|it| it.get(CREATED))) {
            return Ok(Some(date));
        }
        let config = self.config(&image).await?;
        Ok(date(config.created.as_ref()).or_else(|| date(config.labels.get(CREATED))))
    }
}

impl Client {
    /// When a build was made, as its maker wrote it. None: it did not, or no
    /// real date, as builders do that make the same bytes each time.
    ///
    /// Three requests at most, the first time; none afterwards, with a cache.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn created(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<Timestamp>, Error> {
        let opened = Opened::open(self, repository, digest).await?;
        opened.created().await
    }
}

fn date(text: Option<&String>) -> Option<Timestamp> {
    let date: Timestamp = text?.parse().ok()?;
    (date.as_second() > NO_DATE_UNTIL).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_date() {
        let table = [
            ("2026-02-09T04:11:12Z", true),
            ("2026-02-09T04:11:12.123456789+01:00", true),
            ("1970-01-01T00:00:00Z", false),
            ("1980-01-01T00:00:01Z", false),
            ("0001-01-01T00:00:00Z", false),
            ("2026-02-09", false),
            ("yesterday", false),
            ("", false),
        ];
        for (text, expected) in table {
            assert_eq!(date(Some(&text.to_owned())).is_some(), expected, "{text}");
        }
        assert_eq!(date(None), None);
    }
}
