//! Waits until a service has converged, or has certainly not.
//!
//! Converged: the engine says `completed`, or had nothing to replace, and
//! every task runs the new build on a live node for the service's `monitor`
//! (facts on Swarm). The engine itself waits for ever, so the deadline is ours.
//!
//! Swarm has events for services and none for tasks. So an event wakes the
//! loop at once, and a slow beat sees what no event tells.

use std::time::Duration;

use futures_util::StreamExt as _;
use imgstack_planner::UpdateService;
use imgstack_swarm::rollout::{Assessment, assess};
use imgstack_swarm::{
    Error, EventStream, Manager, RawService, ServiceId, TaskId, TaskState, UpdateState,
};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::event::{Failure, FailureKind, Progress};
use crate::evidence::Evidence;
use crate::send::is_done;

/// How often tasks are looked at when nothing else happens.
const BEAT: Duration = Duration::from_millis(500);
/// How long a manager may be silent in the middle of a rollout, as during an
/// election, before the step is given up.
const SILENCE: Duration = Duration::from_secs(60);
/// How long after a roll-back its tasks are waited for: the engine calls it
/// completed while the last of them may not have started.
const BACK: Duration = Duration::from_secs(30);

/// How waiting ended.
pub(crate) enum End {
    /// Every task runs the new build.
    Converged,
    /// It will not, or not in time.
    Failed(Box<Failure>),
    /// Somebody asked to stop; the Swarm goes on.
    Interrupted,
}

/// One rollout that is being watched.
pub(crate) struct Rollout<'a> {
    manager: &'a Manager,
    update: &'a UpdateService,
    id: ServiceId,
    started: Instant,
    evidence: Evidence,
    /// Since when the same tasks have been in place.
    settled: Option<(Instant, Vec<TaskId>)>,
    /// Failures seen when the engine said `completed`: later ones are new.
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
}

impl<'a> Rollout<'a> {
    /// Begins to watch. To be called before the update is sent, so that old
    /// failures are told from new ones.
    pub(crate) async fn watch(
        manager: &'a Manager,
        update: &'a UpdateService,
        id: ServiceId,
    ) -> Result<Self, Error> {
        let now = Instant::now();
        let mut rollout = Self {
            manager,
            update,
            id,
            started: now,
            evidence: Evidence::default(),
            settled: None,
            completed: false,
            last: None,
            turned: None,
            back: None,
            heard: now,
        };
        let before = rollout.look().await?;
        rollout.evidence = Evidence::ignoring(&before.assessment);
        Ok(rollout)
    }

    /// Waits. `tell` hears of progress when there is some.
    pub(crate) async fn wait(
        mut self,
        mut events: Option<EventStream>,
        cancel: &CancellationToken,
        tell: &(dyn Fn(Progress) + Sync),
    ) -> End {
        let deadline = self.started + Duration::from_secs(self.update.timeout_seconds);
        let mut told = None;
        loop {
            match self.look().await {
                Ok(look) => {
                    self.heard = Instant::now();
                    let progress = self.progress(&look.assessment);
                    if told.as_ref() != Some(&progress) {
                        tell(progress.clone());
                        told = Some(progress);
                    }
                    if let Some(end) = self.judge(look).await {
                        return end;
                    }
                }
                Err(error) if error.is_not_found() => {
                    let message = "the service was removed while it was rolling out";
                    return self.failed(FailureKind::Overtaken, message.to_owned(), None);
                }
                Err(error) if self.heard.elapsed() > SILENCE || !error.is_retryable() => {
                    return self.silent(&error);
                }
                Err(_) => {}
            }
            if Instant::now() >= deadline {
                return self.timed_out();
            }
            if cancel.is_cancelled() {
                return End::Interrupted;
            }
            self.pause(&mut events, cancel, deadline).await;
        }
    }

    async fn look(&self) -> Result<Look, Error> {
        let ids = [self.id.clone()];
        let (service, tasks, nodes) = tokio::try_join!(
            self.manager.service(&self.id),
            self.manager.tasks(&ids),
            self.manager.nodes(),
        )?;
        Ok(Look {
            assessment: assess(&service, &tasks, &nodes, &self.update.image.to),
            now: assess(&service, &tasks, &nodes, service.image()),
            service,
        })
    }

    /// Until an event of this service, the next beat, the deadline or a stop.
    async fn pause(
        &self,
        events: &mut Option<EventStream>,
        cancel: &CancellationToken,
        deadline: Instant,
    ) {
        let beat = (Instant::now() + BEAT).min(deadline);
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
        tokio::select! {
            woken = timeout_at(beat, event) => {
                // A stream that broke is not worth more than the beat.
                if woken == Ok(false) {
                    *events = None;
                    sleep_until(beat).await;
                }
            }
            () = cancel.cancelled() => {}
        }
    }

    fn progress(&self, assessment: &Assessment) -> Progress {
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
        Progress {
            running: assessment.running.len() as u64,
            wanted: assessment.desired,
            waiting_for,
        }
    }

