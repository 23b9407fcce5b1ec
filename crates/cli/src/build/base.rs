//! The image that a build is made on, and which of its builds that is.
//!
//! The builder fetches the base anew, and does not tell which one it got. So
//! the registry is asked before and after: when both answers are the same, it
//! is known.

use imgstack_registry::oci::Client;
use imgstack_spec::{Digest, ImageRef};

use super::dockerfile::{Named, names};
use super::error::BuildError;
use super::work::Progress;

/// A base of which the digest is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    pub(crate) name: ImageRef,
    pub(crate) digest: Digest,
    /// The Dockerfile itself says so, whatever the tag leads to.
    pub(super) pinned: bool,
}

/// The base that the spec names, if the Dockerfile builds on it and the
/// registry knows it. What cannot be told is not claimed.
pub(super) async fn find(
    name: &ImageRef,
    dockerfile: &str,
    registry: &Client,
    tell: &(dyn Fn(Progress) + Sync),
) -> Option<Base> {
    let unknown = |why: String, hint: String| {
        let why = format!("{why}; the build will not tell its base");
        tell(Progress::Warning(why, Some(hint)));
        None
    };
    match names(dockerfile, name) {
        Named::Yes(Some(digest)) => Some(Base {
            name: name.clone(),
            digest,
            pinned: true,
        }),
        Named::Yes(None) => match registry.resolve(name).await {
            Ok(found) => Some(Base {
                name: name.clone(),
                digest: found.digest,
                pinned: false,
            }),
            Err(error) => unknown(error.to_string(), error.hint()),
        },
        Named::No(images) => unknown(
            format!(
                "the Dockerfile builds on {}, and not on {}",
                match images.as_slice() {
                    [] => "nothing".to_owned(),
                    images => images.join(", "),
                },
                name.familiar()
            ),
            "let `base` in the spec be what the Dockerfile has".to_owned(),
        ),
        Named::Open => unknown(
            format!(
                "whether the Dockerfile builds on {} depends on a variable",
                name.familiar()
            ),
            "give the ARG before FROM a default".to_owned(),
        ),
    }
}

/// Makes sure that the base is still the one that was found.
///
/// # Errors
/// It has moved, or the registry does not tell.
pub(super) async fn still(base: Option<&Base>, registry: &Client) -> Result<(), BuildError> {
    let Some((base, tag)) = base.and_then(|base| Some((base, base.name.tag.as_ref()?))) else {
        return Ok(());
    };
    if base.pinned {
        return Ok(());
    }
    match registry.resolve_anew(&base.name.repository, tag).await {
        Ok(now) if now.digest != base.digest => Err(BuildError::BaseMoved {
            base: base.name.clone(),
        }),
        Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
