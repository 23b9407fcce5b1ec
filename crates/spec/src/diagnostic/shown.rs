//! The text of a file as diagnostics may show it.
//!
//! It has the same bytes at the same places, but for secrets, which are
//! asterisks, and characters that a terminal would obey. It answers miette's
//! questions itself, since miette's own answers count columns in bytes and
//! print a line whole, also one of a megabyte.

use std::ops::Range;
use std::sync::Arc;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::finding::is_unprintable;
use crate::secrets;
use crate::source::Source;

/// The longest underline, in bytes.
const LONGEST_LABEL: usize = 200;

/// More than this many bytes of source lines are not printed whole.
const LONGEST_EXCERPT: usize = 2000;

/// What remains to both sides of the underline then.
const MARGIN: usize = 60;

/// A text without its secrets, with the name of its file. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Shown(Arc<Inner>);

struct Inner {
    name: String,
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

/// Without the text, which is long.
impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Shown").field(&self.0.name).finish()
    }
}

impl Shown {
    /// The secrets are those that the tree has shown. They are all there are
    /// only if the whole text has become a tree.
    pub(crate) fn new(source: &Source, mut secrets: Vec<Range<usize>>, is_tree: bool) -> Self {
        let mut text = source.text.clone();
        secrets.extend(secrets::by_look(&text));
        secrets.extend(if is_tree {
            secrets::in_comments(&text)
        } else {
            secrets::in_text(&text)
        });
        blacken(&mut text, &secrets);
        let text = printable(&text);
        let after_breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(after_breaks).collect();
        let name = printable(&source.name);
        Self(Arc::new(Inner { name, text, lines }))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// The line of a place, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.0.lines.partition_point(|start| *start <= offset)
    }

    /// A label's place: on one line, short, and inside the text.
    pub(crate) fn clip(&self, span: Range<usize>) -> SourceSpan {
        let text = &self.0.text;
        let start = floor(text, span.start.min(text.len()));
        let end = floor(
            text,
            span.end.clamp(start, text.len()).min(start + LONGEST_LABEL),
        );
        let line = &text[start..end];
        let length = line.find(['\r', '\n']).unwrap_or(line.len());
        (start, length).into()
    }

    /// From the start of the line `index` (from 0); past the last it is the end.
    fn line_start(&self, index: usize) -> usize {
        let end = self.0.text.len();
        self.0.lines.get(index).copied().unwrap_or(end)
    }
}

impl SourceCode for Shown {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let text = &self.0.text;
        let (start, end) = (span.offset(), span.offset() + span.len());
        if end > text.len() {
            return Err(MietteError::OutOfBounds);
        }
        let first = self.line(start) - 1;
        let last = self.line(end.max(start + 1) - 1) - 1;
        let mut from = match lines_before {
            // What miette asks for when it wants the column of a label.
            0 => start,
            before => self.line_start(first.saturating_sub(before)),
        };
        let mut to = self.line_start(last + lines_after + 1);
        if to - from > LONGEST_EXCERPT {
            if end - start > LONGEST_EXCERPT {
                return Err(MietteError::OutOfBounds);
            }
            from = floor(text, from.max(start.saturating_sub(MARGIN)));
            to = floor(text, to.min(end + MARGIN));
        }
        let line = self.line(from) - 1;
        let column = text[self.line_start(line)..from].chars().count();
        Ok(Box::new(MietteSpanContents::new_named(
            self.0.name.clone(),
            &text.as_bytes()[from..to],
            (from, to - from).into(),
            line,
            column,
            self.line(to.max(from + 1) - 1) - 1 - line,
        )))
    }
}

/// The nearest boundary of a character at or before a place.
fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Puts asterisks over the places, one for each byte, leaving the line breaks
/// and the indentation that show the shape of the file.
fn blacken(text: &mut String, places: &[Range<usize>]) {
    let mut bytes = std::mem::take(text).into_bytes();
    for place in places {
        let end = place.end.min(bytes.len());
        let mut indentation = false;
        for byte in bytes.get_mut(place.start..end).into_iter().flatten() {
            indentation = match *byte {
                b'\n' | b'\r' => true,
                b' ' if indentation => true,
                _ => {
                    *byte = b'*';
                    false
                }
            };
        }
    }
    // Places begin and end between characters, so this changes nothing.
    *text = String::from_utf8_lossy(&bytes).into_owned();
}

/// Replaces what a terminal would obey by something of as many bytes.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => c,
            _ if !is_unprintable(c) => c,
            _ => match c.len_utf8() {
                1 => '?',
                2 => '·',
                _ => '\u{fffd}',
            },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Shown {
        let source = Source {
            id: 0,
            name: "a.yaml".into(),
            folder: std::path::PathBuf::new(),
            text: text.to_owned(),
        };
        Shown::new(&source, Vec::new(), true)
    }

    fn excerpt(shown: &Shown, span: Range<usize>, context: usize) -> (String, usize, usize, usize) {
        let span = SourceSpan::from(span);
        let contents = shown.read_span(&span, context, context).unwrap();
        let data = String::from_utf8(contents.data().to_vec()).unwrap();
        (
            data,
            contents.line(),
            contents.column(),
            contents.line_count(),
        )
    }

    #[test]
    fn columns_are_counted_in_characters() {
        let shown = shown("a\näöü: x\nb\n");
        assert_eq!(excerpt(&shown, 10..11, 0), ("x\n".into(), 1, 5, 0));
        assert_eq!(
            excerpt(&shown, 10..11, 1),
            ("a\näöü: x\nb\n".into(), 0, 0, 2)
        );
    }

    #[test]
    fn the_end_of_the_text_is_a_place() {
        assert_eq!(excerpt(&shown("a\n"), 2..2, 1), ("a\n".into(), 0, 0, 0));
        assert_eq!(excerpt(&shown(""), 0..0, 1), (String::new(), 0, 0, 0));
        assert_eq!(excerpt(&shown("ab"), 2..2, 0), (String::new(), 0, 2, 0));
        let beyond = SourceSpan::from(2..4);
        assert!(shown("abc").read_span(&beyond, 1, 1).is_err());
    }

    #[test]
    fn a_long_line_is_shown_in_part() {
        let text = format!("{}x{}", "ä".repeat(5000), "ö".repeat(5000));
        let (data, line, column, _) = excerpt(&shown(&text), 10000..10001, 1);
        assert_eq!((data.chars().count(), line, column), (61, 0, 4970));
    }

    #[test]
    fn a_label_is_short_and_on_one_line() {
        let shown = shown("a: b\r\nc: d\n");
        assert_eq!(shown.clip(3..11), (3, 1).into());
        assert_eq!(shown.clip(90..99), (11, 0).into());
        let text = "é".repeat(500);
        assert_eq!(super::tests::shown(&text).clip(0..1000), (0, 200).into());
    }

    #[test]
    fn secrets_are_asterisks_of_the_same_width() {
        let mut text = "a: ä b\n  c d\n".to_owned();
        blacken(&mut text, std::slice::from_ref(&(3..13)));
        assert_eq!(text, "a: ****\n  ***\n");
    }

    #[test]
    fn a_terminal_has_nothing_to_obey() {
        assert_eq!(
            printable("a\u{1b}\u{9b}\u{202e}\tb\r\n"),
            "a?·\u{fffd}\tb\r\n"
        );
    }
}
