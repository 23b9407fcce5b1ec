//! Which nodes a service may run on by their nature: constraints and platforms,
//! judged as Swarm's own scheduler judges them.
//!
//! Source: swarmkit `manager/constraint/constraint.go` and the platform filter
//! of `manager/scheduler/filter.go`.
//!
//! Deliberately absent: what passes, such as free resources, ports in use or
//! plugins, and whether the node takes tasks now, which is
//! [`Node::takes_tasks`]. A node that is full today needs its image tomorrow.

use std::fmt;
use std::net::IpAddr;

use imgstack_spec::Platform;
use thiserror::Error;

use crate::{Node, NodeRole, RawService};

/// One expression of `Placement.Constraints`, such as `node.role == worker`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    key: String,
    equal: bool,
    value: String,
}

/// Why a text is no constraint.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{0}` is no placement constraint")]
pub struct ConstraintError(pub String);

/// What a service asks of a node's nature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// All of them must hold.
    pub constraints: Vec<Constraint>,
    /// One of them must be the node's; none means any. An empty word is any.
    pub platforms: Vec<Platform>,
}

/// Why a node is not one that a service may run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// This one does not hold.
    Constraint(Constraint),
    /// The image is for none that the node has.
    Platform,
}

impl Constraint {
    /// Reads `KEY == VALUE` or `KEY != VALUE`.
    ///
    /// # Errors
    /// When Swarm would not take it either.
    pub fn parse(text: &str) -> Result<Self, ConstraintError> {
        let (equal, split) = match text.split_once("==") {
            Some(split) => (true, Some(split)),
            None => (false, text.split_once("!=")),
        };
        let (key, value) = split.ok_or_else(|| ConstraintError(text.to_owned()))?;
        let (key, value) = (key.trim(), value.trim());
        if !is_key(key) || !is_value(value) {
            return Err(ConstraintError(text.to_owned()));
        }
        Ok(Self {
            key: key.to_owned(),
            equal,
            value: value.to_owned(),
        })
    }

    /// Whether it holds for a node. A key that Swarm does not know never does.
    #[must_use]
    pub fn holds(&self, node: &Node) -> bool {
        let key = self.key.to_ascii_lowercase();
        let actual = match key.as_str() {
            "node.id" => node.id.as_str(),
            "node.hostname" => &node.hostname,
            "node.ip" => return self.holds_for_address(node.address.as_deref()),
            "node.role" => match node.role {
                NodeRole::Manager => "manager",
                NodeRole::Worker => "worker",
            },
            "node.platform.os" => &node.platform.os,
            "node.platform.arch" => &node.machine,
            // The name of a label minds its case, what stands before does not.
            _ if is_label(&key, NODE_LABEL) => label(&node.labels, &self.key[NODE_LABEL.len()..]),
            _ if is_label(&key, ENGINE_LABEL) => {
                label(&node.engine_labels, &self.key[ENGINE_LABEL.len()..])
            }
            _ => return false,
        };
        actual.eq_ignore_ascii_case(&self.value) == self.equal
    }

    /// `node.ip` is compared with an address or with a network.
    fn holds_for_address(&self, actual: Option<&str>) -> bool {
        let actual: Option<IpAddr> = actual.and_then(|text| text.parse().ok());
        let actual = actual.map(|address| address.to_canonical());
        if let Ok(wanted) = self.value.parse::<IpAddr>() {
            return (actual == Some(wanted.to_canonical())) == self.equal;
        }
        match within(&self.value, actual) {
            Some(within) => within == self.equal,
            None => false,
        }
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = if self.equal { "==" } else { "!=" };
        write!(f, "{} {operator} {}", self.key, self.value)
    }
}

impl Placement {
    /// What a service asks for.
    ///
    /// # Errors
    /// When a constraint cannot be read: which nodes it means is unknown.
    pub fn of(service: &RawService) -> Result<Self, ConstraintError> {
        let constraints = service.constraints();
        Ok(Self {
            constraints: constraints
                .into_iter()
                .map(Constraint::parse)
                .collect::<Result<_, _>>()?,
            platforms: service.platforms(),
        })
    }

    /// Whether a node is one that the service may run on, and if not, why.
    ///
    /// # Errors
    /// The first reason that Swarm would find.
    pub fn admits(&self, node: &Node) -> Result<(), Unfit> {
        let broken = self.constraints.iter().find(|it| !it.holds(node));
        if let Some(constraint) = broken {
            return Err(Unfit::Constraint(constraint.clone()));
        }
        let fits = self
            .platforms
            .iter()
            .any(|wanted| is_platform(wanted, node));
        match fits || self.platforms.is_empty() {
            true => Ok(()),
            false => Err(Unfit::Platform),
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constraint(constraint) => write!(f, "`{constraint}` does not hold"),
            Self::Platform => f.write_str("the image is not for its platform"),
        }
    }
}

const NODE_LABEL: &str = "node.labels.";
const ENGINE_LABEL: &str = "engine.labels.";

fn is_label(key: &str, prefix: &str) -> bool {
    key.len() > prefix.len() && key.starts_with(prefix)
}

fn label<'a>(labels: &'a std::collections::BTreeMap<String, String>, name: &str) -> &'a str {
    labels.get(name).map_or("", String::as_str)
}

/// Two characters at least, the first of them a letter or `_`.
fn is_key(text: &str) -> bool {
    let bytes = text.as_bytes();
    let word = |b: &u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
    bytes.len() >= 2
        && (bytes[0].is_ascii_alphabetic() || bytes[0] == b'_')
        && bytes[1..].iter().all(word)
}

fn is_value(text: &str) -> bool {
    let allowed = |b: u8| {
        b.is_ascii_alphanumeric() || b.is_ascii_whitespace() || br":-_.*()?+[]\^$|/".contains(&b)
    };
    !text.is_empty() && text.bytes().all(allowed)
}

/// Whether an address lies in a network such as `10.77.0.0/24`; None when that
/// is no network.
fn within(network: &str, address: Option<IpAddr>) -> Option<bool> {
    let (base, length) = network.split_once('/')?;
    let base: IpAddr = base.parse().ok()?;
    let (base, bits) = number(base);
    let plain = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
    let length: u32 = length.parse().ok().filter(|it| plain && *it <= bits)?;
    let Some((address, own_bits)) = address.map(number) else {
        return Some(false);
    };
    let differ = (base ^ address).checked_shr(bits - length).unwrap_or(0);
    Some(own_bits == bits && differ == 0)
}

/// An address as a number, and how many bits that has.
fn number(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u32::from(address).into(), 32),
        IpAddr::V6(address) => (address.into(), 128),
    }
}

/// The scheduler's own comparison: two names of kernels are turned into those
/// of images, others stay. An `armv7l` node is no `arm` to it.
fn is_platform(wanted: &Platform, node: &Node) -> bool {
    let (os, machine) = (node.platform.os.as_str(), node.machine.as_str());
    if os.is_empty() && machine.is_empty() {
        return false;
    }
    let same = |wanted: &str, actual: &str| wanted.is_empty() || wanted == actual;
    same(&wanted.os, os) && same(common(&wanted.architecture), common(machine))
}

fn common(architecture: &str) -> &str {
    match architecture {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
pub(crate) mod tests;
