//! Builds that have failed: they are held back until somebody wants them to be
//! tried again, or another build comes.
//!
//! A build that failed for one service is held back from every other service of
//! its image that does not run it yet: what has killed a replica must not reach
//! the primary with the next run. A service that asks for such a build already
//! is judged by how it runs.
//!
//! Without the journal nobody can say which builds have failed, so that no
//! service is moved (invariant 3). Nor is one moved to a build that may have
//! failed in a single release that cannot be read: one that is not known to be
//! good for the service, nor to be younger than that release.

use std::collections::BTreeMap;

use imgstack_spec::{Address, Digest, ImageName, Service, ServiceName, Stack};

use crate::inventory::{FailedBuild, History};
use crate::planner::Draft;
use crate::report::{Code, Finding, Severity};
use crate::service::{Judged, Verdict, finding};
use crate::{Inventory, Known};

/// What the past has to say to a service that is to move to a build.
pub(crate) enum Memory {
    /// The build has not failed.
    Silent,
    /// It has, and is tried again, as somebody asked for.
    TriedAgain(Finding),
    /// It has, or nobody knows.
    Holds(Finding),
}

/// The builds that failed, ready to be asked for.
pub(crate) struct Failures<'a> {
    /// None: nobody knows.
    history: Option<&'a History>,
    /// Of each image, where a build failed last.
    last: BTreeMap<(&'a ImageName, &'a Digest), Failure<'a>>,
    inventory: &'a Inventory,
    /// Somebody wants them to be tried again.
    again: bool,
    /// Whether to try again would be to try what failed of other images, too.
    has_others: bool,
}

/// For which service a build failed, and how.
type Failure<'a> = (&'a ServiceName, &'a FailedBuild);

impl<'a> Failures<'a> {
    pub(crate) fn of(stack: &'a Stack, inventory: &'a Inventory, again: bool) -> Self {
        let history = match &inventory.history {
            Known::Known(history) => Some(history),
            Known::Unknown(_) => None,
        };
        let mut last: BTreeMap<_, Failure<'a>> = BTreeMap::new();
        for service in &stack.services {
            let past = history.and_then(|it| it.services.get(&service.name));
            for failed in past.into_iter().flat_map(|past| &past.failed) {
                let known = last.entry((&service.image, &failed.digest));
                let known = known.or_insert((&service.name, failed));
                if known.1.release < failed.release {
                    *known = (&service.name, failed);
                }
            }
        }
        Self {
            history,
            last,
            inventory,
            again,
            has_others: stack.images.len() > 1,
        }
    }

    /// What is to be said to a service that is to move to that build.
    pub(crate) fn memory(&self, service: &Service, wanted: &Digest) -> Memory {
        let address = Address::Service(service.name.clone());
        let Some(history) = self.history else {
            // That it cannot be read is one finding on `swarm`.
            return match self.again {
                true => Memory::Silent,
                false => Memory::Holds(finding(
                    Severity::Blocked,
                    Code::JournalUnknown,
                    &address,
                    "waits for the journal, which cannot be read".to_owned(),
                )),
            };
        };
        let own = history.failed(&service.name, wanted);
        let own = own.map(|failed| (&service.name, failed));
        let other = || self.last.get(&(&service.image, wanted)).copied();
        let Some((whose, failed)) = own.or_else(other) else {
            return self.unread(history, service, wanted);
        };
        let told = told(service, whose, failed);
        match self.again {
            true => Memory::TriedAgain(finding(
                Severity::Attention,
                Code::FailedBefore,
                &address,
                format!("{told}, and is tried again (--retry-failed)"),
            )),
            false => Memory::Holds(Finding {
                hint: Some(format!(
                    "push a mended build, or try it again: {}",
                    self.command(service)
                )),
                ..finding(
                    Severity::Blocked,
                    Code::FailedBefore,
                    &address,
                    format!("{told}, held"),
                )
            }),
        }
    }
}

impl Failures<'_> {
    /// What tries the build again, and no build of another image.
    fn command(&self, service: &Service) -> String {
        let again = "imgstack apply --retry-failed";
        match self.has_others {
            true => format!("{again} --target image.{}", service.image),
            false => again.to_owned(),
        }
    }

    /// A build of which no word is left, where a word may be missing.
    fn unread(&self, history: &History, service: &Service, wanted: &Digest) -> Memory {
        let created = self.inventory.build(wanted).and_then(|it| it.created);
        match history.may_have_failed(&service.name, wanted, created) {
            Some(page) if !self.again => Memory::Holds(Finding {
                hint: Some(format!(
                    "see what became of it: imgstack history; to try the build all the same: {}",
                    self.command(service)
                )),
                ..finding(
                    Severity::Blocked,
                    Code::JournalPageUnread,
                    &Address::Service(service.name.clone()),
                    format!(
                        "the wanted build may have failed in release {}, which cannot be read, held",
                        page.number
                    ),
                )
            }),
            // That there is such a release is said of the journal.
            Some(_) | None => Memory::Silent,
        }
    }
}

/// "the wanted build failed on 2026-11-24 14:03 UTC in release 7 (…)"
fn told(service: &Service, whose: &ServiceName, failed: &FailedBuild) -> String {
    let at = failed.at.strftime("%Y-%m-%d %H:%M UTC");
    let release = failed.release;
    match *whose == service.name {
        true => format!(
            "the wanted build failed on {at} in release {release} ({})",
            failed.cause
        ),
        // Why is said there, or in the release.
        false => format!("the wanted build failed at service.{whose} on {at} in release {release}"),
    }
}

impl Draft<'_> {
    /// What of the journal cannot be read, unless all of the Swarm cannot.
    pub(crate) fn report_journal(&mut self, verdicts: &[Judged<'_>], inventory: &Inventory) {
        if let Known::Unknown(_) = inventory.services {
            return;
        }
        let findings = match &inventory.history {
            Known::Known(history) => history.unreadable.iter().map(|page| Finding {
                hint: Some("another version of imgstack may have written it: imgstack history".to_owned()),
                ..finding(
                    Severity::Attention,
                    Code::JournalPageUnread,
                    &Address::Swarm,
                    format!(
                        "release {} of the journal cannot be read ({}), nor what was good or failed in it",
                        page.number, page.why
                    ),
                )
            }).collect(),
            Known::Unknown(trouble) => {
                let ours = verdicts.iter().filter(|it| self.scope.has_service(it.service));
                let waits = ours.filter(|it| match &it.verdict {
                    Verdict::Held(finding) => finding.code == Code::JournalUnknown,
                    Verdict::UpToDate
                    | Verdict::Noted(_)
                    | Verdict::Stalled(_)
                    | Verdict::Update(..)
                    | Verdict::Blocked(_) => false,
                });
                let blocks: Vec<Address> = waits
                    .map(|it| Address::Service(it.service.name.clone()))
                    .collect();
                let severity = match blocks.is_empty() {
                    true => Severity::Attention,
                    false => Severity::Blocked,
                };
                vec![Finding {
                    hint: trouble.hint.clone(),
                    blocks,
                    ..finding(
                        severity,
                        Code::JournalUnknown,
                        &Address::Swarm,
                        format!(
                            "the journal cannot be read, so that nobody knows which builds have failed: {}",
                            trouble.why
                        ),
                    )
                }]
            }
        };
        self.report.findings.extend(findings);
    }
}
