//! The documents of a file, each read on its own, so that an error in one leaves the others usable.

use std::{borrow::Cow, ops::Range};

use serde::de::IgnoredAny;
use serde_json::Value;

use super::{
    error::SyntaxError,
    tree::{self, Origin, Tree},
    value::Duplicate,
};

/// A document that is not empty.
#[derive(Debug)]
pub(crate) struct Document {
    /// The part of the file that only this document is in, without a byte-order mark.
    pub(crate) range: Range<usize>,
    /// Whether it is an object of JSON.
    pub(crate) json: bool,
    pub(crate) tree: Tree,
    pub(crate) value: Value,
    pub(crate) duplicates: Vec<Duplicate>,
}

/// A part of a file between two `---` lines, without a byte-order mark.
struct Chunk {
    range: Range<usize>,
    line: usize,
}

/// Whether the text is one or more objects of JSON and nothing else.
pub(crate) fn is_json(text: &str) -> bool {
    objects(text.strip_prefix(BOM).unwrap_or(text)).is_some()
}

#[cfg(test)]
thread_local! {
    /// How many texts this thread has read.
    pub(crate) static READS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The documents of a file in order, or what is wrong with them.
pub(crate) fn documents(text: &str) -> Vec<Result<Document, SyntaxError>> {
    #[cfg(test)]
    READS.set(READS.get() + 1);
    let mut all = Vec::new();
    for chunk in chunks(text) {
        let part = &text[chunk.range.clone()];
        let Some(objects) = objects(part) else {
            let origin = Origin { offset: chunk.range.start, line: chunk.line };
            match tree::trees(part, origin) {
                Ok(trees) => all.extend(separate(text, &chunk, trees)),
                Err(error) => all.push(Err(error)),
            }
            continue;
        };
        let (mut line, mut counted) = (chunk.line, 0);
        for object in objects {
            line += part[counted..object.start].matches('\n').count();
            counted = object.start;
            let offset = chunk.range.start + object.start;
            let source = &part[object.clone()];
            let readable = readable(source);
            let trees = tree::trees(&readable, Origin { offset, line });
            let range = offset..chunk.range.start + object.end;
            let is_exact = matches!(readable, Cow::Borrowed(_));
            let read = |tree| {
                let mut document = read(range.clone(), true, tree)?;
                if let Some(value) =
                    (!is_exact).then(|| serde_json::from_str(source).ok()).flatten()
                {
                    document.value = value;
                }
                Ok(document)
            };
            all.extend(trees.map_or_else(
                |error| vec![Err(error)],
                |trees| trees.into_iter().map(read).collect(),
            ));
        }
    }
    all.retain(|document| !matches!(document, Ok(document) if document.value.is_null()));
    all
}

/// The documents of a chunk: one, unless `...` ends one within it.
fn separate(text: &str, chunk: &Chunk, trees: Vec<Tree>) -> Vec<Result<Document, SyntaxError>> {
    let (mut start, count) = (chunk.range.start, trees.len());
    let documents = trees.into_iter().enumerate().map(|(index, tree)| {
        let rest = &text[tree.end()..chunk.range.end];
        let line = rest.find('\n').map_or(chunk.range.end, |at| tree.end() + at + 1);
        let end = if index + 1 == count { chunk.range.end } else { line };
        let range = std::mem::replace(&mut start, end)..end;
        read(range, false, tree)
    });
    documents.collect()
}

fn read(range: Range<usize>, json: bool, tree: Tree) -> Result<Document, SyntaxError> {
    let (value, duplicates) = tree.value()?;
    Ok(Document { range, json, tree, value, duplicates })
}

/// JSON in which YAML finds the same values in the same places, if not the same texts: blanks are in
/// the place of what a string of JSON may have and one of YAML may not, which are control characters
/// from U+007F on and the escapes of surrogates.
fn readable(json: &str) -> Cow<'_, str> {
    let is_refused = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}');
    let has_surrogates = json.contains("\\ud") || json.contains("\\uD");
    if !has_surrogates && !json.contains(is_refused) {
        return Cow::Borrowed(json);
    }
    let mut readable = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(character) = rest.chars().next() {
        let escape = rest.get(..6).filter(|escape| {
            let digits = escape.strip_prefix("\\u").and_then(|it| u16::from_str_radix(it, 16).ok());
            digits.is_some_and(|digits| (0xd800..0xe000).contains(&digits))
        });
        let length = escape.map_or(character.len_utf8(), str::len);
        match escape {
            Some(_) => readable.push_str("\\u0020"),
            None if is_refused(character) => readable.push_str(&" ".repeat(length)),
            None => readable.push(character),
        }
        rest = &rest[length..];
    }
    Cow::Owned(readable)
}

const BOM: char = '\u{feff}';

/// Splits the text before each line that starts a document.
fn chunks(text: &str) -> Vec<Chunk> {
    let mut chunks = vec![Chunk { range: 0..0, line: 1 }];
    let mut offset = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if is_separator(line.strip_prefix(BOM).unwrap_or(line))
            && let Some(last) = chunks.last()
            && !is_prologue(&text[last.range.start..offset])
        {
            chunks.push(Chunk { range: offset..offset, line: index + 1 });
        }
        offset += line.len();
        if let Some(last) = chunks.last_mut() {
            last.range.end = offset;
        }
    }
    for chunk in &mut chunks {
        let part = &text[chunk.range.clone()];
        // The mark may follow the `---` line that it belongs behind.
        let head = if is_separator(part) { part.find('\n').map_or(0, |end| end + 1) } else { 0 };
        if part[head..].starts_with(BOM) {
            chunk.range.start += head + BOM.len_utf8();
            chunk.line += usize::from(head > 0);
        }
    }
    chunks
}

fn is_separator(line: &str) -> bool {
    line.strip_prefix("---")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// Whether the text has directives (`%YAML 1.2`) and no document yet.
fn is_prologue(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let mut directives = lines.clone();
    directives.next().is_some() && lines.all(|line| line.starts_with('%'))
}

/// The places of the objects, if the text is objects of JSON one after the other.
fn objects(text: &str) -> Option<Vec<Range<usize>>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let mut objects = Vec::new();
    let mut start = 0;
    while let Some(object) = stream.next() {
        object.ok()?;
        let end = stream.byte_offset();
        start += text[start..end].len() - text[start..end].trim_start().len();
        objects.push(start..end);
        start = end;
    }
    Some(objects)
}

#[cfg(test)]
mod tests;
