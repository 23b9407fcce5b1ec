//! The way back: a forward update to the spec that was there before, where the
//! engine does not go back itself.
//!
//! It is forward and not the engine's own `rollback=previous`, which would
//! bring an old credential back as well, and which leads to wherever the last
//! write came from (facts on Swarm, service updates). What is changed are the
//! fields that imgstack changes, its rollout settings among them: they are
//! those by which this update is rolled out.
//!
//! A roll-back has one owner. The service is read again before each attempt:
//! when the engine has begun to go back by then, it is left to it; when it is
//! no longer as our update left it, somebody else has it, and it is not
//! touched. The version index guards what happens between reading and writing.
//!
//! A service of which no task ran before stays where it is: to go back would
//! help nobody, and a new build that runs in part is better than one that does
//! not run at all.

use std::time::Duration;

use imgstack_planner::{CREDENTIAL_LABELS, UpdateService};
use imgstack_spec::ImageRef;
use imgstack_swarm::rollout::{Assessment, assess};
use imgstack_swarm::{
    Error, PreviousSpec, RawService, ServiceId, ServiceMode, UpdateState, spec_digest,
};
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};

use crate::converge::{BEAT, LONGEST, progress};
use crate::event::{BackState, Progress, TaskProgress, WentBack, Whose};
use crate::execute::Run;
use crate::send::{Edit, SILENCE};
use crate::settled::Settled;

/// How often a harmless conflict is tried again, as for an update.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);
/// How long a manager may take to say whose the lock is, once somebody asked to
/// stop.
const PATIENCE: Duration = Duration::from_secs(5);

/// A service that is to be as it was.
pub(crate) struct WayBack<'a> {
    pub(crate) run: &'a Run<'a>,
    pub(crate) update: &'a UpdateService,
    pub(crate) id: &'a ServiceId,
    /// The service before the update.
    pub(crate) previous: &'a PreviousSpec,
    /// How far that ran.
    pub(crate) ran: &'a Assessment,
    /// The digest of the spec as our update has left it. None: nobody saw it.
    pub(crate) ours: Option<&'a str>,
}

/// What is told on the way.
pub(crate) struct Tell<'a> {
    /// It is about to be sent.
    pub(crate) begins: &'a (dyn Fn() + Sync),
    /// How far it is.
    pub(crate) progress: &'a (dyn Fn(Progress) + Sync),
}

/// Why a way back was not gone.
struct NotGone(BackState, String);

/// What is so in the end, and the image that the service asks for then.
pub(crate) type Gone = (WentBack, Option<String>);

