//! Waits until a service has converged, or has certainly not.
//!
//! Converged: the engine says `completed`, or had nothing to replace, and
//! every task runs the new build on a live node for the service's `monitor`
//! (facts on Swarm). Then its probe must hold, if it has one ([`crate::gate`]).
//! The engine itself waits for ever, so the deadline is ours, for both.
//!
//! Swarm has events for services and none for tasks. So an event wakes the
//! loop at once, and a slow beat sees what no event tells.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use imgstack_planner::UpdateService;
use imgstack_swarm::probe::Unasked;
use imgstack_swarm::rollout::{Assessment, assess};
use imgstack_swarm::{
    Error, EventStream, Manager, PreviousSpec, RawService, ServiceId, ServiceMode, TaskState,
    UpdateState, spec_digest,
};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::event::{ProbeProgress, Progress, TaskProgress};
use crate::evidence::Evidence;
use crate::gate::{Gate, Held, Round, Running};
use crate::send::{Edit, SILENCE};
use crate::settled::Settled;
use crate::verdict::{Bad, Verdict, Waited};

/// How often tasks are looked at when nothing else happens.
pub(crate) const BEAT: Duration = Duration::from_millis(500);
/// How long after a roll-back its tasks are waited for: the engine calls it
/// completed while the last of them may not have started.
const BACK: Duration = Duration::from_secs(30);
/// The longest timeout, whatever a plan file says: a clock ends somewhere.
pub(crate) const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// One rollout that is being watched.
pub(crate) struct Rollout<'a> {
    manager: &'a Manager,
    update: &'a UpdateService,
    id: ServiceId,
    /// The service before the update.
    before: RawService,
    /// What a roll-back leads to.
    previous: PreviousSpec,
    /// How far the previous spec ran.
    ran: Assessment,
    /// The digest of the spec as our update has left it, once it was seen.
    ours: Option<String>,
    evidence: Evidence,
    told: Option<TaskProgress>,
    settled: Settled,
    gate: Option<Gate<'a>>,
    /// Set once the new build has failed.
    failing: &'a AtomicBool,
    /// It has converged, and the gate is all that it waits for.
    at_gate: bool,
    asked: Option<ProbeProgress>,
    /// The tasks that were there before.
    running: Vec<Running>,
    /// It asks for no tasks at all.
    wants_none: bool,
    /// Since when nothing has been on its way, and tasks are missing.
    stalled: Option<Instant>,
    /// The engine has called the update completed: failures that come later
    /// are not part of it.
    completed: bool,
    last: Option<Assessment>,
    /// The engine's words when things turned for the worse.
    turned: Option<String>,
    /// When the engine called the roll-back completed.
    back: Option<Instant>,
    heard: Instant,
}

/// What one look at the Swarm shows.
struct Look {
    service: RawService,
    /// The tasks, measured by the image of the plan.
    assessment: Assessment,
    /// The tasks, measured by what the service asks for now.
    now: Assessment,
    running: Vec<Running>,
}

impl<'a> Rollout<'a> {
    /// Begins to watch. To be called before the update is sent, so that old
    /// failures are told from new ones.
    pub(crate) async fn watch(
        manager: &'a Manager,
        update: &'a UpdateService,
        id: ServiceId,
        gate: Option<Gate<'a>>,
        failing: &'a AtomicBool,
    ) -> Result<Self, Error> {
        let before = look(manager, update, &id).await?;
        Ok(Self {
            manager,
            update,
            id,
            previous: PreviousSpec::of(&before.service),
            before: before.service,
            ran: before.now,
            ours: None,
            evidence: Evidence::ignoring(&before.assessment),
            told: None,
            settled: Settled::default(),
            gate,
            failing,
            at_gate: false,
            asked: None,
            running: before.running,
            wants_none: false,
            stalled: None,
            completed: false,
            last: None,
            turned: None,
            back: None,
            heard: Instant::now(),
        })
    }

    /// The service before the update.
    pub(crate) fn before(&self) -> &RawService {
        &self.before
    }

    /// What leads back to it.
    pub(crate) fn previous(&self) -> &PreviousSpec {
        &self.previous
    }

