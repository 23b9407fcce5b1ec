//! Words about one task, with placeholders for what only the Swarm knows of it.
//!
//! What takes a placeholder's place comes from the Swarm, so it is put in only
//! when it is what it should be: an IP address, a number, a hostname.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::NodeName;
use crate::near::nearest;

/// The placeholders, each with what it stands for.
const PLACEHOLDERS: [(&str, Part); 4] = [
    ("task.address", Part::TaskAddress),
    ("task.slot", Part::Slot),
    ("node.hostname", Part::Hostname),
    ("node.address", Part::NodeAddress),
];

/// A text in which `{task.address}`, `{task.slot}`, `{node.hostname}` and
/// `{node.address}` stand for those of a task: `http://{task.address}:8008/`.
/// Also one without placeholders.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct TaskTemplate(String);

/// What is known of a task.
#[derive(Clone, Copy, Debug)]
pub struct TaskPlace<'a> {
    /// Where its own node reaches it.
    pub address: Option<IpAddr>,
    /// Its slot; None for a task of a global service.
    pub slot: Option<u64>,
    /// What its node is called.
    pub hostname: &'a str,
    /// Where the managers see its node.
    pub node_address: Option<IpAddr>,
}

/// Why a text is no template, or why it cannot be filled in for a task.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TaskTemplateError {
    /// Something else between braces.
    #[error("`{{{0}}}` is not a placeholder")]
    Placeholder(String),
    /// A brace that belongs to no placeholder.
    #[error("`{0}` has a brace that belongs to no placeholder")]
    Brace(String),
    /// What the Swarm does not say of this task.
    #[error("the task has no `{0}`")]
    Absent(&'static str),
    /// A node whose hostname is none that may stand in an address.
    #[error("the node calls itself `{0}`, which is not a hostname")]
    Hostname(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    TaskAddress,
    Slot,
    Hostname,
    NodeAddress,
}

impl TaskTemplate {
    /// The text for one task.
    ///
    /// # Errors
    /// When something is wanted of the task that is not known, or is not what it
    /// should be.
    pub fn fill(&self, place: &TaskPlace<'_>) -> Result<String, TaskTemplateError> {
        let mut filled = String::with_capacity(self.0.len());
        pieces(&self.0, |piece| {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Part(name, part) => filled.push_str(&value(name, part, place)?),
            }
            Ok(())
        })?;
        Ok(filled)
    }

    /// Whether it needs the address at which the task's node reaches it.
    #[must_use]
    pub fn needs_task_address(&self) -> bool {
        self.0.contains("{task.address}")
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

enum Piece<'a> {
    Text(&'a str),
    Part(&'static str, Part),
}

/// Takes a text apart.
fn pieces<'a>(
    text: &'a str,
    mut each: impl FnMut(Piece<'a>) -> Result<(), TaskTemplateError>,
) -> Result<(), TaskTemplateError> {
    let brace = || TaskTemplateError::Brace(text.to_owned());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        let inner = from.strip_prefix('{').ok_or_else(brace)?;
        let (name, after) = inner.split_once('}').ok_or_else(brace)?;
        let mut known = PLACEHOLDERS.iter();
        let (name, part) = known
            .find(|(known, _)| *known == name)
            .ok_or_else(|| TaskTemplateError::Placeholder(name.to_owned()))?;
        each(Piece::Text(before))?;
        each(Piece::Part(name, *part))?;
        rest = after;
    }
    each(Piece::Text(rest))
}

/// The placeholder that was meant by another word between braces.
pub(crate) fn meant(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|it| word.contains(it));
    let names = PLACEHOLDERS.iter().map(|(name, _)| *name);
    if let near @ Some(_) = nearest(word.trim(), names) {
        near
    } else if has(&["slot"]) {
        Some("task.slot")
    } else if has(&["host", "name"]) {
        Some("node.hostname")
    } else if has(&["addr", "ip"]) {
        Some(match has(&["node"]) {
            true => "node.address",
            false => "task.address",
        })
    } else {
        None
    }
}

fn value(
    name: &'static str,
    part: Part,
    place: &TaskPlace<'_>,
) -> Result<String, TaskTemplateError> {
    let absent = TaskTemplateError::Absent(name);
    match part {
        Part::TaskAddress => place.address.map(in_url).ok_or(absent),
        Part::NodeAddress => place.node_address.map(in_url).ok_or(absent),
        Part::Slot => place.slot.map(|slot| slot.to_string()).ok_or(absent),
        Part::Hostname => match place.hostname.parse::<NodeName>() {
            Ok(name) => Ok(name.to_string()),
            Err(_) => Err(TaskTemplateError::Hostname(place.hostname.to_owned())),
        },
    }
}

fn in_url(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

impl FromStr for TaskTemplate {
    type Err = TaskTemplateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        pieces(text, |_| Ok(()))?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for TaskTemplate {
    type Error = TaskTemplateError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TaskTemplate> for String {
    fn from(template: TaskTemplate) -> Self {
        template.0
    }
}

impl fmt::Display for TaskTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(address: Option<&str>) -> TaskPlace<'static> {
        TaskPlace {
            address: address.map(|it| it.parse().unwrap()),
            slot: Some(3),
            hostname: "docker-infra-2",
            node_address: Some("10.77.0.12".parse().unwrap()),
        }
    }

    #[test]
    fn placeholders_are_filled_in() {
        let table = [
            (
                "http://{task.address}:8008/primary",
                "http://172.18.0.3:8008/primary",
            ),
            ("{node.address}:5432", "10.77.0.12:5432"),
            ("pg-{task.slot}@{node.hostname}", "pg-3@docker-infra-2"),
            ("nothing", "nothing"),
            ("", ""),
        ];
        for (written, filled) in table {
            let template: TaskTemplate = written.parse().unwrap();
            assert_eq!(template.fill(&place(Some("172.18.0.3"))).unwrap(), filled);
        }
        let template: TaskTemplate = "http://{task.address}/".parse().unwrap();
        assert_eq!(
            template.fill(&place(Some("fd00::3"))).unwrap(),
            "http://[fd00::3]/"
        );
        let absent = template.fill(&place(None)).unwrap_err();
        assert_eq!(absent, TaskTemplateError::Absent("task.address"));
    }

    #[test]
    fn a_hostname_that_is_none_is_not_put_in() {
        let template: TaskTemplate = "http://{node.hostname}/".parse().unwrap();
        let evil = TaskPlace {
            hostname: "a b/..",
            ..place(None)
        };
        let error = template.fill(&evil).unwrap_err();
        assert_eq!(error, TaskTemplateError::Hostname("a b/..".to_owned()));
    }

    #[test]
    fn what_is_no_template_is_refused() {
        use TaskTemplateError::{Brace, Placeholder};
        let table = [
            ("{host}", Placeholder("host".to_owned())),
            ("{}", Placeholder(String::new())),
            ("{ task.address }", Placeholder(" task.address ".to_owned())),
            ("{task.address", Brace("{task.address".to_owned())),
            ("a}b", Brace("a}b".to_owned())),
        ];
        for (written, error) in table {
            assert_eq!(
                written.parse::<TaskTemplate>().unwrap_err(),
                error,
                "{written}"
            );
        }
    }
}
