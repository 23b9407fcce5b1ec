//! What a file says once its aliases and merge keys are followed.
//!
//! An edit changes one place of the text, and that place may count in many: the
//! differences between the two meanings tell whom it concerns.

use std::collections::{BTreeMap, HashSet};

use granit_parser::{Event, ScalarStyle};

use super::tree::{Content, NodeId, Tree};
use super::{EditError, Subject};
use crate::diagnostic::quoted;
use crate::yaml::are_too_many;

/// The key that merges.
const MERGE_KEY: &str = "<<";

/// How deep values are followed; aliases of aliases go on and on.
const DEEPEST: usize = 200;

/// More differences than this are not told apart.
const MOST_DIFFERENCES: usize = 100;

/// An entry of a mapping.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) key: NodeId,
    pub(super) value: NodeId,
    /// The `<<` of the mapping that brings it, if one does.
    pub(super) merge: Option<NodeId>,
}

/// A step on the way to a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Document(usize),
    Key(String),
    /// A key that is no text.
    OddKey(usize),
    Item(usize),
}

/// The way to a value, from the document on.
pub(super) type Path = Vec<Step>;

impl Tree<'_> {
    /// The entry of a key, also one that is merged; what a mapping says itself
    /// wins, then what comes first.
    pub(super) fn get(&self, map: NodeId, key: &str) -> Result<Option<Found>, EditError> {
        let mut found: Option<Found> = None;
        for entry in self.own(map) {
            if self.text(entry.key) != Some(key) || self.is_merge(entry.key) {
                continue;
            }
            if let Some(first) = found {
                return Err(EditError::Twice {
                    what: Subject::Key(key.to_owned()),
                    first: self.place(first.key),
                    again: self.place(entry.key),
                });
            }
            found = Some(entry);
        }
        Ok(found.or_else(|| self.get_merged(map, key)))
    }

    /// The entry that merge keys bring, or would if the mapping had none itself.
    pub(super) fn get_merged(&self, map: NodeId, key: &str) -> Option<Found> {
        let merged = self.merged(map).into_iter();
        merged
            .flat_map(|(merge, map)| self.own(map).map(move |entry| (merge, entry)))
            .find(|(_, entry)| self.text(entry.key) == Some(key))
            .map(|(merge, entry)| Found {
                merge: Some(merge),
                ..entry
            })
    }

    /// The value of a key, with aliases followed.
    pub(super) fn value(&self, map: NodeId, key: &str) -> Result<Option<NodeId>, EditError> {
        let found = self.get(map, key)?;
        Ok(found.map(|found| self.definition(found.value)))
    }

    /// The items of a list, as they stand there.
    pub(super) fn items(&self, list: NodeId) -> &[NodeId] {
        match &self.node(self.definition(list)).content {
            Content::List(items) => items,
            Content::Scalar(_) | Content::Map { .. } | Content::Alias(_) => &[],
        }
    }

    /// What stands in the mapping itself.
    pub(super) fn own(&self, map: NodeId) -> impl Iterator<Item = Found> {
        let entries = match &self.node(self.definition(map)).content {
            Content::Map { entries, .. } => entries.as_slice(),
            Content::Scalar(_) | Content::List(_) | Content::Alias(_) => &[],
        };
        entries.iter().map(|(key, value)| Found {
            key: *key,
            value: *value,
            merge: None,
        })
    }

    fn is_merge(&self, key: NodeId) -> bool {
        let event = &self.events[self.node(key).events.start];
        matches!(event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == MERGE_KEY)
    }

    /// The mappings that a mapping merges, each once, those that win first;
    /// with the merge key that brings each.
    fn merged(&self, map: NodeId) -> Vec<(NodeId, NodeId)> {
        let mut found = Vec::new();
        let mut seen = HashSet::from([self.definition(map)]);
        let mut left = self.merge_sources(map);
        left.reverse();
        while let Some((merge, map)) = left.pop() {
            if seen.insert(map) {
                found.push((merge, map));
                // They come before what is left of the mapping that wants them.
                let sources = self.merge_sources(map).into_iter().rev();
                left.extend(sources.map(|(_, source)| (merge, source)));
            }
        }
        found
    }

    fn merge_sources(&self, map: NodeId) -> Vec<(NodeId, NodeId)> {
        let mut sources = Vec::new();
        for entry in self.own(map).filter(|entry| self.is_merge(entry.key)) {
            let value = self.definition(entry.value);
            match &self.node(value).content {
                Content::List(items) => {
                    let items = items.iter().map(|item| (entry.key, self.definition(*item)));
                    sources.extend(items);
                }
                Content::Map { .. } => sources.push((entry.key, value)),
                Content::Scalar(_) | Content::Alias(_) => {}
            }
        }
        sources
    }

    /// The entries of a mapping without merge keys, those that win first.
    pub(super) fn entries(&self, map: NodeId) -> Vec<Found> {
        let merged = self.merged(map).into_iter().flat_map(|(merge, map)| {
            self.own(map).map(move |entry| Found {
                merge: Some(merge),
                ..entry
            })
        });
        let all = self.own(map).chain(merged);
        all.filter(|entry| !self.is_merge(entry.key)).collect()
    }
}

