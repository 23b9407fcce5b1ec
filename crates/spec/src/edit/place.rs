//! Lines and columns, and where lines begin and end.
//!
//! A line ends with LF, CR LF or a CR alone, as YAML has it.

use std::ops::Range;

/// The mark that some editors put before the first character of a file.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// A place in a text for a person: both numbers count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The character in its line; a byte order mark is none.
    pub column: usize,
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stretch {
    /// Its bytes, from the first of the file.
    pub bytes: Range<usize>,
    /// Where it begins.
    pub start: Place,
    /// Where what follows it begins.
    pub end: Place,
}

impl Place {
    /// The place of a byte of a text.
    pub(super) fn of(text: &str, at: usize) -> Self {
        let before = &text[..at];
        let line = &before[line_start(text, at)..];
        Self {
            line: 1 + breaks(before),
            column: 1 + line.trim_start_matches(BYTE_ORDER_MARK).chars().count(),
        }
    }
}

impl Stretch {
    pub(super) fn of(text: &str, bytes: Range<usize>) -> Self {
        Self {
            start: Place::of(text, bytes.start),
            end: Place::of(text, bytes.end),
            bytes,
        }
    }
}

/// How many lines end in a text.
fn breaks(text: &str) -> usize {
    let bytes = text.as_bytes();
    let ends = |(at, byte): (usize, &u8)| match byte {
        b'\n' => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    };
    bytes.iter().enumerate().filter(|it| ends(*it)).count()
}

/// Where the line of a place begins.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind(['\n', '\r']).map_or(0, |end| end + 1)
}

/// Where the line of a place ends, its break not included.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..]
        .find(['\n', '\r'])
        .map_or(text.len(), |end| at + end)
}

/// The line break that stands at a place, or nothing.
pub(super) fn break_at(text: &str, at: usize) -> &str {
    let rest = &text[at..];
    let length = match rest.as_bytes() {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    };
    &rest[..length]
}

/// The line break that ends before a place, or nothing.
pub(super) fn break_before(text: &str, at: usize) -> &str {
    let before = &text[..at];
    let length = match before.as_bytes() {
        [.., b'\r', b'\n'] => 2,
        [.., b'\r' | b'\n'] => 1,
        _ => 0,
    };
    &before[at - length..]
}

/// Spaces and tabs.
pub(super) fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t'))
}

/// Nothing but blanks, and a comment behind them.
pub(super) fn is_comment(text: &str) -> bool {
    let comment = text.trim_start_matches([' ', '\t']);
    comment.is_empty() || comment.starts_with('#') && comment.len() < text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_are_those_of_an_editor() {
        let text = "\u{feff}aä\r\nb\rc\n\nd";
        let place = |at| {
            let place = Place::of(text, at);
            (place.line, place.column)
        };
        let cases = [
            (0, (1, 1)),
            (3, (1, 1)),
            (6, (1, 3)),
            (8, (2, 1)),
            (10, (3, 1)),
            (12, (4, 1)),
            (13, (5, 1)),
            (14, (5, 2)),
        ];
        for (at, expected) in cases {
            assert_eq!(place(at), expected, "{at}");
        }
    }

    #[test]
    fn a_line_is_found_by_any_break() {
        let text = "a\r\nbc\rd";
        assert_eq!(line_start(text, 4), 3);
        assert_eq!(line_end(text, 3), 5);
        assert_eq!(line_start(text, 6), 6);
        assert_eq!(line_end(text, 6), 7);
        assert_eq!(break_at(text, 1), "\r\n");
        assert_eq!(break_at(text, 5), "\r");
        assert_eq!(break_at(text, 7), "");
        assert_eq!(break_before(text, 3), "\r\n");
        assert_eq!(break_before(text, 6), "\r");
        assert_eq!(break_before(text, 0), "");
    }

    #[test]
    fn what_may_follow_a_value() {
        for (text, expected) in [
            ("", true),
            (" \t", true),
            (" # a", true),
            ("\t#", true),
            // It would belong to the value.
            ("# a", false),
            (" a", false),
        ] {
            assert_eq!(is_comment(text), expected, "{text:?}");
        }
    }
}
