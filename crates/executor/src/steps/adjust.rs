//! A service gets other rollout settings. No task restarts: the Swarm compares
//! what tasks are made of, and how they are replaced is no part of that.

use imgstack_planner::{AdjustService, Step};

use super::End;
use crate::execute::{Run, not_in_plan};
use crate::send::{Change, Edit, Sent};

/// Sends an update of the settings, with the credential if the plan says so.
/// Without one the Swarm keeps the one that it has.
pub(crate) async fn adjust(run: &Run<'_>, step: &Step, adjust: &AdjustService) -> End {
    let Some(seen) = run.plan.seen.get(&adjust.service) else {
        return not_in_plan("what the service looked like");
    };
    let auth = match &adjust.credential {
        None => None,
        Some(repository) => match run.world.credentials.pulls.get(repository) {
            auth @ Some(_) => auth,
            // The label would lie.
            None => {
                return not_in_plan(
                    "which credential the registry accepts; it may have been refused since",
                );
            }
        },
    };
    let change = Change {
        manager: run.world.manager,
        address: &step.address,
        edit: Edit::of_adjustment(adjust),
        seen,
        auth,
    };
    match change.send(run.cancel).await {
        Ok(Sent::Yes) => End::Done,
        Ok(Sent::NotBegun) => End::NotBegun,
        Err(failure) => End::Failed(failure),
    }
}
