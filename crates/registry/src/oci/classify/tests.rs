//! Answers as registries give them, and what they amount to.

use imgstack_spec::RegistryHost;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::super::error::ErrorKind;
use super::*;

const GHCR_DENIED: &str =
    r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#;
const GHCR_BAD_TOKEN: &str = r#"{"errors":[{"code":"DENIED","message":"denied: denied"}]}"#;
const GHCR_NO_READ: &str =
    r#"{"errors":[{"code":"DENIED","message":"permission_denied: read_package"}]}"#;
const GHCR_NO_WRITE: &str =
    r#"{"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]}"#;
const GHCR_SECONDARY: &str = r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}"#;
const GHCR_TOO_MANY: &str = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"retry-after: 1.16ms, allowed: 44000/minute"}]}"#;
const HUB_TOKEN: &str = r#"{"details":"incorrect username or password"}"#;
const HUB_TOO_MANY: &str = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"}]}"#;
const UNAUTHORIZED: &str = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required","detail":[{"Type":"repository","Class":"","Name":"o/n","Action":"pull"}]}]}"#;
const MANIFEST_UNKNOWN: &str = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{"Tag":"17"}}]}"#;
const NAME_UNKNOWN: &str = r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry","detail":{"name":"o/n"}}]}"#;
const HTML: &str = "<!DOCTYPE html>\n<html><body>502 Bad Gateway</body></html>";
const GO_TLS: &str = "Client sent an HTTP request to an HTTPS server.\n";

const NOBODY: Sent<'_> = Sent::Anonymous;
const TOKEN: Sent<'_> = credential(false, false);
const BASIC: Sent<'_> = credential(false, true);
const FINE: Sent<'_> = credential(true, false);

const fn credential(fine_grained: bool, itself: bool) -> Sent<'static> {
    Sent::Credential {
        origin: "GHCR_PAT in the environment",
        fine_grained,
        itself,
    }
}

fn reply(status: u16, body: &str) -> Reply {
    Reply {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.into(),
        from_host: true,
        resets_in: None,
    }
}

fn error(subject: Subject<'_>, sent: Sent<'_>, reply: &Reply) -> Error {
    let repository = "ghcr.io/o/n".parse().unwrap();
    let circumstances = Circumstances {
        repository: &repository,
        subject,
        sent,
    };
    refusal(circumstances, reply)
}

