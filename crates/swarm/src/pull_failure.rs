//! Why an engine could not pull an image, told from its own words.
//!
//! An engine has no other way to say it: the message of an answer, the last
//! line of a pull's stream, or `Status.Err` of a task. Engines before 29.6 do
//! not even tell tasks why, see [`PullFailureKind::Untold`].

use std::fmt;

/// A pull that an engine gave up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullFailure {
    /// Which kind.
    pub kind: PullFailureKind,
    /// The engine's words.
    pub message: String,
}

/// Kinds of failed pulls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PullFailureKind {
    /// The registry does not accept the credential, or not for this
    /// repository, or asks for one. GHCR and Docker Hub say so as well of
    /// repositories that do not exist.
    Denied,
    /// The registry has no such image.
    NotFound,
    /// The image is not for the node's platform.
    NoPlatform,
    /// The node's disk is full.
    NoSpace,
    /// The registry lets nobody pull so often.
    RateLimited,
    /// The node does not trust the registry's certificate, or one of the two
    /// speaks TLS and the other does not.
    Tls,
    /// The node cannot reach the registry, or gets no answer in time.
    Unreachable,
    /// The image is not there, and the engine keeps the cause to itself.
    Untold,
    /// Anything else.
    Other,
}

/// What engines and registries write, in small letters. The first that is
/// found counts, so what is more exact comes first.
const WORDS: &[(&str, PullFailureKind)] = &[
    ("no space left on device", PullFailureKind::NoSpace),
    ("disk quota exceeded", PullFailureKind::NoSpace),
    ("toomanyrequests", PullFailureKind::RateLimited),
    ("too many requests", PullFailureKind::RateLimited),
    ("rate limit", PullFailureKind::RateLimited),
    ("no matching manifest for", PullFailureKind::NoPlatform),
    ("no match for platform", PullFailureKind::NoPlatform),
    (
        "does not match the specified platform",
        PullFailureKind::NoPlatform,
    ),
    (
        "does not provide the specified platform",
        PullFailureKind::NoPlatform,
    ),
    (
        "cannot be used on this platform",
        PullFailureKind::NoPlatform,
    ),
    ("x509:", PullFailureKind::Tls),
    ("tls: ", PullFailureKind::Tls),
    ("gave http response to https client", PullFailureKind::Tls),
    ("http request to an https server", PullFailureKind::Tls),
    ("i/o timeout", PullFailureKind::Unreachable),
    ("handshake timeout", PullFailureKind::Unreachable),
    ("deadline exceeded", PullFailureKind::Unreachable),
    ("client.timeout", PullFailureKind::Unreachable),
    ("request canceled", PullFailureKind::Unreachable),
    ("dial tcp", PullFailureKind::Unreachable),
    ("no such host", PullFailureKind::Unreachable),
    ("connection refused", PullFailureKind::Unreachable),
    ("connection reset", PullFailureKind::Unreachable),
    ("no route to host", PullFailureKind::Unreachable),
    ("network is unreachable", PullFailureKind::Unreachable),
    ("unexpected eof", PullFailureKind::Unreachable),
    (": eof", PullFailureKind::Unreachable),
    ("bad gateway", PullFailureKind::Unreachable),
    ("service unavailable", PullFailureKind::Unreachable),
    ("gateway timeout", PullFailureKind::Unreachable),
    ("gateway time-out", PullFailureKind::Unreachable),
    ("no basic auth credentials", PullFailureKind::Denied),
    ("unauthorized", PullFailureKind::Denied),
    ("authentication required", PullFailureKind::Denied),
    ("authorization failed", PullFailureKind::Denied),
    ("access denied", PullFailureKind::Denied),
    ("denied", PullFailureKind::Denied),
    ("forbidden", PullFailureKind::Denied),
    ("manifest unknown", PullFailureKind::NotFound),
    ("name unknown", PullFailureKind::NotFound),
    ("no such image", PullFailureKind::Untold),
    ("not found", PullFailureKind::NotFound),
];

