//! Merge keys: `<<: *defaults` takes over what a mapping does not say itself.
//!
//! Not YAML 1.2, but what people know from Compose files.

use std::collections::HashSet;

use super::{Entry, Node, Value};
use crate::diagnostic::{Finding, Findings, Kind};

/// The key that merges.
pub(super) const KEY: &str = "<<";

/// Replaces merge keys by what they bring: what the mapping says itself wins,
/// then what comes first. Counts what is added.
pub(super) fn merge(entries: Vec<Entry>, findings: &mut Findings, nodes: &mut usize) -> Vec<Entry> {
    if !entries.iter().any(is_merge) {
        return entries;
    }
    let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_merge);
    let mut seen: HashSet<String> = own.iter().map(|entry| entry.key.text.clone()).collect();
    for entry in merges {
        for mapping in mappings(&entry.value, findings) {
            for entry in mapping {
                if seen.insert(entry.key.text.clone()) {
                    *nodes += 1;
                    own.push(entry.clone());
                }
            }
        }
    }
    own
}

fn is_merge(entry: &Entry) -> bool {
    entry.key.plain && entry.key.text == KEY
}

/// The mappings that a merge key names: one, or a list of them.
fn mappings<'n>(value: &'n Node, findings: &mut Findings) -> Vec<&'n [Entry]> {
    let items = match &value.value {
        Value::List(items) => items,
        _ => std::slice::from_ref(value),
    };
    let mut mappings = Vec::new();
    for item in items {
        match &item.value {
            Value::Map(entries) => mappings.push(&**entries),
            Value::Unknown => {}
            Value::Scalar(_) | Value::List(_) => findings.push(
                Finding::new(
                    Kind::Alias,
                    format!("`{KEY}` takes over a mapping, not {}", item.noun()),
                )
                .at(item.span, "not a mapping")
                .help("write an alias of a mapping, such as `<<: *defaults`"),
            ),
        }
    }
    mappings
}
