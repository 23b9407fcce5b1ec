//! What an image says of its base: its provenance, annotations and labels.

use std::collections::BTreeMap;

use imgstack_spec::{Digest, ImageRef};
use oci_spec::image::{Descriptor, ImageManifest};

use super::Origin;
use super::provenance::{self, Material, PREDICATE_TYPE, is_provenance};
use crate::oci::client::Shelf;
use crate::oci::error::Error;
use crate::oci::manifest;

const BASE_NAME: &str = "org.opencontainers.image.base.name";
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// What BuildKit marks the entries of an index with: that one is an attestation,
/// and of which image.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";
const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";
const ATTESTATION: &str = "attestation-manifest";

/// The most attestations of one index that are looked into: the platforms of a
/// build have the same base.
const MOST_ATTESTATIONS: usize = 4;

/// The most names that are shown of those that are not the base's.
const NAMES_SHOWN: usize = 3;

/// What a witness has to say.
pub(super) enum Word<T> {
    Says(T),
    /// Nothing, for this reason.
    Silent(String),
}

fn silent<T>(why: impl Into<String>) -> Word<T> {
    Word::Silent(why.into())
}

impl Origin<'_> {
    /// By the first attestation that names the base.
    pub(super) async fn provenance(&self) -> Result<Word<Digest>, Error> {
        let mut silence = None;
        let attested = self.image.entries().iter().filter_map(|entry| {
            let about = self.attested(entry)?;
            Some((manifest::digest(entry)?, about))
        });
        for (attestation, about) in attested.take(MOST_ATTESTATIONS) {
            match self.attestation(&attestation, &about).await {
                Ok(Word::Says(digest)) => return Ok(Word::Says(digest)),
                Ok(Word::Silent(why)) => silence = silence.or(Some(why)),
                Err(error) => {
                    silence = silence.or(Some(format!("its provenance: {error}")));
                }
            }
        }
        Ok(silent(
            silence.unwrap_or_else(|| "it has no provenance".to_owned()),
        ))
    }

    /// The image that an entry of the index is an attestation of.
    fn attested(&self, entry: &Descriptor) -> Option<Digest> {
        let annotations = entry.annotations().as_ref()?;
        if annotations.get(REFERENCE_TYPE)? != ATTESTATION {
            return None;
        }
        let about = annotations.get(REFERENCE_DIGEST)?.parse().ok()?;
        self.image.lists(&about).then_some(about)
    }

    async fn attestation(&self, digest: &Digest, about: &Digest) -> Result<Word<Digest>, Error> {
        let attestation = self.image.image(digest).await?;
        let mut silence = None;
        for layer in statements(&attestation) {
            let repository = self.image.repository;
            let content = self
                .client
                .content(repository, &layer, Shelf::Blobs)
                .await?;
            let word = match provenance::materials(&content, about) {
                Ok(materials) => chosen(&materials, self.base),
                Err(why) => silent(format!("its provenance {why}")),
            };
            match word {
                Word::Says(digest) => return Ok(Word::Says(digest)),
                Word::Silent(why) => silence = silence.or(Some(why)),
            }
        }
        Ok(silent(
            silence.unwrap_or_else(|| "it has no provenance".to_owned()),
        ))
    }

    /// Annotations of the top, or where it has none on a base, of the first
    /// image in it. `now`: what the base's tag leads to now, if that was asked.
    pub(super) async fn annotations(&self, now: Option<&Digest>) -> Result<Word<Digest>, Error> {
        let mut said = self.image.top.annotations();
        if !names_a_base(&said) {
            let image = self.image.first().await?;
            let annotations = image.annotations().iter().flatten();
            said = annotations.map(|(k, v)| (k.clone(), v.clone())).collect();
        }
        let word = named(&said, self.base, "annotations");
        Ok(match (word, value(&said, BASE_NAME)) {
            // Without a name it may be any image's digest, unless it is the very
            // one that is asked about.
            (Word::Silent(why), None) => match now {
                Some(now) if value(&said, BASE_DIGEST) == Some(now.as_str()) => {
                    Word::Says(now.clone())
                }
                Some(_) | None => Word::Silent(why),
            },
            (word, _) => word,
        })
    }

    pub(super) async fn labels(&self) -> Result<Word<Digest>, Error> {
        let image = self.image.first().await?;
        let config = self.image.config(&image).await?;
        Ok(named(&config.labels, self.base, "labels"))
    }
}

/// The layers of an attestation that hold provenance.
fn statements(attestation: &ImageManifest) -> Vec<Digest> {
    let layers = attestation.layers().iter().filter(|layer| {
        let annotations = layer.annotations().as_ref();
        let kind = annotations.and_then(|it| it.get(PREDICATE_TYPE));
        kind.is_some_and(|kind| is_provenance(kind))
    });
    layers.filter_map(manifest::digest).collect()
}

