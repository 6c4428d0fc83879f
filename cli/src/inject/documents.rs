//! The files' text with the changes of their pods.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use anyhow::Context as _;
use json_patch::PatchOperation;
use serde_json::{Value, json};

use crate::{
    diff,
    manifests::{Manifests, Place, Workload},
    yaml::{self, Edit},
};

/// The documents, with the patches applied so far.
pub(super) struct Documents<'a> {
    manifests: &'a Manifests,
    /// The new values of the documents that change, by index.
    changed: BTreeMap<usize, Value>,
}

/// The changes as text. Each document is edited once, because a List may have hundreds of workloads.
pub(super) struct Written<'a> {
    manifests: &'a Manifests,
    changed: BTreeMap<usize, Value>,
    /// The edits of the documents that change, in the order of their places.
    edits: BTreeMap<usize, Vec<Edit>>,
    /// The documents that were rewritten without their comments.
    pub(super) rewritten: BTreeSet<usize>,
    /// The documents whose new text would have another meaning; they have their old text.
    pub(super) unwritable: BTreeSet<usize>,
}

impl<'a> Documents<'a> {
    pub(super) fn new(manifests: &'a Manifests) -> Self {
        Self { manifests, changed: BTreeMap::new() }
    }

    /// Applies a patch of a pod to its template.
    pub(super) fn apply(
        &mut self,
        workload: &Workload,
        operations: &[PatchOperation],
    ) -> anyhow::Result<()> {
        if operations.is_empty() {
            return Ok(());
        }
        let index = workload.object.place.document;
        let (_, document) = &self.manifests.documents[index];
        let value = self.changed.entry(index).or_insert_with(|| document.value.clone());
        patch(value, &workload.template, operations)
    }

    pub(super) fn write(self) -> Written<'a> {
        let Self { manifests, changed } = self;
        let (mut edits, mut rewritten, mut unwritable) =
            (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        for (index, after) in &changed {
            let (source, document) = &manifests.documents[*index];
            let text = &manifests.sources[*source].text;
            let own = yaml::edits(text, document, after).or_else(|| {
                rewritten.insert(*index);
                yaml::rewritten(text, document, after).map(|edit| vec![edit])
            });
            match own {
                Some(own) => drop(edits.insert(*index, yaml::sorted(own))),
                None => drop(unwritable.insert(*index)),
            }
        }
        Written { manifests, changed, edits, rewritten, unwritable }
    }
}

impl Written<'_> {
    /// The change of a workload, with its part of the document around it; `next` is the workload
    /// after it.
    pub(super) fn diff(&self, workload: &Workload, next: Option<&Workload>) -> String {
        let Place { document: index, pointer, .. } = &workload.object.place;
        let Some(after) = self.changed.get(index) else { return String::new() };
        let (source, document) = &self.manifests.documents[*index];
        let (text, whole) = (&self.manifests.sources[*source].text, &document.range);
        let start = |it: &Workload| {
            let Place { pointer, document: index, .. } = &it.object.place;
            let in_list = index == &workload.object.place.document && !pointer.is_empty();
            in_list.then(|| document.tree.start(pointer)).flatten()
        };
        let first = start(workload).unwrap_or(whole.start);
        let end = next.and_then(start).filter(|next| *next > first);
        let edits = self.edits.get(index).filter(|_| !self.rewritten.contains(index));
        let edits = edits.map(Vec::as_slice).unwrap_or_default();
        let from = edits.partition_point(|edit| edit.start() < first);
        let to = end.map_or(edits.len(), |end| edits.partition_point(|edit| edit.start() < end));
        match edits.get(from..to) {
            Some(own) if !own.is_empty() => {
                let range = lines(text, whole, first..end.unwrap_or(whole.end));
                diff::texts(&text[range.clone()], &yaml::apply(text, &range, own.to_vec()))
            }
            // It is rewritten, or an anchor in another workload has the change.
            _ => {
                let [before, after] =
                    [&document.value, after].map(|it| it.pointer(pointer).unwrap_or(&Value::Null));
                diff::pods(before, after)
            }
        }
    }

    /// The text of all files.
    pub(super) fn text(&self) -> String {
        let sources = &self.manifests.sources;
        let all_json = sources.iter().all(|source| yaml::is_json(&source.text));
        let mut whole = String::new();
        for (index, source) in sources.iter().enumerate() {
            let text = source.text.as_str();
            let documents = self.manifests.documents.iter().enumerate();
            let own = documents.filter(|(_, (own, _))| *own == index);
            let edits = own.filter_map(|(document, _)| self.edits.get(&document));
            let mut edits: Vec<Edit> = edits.flatten().cloned().collect();
            if !all_json {
                edits.extend(self.separators(index));
            }
            // A byte-order mark is one only at the start.
            let bom = '\u{feff}';
            let start = if index > 0 && text.starts_with(bom) { bom.len_utf8() } else { 0 };
            let text = yaml::apply(text, &(start..text.len()), edits);
            if !whole.is_empty() && !whole.ends_with('\n') {
                whole.push('\n');
            }
            if !whole.is_empty() && !all_json && !text.starts_with("---") && !text.is_empty() {
                whole.push_str("---\n");
            }
            whole.push_str(&text);
        }
        whole
    }

    /// A `---` line before each object of JSON that follows another: YAML needs it.
    fn separators(&self, source: usize) -> Vec<Edit> {
        let text = &self.manifests.sources[source].text;
        let documents = self.manifests.documents.iter().filter(|(own, _)| *own == source);
        let documents: Vec<_> = documents.map(|(_, document)| document).collect();
        let missing = documents.windows(2).filter_map(|pair| {
            let [before, after] = pair else { return None };
            let between = text.get(before.range.end..after.range.start)?;
            let together = after.json && before.json && !between.contains("---");
            together.then(|| {
                let newline = if between.contains('\n') { "" } else { "\n" };
                Edit::insert(after.range.start, format!("{newline}---\n"))
            })
        });
        missing.collect()
    }
}

/// The range from the beginning of its first line to that of the line at its end, or behind that line
/// if both are the same.
fn lines(text: &str, whole: &Range<usize>, range: Range<usize>) -> Range<usize> {
    let line = |at: usize| text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let start = line(range.start).max(whole.start);
    if range.end == whole.end {
        return start..whole.end;
    }
    let end = line(range.end);
    let behind = || text[range.end..].find('\n').map_or(whole.end, |at| range.end + at + 1);
    start..if end > start { end } else { behind().min(whole.end) }
}

fn patch(
    document: &mut Value,
    template: &str,
    operations: &[PatchOperation],
) -> anyhow::Result<()> {
    let template = document.pointer_mut(template).context("the pod template is missing")?;
    // The reviewed pod had metadata even if the template has none.
    let needs_metadata = operations.iter().any(|it| it.path().as_str().starts_with("/metadata"));
    if needs_metadata && !template["metadata"].is_object() {
        template["metadata"] = json!({});
    }
    json_patch::patch(template, operations).context("could not apply the patch to the pod")
}