impl WayBack<'_> {
    /// Goes back, and waits until the previous build runs.
    pub(crate) async fn go(&self, tell: &Tell<'_>) -> Gone {
        let sent = match self.ran.desired > 0 && self.ran.running.is_empty() {
            true => Err(self.needless().await),
            false => self.send(tell.begins).await,
        };
        match sent {
            Ok(by) => self.wait(by, tell.progress).await,
            Err((NotGone(state, why), now)) => {
                let back = WentBack {
                    by: Whose::Imgstack,
                    state,
                    running: 0,
                    wanted: 0,
                    why: Some(why),
                };
                (back, now)
            }
        }
    }

    /// Nothing is sent, unless the engine does.
    async fn needless(&self) -> (NotGone, Option<String>) {
        let why = "none of its tasks ran before the update either".to_owned();
        let now = self.read().await.ok();
        let now = now.map(|service| service.image().to_owned());
        (NotGone(BackState::Needless, why), now)
    }

    /// Sends the update, unless the engine is at it or somebody else was.
    async fn send(&self, begins: &(dyn Fn() + Sync)) -> Result<Whose, (NotGone, Option<String>)> {
        let mut told = false;
        // An update of ours whose answer was lost may have been done.
        let mut lost = false;
        let mut now = None;
        for attempt in 0..ATTEMPTS {
            let service = self
                .read()
                .await
                .map_err(|why| (unread(lost, why), now.clone()))?;
            now = Some(service.image().to_owned());
            let back = self.spec(&service).map_err(|why| (why, now.clone()))?;
            let Some(spec) = back else {
                let own = lost && !is_engines(&service);
                return Ok(if own { Whose::Imgstack } else { Whose::Engine });
            };
            if let Err(why) = self.holds().await {
                return Err((unread(lost, why), now));
            }
            if !std::mem::replace(&mut told, true) {
                begins();
            }
            let version = service.version();
            let auth = self.repository().and_then(|image| {
                let pulls = &self.run.world.credentials.pulls;
                pulls.get(&image.repository)
            });
            let manager = self.run.world.manager;
            let sent = manager.update_service(self.id, version, &spec, auth).await;
            match sent {
                Ok(_) => return Ok(Whose::Imgstack),
                Err(Error::OutOfSequence { .. } | Error::Connect { .. }) => {}
                Err(Error::AnswerLost { .. }) => lost = true,
                Err(error) => {
                    return Err((NotGone(BackState::Refused, error.to_string()), now));
                }
            }
            if self.run.cancel.is_cancelled() {
                break;
            }
            sleep(PAUSE * attempt).await;
        }
        let why = match self.run.cancel.is_cancelled() {
            true => "it was interrupted before the update got through".to_owned(),
            false => format!("none of {ATTEMPTS} attempts got through"),
        };
        Err((not_sent(lost, why), now))
    }

    /// Whoever has the lock now may be at work on another service.
    async fn holds(&self) -> Result<(), NotGone> {
        let stopped = async {
            self.run.cancel.cancelled().await;
            sleep(PATIENCE).await;
        };
        tokio::select! {
            holds = self.run.holds() => match holds {
                true => Ok(()),
                false => Err(NotGone(
                    BackState::Unlocked,
                    "the lock is no longer held, and somebody else may be at work".to_owned(),
                )),
            },
            () = stopped => Err(NotGone(
                BackState::Refused,
                "it was interrupted before the update got through".to_owned(),
            )),
        }
    }

    /// The service as it is now; a manager that is silent may be in an
    /// election.
    async fn read(&self) -> Result<RawService, NotGone> {
        let until = Instant::now() + SILENCE;
        loop {
            let error = match self.run.world.manager.service(self.id).await {
                Ok(service) => return Ok(service),
                Err(error) if error.is_not_found() => {
                    let why = "the service was removed meanwhile".to_owned();
                    return Err(NotGone(BackState::Overtaken, why));
                }
                Err(error) => error,
            };
            let enough = Instant::now() >= until || self.run.cancel.is_cancelled();
            if !error.is_retryable() || enough {
                return Err(NotGone(BackState::Refused, error.to_string()));
            }
            sleep(BEAT).await;
        }
    }

    /// The spec that leads back, if the service is still as we left it; None if
    /// it is back.
    fn spec(&self, service: &RawService) -> Result<Option<Value>, NotGone> {
        let mut patch = self.previous.patch(service);
        if self.has_one_repository() {
            // The credential goes with it as it came with the update, so what
            // is said of it stays so.
            for label in CREDENTIAL_LABELS {
                let value = service.label(label).map(str::to_owned);
                patch.labels.insert(label.to_owned(), value);
            }
        }
        let spec = patch.apply(service.spec());
        let spec = spec.map_err(|error| NotGone(BackState::Refused, error.to_string()))?;
        if spec == *service.spec() {
            return Ok(None);
        }
        let is_ours = match self.ours {
            Some(digest) => spec_digest(service.spec()) == digest,
            None => Edit::of_update(self.update).is_done(service),
        };
        match is_ours {
            true => Ok(Some(spec)),
            false => Err(NotGone(
                BackState::Overtaken,
                "somebody else has changed the service meanwhile, and it is left as it is"
                    .to_owned(),
            )),
        }
    }

    fn repository(&self) -> Option<ImageRef> {
        self.previous.image().parse().ok()
    }

    fn has_one_repository(&self) -> bool {
        let new: Option<ImageRef> = self.update.image.to.parse().ok();
        let previous = self.repository();
        previous.map(|it| it.repository) == new.map(|it| it.repository)
    }

    /// Waits until the previous build runs again, as long as its rollout might
    /// have taken.
    async fn wait(&self, by: Whose, tell: &(dyn Fn(Progress) + Sync)) -> Gone {
        let long = Duration::from_secs(self.update.timeout_seconds).min(LONGEST);
        let (deadline, mut heard) = (Instant::now() + long, Instant::now());
        let mut way = Way {
            back: self,
            by,
            settled: Settled::default(),
            as_before: None,
            told: None,
            now: Some(self.previous.image().to_owned()),
        };
        loop {
            // A manager that takes its time holds up neither the deadline nor a
            // person who wants to stop.
            let look = tokio::select! {
                biased;
                look = self.look() => look,
                () = self.run.cancel.cancelled() => return way.end(BackState::UnderWay, ""),
                () = sleep_until(deadline) => return way.late(),
            };
            match look {
                Ok(look) => {
                    heard = Instant::now();
                    if let Some(gone) = way.judge(look, tell) {
                        return gone;
                    }
                }
                Err(error) if error.is_not_found() => {
                    return way.end(BackState::Overtaken, "the service was removed meanwhile");
                }
                Err(error) if heard.elapsed() > SILENCE || !error.is_retryable() => {
                    return way.end(BackState::UnderWay, &error.to_string());
                }
                Err(_) => {}
            }
            tokio::select! {
                biased;
                () = self.run.cancel.cancelled() => return way.end(BackState::UnderWay, ""),
                () = sleep_until(deadline) => return way.late(),
                () = sleep(BEAT) => {}
            }
        }
    }

    async fn look(&self) -> Result<(RawService, Assessment), Error> {
        let ids = [self.id.clone()];
        let manager = self.run.world.manager;
        let (service, tasks, nodes) = tokio::try_join!(
            manager.service(self.id),
            manager.tasks(&ids),
            manager.nodes(),
        )?;
        let assessment = assess(&service, &tasks, &nodes, service.image());
        Ok((service, assessment))
    }
}

