//! The build to go back to, where nobody names one: the last that the journal
//! knows to be good.

use imgstack_planner::History;
use imgstack_spec::{Digest, Image, ServiceName};

use super::PinError;

/// The last good build of the services that is another one than `wanted`, which
/// the spec asks for now. A build that failed for a service of the image, `all`,
/// is good for none.
///
/// An image that is pinned has been gone back with already: the last good one
/// beside the pin may well be newer, so that one is to be named.
pub(crate) fn last_good(
    image: &Image,
    services: &[&ServiceName],
    all: &[&ServiceName],
    wanted: &Digest,
    history: &History,
) -> Result<Digest, PinError> {
    let failed = history.failed_for(all);
    let last = history.way_back(&image.repository, services, &failed, wanted);
    match (&image.pin, last) {
        (None, Some(last)) => Ok(last.digest.clone()),
        (None, None) => Err(PinError::NoGoodBuild(image.name.clone())),
        (Some(_), last) => Err(PinError::Pinned {
            image: image.name.clone(),
            last: last.map(|it| it.digest.clone()),
        }),
    }
}
