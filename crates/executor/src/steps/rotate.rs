//! A service gets another credential. No task restarts: the Swarm compares
//! what tasks are made of, and the credential alone is no part of that.

use imgstack_planner::{RotateCredential, Step};

use super::End;
use crate::execute::{Run, not_in_plan};
use crate::send::{Change, Edit, Sent};

/// Sends an update that carries the credential.
pub(crate) async fn rotate(run: &Run<'_>, step: &Step, rotate: &RotateCredential) -> End {
    let Some(seen) = run.plan.seen.get(&rotate.service) else {
        return not_in_plan("what the service looked like");
    };
    // Without one the Swarm would keep the one that it has, and the label lie.
    let Some(auth) = run.world.credentials.pulls.get(&rotate.repository) else {
        return not_in_plan(
            "which credential the registry accepts; it may have been refused since",
        );
    };
    let change = Change {
        manager: run.world.manager,
        address: &step.address,
        edit: Edit::of_rotation(rotate),
        seen,
        auth: Some(auth),
    };
    match change.send(run.cancel).await {
        Ok(Sent::Yes) => End::Done,
        Ok(Sent::NotBegun) => End::NotBegun,
        Err(failure) => End::Failed(failure),
    }
}
