//! The build that somebody means.

use std::str::FromStr;

use imgstack_planner::{Known, Trouble};
use imgstack_registry::oci::{Client, ErrorKind};
use imgstack_spec::{Digest, Image, ImageRef, Pin, Stack, Tag, nearest};

use super::PinError;
use crate::tags::{SHOWN, Wish, look};

const ALGORITHM: &str = "sha256:";
/// Fewer digits of a digest are most likely those of several.
const FEWEST_DIGITS: usize = 7;

/// A build as it is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// A tag.
    Tag(Tag),
    /// A whole digest.
    Digest(Digest),
    /// How a digest begins, as `imgstack tags` shows it.
    Beginning(String),
}

impl FromStr for Typed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(digits) = text.strip_prefix(ALGORITHM) else {
            return text.parse().map(Self::Tag).map_err(|_| {
                "write a tag, such as `16-abc1234`, or a digest, such as `sha256:83c3b4f319b1`, \
                 without the repository"
                    .to_owned()
            });
        };
        if let Ok(digest) = text.parse() {
            return Ok(Self::Digest(digest));
        }
        let digits = digits.trim_end_matches(['…', '.']);
        let is_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        match (FEWEST_DIGITS..64).contains(&digits.len()) && digits.bytes().all(is_hex) {
            true => Ok(Self::Beginning(format!("{ALGORITHM}{digits}"))),
            false => Err(format!(
                "a digest is `sha256:` and 64 hexadecimal digits, or at least the first \
                 {FEWEST_DIGITS} of them"
            )),
        }
    }
}

/// A build that the registry has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// As the spec is to have it.
    pub(crate) pin: Pin,
    pub(crate) digest: Digest,
}

/// Looks the build up.
pub(crate) async fn resolve(
    stack: &Stack,
    image: &Image,
    registry: &Client,
    typed: &Typed,
) -> Result<Held, PinError> {
    match typed {
        Typed::Tag(tag) if image.tag() == Some(tag) || tag.as_str() == "latest" => {
            let found = registry.resolve(&image.tagged(tag)).await.ok();
            Err(PinError::Moves {
                image: image.name.clone(),
                tag: tag.clone(),
                digest: found.map(|it| it.digest),
            })
        }
        Typed::Tag(tag) => Ok(Held {
            digest: by_tag(image, registry, tag).await?,
            pin: Pin::Tag(tag.clone()),
        }),
        Typed::Digest(digest) => by_digest(image, registry, digest.clone()).await,
        Typed::Beginning(beginning) => {
            let digest = whole(stack, image, registry, beginning).await?;
            by_digest(image, registry, digest).await
        }
    }
}

async fn by_tag(image: &Image, registry: &Client, tag: &Tag) -> Result<Digest, PinError> {
    let error = match registry.resolve(&image.tagged(tag)).await {
        Ok(found) => return Ok(found.digest),
        Err(error) => error,
    };
    let mut hint = error.hint();
    if error.kind() == ErrorKind::TagNotFound {
        // Without the list, the hint is what it was.
        let tags = registry.tags(&image.repository).await.unwrap_or_default();
        hint = match meant(tag, &tags) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("see which builds there are: imgstack tags {}", image.name),
        };
    }
    Err(PinError::NoBuild(Trouble {
        why: error.to_string(),
        hint: Some(hint),
    }))
}

/// A commit or a day is often typed without what comes before it.
fn meant<'t>(typed: &Tag, tags: &'t [Tag]) -> Option<&'t str> {
    let ending = format!("-{typed}");
    let names = || tags.iter().map(Tag::as_str);
    let mut whole = names().filter(|name| name.ends_with(&ending));
    whole.next().or_else(|| {
        nearest(
            typed.as_str(),
            names().filter(|it| !it.starts_with("sha256-")),
        )
    })
}

async fn by_digest(image: &Image, registry: &Client, digest: Digest) -> Result<Held, PinError> {
    let reference = ImageRef {
        digest: Some(digest.clone()),
        ..image.anywhere()
    };
    match registry.resolve(&reference).await {
        Ok(_) => Ok(Held {
            pin: Pin::Digest(digest.clone()),
            digest,
        }),
        Err(error) => Err(PinError::NoBuild(Trouble {
            why: error.to_string(),
            hint: Some(error.hint()),
        })),
    }
}

/// The one digest that begins so: first among those that `imgstack tags` shows,
/// then among all.
async fn whole(
    stack: &Stack,
    image: &Image,
    registry: &Client,
    beginning: &str,
) -> Result<Digest, PinError> {
    for limit in [Some(SHOWN), None] {
        let wish = Wish {
            all: limit.is_none(),
            limit,
            details: false,
            journal: false,
        };
        let overview = look(stack, image, registry, wish).await;
        let is_read = overview.unread.is_none();
        let rows = match overview.builds {
            Known::Known(rows) => rows,
            Known::Unknown(trouble) => return Err(PinError::NoBuild(trouble)),
        };
        let digests = rows.into_iter().map(|row| row.digest);
        let found: Vec<_> = digests
            .filter(|it| it.as_str().starts_with(beginning))
            .collect();
        match found.as_slice() {
            [one] => return Ok(one.clone()),
            [] if is_read => {}
            [] => {
                let unread = overview.unread.map(|it| it.trouble);
                return Err(PinError::NoBuild(unread.unwrap_or_else(|| {
                    Trouble::new("the list of builds is not whole")
                })));
            }
            several => return Err(PinError::Several(beginning.to_owned(), several.to_vec())),
        }
    }
    Err(PinError::NoBuild(Trouble {
        why: format!("no build of image.{} begins with {beginning}", image.name),
        hint: Some(format!(
            "see which builds there are: imgstack tags {} --all",
            image.name
        )),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_typed_as_tags_shows_it() {
        let hex = "0123456789abcdef".repeat(4);
        let whole = format!("sha256:{hex}");
        let beginning = |digits: &str| Some(Typed::Beginning(format!("sha256:{digits}")));
        let table = [
            ("16-abc1234", "16-abc1234".parse().ok().map(Typed::Tag)),
            (&*whole, whole.parse().ok().map(Typed::Digest)),
            ("sha256:0123456789ab…", beginning("0123456789ab")),
            ("sha256:0123456789ab...", beginning("0123456789ab")),
            ("sha256:0123456", beginning("0123456")),
            ("sha256:012345", None),
            ("sha256:0123456G", None),
            ("sha256:", None),
            ("acme/web:16", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<Typed>().ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_commit_alone_leads_to_its_tag() {
        let tags = ["16", "16-abc1234", "16-20260209", "sha256-16-abc.sig"];
        let tags = tags.map(|it| it.parse().unwrap());
        for (typed, expected) in [
            ("abc1234", Some("16-abc1234")),
            ("20260209", Some("16-20260209")),
            ("16-abc1243", Some("16-abc1234")),
            ("something-else", None),
        ] {
            assert_eq!(meant(&typed.parse().unwrap(), &tags), expected, "{typed}");
        }
    }
}
