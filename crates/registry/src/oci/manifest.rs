//! Manifests: an index of images by platform, or one image.
//!
//! Which of the two it is, is read from the content alone and not from the
//! `Content-Type` that came with it, so that it is the same from the cache.

use std::collections::BTreeMap;

use imgstack_spec::{Digest, Platform, Repository};
use oci_spec::image::{Descriptor, ImageIndex, ImageManifest};
use serde::Deserialize;

use super::error::Error;

/// The media types of manifests, most wanted first. GHCR answers 404 to a
/// request that does not list the one it has.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// What a request for a manifest carries.
pub(crate) const HEADERS: &[(&str, &str)] = &[("accept", ACCEPT)];

/// Whether a `Content-Type` is that of a manifest.
pub(crate) fn is_media_type(text: &str) -> bool {
    ACCEPT.split(',').any(|wanted| wanted.trim() == text)
}

/// The media type to put a manifest under again: its own word, else, since an
/// OCI manifest need not say, the OCI type of what it is.
pub(crate) fn media_type(manifest: &Manifest, content: &[u8]) -> &'static str {
    let shape = serde_json::from_slice::<Shape>(content).ok();
    let said = shape.and_then(|shape| shape.media_type).unwrap_or_default();
    let known = ACCEPT.split(',').map(str::trim);
    let fallback = match manifest {
        Manifest::Index(_) => "application/vnd.oci.image.index.v1+json",
        Manifest::Image(_) => "application/vnd.oci.image.manifest.v1+json",
    };
    known
        .into_iter()
        .find(|known| *known == said)
        .unwrap_or(fallback)
}

/// What a tag or a digest leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manifest {
    /// Images by platform: an OCI index or a Docker manifest list.
    Index(Box<ImageIndex>),
    /// One image: an OCI or a Docker manifest.
    Image(Box<ImageManifest>),
}

/// The image of one platform in an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// What it runs on.
    pub platform: Platform,
    /// Its manifest.
    pub digest: Digest,
}

/// The fields that tell the two apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    media_type: Option<String>,
    manifests: Option<serde::de::IgnoredAny>,
    config: Option<serde::de::IgnoredAny>,
}

impl Manifest {
    /// Reads a content whose digest has been checked.
    pub(crate) fn read(repository: &Repository, content: &[u8]) -> Result<Self, Error> {
        let malformed = |cause: &str| {
            let cause = format!("sends a manifest of {repository} that {cause}");
            Error::protocol(repository.host(), cause)
        };
        let shape: Shape = serde_json::from_slice(content).map_err(|_| malformed("is not one"))?;
        let index = match (&shape.manifests, &shape.config) {
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (Some(_), Some(_)) => return Err(malformed("is both an index and an image")),
            (None, None) => return Err(malformed("is neither an index nor an image")),
        };
        let claims_index = shape
            .media_type
            .is_some_and(|it| it.contains(".index.") || it.contains(".list."));
        if claims_index && !index {
            return Err(malformed("is not what its media type says"));
        }
        let read = if index {
            serde_json::from_slice(content).map(|index| Self::Index(Box::new(index)))
        } else {
            serde_json::from_slice(content).map(|image| Self::Image(Box::new(image)))
        };
        read.map_err(|_| malformed("cannot be read"))
    }

    /// The images of an index, in its order. Attestations, whose platform is
    /// `unknown/unknown`, are none, and neither are entries without a platform.
    #[must_use]
    pub fn children(&self) -> Vec<Child> {
        match self {
            Self::Index(index) => index.manifests().iter().filter_map(child).collect(),
            Self::Image(_) => Vec::new(),
        }
    }

    /// Annotations of the manifest itself.
    #[must_use]
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let annotations = match self {
            Self::Index(index) => index.annotations(),
            Self::Image(image) => image.annotations(),
        };
        annotations
            .iter()
            .flatten()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}

fn child(descriptor: &Descriptor) -> Option<Child> {
    let platform = descriptor.platform().as_ref()?;
    let platform = Platform {
        os: platform.os().to_string(),
        architecture: platform.architecture().to_string(),
        variant: platform.variant().clone(),
    };
    if platform.os == "unknown" || platform.architecture == "unknown" {
        return None;
    }
    let digest = digest(descriptor)?;
    Some(Child { platform, digest })
}

/// What a node has to download of an image when it has nothing of it yet: the
/// config and each layer, compressed, in bytes. A layer that comes twice is
/// fetched once.
pub(crate) fn size(image: &ImageManifest) -> u64 {
    let parts = image.layers().iter().chain([image.config()]);
    let parts: BTreeMap<_, _> = parts
        .map(|it| (it.digest().to_string(), it.size()))
        .collect();
    parts.values().copied().fold(0, u64::saturating_add)
}

/// The digest of a descriptor; None if it is of a kind not used here.
pub(crate) fn digest(descriptor: &Descriptor) -> Option<Digest> {
    descriptor.digest().to_string().parse().ok()
}

/// The digest of an image's config.
pub(crate) fn config_digest(
    repository: &Repository,
    image: &ImageManifest,
) -> Result<Digest, Error> {
    digest(image.config()).ok_or_else(|| {
        let cause = format!("sends a manifest of {repository} whose config has no digest");
        Error::protocol(repository.host(), cause)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_manifest_is_shows_in_its_content() {
        let descriptor = r#"{"mediaType":"m","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}"#;
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{descriptor}]}}"#);
        let image = format!(r#"{{"schemaVersion":2,"config":{descriptor},"layers":[]}}"#);
        let both =
            format!(r#"{{"schemaVersion":2,"config":{descriptor},"layers":[],"manifests":[]}}"#);
        let lies = image.replacen(
            '{',
            r#"{"mediaType":"application/vnd.oci.image.index.v1+json","#,
            1,
        );
        let repository: Repository = "ghcr.io/o/n".parse().unwrap();
        let table = [
            (index.as_str(), "index"),
            (&image, "image"),
            (
                &both,
                "ghcr.io: sends a manifest of ghcr.io/o/n that is both an index and an image",
            ),
            (
                &lies,
                "ghcr.io: sends a manifest of ghcr.io/o/n that is not what its media type says",
            ),
            (
                "{}",
                "ghcr.io: sends a manifest of ghcr.io/o/n that is neither an index nor an image",
            ),
            (
                "[]",
                "ghcr.io: sends a manifest of ghcr.io/o/n that is not one",
            ),
            (
                "",
                "ghcr.io: sends a manifest of ghcr.io/o/n that is not one",
            ),
            (
                r#"{"manifests":3}"#,
                "ghcr.io: sends a manifest of ghcr.io/o/n that cannot be read",
            ),
        ];
        for (content, expected) in table {
            let read = match Manifest::read(&repository, content.as_bytes()) {
                Ok(Manifest::Index(_)) => "index".to_owned(),
                Ok(Manifest::Image(_)) => "image".to_owned(),
                Err(error) => error.to_string(),
            };
            assert_eq!(read, expected, "{content}");
        }
    }
}
