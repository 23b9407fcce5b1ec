//! Where an engine listens, in docker's notation.
//!
//! Deliberately absent: the search for the endpoint when the spec names none
//! (contexts and the environment are the swarm client's), and docker's default
//! ports, since a guess between TLS and none is one nobody should make.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An engine's address: `unix:///var/run/docker.sock`, `tcp://10.0.0.1:2376`
/// or `ssh://root@manager-1`.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub enum Endpoint {
    /// A socket on this machine.
    Unix(PathBuf),
    /// A port; whether TLS is spoken is not part of the address.
    Tcp {
        /// Host name or address; IPv6 without brackets.
        host: String,
        /// Port; docker's default is 2375, with TLS 2376, and must be written.
        port: u16,
    },
    /// A host reached by ssh, and the engine's socket there.
    Ssh {
        /// Login name; None leaves it to ssh's configuration.
        user: Option<String>,
        /// Host, or an alias of ssh's configuration.
        host: String,
        /// Port; None leaves it to ssh's configuration.
        port: Option<u16>,
        /// The socket on the far side. None: `/var/run/docker.sock`.
        socket: Option<PathBuf>,
    },
}

/// Why a string is not an endpoint.
///
/// No message shows a password: one in the address is noticed before anything
/// else is.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EndpointError {
    /// Not one of the three schemes.
    #[error(
        "`{0}` is not an engine's address: write ssh://[USER@]HOST, tcp://HOST:PORT or unix:///PATH"
    )]
    Scheme(String),
    /// The host is missing or malformed.
    #[error("`{0}` names no host")]
    Host(String),
    /// A login name that is empty or has characters a login name cannot have.
    #[error("`{0}` has no login name before its `@`")]
    User(String),
    /// `tcp` without a port, or a port that is no number from 1 to 65535.
    #[error("`{0}` needs a port from 1 to 65535, such as 2376")]
    Port(String),
    /// A socket path that is not absolute.
    #[error("`{0}` needs an absolute path, such as unix:///var/run/docker.sock")]
    Path(String),
    /// Something stands behind the port of a `tcp` address.
    #[error("`{0}` ends with its port: nothing can follow")]
    Trailing(String),
    /// A password has no place in an address.
    #[error("an engine's address cannot hold a password")]
    Password,
}

impl EndpointError {
    /// The same mistake, of a text that this one has been made from.
    pub(crate) fn of(self, text: &str) -> Self {
        let text = text.to_owned();
        match self {
            Self::Scheme(_) => Self::Scheme(text),
            Self::Host(_) => Self::Host(text),
            Self::User(_) => Self::User(text),
            Self::Port(_) => Self::Port(text),
            Self::Path(_) => Self::Path(text),
            Self::Trailing(_) => Self::Trailing(text),
            Self::Password => Self::Password,
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or_else(|| EndpointError::Scheme(text.to_owned()))?;
        if scheme == "unix" {
            return socket(text, rest).map(Self::Unix);
        }
        if rest
            .rsplit_once('@')
            .is_some_and(|(user, _)| user.contains(':'))
        {
            return Err(EndpointError::Password);
        }
        match scheme {
            "tcp" => tcp(text, rest),
            "ssh" => ssh(text, rest),
            _ => Err(EndpointError::Scheme(text.to_owned())),
        }
    }
}

fn tcp(text: &str, rest: &str) -> Result<Endpoint, EndpointError> {
    let (authority, path) = split_path(rest);
    if !matches!(path, "" | "/") {
        return Err(EndpointError::Trailing(text.to_owned()));
    }
    let (host, port) = host_and_port(text, authority)?;
    Ok(Endpoint::Tcp {
        host,
        port: port.ok_or_else(|| EndpointError::Port(text.to_owned()))?,
    })
}

fn ssh(text: &str, rest: &str) -> Result<Endpoint, EndpointError> {
    let (authority, path) = split_path(rest);
    let (user, address) = match authority.rsplit_once('@') {
        Some((user, address)) if is_word(user, "_.-+@\\") => (Some(user.to_owned()), address),
        Some(_) => return Err(EndpointError::User(text.to_owned())),
        None => (None, authority),
    };
    let (host, port) = host_and_port(text, address)?;
    let socket = match path {
        "" | "/" => None,
        path => Some(socket(text, path)?),
    };
    Ok(Endpoint::Ssh {
        user,
        host,
        port,
        socket,
    })
}

fn split_path(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find('/').unwrap_or(rest.len()))
}

fn socket(text: &str, path: &str) -> Result<PathBuf, EndpointError> {
    if path.len() > 1 && path.starts_with('/') && !path.contains(char::is_control) {
        Ok(PathBuf::from(path))
    } else {
        Err(EndpointError::Path(text.to_owned()))
    }
}

