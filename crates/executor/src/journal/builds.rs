//! What the journal knows of the builds of a service: which were good, and
//! which failed.

use std::collections::BTreeMap;

use imgstack_spec::{Digest, ImageRef, ServiceName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::read::Journal;
use super::release::Release;
use crate::event::StepOutcome;

/// A build that a service has run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoodBuild {
    /// As the service named it.
    pub image: ImageRef,
    /// Its digest.
    pub digest: Digest,
    /// When that was found, last.
    pub at: Timestamp,
    /// The release that shows it.
    pub release: u64,
    /// How it is known.
    pub proof: Proof,
}

/// How a build is known to be good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A rollout to it converged.
    Converged,
    /// The service asked for it before the journal knew of it, and no release
    /// shows how it came.
    WasThere,
}

/// A build that a service could not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedBuild {
    /// The service.
    pub service: ServiceName,
    /// As the service was to name it.
    pub image: String,
    /// Its digest.
    pub digest: Digest,
    /// When it failed.
    pub at: Timestamp,
    /// The release in which it failed.
    pub release: u64,
    /// Why, in one line.
    pub cause: String,
}

/// The last word on a build.
enum Word<'a> {
    Good(Box<GoodBuild>),
    Failed(&'a FailedBuild),
    /// A rollout to it was begun, and its end was not seen.
    Open,
}

impl Journal {
    /// The builds that a service has run and that have not failed since, the
    /// last first. Without those that rollouts left half-way.
    #[must_use]
    pub fn good_builds(&self, service: &ServiceName) -> Vec<GoodBuild> {
        let words = self.words(service).into_values();
        let mut good: Vec<GoodBuild> = words
            .filter_map(|word| match word {
                Word::Good(build) => Some(*build),
                Word::Failed(_) | Word::Open => None,
            })
            .collect();
        good.sort_by(|one, other| {
            let key = |build: &GoodBuild| (build.release, build.proof == Proof::Converged);
            key(other).cmp(&key(one))
        });
        good
    }

    /// The build that a service is last known to have run well.
    #[must_use]
    pub fn known_good(&self, service: &ServiceName) -> Option<GoodBuild> {
        self.good_builds(service).into_iter().next()
    }

    /// The builds that failed for a service and have not been good since, the
    /// last first.
    #[must_use]
    pub fn failed_builds(&self, service: &ServiceName) -> Vec<&FailedBuild> {
        let words = self.words(service).into_values();
        let mut failed: Vec<&FailedBuild> = words
            .filter_map(|word| match word {
                Word::Failed(build) => Some(build),
                Word::Good(_) | Word::Open => None,
            })
            .collect();
        failed.sort_by_key(|build| std::cmp::Reverse(build.release));
        failed
    }

    /// How a build failed for a service, unless it has been good since.
    #[must_use]
    pub fn failed(&self, service: &ServiceName, digest: &Digest) -> Option<&FailedBuild> {
        let mut failed = self.failed_builds(service).into_iter();
        failed.find(|build| build.digest == *digest)
    }

    /// The last word on each build of a service.
    fn words(&self, service: &ServiceName) -> BTreeMap<Digest, Word<'_>> {
        let mut words = BTreeMap::new();
        for release in self.releases().iter().rev() {
            let updates = release.updates();
            for (change, outcome) in updates.filter(|(change, _)| change.service == *service) {
                if let Some(build) = build(release, &change.from, Proof::WasThere) {
                    let word = || Word::Good(Box::new(build.clone()));
                    words.entry(build.digest.clone()).or_insert_with(word);
                }
                let Some(build) = build(release, &change.to, Proof::Converged) else {
                    continue;
                };
                let digest = build.digest.clone();
                let failed = failed(release, service, &digest);
                match (outcome, failed) {
                    (Some(StepOutcome::Done), _) => {
                        words.insert(digest, Word::Good(Box::new(build)));
                    }
                    (_, Some(failed)) => {
                        words.insert(digest, Word::Failed(failed));
                    }
                    // Nothing of it was begun, or it was not the build's fault.
                    (Some(StepOutcome::NotStarted | StepOutcome::Stopped), None) => {}
                    (Some(StepOutcome::Failed | StepOutcome::InFlight) | None, None) => {
                        words.entry(digest).or_insert(Word::Open);
                    }
                }
            }
        }
        words
    }
}

fn failed<'a>(
    release: &'a Release,
    service: &ServiceName,
    digest: &Digest,
) -> Option<&'a FailedBuild> {
    let mut failed = release.ending.iter().flat_map(|it| &it.failed_builds);
    failed.find(|it| it.service == *service && it.digest == *digest)
}

/// None for an image without a digest, which says nothing of the build.
fn build(release: &Release, image: &str, proof: Proof) -> Option<GoodBuild> {
    let image: ImageRef = image.parse().ok()?;
    let at = match (proof, &release.ending) {
        (Proof::Converged, Some(ending)) => ending.ended_at,
        (Proof::Converged, None) | (Proof::WasThere, _) => release.begun.started_at,
    };
    Some(GoodBuild {
        digest: image.digest.clone()?,
        image,
        at,
        release: release.begun.number,
        proof,
    })
}