#[test]
fn what_an_answer_amounts_to() {
    use ErrorKind as Kind;
    let seventeen: Tag = "17".parse().unwrap();
    let gone: Digest = format!("sha256:{:064x}", 7).parse().unwrap();
    let (tag, digest) = (Subject::Tag(&seventeen), Subject::Digest(&gone));
    let (token, list) = (Subject::Token, Subject::Repository);
    #[rustfmt::skip]
    let table = [
        // the token server
        (token, NOBODY, 401, UNAUTHORIZED, Kind::AuthenticationRequired),
        (token, NOBODY, 403, GHCR_DENIED, Kind::AuthenticationRequired),
        (token, TOKEN, 401, HUB_TOKEN, Kind::CredentialRejected),
        (token, TOKEN, 403, GHCR_BAD_TOKEN, Kind::CredentialRejected),
        (token, TOKEN, 403, GHCR_NO_READ, Kind::NoPackageAccess),
        (token, FINE, 403, GHCR_BAD_TOKEN, Kind::UnsupportedToken),
        (token, NOBODY, 404, "", Kind::Protocol),
        (token, TOKEN, 500, "", Kind::Unavailable),
        // the registry
        (tag, NOBODY, 401, UNAUTHORIZED, Kind::AuthenticationRequired),
        (tag, NOBODY, 403, GHCR_DENIED, Kind::AuthenticationRequired),
        (tag, TOKEN, 403, GHCR_NO_READ, Kind::NoPackageAccess),
        (tag, TOKEN, 401, UNAUTHORIZED, Kind::NoPackageAccess),
        (tag, TOKEN, 403, GHCR_NO_WRITE, Kind::NoPushAccess),
        (tag, FINE, 403, GHCR_NO_READ, Kind::UnsupportedToken),
        (tag, BASIC, 401, UNAUTHORIZED, Kind::CredentialRejected),
        (tag, BASIC, 403, "", Kind::NoPackageAccess),
        // too many
        (tag, NOBODY, 429, HUB_TOO_MANY, Kind::RateLimited),
        (tag, TOKEN, 429, GHCR_TOO_MANY, Kind::RateLimited),
        (tag, TOKEN, 403, GHCR_SECONDARY, Kind::RateLimited),
        (token, TOKEN, 403, GHCR_SECONDARY, Kind::RateLimited),
        // not there
        (tag, NOBODY, 404, MANIFEST_UNKNOWN, Kind::TagNotFound),
        (tag, NOBODY, 404, NAME_UNKNOWN, Kind::RepositoryNotFound),
        (digest, NOBODY, 404, MANIFEST_UNKNOWN, Kind::ManifestDeleted),
        (digest, NOBODY, 404, NAME_UNKNOWN, Kind::RepositoryNotFound),
        (list, NOBODY, 404, NAME_UNKNOWN, Kind::RepositoryNotFound),
        // not there, says somebody who is no registry
        (tag, NOBODY, 404, "", Kind::Protocol),
        (digest, TOKEN, 404, "404 page not found", Kind::Protocol),
        (list, NOBODY, 404, HTML, Kind::Protocol),
        // out of order
        (tag, NOBODY, 502, HTML, Kind::Unavailable),
        (tag, NOBODY, 408, "", Kind::Unavailable),
        (tag, NOBODY, 400, GO_TLS, Kind::Tls),
        (tag, NOBODY, 400, "<center>The plain HTTP request was sent to HTTPS port</center>", Kind::Protocol),
        (tag, NOBODY, 418, "", Kind::Protocol),
    ];
    for (subject, sent, status, body, expected) in table {
        let error = error(subject, sent, &reply(status, body));
        assert_eq!(error.kind(), expected, "{status} {body} {sent:?}");
        let shown = error.to_string();
        assert!(shown.starts_with("ghcr.io"), "{shown}");
        assert!(!shown.contains(['\n', '<']), "{shown}");
        assert!(!error.hint().is_empty(), "{shown}");
    }
}

#[test]
fn what_a_storage_says_is_not_about_the_credential() {
    let storage = Reply {
        from_host: false,
        ..reply(403, "<Error><Code>AccessDenied</Code></Error>")
    };
    let digest = format!("sha256:{:064x}", 7).parse().unwrap();
    let error = error(Subject::Digest(&digest), TOKEN, &storage);
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[test]
fn messages_and_hints() {
    let tag: Tag = "17".parse().unwrap();
    let mut denied = reply(403, GHCR_DENIED);
    let id = "D0C4:1F".parse().unwrap();
    denied.headers.insert("x-github-request-id", id);
    let nobody = error(Subject::Tag(&tag), NOBODY, &denied);
    assert_eq!(
        nobody.to_string(),
        "ghcr.io/o/n: authentication required (HTTP 403 DENIED: requested access to the resource \
         is denied; request ID D0C4:1F)"
    );
    // GHCR masks: both readings.
    assert!(nobody.hint().contains("is private, or does not exist"));
    let refused = error(Subject::Token, TOKEN, &reply(403, GHCR_BAD_TOKEN));
    assert_eq!(
        refused.to_string(),
        "ghcr.io/o/n: the credential from GHCR_PAT in the environment was rejected (HTTP 403 \
         DENIED: denied: denied)"
    );
    assert!(refused.hint().contains("does not exist"));
    let fine = error(Subject::Token, FINE, &reply(403, GHCR_BAD_TOKEN));
    assert!(fine.hint().contains("classic"));
    let mut limited = reply(429, HUB_TOO_MANY);
    limited.resets_in = Some(Duration::from_secs(21_000));
    let limited = error(Subject::Tag(&tag), NOBODY, &limited);
    assert!(limited.to_string().contains("the limit resets in 6 h"));
    assert!(limited.is_retryable());
    assert_eq!(limited.host(), &RegistryHost::new("ghcr.io"));
    assert_eq!(limited.answer().unwrap().status, 429);
    assert_eq!(
        serde_json::to_string(&limited.kind()).unwrap(),
        r#""rate-limited""#
    );
}
