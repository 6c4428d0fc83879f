//! Diffs of manifests.

use anstyle::{AnsiColor, Style};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

const CONTEXT: usize = 3;

/// Compares two values as YAML: added lines green, removed ones red, three lines of context.
/// Colours are always written; anstream removes them if the output is not a terminal.
pub(crate) fn pods(before: &Value, after: &Value) -> String {
    texts(&yaml(before), &yaml(after))
}

/// Compares two texts in the same form.
pub(crate) fn texts(before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    let mut shown = String::new();
    for (index, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if index > 0 {
            shown.push_str("  ...\n");
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let (sign, style) = match change.tag() {
                ChangeTag::Insert => ('+', Style::new().fg_color(Some(AnsiColor::Green.into()))),
                ChangeTag::Delete => ('-', Style::new().fg_color(Some(AnsiColor::Red.into()))),
                ChangeTag::Equal => (' ', Style::new().dimmed()),
            };
            let line = change.value().trim_end_matches('\n');
            shown.push_str(&format!("{style}{sign} {line}{style:#}\n"));
        }
    }
    shown
}

/// A value as YAML. Long strings are not folded, because a diff of folded ones is hard to read.
pub(crate) fn yaml(value: &Value) -> String {
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    serde_saphyr::to_string_with_options(value, options).unwrap_or_else(|_| format!("{value:#}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_changes_are_shown() {
        let before = json!({"a": {"b": 1}});
        let after = json!({"a": {"b": 1, "c": "new"}});
        let shown = anstream::adapter::strip_str(&pods(&before, &after)).to_string();
        assert!(shown.contains("+   c: new"), "{shown}");
        assert!(!shown.contains("-"), "{shown}");
        assert_eq!(pods(&before, &before), "");
    }
}
