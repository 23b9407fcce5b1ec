//! Comments: read, posted, edited, removed.
//!
//! A comment is posted at most once. When GitHub's answer is lost, it may be
//! there all the same: then it is looked for by its text, which is known whole,
//! and not posted again. What GitHub has surely refused, such as for too many
//! requests, is asked for again after the wait that it names. An edit and a
//! removal lead to the same however often they are asked for.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;

use super::{PER_PAGE, PullRequest, pages};
use crate::github::api::{Once, Sent, json, once, refusal};
use crate::github::error::Error;
use crate::github::wanted::Wanted;
use crate::http::Reply;

/// How often a comment is asked for that is refused for too many requests.
const ATTEMPTS: usize = 3;
/// A wait that is worth it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a comment is looked for whose answer was lost.
const LOOKED_FOR: Duration = Duration::from_secs(20);
const FIRST_LOOK: Duration = Duration::from_secs(1);

/// GitHub's number of a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommentId(u64);

impl std::fmt::Display for CommentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A comment on a pull request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Comment {
    /// Its number.
    pub id: CommentId,
    /// Its text.
    #[serde(default)]
    pub body: String,
    /// Who wrote it. None: an account that is gone.
    #[serde(rename = "user")]
    pub author: Option<Author>,
    /// Where people see it.
    #[serde(rename = "html_url")]
    pub url: String,
}

/// Who wrote a comment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Author {
    /// `ann`, `github-actions[bot]`
    pub login: String,
    /// `User`, `Bot`
    #[serde(rename = "type", default)]
    kind: String,
}

impl Author {
    /// Whether it is an app. Nobody else can have that type.
    #[must_use]
    pub fn is_app(&self) -> bool {
        self.kind == "Bot"
    }
}

/// What became of an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edited {
    /// It has the text now.
    Done,
    /// Somebody has removed the comment meanwhile.
    Gone,
}

/// What one request to post came to.
enum Outcome {
    Posted(Comment),
    /// It may be there; why that is not known.
    Lost(String),
}

impl PullRequest {
    /// All comments, the oldest first: one request for a hundred.
    ///
    /// # Errors
    /// Any of [`Error`] but those about workflows and packages.
    pub async fn comments(&self) -> Result<Vec<Comment>, Error> {
        let first = self.issue(&["comments"], &[("per_page", PER_PAGE)])?;
        pages(self, first, "a list of comments").await
    }

    /// Posts a comment, at most once.
    ///
    /// # Errors
    /// Any of [`Error`] but those about workflows and packages; nothing was
    /// posted then, but for [`Error::CommentLost`].
    pub async fn post(&self, body: &str) -> Result<Comment, Error> {
        for _ in 1..ATTEMPTS {
            match self.attempt(body).await {
                // Refused for sure; the next attempt waits as long as it takes.
                Err(Error::RateLimited { resets_in, .. })
                    if resets_in.is_none_or(|wait| wait <= PATIENCE) => {}
                outcome => return self.settled(outcome?, body).await,
            }
        }
        let outcome = self.attempt(body).await?;
        self.settled(outcome, body).await
    }

    /// Gives a comment another text.
    ///
    /// # Errors
    /// Any of [`Error`] but those about workflows and packages.
    pub async fn edit(&self, id: CommentId, body: &str) -> Result<Edited, Error> {
        let reply = self.change(id, Method::PATCH, Some(text(body))).await?;
        Ok(match reply {
            Some(_) => Edited::Done,
            None => Edited::Gone,
        })
    }

    /// Removes a comment; one that is gone is as good.
    ///
    /// # Errors
    /// Any of [`Error`] but those about workflows and packages.
    pub async fn remove(&self, id: CommentId) -> Result<(), Error> {
        self.change(id, Method::DELETE, None).await.map(|_| ())
    }

    /// None: there is no such comment.
    async fn change(
        &self,
        id: CommentId,
        method: Method,
        body: Option<String>,
    ) -> Result<Option<Reply>, Error> {
        let wanted = Wanted::Comment(self.id.clone());
        let url = self.issues(&["comments", &id.to_string()], &[])?;
        let question = self.write(&wanted, method, url, body);
        let reply = self.client.0.api.send(&question).await??;
        match reply.status {
            status if status.is_success() => Ok(Some(reply)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(refusal(&wanted, &self.token, &reply)),
        }
    }

    async fn attempt(&self, body: &str) -> Result<Outcome, Error> {
        let wanted = Wanted::Comment(self.id.clone());
        let url = self.issue(&["comments"], &[])?;
        let question = self.write(&wanted, Method::POST, url, Some(text(body)));
        let sent = self.client.0.api.send(&question).await?;
        outcome(sent, |reply| refusal(&wanted, &self.token, reply))
    }

    async fn settled(&self, outcome: Outcome, body: &str) -> Result<Comment, Error> {
        match outcome {
            Outcome::Posted(comment) => Ok(comment),
            Outcome::Lost(cause) => self.find(body, cause).await,
        }
    }

    /// Looks for a comment that may have been posted.
    async fn find(&self, body: &str, lost: String) -> Result<Comment, Error> {
        let (began, mut pause) = (Instant::now(), FIRST_LOOK);
        let mut seen = "it is not there".to_owned();
        while began.elapsed() + pause < LOOKED_FOR {
            tokio::time::sleep(pause).await;
            pause *= 2;
            match self.comments().await {
                Ok(comments) => {
                    let mut comments = comments.into_iter().rev();
                    if let Some(comment) = comments.find(|it| same_text(&it.body, body)) {
                        return Ok(comment);
                    }
                }
                Err(error) if error.is_retryable() => seen = error.to_string(),
                Err(error) => return Err(error),
            }
        }
        Err(Error::CommentLost {
            pull: Box::new(self.id.clone()),
            cause: format!("{lost}; {seen}"),
        })
    }
}

fn text(body: &str) -> String {
    json!({"body": body}).to_string()
}

/// Lines may have come to end otherwise on the way, and space at the end to go.
fn same_text(one: &str, other: &str) -> bool {
    let lines = |text: &str| text.trim_end().replace("\r\n", "\n");
    lines(one) == lines(other)
}

/// What the answer to a comment means.
fn outcome(sent: Sent, refused: impl Fn(&Reply) -> Error) -> Result<Outcome, Error> {
    let reply = match once(sent)? {
        Once::Answered(reply) => reply,
        Once::Lost(cause) => return Ok(Outcome::Lost(cause)),
    };
    match reply.status {
        status if status.is_success() => Ok(match json(&reply.body, "a comment") {
            Ok(comment) => Outcome::Posted(comment),
            Err(error) => Outcome::Lost(error.to_string()),
        }),
        _ => Err(refused(&reply)),
    }
}
