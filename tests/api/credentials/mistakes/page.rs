//! `docs/mistakes.md`: its table, and how it is compared. `PODROLE_BLESS=1` writes the first three columns of each row; the last
//! is written by hand.

use std::{collections::BTreeMap, env, fmt::Write as _, fs};

use podrole_tests::project;

use super::Reported;

const PAGE: &str = "docs/mistakes.md";
const HEAD: &str = "| mistake | reported by | what it says | what to do |\n|---|---|---|---|\n";

/// A sentence without what differs from run to run.
pub(super) fn without_chance(sentence: &str) -> String {
    let mut out = String::new();
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once("127.0.0.1:") {
        let _ = write!(out, "{before}127.0.0.1:PORT");
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out.push_str(rest);
    match out.split_once("no credentials since ") {
        Some((before, after)) => {
            let after = after.get("12:34:56".len()..).unwrap_or_default();
            format!("{before}no credentials since HH:MM:SS{after}")
        }
        None => out,
    }
}

/// The rows of the page, and what is written in their last cells.
fn read(page: &str) -> (Vec<Reported>, BTreeMap<String, String>) {
    let (mut rows, mut written) = (Vec::new(), BTreeMap::new());
    for line in page.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [mistake, place, sentence, fix] = cells[..] else {
            panic!("not four cells: {line}");
        };
        rows.push(super::reported(mistake, place, unquoted(sentence)));
        written.insert(mistake.to_owned(), fix.to_owned());
    }
    (rows, written)
}

/// What is between the backticks of a code span.
fn unquoted(span: &str) -> &str {
    let long = span.strip_prefix("`` ").and_then(|rest| rest.strip_suffix(" ``"));
    let short = || span.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    long.or_else(short).unwrap_or(span)
}

fn table(all: &[Reported], written: &BTreeMap<String, String>) -> String {
    let mut text = HEAD.to_owned();
    for reported in all {
        let Reported { mistake, place, sentence } = reported;
        let fix = written.get(mistake).map_or("?", String::as_str);
        let quoted = if sentence.contains('`') {
            format!("`` {sentence} ``")
        } else {
            format!("`{sentence}`")
        };
        let _ = writeln!(text, "| {mistake} | {place} | {quoted} | {fix} |");
    }
    text
}

/// Compares the page with what was said, both ways.
pub(super) fn compare(all: &[Reported]) {
    let path = project::root().join(PAGE);
    let page = fs::read_to_string(&path).unwrap_or_default();
    let (rows, written) = read(&page);
    if env::var_os("PODROLE_BLESS").is_some() {
        let (before, rest) = page.split_once("| mistake |").unwrap_or((&page, ""));
        let after = rest.split_once("\n\n").map(|(_, after)| format!("\n{after}"));
        let after = after.unwrap_or_default();
        fs::write(&path, format!("{before}{}{after}", table(all, &written))).unwrap();
        return;
    }
    for (row, reported) in rows.iter().zip(all) {
        assert_eq!(row, reported, "left: {PAGE}; right: what was said");
    }
    assert_eq!(rows.len(), all.len(), "{PAGE} has other rows");
    for (mistake, fix) in written {
        assert!(fix.len() > 3, "{PAGE} does not say what to do about: {mistake}");
    }
}
