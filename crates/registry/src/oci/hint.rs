//! What to do about an error, in words for its reader.
//!
//! A registry that hides what one may not see answers "denied" where it could
//! say "does not exist"; such a hint names both readings.

use imgstack_spec::{RegistryHost, Repository, Tag};

use super::error::Error;
use crate::github::GHCR;
use crate::http::{Answer, TlsFault};

impl Error {
    /// What helps. One or two sentences, without a line break.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::AuthenticationRequired { repository, .. } => nobody(repository),
            Self::CredentialRejected {
                repository,
                origin,
                answer,
            } => rejected(repository, origin, answer),
            Self::UnsupportedToken { origin, .. } => fine_grained(origin),
            Self::CredentialUnavailable { cause, .. } => cause.hint(),
            Self::NoPackageAccess {
                repository, origin, ..
            } => no_access(repository, origin),
            Self::NoPushAccess { repository, .. } => grant(
                repository.host(),
                "write access (a token needs `write:packages`)",
            ),
            Self::RateLimited { resets_in, .. } => limited(resets_in.is_some()),
            Self::RepositoryNotFound { repository, .. } => no_repository(repository),
            Self::TagNotFound { tag, .. } => no_tag(tag),
            Self::ManifestDeleted { .. } => {
                "a clean-up of the registry has removed it: roll back to a build that is still \
                 there, or build again"
                    .to_owned()
            }
            Self::PlatformMissing { platform, .. } => format!(
                "add {platform} to the platforms of the build, or keep the service off such nodes"
            ),
            Self::Integrity { .. } => {
                "something between here and the registry changes content, such as a proxy or a \
                 cache: nothing of it is used"
                    .to_owned()
            }
            Self::Tls { host, fault, .. } => tls(host, *fault),
            Self::Unavailable { host, .. } => format!(
                "check that {host} is up, and that its name resolves and its port is reachable \
                 from this machine"
            ),
            Self::Protocol { host, .. } => format!(
                "{host} does not behave as a registry should: check that the host is right and \
                 that no proxy or login page answers in its place"
            ),
        }
    }
}

fn nobody(repository: &Repository) -> String {
    format!(
        "{repository} is private, or does not exist: check the spelling, then {}",
        provide_credential(repository.host())
    )
}

fn rejected(repository: &Repository, origin: &str, answer: &Answer) -> String {
    // 401 is about who one is; 403 may hide what there is.
    let masked = if answer.status == 403 {
        format!(", or {repository} does not exist and the registry hides that")
    } else {
        String::new()
    };
    format!(
        "the credential from {origin} is wrong, expired, revoked or not authorised for single \
         sign-on{masked}: make a new one{} and put it there",
        needed(repository.host())
    )
}

pub(super) fn fine_grained(origin: &str) -> String {
    format!(
        "make a classic personal access token with `read:packages` and put it into {origin}; \
         fine-grained tokens work for GitHub's API, not for its registry"
    )
}

fn no_access(repository: &Repository, origin: &str) -> String {
    format!(
        "the account of {origin} may not read {repository}, or there is no such repository and \
         the registry hides that: check the spelling, then {}",
        grant(repository.host(), "read access")
    )
}

fn limited(told: bool) -> String {
    let when = if told {
        "when the limit has reset"
    } else {
        "in some minutes"
    };
    format!("run it again {when}; a credential usually has a higher limit than none")
}

fn no_repository(repository: &Repository) -> String {
    format!(
        "check the spelling of `{}`; a repository appears with its first push, and some \
         registries hide a private one in this way",
        repository.path()
    )
}

fn no_tag(tag: &Tag) -> String {
    format!(
        "check the spelling of `{}` and of the repository, and whether the build that pushes the \
         tag has finished",
        tag.as_str()
    )
}

fn is_ghcr(host: &RegistryHost) -> bool {
    host.as_str() == GHCR
}

fn provide_credential(host: &RegistryHost) -> String {
    let token = if is_ghcr(host) {
        " (a classic token with `read:packages`)"
    } else {
        ""
    };
    format!(
        "give {host} a `username` and a `password` under `registries` in the spec, or run \
         `docker login {host}`{token}"
    )
}

fn needed(host: &RegistryHost) -> &'static str {
    if is_ghcr(host) {
        " (classic, with `read:packages`)"
    } else {
        ""
    }
}

fn grant(host: &RegistryHost, access: &str) -> String {
    if is_ghcr(host) {
        format!(
            "give the account {access} in the package's settings, under Manage Actions access or Manage access"
        )
    } else {
        format!("give the account {access} at {host}")
    }
}

fn tls(host: &RegistryHost, fault: TlsFault) -> String {
    match fault {
        TlsFault::PlainPort => format!(
            "if {host} is meant to be plain http, write `insecure: true` at its entry under \
             `registries`; only loopback needs no such line"
        ),
        TlsFault::TlsPort => {
            format!("take `insecure: true` away from {host}: it speaks https")
        }
        TlsFault::Handshake => format!(
            "have the certificate of {host} signed by an authority that this machine trusts, or \
             add its authority to the system's trust store"
        ),
    }
}
