//! A node is made to hold an image.

use std::time::Duration;

use imgstack_planner::{PullImage, Step};
use imgstack_spec::Endpoint;
use imgstack_swarm::NodeId;
use imgstack_swarm::engine::PullProgress;
use imgstack_swarm::prepull::{self, Outcome, Prepull};

use super::{End, node};
use crate::event::{ByteProgress, FailureKind, NodeProgress, Progress};
use crate::execute::{Run, not_in_plan};

/// The longest that a pull may take: one that stands still is given up long
/// before, by the client of the engine.
const WITHIN: Duration = Duration::from_secs(60 * 60);

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
    let progress = |progress: PullProgress| {
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
pub(crate) async fn through_manager(run: &Run<'_>, steps: &[(&Step, &PullImage)]) -> Vec<End> {
    let Some((_, first)) = steps.first() else {
        return Vec::new();
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
        let step = steps.iter().find(|(_, pull)| node_id(pull) == *node);
        if let (Some((step, _)), prepull::Progress::Pulling) = (step, progress) {
            let state = "pulling".to_owned();
            run.progress(step, Progress::State(NodeProgress { state }));
        }
    };
    let auth = run.world.credentials.pulls.get(&first.reference.repository);
    match prepull::run(run.world.manager, &wanted, auth, run.cancel, &tell).await {
        Ok(mut done) => {
            if let Some((service, error)) = &done.left {
                run.leave(service, error);
            }
            let end = |(_, pull): &(&Step, &PullImage)| {
                done.outcomes.remove(&node_id(pull)).map_or_else(
                    || pull_failed("the Swarm said nothing of it".to_owned(), None),
                    ended,
                )
            };
            steps.iter().map(end).collect()
        }
        Err(error) => {
            let end = |_| pull_failed(error.to_string(), error.hint());
            steps.iter().map(end).collect()
        }
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
