//! `spec.nodes`: how nodes are reached and kept.
//!
//! Rules are merged key by key: of the rules that match a node, one by `name`
//! comes first and the others in file order, and for each key the first that
//! gives it wins. So a rule for all nodes may say the common things and a rule
//! for one node what is different there.
//!
//! Deliberately absent: which nodes may run a service, which the Swarm says.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Stack;
use crate::{ByteSize, EngineTemplate, NodeName};

/// One entry of `spec.nodes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeRule {
    /// The nodes it is for.
    pub which: NodeMatch,
    /// How to reach the engine of such a node. None: not said here.
    pub engine: Option<EngineTemplate>,
    /// Whether `docker login` is done there. None: not said here, as opposed to
    /// a `false` that is to win over another rule's `true`.
    pub login: Option<bool>,
    /// The space that pulls must leave free on the engine's data root. None:
    /// not said here.
    #[serde(rename = "minimumFreeDiskBytes")]
    pub minimum_free_disk: Option<ByteSize>,
}

/// The nodes that a rule is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NodeMatch {
    /// Those with this hostname.
    Name(NodeName),
    /// Those with these properties, also ones that join later.
    Selector(Selector),
}

/// Properties that a node has, all of them. None matches every node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    /// Its role.
    pub role: Option<NodeRole>,
    /// Its labels (`node.labels.…`, not those of its engine) and their values.
    pub labels: BTreeMap<String, String>,
}

/// What a node is for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum NodeRole {
    /// Keeps the state of the Swarm.
    Manager,
    /// Runs tasks only.
    Worker,
}

/// What the rules together say of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeSettings {
    /// How to reach its engine. None: through the manager.
    pub engine: Option<EngineTemplate>,
    /// Whether `docker login` is done there.
    pub login: bool,
    /// The space that pulls must leave free on the engine's data root.
    #[serde(rename = "minimumFreeDiskBytes")]
    pub minimum_free_disk: Option<ByteSize>,
}

impl NodeMatch {
    /// Whether a node is one of these. As in the constraints of services, case
    /// makes no difference to hostnames and values.
    #[must_use]
    pub fn matches(
        &self,
        hostname: &str,
        role: NodeRole,
        labels: &BTreeMap<String, String>,
    ) -> bool {
        match self {
            Self::Name(name) => name.as_str().eq_ignore_ascii_case(hostname),
            Self::Selector(selector) => selector.matches(role, labels),
        }
    }
}

impl Selector {
    fn matches(&self, role: NodeRole, labels: &BTreeMap<String, String>) -> bool {
        let has = |(key, value): (&String, &String)| {
            labels
                .get(key)
                .is_some_and(|own| own.eq_ignore_ascii_case(value))
        };
        self.role.is_none_or(|wanted| wanted == role) && self.labels.iter().all(has)
    }

    /// Whether every node of the other's is one of this one's, too.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let has = |(key, value): (&String, &String)| {
            let own = other.labels.get(key);
            own.is_some_and(|own| own.eq_ignore_ascii_case(value))
        };
        (self.role.is_none() || self.role == other.role) && self.labels.iter().all(has)
    }

    /// Whether a node can be one of both.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let agrees = |(key, value): (&String, &String)| {
            let own = other.labels.get(key);
            own.is_none_or(|own| own.eq_ignore_ascii_case(value))
        };
        let roles = self.role.is_none() || other.role.is_none() || self.role == other.role;
        roles && self.labels.iter().all(agrees)
    }
}

impl Stack {
    /// What `spec.nodes` says of a node: the rules that match it, merged. None
    /// when none does.
    #[must_use]
    pub fn node_rule(
        &self,
        hostname: &str,
        role: NodeRole,
        labels: &BTreeMap<String, String>,
    ) -> Option<NodeSettings> {
        let mut rules: Vec<_> = self
            .nodes
            .iter()
            .filter(|rule| rule.which.matches(hostname, role, labels))
            .collect();
        // Stable, so that file order stays within each of the two kinds.
        rules.sort_by_key(|rule| match rule.which {
            NodeMatch::Name(_) => 0,
            NodeMatch::Selector(_) => 1,
        });
        let settings = NodeSettings {
            engine: rules.iter().find_map(|rule| rule.engine.clone()),
            login: rules.iter().find_map(|rule| rule.login).unwrap_or(false),
            minimum_free_disk: rules.iter().find_map(|rule| rule.minimum_free_disk),
        };
        (!rules.is_empty()).then_some(settings)
    }
}
