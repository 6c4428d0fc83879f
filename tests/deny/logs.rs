//! `docs/logs.md` lists every event that the daemons log at `info` and above, as their sources have
//! it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;

use crate::{
    page::{Page, Row, Section, cell, quoted},
    source::{arguments, bracketed, files, literal},
};

const PAGE: &str = "docs/logs.md";
const COLUMNS: &[&str] = &["level", "event", "fields", "note"];
/// The levels that are on without `--log`, the most urgent first.
const LEVELS: [&str; 3] = ["error", "warn", "info"];
/// Whose events a heading has, by crate.
const SECTIONS: [(&str, &str); 6] = [
    ("podrole-webhook", "webhook"),
    ("podrole-agent", "agent"),
    ("podrole-node", "node"),
    ("podrole-sandbox", "sandbox"),
    (
        "Certificates and registration (podrole-webhook and its controller, podrole-sandbox)",
        "certs",
    ),
    ("Every daemon", "runtime"),
];

/// An event: its level's place in [`LEVELS`], and its text.
type Event = (usize, String);

#[test]
fn every_log_event_is_on_its_page() -> anyhow::Result<()> {
    let key = |cells: &[String]| cells.get(1).map(|event| quoted(event)).unwrap_or_default();
    let page = Page::read(PAGE, key)?;
    let mut sections = Vec::new();
    for (heading, krate) in SECTIONS {
        let mut events = BTreeMap::new();
        for (file, text) in files(krate)? {
            scan(&file, &text, &mut events)?;
        }
        let rows = events.into_iter().map(row).collect();
        sections.push(Section { heading: heading.to_owned(), columns: COLUMNS, rows });
    }
    let all: usize = sections.iter().map(|section| section.rows.len()).sum();
    ensure!(all > 40, "only {all} events were found in the sources");
    page.check(&sections)
}

fn row(((level, text), fields): (Event, BTreeSet<String>)) -> Row {
    let fields: Vec<_> = fields.iter().map(|field| format!("`{field}`")).collect();
    let event = format!("`{}`", cell(&text).replace('`', "'"));
    let cells = vec![LEVELS[level].to_owned(), event.clone(), fields.join(", ")];
    Row { key: quoted(&event), cells, unwritten: "" }
}

/// Collects the events of a file. The same event from two places has the fields of both.
fn scan(
    file: &str,
    text: &str,
    events: &mut BTreeMap<Event, BTreeSet<String>>,
) -> anyhow::Result<()> {
    let imported = text.lines().find(|line| line.starts_with("use tracing::"));
    ensure!(imported.is_none(), "{file}: write tracing::warn! and so on in full: {imported:?}");
    for (level, name) in LEVELS.iter().enumerate() {
        let call = format!("tracing::{name}!");
        for (at, _) in text.match_indices(&call) {
            let line = text[..at].lines().count();
            let inside = bracketed(&text[at + call.len()..]);
            let (mut message, mut fields) = (None, Vec::new());
            for argument in arguments(inside.unwrap_or_default()) {
                message = literal(argument);
                if message.is_some() {
                    // What follows is for the message's format.
                    break;
                }
                fields.extend(field(argument));
            }
            let Some(message) = message else {
                anyhow::bail!("{file}:{line}: {call} has no message that is a string literal");
            };
            events.entry((level, message)).or_default().extend(fields);
        }
    }
    Ok(())
}

/// The field that an argument of the macro sets; none for its target.
fn field(argument: &str) -> Option<String> {
    let name = argument.split(" = ").next().unwrap_or(argument);
    if name.starts_with("target:") {
        return None;
    }
    Some(name.trim_start_matches(['%', '?']).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_with_its_fields() {
        let text = r#"
            tracing::warn!(%error, role = role.as_str(), "could not read {}", name.as_str());
            tracing::info!(target: "audit", pod, got = match got { A => "a, b", B => "c" },
                "issued");
            tracing::debug!("not listed");"#;
        let mut events = BTreeMap::new();
        scan("a.rs", text, &mut events).unwrap();
        let found: Vec<_> = events.into_iter().map(row).map(|row| row.cells.join(" ")).collect();
        assert_eq!(
            found,
            ["warn `could not read {}` `error`, `role`", "info `issued` `got`, `pod`"]
        );
    }

    #[test]
    fn an_event_without_a_message_is_an_error() {
        let error = scan("a.rs", "\ntracing::warn!(%error);", &mut BTreeMap::new());
        assert!(error.unwrap_err().to_string().starts_with("a.rs:1: tracing::warn!"));
    }
}
