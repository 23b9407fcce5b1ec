//! `tags/list`, page by page.
//!
//! Pages hang together by `Link` headers. A list that is cut short is worse
//! than none, because its reader takes a missing tag for one that does not
//! exist: any page that fails, fails the list.

use std::collections::BTreeSet;

use imgstack_spec::{RegistryHost, Repository, Tag};
use reqwest::header::{HeaderMap, LINK};
use reqwest::{Method, Url};
use serde::Deserialize;

use super::classify::Subject;
use super::error::Error;
use super::session::{Errand, Session};
use crate::http::{Reply, RequestKind, next_in};

/// What is asked for a page; registries give as many as they like.
const PER_PAGE: u32 = 1000;
/// More pages than this, or more tags, are an endless list.
const PAGES: usize = 500;
const TAGS: usize = 100_000;

#[derive(Deserialize)]
struct Page {
    tags: Option<Vec<String>>,
}

/// All tags of the repository, in the registry's order.
pub(crate) async fn list(session: &Session, repository: &Repository) -> Result<Vec<Tag>, Error> {
    let mut tags = Vec::new();
    let mut seen = BTreeSet::new();
    let mut target = format!("{}?n={PER_PAGE}", path(repository));
    for _ in 0..PAGES {
        let errand = Errand {
            kind: RequestKind::Tags,
            method: Method::GET,
            target: target.clone(),
            headers: &[],
            subject: Subject::Repository,
        };
        let reply = session.run(repository, &errand).await?;
        tags.append(&mut page(repository, &reply)?);
        if tags.len() > TAGS {
            return Err(incomplete(repository, "tags without end"));
        }
        if !seen.insert(target) {
            return Err(incomplete(repository, "a page that leads to itself"));
        }
        match next(repository, &errand.target, &reply.headers) {
            Ok(None) => return Ok(tags),
            Ok(Some(next)) => target = next,
            Err(cause) => return Err(incomplete(repository, cause)),
        }
    }
    Err(incomplete(repository, "pages without end"))
}

fn page(repository: &Repository, reply: &Reply) -> Result<Vec<Tag>, Error> {
    let page: Page = serde_json::from_slice(&reply.body)
        .map_err(|_| incomplete(repository, "something that is no list"))?;
    let tag = |tag: String| {
        tag.parse()
            .map_err(|_| incomplete(repository, "a tag that cannot be one"))
    };
    page.tags.unwrap_or_default().into_iter().map(tag).collect()
}

fn incomplete(repository: &Repository, cause: &str) -> Error {
    let cause = format!("the list of tags of {repository} holds {cause}");
    Error::protocol(repository.host(), cause)
}

fn path(repository: &Repository) -> String {
    format!("/v2/{}/tags/list", repository.path())
}

/// Path and query of the next page.
///
/// The host must be the one that was asked, and the path that of the list: a
/// page of something else is none of this list, and a path such as
/// `//other/v2/` is another host to whoever joins URLs. The scheme need not be
/// the same: behind a proxy that ends TLS, registries write `http` where they
/// are asked in https, and only the query is used.
fn next(
    repository: &Repository,
    target: &str,
    headers: &HeaderMap,
) -> Result<Option<String>, &'static str> {
    let (host, path) = (repository.host(), path(repository));
    let values = headers.get_all(LINK).iter();
    let text = values.filter_map(|value| value.to_str().ok());
    let Some(link) = text.filter_map(next_in).next() else {
        return Ok(None);
    };
    // The host's name in place of where it is reached: Docker Hub's differ.
    let base = Url::parse(&format!("https://{host}"))
        .and_then(|base| base.join(target))
        .map_err(|_| "a link that is no URL")?;
    let url = base.join(link).map_err(|_| "a link that is no URL")?;
    let foreign = link_host(&url) != link_host(&base) && !is_docker_hub(host, &url);
    if foreign {
        return Err("a link to another host");
    }
    if url.path() != path {
        return Err("a link to something else");
    }
    Ok(Some(match url.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    }))
}

fn link_host(url: &Url) -> (Option<&str>, Option<u16>) {
    (url.host_str(), url.port())
}

fn is_docker_hub(host: &RegistryHost, url: &Url) -> bool {
    host.as_str() == "docker.io" && link_host(url) == (Some("registry-1.docker.io"), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_next_page_is() {
        let other = Err("a link to another host");
        let else_ = Err("a link to something else");
        let to = |query: &str| Ok(Some(format!("/v2/o/n/tags/list{query}")));
        #[rustfmt::skip]
        let table = [
            ("ghcr.io", r#"</v2/o/n/tags/list?last=b&n=100>; rel="next""#, to("?last=b&n=100")),
            ("ghcr.io", r#"<https://ghcr.io/v2/o/n/tags/list?last=b>; rel="next""#, to("?last=b")),
            ("ghcr.io", "<http://ghcr.io/v2/o/n/tags/list?last=b>; rel=next", to("?last=b")),
            ("ghcr.io", "<?last=c>;rel=\"next\"", to("?last=c")),
            ("ghcr.io", "</v2/o/n/tags/list>; rel=next", to("")),
            ("ghcr.io", r#"</a>; rel="prev", <?last=b,c>; title="x"; REL="Next last""#, to("?last=b,c")),
            ("ghcr.io", r#"</a>; rel="prev""#, Ok(None)),
            ("ghcr.io", r#"</a>; title="next""#, Ok(None)),
            ("ghcr.io", "nonsense", Ok(None)),
            ("ghcr.io", "<never closed", Ok(None)),
            ("ghcr.io", r#"<https://evil.test/v2/o/n/tags/list>; rel="next""#, other.clone()),
            ("ghcr.io", r#"<//evil.test/v2/o/n/tags/list>; rel="next""#, other.clone()),
            ("ghcr.io", r#"<https://ghcr.io:8443/v2/o/n/tags/list>; rel="next""#, other.clone()),
            ("ghcr.io", r#"<https://ghcr.io//evil.test/v2/o/n/tags/list>; rel="next""#, else_.clone()),
            ("ghcr.io", r#"<https://ghcr.io/\evil.test/v2/o/n/tags/list>; rel="next""#, else_.clone()),
            ("ghcr.io", r#"</v2/o/n/tags/list/../../../../x/tags/list>; rel="next""#, else_.clone()),
            ("ghcr.io", r#"</v2/o/other/tags/list?last=b>; rel="next""#, else_),
            ("127.0.0.1:5000", r#"<http://127.0.0.1:5000/v2/o/n/tags/list?last=a>; rel="next""#, to("?last=a")),
            ("127.0.0.1:5000", r#"<http://127.0.0.1:5001/v2/o/n/tags/list?last=a>; rel="next""#, other),
            ("docker.io", r#"<https://registry-1.docker.io/v2/o/n/tags/list?last=a>; rel="next""#, to("?last=a")),
        ];
        for (host, link, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, link.parse().unwrap());
            let repository = format!("{host}/o/n").parse().unwrap();
            let found = next(&repository, "/v2/o/n/tags/list?n=1000", &headers);
            assert_eq!(found, expected, "{host} {link}");
        }
        let repository = "ghcr.io/o/n".parse().unwrap();
        let none = next(&repository, "/v2/", &HeaderMap::new());
        assert_eq!(none, Ok(None));
    }
}