    /// How far it ran.
    pub(crate) fn ran(&self) -> &Assessment {
        &self.ran
    }

    /// The digest of the spec as our update has left it. None: nobody saw it.
    pub(crate) fn ours(&self) -> Option<&str> {
        self.ours.as_deref()
    }

    /// Waits. `tell` hears of progress when there is some.
    pub(crate) async fn wait(
        &mut self,
        mut events: Option<EventStream>,
        cancel: &CancellationToken,
        tell: &(dyn Fn(Progress) + Sync),
    ) -> Waited {
        let timeout = Duration::from_secs(self.update.timeout_seconds).min(LONGEST);
        let deadline = Instant::now() + timeout;
        self.heard = Instant::now();
        loop {
            // A manager that takes its time to answer holds up neither the
            // deadline nor a person who wants to stop.
            tokio::select! {
                biased;
                end = self.step(tell) => if let Some(end) = end {
                    return end;
                },
                () = cancel.cancelled() => return self.interrupted(),
                () = sleep_until(deadline) => return self.timed_out().await,
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => return self.interrupted(),
                () = sleep_until(deadline) => return self.timed_out().await,
                () = self.pause(&mut events) => {}
            }
        }
    }

    /// Looks once. None: neither here nor there yet.
    async fn step(&mut self, tell: &(dyn Fn(Progress) + Sync)) -> Option<Waited> {
        match look(self.manager, self.update, &self.id).await {
            Ok(look) => {
                self.heard = Instant::now();
                let progress = progress(&look.assessment);
                if self.told.as_ref() != Some(&progress) {
                    tell(Progress::Tasks(progress.clone()));
                    self.told = Some(progress);
                }
                self.judge(look, tell).await
            }
            Err(error) if error.is_not_found() => {
                let message = "the service was removed while it was rolling out";
                Some(self.failed(Verdict::Overtaken(message.to_owned()), None))
            }
            Err(error) if self.heard.elapsed() > SILENCE || !error.is_retryable() => {
                Some(self.failed(Verdict::Unseen(error.to_string()), None))
            }
            Err(_) => {
                if let Some(gate) = &mut self.gate {
                    gate.lose_sight();
                }
                None
            }
        }
    }

    /// Until an event of this service, or the next beat, or the next question.
    async fn pause(&self, events: &mut Option<EventStream>) {
        let beat = Instant::now() + BEAT;
        let gate = self.gate.as_ref().filter(|_| self.at_gate);
        let beat = gate.map_or(beat, |gate| beat.min(gate.due()));
        let event = async {
            let Some(stream) = events.as_mut() else {
                return std::future::pending().await;
            };
            loop {
                match stream.next().await {
                    Some(Ok(event)) if event.is_about(&self.id) => return true,
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return false,
                }
            }
        };
        if timeout_at(beat, event).await == Ok(false) {
            // A stream that broke is not worth more than the beat.
            *events = None;
            sleep_until(beat).await;
        }
    }

