//! An old build goes from a node.

use imgstack_planner::RemoveImage;
use imgstack_swarm::engine::Removal;

use super::{End, node};
use crate::event::FailureKind;
use crate::execute::Run;

/// Removes the build's names of this repository; never by force.
pub(crate) async fn remove(run: &Run<'_>, remove: &RemoveImage) -> End {
    let engine = match node::engine(run, &remove.node, &remove.node_id, &remove.engine) {
        Ok(engine) => engine,
        Err(end) => return end,
    };
    match engine
        .remove_image(&remove.repository, &remove.digest)
        .await
    {
        Ok(Removal::Removed { .. } | Removal::AlreadyGone) => End::Done,
        Ok(Removal::InUse { users, message }) => {
            let users: Vec<&str> = users.iter().map(|user| user.name.as_str()).collect();
            let why = match (users.is_empty(), message) {
                (false, _) => format!("a container is made of it: {}", users.join(", ")),
                (true, message) => {
                    message.unwrap_or_else(|| "a container is made of it".to_owned())
                }
            };
            node::failed(
                FailureKind::RemovalFailed,
                format!("the build is in use, and stays: {why}"),
                Some("see what is planned now: imgstack plan".to_owned()),
            )
        }
        Err(error) => node::failed(FailureKind::RemovalFailed, error.to_string(), error.hint()),
    }
}
