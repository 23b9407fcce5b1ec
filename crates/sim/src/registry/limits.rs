//! How much is too much: GHCR's requests a minute, Docker Hub's pulls.

use jiff::{SignedDuration, Timestamp};

use super::refusal::Code;
use super::reply::Reply;
use super::store::State;
use super::{Manner, Registry};

const WINDOW: SignedDuration = SignedDuration::from_hours(6);
/// The address that everybody without a name comes from.
const ADDRESS: &str = "203.0.113.7";

impl Registry {
    /// The 429 that a test asked for, if there is one left.
    pub(super) fn throttle(&self, state: &mut State) -> Option<Reply> {
        state.throttled = state.throttled.checked_sub(1)?;
        Some(self.too_many())
    }

    /// GHCR puts the wait, tiny and in Go's writing, into the words.
    fn too_many(&self) -> Reply {
        Code::TooManyRequests.saying(match self.0.settings.manner {
            Manner::Ghcr => "retry-after: 1.16ms, allowed: 44000/minute",
            Manner::Hub => {
                "You have reached your pull rate limit. You may increase the limit by \
                 authenticating and upgrading: https://www.docker.com/increase-rate-limit"
            }
            Manner::Plain | Manner::Token => "too many requests",
        })
    }

    /// Counts a pull, and says what is left of the limit; `counts` is false
    /// for a HEAD, which is told and not counted.
    pub(super) fn meter(
        &self,
        state: &mut State,
        identity: Option<&str>,
        now: Timestamp,
        counts: bool,
    ) -> Result<Vec<(&'static str, String)>, Reply> {
        let Some(allowed) = self.0.settings.pulls else {
            return Ok(Vec::new());
        };
        let source = identity.unwrap_or(ADDRESS);
        let pulls = state.pulls.entry(source.to_owned()).or_default();
        while pulls
            .front()
            .is_some_and(|at| now.duration_since(*at) >= WINDOW)
        {
            pulls.pop_front();
        }
        let used_up = pulls.len() >= allowed;
        if counts && !used_up {
            pulls.push_back(now);
        }
        let (left, seconds) = (allowed - pulls.len().min(allowed), WINDOW.as_secs());
        let headers = vec![
            ("ratelimit-limit", format!("{allowed};w={seconds}")),
            ("ratelimit-remaining", format!("{left};w={seconds}")),
            ("docker-ratelimit-source", source.to_owned()),
        ];
        if !(counts && used_up) {
            return Ok(headers);
        }
        let mut reply = self.too_many();
        reply.headers.extend(headers);
        Err(reply)
    }
}
