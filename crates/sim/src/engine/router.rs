//! Which path is whose.

use hyper::Method;
use percent_encoding::percent_decode_str;

use super::answers::Outcome;
use super::call::Call;
use super::version::ApiVersion;
use super::{
    configs, containers, distribution, events, images, logs, networks, nodes, programs, services,
    system, tasks,
};

/// A path without its version: `/v1.41/services/web` is `services`, `web`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) version: Option<ApiVersion>,
    /// Decoded.
    rest: String,
}

impl Path {
    pub(super) fn read(path: &str) -> Self {
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        let decoded = decoded.trim_start_matches('/');
        let (first, rest) = decoded.split_once('/').unwrap_or((decoded, ""));
        let version = first.strip_prefix('v').and_then(|text| text.parse().ok());
        let rest = if version.is_some() { rest } else { decoded };
        Self {
            version,
            rest: rest.to_owned(),
        }
    }

    fn parts(&self) -> Vec<&str> {
        self.rest.split('/').collect()
    }
}

/// Answers a request on behalf of an engine.
pub(super) fn answer(call: &Call<'_>, path: &Path) -> Outcome {
    let parts = path.parts();
    match (call.method(), parts.as_slice()) {
        (&Method::GET | &Method::HEAD, ["_ping"]) => Ok(system::ping(call)),
        (&Method::GET, ["version"]) => Ok(system::version(call)),
        (&Method::GET, ["info"]) => Ok(system::info(call)),
        (&Method::GET, ["system", "df"]) => system::disk_usage(call),
        (&Method::GET, ["events"]) => events::answer(call),
        (&Method::POST, ["auth"]) => distribution::login(call),
        (_, ["images", rest @ ..]) => images::answer(call, rest),
        (&Method::GET, ["distribution", name @ .., "json"]) => {
            distribution::answer(call, &name.join("/"))
        }
        (_, ["containers", rest @ ..]) => containers::answer(call, rest),
        (_, ["exec", rest @ ..]) => programs::answer(call, rest),
        (_, ["networks", rest @ ..]) => networks::answer(call, rest),
        (
            _,
            [
                place @ ("swarm" | "nodes" | "services" | "tasks" | "configs" | "secrets"),
                rest @ ..,
            ],
        ) => {
            call.standing.must_manage()?;
            of_the_swarm(call, place, rest)
        }
        _ => Err(call.no_such_page()),
    }
}

/// What only a manager answers.
fn of_the_swarm(call: &Call<'_>, place: &str, rest: &[&str]) -> Outcome {
    match (place, rest) {
        ("swarm", []) if call.method() == Method::GET => system::swarm(call),
        ("nodes", rest) => nodes::answer(call, rest),
        ("services", [service, "logs"]) => logs::of_service(call, service),
        ("services", rest) => services::answer(call, rest),
        ("tasks", [task, "logs"]) => logs::of_task(call, task),
        ("tasks", rest) => tasks::answer(call, rest),
        ("configs", rest) => configs::answer(call, configs::Kind::Config, rest),
        ("secrets", rest) => configs::answer(call, configs::Kind::Secret, rest),
        _ => Err(call.no_such_page()),
    }
}
