//! The files' text with the changes of their pods.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use json_patch::PatchOperation;
use serde_json::{Value, json};

use crate::{
    diff,
    manifests::{Manifests, Workload},
    yaml::{self, Edit},
};

/// The documents, with the patches applied so far.
pub(super) struct Documents<'a> {
    manifests: &'a Manifests,
    /// The new values of the documents that change, by index.
    changed: BTreeMap<usize, Value>,
}

/// The text of all files, with what is to be said about it.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) text: String,
    /// The documents that were rewritten without their comments.
    pub(super) rewritten: BTreeSet<usize>,
    /// The documents whose new text would have another meaning; they have their old text.
    pub(super) unwritable: BTreeSet<usize>,
}

impl<'a> Documents<'a> {
    pub(super) fn new(manifests: &'a Manifests) -> Self {
        Self { manifests, changed: BTreeMap::new() }
    }

    /// Applies a patch of a pod to its template, and returns the change of its document's text.
    pub(super) fn apply(
        &mut self,
        workload: &Workload,
        operations: &[PatchOperation],
    ) -> anyhow::Result<String> {
        if operations.is_empty() {
            return Ok(String::new());
        }
        let index = workload.object.place.document;
        let (source, document) = &self.manifests.documents[index];
        let mut alone = document.value.clone();
        patch(&mut alone, &workload.template, operations)?;
        let together = self.changed.entry(index).or_insert_with(|| document.value.clone());
        patch(together, &workload.template, operations)?;
        let text = &self.manifests.sources[*source].text;
        Ok(match yaml::edits(text, document, &alone) {
            Some(edits) => {
                let before = &text[document.range.clone()];
                diff::texts(before, &yaml::apply(text, &document.range, edits))
            }
            None => diff::pods(&document.value, &alone),
        })
    }

    /// The text of all files.
    pub(super) fn text(&self) -> Written {
        let sources = &self.manifests.sources;
        let all_json = sources.iter().all(|source| yaml::is_json(&source.text));
        let (mut whole, mut written) = (String::new(), Written::default());
        for (index, source) in sources.iter().enumerate() {
            let text = source.text.as_str();
            let mut edits = self.edits(index, &mut written);
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
        Written { text: whole, ..written }
    }

    fn edits(&self, source: usize, written: &mut Written) -> Vec<Edit> {
        let text = &self.manifests.sources[source].text;
        let mut all = Vec::new();
        for (index, after) in &self.changed {
            let (own, document) = &self.manifests.documents[*index];
            if *own != source {
                continue;
            }
            let edits = yaml::edits(text, document, after).or_else(|| {
                written.rewritten.insert(*index);
                yaml::rewritten(text, document, after).map(|edit| vec![edit])
            });
            match edits {
                Some(edits) => all.extend(edits),
                None => drop(written.unwritable.insert(*index)),
            }
        }
        all
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
