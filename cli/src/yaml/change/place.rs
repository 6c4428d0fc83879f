//! Where something can be inserted in a document's text.

use serde_json::Value;

use crate::yaml::{
    emit::{self, Indents},
    split::Document,
    tree::{Content, Node, NodeId, Style, Tree},
    value::scalar,
};

/// A document's text, with questions about its places.
pub(super) struct Place<'a> {
    pub(super) tree: &'a Tree,
    pub(super) json: bool,
    pub(super) newline: &'static str,
    text: &'a str,
}

impl<'a> Place<'a> {
    pub(super) fn new(text: &'a str, document: &'a Document) -> Self {
        let part = &text[document.range.clone()];
        let first = part.split_inclusive('\n').next().unwrap_or_default();
        let newline = if first.ends_with("\r\n") { "\r\n" } else { "\n" };
        Self { tree: &document.tree, json: document.json, newline, text }
    }

    fn node(&self, id: NodeId) -> &'a Node {
        self.tree.node(id)
    }

    pub(super) fn is_flow(&self, id: NodeId) -> bool {
        match self.node(id).content {
            Content::Sequence { flow, .. } | Content::Mapping { flow, .. } => flow,
            Content::Scalar { .. } | Content::Alias(_) => false,
        }
    }

    pub(super) fn is_block(&self, id: NodeId) -> bool {
        match self.node(id).content {
            Content::Sequence { flow, .. } | Content::Mapping { flow, .. } => !flow,
            Content::Scalar { .. } | Content::Alias(_) => false,
        }
    }

    /// Whether the node has nothing: `[]`, `{}`, null or no text at all.
    pub(super) fn is_empty(&self, id: NodeId) -> bool {
        let node = self.node(id);
        match &node.content {
            Content::Sequence { items, .. } => items.is_empty(),
            Content::Mapping { entries, .. } => entries.is_empty(),
            Content::Scalar { .. } => {
                scalar(node).is_ok_and(|it| it.is_some_and(|it| it.is_null()))
            }
            Content::Alias(_) => false,
        }
    }

    pub(super) fn same_line(&self, start: usize, end: usize) -> bool {
        self.text.get(start..end).is_some_and(|text| !text.contains('\n'))
    }

    /// The offset behind a key's colon.
    pub(super) fn colon(&self, key: NodeId) -> Option<usize> {
        let rest = self.text.get(self.node(key).end..)?;
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        rest[blanks..].starts_with(':').then(|| self.node(key).end + blanks + 1)
    }

    /// The offset behind the node's last character, without the line break of a block scalar.
    fn end(&self, id: NodeId) -> Option<usize> {
        let node = self.node(id);
        match &node.content {
            Content::Scalar { style: Style::Block, .. } => Some(self.block_scalar_end(node)),
            Content::Sequence { flow: false, .. } | Content::Mapping { flow: false, .. } => {
                self.members_end(id)
            }
            _ => Some(node.end),
        }
    }

    /// The offset behind a collection's last member.
    pub(super) fn members_end(&self, id: NodeId) -> Option<usize> {
        match &self.node(id).content {
            Content::Sequence { items, .. } => self.end(*items.last()?),
            Content::Mapping { entries, .. } => {
                let (key, value) = *entries.last()?;
                if !self.node(value).is_absent() {
                    return self.end(value);
                }
                self.colon(key).or(Some(self.node(key).end))
            }
            Content::Scalar { .. } | Content::Alias(_) => None,
        }
    }

    /// Trailing blank lines are part of a block scalar only with the indicator `+`.
    fn block_scalar_end(&self, node: &Node) -> usize {
        let before = self.text.get(..node.start).unwrap_or_default().trim_end();
        let header = before.rfind('\n').map_or(before, |at| &before[at..]);
        let keeps = header.rfind(['|', '>']).is_some_and(|at| header[at..].contains('+'));
        let content = self.text.get(node.start..node.end).unwrap_or_default();
        if !keeps {
            let kept = content.trim_end().len();
            return if kept == 0 { before.len() } else { node.start + kept };
        }
        let whole = content.rfind('\n').map_or(0, |at| at);
        node.start + content[..whole].trim_end_matches('\r').len()
    }

    /// The end of the line at an offset, without its line break.
    pub(super) fn line_end(&self, offset: usize) -> usize {
        let rest = self.text.get(offset..).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        offset + line.strip_suffix('\r').unwrap_or(line).len()
    }

    /// The column of a block sequence's dashes.
    pub(super) fn dash(&self, id: NodeId) -> Option<usize> {
        let Content::Sequence { items, flow: false } = &self.node(id).content else { return None };
        let mut before = self.text.get(..self.node(*items.first()?).start)?.trim_end();
        while let Some(word) = before.rsplit([' ', '\n', '\t']).next()
            && word.starts_with(['&', '!', '|', '>'])
        {
            before = before.strip_suffix(word)?.trim_end();
        }
        let before = before.strip_suffix('-')?;
        let line = before.rsplit('\n').next()?;
        Some(line.chars().count())
    }

    /// The author's indentation, as a mapping and what is around it show it.
    pub(super) fn indents(&self, map: NodeId, around: Indents) -> Indents {
        let mut indents = around;
        let Content::Mapping { entries, flow: false } = &self.node(map).content else {
            return indents;
        };
        let column = self.node(map).column;
        for (_, value) in entries.iter().filter(|(_, value)| self.is_block(*value)) {
            match self.node(*value).content {
                Content::Sequence { .. } => {
                    let dash = self.dash(*value).and_then(|dash| dash.checked_sub(column));
                    indents.list = dash.unwrap_or(indents.list);
                }
                _ => {
                    let step = self.node(*value).column.saturating_sub(column);
                    indents.map = if step == 0 { indents.map } else { step };
                }
            }
        }
        indents
    }

    /// A value as a member of a flow collection: on lines of its own if the collection is JSON with
    /// lines of its own.
    pub(super) fn in_flow(&self, id: NodeId, value: &Value) -> String {
        match self.member_indent(id) {
            Some(indent) if self.json => {
                let closing = self.leading(self.node(id).end.saturating_sub(1));
                let step = indent.strip_prefix(closing).filter(|step| !step.is_empty());
                let lines = emit::pretty(value, step.unwrap_or("  "));
                lines.replace('\n', &format!("{}{indent}", self.newline))
            }
            _ if self.json => emit::json(value),
            _ => emit::flow(value),
        }
    }

    /// New members of a flow collection that is not empty, each with the comma before it.
    pub(super) fn separated(&self, id: NodeId, members: &[String]) -> String {
        let separator = match self.member_indent(id) {
            Some(indent) => format!(",{}{indent}", self.newline),
            None => ", ".to_owned(),
        };
        members.iter().flat_map(|member| [separator.as_str(), member.as_str()]).collect()
    }

    /// The indentation of the last member, if it begins a line.
    fn member_indent(&self, id: NodeId) -> Option<&'a str> {
        let last = match &self.node(id).content {
            Content::Sequence { items, .. } => *items.last()?,
            Content::Mapping { entries, .. } => entries.last()?.0,
            Content::Scalar { .. } | Content::Alias(_) => return None,
        };
        let start = self.node(last).start;
        let indent = self.leading(start);
        let line = self.text.get(..start)?.rfind('\n')? + 1;
        (line + indent.len() == start).then_some(indent)
    }

    /// The white space at the start of an offset's line.
    fn leading(&self, offset: usize) -> &'a str {
        let before = self.text.get(..offset).unwrap_or_default();
        let line = &self.text[before.rfind('\n').map_or(0, |at| at + 1)..];
        &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
    }
}
