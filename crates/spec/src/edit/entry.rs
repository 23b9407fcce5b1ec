//! What to cut out of a text and what to put there, to change a value, add an
//! entry to a mapping or remove one.
//!
//! Only the ordinary ways of writing are known here. What comes out is checked
//! by parsing it (`proof`), so a strange one leads to a refusal, never to
//! another meaning.

use std::ops::Range;

use granit_parser::ScalarStyle;

use super::place::{break_at, break_before, is_blank, is_comment, line_end, line_start};
use super::resolve::Found;
use super::spelling::{is_plain, spell};
use super::tree::{Content, NodeId, Tree};

/// A part of a text, and what takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Splice {
    pub(super) bytes: Range<usize>,
    pub(super) text: String,
}

/// What is in the way of an edit.
pub(super) type Cause = &'static str;

pub(super) const UNUSUAL: Cause = "it is written in an unusual way";

/// Another text for a scalar, in the same style if that can be.
pub(super) fn replace(tree: &Tree<'_>, entry: Found, text: &str) -> Result<Splice, Cause> {
    let node = tree.node(entry.value);
    let Content::Scalar(style) = node.content else {
        return Err(UNUSUAL);
    };
    let replaced = |bytes: Range<usize>, text: String| Ok(Splice { bytes, text });
    let spelt = match spell(text, style, node.in_flow) {
        Some(spelt) if node.span.is_empty() => {
            let at = behind_colon(tree, entry)?;
            return replaced(at..at, format!(" {spelt}"));
        }
        Some(spelt) => return replaced(node.span.clone(), spelt),
        None => text.to_owned(),
    };
    let block = node.span.start..node.whole.end;
    if tree.source[block.clone()].contains(['\n', '\r']) || block.is_empty() {
        return Err("it is a block of several lines");
    }
    replaced(block, spelt)
}

/// Where the value belongs that an entry lacks.
fn behind_colon(tree: &Tree<'_>, entry: Found) -> Result<usize, Cause> {
    let (key, value) = (tree.node(entry.key), tree.node(entry.value));
    if !value.whole.is_empty() {
        // There is an anchor or a tag.
        return Ok(value.whole.end);
    }
    let rest = &tree.source[key.whole.end..];
    let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    match rest[blanks..].starts_with(':') {
        true => Ok(key.whole.end + blanks + 1),
        false => Err("its key has no `:`"),
    }
}

/// A new entry directly behind another one.
pub(super) fn add(
    tree: &Tree<'_>,
    map: NodeId,
    behind: Found,
    key: &str,
    text: &str,
) -> Result<Splice, Cause> {
    let Content::Map { flow, .. } = tree.node(map).content else {
        return Err(UNUSUAL);
    };
    let Content::Scalar(style) = tree.node(behind.key).content else {
        return Err(UNUSUAL);
    };
    // Where keys are in quotes, as in JSON, everything is.
    let style = match style {
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => style,
        ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded => ScalarStyle::Plain,
    };
    let spelt = |text: &str| spell(text, style, flow).ok_or(UNUSUAL);
    let pair = format!("{}: {}", spelt(key)?, spelt(text)?);
    let part = part(tree, behind);
    Ok(if flow {
        add_in_brackets(tree.source, part, &pair)
    } else {
        let indent = tree.node(behind.key).indent.ok_or(UNUSUAL)?;
        add_line(tree.source, indent, part.end, &pair)
    })
}

/// A key with its value.
fn part(tree: &Tree<'_>, entry: Found) -> Range<usize> {
    let (key, value) = (&tree.node(entry.key).whole, &tree.node(entry.value).whole);
    key.start..key.end.max(value.end)
}

/// A line below the one in which a value ends.
fn add_line(source: &str, indent: usize, end: usize, pair: &str) -> Splice {
    let line = " ".repeat(indent) + pair;
    let end = line_end(source, end);
    match break_at(source, end) {
        "" => {
            let last = source.rfind(['\n', '\r']).map_or(source.len(), |at| at + 1);
            let line_break = match break_before(source, last) {
                "" => "\n",
                line_break => line_break,
            };
            Splice {
                bytes: end..end,
                text: format!("{line_break}{line}"),
            }
        }
        line_break => {
            let at = end + line_break.len();
            Splice {
                bytes: at..at,
                text: format!("{line}{line_break}"),
            }
        }
    }
}

