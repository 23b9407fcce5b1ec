//! Sends one planned change, if the service is still the one that was
//! planned for.
//!
//! The engine's compare-and-swap is on a version index that its own updater
//! raises too, so a mismatch is no drift by itself: the spec is read again, and
//! only a different spec stops the step (facts on Swarm, service updates).

use std::time::Duration;

use imgstack_planner::{Seen, UpdateService};
use imgstack_spec::Address;
use imgstack_swarm::{
    Error, Manager, RawService, RegistryAuth, ServiceId, ServicePatch, open_fields, spec_digest,
};
use serde_json::Value;

use crate::event::{Failure, FailureKind};

/// How often a harmless conflict is tried again. The updater writes a few
/// times a task, so even a busy service gets through in two or three.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// Sends the update. On success the service is as it was just before.
pub(crate) async fn send(
    manager: &Manager,
    address: &Address,
    update: &UpdateService,
    seen: &Seen,
    auth: Option<&RegistryAuth>,
) -> Result<RawService, Box<Failure>> {
    let id = ServiceId::new(seen.service_id.clone());
    let mut answer_lost = false;
    for attempt in 0..ATTEMPTS {
        let service = manager.service(&id).await.map_err(|error| unread(&error))?;
        if answer_lost && is_done(&service, update) {
            return Ok(service);
        }
        let patched = match patched(address, update, seen, &service)? {
            Some(patched) => patched,
            None => return Ok(service),
        };
        let sent = manager
            .update_service(&id, service.version(), &patched, auth)
            .await;
        match sent {
            Ok(_) => return Ok(service),
            Err(Error::OutOfSequence { .. }) => {}
            Err(Error::AnswerLost { .. }) => answer_lost = true,
            Err(error) => return Err(refused(&error, &service)),
        }
        tokio::time::sleep(PAUSE * attempt).await;
    }
    Err(Box::new(Failure {
        kind: FailureKind::Unknown,
        message: format!("the service changed under every one of {ATTEMPTS} attempts"),
        hint: Some("find out who writes to it, then: imgstack apply".to_owned()),
        ..Failure::empty()
    }))
}

/// Whether the service is what the update makes of it. The plan's label tells
/// our update from somebody else's with the same image.
pub(crate) fn is_done(service: &RawService, update: &UpdateService) -> bool {
    service.image() == update.image.to
        && update
            .labels
            .iter()
            .all(|(key, value)| service.label(key) == value.to.as_deref())
}

/// The spec to send; None when it would be the one that is there: a write that
/// changes nothing destroys what the engine would roll back to.
fn patched(
    address: &Address,
    update: &UpdateService,
    seen: &Seen,
    service: &RawService,
) -> Result<Option<Value>, Box<Failure>> {
    if spec_digest(service.spec()) != seen.spec_digest {
        return Err(drifted(address, seen, service));
    }
    let patch = ServicePatch {
        image: update.image.to.clone(),
        platforms: update.platforms.as_ref().map(|change| change.to.clone()),
        labels: update
            .labels
            .iter()
            .filter_map(|(key, change)| Some((key.clone(), change.to.clone()?)))
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

fn drifted(address: &Address, seen: &Seen, service: &RawService) -> Box<Failure> {
    let now = Seen {
        service_id: service.id().as_str().to_owned(),
        version: service.version(),
        spec_digest: spec_digest(service.spec()),
        fields: open_fields(service.spec()),
    };
    Box::new(Failure {
        kind: FailureKind::Drifted,
        message: "the service was changed since the plan was made; nothing was sent".to_owned(),
        moved: Seen::moved(address, Some(seen), Some(&now)),
        now: Some(service.image().to_owned()),
        hint: Some("see what is planned now: imgstack plan".to_owned()),
        ..Failure::empty()
    })
}

fn unread(error: &Error) -> Box<Failure> {
    let (kind, message) = if error.is_not_found() {
        let message = "the service was removed since the plan was made; nothing was sent";
        (FailureKind::Drifted, message.to_owned())
    } else {
        (FailureKind::Unknown, error.to_string())
    };
    Box::new(Failure {
        kind,
        message,
        hint: error.hint(),
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