    async fn judge(&mut self, look: Look) -> Option<End> {
        let Look {
            service,
            assessment,
            now,
        } = look;
        let service = &service;
        let new_failures = self.evidence.collect(self.manager, &assessment).await;
        let state = assessment.update.as_ref().map(|update| update.state);
        let words = assessment
            .update
            .as_ref()
            .map(|update| update.message.clone());
        let in_place = assessment.is_in_place();
        let running = assessment.running.clone();
        let desired = assessment.desired;
        self.last = Some(assessment);
        if state.is_some_and(UpdateState::is_failure) && self.turned.is_none() {
            self.turned.clone_from(&words);
        }
        match state {
            Some(UpdateState::RollbackStarted) => return None,
            Some(UpdateState::RollbackCompleted) => return self.rolled_back(service, &now),
            Some(UpdateState::RollbackPaused) => return Some(self.stuck(service, "roll-back")),
            Some(UpdateState::Paused) => return Some(self.stuck(service, "rollout")),
            Some(UpdateState::Updating | UpdateState::Completed | UpdateState::Unknown) | None => {}
        }
        if !is_done(service, self.update) {
            let message = format!(
                "somebody else changed the service while it was rolling out; it asks for {} now",
                service.image()
            );
            return Some(self.failed(FailureKind::Overtaken, message, Some(service)));
        }
        let may_end = matches!(state, None | Some(UpdateState::Completed));
        if self.completed && new_failures > 0 {
            return Some(self.unstable(service));
        }
        self.completed |= state == Some(UpdateState::Completed);
        let settled = self.has_settled(in_place, running, desired);
        (may_end && settled).then_some(End::Converged)
    }

    /// Whether the same tasks have been in place for `monitor`.
    fn has_settled(&mut self, in_place: bool, running: Vec<TaskId>, desired: u64) -> bool {
        if !in_place {
            self.settled = None;
            return false;
        }
        if desired == 0 {
            return true;
        }
        match &self.settled {
            Some((since, tasks)) if *tasks == running => {
                since.elapsed() >= Duration::from_millis(self.update.monitor_ms)
            }
            _ => {
                self.settled = Some((Instant::now(), running));
                self.update.monitor_ms == 0
            }
        }
    }

    /// None while the tasks of the previous spec are still on their way.
    fn rolled_back(&mut self, service: &RawService, now: &Assessment) -> Option<End> {
        let since = *self.back.get_or_insert_with(Instant::now);
        if !now.is_in_place() && since.elapsed() < BACK {
            return None;
        }
        let (running, desired) = (now.running.len(), now.desired);
        let why = self.turned.clone().unwrap_or_default();
        let message = format!(
            "the new build failed, and the Swarm went back to the previous spec, {running} of {desired} of whose tasks run: {why}"
        );
        Some(self.failed(FailureKind::RolledBack, message, Some(service)))
    }

    fn stuck(&mut self, service: &RawService, what: &str) -> End {
        let why = self.turned.clone().unwrap_or_default();
        let message = format!("the {what} stopped half-way: {why}");
        self.failed(FailureKind::Paused, message, Some(service))
    }

    fn unstable(&mut self, service: &RawService) -> End {
        let message = "the Swarm calls the update completed, yet tasks of the new build die";
        self.failed(FailureKind::Unstable, message.to_owned(), Some(service))
    }

    fn timed_out(&mut self) -> End {
        let seconds = self.update.timeout_seconds;
        let state = self
            .last
            .as_ref()
            .map(|last| self.progress(last).to_string());
        let message = format!(
            "not converged within {seconds} s: {}",
            state.as_deref().unwrap_or("the manager did not answer")
        );
        self.failed(FailureKind::TimedOut, message, None)
    }

    fn silent(&mut self, error: &Error) -> End {
        let message = format!("the rollout was begun, and its end was not seen: {error}");
        self.failed(FailureKind::Unknown, message, None)
    }

    fn failed(&mut self, kind: FailureKind, message: String, now: Option<&RawService>) -> End {
        let service = &self.update.service;
        let hint = match kind {
            FailureKind::RolledBack => {
                "push a mended build, or hold a good one with `pin:` in the spec; then: imgstack plan".to_owned()
            }
            FailureKind::Paused | FailureKind::Unstable | FailureKind::TimedOut => format!(
                "pin a good build in the spec and run imgstack apply, or go back now: docker service rollback {service}"
            ),
            FailureKind::Overtaken
            | FailureKind::Drifted
            | FailureKind::Refused
            | FailureKind::Unknown => "see where things stand: imgstack status".to_owned(),
        };
        End::Failed(Box::new(Failure {
            kind,
            message,
            tasks: std::mem::take(&mut self.evidence).told(self.last.as_ref()),
            now: now.map(|service| service.image().to_owned()),
            hint: Some(hint),
            ..Failure::empty()
        }))
    }
}
