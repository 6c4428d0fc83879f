//! The text of a file, with as few changes as possible.

use serde_json::Value;

use super::splice::splice;
use crate::diff;

/// The text of a file after its documents were changed, and how many of them had to be rewritten
/// without their comments.
pub(super) fn text(text: &str, before: &[Value], after: &[Value]) -> (String, usize) {
    let chunks = chunks(text);
    let is_filled = |value: &&Value| !value.is_null();
    let (before, after): (Vec<_>, Vec<_>) =
        (before.iter().filter(is_filled).collect(), after.iter().filter(is_filled).collect());
    let filled = chunks.iter().filter(|chunk| has_content(chunk)).count();
    if filled != before.len() {
        // The chunks do not match the parsed documents, as with `%YAML` directives.
        let all = after.iter().map(|document| diff::yaml(document)).collect::<Vec<_>>();
        return (all.join("---\n"), after.len());
    }
    let mut pairs = before.into_iter().zip(after);
    let (mut whole, mut rewritten) = (String::new(), 0);
    for chunk in chunks {
        let pair = has_content(&chunk).then(|| pairs.next()).flatten();
        match pair {
            Some((before, after)) if before != after => {
                let (mark, body) = mark(&chunk);
                whole.push_str(mark);
                let spliced = splice(body, before, after);
                rewritten += usize::from(spliced.is_none());
                whole.push_str(&spliced.unwrap_or_else(|| diff::yaml(after)));
            }
            _ => whole.push_str(&chunk),
        }
    }
    (whole, rewritten)
}

/// Splits the text before each line that starts a document.
fn chunks(text: &str) -> Vec<String> {
    let mut chunks = vec![String::new()];
    for line in text.lines() {
        if line.trim_end() == "---" || line.starts_with("--- ") {
            chunks.push(String::new());
        }
        if let Some(last) = chunks.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    chunks
}

/// Splits off the line that starts a document.
fn mark(chunk: &str) -> (&str, &str) {
    let end = if chunk.starts_with("---") { chunk.find('\n').map_or(0, |end| end + 1) } else { 0 };
    chunk.split_at(end)
}

fn has_content(chunk: &str) -> bool {
    let mut lines = mark(chunk).1.lines().map(str::trim_start);
    lines.any(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_changed_document_is_rewritten() {
        let file = "# head\n---\na: {b: 1} # one\n---\n# nothing\n---\n{c: 2} # two\n";
        let before = [json!({"a": {"b": 1}}), Value::Null, json!({"c": 2})];
        assert_eq!(text(file, &before, &before), (file.to_owned(), 0));
        let mut after = before.clone();
        after[2]["d"] = json!(3);
        let expected = "# head\n---\na: {b: 1} # one\n---\n# nothing\n---\nc: 2\nd: 3\n";
        assert_eq!(text(file, &before, &after), (expected.to_owned(), 1));
        // If the documents cannot be separated, all are rewritten.
        let odd = "%YAML 1.2\n---\na: {b: 1}\n...\n---\nc: 2\n";
        assert_eq!(text(odd, &before, &before), ("a:\n  b: 1\n---\nc: 2\n".to_owned(), 2));
    }
}
