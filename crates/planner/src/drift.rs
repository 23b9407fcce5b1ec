//! What moved between a saved plan and the world as it is now (invariant 6).

use std::collections::{BTreeMap, BTreeSet};

use imgstack_spec::Address;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::{PlannedImage, Seen, StackPlan};
use crate::planner::PLAN_LABEL;
use crate::report::{Code, Finding, Severity};
use crate::step::{Action, Step, StepId};
use crate::{Known, Observed, Trouble};

/// How a saved plan stands to the world as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// What is no longer as the plan saw it.
    pub moved: Vec<Moved>,
    /// What the plan was decided from and could not be looked at now. Whether
    /// it moved is unknown (invariant 3).
    pub unknown: Vec<Unseen>,
}

/// Something that could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unseen {
    /// What.
    pub address: Address,
    /// Why not.
    #[serde(flatten)]
    pub trouble: Trouble,
}

/// One thing that is no longer as a plan saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// What it belongs to.
    pub address: Address,
    /// Which value, in docker's words.
    pub field: String,
    /// As the plan saw it.
    pub from: String,
    /// As it is.
    pub to: String,
}

/// Names everything that `saved` was decided from and that is different, or
/// unknown, in `fresh`, a plan of the same stack made now; where neither is,
/// the steps that would be others now. Empty: the saved plan holds.
#[must_use]
pub fn drift(saved: &StackPlan, fresh: &StackPlan) -> Drift {
    let mut drift = Drift::default();
    match trouble(saved, fresh) {
        Some(trouble) => drift.unknown.push(Unseen {
            address: Address::Swarm,
            trouble,
        }),
        None => drift.moved.extend(swarm(saved, fresh)),
    }
    for (then, now) in saved.images.iter().zip(&fresh.images) {
        image(then, now, &mut drift);
    }
    if drift.is_empty() {
        drift.moved = tasks(saved, fresh);
    }
    if drift.is_empty() {
        drift.moved = leaders(saved, fresh);
    }
    if drift.is_empty() {
        drift.moved = altered(saved, fresh);
    }
    drift
}

impl Drift {
    /// Whether the saved plan holds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.moved.is_empty() && self.unknown.is_empty()
    }
}

fn image(then: &PlannedImage, now: &PlannedImage, drift: &mut Drift) {
    let address = then.address.clone();
    let several = (then.keeps_several(), now.keeps_several());
    match (&then.wants, &now.wants) {
        (before, after) if several.0 == several.1 && is_same(before, after) => {}
        (_, Observed::Unknown(trouble)) if !several.1 => drift.unknown.push(Unseen {
            address,
            trouble: trouble.clone(),
        }),
        (before, after) if then.reference == now.reference && several == (false, false) => {
            drift.moved.push(Moved {
                address,
                field: then.reference.to_string(),
                from: wants(before),
                to: wants(after),
            });
        }
        // A policy has come to another tag, or to none.
        _ => drift.moved.push(Moved {
            address,
            field: then.reference.repository.to_string(),
            from: named(then),
            to: named(now),
        }),
    }
}

/// Why the Swarm or its journal, which `saved` has seen, cannot be read now.
fn trouble(saved: &StackPlan, fresh: &StackPlan) -> Option<Trouble> {
    swarm_trouble(saved, fresh).or_else(|| {
        let blocks = |plan: &StackPlan| {
            let mut findings = plan.report.findings.iter();
            let finding = findings.find(|it| {
                it.code == Code::JournalUnknown
                    && it.severity == Severity::Blocked
                    && it.address == Address::Swarm
            })?;
            Some(Trouble {
                why: finding.message.clone(),
                hint: finding.hint.clone(),
            })
        };
        blocks(fresh).filter(|_| blocks(saved).is_none())
    })
}

fn swarm_trouble(saved: &StackPlan, fresh: &StackPlan) -> Option<Trouble> {
    let mut findings = fresh.report.findings.iter();
    let finding =
        findings.find(|it| it.code == Code::SwarmUnknown && it.address == Address::Swarm)?;
    let was_known = matches!(saved.cluster, Known::Known(_)) || !saved.seen.is_empty();
    was_known.then(|| Trouble {
        why: finding.message.clone(),
        hint: finding.hint.clone(),
    })
}

