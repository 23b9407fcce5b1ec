//! YAML text as a tree whose nodes know their places.
//!
//! Built from the parser's events rather than through serde, because a
//! diagnostic wants more than a value: the place of a key, both places of a
//! duplicate, the spelling of a scalar. A plain scalar stays text until
//! something asks for a type, so that a tag may be written `1.10` and a name
//! may be `no`.
//!
//! Bounded: in depth, in the number of values that aliases expand to, and in
//! size by the caller. Aliases share what they stand for.
//!
//! Deliberately absent: tags. No tag means anything in a spec, so all but the
//! harmless `!!str` are mistakes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle, Tag};

use crate::diagnostic::{Finding, Findings, Kind};
use crate::secrets::Search;
use crate::source::{Source, Span};

mod merge;
mod syntax;
#[cfg(test)]
mod tests;

/// How deep collections may be nested.
pub(crate) const DEEPEST: usize = 64;

/// How many values the files may hold together, aliases expanded.
const MOST_NODES: usize = 100_000;

/// A text counts for one more value with each so many bytes: an alias of a
/// long one stands for all of it, too.
const BYTES_OF_A_NODE: usize = 1024;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The value's place, or that of the alias that stands for it. Of a block
    /// collection, the place of its first key or entry.
    pub(crate) span: Span,
    /// The value's own place, also behind an alias.
    pub(crate) definition: Span,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Scalar(Rc<Scalar>),
    List(Rc<[Node]>),
    Map(Rc<[Entry]>),
    /// Something stands there, but what has not been understood, which has been
    /// told; whatever is wanted here, nothing more is to be said.
    Unknown,
}

#[derive(Debug)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// Without quotes, so that it may stand for something else than text.
    pub(crate) plain: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Key,
    pub(crate) value: Node,
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) span: Span,
    /// Without quotes: only then `<<` merges.
    plain: bool,
}

impl Node {
    fn new(span: Span, value: Value) -> Self {
        Self {
            span,
            definition: span,
            value,
        }
    }

