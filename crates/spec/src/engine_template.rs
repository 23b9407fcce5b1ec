//! How to reach the engine of each node: an endpoint with placeholders.
//!
//! What takes a placeholder's place comes from the Swarm, where a node says
//! what it is called; so a hostname or an address is put in only when it is
//! one, and cannot lead a login to another host.

use std::fmt;
use std::net::IpAddr;
use std::ops::Range;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Endpoint, EndpointError, NodeName};

/// The hostname of the node, as Swarm has it.
const HOSTNAME: &str = "{hostname}";

/// The address at which the managers see the node.
const ADDRESS: &str = "{address}";

/// An endpoint in which `{hostname}` and `{address}` stand for those of a
/// node: `ssh://root@{hostname}`. Also one without placeholders.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct EngineTemplate(String);

/// Why a string is not a template, or why it cannot be filled in for a node.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EngineTemplateError {
    /// Something else between braces.
    #[error("`{0}` is not a placeholder")]
    Placeholder(String),
    /// A brace that belongs to no placeholder.
    #[error("`{0}` has a brace that belongs to no placeholder")]
    Brace(String),
    /// No endpoint, whatever the placeholders stand for.
    #[error(transparent)]
    Endpoint(EndpointError),
    /// A node whose hostname is none that may stand in an address.
    #[error("the node calls itself `{0}`, which is not a hostname")]
    Hostname(String),
    /// A node whose address the managers do not know, or not as an IP address.
    #[error("the Swarm knows no address of the node, and `{0}` needs it")]
    Address(String),
}

impl EngineTemplate {
    /// The endpoint of one node.
    ///
    /// # Errors
    /// When the node's hostname or address is wanted and is not one.
    pub fn endpoint(
        &self,
        hostname: &str,
        address: Option<&str>,
    ) -> Result<Endpoint, EngineTemplateError> {
        let mut text = self.0.clone();
        if text.contains(HOSTNAME) {
            let name: NodeName = hostname
                .parse()
                .map_err(|_| EngineTemplateError::Hostname(hostname.to_owned()))?;
            text = text.replace(HOSTNAME, name.as_str());
        }
        if text.contains(ADDRESS) {
            let address = address.and_then(|it| it.parse::<IpAddr>().ok());
            let address = address.filter(|it| !it.is_unspecified());
            text = text.replace(
                ADDRESS,
                &match address {
                    None => return Err(EngineTemplateError::Address(self.0.clone())),
                    Some(IpAddr::V4(address)) => address.to_string(),
                    Some(IpAddr::V6(address)) => format!("[{address}]"),
                },
            );
        }
        text.parse().map_err(EngineTemplateError::Endpoint)
    }

    /// Whether the engine is reached by ssh, as a login on the node needs.
    #[must_use]
    pub fn is_ssh(&self) -> bool {
        self.0.starts_with("ssh://")
    }

    /// Whether it stands for different engines on different nodes.
    #[must_use]
    pub fn has_placeholder(&self) -> bool {
        self.0.contains(HOSTNAME) || self.0.contains(ADDRESS)
    }

    /// The template as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EngineTemplate {
    type Err = EngineTemplateError;

    fn from_str(text: &str) -> Result<Self, EngineTemplateError> {
        // Before anything else that would repeat the text.
        if text.parse::<Endpoint>() == Err(EndpointError::Password) {
            return Err(EngineTemplateError::Endpoint(EndpointError::Password));
        }
        for placeholder in placeholders(text)? {
            let placeholder = &text[placeholder];
            if ![HOSTNAME, ADDRESS].contains(&placeholder) {
                return Err(EngineTemplateError::Placeholder(placeholder.to_owned()));
            }
        }
        let template = Self(text.to_owned());
        match template.endpoint("node-1", Some("192.0.2.1")) {
            Ok(_) => Ok(template),
            Err(EngineTemplateError::Endpoint(error)) => {
                Err(EngineTemplateError::Endpoint(error.of(text)))
            }
            Err(error) => Err(error),
        }
    }
}

/// What stands between braces, with them.
fn placeholders(text: &str) -> Result<Vec<Range<usize>>, EngineTemplateError> {
    let mut found = Vec::new();
    let mut open = None;
    for (at, c) in text.char_indices() {
        match (c, open) {
            ('{', None) => open = Some(at),
            ('}', Some(start)) => {
                found.push(start..at + 1);
                open = None;
            }
            ('{' | '}', _) => return Err(EngineTemplateError::Brace(text.to_owned())),
            _ => {}
        }
    }
    match open {
        Some(_) => Err(EngineTemplateError::Brace(text.to_owned())),
        None => Ok(found),
    }
}

/// The placeholder that was meant by another word between braces.
pub(crate) fn meant(placeholder: &str) -> Option<&'static str> {
    let word = placeholder.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|it| word.contains(it));
    if has(&["host", "name"]) {
        Some(HOSTNAME)
    } else if has(&["addr", "ip"]) {
        Some(ADDRESS)
    } else {
        None
    }
}

impl fmt::Display for EngineTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for EngineTemplate {
    type Error = EngineTemplateError;

    fn try_from(text: String) -> Result<Self, EngineTemplateError> {
        text.parse()
    }
}