fn swarm(saved: &StackPlan, fresh: &StackPlan) -> Vec<Moved> {
    let mut moved: Vec<Moved> = cluster(saved, fresh).into_iter().collect();
    let names: BTreeSet<_> = saved.seen.keys().chain(fresh.seen.keys()).collect();
    for name in names {
        let address = Address::Service(name.clone());
        let (then, now) = (saved.seen.get(name), fresh.seen.get(name));
        moved.extend(Seen::moved(&address, then, now));
    }
    moved
}

fn cluster(saved: &StackPlan, fresh: &StackPlan) -> Option<Moved> {
    let words = |cluster: &Known<String>| match cluster {
        Known::Known(id) => id.clone(),
        Known::Unknown(trouble) => format!("unknown ({})", trouble.why),
    };
    let id = |cluster: &Known<String>| match cluster {
        Known::Known(id) => Some(id.clone()),
        Known::Unknown(_) => None,
    };
    (id(&saved.cluster) != id(&fresh.cluster)).then(|| Moved {
        address: Address::Swarm,
        field: "cluster".to_owned(),
        from: words(&saved.cluster),
        to: words(&fresh.cluster),
    })
}

/// Same specs, yet other steps: tasks were placed elsewhere or went, or
/// something blocks now that did not.
fn tasks(saved: &StackPlan, fresh: &StackPlan) -> Vec<Moved> {
    let words = |plan: &StackPlan, step: &Step| {
        let address = &step.address;
        let step = plan.steps.iter().find(|it| it.id == step.id);
        match step.map(|step| &step.action) {
            Some(Action::UpdateService(update)) => return update.restarts.to_string(),
            Some(_) => return "to be done".to_owned(),
            None => {}
        }
        let mut findings = plan.report.findings.iter();
        let blocked = |finding: &&Finding| {
            finding.severity == Severity::Blocked && &finding.address == address
        };
        findings.find(blocked).map_or_else(
            || "nothing to do".to_owned(),
            |finding| format!("blocked: {}", finding.message),
        )
    };
    let steps = saved.steps.iter().chain(&fresh.steps);
    let steps: BTreeMap<&StepId, &Step> = steps.map(|step| (&step.id, step)).collect();
    steps
        .into_values()
        .map(|step| Moved {
            address: step.address.clone(),
            field: match &step.action {
                Action::UpdateService(_) => "tasks".to_owned(),
                _ => step.id.to_string(),
            },
            from: words(saved, step),
            to: words(fresh, step),
        })
        .filter(|moved| moved.from != moved.to)
        .collect()
}

/// Other services lead, so that the order is another.
fn leaders(saved: &StackPlan, fresh: &StackPlan) -> Vec<Moved> {
    let led = |plan: &StackPlan| -> BTreeMap<StepId, bool> {
        let steps = plan.steps.iter();
        let led = steps.filter_map(|step| match &step.action {
            Action::UpdateService(update) => Some((step.id.clone(), update.leader.as_ref()?.led)),
            _ => None,
        });
        led.collect()
    };
    let (then, now) = (led(saved), led(fresh));
    let words = |led: &bool| if *led { "yes" } else { "no" }.to_owned();
    let steps = saved.steps.iter();
    let moved = steps.filter_map(|step| {
        let (then, now) = (then.get(&step.id)?, now.get(&step.id)?);
        (then != now).then(|| Moved {
            address: step.address.clone(),
            field: "answers as the leader".to_owned(),
            from: words(then),
            to: words(now),
        })
    });
    moved.collect()
}

/// Nothing moved, and the steps of the plan are not those that follow from it:
/// a plan file that somebody edited, or that another version made. Choices are
/// made in the plan (invariant 1), and not in its file.
fn altered(saved: &StackPlan, fresh: &StackPlan) -> Vec<Moved> {
    let order = |plan: &StackPlan| {
        let steps = plan.steps.iter().map(|step| step.id.to_string());
        steps.collect::<Vec<_>>().join(", ")
    };
    let (then, now) = (order(saved), order(fresh));
    if then != now {
        return vec![Moved {
            address: Address::Swarm,
            field: "order of the steps".to_owned(),
            from: then,
            to: now,
        }];
    }
    let steps = saved.steps.iter().zip(&fresh.steps);
    steps
        .flat_map(|(then, now)| {
            let (before, after) = (leaves(then), leaves(now));
            let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            let moved = keys.into_iter().map(|key| Moved {
                address: then.address.clone(),
                field: key.clone(),
                from: shown(before.get(key)),
                to: shown(after.get(key)),
            });
            moved.filter(|it| it.from != it.to).collect::<Vec<_>>()
        })
        .collect()
}

