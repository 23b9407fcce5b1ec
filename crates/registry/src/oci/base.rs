//! Has the base of an image moved on since the image was built?
//!
//! Four witnesses are heard, the surest first, and the first that has something
//! to say is believed:
//!
//! 1. **provenance**, which BuildKit adds to an index: the images that the build
//!    used, by name and digest;
//! 2. **annotations** `org.opencontainers.image.base.name` and `.base.digest`
//!    of the index, or of an image in it, which Buildah sets;
//! 3. **labels** of the same names, but only with the name of the base that is
//!    asked about: labels are inherited, so they may be the base's own;
//! 4. **layers**: an image begins with those of the base that it was built on,
//!    and is started as that is, but for what it sets itself.
//!
//! What they name is compared with where the base's tag leads now. When nobody
//! knows, the answer is [`BaseState::Unknown`] and never "it has not moved", and
//! so it is when something cannot be asked: there is no error.
//!
//! It costs one HEAD of the base's tag for a run, however many images are built
//! on it. All else is named by a digest and kept: at first three GETs for the
//! provenance (index, attestation, statement), or an image's manifest and config
//! for the others, and once more the base's index, manifest and config when it
//! has moved or is compared by its layers.

mod layers;
mod provenance;
mod purl;
mod started;
mod witness;

use std::fmt;

use imgstack_spec::{Digest, ImageRef, Repository};
use jiff::Timestamp;

use super::client::Client;
use super::error::Error;
use super::opened::Opened;
use layers::Layers;
use witness::Word;

/// Whether the base has moved since an image was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaseState {
    /// The image was built on what the base's tag leads to now.
    Current {
        /// Who says so.
        how: Evidence,
    },
    /// The base's tag leads to another build by now.
    Moved {
        /// Who says so.
        how: Evidence,
        /// What the image was built on, where that is known.
        from: Option<Digest>,
        /// What the tag leads to now.
        to: Digest,
        /// When that was made, by its own words.
        made: Option<Timestamp>,
    },
    /// Nobody knows.
    Unknown {
        /// Why, as a lower-case fragment.
        why: String,
        /// What helps, if something does.
        hint: Option<String>,
    },
}

/// Who says what an image was built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// The provenance beside the image.
    Provenance,
    /// Annotations of its manifest.
    Annotations,
    /// Labels of its config.
    Labels,
    /// The layers that it begins with.
    Layers,
}

impl Evidence {
    /// All of them, the surest first.
    const ALL: [Self; 4] = [
        Self::Provenance,
        Self::Annotations,
        Self::Labels,
        Self::Layers,
    ];
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Provenance => "provenance",
            Self::Annotations => "annotations",
            Self::Labels => "labels",
            Self::Layers => "layers",
        })
    }
}

/// An image, and the base that it is said to be built on.
struct Origin<'a> {
    client: &'a Client,
    image: Opened<'a>,
    /// Repository and tag.
    base: &'a ImageRef,
}

/// One question: whether the base has moved.
struct Question<'a> {
    origin: Origin<'a>,
    /// What the base's tag leads to now.
    now: Digest,
}

impl Client {
    /// Whether `base`, a repository and a tag, has moved since the image of that
    /// digest was built on it.
    pub async fn base(
        &self,
        repository: &Repository,
        digest: &Digest,
        base: &ImageRef,
    ) -> BaseState {
        let answer = async {
            let question = Question {
                now: self.resolve(base).await?.digest,
                origin: Origin::open(self, repository, digest, base).await?,
            };
            question.answer().await
        };
        answer
            .await
            .unwrap_or_else(|error: Error| BaseState::Unknown {
                why: error.to_string(),
                hint: Some(error.hint()),
            })
    }

    /// The build of `base` that the image of that digest says it was built on,
    /// and who says so; its layers name none. Nothing but what digests name is
    /// asked for, so that the next time it comes from the cache.
    ///
    /// # Errors
    /// Any of [`Error`] but those about tags.
    pub async fn built_on(
        &self,
        repository: &Repository,
        digest: &Digest,
        base: &ImageRef,
    ) -> Result<Option<(Digest, Evidence)>, Error> {
        let origin = Origin::open(self, repository, digest, base).await?;
        for how in Evidence::ALL {
            if let Some(Word::Says(from)) = origin.hear(how, None).await? {
                return Ok(Some((from, how)));
            }
        }
        Ok(None)
    }
}

impl<'a> Origin<'a> {
    async fn open(
        client: &'a Client,
        repository: &'a Repository,
        digest: &'a Digest,
        base: &'a ImageRef,
    ) -> Result<Self, Error> {
        Ok(Self {
            client,
            image: Opened::open(client, repository, digest).await?,
            base,
        })
    }

    /// What a witness names; None: layers have no name for it.
    async fn hear(
        &self,
        how: Evidence,
        now: Option<&Digest>,
    ) -> Result<Option<Word<Digest>>, Error> {
        Ok(match how {
            Evidence::Provenance => Some(self.provenance().await?),
            Evidence::Annotations => Some(self.annotations(now).await?),
            Evidence::Labels => Some(self.labels().await?),
            Evidence::Layers => None,
        })
    }
}

impl Question<'_> {
    async fn answer(&self) -> Result<BaseState, Error> {
        let mut silent = Vec::new();
        for how in Evidence::ALL {
            match self.hear(how).await? {
                Word::Says(state) => return Ok(state),
                Word::Silent(why) => silent.push(why),
            }
        }
        Ok(BaseState::Unknown {
            why: silent.join("; "),
            hint: None,
        })
    }

    async fn hear(&self, how: Evidence) -> Result<Word<BaseState>, Error> {
        Ok(match self.origin.hear(how, Some(&self.now)).await? {
            Some(Word::Says(from)) => Word::Says(self.compared(how, from).await?),
            Some(Word::Silent(why)) => Word::Silent(why),
            None => return self.layers().await,
        })
    }

    /// Builders that do not keep the index's digest keep that of an image in it.
    async fn compared(&self, how: Evidence, from: Digest) -> Result<BaseState, Error> {
        if from == self.now {
            return Ok(BaseState::Current { how });
        }
        let present = self.present().await?;
        if present.lists(&from) {
            return Ok(BaseState::Current { how });
        }
        Ok(self.moved(how, Some(from), &present).await)
    }

    /// What the base's tag leads to now.
    async fn present(&self) -> Result<Opened<'_>, Error> {
        let Origin { client, base, .. } = &self.origin;
        Opened::open(client, &base.repository, &self.now).await
    }

    async fn layers(&self) -> Result<Word<BaseState>, Error> {
        let present = self.present().await?;
        let how = Evidence::Layers;
        Ok(match layers::compare(&self.origin.image, &present).await? {
            Layers::BeginsWithThem => Word::Says(BaseState::Current { how }),
            Layers::BeginsOtherwise => Word::Says(self.moved(how, None, &present).await),
            Layers::Incomparable(why) => Word::Silent(why.to_owned()),
        })
    }

    /// When the base's present build was made is worth a word, and no error.
    async fn moved(&self, how: Evidence, from: Option<Digest>, now: &Opened<'_>) -> BaseState {
        BaseState::Moved {
            how,
            from,
            to: self.now.clone(),
            made: now.created().await.ok().flatten(),
        }
    }
}
