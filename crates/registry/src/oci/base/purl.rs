//! Package URLs of images, as provenance names them:
//! `pkg:docker/ghcr.io/acme/base@16?platform=linux%2Famd64`.
//!
//! Source of the rules: the specification of package URLs and its type
//! `docker`, and what BuildKit writes (`util/purl`): the short name, the tag as
//! the version, and for a name with a digest the qualifier `digest`.
//!
//! Read generously: whatever names an image without doubt is one, and all else
//! is none. Deliberately absent: every other type of package.

use imgstack_spec::{Digest, ImageRef};

/// What the specification calls Docker Hub.
const HUB: &str = "hub.docker.com";

/// The image that a package URL names; None for any other package, and for
/// what cannot be read.
pub(super) fn image(url: &str) -> Option<ImageRef> {
    let rest = strip_prefix(url, "pkg:")?.trim_start_matches('/');
    let rest = rest.split('#').next().unwrap_or_default();
    let (path, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
    let path = strip_prefix(path, "docker/")?;
    // No part of an image's name holds an `@`.
    let (name, version) = match path.split_once('@') {
        Some((name, version)) => (name, decoded(version)?),
        None => (path, String::new()),
    };
    let mut image: ImageRef = repository(name, qualifiers)?.parse().ok()?;
    let (tag, digest) = match version.split_once('@') {
        Some((tag, digest)) => (tag, Some(digest)),
        None if version.contains(':') => ("", Some(version.as_str())),
        None => (version.as_str(), None),
    };
    if !tag.is_empty() {
        image.tag = Some(tag.parse().ok()?);
    }
    let qualified = qualifier(qualifiers, "digest");
    let digest = digest.map(str::to_owned).or(qualified);
    image.digest = match digest {
        Some(digest) => Some(digest.parse::<Digest>().ok()?),
        None => None,
    };
    Some(image)
}

/// Host and path, without tag and digest.
fn repository(name: &str, qualifiers: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in name.split('/').filter(|part| !part.is_empty()) {
        let part = decoded(part)?;
        // What is escaped within a part separates nothing.
        if part.contains(['/', '@']) {
            return None;
        }
        parts.push(part);
    }
    // A colon behind the host would be read as a tag.
    if parts.iter().skip(1).any(|part| part.contains(':')) {
        return None;
    }
    let name = parts.join("/");
    let elsewhere = qualifier(qualifiers, "repository_url");
    let Some(elsewhere) = elsewhere.filter(|it| !it.is_empty()) else {
        // Nor is a lone name with a colon a host.
        return (parts.len() > 1 || !name.contains(':')).then_some(name);
    };
    let host = match elsewhere.split_once("://") {
        Some((_, host)) => host,
        None => &elsewhere,
    };
    match host.trim_end_matches('/') {
        HUB => Some(name),
        host => Some(format!("{host}/{name}")),
    }
}

fn qualifier(qualifiers: &str, wanted: &str) -> Option<String> {
    let mut pairs = qualifiers
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| key.eq_ignore_ascii_case(wanted))?;
    decoded(value)
}

