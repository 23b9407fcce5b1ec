//! Edits to files that people write: the pin of an image in a spec, the image
//! of a service in a stack file.
//!
//! One scalar or one line changes, and every other byte stays: comments,
//! anchors, quotes, line breaks. The way of an edit: [`tree`] (the text as
//! nodes that know their bytes) → [`resolve`] (which of them is meant, through
//! aliases and merge keys) → [`entry`] (what to cut out and what to put there)
//! → [`outcome`] (the new text is parsed, and must say what was meant and
//! nothing else). What cannot be done so is refused, with the line to write by
//! hand.
//!
//! Own code rather than a library: of those for Rust, one edits through a
//! syntax tree whose parser is not the one that reads our specs, and one
//! rewrites values in a style of its own. Neither could promise more than the
//! parser's own places and a second look.
//!
//! Deliberately absent: files. Text comes in and text goes out.

use std::fmt;
use std::ops::Range;

mod diff;
mod entry;
mod error;
mod interpolation;
mod outcome;
mod pin;
mod place;
mod proof;
mod resolve;
mod spelling;
mod stack_file;
mod tree;

pub use diff::diff_texts;
pub use error::{EditError, Origin, Subject, UnreadImage};
pub use pin::set_pin;
pub use place::{Place, Stretch};
pub use stack_file::{StackImage, set_stack_image, set_stack_images, stack_image};

use entry::Splice;

/// A text before and after an edit.
#[derive(Clone, PartialEq, Eq)]
pub struct Edit {
    before: String,
    after: String,
    changes: Vec<Change>,
}

/// One part of a text that an edit changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What goes; empty when something is added.
    pub before: Stretch,
    /// What comes; empty when something is removed.
    pub after: Stretch,
}

impl Edit {
    /// An edit that changes nothing.
    fn none(source: &str) -> Self {
        Self::new(source, Vec::new())
    }

    /// The splices do not overlap.
    fn new(source: &str, mut splices: Vec<Splice>) -> Self {
        splices.sort_by_key(|splice| splice.bytes.start);
        let mut after = String::with_capacity(source.len());
        let mut places = Vec::new();
        let mut from = 0;
        for splice in splices {
            after.push_str(&source[from..splice.bytes.start]);
            let start = after.len();
            after.push_str(&splice.text);
            from = splice.bytes.end;
            places.push((splice.bytes, start..after.len()));
        }
        after.push_str(&source[from..]);
        let changes = places
            .into_iter()
            .map(|(old, new)| Change {
                before: Stretch::of(source, trimmed(source, old)),
                after: Stretch::of(&after, trimmed(&after, new)),
            })
            .collect();
        Self {
            before: source.to_owned(),
            after,
            changes,
        }
    }

    /// Whether the text says already what was wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The text before.
    #[must_use]
    pub fn before(&self) -> &str {
        &self.before
    }

    /// The new text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.after
    }

    /// The new text, to be written to the file.
    #[must_use]
    pub fn into_text(self) -> String {
        self.after
    }

    /// What changes, in the order of the text.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The edit as a unified diff of the file `name`; empty when nothing
    /// changes. What may be a secret is hidden in it.
    #[must_use]
    pub fn diff(&self, name: &str) -> String {
        let bytes = |side: fn(&Change) -> &Stretch| -> Vec<_> {
            let changes = self.changes.iter();
            changes.map(|it| side(it).bytes.clone()).collect()
        };
        let before = bytes(|change| &change.before);
        let after = bytes(|change| &change.after);
        diff::unified(name, (&self.before, &before), (&self.after, &after))
    }
}

/// Without the texts: a stack file may hold secrets.
impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Edit");
        debug
            .field("changes", &self.changes)
            .finish_non_exhaustive()
    }
}

/// A part of a text without the blanks and line breaks around it; of nothing
/// else, its start.
fn trimmed(text: &str, bytes: Range<usize>) -> Range<usize> {
    let part = &text[bytes.clone()];
    let start = part.len() - part.trim_start().len();
    match part.trim() {
        "" => bytes.start..bytes.start,
        inner => bytes.start + start..bytes.start + start + inner.len(),
    }
}
