//! What a run that was killed has left in the Swarm goes.

use imgstack_planner::RemoveLeftover;
use imgstack_swarm::ServiceId;

use super::{End, node};
use crate::event::FailureKind;
use crate::execute::Run;

/// Removes a service that was made for pulls; that it is gone is as good.
pub(crate) async fn remove(run: &Run<'_>, left: &RemoveLeftover) -> End {
    let id = ServiceId::new(left.service_id.clone());
    match run.world.manager.remove_service(&id).await {
        Ok(()) => End::Done,
        Err(error) if error.is_not_found() => End::Done,
        Err(error) => node::failed(FailureKind::RemovalFailed, error.to_string(), error.hint()),
    }
}
