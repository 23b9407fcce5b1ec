//! Lists of tags: whole, or an error.

use imgstack_registry::oci::ErrorKind;

use super::server::{Answer, Asked, Server, answer, error};

/// Three pages; `link` writes the link to the page after `last`.
fn pages(link: fn(&str, &str) -> String) -> impl Fn(&str, &Asked) -> Answer {
    move |host, asked| {
        let last = asked
            .query
            .split('&')
            .find_map(|it| it.strip_prefix("last="));
        let (tags, next) = match last {
            _ if asked.path == "/v2/" => return answer(200),
            None => (r#"["1","2"]"#, Some("2")),
            Some("2") => (r#"["3"]"#, Some("3")),
            Some(_) => ("null", None),
        };
        let page = answer(200).body(format!(r#"{{"name":"o/n","tags":{tags}}}"#));
        match next {
            Some(last) => page.with("link", &format!("<{}>; rel=\"next\"", link(host, last))),
            None => page,
        }
    }
}

async fn list(server: &Server) -> Result<String, imgstack_registry::oci::Error> {
    let tags = server.stranger().tags(&server.repository("o/n")).await?;
    let tags: Vec<_> = tags.iter().map(|tag| tag.as_str()).collect();
    Ok(tags.join(" "))
}

#[tokio::test]
async fn pages_are_followed_by_links_of_both_kinds() {
    for link in [
        |_: &str, last: &str| format!("/v2/o/n/tags/list?last={last}&n=2"),
        |host: &str, last: &str| format!("http://{host}/v2/o/n/tags/list?last={last}&n=2"),
        |host: &str, last: &str| format!("https://{host}/v2/o/n/tags/list?last={last}&n=2"),
    ] {
        let server = Server::start(pages(link)).await;
        assert_eq!(list(&server).await.unwrap(), "1 2 3");
        assert_eq!(server.count("GET /v2/o/n/tags/list"), 3);
    }
}

#[tokio::test]
async fn a_link_to_another_host_is_refused() {
    let server = Server::start(pages(|_, _| {
        "http://127.0.0.1:9/v2/o/n/tags/list".to_owned()
    }))
    .await;
    let error = list(&server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(
        error.to_string().contains("a link to another host"),
        "{error}"
    );
    assert_eq!(server.count("GET /v2/o/n/tags/list"), 1);
}

/// To whoever joins URLs, a path that starts with two slashes is a host.
#[tokio::test]
async fn a_link_to_another_host_in_the_clothes_of_a_path_gets_no_credential() {
    let thief = Server::start(|_, _| answer(200).body(r#"{"tags":[]}"#)).await;
    let elsewhere = thief.host.clone();
    let server = Server::start(move |host, asked| match asked.path.as_str() {
        "/v2/" => answer(401).with("www-authenticate", "Basic realm=x"),
        _ => answer(200).body(r#"{"tags":["1"]}"#).with(
            "link",
            &format!("<http://{host}//{elsewhere}/v2/o/n/tags/list>; rel=next"),
        ),
    })
    .await;
    let member = server.member("robot", "secret");
    let error = member.tags(&server.repository("o/n")).await.unwrap_err();
    assert!(
        error.to_string().contains("a link to something else"),
        "{error}"
    );
    assert!(thief.lines().is_empty(), "{:?}", thief.lines());
}

#[tokio::test]
async fn a_list_that_is_cut_short_is_an_error() {
    let pages = pages(|_, last| format!("/v2/o/n/tags/list?last={last}"));
    let server = Server::start(move |host, asked| match asked.query.as_str() {
        "last=2" => error(404, "NAME_UNKNOWN", "gone"),
        _ => pages(host, asked),
    })
    .await;
    let error = list(&server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RepositoryNotFound);
}

#[tokio::test]
async fn a_list_without_end_is_an_error() {
    let server = Server::start(pages(|_, _| "/v2/o/n/tags/list?last=2".to_owned())).await;
    let error = list(&server).await.unwrap_err();
    assert!(error.to_string().contains("leads to itself"), "{error}");
    assert!(server.lines().len() <= 4);
}
