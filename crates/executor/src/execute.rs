//! The steps of a plan, in rounds: what a killed run left goes, nodes get what
//! they are to hold, services follow, nodes lose what nobody needs any more.
//!
//! Nodes are independent of one another, so they work side by side; one that
//! fails stops what needs it and nothing else. Services go in their
//! [`order`](crate::order), those that are independent of one another side by
//! side, and the first that fails stops all that is not begun; what is under
//! way is waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::stream::{self, FuturesUnordered, StreamExt as _};
use imgstack_planner::{Action, PullImage, StackPlan, Step, StepId, Via};
use imgstack_spec::{ImageRef, NodeName, RegistryHost, Repository};
use imgstack_swarm::engine::Login;
use imgstack_swarm::probe::Asker;
use imgstack_swarm::{Manager, NodeEngine, RegistryAuth};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::event::{Event, Failure, FailureKind, Outcome, StepOutcome};
use crate::leader::{self, Leads, Turn};
use crate::lock::Lock;
use crate::order::{Ended, Order};
use crate::steps::{End, adjust, leftover, login, pull, remove, rotate, update};

/// Where a plan is carried out.
#[derive(Debug)]
pub struct World<'a> {
    /// The Swarm.
    pub manager: &'a Manager,
    /// The engines of the nodes that could be reached.
    pub engines: &'a BTreeMap<NodeName, NodeEngine>,
    /// What to log in and to pull with.
    pub credentials: &'a Credentials,
    /// How many nodes may work at once, and how many services.
    pub parallelism: usize,
    /// Who does it, for people that look at the Swarm meanwhile.
    pub owner: String,
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

/// Carries out the plan of one stack, without a lock and a journal: for who has
/// the Swarm to itself. All others take [`crate::apply`].
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
    let outcome = carry_out(plan, world, Under::Nothing, cancel, tell).await;
    tell(Event::ApplyFinished {
        stack: plan.stack.name.clone(),
        outcome: outcome.clone(),
    });
    outcome
}

/// What keeps others away meanwhile.
#[derive(Clone, Copy)]
pub(crate) enum Under<'a> {
    /// Nothing.
    Nothing,
    /// The lock of the stack.
    Lock(&'a Lock),
}

/// The steps, from the first event to before the last.
pub(crate) async fn carry_out(
    plan: &StackPlan,
    world: &World<'_>,
    under: Under<'_>,
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
        asker: Asker::new(world.manager, world.engines.values()),
        under,
        cancel,
        tell,
        leads: Mutex::new(Leads::of(plan)),
        ended: Mutex::default(),
        order: Mutex::default(),
        lost: AtomicBool::new(false),
        failing: AtomicBool::new(false),
    };
    run.side_by_side(Round::Leftovers).await;
    run.side_by_side(Round::Nodes).await;
    run.in_order(Round::Services).await;
    if !run.has_failed(Round::Services) {
        run.side_by_side(Round::Removals).await;
    }
    run.outcome()
}

/// One plan that is being carried out.
pub(crate) struct Run<'a> {
    pub(crate) plan: &'a StackPlan,
    pub(crate) world: &'a World<'a>,
    pub(crate) cancel: &'a CancellationToken,
    tell: &'a (dyn Fn(Event) + Sync),
    under: Under<'a>,
    /// Who puts questions to tasks.
    pub(crate) asker: Asker,
    leads: Mutex<Leads>,
    ended: Mutex<Ended>,
    /// Of the services, while they have their turn.
    order: Mutex<Order>,
    /// The lock is ours no more.
    lost: AtomicBool,
    /// The new build of a service has failed; its step may go on, to see that
    /// the service is back.
    failing: AtomicBool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Round {
    Leftovers,
    Nodes,
    Services,
    Removals,
}

