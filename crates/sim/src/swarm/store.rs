//! A node's disk: images by their content, each with its names.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_spec::ImageRef;
use jiff::Timestamp;

use super::due::Id;
use crate::{Image, PullError};

/// One image with its names.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) image: Image,
    pub(super) tags: BTreeSet<String>,
    pub(super) digests: BTreeSet<String>,
    pub(super) pulled: Timestamp,
}

/// A pull that was begun.
#[derive(Debug)]
pub(super) struct Pulling {
    pub(super) reference: String,
    pub(super) found: Result<Image, PullError>,
    pub(super) done_at: Timestamp,
    pub(super) waiting: Vec<Id>,
}

/// A node's images and its disk.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) images: BTreeMap<String, Stored>,
    pub(super) pulls: BTreeMap<u64, Pulling>,
    pub(super) begun: u64,
    pub(super) outcomes: BTreeMap<String, Result<(), String>>,
    pub(super) disk: u64,
    /// What others have on the disk.
    pub(super) filler: u64,
    pub(super) bandwidth: u64,
}

impl Store {
    pub(super) fn of(disk: u64, bandwidth: u64) -> Self {
        Self {
            images: BTreeMap::new(),
            pulls: BTreeMap::new(),
            begun: 0,
            outcomes: BTreeMap::new(),
            disk,
            filler: 0,
            bandwidth: bandwidth.max(1),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.images.len()
    }

    pub(super) fn used(&self) -> u64 {
        self.images.values().map(|stored| stored.image.size).sum()
    }

    pub(super) fn free(&self) -> u64 {
        self.disk.saturating_sub(self.used() + self.filler)
    }

    /// The image of a reference, of an ID, or of the beginning of one.
    pub(super) fn find(&self, reference: &str) -> Option<&Stored> {
        let names = Names::of(reference);
        let by_name = self.images.values().find(|stored| match &names {
            Some(Names {
                digest: Some(digest),
                ..
            }) => stored.digests.contains(digest),
            Some(Names { tag: Some(tag), .. }) => stored.tags.contains(tag),
            _ => false,
        });
        by_name.or_else(|| {
            let bare = reference.trim_start_matches("sha256:");
            let fits =
                |id: &String| bare.len() >= 4 && id.trim_start_matches("sha256:").starts_with(bare);
            let mut found = self.images.iter().filter(|(id, _)| fits(id));
            found.next().map(|(_, stored)| stored)
        })
    }

    pub(super) fn put(&mut self, image: &Image, reference: &str, now: Timestamp) {
        let names = Names::of(reference);
        let tag = names.and_then(|names| match names.digest {
            // A reference with a digest leaves no tag behind.
            Some(_) => None,
            None => names.tag,
        });
        if let Some(tag) = &tag {
            for stored in self.images.values_mut() {
                stored.tags.remove(tag);
            }
        }
        let stored = self
            .images
            .entry(image.id.clone())
            .or_insert_with(|| Stored {
                image: image.clone(),
                tags: BTreeSet::new(),
                digests: BTreeSet::new(),
                pulled: now,
            });
        stored.tags.extend(tag);
        stored
            .digests
            .insert(format!("{}@{}", image.repository, image.digest));
    }
}

/// A reference in the two forms in which engines keep it.
pub(super) struct Names {
    pub(super) tag: Option<String>,
    pub(super) digest: Option<String>,
}

impl Names {
    pub(super) fn of(reference: &str) -> Option<Self> {
        let image: ImageRef = reference.parse().ok()?;
        let bare = ImageRef {
            repository: image.repository.clone(),
            tag: None,
            digest: None,
        };
        // Without a tag the familiar form is the repository alone.
        let repository = bare.familiar();
        let tag = image.tag.as_ref().map_or("latest", |tag| tag.as_str());
        let digest = image.digest.as_ref();
        Some(Self {
            tag: (digest.is_none() || image.tag.is_some()).then(|| format!("{repository}:{tag}")),
            digest: digest.map(|digest| format!("{repository}@{digest}")),
        })
    }
}
