//! Whether a text has become what was meant and nothing else.
//!
//! The parser's events are everything that YAML knows of a text but its places
//! and comments, and those stay because the bytes do. So an edit that guessed
//! wrong is found here, before anybody writes it to a file.

use std::collections::HashMap;

use granit_parser::{Event, ScalarStyle};

use super::spelling::is_plain;
use super::tree::{NodeId, Tree};

/// What an edit is to do to a tree.
pub(super) enum Meant<'m> {
    /// The scalar has this text.
    Replaced(NodeId, &'m str),
    /// Behind this value follows a key with its text.
    Added(NodeId, [&'m str; 2]),
    /// The key and its value are gone.
    Removed(NodeId, NodeId),
}

/// One event that the new text has to have.
enum Expected<'m> {
    Same(&'m Event<'m>),
    /// The same but for its text.
    Replaced(&'m Event<'m>, &'m str),
    /// A new scalar.
    New(&'m str),
}

/// Whether the events are the same but for what was meant.
pub(super) fn holds(before: &Tree<'_>, after: &Tree<'_>, meant: &[Meant<'_>]) -> bool {
    let expected = expected(before, meant);
    let kept = expected.iter().filter_map(|expected| match expected {
        Expected::Same(event) | Expected::Replaced(event, _) => Some(*event),
        Expected::New(_) => None,
    });
    // Anchors are numbered as they come, so one less changes all the others.
    let anchors = (ranks(kept), ranks(after.events.iter()));
    expected.len() == after.events.len()
        && expected
            .iter()
            .zip(&after.events)
            .all(|(expected, event)| is(expected, event, &anchors))
}

fn expected<'m>(before: &'m Tree<'_>, meant: &'m [Meant<'_>]) -> Vec<Expected<'m>> {
    let mut expected = Vec::with_capacity(before.events.len() + 2);
    let mut replaced = HashMap::new();
    let mut added = HashMap::new();
    let mut removed = Vec::new();
    for meant in meant {
        match meant {
            Meant::Replaced(id, text) => {
                replaced.insert(before.node(*id).events.start, *text);
            }
            Meant::Added(id, pair) => {
                added.insert(before.node(*id).events.end, pair);
            }
            Meant::Removed(key, value) => {
                removed.push(before.node(*key).events.start..before.node(*value).events.end);
            }
        }
    }
    for (index, event) in before.events.iter().enumerate() {
        if let Some(pair) = added.get(&index) {
            expected.extend(pair.iter().map(|text| Expected::New(text)));
        }
        if removed.iter().any(|events| events.contains(&index)) {
            continue;
        }
        expected.push(match replaced.get(&index) {
            Some(text) => Expected::Replaced(event, text),
            None => Expected::Same(event),
        });
    }
    expected
}

type Ranks = HashMap<usize, usize>;

fn ranks<'e>(events: impl Iterator<Item = &'e Event<'e>>) -> Ranks {
    let anchors = events.filter_map(|event| match event {
        Event::Anchor(id, _) => Some(*id),
        _ => None,
    });
    anchors.enumerate().map(|(rank, id)| (id, rank)).collect()
}

fn is(expected: &Expected<'_>, event: &Event<'_>, anchors: &(Ranks, Ranks)) -> bool {
    let is_text =
        |text: &str, style: ScalarStyle| style != ScalarStyle::Plain || is_plain(text, false);
    match (expected, event) {
        (Expected::New(wanted), Event::Scalar(text, style, 0, None)) => {
            text == wanted && is_text(text, *style)
        }
        (
            Expected::Replaced(Event::Scalar(_, _, anchor, tag), wanted),
            Event::Scalar(text, style, new_anchor, new_tag),
        ) => {
            text == wanted
                && is_text(text, *style)
                && anchors.0.get(anchor) == anchors.1.get(new_anchor)
                && tag == new_tag
        }
        (Expected::Same(old), new) => is_same(old, new, anchors),
        (Expected::New(_) | Expected::Replaced(..), _) => false,
    }
}

fn is_same(old: &Event<'_>, new: &Event<'_>, anchors: &(Ranks, Ranks)) -> bool {
    let anchor = |old: &usize, new: &usize| anchors.0.get(old) == anchors.1.get(new);
    match (old, new) {
        (Event::Scalar(text, style, id, tag), Event::Scalar(text_2, style_2, id_2, tag_2)) => {
            text == text_2 && style == style_2 && anchor(id, id_2) && tag == tag_2
        }
        (Event::SequenceStart(style, id, tag), Event::SequenceStart(style_2, id_2, tag_2))
        | (Event::MappingStart(style, id, tag), Event::MappingStart(style_2, id_2, tag_2)) => {
            style == style_2 && anchor(id, id_2) && tag == tag_2
        }
        (Event::Anchor(id, name), Event::Anchor(id_2, name_2)) => {
            anchor(id, id_2) && name == name_2
        }
        (Event::Alias(id), Event::Alias(id_2)) => anchors.0.contains_key(id) && anchor(id, id_2),
        _ => old == new,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of a key of the first document.
    fn value(tree: &Tree<'_>, key: &str) -> (NodeId, NodeId) {
        let found = tree.get(tree.documents[0], key).unwrap().unwrap();
        (found.key, found.value)
    }

    #[test]
    fn only_what_was_meant_may_differ() {
        const BEFORE: &str = "a: &x 1\nb: !t 'c'\nd: *x\ne: &x [f]\ng: *x\n";
        let replaced = |text: &str| BEFORE.replace("'c'", text);
        // The new text; whether `b` has been set to `new`.
        let cases = [
            (replaced("'new'"), true),
            (replaced("new"), true),
            (replaced("\"new\" # and more"), true),
            (replaced("'old'"), false),
            (replaced("&y 'new'"), false),
            (replaced("'new'").replace("!t ", ""), false),
            (replaced("'new'").replace("!t", "!u"), false),
            (replaced("'new'").replace("&x 1", "&x 2"), false),
            (replaced("'new'").replace("&x 1", "&x '1'"), false),
            (replaced("'new'").replace("[f]", "\n  - f"), false),
            (replaced("'new'").replace("d: *x", "d: 1"), false),
            (replaced("'new'").replace("e: &x [f]", "e: &y [f]"), false),
            (
                replaced("'new'").replace("&x [f]\ng: *x", "&y [f]\ng: *y"),
                false,
            ),
            (format!("---\n{}", replaced("'new'")), false),
            (format!("{}h: 1\n", replaced("'new'")), false),
            (format!("{}---\n", replaced("'new'")), false),
        ];
        let before = Tree::parse(BEFORE).unwrap();
        let meant = [Meant::Replaced(value(&before, "b").1, "new")];
        for (text, expected) in cases {
            let after = Tree::parse(&text).unwrap();
            assert_eq!(holds(&before, &after, &meant), expected, "{text}");
        }
    }

    #[test]
    fn a_number_is_no_text() {
        let before = Tree::parse("a: b\n").unwrap();
        let (_, b) = value(&before, "a");
        for (text, expected) in [("a: '16'\n", true), ("a: 16\n", false)] {
            let after = Tree::parse(text).unwrap();
            assert_eq!(
                holds(&before, &after, &[Meant::Replaced(b, "16")]),
                expected
            );
        }
        for (text, expected) in [("a: b\nc: '16'\n", true), ("a: b\nc: 16\n", false)] {
            let after = Tree::parse(text).unwrap();
            assert_eq!(
                holds(&before, &after, &[Meant::Added(b, ["c", "16"])]),
                expected
            );
        }
    }

    #[test]
    fn an_entry_comes_and_goes() {
        const LESS: &str = "a: &x 1\nc: &z 3\nd: *z\n";
        const MORE: &str = "a: &x 1\nb: &y 2\nc: &z 3\nd: *z\n";
        let (less, more) = (Tree::parse(LESS).unwrap(), Tree::parse(MORE).unwrap());
        let (key, two) = value(&more, "b");
        // An anchor less, and yet the alias is the same.
        assert!(holds(&more, &less, &[Meant::Removed(key, two)]));
        let (key, three) = value(&more, "c");
        assert!(!holds(&more, &less, &[Meant::Removed(key, three)]));
        let (_, one) = value(&less, "a");
        let added = [Meant::Added(one, ["b", "x"])];
        let text = LESS.replace("c:", "b: x\nc:");
        assert!(holds(&less, &Tree::parse(&text).unwrap(), &added));
        let text = format!("{LESS}b: x\n");
        assert!(!holds(&less, &Tree::parse(&text).unwrap(), &added));
    }
}
