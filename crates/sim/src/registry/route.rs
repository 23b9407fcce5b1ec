//! From a path to what is asked for.

use imgstack_spec::Repository;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// `/v2/`
    Ping,
    /// `/token`
    Token,
    /// Something of a repository.
    Of(&'a str, Part<'a>),
    /// Nothing that is known here.
    Nowhere,
}

/// A part of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// By tag or digest.
    Manifest(&'a str),
    /// By digest.
    Blob(&'a str),
    /// Where uploads begin.
    Uploads,
    /// One upload.
    Upload(&'a str),
    Tags,
}

impl<'a> Route<'a> {
    pub(super) fn of(path: &'a str) -> Self {
        let Some(rest) = path.strip_prefix("/v2") else {
            return match path {
                "/token" => Self::Token,
                _ => Self::Nowhere,
            };
        };
        match rest {
            "" | "/" => Self::Ping,
            rest => rest
                .strip_prefix('/')
                .and_then(inside)
                .unwrap_or(Self::Nowhere),
        }
    }
}

/// A repository's name may itself hold a component such as `manifests`: the
/// last one counts.
fn inside(rest: &str) -> Option<Route<'_>> {
    if let Some(name) = rest.strip_suffix("/tags/list") {
        return Some(Route::Of(name, Part::Tags));
    }
    let (rest, last) = rest.rsplit_once('/')?;
    if let Some(name) = rest.strip_suffix("/blobs/uploads") {
        return Some(Route::Of(
            name,
            match last {
                "" => Part::Uploads,
                id => Part::Upload(id),
            },
        ));
    }
    let (name, shelf) = rest.rsplit_once('/')?;
    match (shelf, last) {
        ("blobs", "uploads") => Some(Route::Of(name, Part::Uploads)),
        ("blobs", digest) => Some(Route::Of(name, Part::Blob(digest))),
        ("manifests", reference) => Some(Route::Of(name, Part::Manifest(reference))),
        _ => None,
    }
}

/// Whether a repository may be called so.
pub(super) fn is_name(name: &str) -> bool {
    format!("registry.test/{name}")
        .parse::<Repository>()
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_where_they_should() {
        use Part::{Blob, Manifest, Tags, Upload, Uploads};
        let table = [
            ("/v2", Route::Ping),
            ("/v2/", Route::Ping),
            ("/token", Route::Token),
            ("/", Route::Nowhere),
            ("/v2/_catalog", Route::Nowhere),
            ("/v2x/a/manifests/1", Route::Nowhere),
            ("/v2/manifests/1", Route::Nowhere),
            ("/v2/a/manifests/1", Route::Of("a", Manifest("1"))),
            (
                "/v2/a/b/manifests/sha256:0",
                Route::Of("a/b", Manifest("sha256:0")),
            ),
            (
                "/v2/a/manifests/b/manifests/1",
                Route::Of("a/manifests/b", Manifest("1")),
            ),
            ("/v2/a/blobs/sha256:0", Route::Of("a", Blob("sha256:0"))),
            ("/v2/a/blobs/uploads/", Route::Of("a", Uploads)),
            ("/v2/a/blobs/uploads", Route::Of("a", Uploads)),
            ("/v2/a/blobs/uploads/7", Route::Of("a", Upload("7"))),
            ("/v2/a/b/tags/list", Route::Of("a/b", Tags)),
            ("/v2/a/referrers/sha256:0", Route::Nowhere),
        ];
        for (path, route) in table {
            assert_eq!(Route::of(path), route, "{path}");
        }
        assert!(is_name("a/b-c") && !is_name("A") && !is_name("../a") && !is_name(""));
    }
}
