//! A simulated `api.github.com`: what a deployer asks of it.
//!
//! Tokens and what they may, versions of packages (those of a simulated
//! registry), workflows that are started and run by the world's clock, jobs
//! and their logs, comments and labels of issues and pull requests. The shapes follow GitHub's
//! published description of its REST API; fields that nobody here reads are
//! left out.
//!
//! Deliberately absent: GraphQL, webhooks, Apps and their installations,
//! secondary rate limits (a [`Fault`](crate::Fault) answers with one), runs with
//! several jobs, and anything that writes to git.

mod access;
mod actions;
mod dates;
mod issues;
mod packages;
mod reply;
mod runs;
mod service;
mod store;
mod views;
mod workflow;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use secrecy::ExposeSecret as _;

pub use access::{Token, TokenKind};
pub use runs::Run;
pub use store::Repository;
pub use workflow::{Ending, Script, Step, Workflow};

use crate::Server;
use crate::registry::Registry;
use store::{Comment, Issue, Pull, State};

/// One GitHub. Clones are handles to the same one.
#[derive(Clone)]
pub struct GitHub(Arc<Inner>);

struct Inner {
    server: Server,
    packages: Option<Registry>,
    state: Mutex<State>,
}

impl GitHub {
    /// A GitHub without repositories, on the clock of a world's servers. Its
    /// packages are what that registry holds.
    #[must_use]
    pub fn new(server: &Server, packages: Option<&Registry>) -> Self {
        Self(Arc::new(Inner {
            server: server.clone(),
            packages: packages.cloned(),
            state: Mutex::default(),
        }))
    }

    /// Adds a repository, or replaces the one of that name.
    pub fn add_repository(&self, repository: Repository) {
        let key = store::key(&repository.owner, &repository.name);
        self.state().repositories.insert(key, repository);
    }

    /// Makes the owner an organisation, if it is none yet, and somebody a
    /// member of it who may do everything.
    pub fn add_member(&self, organization: &str, login: &str) {
        let mut state = self.state();
        let members = state.members.entry(organization.to_owned()).or_default();
        members.insert(login.to_owned());
    }

    /// Adds a token.
    pub fn add_token(&self, token: Token) {
        self.state().tokens.push(token);
    }

    /// Makes all tokens of somebody good no more.
    pub fn revoke(&self, login: &str) {
        self.state().tokens.retain(|token| token.login != login);
    }

    /// Makes one token good no more.
    pub fn revoke_token(&self, secret: &str) {
        let mut state = self.state();
        let other = |token: &Token| token.secret.expose_secret() != secret;
        state.tokens.retain(other);
    }

    /// Opens an issue with that number.
    pub fn add_issue(&self, owner: &str, name: &str, number: u64) {
        let key = (store::key(owner, name), number);
        self.state().issues.insert(key, Issue::default());
    }

    /// Opens a pull request with that number.
    pub fn add_pull_request(&self, owner: &str, name: &str, number: u64) {
        let key = (store::key(owner, name), number);
        let pull = Some(Pull::default());
        self.state().issues.insert(
            key,
            Issue {
                pull,
                ..Issue::default()
            },
        );
    }

    /// Merges a pull request, which becomes that commit.
    pub fn merge(&self, owner: &str, name: &str, number: u64, sha: &str) {
        let now = self.now();
        let mut state = self.state();
        let issue = state.issues.get_mut(&(store::key(owner, name), number));
        if let Some(pull) = issue.and_then(|issue| issue.pull.as_mut()) {
            pull.merged = Some((sha.to_owned(), now));
        }
    }

    /// Makes a label that can be given to issues.
    pub fn add_label(&self, owner: &str, name: &str, label: &str) {
        let mut state = self.state();
        let labels = state.labels.entry(store::key(owner, name)).or_default();
        labels.insert(label.to_owned());
    }

    /// Gives an issue a label, as somebody does by hand.
    pub fn give_label(&self, owner: &str, name: &str, number: u64, label: &str) {
        let mut state = self.state();
        let key = (store::key(owner, name), number);
        let issue = state.issues.entry(key).or_default();
        issue.labels.insert(label.to_owned());
    }

    /// Writes a comment, as somebody does by hand. Returns its ID.
    pub fn add_comment(&self, place: (&str, &str), number: u64, author: &str, body: &str) -> u64 {
        let now = self.now();
        let mut state = self.state();
        let id = state.next_id();
        let key = (store::key(place.0, place.1), number);
        let issue = state.issues.entry(key).or_default();
        let comment = Comment {
            author: author.to_owned(),
            body: body.to_owned(),
            created: now,
            updated: now,
        };
        issue.comments.insert(id, comment);
        id
    }

    /// The comments of an issue: author and body, the oldest first.
    #[must_use]
    pub fn comments(&self, owner: &str, name: &str, number: u64) -> Vec<(String, String)> {
        let state = self.state();
        let issue = state.issues.get(&(store::key(owner, name), number));
        let comments = issue.into_iter().flat_map(|issue| issue.comments.values());
        comments
            .map(|it| (it.author.clone(), it.body.clone()))
            .collect()
    }

    /// The labels of an issue.
    #[must_use]
    pub fn labels(&self, owner: &str, name: &str, number: u64) -> Vec<String> {
        let state = self.state();
        let issue = state.issues.get(&(store::key(owner, name), number));
        let labels = issue.into_iter().flat_map(|issue| &issue.labels);
        labels.cloned().collect()
    }

    /// Moves a branch to a commit.
    pub fn set_head(&self, owner: &str, name: &str, branch: &str, sha: &str) {
        let mut state = self.state();
        if let Some(repository) = state.repositories.get_mut(&store::key(owner, name)) {
            let branches = &mut repository.branches;
            branches.insert(branch.to_owned(), sha.to_owned());
        }
    }

    /// What the runs of a workflow do that are started from now on.
    pub fn set_script(&self, owner: &str, name: &str, file: &str, script: Script) {
        let mut state = self.state();
        let repository = state.repositories.get_mut(&store::key(owner, name));
        let workflow = repository.and_then(|it| it.workflows.get_mut(file));
        if let Some(workflow) = workflow {
            workflow.script = script;
        }
    }

    /// Whether a dispatch can be answered with the run it started. GitHub
    /// could not before February 2026, and its servers at companies cannot.
    pub fn set_run_details(&self, known: bool) {
        self.state().no_run_details = !known;
    }

    /// So many requests an hour; None: 5,000 with a token, 60 without.
    pub fn set_limit(&self, limit: Option<u64>) {
        self.state().limit = limit;
    }

    /// Where links in answers lead to. Without it, to wherever was asked.
    pub fn set_base_url(&self, url: &str) {
        self.state().base_url = Some(url.trim_end_matches('/').to_owned());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.0.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.0.server.clock.now()
    }
}

impl std::fmt::Debug for GitHub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GitHub").finish_non_exhaustive()
    }
}