/// A line of its own where entries have lines of their own, else behind the
/// entry.
fn add_in_brackets(source: &str, entry: Range<usize>, pair: &str) -> Splice {
    let Range { start, end } = entry;
    let before = &source[line_start(source, start)..start];
    let line_ends = line_end(source, end);
    let after = source[end..line_ends].trim_start_matches([' ', '\t']);
    let line_break = break_at(source, line_ends);
    match after.strip_prefix(',') {
        Some(rest) if is_blank(before) && is_comment(rest) && !line_break.is_empty() => {
            let at = line_ends + line_break.len();
            Splice {
                bytes: at..at,
                text: format!("{before}{pair},{line_break}"),
            }
        }
        _ => Splice {
            bytes: end..end,
            text: format!(", {pair}"),
        },
    }
}

/// An entry less, with the lines that are its own.
pub(super) fn remove(tree: &Tree<'_>, map: NodeId, entry: Found) -> Result<Splice, Cause> {
    let part = part(tree, entry);
    let flow = matches!(tree.node(map).content, Content::Map { flow: true, .. });
    let bytes = own_lines(tree.source, part.clone(), flow)
        .or_else(|| match flow {
            true => between_commas(tree, map, entry, part),
            false => before_next(tree, map, entry, part),
        })
        .ok_or("it shares its line with something else")?;
    Ok(Splice {
        bytes,
        text: String::new(),
    })
}

/// The lines of a part, if nothing else stands in them but a comment, and in
/// brackets a comma.
fn own_lines(source: &str, part: Range<usize>, flow: bool) -> Option<Range<usize>> {
    let start = line_start(source, part.start);
    let end = line_end(source, part.end);
    let before = &source[start..part.start];
    let rest = &source[part.end..end];
    let (comma, rest) = match rest.trim_start_matches([' ', '\t']).strip_prefix(',') {
        Some(rest) if flow => (true, rest),
        _ => (false, rest),
    };
    // Some write the comma before an entry; then it is that entry's.
    let comma_first = flow && !comma && before.trim_matches([' ', '\t']) == ",";
    if !is_comment(rest) || !is_blank(before) && !comma_first {
        return None;
    }
    // A comma before it would be one too many where there is none behind it,
    // but for the last entry, of which nobody minds it.
    let last = source[end..].trim_start().starts_with('}');
    if flow && !comma && !comma_first && !last {
        return None;
    }
    Some(match break_at(source, end) {
        // The last line without a break: the one before it is then the last.
        "" => start - break_before(source, start).len()..end,
        line_break => start..end + line_break.len(),
    })
}

/// The first entry on the line of a `-`: the next takes its place.
fn before_next(
    tree: &Tree<'_>,
    map: NodeId,
    entry: Found,
    part: Range<usize>,
) -> Option<Range<usize>> {
    let mut entries = tree.own(map).skip_while(|it| it.key != entry.key);
    let next = tree.node(entries.nth(1)?.key).whole.start;
    let end = line_end(tree.source, part.end);
    let comment = is_comment(&tree.source[part.end..end]);
    let indentation = &tree.source[end + break_at(tree.source, end).len()..next];
    (comment && is_blank(indentation)).then_some(part.start..next)
}

/// An entry in brackets with the comma before it, or behind the first.
fn between_commas(
    tree: &Tree<'_>,
    map: NodeId,
    entry: Found,
    part: Range<usize>,
) -> Option<Range<usize>> {
    let entries: Vec<_> = tree.own(map).collect();
    let index = entries.iter().position(|it| it.key == entry.key)?;
    let is_comma = |gap: &str| gap.trim() == ",";
    let previous = index.checked_sub(1).and_then(|before| entries.get(before));
    let bytes = match (previous, entries.get(index + 1)) {
        (Some(previous), _) => {
            let end = self::part(tree, *previous).end;
            (end..part.end, end..part.start)
        }
        (None, Some(next)) => {
            let start = self::part(tree, *next).start;
            (part.start..start, part.end..start)
        }
        (None, None) => return None,
    };
    is_comma(&tree.source[bytes.1]).then_some(bytes.0)
}

/// The line that a person is told to write.
pub(super) fn line(key: &str, text: &str) -> String {
    match is_plain(text, false) {
        true => format!("{key}: {text}"),
        false => format!("{key}: \"{text}\""),
    }
}
