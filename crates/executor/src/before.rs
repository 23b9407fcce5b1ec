//! Services of the same image that have no step, and are in the way of one that
//! has: one that is being updated still, and one whose gate is shut.
//!
//! A run that was stopped at a gate leaves a service that asks for the new build
//! and whose probe has not held. It is up to date for the next plan, so nobody
//! would ask it again, and the build would go on to the services after it. So
//! it is asked once more before each of them.
//!
//! Deliberately absent: the gates of services with another build, and of those
//! that come later. They say nothing of the build that is on its way.

use imgstack_planner::{StepId, UpdateService, service_order};
use imgstack_spec::{Digest, ImageRef, Service, ServiceName};
use imgstack_swarm::rollout::assess;
use imgstack_swarm::{Error, ServiceId, UpdateState};

use crate::event::{Failure, FailureKind};
use crate::execute::Run;
use crate::gate::{Gate, Running};
use crate::send::unread;

/// Whether no other service of its image is being restarted, and all that come
/// before it and run its new build already say that they are ready. Asked are
/// those with a probe or a leader: of all others it is not known that they need
/// one another.
pub(crate) async fn are_ready(run: &Run<'_>, update: &UpdateService) -> Result<(), Box<Failure>> {
    for other in others(run, update) {
        match in_the_way(run, &other, &update.image.to).await {
            Ok(None) => {}
            Ok(Some(words)) => return Err(not_ready(&other.service.name, &words)),
            // That it must be there is the plan's to say.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(unread(&error)),
        }
    }
    Ok(())
}

/// Another service of the image, which has no step.
struct Other<'r> {
    service: &'r Service,
    /// It comes before.
    is_before: bool,
}

fn others<'r>(run: &Run<'r>, update: &UpdateService) -> Vec<Other<'r>> {
    let stack = &run.plan.stack;
    let Some(own) = stack.service(&update.service) else {
        return Vec::new();
    };
    let leads = update.leader.as_ref().is_some_and(|leader| leader.led);
    let (mut found, mut is_before) = (Vec::new(), true);
    for (service, _) in service_order(stack) {
        if service.name == own.name {
            is_before = leads;
            continue;
        }
        let needs_others = service.probe.is_some() || service.last_if.is_some();
        if needs_others && service.image == own.image && !has_step(run, &service.name) {
            found.push(Other { service, is_before });
        }
    }
    found
}

fn has_step(run: &Run<'_>, service: &ServiceName) -> bool {
    let id = StepId::update(service);
    let mut steps = run.plan.steps.iter();
    steps.any(|step| step.id == id)
}

/// Why a service cannot go while the other one is as it is.
async fn in_the_way(
    run: &Run<'_>,
    other: &Other<'_>,
    image: &str,
) -> Result<Option<String>, Error> {
    let manager = run.world.manager;
    // The engine takes a name as well.
    let id = ServiceId::new(other.service.name.to_string());
    let service = manager.service(&id).await?;
    let state = service.update_status().map(|status| status.state);
    if let Some(UpdateState::Updating | UpdateState::RollbackStarted) = state {
        return Ok(Some("is being updated".to_owned()));
    }
    let is_same = digest(service.image()).is_some_and(|it| Some(it) == digest(image));
    if !(other.is_before && is_same) {
        return Ok(None);
    }
    let ids = [service.id()];
    let (tasks, nodes) = tokio::try_join!(manager.tasks(&ids), manager.nodes())?;
    let look = assess(&service, &tasks, &nodes, service.image());
    let (runs, wanted) = (look.running.len() as u64, look.desired);
    if runs < wanted {
        let words = format!("runs the new build, with {runs} of {wanted} tasks");
        return Ok(Some(words));
    }
    let Some(probe) = &other.service.probe else {
        return Ok(None);
    };
    let running = Running::of(&service, &tasks, &nodes);
    let shut = Gate::new(probe, &run.asker).is_shut(&running).await;
    Ok(shut.map(|words| format!("runs the new build, and its probe does not hold: {words}")))
}

fn digest(image: &str) -> Option<Digest> {
    image.parse::<ImageRef>().ok()?.digest
}

fn not_ready(service: &ServiceName, words: &str) -> Box<Failure> {
    Box::new(Failure {
        kind: FailureKind::NotReady,
        message: format!("service.{service}, of the same image, {words}; nothing was sent"),
        hint: Some(format!(
            "wait for service.{service} (imgstack status), or hold its last good build: imgstack rollback {service}; then: imgstack apply"
        )),
        ..Failure::empty()
    })
}
