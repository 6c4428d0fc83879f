//! Changes of a document as edits of its text: what does not change keeps its spelling, its comments
//! and its place.

mod place;

use std::{collections::HashMap, ops::Range};

use serde_json::Value;

use self::place::Place;
use super::{
    emit::{self, Indents, Lines},
    split::{Document, documents},
    tree::{Content, NodeId},
    value::scalar,
};

/// A replacement of a part of the text; of an empty part, an insertion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    range: Range<usize>,
    text: String,
}

impl Edit {
    /// Inserts a text at an offset.
    pub(crate) fn insert(offset: usize, text: String) -> Self {
        Self { range: offset..offset, text }
    }

    /// The offset of what it replaces.
    pub(crate) fn start(&self) -> usize {
        self.range.start
    }
}

/// The edits in the order of their places. Insertions at one place stay in their order.
pub(crate) fn sorted(mut edits: Vec<Edit>) -> Vec<Edit> {
    edits.sort_by_key(Edit::start);
    edits
}

/// Returns the edits that change a document of `text` from its value to `after`, or `None` if edits
/// are not enough: then the document must be [`rewritten`].
///
/// The edited text is read again and compared with `after`, so that an error here cannot change a
/// manifest's meaning.
pub(crate) fn edits(text: &str, document: &Document, after: &Value) -> Option<Vec<Edit>> {
    let mut changes =
        Changes { place: Place::new(text, document), edits: Vec::new(), changed: HashMap::new() };
    changes.node(document.tree.root(), (&document.value, after), Indents::default())?;
    let edited = apply(text, &document.range, changes.edits.clone());
    reads_as(&edited, after).then_some(changes.edits)
}

/// The text of a range with edits of it.
pub(crate) fn apply(text: &str, range: &Range<usize>, edits: Vec<Edit>) -> String {
    let (mut edited, mut from) = (String::new(), range.start);
    for edit in sorted(edits) {
        edited.push_str(text.get(from..edit.range.start).unwrap_or_default());
        edited.push_str(&edit.text);
        from = from.max(edit.range.end);
    }
    edited.push_str(text.get(from..range.end).unwrap_or_default());
    edited
}

/// Replaces a document by one written anew, without its comments. Scalars that did not change keep
/// their spelling. Returns `None` if the new text would not be read as `after`.
pub(crate) fn rewritten(text: &str, document: &Document, after: &Value) -> Option<Edit> {
    let place = Place::new(text, document);
    let part = &text[document.range.clone()];
    let head = head(part);
    let spelling = |at: &str, value: &Value| {
        let id = document.tree.find(at)?;
        let node = document.tree.node(document.tree.target(id));
        let same = scalar(node).ok().flatten().as_ref() == Some(value) && node.tag.is_none();
        let spelled = text.get(node.start..node.end)?;
        let one_line = !node.is_absent() && !spelled.contains('\n') && !node.is_block_scalar();
        (same && one_line).then(|| spelled.to_owned())
    };
    let mut lines = Lines::new(Indents::default(), &spelling);
    lines.value(0, after, "");
    let mut body = lines.into_lines().join(place.newline);
    // A line `...` ends a document that another one follows without `---`.
    let tail = part
        .match_indices("\n...")
        .map(|(at, _)| at + 1)
        .find(|at| part[at + 3..].chars().next().is_none_or(char::is_whitespace));
    if document.json {
        body = emit::pretty(after, "  ");
    } else if part.ends_with('\n') || tail.is_some() {
        body.push_str(place.newline);
    }
    // Content may begin in the line of the `---`.
    if head > 0 && !part[..head].ends_with('\n') {
        body.insert_str(0, place.newline);
    }
    let end = tail.map_or(document.range.end, |tail| document.range.start + tail);
    let edit = Edit { range: document.range.start + head..end, text: body };
    let written = apply(text, &document.range, vec![edit.clone()]);
    reads_as(&written, after).then_some(edit)
}

/// The length of what stays before a document's content: a `---` with the comment behind it.
fn head(part: &str) -> usize {
    let (line, rest) = part.split_once('\n').unwrap_or((part, ""));
    match line.strip_prefix("---") {
        Some(behind) if behind.trim().is_empty() || behind.trim_start().starts_with('#') => {
            part.len() - rest.len()
        }
        Some(behind) if behind.starts_with([' ', '\t']) => "---".len(),
        _ => 0,
    }
}

/// Whether a text is one document with this value.
fn reads_as(text: &str, value: &Value) -> bool {
    let read = documents(text);
    matches!(read.as_slice(), [Ok(document)] if document.value == *value)
}

struct Changes<'a> {
    place: Place<'a>,
    edits: Vec<Edit>,
    /// What anchored nodes become, so that their aliases need no edit of their own.
    changed: HashMap<NodeId, Value>,
}