/// The digest of the material that is the base.
fn chosen(materials: &[Material], base: &ImageRef) -> Word<Digest> {
    let of = |tag: Option<&imgstack_spec::Tag>| -> Vec<&Material> {
        let same =
            |it: &&Material| it.name.repository == base.repository && it.name.tag.as_ref() == tag;
        materials.iter().filter(same).collect()
    };
    let mut same = of(base.tag.as_ref());
    if same.is_empty() {
        // `FROM postgres@sha256:…` names no tag.
        same = of(None);
    }
    if same.is_empty() {
        return silent(others(materials));
    }
    let mut digests: Vec<&Digest> = same.iter().filter_map(|it| it.digest.as_ref()).collect();
    digests.sort();
    digests.dedup();
    match digests.as_slice() {
        [] => silent("its provenance names it without a digest"),
        [digest] => Word::Says((*digest).clone()),
        _ => silent("its provenance names it with several digests"),
    }
}

fn others(materials: &[Material]) -> String {
    let mut names: Vec<String> = materials.iter().map(|it| it.name.familiar()).collect();
    names.dedup();
    let more = names.len().saturating_sub(NAMES_SHOWN);
    names.truncate(NAMES_SHOWN);
    let listed = names.join(", ");
    match (names.len(), more) {
        (0, _) => "its provenance names no image".to_owned(),
        (_, 0) => format!("its provenance names {listed}"),
        (_, more) => format!("its provenance names {listed} and {more} more"),
    }
}

fn names_a_base(said: &BTreeMap<String, String>) -> bool {
    value(said, BASE_NAME).is_some() || value(said, BASE_DIGEST).is_some()
}

/// A value that is there: Buildah writes empty ones for `scratch`.
fn value<'m>(said: &'m BTreeMap<String, String>, key: &str) -> Option<&'m str> {
    said.get(key)
        .map(String::as_str)
        .filter(|value| !value.is_empty())
}

/// The digest that annotations or labels give for the base, if they name it.
fn named(said: &BTreeMap<String, String>, base: &ImageRef, what: &str) -> Word<Digest> {
    let Some(name) = value(said, BASE_NAME) else {
        return silent(format!("it has no {what} that name its base"));
    };
    let Ok(name) = name.parse::<ImageRef>() else {
        return silent(format!("its {what} name a base that is no image"));
    };
    if !is_same(&name, base) {
        return silent(format!("its {what} name {}", name.familiar()));
    }
    let digest = value(said, BASE_DIGEST).map(str::parse);
    match digest {
        Some(Ok(digest)) => Word::Says(digest),
        Some(Err(_)) => silent(format!("its {what} give a digest that is none")),
        None => match name.digest {
            Some(digest) => Word::Says(digest),
            None => silent(format!("its {what} give no digest")),
        },
    }
}

