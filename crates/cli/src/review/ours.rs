//! Which comments are ours: those with a marker, of who may write them.
//!
//! Anybody may write a marker. So the author counts: with the token of an app,
//! such as a workflow's, an app, for GitHub tells such a token not which it is;
//! else the token's own account. That is asked for only if there is a marker.

use imgstack_registry::github::{Comment, Error, Oneself, PullRequest};

use super::marker::Marker;

/// A comment with a marker.
#[derive(Clone, Debug)]
pub(super) struct Marked {
    pub(super) marker: Marker,
    pub(super) comment: Comment,
}

/// Who counts as the author of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Who has the token: their comments are edited.
    Own,
    /// They, or an app: their comments are believed.
    Believed,
}

/// The comments with markers: ours, and others'.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) ours: Vec<Marked>,
    pub(super) others: Vec<Marked>,
}

pub(super) async fn find(
    pull: &PullRequest,
    comments: Vec<Comment>,
    whose: Whose,
) -> Result<Found, Error> {
    let marked = comments.into_iter().filter_map(|comment| {
        let marker = Marker::of(&comment.body)?;
        Some(Marked { marker, comment })
    });
    let marked: Vec<Marked> = marked.collect();
    let is_app = |it: &Marked| {
        it.comment
            .author
            .as_ref()
            .is_some_and(|author| author.is_app())
    };
    if marked.is_empty() || whose == Whose::Believed && marked.iter().all(is_app) {
        let (ours, others) = (marked, Vec::new());
        return Ok(Found { ours, others });
    }
    let oneself = pull.oneself().await?;
    let is_ours = |it: &Marked| match &oneself {
        Oneself::App => is_app(it),
        Oneself::Account(login) => {
            let author = it.comment.author.as_ref();
            author.is_some_and(|author| author.login == *login)
                || whose == Whose::Believed && is_app(it)
        }
    };
    let (ours, others) = marked.into_iter().partition(is_ours);
    Ok(Found { ours, others })
}
