//! Which plan was shown for review: what our comments on the pull request say.

use std::fmt;

use imgstack_planner::PlanHash;
use imgstack_registry::github::PullId;
use imgstack_spec::StackName;

use super::error::ReviewError;
use super::ours::{Found, Marked, Whose, find};
use super::place::Place;
use crate::args::PullArgs;

/// A plan that somebody has agreed to.
#[derive(Debug)]
pub(crate) struct Reviewed {
    pub(crate) hash: PlanHash,
    /// Where it was shown. None: the hash was typed.
    pull: Option<PullId>,
}

impl Reviewed {
    /// Its hash was typed.
    pub(crate) fn typed(hash: PlanHash) -> Self {
        Self { hash, pull: None }
    }

    /// What helps when the plan is another one.
    pub(crate) fn help(&self, shown: &str) -> String {
        let look = format!("look at the plan as it is now, {shown}");
        match &self.pull {
            None => format!("{look}; to do that, name its hash"),
            Some(_) => format!(
                "{look}; to do that: imgstack apply --only-if-hash HASH; or have it reviewed in \
                 another pull request"
            ),
        }
    }
}

impl fmt::Display for Reviewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pull {
            None => write!(f, "{}", self.hash),
            Some(pull) => write!(f, "{} on {pull}", self.hash),
        }
    }
}

/// Reads what was shown for these stacks.
pub(crate) async fn reviewed(
    args: &PullArgs,
    stacks: &[&StackName],
) -> Result<Reviewed, ReviewError> {
    let place = Place::find(args).await?;
    let pull = which(&place).await?;
    let request = place
        .client
        .github()
        .pull_request(pull.clone(), place.token.clone());
    let comments = request.comments().await?;
    let found = find(&request, comments, Whose::Believed).await?;
    let hash = shown(&found, stacks, &pull)?;
    Ok(Reviewed {
        hash,
        pull: Some(pull),
    })
}

/// The one that was named, or that the workflow runs for; else the one that the
/// workflow's commit has come with.
async fn which(place: &Place) -> Result<PullId, ReviewError> {
    let (None, Some(commit)) = (place.number, &place.commit) else {
        return place.pull();
    };
    let github = place.client.github();
    let found = github.pull_request_of(&place.repository, commit, &place.token);
    found.await?.ok_or_else(|| ReviewError::Direct {
        repository: place.repository.clone(),
        commit: commit.clone(),
    })
}

/// The one hash that the comments of all stacks have.
fn shown(found: &Found, stacks: &[&StackName], pull: &PullId) -> Result<PlanHash, ReviewError> {
    let mut shown: Option<&PlanHash> = None;
    for stack in stacks {
        let of_stack = |it: &&Marked| it.marker.stack == **stack;
        let mut own = found.ours.iter().filter(of_stack).peekable();
        if own.peek().is_none() {
            let other = found.others.iter().find(of_stack);
            let author = other.and_then(|it| it.comment.author.as_ref());
            return Err(ReviewError::NotShown {
                stack: (*stack).clone(),
                pull: pull.clone(),
                other: author.map(|author| author.login.clone()),
            });
        }
        for Marked { marker, .. } in own {
            if *shown.get_or_insert(&marker.plan) != &marker.plan {
                return Err(ReviewError::Differ(pull.clone()));
            }
        }
    }
    Ok(shown.cloned().unwrap_or_else(|| PlanHash::of(&[])))
}
