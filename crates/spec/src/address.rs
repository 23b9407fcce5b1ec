//! Addresses: how a plan, a person and `--target` name a thing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{ImageName, NameError, RegistryHost, ServiceName};

/// A thing that the spec or the plan speaks of, such as
/// `service.postgres_postgres-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Address {
    /// `image.NAME`
    Image(ImageName),
    /// `node.HOSTNAME`
    Node(String),
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
            Some(("node", name)) if !name.is_empty() => Ok(Self::Node(name.to_owned())),
            Some(("registry", host)) if !host.is_empty() => {
                Ok(Self::Registry(RegistryHost::new(host)))
            }
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
