//! Sends one planned change, if the service is still the one that was
//! planned for.
//!
//! The engine's compare-and-swap is on a version index that its own updater
//! raises too, so a mismatch is no drift by itself: the spec is read again, and
//! only a different spec stops the step (facts on Swarm, service updates).
//!
//! When an answer is lost the update may have been done, and may even have been
//! rolled back since. So nothing is sent again before the service was read, nor
//! once its version index is another one.

use std::collections::BTreeMap;
use std::time::Duration;

use imgstack_planner::{AdjustService, RotateCredential, Seen, UpdateService};
use imgstack_spec::{Address, Platform, RolloutSettings};
use imgstack_swarm::{
    Error, Manager, RawService, RegistryAuth, ServiceId, ServicePatch, UpdateConfigPatch,
    UpdateState, open_fields, spec_digest,
};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::event::{Failure, FailureKind};

/// How often a harmless conflict is tried again. The updater writes a few
/// times a task, so even a busy service gets through in two or three.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);
/// How long a manager may be silent, as during an election, after an answer
/// was lost, before the step is given up.
pub(crate) const SILENCE: Duration = Duration::from_secs(60);

/// Whether the Swarm has the change.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It has, or had it and went back; or there was nothing to be changed.
    Yes,
    /// Somebody asked to stop before it was sent.
    NotBegun,
}

/// What becomes of a service's spec; all else stays.
pub(crate) struct Edit<'a> {
    pub(crate) image: &'a str,
    pub(crate) platforms: Option<&'a [Platform]>,
    pub(crate) rollout: RolloutSettings,
    pub(crate) labels: &'a BTreeMap<String, imgstack_planner::Change<Option<String>>>,
}

/// What is sent, and to whom.
pub(crate) struct Change<'a> {
    pub(crate) manager: &'a Manager,
    pub(crate) address: &'a Address,
    pub(crate) edit: Edit<'a>,
    pub(crate) seen: &'a Seen,
    pub(crate) auth: Option<&'a RegistryAuth>,
}

impl Change<'_> {
    /// Sends the update.
    pub(crate) async fn send(&self, cancel: &CancellationToken) -> Result<Sent, Box<Failure>> {
        let id = ServiceId::new(self.seen.service_id.clone());
        // The version that went out with an update whose answer was lost.
        let mut lost: Option<u64> = None;
        for attempt in 0..ATTEMPTS {
            let service = match lost {
                None => self.manager.service(&id).await.map_err(|e| unread(&e))?,
                Some(_) => self.read_after_loss(&id, cancel).await?,
            };
            if let Some(version) = lost
                && let Some(sent) = self.found(&service, version)?
            {
                return Ok(sent);
            }
            let Some(patched) = self.patched(&service)? else {
                return Ok(Sent::Yes);
            };
            if cancel.is_cancelled() {
                return Ok(Sent::NotBegun);
            }
            let version = service.version();
            let sent = self
                .manager
                .update_service(&id, version, &patched, self.auth)
                .await;
            match sent {
                Ok(_) => return Ok(Sent::Yes),
                // Nothing was changed: read again, and judge again.
                Err(Error::OutOfSequence { .. } | Error::Connect { .. }) => {}
                Err(Error::AnswerLost { .. }) => lost = Some(version),
                Err(error) => return Err(refused(&error, &service)),
            }
            sleep(PAUSE * attempt).await;
        }
        Err(exhausted(lost.is_some()))
    }

    /// Whether the service is still the one that was planned for.
    pub(crate) fn still_fits(&self, service: &RawService) -> Result<(), Box<Failure>> {
        match spec_digest(service.spec()) == self.seen.spec_digest {
            true => Ok(()),
            false => Err(drifted(self.address, self.seen, service)),
        }
    }

    /// What became of an update whose answer was lost. None: nothing, so it
    /// may be sent again.
    fn found(&self, service: &RawService, version: u64) -> Result<Option<Sent>, Box<Failure>> {
        if self.edit.is_done(service) {
            return Ok(Some(Sent::Yes));
        }
        if service.version() == version {
            return Ok(None);
        }
        let went_back = service.update_status().is_some_and(|status| {
            use UpdateState::{RollbackCompleted, RollbackPaused, RollbackStarted};
            matches!(
                status.state,
                RollbackStarted | RollbackPaused | RollbackCompleted
            )
        });
        if went_back && spec_digest(service.spec()) == self.seen.spec_digest {
            return Ok(Some(Sent::Yes));
        }
        // The version moves without the spec too, when the engine writes its
        // own status: that alone does not tell whether the update was done.
        Err(Box::new(Failure {
            kind: FailureKind::Unknown,
            message: "the answer to the update was lost, and the service was changed since: whether the update was done is not known".to_owned(),
            now: Some(service.image().to_owned()),
            hint: Some("see what is left to do: imgstack plan".to_owned()),
            ..Failure::empty()
        }))
    }

    /// A manager that lost an answer is often on its way down, and another one
    /// soon leads.
    async fn read_after_loss(
        &self,
        id: &ServiceId,
        cancel: &CancellationToken,
    ) -> Result<RawService, Box<Failure>> {
        let until = Instant::now() + SILENCE;
        loop {
            let error = match self.manager.service(id).await {
                Ok(service) => return Ok(service),
                Err(error) => error,
            };
            if !error.is_retryable() || Instant::now() >= until || cancel.is_cancelled() {
                return Err(unread_after_loss(&error));
            }
            sleep(PAUSE * 5).await;
        }
    }

    /// The spec to send; None when it would be the one that is there: a write
    /// that changes nothing destroys what the engine would roll back to.
    fn patched(&self, service: &RawService) -> Result<Option<Value>, Box<Failure>> {
        self.still_fits(service)?;
        let labels = self.edit.labels.iter();
        let patch = ServicePatch {
            image: self.edit.image.to_owned(),
            platforms: self.edit.platforms.map(<[Platform]>::to_vec),
            update_config: UpdateConfigPatch::Settings(self.edit.rollout.clone()),
            labels: labels
                .map(|(key, change)| (key.clone(), change.to.clone()))
                .collect(),
        };
        let spec = patch.apply(service.spec()).map_err(|error| {
            Box::new(Failure {
                kind: FailureKind::Refused,
                message: error.to_string(),
                ..Failure::empty()
            })
        })?;
        Ok(Some(spec).filter(|spec| spec != service.spec()))
    }
}

