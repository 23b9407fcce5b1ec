//! The leader goes last: of the services of one image that have `lastIf`, the
//! one whose task answers yes.
//!
//! Who leads is observed. Here is what follows from the answers: who goes last,
//! what is not moved as long as it is not known, and what there is to say.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_spec::{Address, ImageName, LastIf, Service, ServiceName, Stack};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::failed::Failures;
use crate::order::SetAside;
use crate::report::{Code, Finding, Severity};
use crate::service::{Judged, Verdict, finding, judge};
use crate::target::Scope;
use crate::{Inventory, Known, Trouble, follow};

/// Who leads a group, and what an update of one of its services needs to know
/// of that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Leader {
    /// What is asked, and what becomes of the answer.
    pub last_if: LastIf,
    /// The services of the group, this one among them, in file order.
    pub group: Vec<ServiceName>,
    /// Whether it led when the plan was made, and so goes last.
    pub led: bool,
}

/// What the answers of a group come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// This one leads. Whoever did not answer does not.
    One(ServiceName),
    /// All say no.
    Nobody,
    /// More than one says yes.
    Several(Vec<ServiceName>),
    /// None says yes, and these did not answer.
    Unknown(Vec<(ServiceName, Trouble)>),
}

/// Who leads, by what each service of a group answers.
#[must_use]
pub fn leadership<'a>(
    answers: impl IntoIterator<Item = (&'a ServiceName, &'a Known<bool>)>,
) -> Leadership {
    let (mut leaders, mut unknown) = (Vec::new(), Vec::new());
    for (service, answer) in answers {
        match answer {
            Known::Known(true) => leaders.push(service.clone()),
            Known::Known(false) => {}
            Known::Unknown(trouble) => unknown.push((service.clone(), trouble.clone())),
        }
    }
    match (leaders.len(), unknown.is_empty()) {
        (0, true) => Leadership::Nobody,
        (0, false) => Leadership::Unknown(unknown),
        (1, _) => Leadership::One(leaders.swap_remove(0)),
        (_, _) => Leadership::Several(leaders),
    }
}

/// `service.a and service.b both answer as the leader`
#[must_use]
pub fn several(leaders: &[ServiceName]) -> String {
    let mut names: Vec<String> = leaders.iter().map(|it| format!("service.{it}")).collect();
    let last = names.pop().unwrap_or_default();
    let all = if names.len() > 1 { "all" } else { "both" };
    format!("{} and {last} {all} answer as the leader", names.join(", "))
}

/// The services of which the answer can matter: those of a group in which one
/// is to be updated. Where a service is alone in its group, it matters only to
/// what is done before a leader goes.
#[must_use]
pub fn to_be_asked<'s>(stack: &'s Stack, inventory: &Inventory) -> Vec<&'s Service> {
    let following = follow::following(stack, inventory);
    // What has failed before may be tried again all the same.
    let failures = Failures::of(stack, inventory, true);
    let moves = |service: &&Service| {
        let judged = judge(stack, service, inventory, &following, &failures);
        matches!(judged.verdict, Verdict::Update(..))
    };
    let groups = stack.images.iter().map(|image| group(stack, &image.name));
    let asked = groups.filter(|group| group.iter().any(&moves));
    asked.flatten().collect()
}

/// The services of an image that have `lastIf`, in file order.
pub(crate) fn members<'s>(
    stack: &'s Stack,
    image: &ImageName,
) -> impl Iterator<Item = &'s Service> {
    let services = stack.services.iter();
    services.filter(move |it| it.image == *image && it.last_if.is_some())
}

/// The members, where it matters who of them leads.
fn group<'s>(stack: &'s Stack, image: &ImageName) -> Vec<&'s Service> {
    let members: Vec<&Service> = members(stack, image).collect();
    let is_alone = members.len() < 2;
    let has_before = |it: &&Service| it.last_if.as_ref().is_some_and(|it| it.before.is_some());
    match is_alone && !members.iter().any(has_before) {
        true => Vec::new(),
        false => members,
    }
}

/// Who goes last, of all groups.
#[derive(Default)]
pub(crate) struct Leaders<'a> {
    /// The leaders that are to be updated.
    pub(crate) last: BTreeSet<&'a ServiceName>,
    pub(crate) findings: Vec<Finding>,
}

/// Looks at each group in which a service of the scope is to be updated. Whose
/// part in it is not clear is not moved.
pub(crate) fn judge_all<'a>(
    scope: Scope<'a>,
    verdicts: &mut [Judged<'a>],
    inventory: &Inventory,
) -> Leaders<'a> {
    let mut leaders = Leaders::default();
    for image in &scope.stack.images {
        let group = group(scope.stack, &image.name);
        let names: BTreeSet<&ServiceName> = group.iter().map(|it| &it.name).collect();
        let left_out: Vec<&ServiceName> = verdicts
            .iter()
            .filter(|it| names.contains(&it.service.name) && !scope.has_service(it.service))
            .filter(|it| matches!(it.verdict, Verdict::Update(..)))
            .map(|it| &it.service.name)
            .collect();
        let moving: Vec<&mut Judged<'a>> = verdicts
            .iter_mut()
            .filter(|it| names.contains(&it.service.name) && scope.has_service(it.service))
            .filter(|it| matches!(it.verdict, Verdict::Update(..)))
            .collect();
        if !moving.is_empty() {
            let image = Address::Image(image.name.clone());
            leaders.judge(&image, &group, &left_out, moving, inventory);
        }
    }
    leaders
}

