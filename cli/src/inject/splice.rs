//! Inserts additions into the author's YAML text, so that comments, quotes and order stay.
//!
//! Both values are serialized in the same style and compared line by line. Each added line follows
//! some serialized line, and that line is located in the author's text. The result is parsed again
//! and used only if it equals the new value, so an error here can never change a manifest's
//! meaning.

use std::collections::HashMap;

use serde_json::Value;
use similar::{DiffOp, TextDiff};

use crate::diff;

/// Changes the text of a document from the value `before` to `after`. Returns `None` if inserting
/// lines is not enough.
pub(super) fn splice(text: &str, before: &Value, after: &Value) -> Option<String> {
    let (before, written) = (diff::yaml(before), diff::yaml(after));
    let (before, written): (Vec<&str>, Vec<&str>) =
        (before.lines().collect(), written.lines().collect());
    let lines: Vec<&str> = text.lines().collect();
    let places = places(&before, &lines);
    let mut added = HashMap::new();
    for operation in TextDiff::from_slices(&before, &written).ops() {
        match *operation {
            DiffOp::Equal { .. } => {}
            DiffOp::Insert { old_index, new_index, new_len } => {
                let previous = old_index.checked_sub(1)?;
                let mut indentation = Indentation::of(previous, &before, &lines, &places);
                let new = written.get(new_index..new_index + new_len)?;
                let new = new.iter().map(|line| indentation.reindent(line)).collect::<Vec<_>>();
                added.insert(*places.get(&previous)?, new);
            }
            DiffOp::Delete { .. } | DiffOp::Replace { .. } => return None,
        }
    }
    let mut result = String::new();
    for (index, line) in lines.iter().enumerate() {
        let new = added.remove(&index).unwrap_or_default();
        for line in std::iter::once((*line).to_owned()).chain(new) {
            result.push_str(&line);
            result.push('\n');
        }
    }
    let read: Value = serde_saphyr::from_str(&result).ok()?;
    (read == *after).then_some(result)
}

/// Maps serialized lines to the author's lines, by index. Lines without a match are absent.
fn places(written: &[&str], lines: &[&str]) -> HashMap<usize, usize> {
    let filled = |lines: &[&str]| -> Vec<(usize, String)> {
        let all = lines.iter().enumerate().map(|(index, line)| (index, content(line)));
        all.filter(|(_, text)| !text.is_empty()).collect()
    };
    let (written, lines) = (filled(written), filled(lines));
    let texts = |all: &[(usize, String)]| -> Vec<String> {
        all.iter().map(|(_, text)| text.clone()).collect()
    };
    let (left, right) = (texts(&written), texts(&lines));
    let left: Vec<&str> = left.iter().map(String::as_str).collect();
    let right: Vec<&str> = right.iter().map(String::as_str).collect();
    let mut places = HashMap::new();
    for operation in TextDiff::from_slices(&left, &right).ops() {
        if let DiffOp::Equal { old_index, new_index, len } = *operation {
            let both = written.iter().skip(old_index).zip(lines.iter().skip(new_index));
            places.extend(both.take(len).map(|((written, _), (line, _))| (*written, *line)));
        }
    }
    places
}

/// A line without comment, quotes and indentation.
fn content(line: &str) -> String {
    let mut quote = None;
    let mut before = ' ';
    let mut text = String::new();
    for character in line.trim_start().chars() {
        match (quote, character) {
            (None, '#') if before == ' ' => break,
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => text.push(character),
        }
        before = character;
    }
    text.trim_end().to_owned()
}

/// The author's indentation around an insertion.
struct Indentation {
    /// Pairs of a depth in the serialized text and the author's column for it, outermost first.
    depths: Vec<(usize, usize)>,
    /// By how many columns the author indents a list's dashes relative to its key.
    list: usize,
}

