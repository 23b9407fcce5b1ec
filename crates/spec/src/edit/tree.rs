//! A text as nodes that know every byte they stand on.
//!
//! Beside the tree of `yaml`, because that one has forgotten what an edit must
//! see: which value is an alias, what a merge key brought, where anchors and
//! tags stand. And it refuses what a stack file may well have, such as a tag.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StructureStyle};

use super::place::BYTE_ORDER_MARK;
use super::{EditError, Place};
use crate::reading::MOST_BYTES_OF_ONE;
use crate::yaml::{DEEPEST, are_too_many};

/// A text, the parser's events, and the nodes that they make.
pub(super) struct Tree<'s> {
    pub(super) source: &'s str,
    pub(super) events: Vec<Event<'s>>,
    nodes: Vec<Node>,
    /// The roots.
    pub(super) documents: Vec<NodeId>,
}

/// A node of one tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NodeId(usize);

pub(super) struct Node {
    /// All its events. The end is 0 while it is open.
    pub(super) events: Range<usize>,
    /// The value alone: without its anchor and its tag. Of what is not written
    /// it is empty, and so it is of a block collection.
    pub(super) span: Range<usize>,
    /// With anchor and tag, and without what follows: blanks, comments.
    pub(super) whole: Range<usize>,
    /// The column of a block mapping's key, in characters from 0.
    pub(super) indent: Option<usize>,
    /// Whether it stands inside brackets.
    pub(super) in_flow: bool,
    pub(super) content: Content,
}

pub(super) enum Content {
    Scalar(ScalarStyle),
    List(Vec<NodeId>),
    Map {
        entries: Vec<(NodeId, NodeId)>,
        flow: bool,
    },
    /// What stands for another node, which is none itself.
    Alias(NodeId),
}

impl<'s> Tree<'s> {
    pub(super) fn parse(source: &'s str) -> Result<Self, EditError> {
        if source.len() > MOST_BYTES_OF_ONE {
            return Err(EditError::TooLarge);
        }
        let body = source.strip_prefix(BYTE_ORDER_MARK).unwrap_or(source);
        let options = granit_parser::options! {
            emit_anchor_events: true,
            emit_comments: false,
            flow_nesting_limit: DEEPEST,
            block_nesting_limit: DEEPEST,
        };
        let mut builder = Builder {
            shift: source.len() - body.len(),
            tree: Self {
                source,
                events: Vec::new(),
                nodes: Vec::new(),
                documents: Vec::new(),
            },
            open: Vec::new(),
            anchors: HashMap::new(),
        };
        for step in Parser::new_from_str_with_options(body, options) {
            let (event, span) = step.map_err(|error| builder.syntax(&error))?;
            builder.take(event, span)?;
        }
        Ok(builder.tree)
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The node itself, or what it stands for.
    pub(super) fn definition(&self, id: NodeId) -> NodeId {
        match self.node(id).content {
            Content::Alias(target) => target,
            Content::Scalar(_) | Content::List(_) | Content::Map { .. } => id,
        }
    }

    /// The text of a scalar, also behind an alias.
    pub(super) fn text(&self, id: NodeId) -> Option<&str> {
        let node = self.node(self.definition(id));
        match &self.events[node.events.start] {
            // The parser writes `~` for what is not there.
            Event::Scalar(..) if node.span.is_empty() => Some(""),
            Event::Scalar(text, ..) => Some(text),
            _ => None,
        }
    }

    /// Nothing is written, or `null`.
    pub(super) fn is_null(&self, id: NodeId) -> bool {
        let node = self.node(self.definition(id));
        let words = ["", "~", "null", "Null", "NULL"];
        matches!(node.content, Content::Scalar(ScalarStyle::Plain))
            && self.text(id).is_some_and(|text| words.contains(&text))
    }

    /// What a person would call the value.
    pub(super) fn noun(&self, id: NodeId) -> &'static str {
        match self.node(self.definition(id)).content {
            Content::Scalar(_) | Content::Alias(_) => "text",
            Content::List(_) => "a list",
            Content::Map { .. } => "a mapping",
        }
    }

    /// Whether an alias stands for a node or for a part of it.
    pub(super) fn is_used(&self, id: NodeId) -> bool {
        let events = &self.node(id).events;
        self.nodes.iter().any(|node| match node.content {
            Content::Alias(target) => events.contains(&self.node(target).events.start),
            Content::Scalar(_) | Content::List(_) | Content::Map { .. } => false,
        })
    }

    /// Where a node stands.
    pub(super) fn place(&self, id: NodeId) -> Place {
        Place::of(self.source, self.node(id).whole.start)
    }
}

struct Builder<'s> {
    /// The bytes before the first that the parser has seen.
    shift: usize,
    tree: Tree<'s>,
    open: Vec<Open>,
    anchors: HashMap<usize, NodeId>,
}

/// A collection whose end has not come.
struct Open {
    node: NodeId,
    /// The key whose value has not come.
    key: Option<NodeId>,
}

impl<'s> Builder<'s> {
    fn syntax(&self, error: &ScanError) -> EditError {
        let source = self.tree.source;
        let at = error.marker().byte_offset().unwrap_or_default() + self.shift;
        let mut at = at.min(source.len());
        while !source.is_char_boundary(at) {
            at -= 1;
        }
        EditError::Syntax {
            place: Place::of(source, at),
            reason: error.kind().to_string(),
        }
    }

