//! Builds that have failed: they are held back until somebody wants them to be
//! tried again, or another build comes.
//!
//! A build that failed for one service is held back from every other service of
//! its image that does not run it yet: what has killed a replica must not reach
//! the primary with the next run. A service that asks for such a build already
//! is judged by how it runs.
//!
//! Without the journal nobody can say which builds have failed, so that no
//! service is moved (invariant 3).

use imgstack_spec::{Address, Digest, Service, ServiceName, Stack};

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

impl Memory {
    /// Looks for the build among those that failed. `again`: somebody wants
    /// them to be tried again.
    pub(crate) fn of(
        stack: &Stack,
        service: &Service,
        wanted: &Digest,
        inventory: &Inventory,
        again: bool,
    ) -> Self {
        let address = Address::Service(service.name.clone());
        let history = match &inventory.history {
            Known::Known(history) => history,
            // That it cannot be read is one finding on `swarm`.
            Known::Unknown(_) if again => return Self::Silent,
            Known::Unknown(_) => {
                return Self::Holds(finding(
                    Severity::Blocked,
                    Code::JournalUnknown,
                    &address,
                    "waits for the journal, which cannot be read".to_owned(),
                ));
            }
        };
        let Some((whose, failed)) = failure(history, stack, service, wanted) else {
            return Self::Silent;
        };
        let told = told(service, whose, failed);
        match again {
            true => Self::TriedAgain(finding(
                Severity::Attention,
                Code::FailedBefore,
                &address,
                format!("{told}, and is tried again (--retry-failed)"),
            )),
            false => Self::Holds(Finding {
                hint: Some(
                    "push a mended build, or try it again: imgstack apply --retry-failed"
                        .to_owned(),
                ),
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

/// Where the build failed: for the service itself, else for the last other one
/// of its image.
fn failure<'a>(
    history: &'a History,
    stack: &'a Stack,
    service: &'a Service,
    digest: &Digest,
) -> Option<(&'a ServiceName, &'a FailedBuild)> {
    let own = history.failed(&service.name, digest);
    own.map(|failed| (&service.name, failed)).or_else(|| {
        let services = stack.services.iter().filter(|it| it.image == service.image);
        let others = services.filter_map(|it| Some((&it.name, history.failed(&it.name, digest)?)));
        others.max_by_key(|(_, failed)| failed.release)
    })
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