impl<'a> Leaders<'a> {
    fn judge(
        &mut self,
        image: &Address,
        group: &[&Service],
        left_out: &[&ServiceName],
        moving: Vec<&mut Judged<'a>>,
        inventory: &Inventory,
    ) {
        let not_asked = Known::Unknown(Trouble::new("it was not asked"));
        let answer = |name: &ServiceName| inventory.leaders.get(name).unwrap_or(&not_asked);
        let answers = group.iter().map(|it| (&it.name, answer(&it.name)));
        let leadership = leadership(answers);
        if leadership == Leadership::Nobody && group.len() > 1 {
            self.findings.push(nobody(image));
        }
        for judged in moving {
            let service = judged.service;
            let is_unknown = match answer(&service.name) {
                Known::Known(_) => None,
                Known::Unknown(trouble) => Some(trouble),
            };
            let address = Address::Service(service.name.clone());
            match (&leadership, is_unknown) {
                (Leadership::Several(leaders), _) if leaders.contains(&service.name) => {
                    judged.verdict = Verdict::Blocked(both(&address, leaders));
                    continue;
                }
                (Leadership::Unknown(_), Some(trouble)) => {
                    judged.verdict = Verdict::Blocked(unknown(&address, trouble));
                    continue;
                }
                (Leadership::One(leader), Some(trouble)) => {
                    self.findings.push(no_leader(&address, trouble, leader));
                }
                _ => {}
            }
            let led = leadership == Leadership::One(service.name.clone());
            self.mark(judged, group, left_out, led);
        }
    }

    /// Keeps with an update what has to be known once it is its turn.
    fn mark(
        &mut self,
        judged: &mut Judged<'a>,
        group: &[&Service],
        left_out: &[&ServiceName],
        led: bool,
    ) {
        let (Verdict::Update(update, reasons, _), Some(last_if)) =
            (&mut judged.verdict, &judged.service.last_if)
        else {
            return;
        };
        if led {
            self.last.insert(&judged.service.name);
        }
        match left_out {
            [] if led && group.len() > 1 => {
                reasons.push("last: it answers as the leader".to_owned());
            }
            [_, ..] if led => self.findings.push(too_early(judged.service, left_out)),
            _ => {}
        }
        update.leader = Some(Leader {
            last_if: last_if.clone(),
            group: group.iter().map(|it| it.name.clone()).collect(),
            led,
        });
    }
}

/// That a service does not wait for one that its `after` names.
pub(crate) fn set_aside(aside: &SetAside<'_>) -> Finding {
    let SetAside {
        service,
        named,
        leader,
    } = aside;
    let who = match named == leader {
        true => "it".to_owned(),
        false => format!("it comes after service.{leader}, which"),
    };
    let message = format!(
        "does not wait for service.{named} this time, although `after` names it: {who} answers as the leader, and goes last"
    );
    let address = Address::Service((*service).clone());
    finding(Severity::Note, Code::AfterSetAside, &address, message)
}

/// Somebody wants the leader to go, and others of its group not: so be it, and
/// it is said.
fn too_early(leader: &Service, left_out: &[&ServiceName]) -> Finding {
    let names: Vec<String> = left_out.iter().map(|it| format!("service.{it}")).collect();
    let all: Vec<String> = left_out
        .iter()
        .copied()
        .chain([&leader.name])
        .map(|it| format!("--target service.{it}"))
        .collect();
    Finding {
        hint: Some(format!("let all of them go: {}", all.join(" "))),
        ..finding(
            Severity::Attention,
            Code::NotTargeted,
            &Address::Service(leader.name.clone()),
            format!(
                "answers as the leader, and goes before {}, which --target leaves out",
                names.join(", ")
            ),
        )
    }
}

fn both(address: &Address, leaders: &[ServiceName]) -> Finding {
    let hint = "see which of them leads, and mend that first; then: imgstack plan";
    Finding {
        hint: Some(hint.to_owned()),
        ..finding(
            Severity::Blocked,
            Code::SeveralLeaders,
            address,
            several(leaders),
        )
    }
}

fn unknown(address: &Address, trouble: &Trouble) -> Finding {
    let hint = trouble.hint.clone();
    let again = "see whether its tasks run: imgstack status; then: imgstack plan";
    Finding {
        hint: Some(hint.unwrap_or_else(|| again.to_owned())),
        ..finding(
            Severity::Blocked,
            Code::LeaderUnknown,
            address,
            format!("whether it leads is not known: {}", trouble.why),
        )
    }
}

fn no_leader(address: &Address, trouble: &Trouble, leader: &ServiceName) -> Finding {
    let message = format!(
        "whether it leads is not known ({}); service.{leader} says that it does itself",
        trouble.why
    );
    finding(Severity::Note, Code::LeaderUnknown, address, message)
}

fn nobody(image: &Address) -> Finding {
    Finding {
        hint: Some("see whether it has a leader at all, before you apply".to_owned()),
        ..finding(
            Severity::Attention,
            Code::NoLeader,
            image,
            "none of its services answers as the leader, so they go in the order of the spec"
                .to_owned(),
        )
    }
}

/// Those that lead, by their image, as the steps of a plan have it.
#[must_use]
pub fn leaders<'a>(
    stack: &Stack,
    updates: impl IntoIterator<Item = &'a crate::UpdateService>,
) -> BTreeMap<ImageName, ServiceName> {
    let led = updates.into_iter().filter(|update| {
        let leader = update.leader.as_ref();
        leader.is_some_and(|leader| leader.led)
    });
    led.filter_map(|update| {
        let service = stack.service(&update.service)?;
        Some((service.image.clone(), service.name.clone()))
    })
    .collect()
}
