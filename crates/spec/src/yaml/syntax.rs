//! What the parser says when a text is not YAML, in words for people.

use granit_parser::{ErrorKind, ScanError};

use super::DEEPEST;
use crate::diagnostic::{Finding, Kind};
use crate::source::{Source, Span};

/// The mistake behind a parser's error.
pub(super) fn finding(error: &ScanError, source: &Source) -> Finding {
    let text = &source.text;
    let at = error.marker().byte_offset().unwrap_or(text.len());
    // At the end of the text there is nothing to underline: show the last word.
    let at = match text.get(at..) {
        Some(rest) if !rest.trim().is_empty() => at,
        _ => text
            .trim_end()
            .char_indices()
            .next_back()
            .map_or(0, |(at, _)| at),
    };
    let at = match error.kind() {
        // The parser says where it noticed the tab, which is near.
        kind if is_tab(kind) => nearest_tab(text, at),
        _ => at,
    };
    let width = text[at..].chars().next().map_or(0, char::len_utf8);
    let span = source.span(at, at + width);
    if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
        return too_deep(span);
    }
    let (message, label, help) = words(error.kind());
    let finding = Finding::new(Kind::Syntax, message).at(span, label);
    match help {
        Some(help) => finding.help(help),
        None => finding,
    }
}

fn is_tab(kind: &ErrorKind) -> bool {
    use ErrorKind as E;
    matches!(
        kind,
        E::TabNotAllowed
            | E::TabInBlockIndentation
            | E::TabInIndentation
            | E::TabInPlainScalar
            | E::TabAtBlockScalarStart
    )
}

/// The tab before a place in its line, or else the next one.
fn nearest_tab(text: &str, at: usize) -> usize {
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let before = text[line..at].rfind('\t').map(|tab| line + tab);
    let after = || text[at..].find('\t').map(|tab| at + tab);
    before.or_else(after).unwrap_or(at)
}

/// Collections in collections in collections.
pub(super) fn too_deep(span: Span) -> Finding {
    let message = format!("this file is nested deeper than {DEEPEST} levels");
    Finding::new(Kind::TooLarge, message)
        .at(span, "one level too deep")
        .help("a spec needs no more than seven levels")
}

/// Message, label and remedy.
type Words = (&'static str, &'static str, &'static str);

/// The frequent errors have words of their own; for the others the parser's
/// are good enough.
fn words(kind: &ErrorKind) -> (String, &'static str, Option<&'static str>) {
    match of_brackets_and_quotes(kind).or_else(|| of_lines(kind)) {
        Some((message, label, help)) => (message.to_owned(), label, Some(help)),
        None => (kind.to_string(), "not expected here", None),
    }
}

fn of_brackets_and_quotes(kind: &ErrorKind) -> Option<Words> {
    use ErrorKind as E;
    Some(match kind {
        E::UnclosedQuotedScalar | E::DocumentIndicatorInQuotedScalar => (
            "a quotation mark is not closed",
            "opened here",
            "close it on the same line",
        ),
        E::UnclosedFlowCollection { .. }
        | E::UnexpectedEofFlowSequence
        | E::UnexpectedEofFlowMapping
        | E::UnexpectedEofImplicitFlowMapping
        | E::ExpectedFlowSequenceSeparator
        | E::ExpectedFlowMappingSeparator
        | E::InvalidColonPlacement => (
            "a bracket is not closed, or a comma is missing",
            "not expected here",
            "close `[` with `]` and `{` with `}`, and put `,` between the entries",
        ),
        E::MisplacedFlowCollectionEnd | E::MismatchedFlowCollectionEnd { .. } => (
            "a bracket is closed that is not open",
            "closes nothing",
            "remove it, or open it before",
        ),
        E::UnexpectedCharacter {
            character: '@' | '`' | '%',
        } => (
            "text cannot begin with this character",
            "not expected here",
            "put the text in quotes",
        ),
        E::UnknownQuotedScalarEscape => (
            "this `\\` begins no known escape",
            "not expected here",
            "write `\\\\` for a backslash, or use single quotes",
        ),
        _ => return None,
    })
}

fn of_lines(kind: &ErrorKind) -> Option<Words> {
    use ErrorKind as E;
    Some(match kind {
        kind if is_tab(kind) => (
            "a tab cannot indent",
            "a tab",
            "indent with spaces, two for each level",
        ),
        E::MappingValueNotAllowed | E::MappingKeyNotAllowed => (
            "a `:` stands where no key can be",
            "not expected here",
            "check the indentation of this line; put text that contains `: ` in quotes",
        ),
        E::ExpectedBlockMappingKey | E::InvalidIndentation => (
            "this line is not indented like the ones it belongs to",
            "a key was expected here",
            "give the keys of one mapping the same indentation, and the `- ` of one list",
        ),
        E::ExpectedBlockSequenceEntry | E::BlockSequenceEntryNotAllowed => (
            "this line is not indented like the ones it belongs to",
            "neither a key nor a `- ` belongs here",
            "give the keys of one mapping the same indentation, and the `- ` of one list",
        ),
        E::SimpleKeyExpected | E::InvalidSimpleKey => (
            "a key has no `:`",
            "expected a `:` after this",
            "write `key: value`",
        ),
        _ => return None,
    })
}