/// The ways in words, as in `services.web.image`.
pub(super) fn words(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Document(_) => {}
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.extend([".", key]),
            Step::OddKey(_) => text.push_str(".?"),
            Step::Item(index) => text.push_str(&format!("[{index}]")),
        }
    }
    quoted(&text)
}

/// Whether a file is small enough with everything that its aliases stand for.
pub(super) fn measure(tree: &Tree<'_>) -> Result<(), EditError> {
    differences(tree, tree, |_| true).map(|_| ())
}

/// Where two texts say different things, but for where they are meant to.
pub(super) fn differences(
    before: &Tree<'_>,
    after: &Tree<'_>,
    is_meant: impl Fn(&[Step]) -> bool,
) -> Result<Vec<Path>, EditError> {
    let mut walk = Walk {
        before,
        after,
        is_meant: &is_meant,
        visited: 0,
        path: Vec::new(),
        found: Vec::new(),
    };
    let count = before.documents.len().max(after.documents.len());
    for index in 0..count {
        let pair = (before.documents.get(index), after.documents.get(index));
        walk.step(Step::Document(index), (pair.0.copied(), pair.1.copied()))?;
    }
    Ok(walk.found)
}

/// A walk through two trees at once.
struct Walk<'t> {
    before: &'t Tree<'t>,
    after: &'t Tree<'t>,
    is_meant: &'t dyn Fn(&[Step]) -> bool,
    visited: usize,
    path: Path,
    found: Vec<Path>,
}

impl Walk<'_> {
    fn step(
        &mut self,
        step: Step,
        pair: (Option<NodeId>, Option<NodeId>),
    ) -> Result<(), EditError> {
        self.path.push(step);
        match pair {
            (Some(before), Some(after)) => self.pair(before, after)?,
            (None, None) => {}
            _ => self.differ(),
        }
        self.path.pop();
        Ok(())
    }

    fn differ(&mut self) {
        if self.found.len() < MOST_DIFFERENCES && !(self.is_meant)(&self.path) {
            self.found.push(self.path.clone());
        }
    }

    fn pair(&mut self, before: NodeId, after: NodeId) -> Result<(), EditError> {
        self.visited += 1;
        if are_too_many(self.visited) || self.path.len() > DEEPEST {
            return Err(EditError::TooLarge);
        }
        let before = self.before.definition(before);
        let after = self.after.definition(after);
        let contents = (
            &self.before.node(before).content,
            &self.after.node(after).content,
        );
        match contents {
            (Content::Scalar(_), Content::Scalar(_)) => {
                if self.before.text(before) != self.after.text(after) {
                    self.differ();
                }
            }
            (Content::List(old), Content::List(new)) => {
                for index in 0..old.len().max(new.len()) {
                    let pair = (old.get(index).copied(), new.get(index).copied());
                    self.step(Step::Item(index), pair)?;
                }
            }
            (Content::Map { .. }, Content::Map { .. }) => self.maps(before, after)?,
            _ => self.differ(),
        }
        Ok(())
    }

    fn maps(&mut self, before: NodeId, after: NodeId) -> Result<(), EditError> {
        let mut pairs: BTreeMap<Step, (Option<Found>, Option<Found>)> = BTreeMap::new();
        let old = self.before.entries(before);
        let new = self.after.entries(after);
        self.visited += old.len() + new.len();
        for (step, entry) in steps(self.before, old) {
            pairs.entry(step).or_default().0.get_or_insert(entry);
        }
        for (step, entry) in steps(self.after, new) {
            pairs.entry(step).or_default().1.get_or_insert(entry);
        }
        for (step, (old, new)) in pairs {
            if matches!(step, Step::OddKey(_)) {
                let keys = (old.map(|it| it.key), new.map(|it| it.key));
                self.step(step.clone(), keys)?;
            }
            self.step(step, (old.map(|it| it.value), new.map(|it| it.value)))?;
        }
        Ok(())
    }
}

/// The entries with the steps that lead to them.
fn steps<'t>(tree: &'t Tree<'_>, entries: Vec<Found>) -> impl Iterator<Item = (Step, Found)> + 't {
    entries.into_iter().enumerate().map(|(index, entry)| {
        let step = match tree.text(entry.key) {
            Some(text) => Step::Key(text.to_owned()),
            None => Step::OddKey(index),
        };
        (step, entry)
    })
}
