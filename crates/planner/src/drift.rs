//! What moved between a saved plan and the world as it is now (invariant 6).

use std::collections::BTreeSet;

use imgstack_spec::Address;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::plan::{Action, Seen, StackPlan};
use crate::report::{Finding, Severity};
use crate::{Known, Observed};

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

/// Names everything that `saved` was decided from and that is different in
/// `fresh`, a plan of the same stack made now. Empty: the saved plan holds.
#[must_use]
pub fn drift(saved: &StackPlan, fresh: &StackPlan) -> Vec<Moved> {
    let mut moved = Vec::new();
    moved.extend(cluster(saved, fresh));
    for (then, now) in saved.images.iter().zip(&fresh.images) {
        if !is_same(&then.wants, &now.wants) {
            moved.push(Moved {
                address: then.address.clone(),
                field: then.reference.to_string(),
                from: wants(&then.wants),
                to: wants(&now.wants),
            });
        }
    }
    let names: BTreeSet<_> = saved.seen.keys().chain(fresh.seen.keys()).collect();
    for name in names {
        let address = Address::Service(name.clone());
        moved.extend(Seen::moved(
            &address,
            saved.seen.get(name),
            fresh.seen.get(name),
        ));
    }
    if moved.is_empty() {
        moved.extend(tasks(saved, fresh));
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
    let words = |plan: &StackPlan, address: &Address| {
        let step = plan.steps.iter().find(|step| &step.address == address);
        if let Some(step) = step {
            let Action::UpdateService(update) = &step.action;
            return update.restarts.to_string();
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
    let addresses: BTreeSet<&Address> = steps.map(|step| &step.address).collect();
    addresses
        .into_iter()
        .map(|address| Moved {
            address: address.clone(),
            field: "tasks".to_owned(),
            from: words(saved, address),
            to: words(fresh, address),
        })
        .filter(|moved| moved.from != moved.to)
        .collect()
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