    fn take(&mut self, event: Event<'s>, span: Span) -> Result<(), EditError> {
        match &event {
            Event::DocumentStart(..) => self.anchors.clear(),
            Event::Scalar(_, style, anchor, _) => {
                let content = Content::Scalar(*style);
                let id = self.add(span, *anchor, content)?;
                self.close(id);
            }
            Event::SequenceStart(_, anchor, _) => {
                let node = self.add(span, *anchor, Content::List(Vec::new()))?;
                self.open.push(Open { node, key: None });
            }
            Event::MappingStart(style, anchor, _) => {
                let content = Content::Map {
                    entries: Vec::new(),
                    flow: *style == StructureStyle::Flow,
                };
                let node = self.add(span, *anchor, content)?;
                self.open.push(Open { node, key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(anchor) => {
                let target = self.target(*anchor, span)?;
                let id = self.add(span, 0, Content::Alias(target))?;
                self.close(id);
            }
            Event::Anchor(anchor, _) => self.anchor(*anchor, span),
            _ => {}
        }
        self.tree.events.push(event);
        Ok(())
    }

    fn bytes(&self, span: Span) -> Range<usize> {
        let bytes = span.byte_range().unwrap_or_default();
        bytes.start + self.shift..bytes.end + self.shift
    }

    /// A node whose event is the next.
    fn add(&mut self, span: Span, anchor: usize, content: Content) -> Result<NodeId, EditError> {
        let id = NodeId(self.tree.nodes.len());
        if are_too_many(id.0) || self.open.len() > DEEPEST {
            return Err(EditError::TooLarge);
        }
        let bytes = self.bytes(span);
        let mut whole = bytes.clone();
        if matches!(
            content,
            Content::Scalar(ScalarStyle::Literal | ScalarStyle::Folded)
        ) {
            // The lines of a block go on to the next token.
            let text = &self.tree.source[bytes.clone()];
            whole.end = whole.start + text.trim_end().len();
        }
        if let Some(tag) = span.tag_span() {
            whole = join(whole, self.bytes(tag));
        }
        let event = self.tree.events.len();
        self.tree.nodes.push(Node {
            events: event..0,
            span: bytes,
            whole,
            indent: span.indent,
            in_flow: self.open.last().is_some_and(|open| self.is_flow(open.node)),
            content,
        });
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        self.attach(id);
        Ok(id)
    }

    /// Whether what stands in a collection stands inside brackets.
    fn is_flow(&self, id: NodeId) -> bool {
        let node = self.tree.node(id);
        node.in_flow || self.tree.source[node.span.clone()].starts_with(['[', '{'])
    }

    /// The anchor of the node whose event was the last.
    fn anchor(&mut self, anchor: usize, span: Span) {
        let bytes = self.bytes(span);
        let Some(NodeId(id)) = self.anchors.get(&anchor) else {
            return;
        };
        let node = &mut self.tree.nodes[*id];
        node.whole = join(node.whole.clone(), bytes);
        if node.events.end > 0 {
            // A scalar is finished already, and this event is its as well.
            node.events.end += 1;
        }
    }

    fn target(&self, anchor: usize, span: Span) -> Result<NodeId, EditError> {
        let target = self.anchors.get(&anchor).copied();
        match target.filter(|id| self.tree.node(*id).events.end > 0) {
            Some(target) => Ok(self.tree.definition(target)),
            None => Err(EditError::Syntax {
                place: Place::of(self.tree.source, self.bytes(span).start),
                reason: "an alias stands in what it stands for".to_owned(),
            }),
        }
    }

    /// Puts a node where it belongs.
    fn attach(&mut self, id: NodeId) {
        let Some(open) = self.open.last_mut() else {
            self.tree.documents.push(id);
            return;
        };
        match &mut self.tree.nodes[open.node.0].content {
            Content::List(items) => items.push(id),
            Content::Map { entries, .. } => match open.key.take() {
                None => open.key = Some(id),
                Some(key) => entries.push((key, id)),
            },
            Content::Scalar(_) | Content::Alias(_) => {}
        }
    }

    /// The end of a collection, whose event is the next.
    fn end(&mut self, span: Span) {
        let Some(Open { node: id, .. }) = self.open.pop() else {
            return;
        };
        let end = self.bytes(span);
        let tree = &mut self.tree;
        let last = match &tree.node(id).content {
            Content::List(items) => items.last().copied(),
            Content::Map { entries, .. } => entries.last().map(|(_, value)| *value),
            Content::Scalar(_) | Content::Alias(_) => None,
        };
        let last = last.map_or(0, |last| tree.node(last).whole.end);
        let node = &mut tree.nodes[id.0];
        if end.is_empty() {
            // A block, or the one pair of `[a: b]`: it ends with its content.
            node.whole.end = node.whole.end.max(last);
        } else {
            node.span.end = end.end;
            node.whole.end = end.end;
        }
        self.close(id);
    }

    /// A node is finished with the event that is the next.
    fn close(&mut self, id: NodeId) {
        self.tree.nodes[id.0].events.end = self.tree.events.len() + 1;
    }
}

fn join(a: Range<usize>, b: Range<usize>) -> Range<usize> {
    a.start.min(b.start)..a.end.max(b.end)
}