/// A way back that was begun.
struct Way<'a> {
    back: &'a WayBack<'a>,
    by: Whose,
    settled: Settled,
    /// Since when as many of its tasks have run as before, where some were
    /// missing then.
    as_before: Option<Instant>,
    told: Option<TaskProgress>,
    /// The image that the service asks for.
    now: Option<String>,
}

impl Way<'_> {
    /// None: neither there nor stuck yet.
    fn judge(
        &mut self,
        (service, look): (RawService, Assessment),
        tell: &(dyn Fn(Progress) + Sync),
    ) -> Option<Gone> {
        let progress = progress(&look);
        if self.told.as_ref() != Some(&progress) {
            tell(Progress::Tasks(progress.clone()));
            self.told = Some(progress);
        }
        self.now = Some(service.image().to_owned());
        let status = look.update.as_ref();
        let (state, words) = match status {
            Some(status) => (Some(status.state), status.message.as_str()),
            None => (None, ""),
        };
        if service.image() != self.back.previous.image() {
            let back_again = state.is_some_and(is_roll_back);
            return Some(match back_again {
                // The settings that came back with the previous spec say so.
                true => self.end(
                    BackState::Stuck,
                    &format!("the Swarm took it back: {words}"),
                ),
                false => self.end(BackState::Overtaken, "somebody else has changed it since"),
            });
        }
        match state {
            Some(UpdateState::Paused | UpdateState::RollbackPaused) => {
                return Some(self.end(BackState::Stuck, words));
            }
            Some(UpdateState::Updating | UpdateState::RollbackStarted) => return None,
            Some(UpdateState::Completed | UpdateState::RollbackCompleted)
            | Some(UpdateState::Unknown)
            | None => {}
        }
        let wants_none = service.mode() == ServiceMode::Replicated(0);
        let monitor = Duration::from_millis(self.back.update.monitor_ms);
        if self.settled.holds(&look, wants_none, monitor) {
            return Some(self.end(BackState::Runs, ""));
        }
        // All that is wanted runs now, and may only have to stay.
        if look.is_in_place() {
            return None;
        }
        let ran = &self.back.ran;
        if ran.is_in_place() || look.running.len() < ran.running.len() {
            self.as_before = None;
            return None;
        }
        // More than there was is not waited for.
        let since = *self.as_before.get_or_insert_with(Instant::now);
        (since.elapsed() > monitor + BEAT).then(|| self.late())
    }

    fn late(&self) -> Gone {
        let why = self.told.as_ref().and_then(|told| {
            let all = told.wanted > 0 && told.running >= told.wanted;
            let new = || all.then(|| "they have only just come up".to_owned());
            told.waiting_for.clone().or_else(new)
        });
        self.end(BackState::Stuck, &why.unwrap_or_default())
    }

    fn end(&self, state: BackState, why: &str) -> Gone {
        let told = self.told.as_ref();
        let back = WentBack {
            by: self.by,
            state,
            running: told.map_or(0, |told| told.running),
            wanted: told.map_or(0, |told| told.wanted),
            why: Some(why.to_owned()).filter(|why| !why.is_empty()),
        };
        (back, self.now.clone())
    }
}

/// Why nothing was sent; or, once an answer was lost, why it is not known.
fn not_sent(lost: bool, why: String) -> NotGone {
    match lost {
        false => NotGone(BackState::Refused, why),
        true => NotGone(
            BackState::UnderWay,
            format!("whether the update got through is not known: {why}"),
        ),
    }
}

/// The same of a service that could not be read.
fn unread(lost: bool, why: NotGone) -> NotGone {
    match why {
        NotGone(BackState::Refused | BackState::Unlocked, why) if lost => not_sent(lost, why),
        other => other,
    }
}

fn is_engines(service: &RawService) -> bool {
    let status = service.update_status();
    status.is_some_and(|status| is_roll_back(status.state))
}

fn is_roll_back(state: UpdateState) -> bool {
    use UpdateState::{RollbackCompleted, RollbackPaused, RollbackStarted};
    matches!(state, RollbackStarted | RollbackPaused | RollbackCompleted)
}
