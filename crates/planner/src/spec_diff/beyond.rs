//! The plan of the newer spec less the plan of the older one, both of the same
//! cluster at the same time.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::drift::leaves;
use crate::plan::StackPlan;
use crate::report::{Finding, Severity};
use crate::step::{Step, StepId};

/// What the newer spec makes of a cluster, and the older one does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Beyond {
    /// When the cluster was looked at.
    pub observed_at: Timestamp,
    /// The newer plan, of which are left the steps that the older plan has not,
    /// and the findings that it has not, or that block.
    #[serde(serialize_with = "narrowed")]
    pub plan: StackPlan,
    /// Steps of the older plan that the newer one has not.
    pub gone: Vec<StepId>,
}

impl Beyond {
    /// Takes the older plan from the newer one. None: the stack is new.
    #[must_use]
    pub fn of(old: Option<&StackPlan>, new: &StackPlan, observed_at: Timestamp) -> Self {
        let steps = |plan: Option<&StackPlan>| plan.map_or_else(Vec::new, |it| it.steps.clone());
        let before = steps(old);
        let is_there = |step: &Step, steps: &[Step]| {
            let same = steps.iter().find(|it| it.id == step.id);
            same.is_some_and(|it| leaves(it) == leaves(step))
        };
        let known = old
            .map(|it| it.report.findings.as_slice())
            .unwrap_or_default();
        let mut plan = new.clone();
        plan.steps.retain(|step| !is_there(step, &before));
        plan.report.findings.retain(|finding: &Finding| {
            finding.severity == Severity::Blocked || !known.contains(finding)
        });
        let gone = before.into_iter().map(|step| step.id);
        let gone = gone.filter(|id| new.steps.iter().all(|it| it.id != *id));
        Self {
            observed_at,
            plan,
            gone: gone.collect(),
        }
    }

    /// Whether both specs make the same of the cluster, as far as is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plan.steps.is_empty() && self.gone.is_empty() && !self.plan.report.is_blocked()
    }
}

/// A plan with a part of its steps is none that could be carried out, so it
/// does not look like one.
fn narrowed<S: Serializer>(plan: &StackPlan, to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Narrowed<'a> {
        stack: &'a imgstack_spec::StackName,
        endpoint: &'a str,
        steps: &'a [Step],
        findings: &'a [Finding],
    }
    let narrowed = Narrowed {
        stack: &plan.stack.name,
        endpoint: &plan.endpoint,
        steps: &plan.steps,
        findings: &plan.report.findings,
    };
    narrowed.serialize(to)
}