impl Changes<'_> {
    fn push(&mut self, range: Range<usize>, text: String) {
        self.edits.push(Edit { range, text });
    }

    /// Changes a node's value.
    fn node(&mut self, id: NodeId, values: (&Value, &Value), indents: Indents) -> Option<()> {
        let (before, after) = values;
        if before == after {
            return Some(());
        }
        let tree = self.place.tree;
        if tree.node(id).anchored {
            self.changed.insert(id, after.clone());
        }
        match (&tree.node(id).content, before, after) {
            (Content::Alias(target), ..) => {
                if self.changed.get(target) == Some(after) {
                    return Some(());
                }
                self.replace(id, after)
            }
            (Content::Mapping { entries, .. }, Value::Object(before), Value::Object(after))
                if !entries.is_empty() =>
            {
                let indents = self.place.indents(id, indents);
                let mut added = Vec::new();
                for (key, after) in after {
                    match (before.get(key), tree.entry(id, key)) {
                        (Some(before), _) if before == after => {}
                        (Some(before), Some(entry)) => {
                            self.entry(id, entry, (before, after), indents)?;
                        }
                        // A key that is absent, or that another mapping gives.
                        _ => added.push((key.clone(), after.clone())),
                    }
                }
                before.keys().all(|key| after.contains_key(key)).then_some(())?;
                if added.is_empty() { Some(()) } else { self.add_entries(id, added, indents) }
            }
            (Content::Sequence { items, .. }, Value::Array(before), Value::Array(after))
                if !items.is_empty() && items.len() <= after.len() =>
            {
                for (item, values) in items.iter().zip(before.iter().zip(after)) {
                    self.node(*item, values, indents)?;
                }
                let added = after.get(items.len()..).unwrap_or_default();
                if added.is_empty() { Some(()) } else { self.add_items(id, added, indents) }
            }
            _ => self.replace(id, after),
        }
    }

    /// Changes an entry's value. One that is empty becomes lines below its key.
    fn entry(
        &mut self,
        map: NodeId,
        (key, value): (NodeId, NodeId),
        values: (&Value, &Value),
        indents: Indents,
    ) -> Option<()> {
        let tree = self.place.tree;
        let node = tree.node(value);
        let fills = matches!(values.1, Value::Object(_) | Value::Array(_))
            && !node.anchored
            && node.tag.is_none()
            && !self.place.is_flow(map)
            && self.place.is_empty(value)
            && self.place.same_line(tree.node(key).start, node.end);
        if !fills {
            return match node.is_absent() {
                true => {
                    let colon = self.place.colon(key)?;
                    self.push(colon..colon, format!(" {}", self.inline(values.1)));
                    Some(())
                }
                false => self.node(value, values, indents),
            };
        }
        let colon = self.place.colon(key)?;
        if !node.is_absent() {
            self.push(colon..node.end, String::new());
        }
        let column = tree.node(map).column;
        let mut lines = Lines::new(indents, &|_, _| None);
        let step = if values.1.is_array() { indents.list } else { indents.map };
        lines.value(column + step, values.1, "");
        self.insert_below(colon, lines);
        Some(())
    }

    /// Replaces a node's text by its value on one line.
    fn replace(&mut self, id: NodeId, after: &Value) -> Option<()> {
        let node = self.place.tree.node(id);
        if node.is_block_scalar() || node.is_absent() || self.place.is_block(id) {
            return None;
        }
        let text = self.inline(after);
        self.push(node.start..node.end, text);
        Some(())
    }

    fn inline(&self, value: &Value) -> String {
        if self.place.json { emit::json(value) } else { emit::flow(value) }
    }

    fn insert_below(&mut self, offset: usize, lines: Lines<'_>) {
        let at = self.place.line_end(offset);
        let newline = self.place.newline;
        let text: String =
            lines.into_lines().iter().flat_map(|line| [newline, line.as_str()]).collect();
        self.push(at..at, text);
    }

    fn add_entries(
        &mut self,
        id: NodeId,
        added: Vec<(String, Value)>,
        indents: Indents,
    ) -> Option<()> {
        let end = self.place.members_end(id)?;
        if self.place.is_flow(id) {
            let entries = added.iter().map(|(key, value)| {
                let key = self.inline(&Value::from(key.as_str()));
                format!("{key}: {}", self.place.in_flow(id, value))
            });
            let entries: Vec<String> = entries.collect();
            let text = self.place.separated(id, &entries);
            self.push(end..end, text);
            return Some(());
        }
        let mut lines = Lines::new(indents, &|_, _| None);
        lines.value(
            self.place.tree.node(id).column,
            &Value::Object(added.into_iter().collect()),
            "",
        );
        self.insert_below(end, lines);
        Some(())
    }

    fn add_items(&mut self, id: NodeId, added: &[Value], indents: Indents) -> Option<()> {
        let end = self.place.members_end(id)?;
        if self.place.is_flow(id) {
            let items: Vec<String> =
                added.iter().map(|item| self.place.in_flow(id, item)).collect();
            let text = self.place.separated(id, &items);
            self.push(end..end, text);
            return Some(());
        }
        let column = self.place.dash(id)?;
        let mut lines = Lines::new(indents, &|_, _| None);
        for item in added {
            lines.item(column, item, "");
        }
        self.insert_below(end, lines);
        Some(())
    }
}

#[cfg(test)]
mod tests;