#[cfg(test)]
mod tests {
    use super::super::page::tests::begun;
    use super::super::release::{Begun, Ending, ReleaseResult};
    use super::*;

    fn image(digit: char) -> String {
        let hex: String = std::iter::repeat_n(digit, 64).collect();
        format!("ghcr.io/acme/web:1@sha256:{hex}")
    }

    /// The release of that number: from which build to which, and how it went;
    /// `Failed` is the build's fault.
    fn release(number: u64, from: char, to: char, outcome: Option<StepOutcome>) -> Release {
        let mut begun = Begun { number, ..begun(1) };
        begun.steps.remove(0);
        let change = begun.steps[0].image.as_mut().unwrap();
        (change.from, change.to) = (image(from), image(to));
        let service = change.service.clone();
        begun.steps[0].place = 0;
        let failed = (outcome == Some(StepOutcome::Failed)).then(|| FailedBuild {
            service,
            image: image(to),
            digest: image(to).parse::<ImageRef>().unwrap().digest.unwrap(),
            at: Timestamp::UNIX_EPOCH,
            release: number,
            cause: format!("cause {number}"),
        });
        let ending = outcome.map(|outcome| Ending {
            ended_at: Timestamp::UNIX_EPOCH,
            result: ReleaseResult::Done,
            outcomes: vec![(outcome, 1)],
            failures: Vec::new(),
            failed_builds: failed.into_iter().collect(),
            leaders: Vec::new(),
        });
        Release { begun, ending }
    }

    fn digit(digest: &Digest) -> char {
        digest.as_str().chars().last().unwrap()
    }

    /// What happened, the oldest first; which builds are good, and which have
    /// failed, the last first.
    #[test]
    fn the_last_word_on_a_build_counts() {
        use StepOutcome::{Done, Failed, InFlight, NotStarted};
        type Story = (
            &'static [(char, char, Option<StepOutcome>)],
            &'static str,
            &'static str,
        );
        let table: [Story; 10] = [
            (&[], "", ""),
            (&[('a', 'b', Some(Done))], "ba", ""),
            (&[('a', 'b', Some(Done)), ('b', 'c', Some(Done))], "cba", ""),
            // It failed, and the service went back.
            (&[('a', 'b', Some(Failed))], "a", "b"),
            (
                &[
                    ('a', 'b', Some(Done)),
                    ('b', 'c', Some(Failed)),
                    ('b', 'd', Some(Failed)),
                ],
                "ba",
                "dc",
            ),
            // Tried again, and good; good once, and failed later.
            (
                &[('a', 'b', Some(Failed)), ('a', 'b', Some(Done))],
                "ba",
                "",
            ),
            (
                &[('a', 'b', Some(Done)), ('a', 'b', Some(Failed))],
                "a",
                "b",
            ),
            // What is half-way, or of a killed run, is not known to be good, even
            // when the service asks for it later.
            (
                &[('a', 'b', Some(InFlight)), ('b', 'c', Some(Done))],
                "ca",
                "",
            ),
            (&[('a', 'b', None), ('b', 'c', Some(Done))], "ca", ""),
            (&[('a', 'b', Some(NotStarted))], "a", ""),
        ];
        let web = "web-0".parse().unwrap();
        for (story, good, failed) in table {
            let releases = (1..).zip(story);
            let mut releases: Vec<Release> = releases
                .map(|(number, (from, to, outcome))| release(number, *from, *to, *outcome))
                .collect();
            releases.reverse();
            let journal = Journal::with(releases);
            let builds = journal.good_builds(&web);
            let digits: String = builds.iter().map(|it| digit(&it.digest)).collect();
            assert_eq!(digits, good, "{story:?}");
            assert_eq!(journal.known_good(&web), builds.first().cloned());
            let builds = journal.failed_builds(&web);
            let digits: String = builds.iter().map(|it| digit(&it.digest)).collect();
            assert_eq!(digits, failed, "{story:?}");
            for build in builds {
                assert_eq!(journal.failed(&web, &build.digest), Some(build));
            }
            let other = "other".parse().unwrap();
            assert_eq!(journal.known_good(&other), None);
        }
    }

    #[test]
    fn how_a_build_is_known_is_told() {
        let journal = Journal::with(vec![release(3, 'a', 'b', Some(StepOutcome::Done))]);
        let builds = journal.good_builds(&"web-0".parse().unwrap());
        let told: Vec<_> = builds.iter().map(|it| (it.release, it.proof)).collect();
        assert_eq!(told, [(3, Proof::Converged), (3, Proof::WasThere)]);
        assert_eq!(builds[0].image.to_string(), image('b'));
    }
}
