//! The whole comparison as one JSON document.

use std::collections::BTreeSet;

use serde::Serialize;

use super::beyond::Beyond;
use super::change::{Act, Change, Effect, Subject};

/// Version of the JSON form: a reader refuses a greater major.
pub const FORMAT_VERSION: &str = "1.0";

/// Two specs, compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SpecDiff {
    /// [`FORMAT_VERSION`] of the writer.
    pub format_version: String,
    /// Version of the program that made it.
    pub imgstack_version: String,
    /// What the older spec was read from, in words.
    pub old: String,
    /// What the newer spec was read from, in words.
    pub new: String,
    /// What has another meaning.
    pub changes: Vec<Change>,
    /// Whether the texts differ, if only in a comment.
    pub text_differs: bool,
    /// The diffs of the texts, file by file, where they are to be shown. What
    /// may be a secret is hidden in them.
    pub texts: Vec<TextDiff>,
    /// What the newer plan of each stack has that the older one has not. None:
    /// no cluster was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Vec<Beyond>>,
}

/// The diff of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TextDiff {
    /// The older file. None: there is none.
    pub from: Option<String>,
    /// The newer file. None: there is none.
    pub to: Option<String>,
    /// A unified diff. Empty: only line ends differ, or what is hidden.
    pub diff: String,
}

/// Counts for the closing line: of things, and not of their fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Only in the newer spec.
    pub added: usize,
    /// In both, and not the same.
    pub changed: usize,
    /// Only in the older spec.
    pub removed: usize,
    /// Services whose tasks are restarted, or may be.
    pub restarts: usize,
    /// Images and services that are blocked.
    pub blocked: usize,
}

impl SpecDiff {
    /// Whether both specs mean the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Counts of all changes.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let count = |action: Act| {
            let of_it = self.changes.iter().filter(|it| it.action == action);
            let things: BTreeSet<_> = of_it.map(|it| (&it.stack, &it.address)).collect();
            things.len()
        };
        let services = |effects: &[Effect]| {
            let of_it = self
                .changes
                .iter()
                .filter(|it| effects.contains(&it.effect));
            let names: BTreeSet<_> = of_it.flat_map(|it| &it.services).collect();
            names.len()
        };
        let blocked = self.changes.iter();
        let blocked = blocked.filter(|it| it.effect == Effect::Blocked);
        let blocked: BTreeSet<_> = blocked.map(|it| &it.address).collect();
        Summary {
            added: count(Act::Add),
            changed: count(Act::Change),
            removed: count(Act::Remove),
            restarts: services(&[Effect::Restarts, Effect::Held]),
            blocked: blocked.len(),
        }
    }

    /// The changes of each thing, in their order.
    #[must_use]
    pub fn things(&self) -> Vec<(&Subject, &[Change])> {
        let same = |one: &Change, next: &Change| {
            (&one.stack, &one.address) == (&next.stack, &next.address)
        };
        let groups = self.changes.chunk_by(same);
        groups.map(|group| (&group[0].address, group)).collect()
    }
}
