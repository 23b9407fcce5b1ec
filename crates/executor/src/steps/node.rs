//! A node's own engine, and that it is the node that was planned for.

use imgstack_spec::{Endpoint, NodeName};
use imgstack_swarm::NodeEngine;

use super::End;
use crate::event::{Failure, FailureKind};
use crate::execute::Run;

/// The engine of a node, as it was reached when the world was looked at. It
/// was asked who it is: an address may lead to another machine than it did when
/// the plan was made.
pub(super) fn engine<'a>(
    run: &Run<'a>,
    node: &NodeName,
    node_id: &str,
    endpoint: &Endpoint,
) -> Result<&'a NodeEngine, End> {
    let engine = run.world.engines.get(node);
    let engine = engine.filter(|engine| engine.endpoint() == endpoint);
    let Some(engine) = engine else {
        return Err(unreachable(format!("there is no connection to {endpoint}")));
    };
    match engine.node_id() {
        Some(id) if id.as_str() == node_id => Ok(engine),
        Some(id) => Err(unreachable(format!(
            "{endpoint} leads to the node {}, not to {node_id}",
            id.as_str()
        ))),
        None => Err(unreachable(format!(
            "{endpoint} leads to {}, which is in no Swarm",
            engine.hostname()
        ))),
    }
}

fn unreachable(why: String) -> End {
    failed(
        FailureKind::Unreachable,
        format!("{why}; nothing was done there"),
        Some("see what is planned now: imgstack plan".to_owned()),
    )
}

/// A step on a node that failed.
pub(super) fn failed(kind: FailureKind, message: String, hint: Option<String>) -> End {
    End::Failed(Box::new(Failure {
        kind,
        message,
        hint,
        ..Failure::empty()
    }))
}