    /// Nothing is written, or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.plain
            && matches!(scalar.text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// What a person would call the value.
    pub(crate) fn noun(&self) -> &'static str {
        match &self.value {
            Value::Scalar(_) | Value::Unknown => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// Whether so many values are more than are read.
pub(crate) fn are_too_many(nodes: usize) -> bool {
    nodes > MOST_NODES
}

/// Reads every document of a text. A syntax error ends its document, and the
/// next is read again. `nodes` are the values of all texts so far.
pub(crate) fn documents(source: &Source, nodes: &mut usize, findings: &mut Findings) -> Vec<Node> {
    let options = granit_parser::options! {
        emit_unresolved_aliases: true,
        emit_comments: false,
        flow_nesting_limit: DEEPEST,
        block_nesting_limit: DEEPEST,
    };
    let before = findings.count();
    let mut parser = Parser::new_from_str_with_options(&source.text, options);
    let mut builder = Builder {
        source,
        findings,
        open: Vec::new(),
        anchors: HashMap::new(),
        search: Search::default(),
        before: *nodes,
        nodes: *nodes,
        roots: Vec::new(),
    };
    loop {
        let step = match parser.next() {
            None => break,
            Some(Ok((event, span))) => {
                let range = span.byte_range().unwrap_or_default();
                builder.event(event, source.span(range.start, range.end))
            }
            Some(Err(error)) => {
                builder.findings.push(syntax::finding(&error, source));
                builder.abandon();
                match parser.proceed_next_document() {
                    Ok(true) => Ok(()),
                    Ok(false) | Err(_) => break,
                }
            }
        };
        if let Err(TooLarge) = step {
            break;
        }
    }
    let roots = builder.roots;
    *nodes = builder.nodes;
    if findings.count() == before {
        findings.is_tree(source);
    }
    roots
}

/// A bound is passed; the rest of the file is not read.
struct TooLarge;

struct Builder<'s> {
    source: &'s Source,
    findings: &'s mut Findings,
    open: Vec<Open>,
    /// Finished nodes with an anchor, and how many values they expand to.
    anchors: HashMap<usize, (Node, usize)>,
    search: Search,
    /// The values of the texts before this one, and with it.
    before: usize,
    nodes: usize,
    roots: Vec<Node>,
}

/// A collection whose end has not come.
struct Open {
    start: Span,
    flow: bool,
    anchor: usize,
    /// How many nodes there were before it.
    nodes: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        seen: HashMap<String, Span>,
        key: Pending,
    },
}

/// What the next node of a mapping is.
enum Pending {
    Key,
    /// The value of this key; None when it was refused.
    Value(Option<Key>),
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), TooLarge> {
        match event {
            Event::DocumentStart(..) => self.abandon(),
            Event::Scalar(text, style, anchor, tag) => {
                let nodes = 1 + text.len() / BYTES_OF_A_NODE;
                self.count(nodes, span)?;
                let plain = style == ScalarStyle::Plain && tag.is_none();
                // The parser writes `~` for what is not there.
                let text = if span.start == span.end {
                    String::new()
                } else {
                    text.into_owned()
                };
                let value = match self.tag(tag.as_ref(), span) {
                    true => Value::Scalar(Rc::new(Scalar { text, plain })),
                    false => Value::Unknown,
                };
                self.finish(Node::new(span, value), anchor, nodes);
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.tag(tag.as_ref(), span);
                self.open(style, anchor, span, Content::List(Vec::new()))?;
            }
            Event::MappingStart(style, anchor, tag) => {
                self.tag(tag.as_ref(), span);
                let content = Content::Map {
                    entries: Vec::new(),
                    seen: HashMap::new(),
                    key: Pending::Key,
                };
                self.open(style, anchor, span, content)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(anchor) => self.alias(anchor, span)?,
            Event::UnresolvedAlias(_) => self.unknown_alias(span),
            _ => {}
        }
        Ok(())
    }

    /// Drops what an error or the end of a document leaves.
    fn abandon(&mut self) {
        self.open.clear();
        self.anchors.clear();
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), TooLarge> {
        self.nodes += nodes;
        if !are_too_many(self.nodes) {
            return Ok(());
        }
        let thousands = MOST_NODES / 1000;
        let holder = match self.before {
            0 => "this file holds",
            _ => "with this one, the files hold",
        };
        let message = format!("{holder} more than {thousands},000 values");
        let finding = Finding::new(Kind::TooLarge, message).at(span, "too many by here");
        self.findings.push(finding.help(if nodes > 1 {
            "an alias counts as everything it stands for: write less of them"
        } else {
            "give fewer stacks at once"
        }));
        Err(TooLarge)
    }

    /// Whether a node may have the tag.
    fn tag(&mut self, tag: Option<&Cow<'_, Tag>>, span: Span) -> bool {
        let refused = tag.is_some_and(|tag| tag.core_suffix() != Some("str"));
        if refused {
            let message = "a YAML tag has no meaning in a spec";
            let before = &self.source.text[..span.start];
            let start = before.rfind('!').map_or(span.start, |at| {
                // Both marks of `!!int`.
                at - before[..at].chars().rev().take_while(|c| *c == '!').count()
            });
            let end = start
                + self.source.text[start..]
                    .find(char::is_whitespace)
                    .unwrap_or(0);
            let finding = Finding::new(Kind::YamlTag, message);
            let finding = finding.at(self.source.span(start, end), "a tag");
            self.findings
                .push(finding.help("remove the tag, and write the value itself"));
        }
        !refused
    }

    fn open(
        &mut self,
        style: StructureStyle,
        anchor: usize,
        start: Span,
        content: Content,
    ) -> Result<(), TooLarge> {
        let nodes = self.nodes;
        self.count(1, start)?;
        if self.open.len() >= DEEPEST {
            self.findings.push(syntax::too_deep(start));
            return Err(TooLarge);
        }
        self.open.push(Open {
            start,
            flow: style == StructureStyle::Flow,
            anchor,
            nodes,
            content,
        });
        Ok(())
    }

    fn close(&mut self, end: Span) {
        let Some(open) = self.open.pop() else { return };
        let first = match &open.content {
            Content::List(items) => items.first().map(|item| item.span),
            Content::Map { entries, .. } => entries.first().map(|entry| entry.key.span),
        };
        let span = match first {
            Some(first) if !open.flow => first,
            _ => self.source.span(open.start.start, end.end),
        };
        let value = match open.content {
            Content::List(items) => Value::List(items.into()),
            Content::Map { entries, .. } => {
                Value::Map(merge::merge(entries, self.findings, &mut self.nodes).into())
            }
        };
        let nodes = self.nodes - open.nodes;
        self.finish(Node::new(span, value), open.anchor, nodes);
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), TooLarge> {
        let Some((node, nodes)) = self.anchors.get(&anchor).cloned() else {
            // Its node is still open: it would hold itself.
            self.unknown_alias(span);
            return Ok(());
        };
        self.count(nodes, span)?;
        self.finish(Node { span, ..node }, 0, nodes);
        Ok(())
    }

    fn unknown_alias(&mut self, span: Span) {
        let message = "this alias has no anchor before it";
        let finding = Finding::new(Kind::Alias, message).at(span, "stands for nothing");
        self.findings.push(finding.help(
            "put `&name` before the value it shall stand for; to write a text that begins with `*`, put it in quotes",
        ));
        // Something has to take its place, or keys and values would be mixed up.
        self.finish(Node::new(span, Value::Unknown), 0, 1);
    }

    /// Puts a finished node where it belongs.
    fn finish(&mut self, node: Node, anchor: usize, nodes: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), nodes));
        }
        let Some(open) = self.open.last_mut() else {
            self.roots.push(node);
            return;
        };
        match &mut open.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, seen, key } => match key {
                Pending::Key => *key = Pending::Value(new_key(node, seen, self.findings)),
                Pending::Value(name) => {
                    if let Some(name) = name.take() {
                        let findings = &mut *self.findings;
                        let mut found = |span| findings.blacken(span);
                        self.search.in_value(&name.text, &node, &mut found);
                        entries.push(Entry {
                            key: name,
                            value: node,
                        });
                    }
                    *key = Pending::Key;
                }
            },
        }
    }
}

/// Takes a node as a key; None, with a mistake, when it cannot be one.
fn new_key(node: Node, seen: &mut HashMap<String, Span>, findings: &mut Findings) -> Option<Key> {
    let span = node.span;
    if matches!(node.value, Value::Unknown) {
        return None;
    }
    let Value::Scalar(scalar) = &node.value else {
        let message = format!("a key must be text, not {}", node.noun());
        findings.push(Finding::new(Kind::Key, message).at(span, "not a key"));
        return None;
    };
    let text = scalar.text.clone();
    let merges = scalar.plain && text == merge::KEY;
    if let Some(first) = seen.insert(text.clone(), span)
        && !merges
    {
        let message = format!("the key {} stands twice", crate::diagnostic::quoted(&text));
        let finding = Finding::new(Kind::Key, message).at(span, "again here");
        findings.push(
            finding
                .at(first, "first here")
                .help("remove one of the two"),
        );
        seen.insert(text, first);
        return None;
    }
    let plain = scalar.plain;
    Some(Key { text, span, plain })
}