impl Round {
    fn of(action: &Action) -> Self {
        match action {
            Action::RemoveLeftover(_) => Self::Leftovers,
            Action::LogIn(_) | Action::PullImage(_) => Self::Nodes,
            Action::UpdateService(_) | Action::AdjustService(_) | Action::RotateCredential(_) => {
                Self::Services
            }
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
        let (through_manager, others): (Vec<&Step>, Vec<&Step>) = self
            .steps(round)
            .partition(|step| via_manager(step).is_some());
        let mut images: BTreeMap<&ImageRef, Vec<(&Step, &PullImage)>> = BTreeMap::new();
        for step in through_manager {
            if let Some(pull) = via_manager(step) {
                images
                    .entry(&pull.reference)
                    .or_default()
                    .push((step, pull));
            }
        }
        // The width counts nodes, whoever tells them to work.
        let places = Semaphore::new(width);
        let groups = images.values().flat_map(|pulls| pulls.chunks(width));
        let groups = stream::iter(groups).for_each_concurrent(None, |group| async {
            let count = u32::try_from(group.len()).unwrap_or(u32::MAX);
            let _places = places.acquire_many(count).await;
            self.group(group).await;
        });
        let others = stream::iter(others).for_each_concurrent(None, |step| async {
            let _place = places.acquire().await;
            self.one(step).await;
        });
        tokio::join!(groups, others);
    }

    /// Nodes that pull one image through one service.
    async fn group(&self, pulls: &[(&Step, &PullImage)]) {
        if !self.may_begin().await {
            return;
        }
        let started = Instant::now();
        pulls.iter().for_each(|(step, _)| self.begin(step));
        pull::through_manager(self, pulls, started).await;
    }

    /// Whether it was told how the step ended.
    pub(crate) fn has_ended(&self, step: &Step) -> bool {
        self.ended().contains_key(&step.id)
    }

    /// Begins what may begin, as wide as it may be, until nothing is under way.
    async fn in_order(&self, round: Round) {
        *self.order() = Order::of(self.steps(round), &self.plan.stack);
        let width = self.world.parallelism.max(1);
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < width
                && let Some(step) = self.next(round)
            {
                under_way.push(self.in_turn(round, step));
            }
            if under_way.next().await.is_none() {
                return;
            }
        }
    }

    /// The next service that may begin now.
    fn next(&self, round: Round) -> Option<&Step> {
        if self.has_failed(round) {
            return None;
        }
        let id = self.order().take(&self.ended())?;
        self.steps(round).find(|step| step.id == id)
    }

    /// Does the step of a service, unless another one has failed meanwhile.
    async fn in_turn(&self, round: Round, step: &Step) {
        if !self.may_begin().await || self.has_failed(round) {
            return;
        }
        let turn = leader::before(self, step).await;
        // Answers take their time.
        if self.cancel.is_cancelled() || self.has_failed(round) {
            return;
        }
        match turn {
            Turn::Now => self.work(step).await,
            Turn::Later => {}
            Turn::Never(failure) => {
                let started = Instant::now();
                self.begin(step);
                self.end(step, End::Failed(failure), started);
            }
        }
    }

    /// A step that was begun and did not end well, or will not; one that was
    /// never begun, since a node that it needs failed, holds up nobody else.
    fn has_failed(&self, round: Round) -> bool {
        if round == Round::Services && self.failing.load(Ordering::Relaxed) {
            return true;
        }
        let ended = self.ended();
        self.steps(round).any(|step| {
            let outcome = ended.get(&step.id);
            matches!(outcome, Some(StepOutcome::Failed | StepOutcome::InFlight))
        })
    }

    /// Does a step, unless somebody asked to stop or it needs one that is not
    /// done.
    async fn one(&self, step: &Step) {
        if self.is_free(step) && self.may_begin().await {
            self.work(step).await;
        }
    }

    async fn work(&self, step: &Step) {
        let started = Instant::now();
        self.begin(step);
        let end = self.act(step).await;
        self.end(step, end, started);
    }

    /// Whether nobody asked to stop, and the lock is still ours.
    pub(crate) async fn may_begin(&self) -> bool {
        if self.cancel.is_cancelled() {
            return false;
        }
        let holds = tokio::select! {
            holds = self.holds() => holds,
            () = self.cancel.cancelled() => return false,
        };
        holds && !self.cancel.is_cancelled()
    }

    /// Whether a service may be changed that is ready for it: what was asked of
    /// it and of others has taken its time.
    pub(crate) async fn may_send(&self) -> bool {
        self.may_begin().await && !self.has_failed(Round::Services)
    }

    /// The mark of a service whose new build has failed. Nothing else is begun
    /// from then on, however long its way back takes.
    pub(crate) fn failing(&self) -> &AtomicBool {
        &self.failing
    }