impl Indentation {
    /// Collects the pairs from the line `from` upward: each line that is further out than the last.
    fn of(from: usize, written: &[&str], lines: &[&str], places: &HashMap<usize, usize>) -> Self {
        let mut all: Vec<(usize, usize)> = Vec::new();
        for index in (0..=from).rev() {
            let (Some(line), Some(place)) = (written.get(index), places.get(&index)) else {
                continue;
            };
            let outermost = all.iter().map(|(depth, _)| *depth).min().unwrap_or(usize::MAX);
            let author = lines.get(*place).copied().unwrap_or_default();
            let both = depths(line).zip(columns(author));
            all.extend(both.filter(|(depth, _)| *depth < outermost));
        }
        all.sort_unstable();
        let list = all.windows(2).find_map(|pair| match pair {
            [(name, out), (dash, within)] if name + 1 == *dash => within.checked_sub(*out),
            _ => None,
        });
        Self { depths: all, list: list.unwrap_or(2) }
    }

    /// Moves a serialized line to the author's column, which later lines may be nested in.
    fn reindent(&mut self, line: &str) -> String {
        let depth = depths(line).next().unwrap_or_default();
        let nearest = self.depths.iter().rfind(|(written, _)| *written <= depth);
        let (outer, author) = nearest.copied().unwrap_or_default();
        let column = match depth - outer {
            0 => author,
            1 => author + self.list,
            further => author + further / 2,
        };
        let text = format!("{}{}", " ".repeat(column), line.trim_start());
        self.depths.retain(|(written, _)| *written < depth);
        self.depths.extend(depths(line).zip(columns(&text)));
        text
    }
}

/// The columns of a line's dash, if it has one, and of its key.
fn columns(line: &str) -> impl Iterator<Item = usize> {
    let start = line.len() - line.trim_start().len();
    let key = line[start..].strip_prefix("- ");
    let key = key.map(|rest| line.len() - rest.trim_start().len());
    std::iter::once(start).chain(key)
}

/// The columns as depths. The serializer writes a list's dashes at the column of its key, although
/// they are nested in it, so a dash counts one more.
fn depths(line: &str) -> impl Iterator<Item = usize> {
    let dash = usize::from(line.trim_start().starts_with("- "));
    columns(line).zip([dash, 0]).map(move |(column, dash)| 2 * column + dash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const POD: &str = "\
# the web server
kind: Pod   # a pod
spec:
  containers:
  # one
  -   name: 'web' # its name
      env:
      - name: A   # first
        value: \"#1\"

  - image: \"img\"
    name: log
";

    fn added(pod: &str, change: impl FnOnce(&mut Value)) -> Option<String> {
        let before: Value = serde_saphyr::from_str(pod).unwrap();
        let mut after = before.clone();
        change(&mut after);
        splice(pod, &before, &after)
    }

    #[test]
    fn lines_are_inserted_and_the_others_stay() {
        let text = added(POD, |pod| {
            let web = &mut pod["spec"]["containers"][0];
            web["env"].as_array_mut().unwrap().push(json!({"name": "B", "value": "2"}));
            web["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
            pod["spec"]["containers"][1]["env"] = json!([{"name": "B", "value": "2"}]);
            pod["spec"]["volumes"] = json!([{"name": "v", "projected": {"sources": []}}]);
        });
        let expected = "\
# the web server
kind: Pod   # a pod
spec:
  containers:
  # one
  -   name: 'web' # its name
      env:
      - name: A   # first
        value: \"#1\"
      - name: B
        value: \"2\"
      volumeMounts:
      - name: v
        mountPath: /v

  - image: \"img\"
    name: log
    env:
    - name: B
      value: \"2\"
  volumes:
  - name: v
    projected:
      sources: []
";
        assert_eq!(text.unwrap(), expected);
    }

    #[test]
    fn other_changes_than_insertions_are_rejected() {
        let change = |pod: &mut Value| pod["spec"]["containers"][0]["env"][0]["value"] = json!("x");
        assert_eq!(added(POD, change), None);
        let flow = "kind: Pod\nspec: {containers: [{name: web}]}\n";
        let change = |pod: &mut Value| pod["spec"]["containers"][0]["env"] = json!([{"name": "B"}]);
        assert_eq!(added(flow, change), None);
        // The matching lines are part of a string.
        let hidden = "kind: Pod\nspec:\n  note: \"\n    containers:\n    - name: web\n    \"\n  \
                      containers: [{name: web}]\n";
        assert_eq!(added(hidden, change), None);
    }
}
