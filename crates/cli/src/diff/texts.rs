//! The diffs of the texts, file by file.

use imgstack_planner::spec_diff::TextDiff;
use imgstack_spec::edit::diff_texts;

use super::sides::{Sides, Text};

/// What differs, the newer side's files first; the rest are alike to the byte.
pub(crate) fn texts(sides: &Sides) -> Vec<TextDiff> {
    let (old, new) = (&sides.old.texts, &sides.new.texts);
    let find = |texts: &'_ [Text], key| texts.iter().position(|it| it.key == key);
    let mut diffs = Vec::new();
    for text in new {
        let was = find(old, text.key.clone()).map(|at| &old[at]);
        diffs.extend(one(was, Some(text)));
    }
    for text in old {
        if find(new, text.key.clone()).is_none() {
            diffs.extend(one(Some(text), None));
        }
    }
    diffs
}

fn one(old: Option<&Text>, new: Option<&Text>) -> Option<TextDiff> {
    // A text that is none was a mistake before this.
    let text = |side: Option<&Text>| side.and_then(|it| it.input.text().map(str::to_owned));
    let name = |side: Option<&Text>| side.map(|it| it.input.name().to_owned());
    let (before, after) = (text(old), text(new));
    if before == after {
        return None;
    }
    let (from, to) = (name(old), name(new));
    let none = "/dev/null";
    let diff = diff_texts(
        (from.as_deref().unwrap_or(none), &before.unwrap_or_default()),
        (to.as_deref().unwrap_or(none), &after.unwrap_or_default()),
    );
    Some(TextDiff { from, to, diff })
}
