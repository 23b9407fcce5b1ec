//! A node's docker client is logged in to a registry.

use imgstack_planner::LogIn;

use super::{End, node};
use crate::event::FailureKind;
use crate::execute::{Run, not_in_plan};

/// Logs in, with the secret through standard input.
pub(crate) async fn log_in(run: &Run<'_>, login: &LogIn) -> End {
    let engine = match node::engine(run, &login.node, &login.node_id, &login.engine) {
        Ok(engine) => engine,
        Err(end) => return end,
    };
    let credential = run.world.credentials.logins.get(&login.registry);
    let Some(credential) = credential.filter(|it| it.username == login.username) else {
        return not_in_plan(
            "which credential the registry accepts; it may have been refused since",
        );
    };
    match engine.login(&login.registry, credential).await {
        Ok(()) => End::Done,
        Err(error) => node::failed(FailureKind::LoginFailed, error.to_string(), error.hint()),
    }
}
