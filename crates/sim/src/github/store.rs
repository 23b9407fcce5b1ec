//! What GitHub holds.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::access::Token;
use super::runs::Run;
use super::workflow::Workflow;

/// A repository of code.
#[derive(Clone, Debug)]
pub struct Repository {
    /// A user, or an organisation if it has members.
    pub owner: String,
    /// The name.
    pub name: String,
    /// Whether strangers are told that it does not exist.
    pub private: bool,
    /// The default branch.
    pub default_branch: String,
    /// The commit of each branch.
    pub branches: BTreeMap<String, String>,
    /// By file: `build.yml`.
    pub workflows: BTreeMap<String, Workflow>,
}

impl Repository {
    /// A public one with the branch `main`.
    #[must_use]
    pub fn new(owner: &str, name: &str) -> Self {
        let main = "main".to_owned();
        Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
            private: false,
            branches: [(main.clone(), "0".repeat(40))].into(),
            default_branch: main,
            workflows: BTreeMap::new(),
        }
    }

    /// With a workflow more.
    #[must_use]
    pub fn with(mut self, file: &str, workflow: Workflow) -> Self {
        self.workflows.insert(file.to_owned(), workflow);
        self
    }
}

/// Everything that changes.
#[derive(Default)]
pub(super) struct State {
    pub(super) tokens: Vec<Token>,
    /// By [`key`].
    pub(super) repositories: BTreeMap<String, Repository>,
    /// Of organisations.
    pub(super) members: BTreeMap<String, BTreeSet<String>>,
    /// The labels that there are, by repository.
    pub(super) labels: BTreeMap<String, BTreeSet<String>>,
    pub(super) runs: BTreeMap<u64, Run>,
    /// By repository and number.
    pub(super) issues: BTreeMap<(String, u64), Issue>,
    /// When the hour of a caller began, and how much of it is used.
    pub(super) spent: BTreeMap<String, (Timestamp, u64)>,
    pub(super) limit: Option<u64>,
    pub(super) no_run_details: bool,
    pub(super) base_url: Option<String>,
    serial: u64,
}

/// An issue, or a pull request, which is one.
#[derive(Default)]
pub(super) struct Issue {
    pub(super) pull: Option<Pull>,
    pub(super) labels: BTreeSet<String>,
    /// By ID, which grows.
    pub(super) comments: BTreeMap<u64, Comment>,
}

/// What makes an issue a pull request.
#[derive(Clone, Debug, Default)]
pub(super) struct Pull {
    /// The commit that it became on its base, and when.
    pub(super) merged: Option<(String, Timestamp)>,
}

pub(super) struct Comment {
    pub(super) author: String,
    pub(super) body: String,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
}

impl State {
    pub(super) fn next_id(&mut self) -> u64 {
        self.serial += 1;
        // GitHub's are large, and tests that mix two kinds up should fail.
        17_000_000_000 + self.serial * 7
    }

    /// Whether somebody is the owner or one of its members.
    pub(super) fn belongs(&self, login: &str, owner: &str) -> bool {
        let members = self.members.get(owner);
        login == owner || members.is_some_and(|members| members.contains(login))
    }
}

/// Names are told apart without regard to case.
pub(super) fn key(owner: &str, name: &str) -> String {
    format!("{owner}/{name}").to_lowercase()
}
