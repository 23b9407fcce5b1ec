//! What the journal knows of builds: for which services they were good, and for
//! which they failed.

use imgstack_planner::History;
use imgstack_spec::{Digest, Image, ServiceName, Stack};
use jiff::Timestamp;
use serde::Serialize;

/// What is remembered of a build.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Remembered {
    /// The services that ran it well, and for which it has not failed since.
    pub(crate) good: Vec<GoodFor>,
    /// The services for which it failed, and has not been good since.
    pub(crate) failed: Vec<FailedFor>,
}

/// A service that ran a build well.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GoodFor {
    pub(crate) service: ServiceName,
    /// When that was found, last.
    pub(crate) since: Timestamp,
    pub(crate) release: u64,
}

/// A service that could not run a build.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FailedFor {
    pub(crate) service: ServiceName,
    pub(crate) at: Timestamp,
    pub(crate) release: u64,
    pub(crate) cause: String,
}

impl Remembered {
    /// What the services of the image tell of the build.
    pub(super) fn of(history: &History, stack: &Stack, image: &Image, digest: &Digest) -> Self {
        let mut remembered = Self::default();
        let services = stack.services.iter().filter(|it| it.image == image.name);
        for name in services.map(|it| &it.name) {
            let Some(past) = history.services.get(name) else {
                continue;
            };
            let good = past.good.iter().filter(|it| it.digest == *digest);
            remembered.good.extend(good.map(|build| GoodFor {
                service: name.clone(),
                since: build.at,
                release: build.release,
            }));
            let failed = past.failed.iter().filter(|it| it.digest == *digest);
            remembered.failed.extend(failed.map(|build| FailedFor {
                service: name.clone(),
                at: build.at,
                release: build.release,
                cause: build.cause.clone(),
            }));
        }
        remembered
    }
}