impl<'a> Edit<'a> {
    pub(crate) fn of_update(update: &'a UpdateService) -> Self {
        Self {
            image: &update.image.to,
            platforms: update.platforms.as_ref().map(|change| &*change.to),
            rollout: update.settings.wanted(),
            labels: &update.labels,
        }
    }

    pub(crate) fn of_adjustment(adjust: &'a AdjustService) -> Self {
        Self {
            image: &adjust.image,
            platforms: None,
            rollout: adjust.settings.wanted(),
            labels: &adjust.labels,
        }
    }

    pub(crate) fn of_rotation(rotate: &'a RotateCredential) -> Self {
        Self {
            image: &rotate.image,
            platforms: None,
            rollout: RolloutSettings::default(),
            labels: &rotate.labels,
        }
    }

    /// Whether the service is what the edit makes of it. The plan's label tells
    /// our update from somebody else's with the same image.
    pub(crate) fn is_done(&self, service: &RawService) -> bool {
        let mut labels = self.labels.iter();
        service.image() == self.image
            && labels.all(|(key, value)| service.label(key) == value.to.as_deref())
    }
}

fn drifted(address: &Address, seen: &Seen, service: &RawService) -> Box<Failure> {
    let now = Seen {
        service_id: service.id().as_str().to_owned(),
        version: service.version(),
        spec_digest: spec_digest(service.spec()),
        fields: open_fields(service.spec()),
    };
    Box::new(Failure {
        kind: FailureKind::Drifted,
        message: "the service was changed since the plan was made; it is left as it is".to_owned(),
        moved: Seen::moved(address, Some(seen), Some(&now)),
        now: Some(service.image().to_owned()),
        hint: Some("see what is planned now: imgstack plan".to_owned()),
        ..Failure::empty()
    })
}

/// The service could not be read, and nothing has been sent.
pub(crate) fn unread(error: &Error) -> Box<Failure> {
    let (kind, message) = if error.is_not_found() {
        let message = "the service was removed since the plan was made; nothing was sent";
        (FailureKind::Drifted, message.to_owned())
    } else {
        (FailureKind::Refused, format!("{error}; nothing was sent"))
    };
    Box::new(Failure {
        kind,
        message,
        hint: error.hint(),
        ..Failure::empty()
    })
}

fn unread_after_loss(error: &Error) -> Box<Failure> {
    Box::new(Failure {
        kind: FailureKind::Unknown,
        message: format!(
            "the answer to the update was lost, and what became of it could not be seen: {error}"
        ),
        hint: Some("see where things stand: imgstack status".to_owned()),
        ..Failure::empty()
    })
}

fn refused(error: &Error, service: &RawService) -> Box<Failure> {
    Box::new(Failure {
        kind: FailureKind::Refused,
        message: error.to_string(),
        now: Some(service.image().to_owned()),
        hint: error.hint(),
        ..Failure::empty()
    })
}

fn exhausted(lost: bool) -> Box<Failure> {
    let (kind, what) = match lost {
        false => (FailureKind::Refused, "nothing was sent"),
        true => (FailureKind::Unknown, "whether one was done is not known"),
    };
    Box::new(Failure {
        kind,
        message: format!("none of {ATTEMPTS} attempts got through, {what}"),
        hint: Some("find out who else writes to the service, then: imgstack plan".to_owned()),
        ..Failure::empty()
    })
}