/// Reads `host`, `host:port`, `[ipv6]` or `[ipv6]:port`.
fn host_and_port(text: &str, address: &str) -> Result<(String, Option<u16>), EndpointError> {
    let no_host = || EndpointError::Host(text.to_owned());
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (ip, port) = rest.split_once(']').ok_or_else(no_host)?;
            ip.parse::<Ipv6Addr>().map_err(|_| no_host())?;
            match port.strip_prefix(':') {
                None if !port.is_empty() => return Err(no_host()),
                port => (ip, port),
            }
        }
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    if !host.contains(':') && !is_word(host, "_.-") {
        return Err(no_host());
    }
    let number = |port: &str| match port.parse::<u16>() {
        Ok(number) if number > 0 && !port.starts_with('+') => Ok(number),
        _ => Err(EndpointError::Port(text.to_owned())),
    };
    Ok((host.to_owned(), port.map(number).transpose()?))
}

/// Letters, digits and the extra characters; never a leading hyphen, which a
/// program called with it would take for an option.
fn is_word(text: &str, extra: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port } => write!(f, "tcp://{}:{port}", bracket(host)),
            Self::Ssh {
                user,
                host,
                port,
                socket,
            } => {
                f.write_str("ssh://")?;
                if let Some(user) = user {
                    write!(f, "{user}@")?;
                }
                f.write_str(&bracket(host))?;
                if let Some(port) = port {
                    write!(f, ":{port}")?;
                }
                match socket {
                    Some(socket) => write!(f, "{}", socket.display()),
                    None => Ok(()),
                }
            }
        }
    }
}

/// An IPv6 address needs brackets before a port.
fn bracket(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

impl TryFrom<String> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: String) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> String {
        endpoint.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_has_one_canonical_form() {
        let same = [
            "unix:///var/run/docker.sock",
            "unix:///run/user/1000/a b.sock",
            "tcp://10.0.0.1:2376",
            "tcp://manager-1.example:2375",
            "tcp://[2001:db8::1]:2376",
            "ssh://manager-1",
            "ssh://root@manager-1",
            "ssh://root@10.77.0.12:2222",
            "ssh://deploy@[::1]:22",
            "ssh://[::1]",
            "ssh://root@my_alias/run/docker.sock",
            "ssh://a@b@host",
        ];
        for text in same {
            let endpoint: Endpoint = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(endpoint.to_string(), text);
        }
        for (text, canonical) in [
            ("tcp://a:1/", "tcp://a:1"),
            ("ssh://root@a/", "ssh://root@a"),
            ("ssh://a:022", "ssh://a:22"),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_for_the_right_reason() {
        use EndpointError as E;
        type Reason = fn(String) -> E;
        let cases: [(&str, Reason); 33] = [
            ("", E::Scheme),
            ("manager-1", E::Scheme),
            ("root@manager-1", E::Scheme),
            ("http://manager-1:2375", E::Scheme),
            ("npipe:////./pipe/docker_engine", E::Scheme),
            ("SSH://manager-1", E::Scheme),
            (" ssh://manager-1", E::Scheme),
            ("ssh:/manager-1", E::Scheme),
            ("ssh://", E::Host),
            ("ssh:///run/docker.sock", E::Host),
            ("ssh://root@", E::Host),
            ("ssh://-oProxyCommand=x", E::Host),
            ("ssh://a b", E::Host),
            ("ssh://a?x=1", E::Host),
            ("ssh://mänager", E::Host),
            ("ssh://[::1", E::Host),
            ("ssh://[::1]x", E::Host),
            ("ssh://[manager]", E::Host),
            ("tcp://:2375", E::Host),
            ("ssh://@a", E::User),
            ("ssh://-l@a", E::User),
            ("ssh://a b@c", E::User),
            ("ssh://a:", E::Port),
            ("ssh://a:0", E::Port),
            ("ssh://a:x", E::Port),
            ("tcp://a", E::Port),
            ("tcp://a:65536", E::Port),
            ("tcp://a:+1", E::Port),
            ("tcp://a:1/x", E::Trailing),
            ("unix://", E::Path),
            ("unix:///", E::Path),
            ("unix://run/docker.sock", E::Path),
            ("unix:///a\0b", E::Path),
        ];
        for (text, error) in cases {
            assert_eq!(
                text.parse::<Endpoint>(),
                Err(error(text.to_owned())),
                "{text}"
            );
        }
    }

    #[test]
    fn a_password_is_refused_and_not_repeated() {
        for text in [
            "ssh://root:hunter2@manager-1",
            "ssh://root:hun/ter2@manager-1",
            "tcp://root:hunter2@a:2376",
            "https://root:hunter2@a",
        ] {
            let error = text.parse::<Endpoint>().unwrap_err();
            assert_eq!(error, EndpointError::Password, "{text}");
            assert!(!error.to_string().contains("ter2"));
        }
    }
}
