//! Comments and labels of issues and pull requests.
//!
//! A pull request is an issue that takes another permission: GitHub refuses to
//! write there with `issues: write` alone, whatever its header says. A label
//! that is not there yet is made by whoever gives it, which takes
//! `issues: write` everywhere.

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

/// The most characters of a comment.
const LONGEST: usize = 65_536;

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
        let repository = key(owner, name);
        let part = match is_pull(state, &repository, rest) {
            true => "pull_requests",
            false => "issues",
        };
        state.repository(caller, owner, name, Wanted { part, write })?;
        if let ["comments", comment] = rest {
            return self.comment_by_id(state, asked, base, repository, id(comment));
        }
        let [number, rest @ ..] = rest else {
            return Err(refuse(404, "Not Found"));
        };
        let (number, fresh) = (id(number), state.next_id());
        if let (&Method::POST | &Method::PUT, ["labels"]) = (&asked.method, rest) {
            make_labels(state, asked, caller, &repository)?;
        }
        let Some(issue) = state.issues.get_mut(&(repository.clone(), number)) else {
            return Err(refuse(404, "Not Found"));
        };
        let place = Place {
            base,
            repository,
            number,
        };
        match (&asked.method, rest) {
            (&Method::GET, []) => Ok(Reply::ok(&whole(&place, issue))),
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

/// Whether that is about a pull request: by its number, or by a comment's.
fn is_pull(state: &State, repository: &str, rest: &[&str]) -> bool {
    let mut issues = state.issues.iter().filter(|((of, _), _)| of == repository);
    let found = match rest {
        ["comments", comment] => {
            issues.find(|(_, issue)| issue.comments.contains_key(&id(comment)))
        }
        [number, ..] => issues.find(|((_, it), _)| *it == id(number)),
        [] => None,
    };
    found.is_some_and(|(_, issue)| issue.pull.is_some())
}

/// Makes the labels that are not there yet, if the caller may.
fn make_labels(
    state: &mut State,
    asked: &Asked,
    caller: Option<&Token>,
    repository: &str,
) -> Result<(), Reply> {
    let (Labels::Within { labels } | Labels::Bare(labels)) = sent_labels(asked)?;
    let known = state.labels.entry(repository.to_owned()).or_default();
    let may = caller.and_then(|token| token.kind.has("issues", true));
    if may == Some(false) && labels.iter().any(|label| !known.contains(label)) {
        let body = json!({
            "message": "You do not have permission to create labels on this repository.",
            "errors": [{"resource": "Repository", "field": "label", "code": "unauthorized"}],
            "documentation_url": "https://docs.github.com/rest",
            "status": "403",
        });
        return Err(Reply::json(StatusCode::FORBIDDEN, &body));
    }
    known.extend(labels);
    Ok(())
}

fn sent_labels(asked: &Asked) -> Result<Labels, Reply> {
    serde_json::from_slice(&asked.body).map_err(|_| refuse(422, "Validation Failed"))
}

/// The pull request that a commit has come with.
pub(super) fn pulls_of(
    state: &State,
    asked: &Asked,
    base: &str,
    (owner, name): (&str, &str),
    sha: &str,
) -> Reply {
    let repository = key(owner, name);
    let issues = state.issues.iter().filter(|((of, _), _)| *of == repository);
    let merged = issues.filter_map(|((_, number), issue)| {
        let (commit, time) = issue.pull.as_ref()?.merged.as_ref()?;
        (commit == sha).then(|| (number, written(*time)))
    });
    let rows = merged.map(|(number, merged_at)| {
        json!({
            "number": number,
            "state": "closed",
            "merge_commit_sha": sha,
            "merged_at": merged_at,
            "html_url": format!("https://github.com/{repository}/pull/{number}"),
        })
    });
    Page::of(asked, base, rows.collect()).reply(None)
}

fn whole(place: &Place<'_>, issue: &Issue) -> Value {
    let mut whole = json!({
        "number": place.number,
        "state": "open",
        "comments": issue.comments.len(),
        "labels": labels(issue),
        "html_url": place.html(),
    });
    if let Some(pull) = &issue.pull {
        whole["pull_request"] = json!({"html_url": place.html()});
        if pull.merged.is_some() {
            whole["state"] = "closed".into();
        }
    }
    whole
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
            let (Labels::Within { labels } | Labels::Bare(labels)) = sent_labels(asked)?;
            if method == Method::PUT {
                issue.labels.clear();
            }
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
    let body = body.ok_or_else(|| refuse(422, "Validation Failed"))?;
    if body.chars().count() <= LONGEST {
        return Ok(body);
    }
    let reply = json!({
        "message": "Validation Failed",
        "errors": [{
            "resource": "IssueComment",
            "code": "unprocessable",
            "field": "data",
            "message": "Body is too long (maximum is 65536 characters)",
        }],
        "documentation_url": "https://docs.github.com/rest",
        "status": "422",
    });
    Err(Reply::json(StatusCode::UNPROCESSABLE_ENTITY, &reply))
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