    /// Whether the lock is still ours. Tells, once, that it is not.
    pub(crate) async fn holds(&self) -> bool {
        let is_lost = || self.lost.load(Ordering::Relaxed);
        let Under::Lock(lock) = self.under else {
            return true;
        };
        if is_lost() {
            return false;
        }
        match lock.check().await {
            Ok(()) => !is_lost(),
            Err(lost) => {
                // Steps that are side by side find it out together.
                if !self.lost.swap(true, Ordering::Relaxed) {
                    (self.tell)(Event::LockLost {
                        stack: self.plan.stack.name.clone(),
                        why: lost.to_string(),
                        holder: lost.into_holder(),
                    });
                }
                false
            }
        }
    }

    fn is_free(&self, step: &Step) -> bool {
        let ended = self.ended();
        let mut after = step.after.iter();
        after.all(|id| ended.get(id) == Some(&StepOutcome::Done))
    }

    async fn act(&self, step: &Step) -> End {
        match &step.action {
            Action::RemoveLeftover(left) => leftover::remove(self, left).await,
            Action::LogIn(login) => login::log_in(self, login).await,
            Action::PullImage(pull) => match &pull.via {
                Via::Engine(endpoint) => pull::by_engine(self, step, pull, endpoint).await,
                // Such steps are done in groups.
                Via::Manager => End::NotBegun,
            },
            Action::UpdateService(update) => update::update(self, step, update).await,
            Action::AdjustService(adjust) => adjust::adjust(self, step, adjust).await,
            Action::RotateCredential(rotate) => rotate::rotate(self, step, rotate).await,
            Action::RemoveImage(remove) => remove::remove(self, remove).await,
        }
    }

    fn begin(&self, step: &Step) {
        (self.tell)(Event::StepStarted {
            step: step.id.clone(),
            address: step.address.clone(),
            action: step.action.verb(),
            restarts: step.action.update().map_or(0, |it| it.restarts.tasks),
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

    /// Tells that a service goes back by our doing.
    pub(crate) fn goes_back(&self, step: &Step, why: &str, to: &str) {
        (self.tell)(Event::GoingBack {
            step: step.id.clone(),
            address: step.address.clone(),
            why: why.to_owned(),
            to: to.to_owned(),
        });
    }

    /// Tells that something of ours stays in the Swarm.
    pub(crate) fn leave(&self, service: &str, why: &imgstack_swarm::Error) {
        (self.tell)(Event::LeftBehind {
            service: service.to_owned(),
            why: why.to_string(),
        });
    }

    /// Tells how a step ended, and keeps it.
    pub(crate) fn end(&self, step: &Step, end: End, started: Instant) {
        let elapsed = started.elapsed().as_millis();
        let outcome = self.tell_end(step, end, u64::try_from(elapsed).unwrap_or(u64::MAX));
        self.ended().insert(step.id.clone(), outcome);
    }

    fn tell_end(&self, step: &Step, end: End, elapsed_ms: u64) -> StepOutcome {
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
            End::Stopped => StepOutcome::Stopped,
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

    /// Tells of something that is no step's own.
    pub(crate) fn tell(&self, event: Event) {
        (self.tell)(event);
    }

    /// Puts the services into another order.
    pub(crate) fn rearrange(&self, places: &[imgstack_planner::Place]) {
        self.order().rearrange(places);
    }

    /// Gives a step its turn later that has been taken and is not begun.
    pub(crate) fn put_back(&self, step: &StepId) {
        self.order().put_back(step);
    }

    /// Those of the plan's steps that have not ended.
    pub(crate) fn not_ended(&self, steps: impl Iterator<Item = StepId>) -> BTreeSet<StepId> {
        let ended = self.ended();
        steps.filter(|id| !ended.contains_key(id)).collect()
    }

    /// Those that are still to come, and the one whose turn it is.
    pub(crate) fn not_begun(&self, steps: &BTreeSet<StepId>, own: &StepId) -> BTreeSet<StepId> {
        let order = self.order();
        let to_come = steps.iter().filter(|id| *id == own || !order.has_begun(id));
        to_come.cloned().collect()
    }

    pub(crate) fn leads(&self) -> MutexGuard<'_, Leads> {
        self.leads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self) -> MutexGuard<'_, Ended> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn via_manager(step: &Step) -> Option<&PullImage> {
    match &step.action {
        Action::PullImage(pull) => (pull.via == Via::Manager).then_some(pull),
        _ => None,
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
