//! Values as text, in the author's style.

use serde_json::{Value, ser::PrettyFormatter};

use super::scalar::resolve;

/// How the author indents, in columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Indents {
    /// A map within a map.
    pub(super) map: usize,
    /// The dashes of a list within a map.
    pub(super) list: usize,
}

impl Default for Indents {
    /// As kubectl prints objects.
    fn default() -> Self {
        Self { map: 2, list: 0 }
    }
}

/// Writes values as lines of block style. `spelling` gives the author's own text for a value, by its
/// JSON pointer, if it has not changed.
pub(super) struct Lines<'a> {
    pub(super) indents: Indents,
    pub(super) spelling: &'a dyn Fn(&str, &Value) -> Option<String>,
    lines: Vec<String>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(
        indents: Indents,
        spelling: &'a dyn Fn(&str, &Value) -> Option<String>,
    ) -> Self {
        Self { indents, spelling, lines: Vec::new() }
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines
    }

    /// `key: value` at a column. `lead` is what precedes the key on its line: spaces or a dash.
    fn entry(&mut self, column: usize, lead: &str, (key, value): (&str, &Value), at: &str) {
        let head = format!("{lead}{}:", text(key));
        let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        match value {
            Value::Object(map) if !map.is_empty() => {
                self.lines.push(head);
                self.value(column + self.indents.map, value, &at);
            }
            Value::Array(items) if !items.is_empty() => {
                self.lines.push(head);
                self.value(column + self.indents.list, value, &at);
            }
            _ => self.lines.push(format!("{head} {}", self.scalar(value, &at))),
        }
    }

    /// A map's entries or a list's items at a column.
    pub(super) fn value(&mut self, column: usize, value: &Value, at: &str) {
        let spaces = " ".repeat(column);
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    self.entry(column, &spaces, (key, value), at);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    self.item(column, item, &format!("{at}/{index}"));
                }
            }
            _ => self.lines.push(format!("{spaces}{}", self.scalar(value, at))),
        }
    }

    /// A list's item, with its dash at a column.
    pub(super) fn item(&mut self, column: usize, item: &Value, at: &str) {
        let (dash, spaces) = (format!("{}- ", " ".repeat(column)), " ".repeat(column + 2));
        match item {
            Value::Object(map) if !map.is_empty() => {
                for (index, (key, value)) in map.iter().enumerate() {
                    let lead = if index == 0 { &dash } else { &spaces };
                    self.entry(column + 2, lead, (key, value), at);
                }
            }
            _ => self.lines.push(format!("{dash}{}", self.scalar(item, at))),
        }
    }

    fn scalar(&self, value: &Value, at: &str) -> String {
        (self.spelling)(at, value).unwrap_or_else(|| flow(value))
    }
}

/// A value on one line of YAML, with quotes only where they are needed.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::String(string) => text(string),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| format!("{}: {}", text(key), flow(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A value as a document of block style.
pub(crate) fn document(value: &Value) -> String {
    let mut lines = Lines::new(Indents::default(), &|_, _| None);
    lines.value(0, value, "");
    lines.into_lines().join("\n") + "\n"
}

/// A value on one line of JSON.
pub(crate) fn json(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(", "))
        }
        Value::Object(map) => {
            let entries =
                map.iter().map(|(name, value)| format!("{}: {}", quoted(name), json(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::String(string) => quoted(string),
        _ => value.to_string(),
    }
}

/// A value on several lines of JSON.
pub(super) fn pretty(value: &Value, indent: &str) -> String {
    let mut bytes = Vec::new();
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    // Cannot fail: a Value has string keys, and a Vec grows.
    let _ = serde::Serialize::serialize(value, &mut serializer);
    String::from_utf8(bytes).unwrap_or_default()
}

/// A string, quoted unless every reader of YAML takes it for a string without quotes.
fn text(string: &str) -> String {
    let starts = string.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_');
    let safe = |c: char| c.is_ascii_alphanumeric() || "_-./$@+".contains(c);
    // A colon is part of a plain scalar if no blank follows.
    let colons = !string.contains(": ") && !string.ends_with(':');
    let plain = starts && colons && string.chars().all(|c| safe(c) || c == ':');
    if plain && resolve(string).is_string() { string.to_owned() } else { quoted(string) }
}

/// A string in quotes. What YAML takes for a line break or refuses is escaped, which JSON need not do.
fn quoted(string: &str) -> String {
    let is_odd = |c: char| {
        matches!(
            c,
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
    };
    let text = Value::from(string).to_string();
    let escaped = text.chars().map(|c| match is_odd(c) {
        true => format!("\\u{:04x}", u32::from(c)),
        false => c.to_string(),
    });
    escaped.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn strings_are_quoted_if_a_reader_could_take_them_for_something_else() {
        for (string, written) in [
            ("AWS_ROLE_ARN", "AWS_ROLE_ARN"),
            ("arn:aws:iam::111122223333:role/app", "arn:aws:iam::111122223333:role/app"),
            ("/var/run", "/var/run"),
            ("eks.amazonaws.com/pod-identity", "eks.amazonaws.com/pod-identity"),
            ("0400", "\"0400\""),
            ("yes", "\"yes\""),
            ("", "\"\""),
            ("1_000", "\"1_000\""),
            ("a: b", "\"a: b\""),
            ("a #b", "\"a #b\""),
            ("{x}", "\"{x}\""),
            ("two\nlines", "\"two\\nlines\""),
            ("a\u{85}\u{2028}\u{7f}é", "\"a\\u0085\\u2028\\u007fé\""),
        ] {
            assert_eq!(text(string), written);
        }
    }

    #[test]
    fn a_value_is_written_in_the_authors_indentation() {
        let value = json!({"env": [{"name": "A", "value": "1"}], "empty": {}, "m": {"a": [1]}});
        let lines = |indents| {
            let mut lines = Lines::new(indents, &|_, _| None);
            lines.value(2, &value, "");
            lines.into_lines().join("\n")
        };
        let expected = "  env:\n  - name: A\n    value: \"1\"\n  empty: {}\n  m:\n    a:\n    - 1";
        assert_eq!(lines(Indents::default()), expected);
        let expected =
            "  env:\n    - name: A\n      value: \"1\"\n  empty: {}\n  m:\n      a:\n        - 1";
        assert_eq!(lines(Indents { map: 4, list: 2 }), expected);
    }
}
