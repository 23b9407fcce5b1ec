//! The steps of a plan, one after another.

use std::collections::BTreeMap;

use imgstack_planner::{Action, StackPlan, Step};
use imgstack_spec::{ImageRef, Repository};
use imgstack_swarm::{Manager, RegistryAuth, ServiceId};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::converge::{End, Rollout};
use crate::event::{Event, Failure, FailureKind, Outcome, StepOutcome};
use crate::send::{Change, Sent, unread};

/// The credentials that nodes pull with, by repository. A repository that is
/// missing here is pulled with whatever the service already carries.
pub type Authorisation = BTreeMap<Repository, RegistryAuth>;

/// Carries out the plan of one stack.
///
/// Stops at the first step that fails. When `cancel` is cancelled, the call in
/// flight is finished and nothing new is begun; a rollout that the Swarm has
/// begun goes on without us, and is reported as in flight.
pub async fn execute(
    plan: &StackPlan,
    manager: &Manager,
    authorisation: &Authorisation,
    cancel: &CancellationToken,
    tell: &(dyn Fn(Event) + Sync),
) -> Outcome {
    tell(Event::ApplyStarted {
        stack: plan.stack.name.clone(),
        steps: plan.steps.len(),
    });
    let mut outcome = Outcome::default();
    let mut stopped = false;
    for step in &plan.steps {
        let ended = if stopped || cancel.is_cancelled() {
            StepOutcome::NotStarted
        } else {
            one_step(plan, step, manager, authorisation, cancel, tell).await
        };
        stopped |= ended != StepOutcome::Done;
        outcome.steps.push((step.address.clone(), ended));
    }
    outcome.interrupted = cancel.is_cancelled() && !outcome.is_complete();
    tell(Event::ApplyFinished {
        stack: plan.stack.name.clone(),
        outcome: outcome.clone(),
    });
    outcome
}

async fn one_step(
    plan: &StackPlan,
    step: &Step,
    manager: &Manager,
    authorisation: &Authorisation,
    cancel: &CancellationToken,
    tell: &(dyn Fn(Event) + Sync),
) -> StepOutcome {
    let Action::UpdateService(update) = &step.action;
    let started = Instant::now();
    tell(Event::StepStarted {
        address: step.address.clone(),
        restarts: update.restarts.tasks,
    });
    let ended = match plan.seen.get(&update.service) {
        Some(seen) => {
            let repository = update.image.to.parse().ok();
            let repository = repository.map(|image: ImageRef| image.repository);
            let change = Change {
                manager,
                address: &step.address,
                update,
                seen,
                auth: repository.and_then(|repository| authorisation.get(&repository)),
            };
            update_service(&change, cancel, tell).await
        }
        None => End::Failed(Box::new(Failure {
            kind: FailureKind::Drifted,
            message: "the plan does not say what the service looked like".to_owned(),
            hint: Some("make a new plan: imgstack plan".to_owned()),
            ..Failure::empty()
        })),
    };
    let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let address = step.address.clone();
    match ended {
        End::Converged => {
            tell(Event::StepSucceeded {
                address,
                elapsed_ms,
            });
            StepOutcome::Done
        }
        End::Failed(failure) => {
            // Not known to have failed either: the Swarm may go on with it.
            let outcome = match failure.kind {
                FailureKind::Unknown => StepOutcome::InFlight,
                _ => StepOutcome::Failed,
            };
            tell(Event::StepFailed { address, failure });
            outcome
        }
        End::Interrupted => StepOutcome::InFlight,
        End::NotBegun => StepOutcome::NotStarted,
    }
}

async fn update_service(
    change: &Change<'_>,
    cancel: &CancellationToken,
    tell: &(dyn Fn(Event) + Sync),
) -> End {
    let id = ServiceId::new(change.seen.service_id.clone());
    let rollout = match Rollout::watch(change.manager, change.update, id).await {
        Ok(rollout) => rollout,
        Err(error) => return End::Failed(unread(&error)),
    };
    // Opened before the update, so that no word of it is missed. Without
    // events the beat alone does.
    let events = change.manager.events().await.ok();
    match change.send(cancel).await {
        Ok(Sent::Yes) => {}
        Ok(Sent::NotBegun) => return End::NotBegun,
        Err(failure) => return End::Failed(failure),
    }
    let progress = |progress| {
        tell(Event::StepProgress {
            address: change.address.clone(),
            progress,
        });
    };
    rollout.wait(events, cancel, &progress).await
}
