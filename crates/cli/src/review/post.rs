//! Comments and labels, made what they should be with the fewest requests: one
//! look at the pull request, one at each hundred of its comments, and then only
//! what is not so yet.

use imgstack_registry::github::{Comment, Edited, Error, PullRequest};
use imgstack_spec::StackName;

use super::draft::Draft;
use super::error::ReviewError;
use super::marker::State;
use super::ours::{Marked, Whose, find};
use super::place::Place;

/// The labels, which say of all our comments together what they come to. No
/// other label is touched.
const CHANGES: &str = "imgstack: changes";
const BLOCKED: &str = "imgstack: blocked";
const NOTHING: &str = "imgstack: no changes";
const LABELS: [&str; 3] = [CHANGES, BLOCKED, NOTHING];

/// What became of the comments and labels.
#[derive(Debug, Default)]
pub(crate) struct Posted {
    pub(crate) comments: Vec<Done>,
    /// None: they were to be left alone.
    pub(crate) labels: Option<Labelled>,
}

/// What became of the comment of a stack.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) stack: StackName,
    pub(crate) fate: Fate,
    pub(crate) url: String,
}

/// The fates of a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// There was none.
    Posted,
    /// It has another text now.
    Edited,
    /// It is as it should be.
    Unchanged,
}

/// The labels that came and went.
#[derive(Debug, Default)]
pub(crate) struct Labelled {
    pub(crate) added: Vec<&'static str>,
    pub(crate) removed: Vec<&'static str>,
}

/// Posts or edits the comments, and sets the labels. `posted` says how far it
/// came, also when it fails.
pub(crate) async fn post(
    place: Place,
    drafts: &[Draft],
    labels: bool,
    posted: &mut Posted,
) -> Result<(), ReviewError> {
    let pull = place.pull()?;
    let pull = place.client.github().pull_request(pull, place.token);
    let done = on(&pull, drafts, labels, posted).await;
    done.map_err(|error| match error {
        error @ Error::Forbidden { .. } if place.is_fork => ReviewError::Fork {
            pull: pull.id().clone(),
            cause: Box::new(error),
        },
        error => error.into(),
    })
}

async fn on(
    pull: &PullRequest,
    drafts: &[Draft],
    labels: bool,
    posted: &mut Posted,
) -> Result<(), Error> {
    let sight = pull.look().await?;
    let comments = match sight.comments {
        0 => Vec::new(),
        _ => pull.comments().await?,
    };
    let found = find(pull, comments, Whose::Own).await?.ours;
    for draft in drafts {
        let (stack, done) = (draft.stack(), comment(pull, draft, &found).await?);
        posted.comments.push(Done {
            stack: stack.clone(),
            fate: done.0,
            url: done.1,
        });
    }
    if labels {
        let others = found.iter().map(|it| &it.marker);
        let others = others.filter(|it| drafts.iter().all(|draft| *draft.stack() != it.stack));
        let markers = others.chain(drafts.iter().map(|draft| &draft.marker));
        let wanted = wanted(markers.map(|marker| marker.state));
        posted.labels = Some(label(pull, &sight.labels, &wanted).await?);
    }
    Ok(())
}

/// Makes the comment of a stack what it should be, and the only one.
async fn comment(
    pull: &PullRequest,
    draft: &Draft,
    found: &[Marked],
) -> Result<(Fate, String), Error> {
    let mut own = found.iter().filter(|it| it.marker.stack == *draft.stack());
    let first = own.next();
    // Two jobs at once may both have found none.
    for more in own {
        pull.remove(more.comment.id).await?;
    }
    let url = |comment: &Comment| comment.url.clone();
    if let Some(Marked { marker, comment }) = first {
        if *marker == draft.marker {
            return Ok((Fate::Unchanged, url(comment)));
        }
        if pull.edit(comment.id, &draft.body()).await? == Edited::Done {
            return Ok((Fate::Edited, url(comment)));
        }
    }
    let posted = pull.post(&draft.body()).await?;
    Ok((Fate::Posted, posted.url))
}

/// The labels for comments with these states.
fn wanted(states: impl Iterator<Item = State>) -> Vec<&'static str> {
    let (mut changes, mut blocked) = (false, false);
    for state in states {
        changes |= state.has_changes();
        blocked |= state.is_blocked();
    }
    let wanted = [
        (CHANGES, changes),
        (BLOCKED, blocked),
        (NOTHING, !changes && !blocked),
    ];
    wanted
        .iter()
        .filter(|(_, is)| *is)
        .map(|(label, _)| *label)
        .collect()
}

async fn label(
    pull: &PullRequest,
    has: &[String],
    wanted: &[&'static str],
) -> Result<Labelled, Error> {
    // GitHub tells labels apart without regard to case.
    let has = |label: &str| has.iter().any(|it| it.eq_ignore_ascii_case(label));
    let missing = wanted.iter().copied().filter(|label| !has(label));
    let missing: Vec<&str> = missing.collect();
    let superfluous = LABELS
        .into_iter()
        .filter(|it| has(it) && !wanted.contains(it));
    let superfluous: Vec<&str> = superfluous.collect();
    if !missing.is_empty() {
        pull.add_labels(&missing).await?;
    }
    for label in &superfluous {
        pull.remove_label(label).await?;
    }
    Ok(Labelled {
        added: missing,
        removed: superfluous,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_labels_say_what_all_comments_come_to() {
        use State::{Blocked, Changes, ChangesAndBlocked, Nothing};
        let table: [(&[State], &[&str]); 6] = [
            (&[Nothing], &[NOTHING]),
            (&[Changes], &[CHANGES]),
            (&[Blocked], &[BLOCKED]),
            (&[ChangesAndBlocked], &[CHANGES, BLOCKED]),
            (&[Nothing, Changes], &[CHANGES]),
            (&[Changes, Blocked, Nothing], &[CHANGES, BLOCKED]),
        ];
        for (states, expected) in table {
            assert_eq!(wanted(states.iter().copied()), expected, "{states:?}");
        }
    }
}
