//! A tree's value as kubectl reads it, and the places of what is in it.

use std::collections::HashMap;

use base64::{
    Engine as _, alphabet,
    engine::{GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Map, Value};

use super::{
    error::SyntaxError,
    scalar::resolve,
    tree::{Content, Node, NodeId, Style, Tree},
};

/// Values that aliases may expand to, against documents that grow exponentially. What the author
/// wrote out is not counted: a list of 100,000 objects has more.
const MAX_EXPANDED: usize = 1_000_000;
/// The length of a text that counts as one more value, against many aliases of a long text.
const LONG_TEXT: usize = 64;
/// How deep values may be within each other. Objects of Kubernetes have no more than 30 levels, and
/// each level is one of this reader's stack.
const MAX_DEPTH: usize = 256;

/// A key that a mapping has twice. kubectl takes the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Duplicate {
    pub(crate) key: String,
    /// The lines of the one before and of the one that counts.
    pub(crate) lines: (usize, usize),
}

pub(crate) type Read = (Value, Vec<Duplicate>);

#[derive(Default)]
struct Reader {
    duplicates: Vec<Duplicate>,
    depth: usize,
    /// How many aliases the value is within.
    aliases: usize,
    /// What aliases have expanded to.
    expanded: usize,
}

impl Tree {
    /// The document's value, and the keys that are in it twice.
    pub(super) fn value(&self) -> Result<Read, SyntaxError> {
        let mut reader = Reader::default();
        let value = reader.value(self, self.root())?;
        Ok((value, reader.duplicates))
    }

    /// The line of what a JSON pointer names, or of the innermost value around it.
    pub(crate) fn line(&self, pointer: &str) -> usize {
        let mut id = self.root();
        let mut line = self.node(id).line;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let Some((key, child)) = self.child(id, &token) else { break };
            line = self.node(key).line;
            id = child;
        }
        line
    }

    /// The offset of what a JSON pointer names.
    pub(crate) fn start(&self, pointer: &str) -> Option<usize> {
        self.find(pointer).map(|id| self.node(id).start)
    }

    /// The node of a JSON pointer.
    pub(super) fn find(&self, pointer: &str) -> Option<NodeId> {
        pointer.split('/').skip(1).try_fold(self.root(), |id, token| {
            let token = token.replace("~1", "/").replace("~0", "~");
            self.child(id, &token).map(|(_, child)| child)
        })
    }

    /// A mapping's value or a sequence's item, with the node of its key or of itself.
    fn child(&self, id: NodeId, token: &str) -> Option<(NodeId, NodeId)> {
        match &self.node(self.target(id)).content {
            Content::Sequence { items, .. } => {
                let item = *items.get(token.parse::<usize>().ok()?)?;
                Some((item, item))
            }
            Content::Mapping { .. } => self.entry(id, token).or_else(|| {
                let Content::Mapping { entries, .. } = &self.node(self.target(id)).content else {
                    return None;
                };
                let mut merges = entries.iter().filter(|(key, _)| is_merge(self.node(*key)));
                merges.find_map(|(_, merged)| self.child(*merged, token))
            }),
            Content::Scalar { .. } | Content::Alias(_) => None,
        }
    }

    /// A mapping's own entry of this key; of several the last one.
    pub(super) fn entry(&self, id: NodeId, name: &str) -> Option<(NodeId, NodeId)> {
        let Content::Mapping { entries, .. } = &self.node(self.target(id)).content else {
            return None;
        };
        let named =
            |key: NodeId| !is_merge(self.node(key)) && self.key(key).is_ok_and(|key| key == name);
        entries.iter().rfind(|(key, _)| named(*key)).copied()
    }

    fn key(&self, id: NodeId) -> Result<String, SyntaxError> {
        let node = self.node(self.target(id));
        let wrong = |reason: &str| SyntaxError { line: node.line, reason: reason.to_owned() };
        match scalar(node)? {
            Some(Value::String(text)) => Ok(text),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(Value::Bool(truth)) => Ok(truth.to_string()),
            _ => Err(wrong("a key is neither text, number nor boolean")),
        }
    }
}

/// The value of a scalar; `None` for another node.
pub(super) fn scalar(node: &Node) -> Result<Option<Value>, SyntaxError> {
    let Content::Scalar { text, style } = &node.content else { return Ok(None) };
    let tag = node.tag.as_deref();
    let plain = *style == Style::Plain && tag.is_none_or(is_core);
    let value = match tag {
        Some("!!str" | "!") => Value::String(text.clone()),
        Some("!!binary") => {
            let reason = || "!!binary is followed by invalid base64".to_owned();
            let bytes = binary(text);
            Value::String(bytes.ok_or_else(|| SyntaxError { line: node.line, reason: reason() })?)
        }
        Some(tag) if is_core(tag) => resolve(text),
        _ if node.is_absent() => Value::Null,
        _ if plain => resolve(text),
        _ => Value::String(text.clone()),
    };
    let fits = match tag {
        Some("!!int") => value.is_i64() || value.is_u64(),
        Some("!!float") => value.is_number(),
        Some("!!bool") => value.is_boolean(),
        Some("!!null") => value.is_null(),
        _ => true,
    };
    if fits && !is_infinite(text, &value, plain) {
        return Ok(Some(value));
    }
    let tag = tag.unwrap_or("JSON number");
    Err(SyntaxError { line: node.line, reason: format!("{text} is not a {tag}") })
}

