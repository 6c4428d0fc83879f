//! A document's nodes with their places in the text.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle, Tag, options};

use super::error::SyntaxError;

pub(super) type NodeId = usize;

/// The nodes of one document. All offsets are bytes of the whole file.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    root: NodeId,
    /// The offset behind the document and the `...` that ends it.
    end: usize,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Counted from 1.
    pub(super) line: usize,
    /// In characters, counted from 0. Of a block sequence, the column of its dashes.
    pub(super) column: usize,
    pub(super) anchored: bool,
    /// The tag's name, as in `!!str`; `None` without one.
    pub(super) tag: Option<String>,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Scalar { text: String, style: Style },
    Sequence { items: Vec<NodeId>, flow: bool },
    Mapping { entries: Vec<(NodeId, NodeId)>, flow: bool },
    Alias(NodeId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Quoted,
    /// `|` or `>`.
    Block,
}

impl Tree {
    pub(super) fn root(&self) -> NodeId {
        self.root
    }

    pub(super) fn end(&self) -> usize {
        self.end
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// The node, or that which it is an alias of.
    pub(super) fn target(&self, id: NodeId) -> NodeId {
        match self.node(id).content {
            Content::Alias(target) => target,
            _ => id,
        }
    }
}

impl Node {
    /// Whether the node is a value that was left out, as after `env:`.
    pub(super) fn is_absent(&self) -> bool {
        let plain = matches!(self.content, Content::Scalar { style: Style::Plain, .. });
        plain && self.start == self.end
    }

    pub(super) fn is_block_scalar(&self) -> bool {
        matches!(self.content, Content::Scalar { style: Style::Block, .. })
    }
}

/// Where a piece of a file begins.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) offset: usize,
    pub(super) line: usize,
}

/// A collection whose end is not reached. A mapping's items are its keys and values in turn.
struct Open {
    id: NodeId,
    items: Vec<NodeId>,
}

struct Builder {
    origin: Origin,
    nodes: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, NodeId>,
    root: Option<NodeId>,
}

/// The documents of a piece of a file.
pub(super) fn trees(text: &str, origin: Origin) -> Result<Vec<Tree>, SyntaxError> {
    let mut options = options! {};
    options.set_emit_comments(false);
    let mut trees = Vec::new();
    let mut builder = Builder::new(origin);
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| {
            let at = error.marker();
            SyntaxError { line: origin.line + at.line() - 1, reason: error.info().to_owned() }
        })?;
        if matches!(event, Event::DocumentEnd) {
            let Builder { nodes, root, .. } = std::mem::replace(&mut builder, Builder::new(origin));
            let end = origin.offset + span.byte_range().unwrap_or_default().end;
            trees.extend(root.map(|root| Tree { nodes, root, end }));
        } else {
            builder.add(event, &span)?;
        }
    }
    Ok(trees)
}

/// A tag's name: `!!int` for each spelling of YAML's own tags, such as `!<tag:yaml.org,2002:int>`.
fn name(tag: &Tag) -> String {
    let full = format!("{}{}", tag.handle(), tag.suffix());
    full.strip_prefix("tag:yaml.org,2002:").map_or(tag.original(), |name| format!("!!{name}"))
}

impl Builder {
    fn new(origin: Origin) -> Self {
        let (nodes, open, anchors) = Default::default();
        Self { origin, nodes, open, anchors, root: None }
    }

    fn add(&mut self, event: Event<'_>, span: &Span) -> Result<(), SyntaxError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                    _ => Style::Quoted,
                };
                let content = Content::Scalar { text: text.into_owned(), style };
                let tag = tag.as_deref().map(name);
                let id = self.node(span, content, anchor, tag);
                self.place(id);
            }
            Event::SequenceStart(style, anchor, tag) => {
                let content =
                    Content::Sequence { items: Vec::new(), flow: style == StructureStyle::Flow };
                self.begin(span, content, anchor, tag.as_deref().map(name));
            }
            Event::MappingStart(style, anchor, tag) => {
                let content =
                    Content::Mapping { entries: Vec::new(), flow: style == StructureStyle::Flow };
                self.begin(span, content, anchor, tag.as_deref().map(name));
            }
            Event::SequenceEnd | Event::MappingEnd => self.finish(span),
            Event::Alias(anchor) => {
                let target = self.anchors.get(&anchor).copied();
                let inside = |id| self.open.iter().any(|open| open.id == id);
                let Some(target) = target.filter(|target| !inside(*target)) else {
                    let line = self.origin.line + span.start.line() - 1;
                    return Err(SyntaxError { line, reason: "an anchor contains itself".into() });
                };
                let id = self.node(span, Content::Alias(target), 0, None);
                self.place(id);
            }
            _ => {}
        }
        Ok(())
    }

    fn node(
        &mut self,
        span: &Span,
        content: Content,
        anchor: usize,
        tag: Option<String>,
    ) -> NodeId {
        let range = span.byte_range().unwrap_or_default();
        let id = self.nodes.len();
        self.nodes.push(Node {
            start: self.origin.offset + range.start,
            end: self.origin.offset + range.end,
            line: self.origin.line + span.start.line() - 1,
            column: span.start.col(),
            anchored: anchor != 0,
            tag,
            content,
        });
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        id
    }

    /// Adds a node to the innermost collection.
    fn place(&mut self, id: NodeId) {
        match self.open.last_mut() {
            Some(open) => open.items.push(id),
            None => self.root = Some(id),
        }
    }

    fn begin(&mut self, span: &Span, content: Content, anchor: usize, tag: Option<String>) {
        let id = self.node(span, content, anchor, tag);
        self.place(id);
        self.open.push(Open { id, items: Vec::new() });
    }

    fn finish(&mut self, span: &Span) {
        let Some(open) = self.open.pop() else { return };
        let end = span.byte_range().unwrap_or_default().end + self.origin.offset;
        let Some(node) = self.nodes.get_mut(open.id) else { return };
        node.end = end;
        match &mut node.content {
            Content::Sequence { items, .. } => *items = open.items,
            Content::Mapping { entries, .. } => {
                let pairs = open.items.chunks_exact(2);
                *entries = pairs.map(|pair| (pair[0], pair[1])).collect();
            }
            Content::Scalar { .. } | Content::Alias(_) => {}
        }
    }
}
