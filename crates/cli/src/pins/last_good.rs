//! The build to go back to, where nobody names one: the last that the journal
//! knows to be good.

use std::collections::BTreeMap;

use imgstack_executor::journal::{GoodBuild, Journal, Proof};
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
    journal: &Journal,
) -> Result<GoodBuild, PinError> {
    let failed = |build: &GoodBuild| {
        let mut all = all.iter();
        all.any(|service| journal.failed(service, &build.digest).is_some())
    };
    let mut known: BTreeMap<Digest, GoodBuild> = BTreeMap::new();
    for build in services.iter().flat_map(|it| journal.good_builds(it)) {
        let is_other = build.digest != *wanted && build.image.repository == image.repository;
        if is_other && !failed(&build) {
            let newer = |it: &GoodBuild| rank(it) < rank(&build);
            if known.get(&build.digest).is_none_or(newer) {
                known.insert(build.digest.clone(), build);
            }
        }
    }
    let mut known: Vec<_> = known.into_values().collect();
    known.sort_by_key(|build| std::cmp::Reverse(rank(build)));
    match (&image.pin, known.into_iter().next()) {
        (None, Some(last)) => Ok(last),
        (None, None) => Err(PinError::NoGoodBuild(image.name.clone())),
        (Some(_), last) => Err(PinError::Pinned {
            image: image.name.clone(),
            last: last.map(|it| it.digest),
        }),
    }
}

/// What a rollout has shown is worth more than what was there before.
fn rank(build: &GoodBuild) -> (u64, bool) {
    (build.release, build.proof == Proof::Converged)
}
