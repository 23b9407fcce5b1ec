//! The steps of a plan, in three rounds: nodes get what they are to hold,
//! services follow, nodes lose what nobody needs any more.
//!
//! Nodes are independent of one another, so they work side by side; one that
//! fails stops what needs it and nothing else. Services go one after another,
//! and the first that fails stops all that is not begun.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures_util::stream::{self, StreamExt as _};
use imgstack_planner::{Action, StackPlan, Step, StepId};
use imgstack_spec::{NodeName, RegistryHost, Repository};
use imgstack_swarm::{Login, Manager, NodeEngine, RegistryAuth};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::event::{Event, Failure, FailureKind, Outcome, StepOutcome};
use crate::steps::{End, login, pull, remove, rotate, update};

/// Where a plan is carried out.
#[derive(Debug)]
pub struct World<'a> {
    /// The Swarm.
    pub manager: &'a Manager,
    /// The engines of the nodes that could be reached.
    pub engines: &'a BTreeMap<NodeName, NodeEngine>,
    /// What to log in and to pull with.
    pub credentials: &'a Credentials,
    /// How many nodes may work at once.
    pub parallelism: usize,
}

/// Secrets, which no plan holds.
#[derive(Debug, Default)]
pub struct Credentials {
    /// What nodes pull with, by repository. A repository that is missing here
    /// is pulled with whatever the service already carries.
    pub pulls: BTreeMap<Repository, RegistryAuth>,
    /// What nodes are logged in with, by registry.
    pub logins: BTreeMap<RegistryHost, Login>,
}

/// Carries out the plan of one stack.
///
/// When `cancel` is cancelled, the calls in flight are finished and nothing new
/// is begun; a rollout that the Swarm has begun goes on without us, and is
/// reported as in flight.
pub async fn execute(
    plan: &StackPlan,
    world: &World<'_>,
    cancel: &CancellationToken,
    tell: &(dyn Fn(Event) + Sync),
) -> Outcome {
    tell(Event::ApplyStarted {
        stack: plan.stack.name.clone(),
        steps: plan.steps.len(),
    });
    let run = Run {
        plan,
        world,
        cancel,
        tell,
        ended: Mutex::default(),
    };
    run.side_by_side(Round::Nodes).await;
    run.one_by_one(Round::Services).await;
    if !run.has_failed(Round::Services) {
        run.side_by_side(Round::Removals).await;
    }
    let outcome = run.outcome();
    tell(Event::ApplyFinished {
        stack: plan.stack.name.clone(),
        outcome: outcome.clone(),
    });
    outcome
}

/// One plan that is being carried out.
pub(crate) struct Run<'a> {
    pub(crate) plan: &'a StackPlan,
    pub(crate) world: &'a World<'a>,
    pub(crate) cancel: &'a CancellationToken,
    tell: &'a (dyn Fn(Event) + Sync),
    ended: Mutex<BTreeMap<StepId, StepOutcome>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Round {
    Nodes,
    Services,
    Removals,
}

impl Round {
    fn of(action: &Action) -> Self {
        match action {
            Action::LogIn(_) | Action::PullImage(_) => Self::Nodes,
            Action::UpdateService(_) | Action::RotateCredential(_) => Self::Services,
            Action::RemoveImage(_) => Self::Removals,
        }
    }
}

impl Run<'_> {
    fn steps(&self, round: Round) -> impl Iterator<Item = &Step> {
        let steps = self.plan.steps.iter();
        steps.filter(move |step| Round::of(&step.action) == round)
    }

    async fn side_by_side(&self, round: Round) {
        let width = self.world.parallelism.max(1);
        stream::iter(self.steps(round))
            .for_each_concurrent(width, |step| self.one(step))
            .await;
    }

    async fn one_by_one(&self, round: Round) {
        for step in self.steps(round) {
            if self.has_failed(round) {
                return;
            }
            self.one(step).await;
        }
    }

    /// A step that was begun and did not end well; one that was never begun,
    /// since a node that it needs failed, holds up nobody else.
    fn has_failed(&self, round: Round) -> bool {
        let ended = self.ended();
        self.steps(round).any(|step| {
            let outcome = ended.get(&step.id);
            matches!(outcome, Some(StepOutcome::Failed | StepOutcome::InFlight))
        })
    }

    /// Does a step, unless somebody asked to stop or it needs one that is not
    /// done.
    async fn one(&self, step: &Step) {
        if self.cancel.is_cancelled() || !self.is_free(step) {
            return;
        }
        let started = Instant::now();
        self.begin(step);
        let end = self.act(step).await;
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let outcome = self.end(step, end, elapsed_ms);
        self.ended().insert(step.id.clone(), outcome);
    }

    fn is_free(&self, step: &Step) -> bool {
        let ended = self.ended();
        let mut after = step.after.iter();
        after.all(|id| ended.get(id) == Some(&StepOutcome::Done))
    }

    async fn act(&self, step: &Step) -> End {
        match &step.action {
            Action::LogIn(login) => login::log_in(self, login).await,
            Action::PullImage(pull) => pull::pull(self, step, pull).await,
            Action::UpdateService(update) => update::update(self, step, update).await,
            Action::RotateCredential(rotate) => rotate::rotate(self, step, rotate).await,
            Action::RemoveImage(remove) => remove::remove(self, remove).await,
        }
    }

    fn begin(&self, step: &Step) {
        (self.tell)(Event::StepStarted {
            step: step.id.clone(),
            address: step.address.clone(),
            action: step.action.verb(),
            restarts: match &step.action {
                Action::UpdateService(update) => update.restarts.tasks,
                _ => 0,
            },
        });
    }

    /// Tells how far a step is.
    pub(crate) fn progress(&self, step: &Step, progress: crate::event::Progress) {
        (self.tell)(Event::StepProgress {
            step: step.id.clone(),
            address: step.address.clone(),
            progress,
        });
    }

    fn end(&self, step: &Step, end: End, elapsed_ms: u64) -> StepOutcome {
        let (id, address) = (step.id.clone(), step.address.clone());
        match end {
            End::Done => {
                (self.tell)(Event::StepSucceeded {
                    step: id,
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
                (self.tell)(Event::StepFailed {
                    step: id,
                    address,
                    failure,
                });
                outcome
            }
            End::Interrupted => StepOutcome::InFlight,
            End::NotBegun => StepOutcome::NotStarted,
        }
    }

    fn outcome(&self) -> Outcome {
        let ended = self.ended();
        let steps = self.plan.steps.iter().map(|step| {
            let outcome = ended.get(&step.id).copied();
            (step.id.clone(), outcome.unwrap_or(StepOutcome::NotStarted))
        });
        let mut outcome = Outcome {
            steps: steps.collect(),
            interrupted: false,
        };
        outcome.interrupted = self.cancel.is_cancelled() && !outcome.is_complete();
        outcome
    }

    fn ended(&self) -> std::sync::MutexGuard<'_, BTreeMap<StepId, StepOutcome>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the plan does not hold and its step needs: a file that somebody edited.
pub(crate) fn not_in_plan(what: &str) -> End {
    End::Failed(Box::new(Failure {
        kind: FailureKind::Drifted,
        message: format!("the plan does not say {what}"),
        hint: Some("make a new plan: imgstack plan".to_owned()),
        ..Failure::empty()
    }))
}