impl PullFailure {
    /// Tells the kind of a message about `reference`, whose own words say
    /// nothing: a repository may be called `access-denied`.
    pub(crate) fn of(message: &str, reference: &imgstack_spec::ImageRef) -> Self {
        let mut told = message.to_lowercase();
        let repository = &reference.repository;
        let in_address = format!("/v2/{}/", repository.path());
        for name in [repository.to_string(), repository.familiar(), in_address] {
            told = told.replace(&name.to_lowercase(), "…");
        }
        if let Some(tag) = &reference.tag {
            told = told.replace(&format!(":{}", tag.as_str().to_lowercase()), "");
        }
        let found = WORDS.iter().find(|(words, _)| told.contains(words));
        Self {
            kind: found.map_or(PullFailureKind::Other, |(_, kind)| *kind),
            message: message.trim().to_owned(),
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        self.kind.hint()
    }
}

impl PullFailureKind {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(self) -> Option<&'static str> {
        match self {
            Self::Denied => {
                Some("check that the credential may pull this repository: imgstack auth check")
            }
            Self::NotFound => Some("is the build still in the registry? Plan again: imgstack plan"),
            Self::NoPlatform => Some(
                "build the image for the node's platform, too, or keep the service off the node with a constraint",
            ),
            Self::NoSpace => {
                Some("make room on the node: `docker system df` there shows what takes it")
            }
            Self::RateLimited => Some("wait, or pull with a credential of a higher limit"),
            Self::Tls => Some(
                "the node's engine must trust the registry's certificate (/etc/docker/certs.d), or know it as one of its insecure-registries",
            ),
            Self::Unreachable => Some(
                "check the way from the node to the registry: its name service, proxy and firewall",
            ),
            Self::Untold => Some(
                "this engine does not say why: check the credential, the node's free disk and its way to the registry; `docker pull` there tells more",
            ),
            Self::Other => None,
        }
    }
}

impl fmt::Display for PullFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::{PullFailure, PullFailureKind as K};

    #[test]
    fn kinds_by_the_words_of_engines() {
        let table = [
            (
                "Get \"http://10.77.0.1:5001/v2/a/b/manifests/sha256:00\": denied",
                K::Denied,
            ),
            (
                "Head \"https://ghcr.io/v2/a/b/manifests/16\": unauthorized",
                K::Denied,
            ),
            (
                "Error response from daemon: unauthorized: authentication required",
                K::Denied,
            ),
            (
                "pull access denied for a/b, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
                K::Denied,
            ),
            (
                "Get https://r/v2/a/b/manifests/16: no basic auth credentials",
                K::Denied,
            ),
            (
                "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://ghcr.io/token: 403 Forbidden",
                K::Denied,
            ),
            (
                "manifest for a/b:16 not found: manifest unknown: manifest unknown",
                K::NotFound,
            ),
            (
                "failed to resolve reference \"ghcr.io/a/b:16\": ghcr.io/a/b:16: not found",
                K::NotFound,
            ),
            (
                "name unknown: repository name not known to registry",
                K::NotFound,
            ),
            (
                "no matching manifest for linux/arm64/v8 in the manifest list entries",
                K::NoPlatform,
            ),
            (
                "no match for platform in manifest: not found",
                K::NoPlatform,
            ),
            (
                "image operating system \"windows\" cannot be used on this platform",
                K::NoPlatform,
            ),
            (
                "write /var/lib/docker/tmp/GetImageBlob123: no space left on device",
                K::NoSpace,
            ),
            (
                "failed to register layer: Error processing tar file(exit status 1): write /bin/x: no space left on device",
                K::NoSpace,
            ),
            (
                "toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit",
                K::RateLimited,
            ),
            (
                "unexpected status code 429 Too Many Requests",
                K::RateLimited,
            ),
            (
                "Get \"https://r:5000/v2/\": x509: certificate signed by unknown authority",
                K::Tls,
            ),
            (
                "Get \"https://r:5000/v2/\": http: server gave HTTP response to HTTPS client",
                K::Tls,
            ),
            (
                "Get \"https://r/v2/\": remote error: tls: handshake failure",
                K::Tls,
            ),
            (
                "Get \"http://10.77.0.1:5009/v2/\": dial tcp 10.77.0.1:5009: connect: connection refused",
                K::Unreachable,
            ),
            (
                "Get \"https://nowhere/v2/\": dial tcp: lookup nowhere: no such host",
                K::Unreachable,
            ),
            (
                "Get \"https://r/v2/\": net/http: TLS handshake timeout",
                K::Unreachable,
            ),
            (
                "Get \"https://r/v2/\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
                K::Unreachable,
            ),
            (
                "received unexpected HTTP status: 503 Service Unavailable",
                K::Unreachable,
            ),
            ("unexpected EOF", K::Unreachable),
            ("No such image: ghcr.io/a/b:16@sha256:00", K::Untold),
            (
                "filesystem layer verification failed for digest sha256:00",
                K::Other,
            ),
        ];
        let reference = "ghcr.io/a/b:16".parse().unwrap();
        for (message, kind) in table {
            let failure = PullFailure::of(message, &reference);
            assert_eq!(failure.kind, kind, "{message}");
            assert_eq!(failure.to_string(), message);
        }
    }

    #[test]
    fn the_words_of_a_name_say_nothing() {
        for name in [
            "ghcr.io/acme/denied:16",
            "unauthorized:16",
            "ghcr.io/acme/db:denied",
        ] {
            let reference = name.parse().unwrap();
            let message = format!("manifest for {name} not found: manifest unknown");
            let kind = PullFailure::of(&message, &reference).kind;
            assert_eq!(kind, K::NotFound, "{name}");
        }
    }
}
