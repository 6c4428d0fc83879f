//! What was added to a document, put into its own text: comments, quotes and order stay.
//!
//! Both values are written in one way, and what the second has more is looked up line by line:
//! behind which line it comes, and which of the author's lines that is. The result is read again;
//! only if it says the same as the value it is taken.

use std::collections::HashMap;

use serde_json::Value;
use similar::{DiffOp, TextDiff};

use crate::diff;

/// The text of a document that says `before`, changed to say `after`; `None` where that is not
/// only a matter of more lines.
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
                let behind = old_index.checked_sub(1)?;
                let mut margins = Margins::of(behind, &before, &lines, &places);
                let new = written.get(new_index..new_index + new_len)?;
                let new = new.iter().map(|line| margins.moved(line)).collect::<Vec<_>>();
                added.insert(*places.get(&behind)?, new);
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

/// Which of the author's lines each written line is, where it is one.
fn places(written: &[&str], lines: &[&str]) -> HashMap<usize, usize> {
    let told = |lines: &[&str]| -> Vec<(usize, String)> {
        let told = lines.iter().enumerate().map(|(index, line)| (index, said(line)));
        told.filter(|(_, text)| !text.is_empty()).collect()
    };
    let (written, lines) = (told(written), told(lines));
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

/// What a line says, without comment, quotes and indentation.
fn said(line: &str) -> String {
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

/// At which columns the author writes what stands at these depths here, from the outside in.
struct Margins {
    depths: Vec<(usize, usize)>,
    /// How far the author moves a list's dashes in from the list's name.
    list: usize,
}

impl Margins {
    /// From a line upward: each line that is further out.
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

    /// A written line at the author's column. What comes next may stand within it.
    fn moved(&mut self, line: &str) -> String {
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

/// The columns of a line: of its dash where it has one, and of its key.
fn columns(line: &str) -> impl Iterator<Item = usize> {
    let start = line.len() - line.trim_start().len();
    let key = line[start..].strip_prefix("- ");
    let key = key.map(|rest| line.len() - rest.trim_start().len());
    std::iter::once(start).chain(key)
}

/// The same as depths: a list's dashes stand below its name here, and are deeper all the same.
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
    fn lines_are_added_and_none_is_touched() {
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
    fn what_is_more_than_new_lines_is_not_attempted() {
        let change = |pod: &mut Value| pod["spec"]["containers"][0]["env"][0]["value"] = json!("x");
        assert_eq!(added(POD, change), None);
        let flow = "kind: Pod\nspec: {containers: [{name: web}]}\n";
        let change = |pod: &mut Value| pod["spec"]["containers"][0]["env"] = json!([{"name": "B"}]);
        assert_eq!(added(flow, change), None);
        // Lines that look right and are part of a text.
        let hidden = "kind: Pod\nspec:\n  note: \"\n    containers:\n    - name: web\n    \"\n  \
                      containers: [{name: web}]\n";
        assert_eq!(added(hidden, change), None);
    }
}
