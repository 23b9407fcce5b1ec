//! Image references, by the distribution reference grammar.
//!
//! Source of the rules: `reference/reference.go` of the distribution project
//! and Docker Hub's short names (`postgres` is `docker.io/library/postgres`).
//!
//! Everything is held in its full, canonical form, so that two references are
//! equal exactly when they mean the same; `familiar` shortens for people.
//!
//! Deliberately absent: short names of anything but Docker Hub, and the
//! assumption that a reference without a tag means `latest`.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod error;
#[cfg(test)]
mod tests;

pub use error::ReferenceError;

/// Where a name without a host lives.
const DOCKER_HUB: &str = "docker.io";

/// Docker Hub's old name, which docker still accepts and replaces.
const OLD_DOCKER_HUB: &str = "index.docker.io";

/// The namespace of Docker Hub's official images.
const OFFICIAL: &str = "library/";

/// The longest path that registries accept.
const LONGEST_PATH: usize = 255;

/// The longest tag.
const LONGEST_TAG: usize = 128;

/// A registry's host and port as references name it: `ghcr.io`,
/// `docker.io`, `localhost:5000`, `[::1]:5000`.
///
/// Parsing checks the form and replaces Docker Hub's old name.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct RegistryHost(String);

impl RegistryHost {
    /// Takes the text as it is; parsing is the checked way.
    #[must_use]
    pub fn new(host: &str) -> Self {
        Self(host.to_owned())
    }

    /// The host as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the host is this machine: plain http is allowed there.
    ///
    /// That is `localhost`, `127.0.0.0/8` and `::1`, as for docker; a name
    /// below `localhost` is up to the resolver and so does not count.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let (name, _) = split_port(&self.0);
        if let Some(ip) = bracketed(name) {
            return ip.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback());
        }
        name.eq_ignore_ascii_case("localhost")
            || name.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
    }
}

/// Registry host and path: `ghcr.io/owner/name`.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct Repository {
    host: RegistryHost,
    path: String,
}

impl Repository {
    /// The registry.
    #[must_use]
    pub fn host(&self) -> &RegistryHost {
        &self.host
    }

    /// The path, Docker Hub's `library/` included.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name as docker shows it: without `docker.io/` and `library/`.
    #[must_use]
    pub fn familiar(&self) -> String {
        if self.host.as_str() != DOCKER_HUB {
            return self.to_string();
        }
        let short = self.path.strip_prefix(OFFICIAL).unwrap_or(&self.path);
        if short.contains('/') {
            &self.path
        } else {
            short
        }
        .to_owned()
    }
}

/// A tag, such as `16`.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(String);

impl Tag {
    /// The tag as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Tag {
    /// Whether it leads to what refers to a build, such as its signature, and
    /// not to a build: `sha256-9f31…`, with an ending or without. Registries
    /// without the referrers API keep them so, and people need not see them.
    #[must_use]
    pub fn is_of_referrers(&self) -> bool {
        let Some((algorithm, rest)) = self.0.split_once('-') else {
            return false;
        };
        let hex = rest.split('.').next().unwrap_or_default();
        let is_hex = hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        // The digits of a longer digest are cut to as many.
        matches!(algorithm, "sha256" | "sha512") && hex.len() == 64 && is_hex
    }
}

/// A content digest, such as `sha256:9f31…` with 64 hexadecimal digits.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    /// The digest as text, algorithm included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `sha256` or `sha512`.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        self.0
            .split_once(':')
            .map_or("", |(algorithm, _)| algorithm)
    }

    /// The hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, hex)| hex)
    }
}

/// A reference to an image: repository, and tag or digest or both or neither.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef {
    /// Host and path.
    pub repository: Repository,
    /// The tag, if one is written. `latest` is not assumed.
    pub tag: Option<Tag>,
    /// The digest, if one is written.
    pub digest: Option<Digest>,
}

impl ImageRef {
    /// The reference as docker shows it: without `docker.io/` and `library/`.
    #[must_use]
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        let rest = &full[self.repository.to_string().len()..];
        self.repository.familiar() + rest
    }
}

impl FromStr for RegistryHost {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        let (name, port) = split_port(text);
        let named = match bracketed(name) {
            // The grammar knows no zone and no dotted tail in an address.
            Some(ip) => {
                ip.bytes().all(|b| b.is_ascii_hexdigit() || b == b':')
                    && ip.parse::<Ipv6Addr>().is_ok()
            }
            None => name.split('.').all(is_host_label),
        };
        if !named || !port.is_none_or(is_port) {
            return Err(ReferenceError::Host(text.to_owned()));
        }
        Ok(Self::new(if text == OLD_DOCKER_HUB {
            DOCKER_HUB
        } else {
            text
        }))
    }
}

