//! A pull request: its comments and labels, and which one a commit has come
//! with.
//!
//! What is read here are pages of a hundred, each asked for once. What is written
//! is small, and follows the rule of the start of a workflow: what GitHub may
//! have done is not asked for again (`comments`).
//!
//! Deliberately absent: comments on lines, reviews, and everything else of a
//! pull request.

use std::fmt;

use imgstack_spec::GitHubRepository;
use reqwest::{Method, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::api::{ApiToken, Question, json, malformed, next_page};
use super::client::Client;
use super::error::Error;
use super::token::TokenKind;
use super::wanted::Wanted;
use crate::http::RequestKind;

mod comments;
mod labels;

pub use comments::{Author, Comment, CommentId, Edited};

/// The most that GitHub gives.
const PER_PAGE: &str = "100";
/// More pages of comments than these are an endless list.
const PAGES: usize = 200;

/// Which pull request: `acme/stacks#7`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PullId {
    /// Where it is to be merged.
    pub repository: GitHubRepository,
    /// Its number there.
    pub number: u64,
}

impl fmt::Display for PullId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.repository, self.number)
    }
}

/// One pull request, in the name of one token.
#[derive(Clone)]
pub struct PullRequest {
    client: Client,
    id: PullId,
    token: ApiToken,
}

/// What shows of a pull request at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Its labels.
    pub labels: Vec<String>,
    /// How many comments it has.
    pub comments: u64,
}

/// Whose comments a token writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Oneself {
    /// Those of an app. Which one GitHub does not tell its token.
    App,
    /// Those of that account.
    Account(String),
}

#[derive(Deserialize)]
struct Issue {
    #[serde(default)]
    labels: Vec<Label>,
    #[serde(default)]
    comments: u64,
    /// What makes it a pull request.
    pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Label {
    name: String,
}

#[derive(Deserialize)]
struct Pull {
    number: u64,
    merge_commit_sha: Option<String>,
    /// Null for one that is open, or was closed without.
    merged_at: Option<serde::de::IgnoredAny>,
}

impl Client {
    /// A pull request, in the name of the token.
    #[must_use]
    pub fn pull_request(&self, id: PullId, token: ApiToken) -> PullRequest {
        let client = self.clone();
        PullRequest { client, id, token }
    }

    /// The pull request that a commit has come with. None: it came otherwise.
    ///
    /// # Errors
    /// Any of [`Error`] but those about workflows and packages.
    pub async fn pull_request_of(
        &self,
        repository: &GitHubRepository,
        commit: &str,
        token: &ApiToken,
    ) -> Result<Option<PullId>, Error> {
        let wanted = Wanted::Pulls(repository.clone());
        let path = ["repos", repository.owner(), repository.name(), "commits"];
        let path = [&path[..], &[commit, "pulls"]].concat();
        let url = self.0.api.url(&path, &[("per_page", PER_PAGE)])?;
        let question = Question::get(&wanted, token, RequestKind::PullRequest, url);
        let reply = self.0.api.ask(&question).await?;
        let mut pulls: Vec<Pull> = json(&reply.body, "a list of pull requests")?;
        // GitHub also names those that have the commit on their branches.
        pulls.retain(|pull| pull.merged_at.is_some());
        let merged = |pull: &&Pull| pull.merge_commit_sha.as_deref() == Some(commit);
        let found = pulls.iter().find(merged).or(match pulls.as_slice() {
            [only] => Some(only),
            _ => None,
        });
        Ok(found.map(|pull| PullId {
            repository: repository.clone(),
            number: pull.number,
        }))
    }
}

impl PullRequest {
    /// Which one.
    #[must_use]
    pub fn id(&self) -> &PullId {
        &self.id
    }

    /// In whose name.
    #[must_use]
    pub fn token(&self) -> &ApiToken {
        &self.token
    }

    /// Its labels, and how many comments there are: one request.
    ///
    /// # Errors
    /// Any of [`Error`] but those about workflows and packages.
    pub async fn look(&self) -> Result<Sight, Error> {
        let (issue, _): (Issue, _) = self.read(self.issue(&[], &[])?, "a pull request").await?;
        if issue.pull_request.is_none() {
            return Err(Error::NoPullRequest(Box::new(self.id.clone())));
        }
        Ok(Sight {
            labels: issue.labels.into_iter().map(|label| label.name).collect(),
            comments: issue.comments,
        })
    }

    /// Whose comments the token writes: one request, and for an app's none.
    ///
    /// # Errors
    /// Any of [`Error`] but those about workflows and packages.
    pub async fn oneself(&self) -> Result<Oneself, Error> {
        if self.token.kind == Some(TokenKind::Installation) {
            return Ok(Oneself::App);
        }
        match self.client.login(&self.token).await {
            Ok(login) => Ok(Oneself::Account(login)),
            // It has no prefix that is known, and is no account's.
            Err(Error::Forbidden { .. }) => Ok(Oneself::App),
            Err(error) => Err(error),
        }
    }

    /// A URL below the issue that a pull request is.
    fn issue(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Url, Error> {
        let number = self.id.number.to_string();
        self.issues(&[&[number.as_str()], path].concat(), query)
    }

    /// A URL below the repository's issues.
    fn issues(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Url, Error> {
        let repository = &self.id.repository;
        let base = ["repos", repository.owner(), repository.name(), "issues"];
        self.client.0.api.url(&[&base, path].concat(), query)
    }

    async fn read<T: DeserializeOwned>(
        &self,
        url: Url,
        what: &str,
    ) -> Result<(T, Option<Url>), Error> {
        let wanted = Wanted::PullRequest(self.id.clone());
        let kind = RequestKind::PullRequest;
        let question = Question::get(&wanted, &self.token, kind, url.clone());
        let reply = self.client.0.api.ask(&question).await?;
        Ok((json(&reply.body, what)?, next_page(&reply, &url)?))
    }

    fn write<'a>(
        &'a self,
        wanted: &'a Wanted,
        method: Method,
        url: Url,
        body: Option<String>,
    ) -> Question<'a> {
        Question {
            method,
            body,
            ..Question::get(wanted, &self.token, RequestKind::PullRequest, url)
        }
    }
}

impl fmt::Debug for PullRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PullRequest")
            .field("id", &self.id)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

/// All pages of a list.
async fn pages<T: DeserializeOwned>(
    pull: &PullRequest,
    first: Url,
    what: &str,
) -> Result<Vec<T>, Error> {
    let (mut url, mut all) = (first, Vec::new());
    for _ in 0..PAGES {
        let (page, next): (Vec<T>, _) = pull.read(url, what).await?;
        all.extend(page);
        match next {
            None => return Ok(all),
            Some(next) => url = next,
        }
    }
    Err(malformed(&format!("{what} has no end")))
}
