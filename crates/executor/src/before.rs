//! The gate of a service that comes before another one and has no step.
//!
//! A run that was stopped at a gate leaves a service that asks for the new build
//! and whose probe has not held. It is up to date for the next plan, so nobody
//! would ask it again, and the build would go on to the services after it. So
//! it is asked once more before each of them.
//!
//! Deliberately absent: services with another build, and those that come later.
//! Whether they are ready says nothing of the build that is on its way.

use imgstack_planner::{Action, StepId, UpdateService, service_order};
use imgstack_spec::{Digest, ImageRef, Probe, Service, ServiceName};
use imgstack_swarm::{Error, ServiceId};

use crate::event::{Failure, FailureKind};
use crate::execute::Run;
use crate::gate::{Gate, Running};
use crate::send::unread;

/// Whether all that come before the service and run its new build already say
/// that they are ready.
pub(crate) async fn are_ready(run: &Run<'_>, update: &UpdateService) -> Result<(), Box<Failure>> {
    let Some(digest) = digest(&update.image.to) else {
        return Ok(());
    };
    for (service, probe) in before(run, update) {
        match shut(run, &service.name, probe, &digest).await {
            Ok(None) => {}
            Ok(Some(words)) => return Err(not_ready(&service.name, &words)),
            // That it must be there is the plan's to say.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(unread(&error)),
        }
    }
    Ok(())
}

/// The services of its image that come before it, have a probe, and no step.
fn before<'r>(run: &Run<'r>, update: &UpdateService) -> Vec<(&'r Service, &'r Probe)> {
    let stack = &run.plan.stack;
    let Some(own) = stack.service(&update.service) else {
        return Vec::new();
    };
    let leads = update.leader.as_ref().is_some_and(|leader| leader.led);
    let order = service_order(stack).into_iter().map(|(service, _)| service);
    let (mut found, mut is_before) = (Vec::new(), true);
    for service in order {
        if service.name == own.name {
            is_before = leads;
            continue;
        }
        let is_asked = is_before && service.image == own.image && !has_step(run, &service.name);
        if let (true, Some(probe)) = (is_asked, &service.probe) {
            found.push((service, probe));
        }
    }
    found
}

fn has_step(run: &Run<'_>, service: &ServiceName) -> bool {
    let id = StepId::update(service);
    let mut steps = run.plan.steps.iter();
    steps.any(|step| step.id == id && matches!(step.action, Action::UpdateService(_)))
}

/// What it says that is no yes; None where all its tasks say yes, or it runs
/// another build.
async fn shut(
    run: &Run<'_>,
    name: &ServiceName,
    probe: &Probe,
    build: &Digest,
) -> Result<Option<String>, Error> {
    let manager = run.world.manager;
    // The engine takes a name as well.
    let service = manager.service(&ServiceId::new(name.to_string())).await?;
    if digest(service.image()).as_ref() != Some(build) {
        return Ok(None);
    }
    let ids = [service.id()];
    let (tasks, nodes) = tokio::try_join!(manager.tasks(&ids), manager.nodes())?;
    let running = Running::of(&service, &tasks, &nodes);
    Ok(Gate::new(probe, &run.asker).is_shut(&running).await)
}

fn digest(image: &str) -> Option<Digest> {
    image.parse::<ImageRef>().ok()?.digest
}

fn not_ready(service: &ServiceName, words: &str) -> Box<Failure> {
    Box::new(Failure {
        kind: FailureKind::NotReady,
        message: format!(
            "service.{service} comes before it and runs the new build, and its probe does not hold: {words}; nothing was sent"
        ),
        hint: Some(format!(
            "see to service.{service}, or hold its last good build: imgstack rollback {service}; then: imgstack apply"
        )),
        ..Failure::empty()
    })
}