impl FromStr for Repository {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let ImageRef {
            repository,
            tag,
            digest,
        } = text.parse()?;
        match (tag, digest) {
            (None, None) => Ok(repository),
            (Some(tag), _) => Err(ReferenceError::TagInRepository(tag)),
            (None, Some(digest)) => Err(ReferenceError::DigestInRepository(digest)),
        }
    }
}

impl FromStr for Tag {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let first = text.bytes().next().is_some_and(word);
        let rest = text.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'));
        match text {
            _ if first && rest && text.len() <= LONGEST_TAG => Ok(Self(text.to_owned())),
            _ if first && rest => Err(ReferenceError::LongTag(text.len())),
            _ => Err(ReferenceError::Tag(text.to_owned())),
        }
    }
}

impl FromStr for Digest {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let length = match text.split_once(':') {
            Some(("sha256", hex)) => Some((hex, 64)),
            Some(("sha512", hex)) => Some((hex, 128)),
            _ => None,
        };
        let hexadecimal = |hex: &str| hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match length {
            Some((hex, length)) if hex.len() == length && hexadecimal(hex) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(ReferenceError::Digest(text.to_owned())),
        }
    }
}

impl FromStr for ImageRef {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return Err(ReferenceError::Scheme {
                scheme: format!("{scheme}://"),
                rest: rest.to_owned(),
            });
        }
        let (named, digest) = match text.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (text, None),
        };
        // A colon before the last slash belongs to a port.
        let path = named.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match named[path..].split_once(':') {
            Some((last, tag)) => (&named[..path + last.len()], Some(tag)),
            None => (named, None),
        };
        Ok(Self {
            repository: repository(name)?,
            tag: tag.map(str::parse).transpose()?,
            digest: digest.map(str::parse).transpose()?,
        })
    }
}

/// Reads a name, `ghcr.io/owner/name` or `postgres`, without tag and digest.
fn repository(name: &str) -> Result<Repository, ReferenceError> {
    let (host, path) = split_host(name)?;
    let path = if host.as_str() == DOCKER_HUB && !path.contains('/') {
        format!("{OFFICIAL}{path}")
    } else {
        path.to_owned()
    };
    if path.len() > LONGEST_PATH {
        return Err(ReferenceError::LongPath(path.len()));
    }
    if let Some(bad) = path.split('/').find(|component| !is_component(component)) {
        let lowercase = bad.to_ascii_lowercase();
        return Err(if is_component(&lowercase) {
            ReferenceError::Uppercase {
                part: bad.to_owned(),
                lowercase,
            }
        } else {
            ReferenceError::Path(bad.to_owned())
        });
    }
    // Docker takes such a name for the start of a local image's ID.
    if name.len() == 64 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(ReferenceError::Identifier);
    }
    Ok(Repository { host, path })
}

/// Docker's rule for whether a name begins with a host: it does when the part
/// before the first slash could not be a namespace of Docker Hub.
fn split_host(name: &str) -> Result<(RegistryHost, &str), ReferenceError> {
    match name.split_once('/') {
        Some((host, path))
            if host == "localhost"
                || host.contains(['.', ':'])
                || host.bytes().any(|b| b.is_ascii_uppercase()) =>
        {
            Ok((host.parse()?, path))
        }
        _ => Ok((RegistryHost::new(DOCKER_HUB), name)),
    }
}

/// Splits `host:port`, leaving the colons of a bracketed address alone.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    }
}

fn bracketed(name: &str) -> Option<&str> {
    name.strip_prefix('[')?.strip_suffix(']')
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Letters, digits and inner hyphens.
fn is_host_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    edge(bytes.first())
        && edge(bytes.last())
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || *b == b'-')
}

/// Lowercase letters and digits, with one of `.`, `_`, `__` or any number of
/// hyphens between them.
fn is_component(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let edge = |b: Option<&u8>| b.copied().is_some_and(word);
    edge(bytes.first())
        && edge(bytes.last())
        && text
            .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            .all(|separator| {
                matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-')
            })
}

impl fmt::Display for RegistryHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// serde goes through the text, so that nothing unchecked comes out of a file.
macro_rules! through_text {
    ($($type:ident),*) => {$(
        impl TryFrom<String> for $type {
            type Error = ReferenceError;

            fn try_from(text: String) -> Result<Self, ReferenceError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.to_string()
            }
        }
    )*};
}
through_text!(RegistryHost, Repository, Tag, Digest, ImageRef);
