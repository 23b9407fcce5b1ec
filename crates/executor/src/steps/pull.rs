//! A node is made to hold an image.

use std::time::Duration;

use imgstack_planner::{PullImage, Step, Via};
use imgstack_spec::Endpoint;

use super::{End, node};
use crate::event::{ByteProgress, FailureKind, Progress};
use crate::execute::Run;

/// The longest that a pull may take: one that stands still is given up long
/// before, by the client of the engine.
const WITHIN: Duration = Duration::from_secs(60 * 60);

/// Pulls by digest, by the node's own engine or through a manager.
pub(crate) async fn pull(run: &Run<'_>, step: &Step, pull: &PullImage) -> End {
    match &pull.via {
        Via::Engine(endpoint) => by_engine(run, step, pull, endpoint).await,
        Via::Manager => through_manager(run, step, pull).await,
    }
}

async fn by_engine(run: &Run<'_>, step: &Step, pull: &PullImage, endpoint: &Endpoint) -> End {
    let engine = match node::engine(run, &pull.node, &pull.node_id, endpoint) {
        Ok(engine) => engine,
        Err(end) => return end,
    };
    let reference = &pull.reference;
    let Some(digest) = &reference.digest else {
        return crate::execute::not_in_plan("which build is to be pulled");
    };
    let auth = run.world.credentials.pulls.get(&reference.repository);
    let progress = |progress: imgstack_swarm::PullProgress| {
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
            Err(error) => node::failed(FailureKind::PullFailed, error.to_string(), error.hint()),
        },
        // An engine that nobody listens to any more ends the pull; layers that
        // are done are kept, and nothing is half-way.
        () = run.cancel.cancelled() => End::Interrupted,
    }
}
