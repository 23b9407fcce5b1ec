//! Which pull request, and in whose name: what was typed, else what the
//! environment of a workflow tells.

use std::path::PathBuf;

use imgstack_registry::github::{ApiToken, PullId};
use imgstack_registry::oci::{Client, ClientOptions};
use imgstack_spec::{GitHubRepository, RegistryHost};
use serde::Deserialize;

use super::error::ReviewError;
use crate::args::PullArgs;
use crate::world;

/// Where GitHub's API is asked for.
const GITHUB: &str = "api.github.com";
/// The variables of GitHub Actions that are read.
const REPOSITORY: &str = "GITHUB_REPOSITORY";
const REF: &str = "GITHUB_REF";
const COMMIT: &str = "GITHUB_SHA";
const EVENT: &str = "GITHUB_EVENT_PATH";
const API: &str = "GITHUB_API_URL";

/// Where a review is, and in whose name it is asked for.
pub(crate) struct Place {
    pub(super) client: Client,
    pub(super) token: ApiToken,
    pub(super) repository: GitHubRepository,
    /// Typed, or the one that the workflow runs for.
    pub(super) number: Option<u64>,
    /// Whether its branch is in another repository.
    pub(super) is_fork: bool,
    /// The commit that the workflow runs for.
    pub(super) commit: Option<String>,
}

/// What is read of the event that a workflow runs for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    pull_request: Option<Pull>,
    /// A comment's, for one.
    issue: Option<Issue>,
}

#[derive(Debug, Deserialize)]
struct Pull {
    number: u64,
    head: Option<End>,
    base: Option<End>,
}

#[derive(Debug, Deserialize)]
struct End {
    /// None: it is gone.
    repo: Option<Repo>,
}

#[derive(Debug, Deserialize)]
struct Repo {
    full_name: String,
}

#[derive(Debug, Deserialize)]
struct Issue {
    number: u64,
    pull_request: Option<serde::de::IgnoredAny>,
}

impl Place {
    /// Finds it; nothing is asked yet.
    pub(crate) async fn find(args: &PullArgs) -> Result<Self, ReviewError> {
        let own = variable(REPOSITORY);
        let repository = match (&args.repository, &own) {
            (Some(typed), _) => typed.clone(),
            (None, Some(text)) => text
                .parse()
                .map_err(|_| ReviewError::Repository(REPOSITORY))?,
            (None, None) => return Err(ReviewError::NoRepository),
        };
        // What a workflow runs for is of its own repository: elsewhere the same
        // number is another pull request.
        let is_own = own.is_some_and(|it| it.eq_ignore_ascii_case(&repository.to_string()));
        let event = match is_own {
            true => event()?,
            false => Event::default(),
        };
        let number = args.pull_request;
        let of_ref = || variable(REF).and_then(|it| of_ref(&it));
        let of_event = event.number().or_else(|| is_own.then(of_ref).flatten());
        let api = args.api_url.clone().or_else(|| variable(API));
        let mut endpoints = world::endpoints()?;
        if let Some(url) = &api {
            endpoints = endpoints.with_github(url)?;
        }
        let elsewhere = endpoints.moves(&RegistryHost::new(GITHUB));
        let client = Client::new(ClientOptions {
            endpoints,
            ..ClientOptions::new(Vec::new())
        });
        Ok(Self {
            token: token(&client, args, elsewhere).await?,
            client,
            is_fork: event.is_fork() && number.is_none_or(|it| Some(it) == of_event),
            number: number.or(of_event),
            repository,
            commit: variable(COMMIT).filter(|_| is_own),
        })
    }

    /// The pull request that was named, or that the workflow runs for.
    pub(super) fn pull(&self) -> Result<PullId, ReviewError> {
        Ok(PullId {
            repository: self.repository.clone(),
            number: self.number.ok_or(ReviewError::NoNumber)?,
        })
    }
}

/// A token. What `gh` is logged in with is for GitHub's own host, and goes to no
/// other.
async fn token(client: &Client, args: &PullArgs, elsewhere: bool) -> Result<ApiToken, ReviewError> {
    let named = args.token_env.as_deref();
    let found = match elsewhere && named.is_none() {
        false => client.comment_token(named).await,
        true => match client.comment_token(Some("GH_TOKEN")).await {
            Some(token) => Some(token),
            None => client.comment_token(Some("GITHUB_TOKEN")).await,
        },
    };
    found.ok_or_else(|| ReviewError::NoToken(args.token_env.clone()))
}

impl Event {
    fn number(&self) -> Option<u64> {
        let pull = self.pull_request.as_ref().map(|pull| pull.number);
        let issue = self.issue.as_ref();
        let issue = issue.filter(|it| it.pull_request.is_some());
        pull.or_else(|| issue.map(|issue| issue.number))
    }

    fn is_fork(&self) -> bool {
        let Some(pull) = &self.pull_request else {
            return false;
        };
        let name = |end: &Option<End>| {
            let repo = end.as_ref().and_then(|end| end.repo.as_ref());
            repo.map(|repo| repo.full_name.to_lowercase())
        };
        pull.head.is_some() && name(&pull.head) != name(&pull.base)
    }
}

/// What a variable holds; an empty one is one that somebody meant to unset.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// `refs/pull/7/merge`
fn of_ref(text: &str) -> Option<u64> {
    let (number, _) = text.strip_prefix("refs/pull/")?.split_once('/')?;
    number.parse().ok()
}

fn event() -> Result<Event, ReviewError> {
    let Some(path) = variable(EVENT).map(PathBuf::from) else {
        return Ok(Event::default());
    };
    let unread = |cause: String| ReviewError::Event {
        path: path.clone(),
        cause,
    };
    let text = std::fs::read_to_string(&path).map_err(|error| unread(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| unread(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_pull_request_an_event_is_about() {
        let head = |name: &str| format!(r#""head":{{"repo":{{"full_name":"{name}"}}}}"#);
        let base = r#""base":{"repo":{"full_name":"acme/web"}}"#;
        #[rustfmt::skip]
        let table = [
            ("{}".to_owned(), None, false),
            (r#"{"ref":"refs/heads/main","commits":[]}"#.to_owned(), None, false),
            (format!(r#"{{"pull_request":{{"number":7,{},{base}}}}}"#, head("acme/web")), Some(7), false),
            (format!(r#"{{"pull_request":{{"number":7,{},{base}}}}}"#, head("Acme/Web")), Some(7), false),
            (format!(r#"{{"pull_request":{{"number":7,{},{base}}}}}"#, head("eve/web")), Some(7), true),
            (format!(r#"{{"pull_request":{{"number":7,"head":{{"repo":null}},{base}}}}}"#), Some(7), true),
            (r#"{"issue":{"number":8,"pull_request":{"url":"u"}}}"#.to_owned(), Some(8), false),
            (r#"{"issue":{"number":8}}"#.to_owned(), None, false),
        ];
        for (text, number, fork) in table {
            let event: Event = serde_json::from_str(&text).unwrap();
            assert_eq!((event.number(), event.is_fork()), (number, fork), "{text}");
        }
    }

    #[test]
    fn the_number_in_a_ref() {
        let table = [
            ("refs/pull/7/merge", Some(7)),
            ("refs/pull/7/head", Some(7)),
            ("refs/pull/x/merge", None),
            ("refs/heads/pull/7/merge", None),
        ];
        for (text, expected) in table {
            assert_eq!(of_ref(text), expected, "{text}");
        }
    }
}
