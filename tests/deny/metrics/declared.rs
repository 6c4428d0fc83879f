//! Metrics as a crate's sources declare them: their types, and the names of their labels.

use std::collections::BTreeMap;

use crate::source::{files, literals};

/// A metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Metric {
    /// As Prometheus calls it.
    pub(super) kind: &'static str,
    pub(super) help: String,
    pub(super) labels: Vec<String>,
}

/// A crate's sources.
pub(super) struct Declared(Vec<String>);

/// Rust's types of metrics, and what Prometheus calls them.
const KINDS: [(&str, &str); 4] =
    [("Counter", "counter"), ("Gauge", "gauge"), ("Histogram", "histogram"), ("Info", "info")];

impl Declared {
    pub(super) fn read(krate: &str) -> anyhow::Result<Self> {
        Ok(Self(files(krate)?.into_iter().map(|(_, text)| text).collect()))
    }

    /// The metric `name`, by the field that is registered under it. The literal may lack a prefix.
    pub(super) fn metric(&self, name: &str, help: &str) -> Option<Metric> {
        if let Some(info) = self.info(name) {
            return Some(info);
        }
        let is_name = |literal: &str| {
            literal == name || (literal.len() > 4 && name.ends_with(&format!("_{literal}")))
        };
        for text in &self.0 {
            for (_, after) in literals(text).into_iter().filter(|(literal, _)| is_name(literal)) {
                let field = word_after(after, "self.")?;
                let Some(declared) = text.split_once(&format!(" {field}: ")) else {
                    continue;
                };
                let declared = declared.1.lines().next()?.trim_end_matches(',');
                let (labels, kind) = match declared.strip_prefix("Family<") {
                    Some(family) => family.split_once(", ")?,
                    None => ("", declared),
                };
                let kind = KINDS.iter().find(|(rust, _)| kind.starts_with(rust))?.1;
                return Some(Metric { kind, help: help.to_owned(), labels: self.labels(labels) });
            }
        }
        None
    }

    /// What collectors write, which no registry lists: all of them are gauges.
    pub(super) fn collectors(&self) -> BTreeMap<String, Metric> {
        let mut found = BTreeMap::new();
        for text in self.0.iter().filter(|text| text.contains("encode_descriptor(")) {
            let literals = literals(text);
            let mut pairs = literals.iter().zip(literals.iter().skip(1));
            let named = pairs.find(|((name, _), _)| name.starts_with("podrole_"));
            if let Some(((name, _), (help, _))) = named {
                let mut labels = tuples(text);
                if let Some((before, _)) = text.split_once("Labels { ") {
                    let prefix = before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next();
                    labels.extend(self.labels(&format!("{}Labels", prefix.unwrap_or_default())));
                }
                let metric = Metric { kind: "gauge", help: help.clone(), labels };
                found.insert(name.clone(), metric);
            }
        }
        found
    }

    /// The metric `name`, if it is an `Info`, whose labels are written where it is made.
    pub(super) fn info(&self, name: &str) -> Option<Metric> {
        let text = self.0.iter().find(|text| text.contains(&format!("\"{name}\"")))?;
        let at = text.find(&format!("\"{name}\""))?;
        let end = text[at..].find(';').map_or(text.len(), |end| at + end);
        let begin = text[..at].rfind("fn ").unwrap_or_default();
        // The last argument is made in place, or right before.
        let last = text[at..end].trim_end_matches([')', ' ', '\n', ',']).rsplit([' ', '(']).next();
        let made = format!("let {} = Info::new", last.unwrap_or_default());
        let is_info = text[at..end].contains("Info::new") || text[begin..at].contains(&made);
        if !is_info {
            return None;
        }
        let (help, _) = literals(&text[at..]).into_iter().nth(1)?;
        Some(Metric { kind: "info", help, labels: tuples(&text[begin..end]) })
    }

    /// The fields of the struct of labels called `name`.
    fn labels(&self, name: &str) -> Vec<String> {
        let declared = format!("struct {name} {{");
        let body = self.0.iter().find_map(|text| Some(text.split_once(&declared)?.1));
        let body = body.and_then(|text| text.split('}').next()).unwrap_or_default();
        let fields = body.lines().filter_map(|line| line.trim().split_once(": "));
        fields.filter_map(|(field, _)| field.rsplit(' ').next()).map(str::to_owned).collect()
    }
}

/// The names in `[("name", value), ...]`.
fn tuples(text: &str) -> Vec<String> {
    let starts = text.match_indices("(\"").filter(|(at, _)| {
        let before = text[..*at].trim_end();
        before.ends_with('[') || before.ends_with(',')
    });
    let names = starts.filter_map(|(at, _)| text[at + 2..].split('"').next());
    names.map(str::to_owned).collect()
}

/// The identifier behind the first `before`.
fn word_after<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    let rest = text.split_once(before)?.1;
    rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(text: &str) -> Declared {
        Declared(vec![text.to_owned()])
    }

    fn metric(kind: &'static str, help: &str, labels: &[&str]) -> Metric {
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        Metric { kind, help: help.to_owned(), labels }
    }

    #[test]
    fn a_type_follows_from_the_field() {
        let text = "struct L {\n    a: &'static str,\n    pub(super) b: Word,\n}\n\
            struct M {\n    calls: Family<L, Counter>,\n    size: Gauge,\n}\n\
            add(\"podrole_calls\", \"h\", &self.calls);\nadd.one(\"weight\", help, &self.size);";
        let declared = declared(text);
        assert_eq!(
            declared.metric("podrole_calls", "h"),
            Some(metric("counter", "h", &["a", "b"]))
        );
        assert_eq!(declared.metric("podrole_x_weight", "s"), Some(metric("gauge", "s", &[])));
        assert_eq!(declared.metric("podrole_other", ""), None);
    }

    #[test]
    fn a_collector_and_an_info_are_found() {
        let text = "let name = \"podrole_age_seconds\";\nlet help = \"Age\";\n\
            encoder.encode_descriptor(name, help);\nlet labels = [(\"kind\", 1)];";
        let found = declared(text).collectors();
        assert_eq!(found["podrole_age_seconds"], metric("gauge", "Age", &["kind"]));
        let text = "fn f() {\n    let build = Info::new([(\"version\", V)]);\n    \
            registry.register(\"podrole_build\", \"What this is\", build);\n}";
        assert_eq!(
            declared(text).info("podrole_build"),
            Some(metric("info", "What this is", &["version"]))
        );
    }
}
