//! A workflow of GitHub Actions: started, watched, looked into.
//!
//! Whatever is read twice is asked for with the `ETag` of the first answer: as
//! long as nothing changes, that costs nothing of the hour's allowance.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use imgstack_spec::GitHubWorkflow;
use reqwest::header::{ETAG, HeaderValue};
use reqwest::{StatusCode, Url};
use serde::de::DeserializeOwned;

use super::api::{ApiToken, Question, json, malformed, next_page};
use super::client::Client;
use super::error::Error;
use super::wanted::Wanted;
use crate::http::RequestKind;

mod dispatch;
mod follow;
mod log;
mod run;

pub use dispatch::{Dispatch, Unseen};
pub use follow::{Follow, Glance};
pub use run::{Conclusion, Job, JobId, Run, RunId, RunLink, RunStep, Status};

/// The most that GitHub gives.
const PER_PAGE: &str = "100";
/// More pages of jobs than this are an endless list.
const PAGES: usize = 20;

/// One workflow, in the name of one token.
///
/// Cheap to clone; clones share what they have read.
#[derive(Clone)]
pub struct Actions {
    client: Client,
    workflow: GitHubWorkflow,
    token: ApiToken,
    pages: Arc<Mutex<HashMap<Url, Page>>>,
}

/// An answer as it was last read.
#[derive(Clone)]
struct Page {
    tag: HeaderValue,
    body: Arc<[u8]>,
    next: Option<Url>,
}

impl Client {
    /// The workflow, in the name of the token.
    #[must_use]
    pub fn actions(&self, workflow: &GitHubWorkflow, token: ApiToken) -> Actions {
        Actions {
            client: self.clone(),
            workflow: workflow.clone(),
            token,
            pages: Arc::default(),
        }
    }
}

impl Actions {
    /// The workflow.
    #[must_use]
    pub fn workflow(&self) -> &GitHubWorkflow {
        &self.workflow
    }

    /// In whose name.
    #[must_use]
    pub fn token(&self) -> &ApiToken {
        &self.token
    }

    /// The last runs on the workflow's branch, the newest first, whatever has
    /// started them.
    ///
    /// # Errors
    /// Any of [`Error`] but those about packages.
    pub async fn latest(&self, count: u8) -> Result<Vec<Run>, Error> {
        let branch = self.workflow.reference.as_str();
        let count = count.to_string();
        self.runs(&[("branch", branch), ("per_page", &count)]).await
    }

    /// A run.
    ///
    /// # Errors
    /// Any of [`Error`] but those about packages.
    pub async fn run(&self, id: RunId) -> Result<Run, Error> {
        let url = self.url(&["runs", &id.to_string()], &[])?;
        let (run, _) = self.read(url, "a run").await?;
        Ok(run)
    }

    /// The jobs of a run's last attempt, with their steps.
    ///
    /// # Errors
    /// Any of [`Error`] but those about packages.
    pub async fn jobs(&self, id: RunId) -> Result<Vec<Job>, Error> {
        let path = ["runs", &id.to_string(), "jobs"];
        let mut url = self.url(&path, &[("per_page", PER_PAGE)])?;
        let mut jobs = Vec::new();
        for _ in 0..PAGES {
            let (page, next): (run::Jobs, _) = self.read(url, "a list of jobs").await?;
            jobs.extend(page.jobs);
            match next {
                None => return Ok(jobs),
                Some(next) => url = next,
            }
        }
        Err(malformed("the list of jobs has no end"))
    }

    /// Runs of the workflow that fit, the newest first: one page of them.
    async fn runs(&self, query: &[(&str, &str)]) -> Result<Vec<Run>, Error> {
        let path = ["workflows", self.workflow.workflow.as_str(), "runs"];
        let (page, _): (run::Runs, _) =
            self.read(self.url(&path, query)?, "a list of runs").await?;
        Ok(page.workflow_runs)
    }

    /// A URL below the repository's `actions`.
    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Url, Error> {
        let repository = &self.workflow.repository;
        let base = ["repos", repository.owner(), repository.name(), "actions"];
        self.client.0.api.url(&[&base, path].concat(), query)
    }

    /// Reads JSON, and where its next page is.
    async fn read<T: DeserializeOwned>(
        &self,
        url: Url,
        what: &str,
    ) -> Result<(T, Option<Url>), Error> {
        let known = self.pages().get(&url).cloned();
        let wanted = Wanted::Runs(self.workflow.clone());
        let kind = RequestKind::Workflow;
        let mut question = Question::get(&wanted, &self.token, kind, url.clone());
        question.known = known.as_ref().map(|page| page.tag.clone());
        let reply = self.client.0.api.ask(&question).await?;
        if reply.status == StatusCode::NOT_MODIFIED {
            let page = known.ok_or_else(|| malformed("nothing has changed since never"))?;
            return Ok((json(&page.body, what)?, page.next));
        }
        let (value, next) = (json(&reply.body, what)?, next_page(&reply, &url)?);
        if let Some(tag) = reply.headers.get(ETAG) {
            let page = Page {
                tag: tag.clone(),
                body: reply.body.into(),
                next: next.clone(),
            };
            self.pages().insert(url, page);
        }
        Ok((value, next))
    }

    fn pages(&self) -> std::sync::MutexGuard<'_, HashMap<Url, Page>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actions")
            .field("workflow", &self.workflow)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}
