//! An apply under its lock: a page of the journal is begun, the steps are done,
//! the page is ended, in every outcome.

use imgstack_planner::StackPlan;
use tokio_util::sync::CancellationToken;

use crate::event::{Event, Outcome, StepOutcome};
use crate::execute::{Under, World, carry_out};
use crate::journal::{Occasion, Page, Record};
use crate::lock::Lock;

/// Carries out the plan of one stack under the lock of that stack, and writes
/// the journal. A plan without steps leaves no page.
///
/// The lock is looked at before every step: once it is lost nothing further is
/// begun. When the journal cannot be begun, nothing is.
///
/// For the rest as [`crate::execute`].
pub async fn apply(
    plan: &StackPlan,
    world: &World<'_>,
    lock: &Lock,
    occasion: &Occasion,
    cancel: &CancellationToken,
    tell: &(dyn Fn(Event) + Sync),
) -> Outcome {
    if plan.steps.is_empty() {
        return Outcome::default();
    }
    let stack = &plan.stack.name;
    let failed = |why: String, nothing_done: bool| Event::JournalFailed {
        stack: stack.clone(),
        why,
        nothing_done,
    };
    let page = match Page::begin(world.manager, plan, lock, occasion).await {
        Ok(page) => page,
        Err(error) => {
            tell(failed(error.to_string(), true));
            let outcome = Outcome::not_started(plan);
            tell(Event::ApplyFinished {
                stack: stack.clone(),
                outcome: outcome.clone(),
            });
            return outcome;
        }
    };
    let record = Record::default();
    let noting = |event: Event| {
        record.note(&event);
        tell(event);
    };
    let outcome = carry_out(plan, world, Under::Lock(lock), cancel, &noting).await;
    let number = page.number();
    let ending = record.ending(plan, &outcome, number);
    match page.end(&ending).await {
        Ok(()) => tell(Event::ReleaseWritten {
            stack: stack.clone(),
            number,
            result: ending.result,
        }),
        Err(error) => tell(failed(error.to_string(), false)),
    }
    tell(Event::ApplyFinished {
        stack: stack.clone(),
        outcome: outcome.clone(),
    });
    outcome
}

impl Outcome {
    /// Of a plan of which nothing was begun.
    #[must_use]
    pub fn not_started(plan: &StackPlan) -> Self {
        let steps = plan.steps.iter();
        Self {
            steps: steps
                .map(|step| (step.id.clone(), StepOutcome::NotStarted))
                .collect(),
            interrupted: false,
        }
    }
}
