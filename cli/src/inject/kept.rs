//! A file's text, changed as little as can be.

use serde_json::Value;

use super::splice::splice;
use crate::diff;

/// A file's text after its documents were changed, and how many of them had to be written anew,
/// without their comments.
pub(super) fn text(text: &str, before: &[Value], after: &[Value]) -> (String, usize) {
    let chunks = chunks(text);
    let is_there = |value: &&Value| !value.is_null();
    let (before, after): (Vec<_>, Vec<_>) =
        (before.iter().filter(is_there).collect(), after.iter().filter(is_there).collect());
    let filled = chunks.iter().filter(|chunk| says_something(chunk)).count();
    if filled != before.len() {
        let anew = after.iter().map(|document| diff::yaml(document)).collect::<Vec<_>>();
        return (anew.join("---\n"), after.len());
    }
    let mut pairs = before.into_iter().zip(after);
    let (mut whole, mut anew) = (String::new(), 0);
    for chunk in chunks {
        let pair = says_something(&chunk).then(|| pairs.next()).flatten();
        match pair {
            Some((before, after)) if before != after => {
                let (mark, body) = mark(&chunk);
                whole.push_str(mark);
                let spliced = splice(body, before, after);
                anew += usize::from(spliced.is_none());
                whole.push_str(&spliced.unwrap_or_else(|| diff::yaml(after)));
            }
            _ => whole.push_str(&chunk),
        }
    }
    (whole, anew)
}

/// The text cut before each line that begins a document.
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

/// The line that begins a document, and the rest.
fn mark(chunk: &str) -> (&str, &str) {
    let end = if chunk.starts_with("---") { chunk.find('\n').map_or(0, |end| end + 1) } else { 0 };
    chunk.split_at(end)
}

fn says_something(chunk: &str) -> bool {
    let mut lines = mark(chunk).1.lines().map(str::trim_start);
    lines.any(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_document_that_changes_is_written_anew_where_it_must_be() {
        let file = "# head\n---\na: {b: 1} # one\n---\n# nothing\n---\n{c: 2} # two\n";
        let before = [json!({"a": {"b": 1}}), Value::Null, json!({"c": 2})];
        assert_eq!(text(file, &before, &before), (file.to_owned(), 0));
        let mut after = before.clone();
        after[2]["d"] = json!(3);
        let expected = "# head\n---\na: {b: 1} # one\n---\n# nothing\n---\nc: 2\nd: 3\n";
        assert_eq!(text(file, &before, &after), (expected.to_owned(), 1));
        // Where documents cannot be told apart, all are.
        let odd = "%YAML 1.2\n---\na: {b: 1}\n...\n---\nc: 2\n";
        assert_eq!(text(odd, &before, &before), ("a:\n  b: 1\n---\nc: 2\n".to_owned(), 2));
    }
}
