//! How fresh the wanted builds are: their age, and whether their base has moved.
//!
//! Asked only of images that the spec names a base or a greatest age for: one
//! HEAD of each base's tag, and what digests name, which is kept. It is worth a
//! word and not the plan, so that it is not waited for longer than a while.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use imgstack_planner::{BaseState, Evidence, Freshness, Known, MovedBase, ObservedImage, Trouble};
use imgstack_registry::oci::{self, Client};
use imgstack_spec::{Digest, Image, ImageName, Stack};
use tokio::time::timeout;

use crate::images::{CONCURRENT, trouble};

/// How long an image's registry and its base's are waited for. The latter may be
/// one that nothing else needs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks for every image that the spec wants it known of.
pub(crate) async fn freshness(
    stack: &Stack,
    images: &BTreeMap<ImageName, ObservedImage>,
    registry: &Client,
) -> BTreeMap<ImageName, Freshness> {
    let asked = stack.images.iter().filter_map(|image| {
        let wanted = images.get(&image.name)?.digest.present()?;
        is_wanted(image).then_some((image, wanted))
    });
    stream::iter(asked)
        .map(|(image, wanted)| async move {
            let (created, base) = tokio::join!(
                created(image, wanted, registry),
                base(image, wanted, registry)
            );
            (image.name.clone(), Freshness { created, base })
        })
        .buffer_unordered(CONCURRENT)
        .collect()
        .await
}

fn is_wanted(image: &Image) -> bool {
    let greatest = image.build.as_ref().and_then(|build| build.maximum_age);
    image.base.is_some() || greatest.is_some()
}

async fn created(
    image: &Image,
    wanted: &Digest,
    registry: &Client,
) -> Known<Option<jiff::Timestamp>> {
    let asked = timeout(PATIENCE, registry.created(&image.repository, wanted));
    match asked.await {
        Ok(Ok(created)) => Known::Known(created),
        Ok(Err(error)) => Known::Unknown(trouble(&error)),
        Err(_) => Known::Unknown(no_answer(image.repository.host().as_str())),
    }
}

async fn base(image: &Image, wanted: &Digest, registry: &Client) -> Option<BaseState> {
    let base = image.base.as_ref()?;
    let asked = timeout(PATIENCE, registry.base(&image.repository, wanted, base));
    Some(match asked.await {
        Ok(state) => known(state),
        Err(_) => BaseState::Unknown(no_answer(base.repository.host().as_str())),
    })
}

fn no_answer(host: &str) -> Trouble {
    Trouble::new(format!(
        "{host} did not answer within {} s",
        PATIENCE.as_secs()
    ))
}

fn known(state: oci::BaseState) -> BaseState {
    match state {
        oci::BaseState::Current { how } => BaseState::Current(evidence(how)),
        oci::BaseState::Moved {
            how,
            from,
            to,
            made,
        } => BaseState::Moved(MovedBase {
            how: evidence(how),
            from,
            to,
            made,
        }),
        oci::BaseState::Unknown { why, hint } => BaseState::Unknown(Trouble { why, hint }),
    }
}

fn evidence(how: oci::Evidence) -> Evidence {
    match how {
        oci::Evidence::Provenance => Evidence::Provenance,
        oci::Evidence::Annotations => Evidence::Annotations,
        oci::Evidence::Labels => Evidence::Labels,
        oci::Evidence::Layers => Evidence::Layers,
    }
}