impl From<EngineTemplate> for String {
    fn from(template: EngineTemplate) -> String {
        template.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str, hostname: &str, address: Option<&str>) -> String {
        let template: EngineTemplate = template
            .parse()
            .unwrap_or_else(|error| panic!("{template}: {error}"));
        match template.endpoint(hostname, address) {
            Ok(endpoint) => endpoint.to_string(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn placeholders_are_filled_in() {
        let known = Some("10.0.0.7");
        let cases = [
            ("ssh://root@{hostname}", known, "ssh://root@Node_1.example"),
            ("ssh://{hostname}", None, "ssh://Node_1.example"),
            (
                "ssh://{hostname}.lan:2222",
                None,
                "ssh://Node_1.example.lan:2222",
            ),
            (
                "ssh://{hostname}@{address}",
                known,
                "ssh://Node_1.example@10.0.0.7",
            ),
            ("tcp://{address}:2376", known, "tcp://10.0.0.7:2376"),
            (
                "tcp://{address}:2376",
                Some("fd00::7"),
                "tcp://[fd00::7]:2376",
            ),
            (
                "ssh://root@{address}",
                Some("fd00::7"),
                "ssh://root@[fd00::7]",
            ),
            (
                "unix:///run/{hostname}.sock",
                None,
                "unix:///run/Node_1.example.sock",
            ),
            (
                "unix:///var/run/docker.sock",
                None,
                "unix:///var/run/docker.sock",
            ),
        ];
        for (template, address, expected) in cases {
            let filled = filled(template, "Node_1.example", address);
            assert_eq!(filled, expected, "{template}");
        }
    }

    /// A node says itself what it is called.
    #[test]
    fn a_node_cannot_lead_elsewhere() {
        for hostname in [
            "",
            "evil@elsewhere",
            "a:b@c",
            "elsewhere/run/evil.sock",
            "elsewhere:22",
            "-oProxyCommand=x",
            "a b",
            "{address}",
            "a\nb",
        ] {
            let error =
                format!("error: the node calls itself `{hostname}`, which is not a hostname");
            let template = "ssh://root@{hostname}";
            assert_eq!(filled(template, hostname, Some("10.0.0.7")), error);
            // Where its name is not wanted, it may be what it is.
            let own = filled("ssh://root@{address}", hostname, Some("10.0.0.7"));
            assert_eq!(own, "ssh://root@10.0.0.7");
        }
        for address in [
            None,
            Some(""),
            Some("elsewhere"),
            Some("10.0.0.7@evil"),
            Some("0.0.0.0"),
        ] {
            let error =
                "error: the Swarm knows no address of the node, and `tcp://{address}:1` needs it";
            assert_eq!(
                filled("tcp://{address}:1", "a", address),
                error,
                "{address:?}"
            );
        }
    }

    #[test]
    fn what_is_no_template_is_refused_for_the_right_reason() {
        use EngineTemplateError as E;
        let own = str::to_owned;
        let endpoint =
            |error: fn(String) -> EndpointError, text: &str| E::Endpoint(error(text.to_owned()));
        let cases = [
            ("", endpoint(EndpointError::Scheme, "")),
            ("{hostname}", endpoint(EndpointError::Scheme, "{hostname}")),
            (
                "http://{hostname}",
                endpoint(EndpointError::Scheme, "http://{hostname}"),
            ),
            (
                "tcp://{hostname}",
                endpoint(EndpointError::Port, "tcp://{hostname}"),
            ),
            (
                "tcp://a:{hostname}",
                endpoint(EndpointError::Port, "tcp://a:{hostname}"),
            ),
            (
                "{hostname}://a",
                endpoint(EndpointError::Scheme, "{hostname}://a"),
            ),
            (
                "unix://{hostname}",
                endpoint(EndpointError::Path, "unix://{hostname}"),
            ),
            (
                "ssh://[{address}]",
                endpoint(EndpointError::Host, "ssh://[{address}]"),
            ),
            ("ssh://{host}", E::Placeholder(own("{host}"))),
            ("ssh://{Hostname}", E::Placeholder(own("{Hostname}"))),
            ("ssh://{ hostname }", E::Placeholder(own("{ hostname }"))),
            ("ssh://{}", E::Placeholder(own("{}"))),
            ("ssh://{hostname", E::Brace(own("ssh://{hostname"))),
            ("ssh://hostname}", E::Brace(own("ssh://hostname}"))),
            ("ssh://{{hostname}}", E::Brace(own("ssh://{{hostname}}"))),
            (
                "ssh://root:hunter2@{host",
                E::Endpoint(EndpointError::Password),
            ),
            (
                "ssh://root:{hostname}@a",
                E::Endpoint(EndpointError::Password),
            ),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<EngineTemplate>(), Err(error), "{text}");
        }
    }

    #[test]
    fn what_was_meant() {
        for (placeholder, expected) in [
            ("{host}", Some(HOSTNAME)),
            ("{node.name}", Some(HOSTNAME)),
            ("{HOSTNAME}", Some(HOSTNAME)),
            ("{addr}", Some(ADDRESS)),
            ("{ip}", Some(ADDRESS)),
            ("{user}", None),
            ("{}", None),
        ] {
            assert_eq!(meant(placeholder), expected, "{placeholder}");
        }
    }
}
