//! All documents of the files in their order, and the places in them where pods are described.

use anyhow::Context as _;
use json_patch::PatchOperation;
use serde_json::{Value, json};

use crate::{
    diff,
    manifests::{self, Source, Workload},
};

/// The documents.
pub(super) struct Documents {
    documents: Vec<Value>,
    /// The same as they were.
    before: Vec<Value>,
    /// The files' texts, and how many documents each has.
    texts: Vec<(String, usize)>,
    pods: Vec<Pod>,
}

/// A place that describes a pod.
pub(super) struct Pod {
    document: usize,
    /// The object in the document: not its root where it is one of a List.
    object: String,
    /// The pod or its template in the document.
    template: String,
    /// The pod as it would reach the API server.
    pub(super) workload: Workload,
}

impl Documents {
    /// Reads files that [`manifests::Manifests`] could read.
    pub(super) fn read(sources: &[Source]) -> anyhow::Result<Self> {
        let mut read =
            Self { documents: Vec::new(), before: Vec::new(), texts: Vec::new(), pods: Vec::new() };
        for source in sources {
            let documents = manifests::documents(source)?;
            read.texts.push((source.text.clone(), documents.len()));
            for document in documents {
                let index = read.documents.len();
                find(&document, index, "", &mut read.pods).map_err(anyhow::Error::msg)?;
                read.documents.push(document);
            }
        }
        read.before = read.documents.clone();
        Ok(read)
    }

    pub(super) fn pods(&self) -> &[Pod] {
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
        let template = template.context("the template has gone")?;
        // The pod had metadata in any case.
        let needs_metadata =
            operations.iter().any(|it| it.path().as_str().starts_with("/metadata"));
        if needs_metadata && !template["metadata"].is_object() {
            template["metadata"] = json!({});
        }
        json_patch::patch(template, operations).context("the patch does not fit its pod")
    }

    /// The object that describes the pod at `index`.
    pub(super) fn yaml_of(&self, index: usize) -> String {
        let pod = &self.pods[index];
        self.documents[pod.document].pointer(&pod.object).map(diff::yaml).unwrap_or_default()
    }

    /// All of it, and how many documents were written anew, without their comments.
    pub(super) fn yaml(&self) -> (String, usize) {
        let (mut whole, mut anew, mut first) = (String::new(), 0, 0);
        for (text, count) in &self.texts {
            let of = |all: &[Value]| all.iter().skip(first).take(*count).cloned().collect();
            let (before, after): (Vec<_>, Vec<_>) = (of(&self.before), of(&self.documents));
            let (text, more) = super::kept::text(text, &before, &after);
            if !whole.is_empty() && !text.starts_with("---") {
                whole.push_str("---\n");
            }
            whole.push_str(&text);
            (anew, first) = (anew + more, first + count);
        }
        (whole, anew)
    }
}

fn find(object: &Value, document: usize, at: &str, pods: &mut Vec<Pod>) -> Result<(), String> {
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
    pods.push(Pod { document, object: at.to_owned(), template, workload });
    Ok(())
}

/// The pod's name as far as it is known when it is made.
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
