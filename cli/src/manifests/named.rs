//! Which line a warning is about.

use serde_json::Value;

use crate::yaml::Document;

/// The line of the annotation, label or container that a warning names. `object` and `pod` are JSON
/// pointers in the document.
pub(super) fn line(document: &Document, object: &str, pod: &str, warning: &str) -> Option<usize> {
    let metadata = [object, pod]
        .into_iter()
        .flat_map(|at| ["annotations", "labels"].map(|list| format!("{at}/metadata/{list}")));
    let mut keys = metadata.filter_map(|at| {
        let map = document.value.pointer(&at)?.as_object()?;
        let key = map.keys().find(|key| warning.contains(key.as_str()))?;
        Some(format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")))
    });
    let lists = ["containers", "initContainers"].map(|list| format!("{pod}/spec/{list}"));
    let mut containers = lists.into_iter().filter_map(|at| {
        let mut items = document.value.pointer(&at)?.as_array()?.iter();
        let index = items.position(|item| {
            let name = item.get("name").and_then(Value::as_str);
            name.is_some_and(|name| warning.contains(&format!("container {name} ")))
        })?;
        Some(format!("{at}/{index}"))
    });
    let pointer = keys.next().or_else(|| containers.next())?;
    Some(document.tree.line(&pointer))
}