/// The string of a `!!binary`, as kubectl reads it: base64 with padding, in which line breaks are
/// ignored; JSON has U+FFFD for each byte that is not UTF-8.
fn binary(text: &str) -> Option<String> {
    let config = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let bytes = GeneralPurpose::new(&alphabet::STANDARD, config)
        .decode(text.replace(['\r', '\n'], ""))
        .ok()?;
    let chunks = bytes.utf8_chunks().flat_map(|chunk| {
        let invalid = chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER);
        chunk.valid().chars().chain(invalid)
    });
    Some(chunks.collect())
}

/// Tags after which the text is read as without a tag.
fn is_core(tag: &str) -> bool {
    ["!!int", "!!float", "!!bool", "!!null"].contains(&tag)
}

/// Whether YAML reads a number that JSON cannot have.
fn is_infinite(text: &str, value: &Value, plain: bool) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    plain
        && value.is_string()
        && ["inf", "nan"].iter().any(|name| {
            digits.strip_prefix('.').is_some_and(|rest| rest.eq_ignore_ascii_case(name))
        })
}

fn is_merge(node: &Node) -> bool {
    matches!(&node.content, Content::Scalar { text, style: Style::Plain } if text == "<<")
        && node.tag.as_deref().is_none_or(|tag| tag == "!!merge")
}

impl Reader {
    fn value(&mut self, tree: &Tree, id: NodeId) -> Result<Value, SyntaxError> {
        self.depth += 1;
        let value = self.spend(tree.node(id)).and_then(|()| self.content(tree, id));
        self.depth -= 1;
        value
    }

    /// Counts a node against the limits.
    fn spend(&mut self, node: &Node) -> Result<(), SyntaxError> {
        let exceeded = |reason: &str| SyntaxError { line: node.line, reason: reason.to_owned() };
        if self.depth > MAX_DEPTH {
            return Err(exceeded("its values are nested over 256 deep"));
        }
        if self.aliases > 0 {
            let length = match &node.content {
                Content::Scalar { text, .. } => text.len(),
                _ => 0,
            };
            self.expanded += 1 + length / LONG_TEXT;
        }
        if self.expanded > MAX_EXPANDED {
            return Err(exceeded("its aliases expand to over a million values"));
        }
        Ok(())
    }

    fn content(&mut self, tree: &Tree, id: NodeId) -> Result<Value, SyntaxError> {
        let node = tree.node(id);
        match &node.content {
            Content::Scalar { .. } => Ok(scalar(node)?.unwrap_or_default()),
            Content::Alias(target) => self.aliased(|reader| reader.value(tree, *target)),
            Content::Sequence { items, .. } => {
                items.iter().map(|item| self.value(tree, *item)).collect()
            }
            Content::Mapping { entries, .. } => {
                let mut map = Map::new();
                let mut lines = HashMap::new();
                for (key, value) in entries {
                    if is_merge(tree.node(*key)) {
                        self.aliased(|reader| reader.merge(tree, *value, &mut map))?;
                        continue;
                    }
                    let (name, line) = (tree.key(*key)?, tree.node(*key).line);
                    if let Some(before) = lines.insert(name.clone(), line) {
                        let key = name.clone();
                        self.duplicates.push(Duplicate { key, lines: (before, line) });
                    }
                    map.insert(name, self.value(tree, *value)?);
                }
                Ok(Value::Object(map))
            }
        }
    }

    /// Reads what an alias or a merge repeats.
    fn aliased<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, SyntaxError>,
    ) -> Result<T, SyntaxError> {
        self.aliases += 1;
        let value = read(self);
        self.aliases -= 1;
        value
    }

    /// Merges one mapping, or several of which the first wins.
    fn merge(
        &mut self,
        tree: &Tree,
        id: NodeId,
        map: &mut Map<String, Value>,
    ) -> Result<(), SyntaxError> {
        let node = tree.node(tree.target(id));
        match &node.content {
            Content::Mapping { .. } => {
                if let Value::Object(merged) = self.value(tree, id)? {
                    map.extend(merged);
                }
                Ok(())
            }
            Content::Sequence { items, .. } => {
                items.iter().rev().try_for_each(|item| self.merge(tree, *item, map))
            }
            Content::Scalar { .. } | Content::Alias(_) => {
                let reason = "<< needs a map".to_owned();
                Err(SyntaxError { line: node.line, reason })
            }
        }
    }
}

#[cfg(test)]
mod tests;
