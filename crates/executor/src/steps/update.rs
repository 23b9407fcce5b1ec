//! A service is brought to another image.

use imgstack_planner::{Step, UpdateService};
use imgstack_spec::ImageRef;
use imgstack_swarm::ServiceId;
use imgstack_swarm::probe::Unasked;

use super::End;
use crate::back::{Tell, WayBack};
use crate::before;
use crate::converge::Rollout;
use crate::event::{Failure, FailureKind};
use crate::execute::{Run, not_in_plan};
use crate::gate::Gate;
use crate::leader;
use crate::send::{Change, Edit, Sent, unread};
use crate::verdict::{Bad, Waited};

/// Sends the update, and waits until the service has converged. Where the new
/// build fails and the engine does not go back, this does.
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
    let probe = update.probe.as_ref();
    let gate = probe.map(|probe| Gate::new(probe, &run.asker));
    let failing = run.failing();
    let mut rollout = match Rollout::watch(manager, update, id, gate, failing).await {
        Ok(rollout) => rollout,
        Err(error) => return End::Failed(unread(&error)),
    };
    // What a roll-back leads to is what the plan was made for, and nothing that
    // somebody had there for a moment.
    if let Err(drifted) = change.still_fits(rollout.before()) {
        return End::Failed(drifted);
    }
    // A gate that nobody can ask at would never open.
    tokio::select! {
        biased;
        () = run.cancel.cancelled() => return End::NotBegun,
        asked = rollout.can_be_probed() => if let Err(unasked) = asked {
            return cannot_be_probed(unasked);
        },
    }
    tokio::select! {
        biased;
        () = run.cancel.cancelled() => return End::NotBegun,
        ready = before::are_ready(run, update) => if let Err(failure) = ready {
            return End::Failed(failure);
        },
    }
    let handed_over = match leader::hand_over(run, step).await {
        Ok(handed_over) => handed_over,
        Err(end) => return end,
    };
    if !run.may_send().await {
        return match handed_over {
            true => End::Stopped,
            false => End::NotBegun,
        };
    }
    // Opened before the update, so that no word of it is missed. Without
    // events the beat alone does.
    let events = manager.events().await.ok();
    match change.send(run.cancel).await {
        Ok(Sent::Yes) => {}
        Ok(Sent::NotBegun) => return End::NotBegun,
        Err(failure) => return End::Failed(failure),
    }
    let progress = |progress| run.progress(step, progress);
    match rollout.wait(events, run.cancel, &progress).await {
        Waited::Done => End::Done,
        Waited::Interrupted => End::Interrupted,
        Waited::Badly(bad) => End::Failed(went_badly(run, step, update, &rollout, *bad).await),
    }
}

fn cannot_be_probed(unasked: Unasked) -> End {
    End::Failed(Box::new(Failure {
        kind: FailureKind::Unreachable,
        message: format!("its probe cannot be asked: {unasked}; nothing was sent"),
        hint: Some(unasked.hint.unwrap_or_else(|| {
            "mend `rollout.probe` of the service, then: imgstack plan".to_owned()
        })),
        ..Failure::empty()
    }))
}

/// The failure, once the service is back where that is ours to do.
async fn went_badly(
    run: &Run<'_>,
    step: &Step,
    update: &UpdateService,
    rollout: &Rollout<'_>,
    mut bad: Bad,
) -> Box<Failure> {
    if !bad.verdict.leads_back() {
        return bad.failure(update, None);
    }
    let (previous, why) = (rollout.previous(), bad.message(update));
    let way = WayBack {
        run,
        update,
        id: &previous.service_id,
        previous,
        ran: rollout.ran(),
        ours: rollout.ours(),
    };
    let tell = Tell {
        begins: &|| run.goes_back(step, &why, previous.image()),
        progress: &|progress| run.progress(step, progress),
    };
    let (back, now) = way.go(&tell).await;
    bad.now = now.or(bad.now);
    bad.failure(update, Some(back))
}
