//! `tags/list`, page by page.

use hyper::{Method, StatusCode};
use serde_json::json;

use super::refusal::Code;
use super::reply::Reply;
use super::store::State;
use super::{Manner, Registry};
use crate::Asked;

impl Registry {
    pub(super) fn tags(&self, state: &State, asked: &Asked, name: &str) -> Reply {
        if asked.method != Method::GET {
            return Code::Unsupported.reply();
        }
        let Some(shelf) = state.repositories.get(name).filter(|_| state.exists(name)) else {
            return Code::NameUnknown.detailing(json!({"name": name}));
        };
        // Distribution 2.8 gives all at once, whatever is asked.
        let pages = matches!(self.0.settings.manner, Manner::Ghcr | Manner::Hub);
        let asked = |name: &str| asked.parameter(name).filter(|_| pages);
        let wanted = match asked("n").map(|n| n.parse::<usize>()) {
            None => None,
            Some(Ok(n)) => Some(n),
            Some(Err(_)) => return Code::PaginationNumberInvalid.reply(),
        };
        let mut tags: Vec<_> = shelf.tags.iter().collect();
        // Others list by name, which is the map's own order.
        if self.0.settings.manner == Manner::Ghcr {
            tags.sort_by_key(|(_, tag)| tag.serial);
        }
        let mut tags: Vec<&str> = tags.into_iter().map(|(tag, _)| tag.as_str()).collect();
        if let Some(last) = asked("last") {
            let after = match tags.iter().position(|tag| *tag == last) {
                Some(at) => at + 1,
                // It was deleted between two pages.
                None if self.0.settings.manner == Manner::Ghcr => 0,
                None => tags.partition_point(|tag| **tag <= *last),
            };
            tags.drain(..after);
        }
        let page = match (wanted, self.0.settings.page) {
            (Some(wanted), Some(most)) => Some(wanted.min(most)),
            (one, other) => one.or(other),
        };
        let page = page.unwrap_or(tags.len());
        let more = tags.len() > page;
        tags.truncate(page);
        let reply = Reply::json(StatusCode::OK, &json!({"name": name, "tags": tags}));
        match tags.last() {
            Some(last) if more => {
                let link = format!("</v2/{name}/tags/list?last={last}&n={page}>; rel=\"next\"");
                reply.with("link", link)
            }
            _ => reply,
        }
    }
}
