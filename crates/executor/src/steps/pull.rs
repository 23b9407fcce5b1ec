//! A node is made to hold an image.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use imgstack_planner::{PullImage, Step};
use imgstack_spec::Endpoint;
use imgstack_swarm::NodeId;
use imgstack_swarm::engine::PullProgress;
use imgstack_swarm::prepull::{self, Outcome, Prepull};
use tokio::time::Instant;

use super::{End, node};
use crate::event::{ByteProgress, FailureKind, NodeProgress, Progress};
use crate::execute::{Run, not_in_plan};

/// The longest that a pull may take: one that stands still is given up long
/// before, by the client of the engine.
const WITHIN: Duration = Duration::from_secs(60 * 60);
/// How often the progress of one pull is told at most.
const OFTEN: Duration = Duration::from_millis(200);

/// The node's own engine pulls, by digest.
pub(crate) async fn by_engine(
    run: &Run<'_>,
    step: &Step,
    pull: &PullImage,
    endpoint: &Endpoint,
) -> End {
    let engine = match node::engine(run, &pull.node, &pull.node_id, endpoint) {
        Ok(engine) => engine,
        Err(end) => return end,
    };
    let reference = &pull.reference;
    let Some(digest) = &reference.digest else {
        return not_in_plan("which build is to be pulled");
    };
    let auth = run.world.credentials.pulls.get(&reference.repository);
    let told = Mutex::new(None::<Instant>);
    let progress = |progress: PullProgress| {
        // An engine speaks many times a second, of each layer.
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|told| told.elapsed() < OFTEN) {
            return;
        }
        *told = Some(Instant::now());
        let bytes = ByteProgress {
            done: progress.bytes,
            // The engine learns of layers one by one; the plan knows them all.
            total: progress.total.max(pull.bytes.unwrap_or(0)),
        };
        run.progress(step, Progress::Bytes(bytes));
    };
    let pulling = engine.pull(&reference.repository, digest, auth, WITHIN, &progress);
    tokio::select! {
        pulled = pulling => match pulled {
            Ok(()) => End::Done,
            Err(error) => pull_failed(error.to_string(), error.hint()),
        },
        // An engine that nobody listens to any more ends the pull; layers that
        // are done are kept, and nothing is half-way.
        () = run.cancel.cancelled() => End::Stopped,
    }
}

/// Nodes that only a manager reaches, side by side: one service makes them all
/// pull the same image. Each step ends as its node does.
pub(crate) async fn through_manager(
    run: &Run<'_>,
    steps: &[(&Step, &PullImage)],
    started: Instant,
) {
    let Some((_, first)) = steps.first() else {
        return;
    };
    let wanted = Prepull {
        stack: run.plan.stack.name.to_string(),
        image: first.reference.clone(),
        platforms: Vec::new(),
        nodes: steps.iter().map(|(_, pull)| node_id(pull)).collect(),
        owner: run.world.owner.clone(),
        within: WITHIN,
    };
    let tell = |node: &NodeId, progress: prepull::Progress| {
        let Some((step, _)) = steps.iter().find(|(_, pull)| node_id(pull) == *node) else {
            return;
        };
        match progress {
            prepull::Progress::Pulling => {
                let state = "pulling".to_owned();
                run.progress(step, Progress::State(NodeProgress { state }));
            }
            // One node does not wait for another to be told of.
            prepull::Progress::Done(outcome) => run.end(step, ended(outcome), started),
        }
    };
    let auth = run.world.credentials.pulls.get(&first.reference.repository);
    let done = prepull::run(run.world.manager, &wanted, auth, run.cancel, &tell).await;
    let mut outcomes = match done {
        Ok(done) => {
            if let Some((service, error)) = &done.left {
                run.leave(service, error);
            }
            Ok(done.outcomes)
        }
        Err(error) => Err(error),
    };
    for (step, pull) in steps.iter().filter(|(step, _)| !run.has_ended(step)) {
        let end = match &mut outcomes {
            Ok(outcomes) => outcomes.remove(&node_id(pull)).map_or_else(
                || pull_failed("the Swarm said nothing of it".to_owned(), None),
                ended,
            ),
            Err(error) => pull_failed(error.to_string(), error.hint()),
        };
        run.end(step, end, started);
    }
}

fn node_id(pull: &PullImage) -> NodeId {
    NodeId::new(pull.node_id.clone())
}

fn ended(outcome: Outcome) -> End {
    match outcome {
        Outcome::Pulled => End::Done,
        Outcome::Interrupted => End::Stopped,
        other => pull_failed(other.to_string(), other.hint().map(str::to_owned)),
    }
}

fn pull_failed(message: String, hint: Option<String>) -> End {
    node::failed(FailureKind::PullFailed, message, hint)
}