    async fn judge(&mut self, look: Look, tell: &(dyn Fn(Progress) + Sync)) -> Option<Waited> {
        let Look {
            service,
            assessment,
            now,
            running,
        } = look;
        let new_failures = self.evidence.note(&assessment);
        let update = assessment.update.clone();
        let state = update.as_ref().map(|update| update.state);
        if state.is_some_and(UpdateState::is_failure) {
            self.fails();
        }
        // That a roll-back is completed is no reason for it.
        let tells_why =
            |state| UpdateState::is_failure(state) && state != UpdateState::RollbackCompleted;
        if state.is_some_and(tells_why) && self.turned.is_none() {
            self.turned = update.map(|update| update.message);
        }
        self.last = Some(assessment);
        self.wants_none = service.mode() == ServiceMode::Replicated(0);
        self.evidence.read_logs(self.manager).await;
        match state {
            Some(UpdateState::RollbackStarted) => return None,
            Some(UpdateState::RollbackCompleted) => return self.rolled_back(&service, &now),
            Some(UpdateState::RollbackPaused) => {
                return Some(self.failed(Verdict::StuckBack, Some(&service)));
            }
            Some(UpdateState::Paused) => {
                return Some(self.failed(Verdict::Stuck, Some(&service)));
            }
            Some(UpdateState::Updating | UpdateState::Completed | UpdateState::Unknown) | None => {}
        }
        if !Edit::of_update(self.update).is_done(&service) {
            // Replacing what a roll-back has left over, the engine calls an
            // update completed, and no longer the roll-back.
            let turned = self.turned.is_some() || self.back.is_some();
            if turned && spec_digest(service.spec()) == self.previous.spec_digest {
                return self.rolled_back(&service, &now);
            }
            let message = format!(
                "somebody else changed the service while it was rolling out; it asks for {} now",
                service.image()
            );
            return Some(self.failed(Verdict::Overtaken(message), Some(&service)));
        }
        let seen = || spec_digest(service.spec());
        self.ours.get_or_insert_with(seen);
        let may_end = matches!(state, None | Some(UpdateState::Completed));
        if (self.completed && new_failures > 0) || (may_end && self.has_stalled()) {
            return Some(self.failed(Verdict::Unstable, Some(&service)));
        }
        self.completed |= state == Some(UpdateState::Completed);
        // Counted from when the tasks are in place, and not from when the engine
        // has watched them, or each service would be watched twice.
        let settled = self.has_settled();
        match may_end && settled {
            true => self.pass(&running, &service, tell).await,
            false => {
                self.leave_gate();
                None
            }
        }
    }

    /// Whether a question could be put to the tasks that are there before the
    /// update.
    pub(crate) async fn can_be_probed(&self) -> Result<(), Unasked> {
        match &self.gate {
            Some(gate) => gate.can_be_asked(&self.running).await,
            None => Ok(()),
        }
    }

    /// What has converged comes to its gate.
    async fn pass(
        &mut self,
        running: &[Running],
        service: &RawService,
        tell: &(dyn Fn(Progress) + Sync),
    ) -> Option<Waited> {
        let Some(gate) = &mut self.gate else {
            return Some(Waited::Done);
        };
        self.at_gate = true;
        let held = gate.look(running).await;
        let progress = gate.progress();
        if let Some(progress) = progress.filter(|now| self.asked.as_ref() != Some(now)) {
            self.asked = Some(progress.clone());
            tell(Progress::Probe(progress));
        }
        match held {
            Held::Yes => Some(Waited::Done),
            Held::NotYet => None,
            Held::NoMore(long) => {
                let words = gate.last().map(Round::words).unwrap_or_default();
                let how = format!(
                    "the probe held at first, and has failed for {} s: {words}",
                    long.as_secs()
                );
                Some(self.refused(how, Some(service)).await)
            }
        }
    }

    fn leave_gate(&mut self) {
        if let (true, Some(gate)) = (self.at_gate, &mut self.gate) {
            gate.start_over();
            self.at_gate = false;
            self.asked = None;
        }
    }

    /// The probe said no for too long. What the tasks wrote is read while they
    /// are still there.
    async fn refused(&mut self, how: String, now: Option<&RawService>) -> Waited {
        self.fails();
        if let Some(round) = self.gate.as_ref().and_then(Gate::last) {
            self.evidence.note_answers(round.no());
        }
        self.evidence.read_logs(self.manager).await;
        self.failed(Verdict::ProbeFailed(how), now)
    }

    fn monitor(&self) -> Duration {
        Duration::from_millis(self.update.monitor_ms)
    }

    /// Whether the same tasks have been in place for `monitor`.
    fn has_settled(&mut self) -> bool {
        let monitor = self.monitor();
        let last = self.last.as_ref();
        last.is_some_and(|last| self.settled.holds(last, self.wants_none, monitor))
    }

    /// Whether tasks of the new build ended for good: some are missing, and for
    /// `monitor` none has been on its way.
    fn has_stalled(&mut self) -> bool {
        let is_stalled = self.last.as_ref().is_some_and(|last| {
            let missing = (last.running.len() as u64) < last.desired;
            let idle = last
                .current
                .keys()
                .all(|state| *state == TaskState::Running);
            missing && idle && last.outdated.is_empty() && !last.failures.is_empty()
        });
        if !is_stalled {
            self.stalled = None;
            return false;
        }
        let since = *self.stalled.get_or_insert_with(Instant::now);
        since.elapsed() >= self.monitor()
    }