/// What a step does, value by value. Its reasons are for people (invariant 4).
pub(crate) fn leaves(step: &Step) -> BTreeMap<String, Value> {
    let mut leaves = BTreeMap::new();
    let mut done =
        serde_json::json!({"action": step.action, "after": step.after, "follows": step.follows});
    // It follows from all the others.
    for action in ["updateService", "adjustService", "rotateCredential"] {
        let labels = done.pointer_mut(&format!("/action/{action}/labels"));
        if let Some(labels) = labels.and_then(Value::as_object_mut) {
            labels.remove(PLAN_LABEL);
        }
    }
    let mut left = vec![(String::new(), done)];
    while let Some((path, value)) = left.pop() {
        match value {
            Value::Object(map) => left.extend(map.into_iter().map(|(key, value)| {
                let dot = if path.is_empty() { "" } else { "." };
                (format!("{path}{dot}{key}"), value)
            })),
            other => {
                leaves.insert(path, other);
            }
        }
    }
    leaves
}

/// Why something is not there may be told in other words each time, such as
/// with the number of a request; that is no move.
fn is_same<T: PartialEq>(then: &Observed<T>, now: &Observed<T>) -> bool {
    match (then, now) {
        (Observed::Present(then), Observed::Present(now)) => then == now,
        (Observed::Absent(_), Observed::Absent(_))
        | (Observed::Unknown(_), Observed::Unknown(_)) => true,
        _ => false,
    }
}

fn wants<T: ToString>(observed: &Observed<T>) -> String {
    match observed {
        Observed::Present(digest) => digest.to_string(),
        Observed::Absent(trouble) => format!("absent ({})", trouble.why),
        Observed::Unknown(trouble) => format!("unknown ({})", trouble.why),
    }
}

/// `3.3.4@sha256:…`
fn named(image: &PlannedImage) -> String {
    match (&image.reference.tag, image.wants.present()) {
        _ if image.keeps_several() => "what each service runs".to_owned(),
        (Some(tag), Some(digest)) => format!("{tag}@{digest}"),
        (None, _) | (Some(_), None) => wants(&image.wants),
    }
}

impl Seen {
    /// What differs between two sights of one service. A version index alone
    /// is no difference: the engine raises it when it writes its own status.
    #[must_use]
    pub fn moved(address: &Address, then: Option<&Self>, now: Option<&Self>) -> Vec<Moved> {
        let moved = |field: &str, from: String, to: String| Moved {
            address: address.clone(),
            field: field.to_owned(),
            from,
            to,
        };
        let (then, now) = match (then, now) {
            (None, None) => return Vec::new(),
            (Some(then), Some(now)) => (then, now),
            (None, Some(now)) => {
                return vec![moved(
                    "id",
                    "no such service".into(),
                    now.service_id.clone(),
                )];
            }
            (Some(then), None) => {
                return vec![moved(
                    "id",
                    then.service_id.clone(),
                    "no such service".into(),
                )];
            }
        };
        if then.service_id != now.service_id {
            return vec![moved("id", then.service_id.clone(), now.service_id.clone())];
        }
        if then.spec_digest == now.spec_digest {
            return Vec::new();
        }
        let fields: BTreeSet<&String> = then.fields.keys().chain(now.fields.keys()).collect();
        let mut named: Vec<Moved> = fields
            .into_iter()
            .filter(|field| then.fields.get(*field) != now.fields.get(*field))
            .map(|field| {
                moved(
                    field,
                    shown(then.fields.get(field)),
                    shown(now.fields.get(field)),
                )
            })
            .collect();
        if named.is_empty() {
            // Values that may be secret are not kept, so only the fact can be told.
            named.push(moved(
                "a field that is not kept in plans (the value of a variable, a label, an argument)",
                format!("version {}", then.version),
                format!("version {}", now.version),
            ));
        }
        named
    }
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "(none)".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