/// Whether a name is that of the base. Without tag and digest it means
/// `latest`; with a digest alone, any tag.
fn is_same(name: &ImageRef, base: &ImageRef) -> bool {
    let tag = |it: &ImageRef| it.tag.as_ref().map(|tag| tag.as_str().to_owned());
    let said = match (tag(name), &name.digest) {
        (Some(tag), _) => Some(tag),
        (None, None) => Some("latest".to_owned()),
        (None, Some(_)) => None,
    };
    let wanted = tag(base).unwrap_or_else(|| "latest".to_owned());
    name.repository == base.repository && said.is_none_or(|said| said == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: u8) -> Digest {
        format!("sha256:{n:064x}").parse().unwrap()
    }

    /// `says …02`, or why not.
    fn shown(word: Word<Digest>) -> String {
        match word {
            Word::Says(digest) => format!("says …{}", &digest.hex()[62..]),
            Word::Silent(why) => why,
        }
    }

    #[test]
    fn which_material_is_the_base() {
        type Listed<'a> = &'a [(&'a str, Option<u8>)];
        let table: [(&str, Listed<'_>, &str); 18] = [
            ("alone", &[("postgres:16", Some(2))], "says …02"),
            (
                "among others",
                &[
                    ("golang:1.23", Some(3)),
                    ("postgres:16", Some(2)),
                    ("alpine:3", Some(4)),
                ],
                "says …02",
            ),
            (
                "in its full name",
                &[("docker.io/library/postgres:16", Some(2))],
                "says …02",
            ),
            (
                "by Docker Hub's old name",
                &[("index.docker.io/library/postgres:16", Some(2))],
                "says …02",
            ),
            (
                "twice, with one digest",
                &[("postgres:16", Some(2)), ("postgres:16", Some(2))],
                "says …02",
            ),
            (
                "twice, once without",
                &[("postgres:16", None), ("postgres:16", Some(2))],
                "says …02",
            ),
            (
                "twice, with two digests",
                &[("postgres:16", Some(2)), ("postgres:16", Some(3))],
                "its provenance names it with several digests",
            ),
            (
                "without a digest",
                &[("postgres:16", None)],
                "its provenance names it without a digest",
            ),
            (
                "by digest alone",
                &[("golang:1.23", Some(3)), ("postgres", Some(2))],
                "says …02",
            ),
            (
                "by tag and, in another stage, by digest alone",
                &[("postgres", Some(3)), ("postgres:16", Some(2))],
                "says …02",
            ),
            ("nothing", &[], "its provenance names no image"),
            (
                "another tag",
                &[("postgres:16.4", Some(2))],
                "its provenance names postgres:16.4",
            ),
            (
                "another owner",
                &[("acme/postgres:16", Some(2))],
                "its provenance names acme/postgres:16",
            ),
            (
                "another registry",
                &[("ghcr.io/library/postgres:16", Some(2))],
                "its provenance names ghcr.io/library/postgres:16",
            ),
            (
                "a longer name",
                &[("postgres-ha:16", Some(2))],
                "its provenance names postgres-ha:16",
            ),
            (
                "another, twice",
                &[("alpine:3", Some(2)), ("alpine:3", Some(2))],
                "its provenance names alpine:3",
            ),
            (
                "three others",
                &[("a:1", Some(2)), ("b:1", Some(2)), ("c:1", Some(2))],
                "its provenance names a:1, b:1, c:1",
            ),
            (
                "five others",
                &[
                    ("a:1", None),
                    ("b:1", None),
                    ("c:1", None),
                    ("d:1", None),
                    ("e:1", None),
                ],
                "its provenance names a:1, b:1, c:1 and 2 more",
            ),
        ];
        let base: ImageRef = "postgres:16".parse().unwrap();
        for (what, listed, expected) in table {
            let materials: Vec<Material> = listed
                .iter()
                .map(|(name, n)| Material {
                    name: name.parse().unwrap(),
                    digest: n.map(digest),
                })
                .collect();
            assert_eq!(shown(chosen(&materials, &base)), expected, "{what}");
        }
    }

    #[test]
    fn what_labels_give_for_the_base() {
        let (two, full) = (digest(2).to_string(), "docker.io/library/postgres:16");
        let both = format!("{full}@{}", digest(3));
        let only_digest = format!("postgres@{}", digest(3));
        let none = "it has no labels that name its base";
        let table = [
            (Some(full), Some(two.as_str()), "says …02"),
            (Some("postgres:16"), Some(&two), "says …02"),
            (
                Some("index.docker.io/library/postgres:16"),
                Some(&two),
                "says …02",
            ),
            (Some(&both), Some(&two), "says …02"),
            (Some(&both), None, "says …03"),
            (Some(&only_digest), None, "says …03"),
            (Some(full), None, "its labels give no digest"),
            (Some(full), Some(""), "its labels give no digest"),
            (
                Some(full),
                Some("sha256:abc"),
                "its labels give a digest that is none",
            ),
            (None, Some(&two), none),
            (Some(""), Some(&two), none),
            (None, None, none),
            // A base's own labels name what it was built on.
            (
                Some("alpine:3.20"),
                Some(&two),
                "its labels name alpine:3.20",
            ),
            (
                Some("postgres:15"),
                Some(&two),
                "its labels name postgres:15",
            ),
            (Some("postgres"), Some(&two), "its labels name postgres"),
            (
                Some("ghcr.io/acme/postgres:16"),
                Some(&two),
                "its labels name ghcr.io/acme/postgres:16",
            ),
            (
                Some("\u{1b}[31mno image\n"),
                Some(&two),
                "its labels name a base that is no image",
            ),
            (
                Some("POSTGRES:16"),
                Some(&two),
                "its labels name a base that is no image",
            ),
        ];
        let base: ImageRef = "postgres:16".parse().unwrap();
        for (name, digest, expected) in table {
            let said = [(BASE_NAME, name), (BASE_DIGEST, digest)]
                .into_iter()
                .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())))
                .collect();
            assert_eq!(
                shown(named(&said, &base, "labels")),
                expected,
                "{name:?} {digest:?}"
            );
        }
        // Without a tag it is `latest`.
        let said = [(BASE_NAME, "postgres"), (BASE_DIGEST, &two)];
        let said = said.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        for base in ["postgres:latest", "postgres"] {
            let word = named(&said, &base.parse().unwrap(), "labels");
            assert_eq!(shown(word), "says …02", "{base}");
        }
    }
}