    /// None while the tasks of the previous spec are still on their way.
    fn rolled_back(&mut self, service: &RawService, now: &Assessment) -> Option<Waited> {
        let since = *self.back.get_or_insert_with(Instant::now);
        if !now.is_in_place() && since.elapsed() < BACK {
            return None;
        }
        let verdict = Verdict::RolledBack {
            running: now.running.len() as u64,
            desired: now.desired,
        };
        Some(self.failed(verdict, Some(service)))
    }

    /// Whether the new build has failed, and the engine is on its way back: that
    /// is known, whatever cuts the waiting short.
    fn is_going_back(&self) -> bool {
        let update = self.last.as_ref().and_then(|last| last.update.as_ref());
        update.is_some_and(|update| {
            matches!(
                update.state,
                UpdateState::RollbackStarted | UpdateState::RollbackCompleted
            )
        })
    }

    fn interrupted(&mut self) -> Waited {
        match self.is_going_back() {
            true => self.failed(Verdict::GoingBack, None),
            false => Waited::Interrupted,
        }
    }

    async fn timed_out(&mut self) -> Waited {
        if self.is_going_back() {
            return self.failed(Verdict::GoingBack, None);
        }
        let gate = self.gate.as_ref().filter(|_| self.at_gate);
        if let Some(unasked) = gate.and_then(Gate::last).and_then(Round::unasked) {
            let unasked = unasked.clone();
            return self.failed(Verdict::ProbeUnasked(unasked), None);
        }
        let words = gate.and_then(Gate::last).map(Round::words);
        if let (Some(words), true) = (&words, gate.is_some_and(Gate::has_refused)) {
            let seconds = self.update.timeout_seconds;
            let how = format!("the probe did not hold within {seconds} s: {words}");
            return self.refused(how, None).await;
        }
        let last = self.last.as_ref().map(|last| progress(last).to_string());
        let mut state = last.unwrap_or_else(|| "the manager did not answer".to_owned());
        match words {
            Some(words) => {
                state.push_str(", and its probe has not held for long enough yet: ");
                state.push_str(&words);
            }
            None if self.at_gate => state.push_str(", and its probe has no answer yet"),
            None => {}
        }
        self.failed(Verdict::TimedOut(state), None)
    }

    /// Nothing else is to be begun, however long this still takes.
    fn fails(&self) {
        self.failing.store(true, Ordering::Relaxed);
    }

    fn failed(&mut self, verdict: Verdict, now: Option<&RawService>) -> Waited {
        self.fails();
        Waited::Badly(Box::new(Bad {
            verdict,
            why: self.turned.clone().unwrap_or_default(),
            tasks: std::mem::take(&mut self.evidence).told(self.last.as_ref()),
            now: now.map(|service| service.image().to_owned()),
        }))
    }
}

async fn look(manager: &Manager, update: &UpdateService, id: &ServiceId) -> Result<Look, Error> {
    let ids = [id.clone()];
    let (service, tasks, nodes) =
        tokio::try_join!(manager.service(id), manager.tasks(&ids), manager.nodes(),)?;
    Ok(Look {
        assessment: assess(&service, &tasks, &nodes, &update.image.to),
        now: assess(&service, &tasks, &nodes, service.image()),
        running: Running::of(&service, &tasks, &nodes),
        service,
    })
}

/// How far tasks are, as a person is told.
pub(crate) fn progress(assessment: &Assessment) -> TaskProgress {
    let undone = assessment
        .current
        .iter()
        .find(|(state, _)| **state != TaskState::Running);
    let waiting_for = match (&assessment.update, assessment.waiting.first(), undone) {
        (Some(update), _, _) if update.state.is_failure() => Some(update.message.clone()),
        (_, Some(why), _) => Some(why.clone()),
        (_, None, Some((state, _))) => Some(state.word().to_owned()),
        (_, None, None) if !assessment.outdated.is_empty() => Some("stopping".to_owned()),
        (_, None, None) => None,
    };
    TaskProgress {
        running: assessment.running.len() as u64,
        wanted: assessment.desired,
        waiting_for,
    }
}
