//! Addresses: how a plan, a person and `--target` name a thing.
//!
//! Deliberately absent: addresses of stacks, since names are unique over all
//! the stacks that are read together.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{ImageName, NameError, NodeName, ReferenceError, RegistryHost, ServiceName};

/// A thing that the spec or the plan speaks of, such as
/// `service.postgres_postgres-1`.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub enum Address {
    /// `image.NAME`
    Image(ImageName),
    /// `node.HOSTNAME`
    Node(NodeName),
    /// `registry.HOST`
    Registry(RegistryHost),
    /// `service.NAME`
    Service(ServiceName),
    /// `swarm`: the cluster itself.
    Swarm,
}

/// Why a string is not an address.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AddressError {
    /// No known kind before the first dot.
    #[error(
        "`{0}` is not an address: write image.NAME, service.NAME, node.HOSTNAME or registry.HOST"
    )]
    Kind(String),
    /// The part after the kind is not a name.
    #[error("`{address}` is not an address: {cause}")]
    Name {
        /// What was given.
        address: String,
        /// What is wrong with the name in it.
        cause: NameError,
    },
    /// The part after `registry.` is not a host.
    #[error("`{address}` is not an address: {cause}")]
    Host {
        /// What was given.
        address: String,
        /// What is wrong with the host in it.
        cause: ReferenceError,
    },
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let named = |cause| AddressError::Name {
            address: text.to_owned(),
            cause,
        };
        if text == "swarm" {
            return Ok(Self::Swarm);
        }
        match text.split_once('.') {
            Some(("image", name)) => name.parse().map(Self::Image).map_err(named),
            Some(("service", name)) => name.parse().map(Self::Service).map_err(named),
            Some(("node", name)) => name.parse().map(Self::Node).map_err(named),
            Some(("registry", host)) if !host.is_empty() => host
                .parse()
                .map(Self::Registry)
                .map_err(|cause| AddressError::Host {
                    address: text.to_owned(),
                    cause,
                }),
            _ => Err(AddressError::Kind(text.to_owned())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(name) => write!(f, "image.{name}"),
            Self::Node(name) => write!(f, "node.{name}"),
            Self::Registry(host) => write!(f, "registry.{host}"),
            Self::Service(name) => write!(f, "service.{name}"),
            Self::Swarm => f.write_str("swarm"),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kind_and_name() {
        for text in [
            "image.patroni-postgres",
            "image.a.b",
            "node.docker-infra-1",
            "node.docker-infra-1.example.org",
            "registry.ghcr.io",
            "registry.localhost:5000",
            "registry.[::1]:5000",
            "service.postgres_postgres-1",
            "swarm",
        ] {
            let address: Address = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        let own = str::to_owned;
        for text in [
            "",
            "service",
            "postgres_postgres-1",
            "Service.a",
            "registry.",
            "swarm.a",
        ] {
            assert_eq!(text.parse::<Address>(), Err(AddressError::Kind(own(text))));
        }
        let name = |address: &str, cause| {
            let address = own(address);
            Err(AddressError::Name { address, cause })
        };
        let cases = [
            ("service.", name("service.", NameError::Empty)),
            ("service.a.b", name("service.a.b", NameError::ServiceForm)),
            ("image.a b", name("image.a b", NameError::Form)),
            ("node.", name("node.", NameError::Empty)),
            ("node.a b", name("node.a b", NameError::Form)),
            (
                "registry.ghcr.io/a",
                Err(AddressError::Host {
                    address: own("registry.ghcr.io/a"),
                    cause: ReferenceError::Host(own("ghcr.io/a")),
                }),
            ),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Address>(), error);
        }
    }
}
