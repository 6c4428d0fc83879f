//! Which field makes a pod unreadable, in words of its author's file.

use podrole_webhook::pod::{PodHead, PodView};
use serde_json::Value;

use crate::manifests::{ContentError, ManifestError, Manifests, Workload, not_a_string};

/// What is wrong in a pod that the webhook could not parse; `None` if it can be parsed.
pub(super) fn explain(workload: &Workload, manifests: &Manifests) -> Option<ManifestError> {
    let json = workload.pod.to_string();
    let head = serde_json::from_str::<PodHead<'_>>(&json).err();
    let error = head.or_else(|| serde_json::from_str::<PodView>(&json).err())?;
    // The JSON has one line, and the error is behind the value or at its start.
    let pointer = at(&workload.pod, error.column().saturating_sub(1)).unwrap_or_default();
    let value = workload.pod.pointer(&pointer).cloned().unwrap_or_default();
    let text = error.to_string();
    let expected = text.split_once("expected ").map_or("", |(_, rest)| rest);
    let what = match expected.split_once(" at line ").map_or(expected, |(what, _)| what) {
        "a string" | "a borrowed string" => not_a_string(&value),
        "a sequence" => "it is not a list".to_owned(),
        "a boolean" => "it is neither true nor false".to_owned(),
        _ => "it is not a map".to_owned(),
    };
    let line = manifests.documents.get(workload.object.place.document);
    let line = line
        .map_or(0, |(_, document)| document.tree.line(&format!("{}{pointer}", workload.template)));
    let error = ContentError::Field { field: field(&workload.pod, &pointer), what };
    Some(ManifestError::new(&workload.object.place.file, line, error).of(workload))
}

/// The JSON pointer of the innermost value at an offset of the value's JSON.
fn at(value: &Value, offset: usize) -> Option<String> {
    let mut start = 0;
    find(value, &mut start, offset)
}

/// Moves `start` behind the value, unless the offset is in it.
fn find(value: &Value, start: &mut usize, offset: usize) -> Option<String> {
    let from = *start;
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                // The brace or comma, the key, and the colon.
                *start += 1 + Value::from(key.as_str()).to_string().len() + 1;
                let token = key.replace('~', "~0").replace('/', "~1");
                if let Some(rest) = find(value, start, offset) {
                    return Some(format!("/{token}{rest}"));
                }
            }
            *start += if map.is_empty() { 2 } else { 1 };
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                *start += 1;
                if let Some(rest) = find(value, start, offset) {
                    return Some(format!("/{index}{rest}"));
                }
            }
            *start += if items.is_empty() { 2 } else { 1 };
        }
        _ => *start += value.to_string().len(),
    }
    (from..*start).contains(&offset).then(String::new)
}

/// A pod's field as people write it: `containers[app].env PORT`.
fn field(pod: &Value, pointer: &str) -> String {
    let (mut text, mut value) = (String::new(), pod);
    let tokens: Vec<String> =
        pointer.split('/').skip(1).map(|it| it.replace("~1", "/").replace("~0", "~")).collect();
    let tokens = tokens.strip_prefix(&["spec".to_owned()]).unwrap_or(&tokens);
    if tokens.len() < pointer.split('/').count() - 1 {
        value = &pod["spec"];
    }
    let mut list = "";
    for token in tokens {
        let next = match value {
            Value::Array(items) => token.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => value.get(token),
        };
        let name = next.and_then(|next| next.get("name")).and_then(Value::as_str);
        let is_value = token == "value" && text.contains(".env ");
        let part = match value {
            Value::Array(_) if list == "env" => format!(" {}", name.unwrap_or(token)),
            Value::Array(_) => format!("[{}]", name.unwrap_or(token)),
            _ if ["labels", "annotations"].contains(&list) => format!(" {token}"),
            _ if is_value => String::new(),
            _ if text.is_empty() => token.clone(),
            _ => format!(".{token}"),
        };
        text.push_str(&part);
        list = token;
        value = next.unwrap_or(&Value::Null);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_position_of_the_json_is_a_field_of_the_pod() {
        let pod = json!({"metadata": {"labels": {"a/b": true, "c": "é\n"}, "x": {}, "y": []},
            "spec": {"containers": [{"name": "a"}, {"name": "app", "env": [
                {"name": "A", "value": "1"}, {"name": "PORT", "value": 8080}]}],
                "volumes": [{"name": "v", "projected": "text"}]}});
        let json = pod.to_string();
        for (part, name) in [
            ("8080", "containers[app].env PORT"),
            ("true", "metadata.labels a/b"),
            ("\"text\"", "volumes[v].projected"),
            ("{\"name\":\"app\"", "containers[app]"),
        ] {
            let pointer = at(&pod, json.find(part).unwrap()).unwrap();
            assert_eq!(field(&pod, &pointer), name, "{pointer}");
        }
    }
}
