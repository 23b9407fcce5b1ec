//! What is remembered of the builds of services: which failed, which were good.
//!
//! Words on a build are of one service: the same build may be good for a
//! replica and die as a primary. What a later word has undone is not here.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_spec::{Digest, ImageRef, Repository, ServiceName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a journal tells of the services of a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// By service; one that is missing here has no past.
    pub services: BTreeMap<ServiceName, Past>,
    /// Releases that cannot be read, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<UnreadRelease>,
}

/// The builds that a service has run, or could not run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Past {
    /// Those that failed and have not been good since, the last first.
    pub failed: Vec<FailedBuild>,
    /// Those that were good and have not failed since, the last first.
    pub good: Vec<GoodBuild>,
}

/// A build that a service could not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedBuild {
    /// Its digest.
    pub digest: Digest,
    /// As the service was to name it.
    pub image: String,
    /// When it failed.
    pub at: Timestamp,
    /// The release in which it failed.
    pub release: u64,
    /// Why, in one line.
    pub cause: String,
}

/// A build that a service has run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GoodBuild {
    /// Its digest.
    pub digest: Digest,
    /// As the service named it.
    pub image: ImageRef,
    /// When that was found, last.
    pub at: Timestamp,
    /// The release that shows it.
    pub release: u64,
    /// Whether a rollout to it converged; else it was there before the journal
    /// knew of it.
    pub converged: bool,
}

/// A release of which nothing is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnreadRelease {
    /// Its number.
    pub number: u64,
    /// Why.
    pub why: String,
}

impl History {
    /// How a build failed for a service, unless it has been good since.
    #[must_use]
    pub fn failed(&self, service: &ServiceName, digest: &Digest) -> Option<&FailedBuild> {
        let mut failed = self.services.get(service)?.failed.iter();
        failed.find(|build| build.digest == *digest)
    }

    /// The builds that failed for any of these services.
    #[must_use]
    pub fn failed_for(&self, services: &[&ServiceName]) -> BTreeSet<&Digest> {
        let pasts = services.iter().filter_map(|it| self.services.get(*it));
        let failed = pasts.flat_map(|past| &past.failed);
        failed.map(|build| &build.digest).collect()
    }

    /// The build to go back to from `wanted`: the last of the repository that
    /// was good for one of `services`, is another one, and is none of `failed`,
    /// which are those of all services that would go back together.
    #[must_use]
    pub fn way_back(
        &self,
        repository: &Repository,
        services: &[&ServiceName],
        failed: &BTreeSet<&Digest>,
        wanted: &Digest,
    ) -> Option<&GoodBuild> {
        let pasts = services.iter().filter_map(|it| self.services.get(*it));
        let good = pasts.flat_map(|past| &past.good).filter(|build| {
            let is_other = build.digest != *wanted && build.image.repository == *repository;
            is_other && !failed.contains(&build.digest)
        });
        // What a rollout has shown is worth more than what was there before.
        good.max_by_key(|build| (build.release, build.converged))
    }

    /// The last release that cannot be read and in which the build may have
    /// failed: it is not known to be good for the service, nor to have been
    /// made after that release.
    #[must_use]
    pub fn may_have_failed(
        &self,
        service: &ServiceName,
        digest: &Digest,
        created: Option<Timestamp>,
    ) -> Option<&UnreadRelease> {
        let past = self.services.get(service);
        let mut good = past.into_iter().flat_map(|past| &past.good);
        if good.any(|build| build.digest == *digest) {
            return None;
        }
        let mut unread = self.unreadable.iter();
        unread.find(|page| match (created, self.was_over(page.number)) {
            (Some(created), Some(over)) => created <= over,
            (None, _) | (_, None) => true,
        })
    }

    /// A time at which that release was certainly over: releases of a stack
    /// come one at a time, so a word of a later one tells.
    fn was_over(&self, release: u64) -> Option<Timestamp> {
        let failed = |past: &Past| {
            let words = past.failed.iter().map(|it| (it.release, it.at));
            words.collect::<Vec<_>>()
        };
        let good = |past: &Past| {
            let words = past.good.iter().map(|it| (it.release, it.at));
            words.collect::<Vec<_>>()
        };
        let words = self.services.values();
        let words = words.flat_map(|past| failed(past).into_iter().chain(good(past)));
        let later = words.filter(|(number, _)| *number > release);
        later.map(|(_, at)| at).min()
    }

    /// Whether every release after that one could be read.
    #[must_use]
    pub fn is_whole_since(&self, release: u64) -> bool {
        self.unreadable.iter().all(|it| it.number <= release)
    }
}
