//! The last witness: an image begins with the layers of what it was built on.
//!
//! It knows for sure that the base has *not* moved, where the image is started as
//! the base is: a variable or a command moves without any layer. That an image begins
//! otherwise has two meanings: the base moved, or the image was never built on
//! it in that manner (one that was squashed, or whose last stage begins with
//! something else). Only where the base's present build is younger than the
//! image is it the first.

use imgstack_spec::Platform;

use super::started;
use crate::oci::config::ImageConfig;
use crate::oci::error::Error;
use crate::oci::opened::Opened;

/// How an image begins, next to the base's present build.
pub(super) enum Layers {
    BeginsWithThem,
    /// And could not begin with them: they are younger.
    BeginsOtherwise,
    /// Nothing can be told, for this reason.
    Incomparable(&'static str),
}

/// Compares the first of the image's platforms that the base has, too.
pub(super) async fn compare(image: &Opened<'_>, base: &Opened<'_>) -> Result<Layers, Error> {
    let Some((ours, theirs)) = both(image, base).await? else {
        return Ok(Layers::Incomparable(
            "the base has nothing for its platforms",
        ));
    };
    // Every image begins with no layers.
    if theirs.diff_ids.is_empty() {
        return Ok(Layers::Incomparable("the base has no layers"));
    }
    if ours.diff_ids.starts_with(&theirs.diff_ids) {
        return Ok(match started::alike(&ours, &theirs) {
            true => Layers::BeginsWithThem,
            false => Layers::Incomparable(
                "it begins with the layers of the base's present build and is started otherwise: the base may have changed that, or the image",
            ),
        });
    }
    Ok(match (image.created().await?, base.created().await?) {
        (Some(image), Some(base)) if base > image => Layers::BeginsOtherwise,
        (Some(_), Some(_)) => Layers::Incomparable(
            "it does not begin with the layers of the base's present build, though that is older: it may be built on something else",
        ),
        _ => Layers::Incomparable(
            "it does not begin with the layers of the base's present build, and which of the two is older is not known",
        ),
    })
}

async fn both(
    image: &Opened<'_>,
    base: &Opened<'_>,
) -> Result<Option<(ImageConfig, ImageConfig)>, Error> {
    let there = base.children().await?;
    for child in image.children().await? {
        if Platform::best(there.iter().map(|it| &it.platform), &child.platform).is_none() {
            continue;
        }
        let (ours, theirs) = (
            image.config_for(&child.platform).await?,
            base.config_for(&child.platform).await?,
        );
        return Ok(ours.zip(theirs));
    }
    Ok(None)
}
