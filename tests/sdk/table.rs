//! What came of each cell, as one table.

use std::{collections::BTreeSet, io::Write as _};

/// One cell: what was tried, and what came of it.
pub(crate) struct Cell {
    pub(crate) row: String,
    pub(crate) column: String,
    pub(crate) outcome: Outcome,
}

pub(crate) enum Outcome {
    Pass,
    /// The SDK cannot do this, against AWS either.
    Unsupported(&'static str),
    Fail(String),
}

impl Outcome {
    /// A pass, or why not.
    pub(crate) fn of(right: bool, why: impl FnOnce() -> String) -> Self {
        if right { Self::Pass } else { Self::Fail(why()) }
    }
}

/// Prints the table, past the test harness, which would swallow it; then panics if a cell failed.
pub(crate) fn judge(title: &str, cells: &[Cell]) {
    let mut out = std::io::stdout().lock();
    // What is only reported is not tested.
    let _ = out.write_all(table(title, cells).as_bytes());
    drop(out);
    let failures: Vec<_> = cells.iter().filter_map(failure).collect();
    assert!(failures.is_empty(), "\n  {}\n", failures.join("\n  "));
}

fn failure(cell: &Cell) -> Option<String> {
    match &cell.outcome {
        Outcome::Fail(why) => Some(format!("{}, {}: {why}", cell.row, cell.column)),
        _ => None,
    }
}

fn table(title: &str, cells: &[Cell]) -> String {
    let columns = distinct(cells.iter().map(|cell| cell.column.as_str()));
    let rows = distinct(cells.iter().map(|cell| cell.row.as_str()));
    let head = format!("{title:34}");
    let mut text = columns.iter().fold(head, |text, column| format!("{text} {column:13}"));
    let mut notes = BTreeSet::new();
    for row in rows {
        text += &format!("\n{row:34}");
        for column in &columns {
            let word = cells.iter().find(|cell| cell.row == row && cell.column == *column);
            let word = match word.map(|cell| &cell.outcome) {
                None => "",
                Some(Outcome::Pass) => "pass",
                Some(Outcome::Fail(_)) => "FAIL",
                Some(Outcome::Unsupported(why)) => {
                    notes.insert(*why);
                    "unsupported"
                }
            };
            text += &format!(" {word:13}");
        }
    }
    notes.iter().fold(text, |text, why| format!("{text}\nunsupported: {why}")) + "\n"
}

/// Each once, in the order in which they come.
fn distinct<'a>(words: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    words.for_each(|word| {
        if !seen.contains(&word) {
            seen.push(word);
        }
    });
    seen
}
