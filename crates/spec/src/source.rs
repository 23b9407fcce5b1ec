//! Texts that are read together, and places in them.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Which of the texts that are read together.
pub(crate) type SourceId = usize;

/// A place in one of the texts, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    pub(crate) source: SourceId,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// One text: the name the user knows it by, and what it holds.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) id: SourceId,
    pub(crate) name: Arc<str>,
    /// The folder that paths in it start from. Empty: the working directory.
    pub(crate) folder: PathBuf,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        Span {
            source: self.id,
            start,
            end,
        }
    }

    /// The text at a place. A place of another source is nothing here.
    pub(crate) fn slice(&self, span: Span) -> &str {
        if span.source == self.id {
            self.text.get(span.start..span.end).unwrap_or_default()
        } else {
            ""
        }
    }

    /// The place of a part of a scalar's text; the scalar's own when its text
    /// does not stand there as it is, as behind an alias or with escapes.
    pub(crate) fn within(&self, span: Span, text: &str, part: Range<usize>) -> Span {
        match self.slice(span).find(text) {
            Some(at) if !text.is_empty() && !part.is_empty() => {
                let start = span.start + at;
                self.span(start + part.start, start + part.end)
            }
            _ => span,
        }
    }
}
