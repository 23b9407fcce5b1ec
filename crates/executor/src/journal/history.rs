//! What a plan wants to know of the journal.

use imgstack_planner::{FailedBuild, GoodBuild, History, Past, UnreadRelease};
use imgstack_spec::{ServiceName, Stack};

use super::builds::Proof;
use super::read::Journal;

impl Journal {
    /// What it tells of the builds of a stack's services.
    #[must_use]
    pub fn history(&self, stack: &Stack) -> History {
        let services = stack.services.iter().map(|service| &service.name);
        let unreadable = self.unreadable().iter().map(|page| UnreadRelease {
            number: page.number,
            why: page.why.clone(),
        });
        History {
            services: services
                .map(|name| (name.clone(), self.past(name)))
                .collect(),
            unreadable: unreadable.collect(),
        }
    }

    fn past(&self, service: &ServiceName) -> Past {
        let failed = self.failed_builds(service).into_iter();
        let failed = failed.map(|build| FailedBuild {
            digest: build.digest.clone(),
            image: build.image.clone(),
            at: build.at,
            release: build.release,
            cause: build.cause.clone(),
        });
        let good = self.good_builds(service).into_iter();
        let good = good.map(|build| GoodBuild {
            digest: build.digest,
            image: build.image,
            at: build.at,
            release: build.release,
            converged: build.proof == Proof::Converged,
        });
        Past {
            failed: failed.collect(),
            good: good.collect(),
        }
    }
}
