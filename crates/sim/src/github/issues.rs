//! Comments and labels of issues and pull requests.

use hyper::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::{Token, Wanted};
use super::dates::written;
use super::reply::{Page, Reply, refuse};
use super::store::{Comment, Issue, State, key};
use super::{GitHub, views};
use crate::Asked;

#[derive(Deserialize)]
struct Body {
    body: String,
}

/// Labels come as a list within an object, or bare.
#[derive(Deserialize)]
#[serde(untagged)]
enum Labels {
    Within { labels: Vec<String> },
    Bare(Vec<String>),
}

/// Where an issue lives.
struct Place<'a> {
    base: &'a str,
    repository: String,
    number: u64,
}

fn id(text: &str) -> u64 {
    text.parse().unwrap_or_default()
}

impl GitHub {
    /// `/repos/{owner}/{name}/issues/…`
    pub(super) fn issues(
        &self,
        state: &mut State,
        asked: &Asked,
        base: &str,
        caller: Option<&Token>,
        (owner, name): (&str, &str),
        rest: &[&str],
    ) -> Result<Reply, Reply> {
        let write = asked.method != Method::GET;
        let part = "issues";
        state.repository(caller, owner, name, Wanted { part, write })?;
        let repository = key(owner, name);
        if let ["comments", comment] = rest {
            return self.comment_by_id(state, asked, base, repository, id(comment));
        }
        let [number, rest @ ..] = rest else {
            return Err(refuse(404, "Not Found"));
        };
        let (number, fresh) = (id(number), state.next_id());
        let Some(issue) = state.issues.get_mut(&(repository.clone(), number)) else {
            return Err(refuse(404, "Not Found"));
        };
        let place = Place {
            base,
            repository,
            number,
        };
        match (&asked.method, rest) {
            (&Method::GET, []) => Ok(Reply::ok(&json!({
                "number": number,
                "state": "open",
                "comments": issue.comments.len(),
                "labels": labels(issue),
                "html_url": place.html(),
            }))),
            (&Method::GET, ["comments"]) => {
                let comments = issue.comments.iter();
                let rows = comments.map(|(id, comment)| shown(&place, *id, comment));
                Ok(Page::of(asked, base, rows.collect()).reply(None))
            }
            (&Method::POST, ["comments"]) => {
                let author = caller.map(|token| token.login.clone()).unwrap_or_default();
                let comment = self.written_by(author, asked)?;
                let view = shown(&place, fresh, &comment);
                issue.comments.insert(fresh, comment);
                Ok(Reply::json(StatusCode::CREATED, &view))
            }
            (method, ["labels", rest @ ..]) => change_labels(issue, asked, method, rest),
            _ => Err(refuse(404, "Not Found")),
        }
    }

    fn written_by(&self, author: String, asked: &Asked) -> Result<Comment, Reply> {
        let now = self.now();
        Ok(Comment {
            author,
            body: body(asked)?,
            created: now,
            updated: now,
        })
    }

    /// A comment is asked for without the number of its issue.
    fn comment_by_id(
        &self,
        state: &mut State,
        asked: &Asked,
        base: &str,
        repository: String,
        id: u64,
    ) -> Result<Reply, Reply> {
        let mut issues = state.issues.iter_mut();
        let holder =
            issues.find(|((of, _), issue)| *of == repository && issue.comments.contains_key(&id));
        let Some(((_, number), issue)) = holder else {
            return Err(refuse(404, "Not Found"));
        };
        let place = Place {
            base,
            repository,
            number: *number,
        };
        self.comment(issue, asked, &place, id)
    }

    fn comment(
        &self,
        issue: &mut Issue,
        asked: &Asked,
        place: &Place<'_>,
        id: u64,
    ) -> Result<Reply, Reply> {
        if asked.method == Method::DELETE {
            issue.comments.remove(&id);
            return Ok(Reply::empty(StatusCode::NO_CONTENT));
        }
        let Some(comment) = issue.comments.get_mut(&id) else {
            return Err(refuse(404, "Not Found"));
        };
        if asked.method == Method::PATCH {
            comment.body = body(asked)?;
            comment.updated = self.now();
        }
        Ok(Reply::ok(&shown(place, id, comment)))
    }
}

fn change_labels(
    issue: &mut Issue,
    asked: &Asked,
    method: &Method,
    rest: &[&str],
) -> Result<Reply, Reply> {
    match (method, rest) {
        (&Method::GET, []) => {}
        (&Method::POST | &Method::PUT, []) => {
            let Ok(sent) = serde_json::from_slice(&asked.body) else {
                return Err(refuse(422, "Validation Failed"));
            };
            if method == Method::PUT {
                issue.labels.clear();
            }
            let (Labels::Within { labels } | Labels::Bare(labels)) = sent;
            issue.labels.extend(labels);
        }
        (&Method::DELETE, [name]) => {
            let name = percent_decode_str(name).decode_utf8_lossy();
            if !issue.labels.remove(name.as_ref()) {
                return Err(refuse(404, "Label does not exist"));
            }
        }
        (&Method::DELETE, []) => {
            issue.labels.clear();
            return Ok(Reply::empty(StatusCode::NO_CONTENT));
        }
        _ => return Err(refuse(404, "Not Found")),
    }
    Ok(Reply::ok(&labels(issue)))
}

fn body(asked: &Asked) -> Result<String, Reply> {
    let body: Option<Body> = serde_json::from_slice(&asked.body).ok();
    let body = body.map(|it| it.body).filter(|it| !it.is_empty());
    body.ok_or_else(|| refuse(422, "Validation Failed"))
}

fn labels(issue: &Issue) -> Value {
    let labels = issue.labels.iter();
    labels
        .map(|name| json!({"id": views::id_of(name), "name": name}))
        .collect()
}

impl Place<'_> {
    fn html(&self) -> String {
        format!(
            "https://github.com/{}/issues/{}",
            self.repository, self.number
        )
    }
}

fn shown(place: &Place<'_>, id: u64, comment: &Comment) -> Value {
    let repos = format!("{}/repos/{}", place.base, place.repository);
    json!({
        "id": id,
        "body": comment.body,
        "user": views::user(&comment.author, false),
        "created_at": written(comment.created),
        "updated_at": written(comment.updated),
        "url": format!("{repos}/issues/comments/{id}"),
        "issue_url": format!("{repos}/issues/{}", place.number),
        "html_url": format!("{}#issuecomment-{id}", place.html()),
    })
}
