//! The engine of one node, as a service.

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};

use super::answers::refusal;
use super::call::Call;
use super::standing::Standing;
use super::{Engines, router};
use crate::swarm::ApiError;
use crate::{Answer, Asked, Service};

/// The API of one node's engine, with or without a version in the path.
pub(super) struct EngineApi {
    engines: Engines,
    hostname: String,
}

impl EngineApi {
    pub(super) fn new(engines: Engines, hostname: &str) -> Self {
        Self {
            engines,
            hostname: hostname.to_owned(),
        }
    }

    fn respond(&self, asked: &Asked) -> Answer {
        let Some(standing) = Standing::of(&self.engines, &self.hostname) else {
            return Answer::hang_up();
        };
        let answer = self.routed(asked, &standing);
        let os = standing.os();
        answer
            .unwrap_or_else(|error| refusal(&error))
            .header("api-version", &standing.spoken().newest.to_string())
            .header("docker-experimental", "false")
            .header("ostype", os)
            .header("server", &format!("Docker/{} ({os})", standing.version()))
    }

    fn routed(&self, asked: &Asked, standing: &Standing) -> Result<Answer, ApiError> {
        let path = router::Path::read(&asked.path);
        let call = Call {
            asked,
            engines: &self.engines,
            hostname: &self.hostname,
            api: standing.spoken().of_request(path.version)?,
            standing,
        };
        router::answer(&call, &path)
    }
}

impl Service for EngineApi {
    fn answer(&self, asked: Asked) -> BoxFuture<'_, Answer> {
        ready(self.respond(&asked)).boxed()
    }
}
