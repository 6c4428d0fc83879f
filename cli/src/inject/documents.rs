//! All documents of the files in order, and the positions of the pods and pod templates in them.

use anyhow::Context as _;
use json_patch::PatchOperation;
use serde_json::{Value, json};

use crate::{
    diff,
    manifests::{self, ContentError, SourceFile, Workload},
};

/// The documents, with the patches applied so far.
pub(super) struct Documents {
    documents: Vec<Value>,
    /// The documents as read.
    before: Vec<Value>,
    /// The text of each file, and how many documents it has.
    texts: Vec<(String, usize)>,
    pods: Vec<PodTemplate>,
}

/// A pod or pod template in a document.
pub(super) struct PodTemplate {
    /// Index of the document.
    document: usize,
    /// JSON pointer to the object in the document; not its root if the object is in a List.
    object: String,
    /// JSON pointer to the pod or its template in the document.
    template: String,
    /// The pod as it would be sent to the API server.
    pub(super) workload: Workload,
}

impl Documents {
    /// Reads files that [`manifests::Manifests`] could read.
    pub(super) fn read(sources: &[SourceFile]) -> anyhow::Result<Self> {
        let mut read =
            Self { documents: Vec::new(), before: Vec::new(), texts: Vec::new(), pods: Vec::new() };
        for source in sources {
            let documents = manifests::documents(source)?;
            read.texts.push((source.text.clone(), documents.len()));
            for document in documents {
                let index = read.documents.len();
                find(&document, index, "", &mut read.pods)?;
                read.documents.push(document);
            }
        }
        read.before = read.documents.clone();
        Ok(read)
    }

    pub(super) fn pods(&self) -> &[PodTemplate] {
        &self.pods
    }

    /// Applies a patch of the pod at `index` to its template.
    pub(super) fn apply(
        &mut self,
        index: usize,
        operations: &[PatchOperation],
    ) -> anyhow::Result<()> {
        let pod = &self.pods[index];
        let template = self.documents[pod.document].pointer_mut(&pod.template);
        let template = template.context("the pod template is missing")?;
        // The reviewed pod had metadata even if the template has none.
        let needs_metadata =
            operations.iter().any(|it| it.path().as_str().starts_with("/metadata"));
        if needs_metadata && !template["metadata"].is_object() {
            template["metadata"] = json!({});
        }
        json_patch::patch(template, operations).context("could not apply the patch to the pod")
    }

    /// The YAML of the object with the pod at `index`.
    pub(super) fn yaml_of(&self, index: usize) -> String {
        let pod = &self.pods[index];
        self.documents[pod.document].pointer(&pod.object).map(diff::yaml).unwrap_or_default()
    }

    /// The text of all files, and how many documents were rewritten without their comments.
    pub(super) fn yaml(&self) -> (String, usize) {
        let (mut whole, mut rewritten, mut first) = (String::new(), 0, 0);
        for (text, count) in &self.texts {
            let of = |all: &[Value]| all.iter().skip(first).take(*count).cloned().collect();
            let (before, after): (Vec<_>, Vec<_>) = (of(&self.before), of(&self.documents));
            let (text, more) = super::file_text::text(text, &before, &after);
            if !whole.is_empty() && !text.starts_with("---") {
                whole.push_str("---\n");
            }
            whole.push_str(&text);
            (rewritten, first) = (rewritten + more, first + count);
        }
        (whole, rewritten)
    }
}

/// Adds the pods of `object`, which is at the JSON pointer `at` of the document.
fn find(
    object: &Value,
    document: usize,
    at: &str,
    pods: &mut Vec<PodTemplate>,
) -> Result<(), ContentError> {
    if let Some(items) = object.get("items").and_then(Value::as_array) {
        let mut items = items.iter().enumerate();
        return items.try_for_each(|(index, item)| {
            find(item, document, &format!("{at}/items/{index}"), pods)
        });
    }
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    let Some(template) = manifests::template(kind) else {
        return Ok(());
    };
    let Some(mut workload) = manifests::workload(kind, object)? else {
        return Ok(());
    };
    name(&mut workload);
    let template = format!("{at}{template}");
    pods.push(PodTemplate { document, object: at.to_owned(), template, workload });
    Ok(())
}

/// Sets the pod's name as at its creation: most controllers only give a prefix.
fn name(workload: &mut Workload) {
    let Some(metadata) = workload.pod["metadata"].as_object_mut() else {
        return;
    };
    match workload.kind.as_str() {
        "Pod" => {}
        "StatefulSet" => {
            metadata.insert("name".into(), format!("{}-0", workload.name).into());
        }
        _ => {
            metadata.remove("name");
            metadata.insert("generateName".into(), format!("{}-", workload.name).into());
        }
    }
}
