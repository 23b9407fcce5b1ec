//! A service is brought to another image.

use imgstack_planner::{Step, UpdateService};
use imgstack_spec::ImageRef;
use imgstack_swarm::ServiceId;

use super::End;
use crate::converge::Rollout;
use crate::execute::{Run, not_in_plan};
use crate::send::{Change, Edit, Sent, unread};

/// Sends the update, and waits until the service has converged.
pub(crate) async fn update(run: &Run<'_>, step: &Step, update: &UpdateService) -> End {
    let Some(seen) = run.plan.seen.get(&update.service) else {
        return not_in_plan("what the service looked like");
    };
    let manager = run.world.manager;
    let image: Option<ImageRef> = update.image.to.parse().ok();
    let auth = image.and_then(|image| run.world.credentials.pulls.get(&image.repository));
    let change = Change {
        manager,
        address: &step.address,
        edit: Edit::of_update(update),
        seen,
        auth,
    };
    let id = ServiceId::new(seen.service_id.clone());
    let rollout = match Rollout::watch(manager, update, id).await {
        Ok(rollout) => rollout,
        Err(error) => return End::Failed(unread(&error)),
    };
    // Opened before the update, so that no word of it is missed. Without
    // events the beat alone does.
    let events = manager.events().await.ok();
    match change.send(run.cancel).await {
        Ok(Sent::Yes) => {}
        Ok(Sent::NotBegun) => return End::NotBegun,
        Err(failure) => return End::Failed(failure),
    }
    let progress = |progress| run.progress(step, progress);
    rollout.wait(events, run.cancel, &progress).await
}