/// Without its escapes; None where one is no escape, or makes no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let value = digit(digits[0])? * 16 + digit(digits[1])?;
        bytes.push(u8::try_from(value).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

/// The scheme and the type are written in any case.
fn strip_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    const ESCAPED: &str =
        "sha256%3A44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    #[test]
    fn what_a_package_url_names() {
        let hub = "docker.io/library/postgres";
        let table = [
            // As BuildKit writes them.
            (
                "pkg:docker/postgres@16-alpine?platform=linux%2Famd64",
                format!("{hub}:16-alpine"),
            ),
            (
                &format!("pkg:docker/postgres@16-alpine?digest={DIGEST}&platform=linux%2Famd64"),
                format!("{hub}:16-alpine@{DIGEST}"),
            ),
            (
                &format!("pkg:docker/postgres?digest={DIGEST}&platform=linux%2Famd64"),
                format!("{hub}@{DIGEST}"),
            ),
            (
                "pkg:docker/grafana/grafana@11",
                "docker.io/grafana/grafana:11".to_owned(),
            ),
            (
                "pkg:docker/ghcr.io/acme/team/base@16?platform=linux%2Farm%2Fv7",
                "ghcr.io/acme/team/base:16".to_owned(),
            ),
            (
                "pkg:docker/10.77.0.1%3A5000/acme/base@16",
                "10.77.0.1:5000/acme/base:16".to_owned(),
            ),
            (
                "pkg:docker/localhost:5000/base@16",
                "localhost:5000/base:16".to_owned(),
            ),
            // As the specification has them, and other tools.
            (
                &format!("pkg:docker/postgres@{ESCAPED}"),
                format!("{hub}@{DIGEST}"),
            ),
            (
                &format!("pkg:docker/acme/base@{ESCAPED}?repository_url=ghcr.io"),
                format!("ghcr.io/acme/base@{DIGEST}"),
            ),
            (
                "pkg:docker/acme/base@1?repository_url=https%3A%2F%2Fghcr.io%2F",
                "ghcr.io/acme/base:1".to_owned(),
            ),
            (
                "pkg:docker/postgres@16?repository_url=hub.docker.com",
                format!("{hub}:16"),
            ),
            (
                &format!("pkg:docker/postgres@16@{DIGEST}"),
                format!("{hub}:16@{DIGEST}"),
            ),
            (
                &format!("pkg:docker/postgres@16%40{ESCAPED}"),
                format!("{hub}:16@{DIGEST}"),
            ),
            ("PKG:Docker/postgres@16#sub/path", format!("{hub}:16")),
            ("pkg://docker/library/postgres/@16", format!("{hub}:16")),
            (
                "pkg:docker/docker.io/library/postgres@16",
                format!("{hub}:16"),
            ),
            (
                "pkg:docker/index.docker.io/library/postgres@16",
                format!("{hub}:16"),
            ),
            (
                "pkg:docker/%70ostgres@16%2dalpine",
                format!("{hub}:16-alpine"),
            ),
            ("pkg:docker/postgres", hub.to_owned()),
            ("pkg:docker/postgres@", hub.to_owned()),
        ];
        for (url, expected) in table {
            let image = image(url).map(|image| image.to_string());
            assert_eq!(image, Some(expected), "{url}");
        }
    }

    #[test]
    fn what_names_no_image() {
        let long = format!("pkg:docker/{}@1", "a".repeat(1 << 20));
        let table = [
            "",
            "pkg:",
            "pkg:docker",
            "pkg:docker/",
            "pkg:docker/@16",
            "pkg:github/docker-library/postgres@abc1234",
            "pkg:dockerfile/postgres@16",
            "pkg:oci/postgres@16",
            "docker/postgres@16",
            "https://ghcr.io/acme/base",
            "git+https://github.com/acme/base#main",
            // Escapes that are none, or that hide what separates.
            "pkg:docker/postgres@16%",
            "pkg:docker/postgres@16%2",
            "pkg:docker/postgres@16%zz",
            "pkg:docker/postgres@16%+1",
            "pkg:docker/postgres@%ff",
            "pkg:docker/ghcr.io%2Facme/base@16",
            "pkg:docker/acme%40evil/base@16",
            // No names, tags or digests.
            "pkg:docker/Postgres@16",
            "pkg:docker/postgres@-16",
            "pkg:docker/postgres@16 alpine",
            "pkg:docker/postgres@sha256:short",
            "pkg:docker/postgres@16?digest=md5%3Aabc",
            "pkg:docker/acme/postgres:15@16",
            "pkg:docker/postgres:15@16",
            "pkg:docker/postgres%3A15@16",
            "pkg:docker/../postgres@16",
            "pkg:docker/acme/base@16?repository_url=http%3A%2F%2Fuser@ghcr.io",
            "pkg:döcker/postgres@16",
            &long,
        ];
        for url in table {
            assert_eq!(image(url), None, "{}", url.get(..80).unwrap_or(url));
        }
    }
}
