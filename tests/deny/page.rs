//! Reference pages: tables that are generated, except for one column that is written by hand.
//!
//! `PODROLE_BLESS=1` writes a page anew. The text before its first heading of level 2 stays as it
//! is, and so does the last cell of each row whose first cells are still the same.

use std::{collections::BTreeMap, env, fmt::Write as _, fs};

use anyhow::{Context as _, ensure};
use podrole_tests::project;

/// What a cell has whose content must be written by hand.
pub(crate) const UNWRITTEN: &str = "?";

/// A table below a heading. The last column is written by hand.
pub(crate) struct Section {
    pub(crate) heading: String,
    pub(crate) columns: &'static [&'static str],
    pub(crate) rows: Vec<Row>,
}

/// A row without its last cell. `key` finds that cell in the page, and is unique in its section.
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) cells: Vec<String>,
    /// The last cell of a row that is new.
    pub(crate) unwritten: &'static str,
}

/// A page as it is in the repository.
pub(crate) struct Page {
    path: &'static str,
    introduction: String,
    /// By heading and the key of the row.
    written: BTreeMap<(String, String), String>,
    text: String,
}

impl Page {
    /// Reads the page at `path`. `key` gives a row's key from its cells.
    pub(crate) fn read(
        path: &'static str,
        key: impl Fn(&[String]) -> String,
    ) -> anyhow::Result<Self> {
        let text = fs::read_to_string(project::root().join(path)).context(path)?;
        let introduction = text.split("\n## ").next().unwrap_or_default().trim_end().to_owned();
        let (mut heading, mut written) = (String::new(), BTreeMap::new());
        for line in text.lines() {
            if let Some(found) = line.strip_prefix("## ") {
                found.clone_into(&mut heading);
            }
            let mut cells = cells(line);
            let Some(last) = cells.pop() else {
                continue;
            };
            // The names of the columns have no key.
            let key = key(&cells);
            if !key.is_empty() {
                written.insert((heading.clone(), key), last);
            }
        }
        Ok(Self { path, introduction, written, text })
    }

    /// The cell of a row that is written by hand.
    pub(crate) fn written(&self, heading: &str, row: &Row) -> &str {
        let cell = self.written.get(&(heading.to_owned(), row.key.clone()));
        cell.map_or(row.unwritten, String::as_str)
    }

    /// Compares the page with `sections`, or writes it.
    ///
    /// # Errors
    /// When they differ, with the first line that does.
    pub(crate) fn check(&self, sections: &[Section]) -> anyhow::Result<()> {
        let text = self.render(sections)?;
        if env::var_os("PODROLE_BLESS").is_some() {
            self.report_lost(sections);
            return Ok(fs::write(project::root().join(self.path), text)?);
        }
        let (there, now): (Vec<_>, Vec<_>) = (self.text.lines().collect(), text.lines().collect());
        let differs = (0..there.len().max(now.len())).find(|at| there.get(*at) != now.get(*at));
        let at = differs.unwrap_or_default();
        let [there, now] = [there, now].map(|lines| lines.get(at).copied().unwrap_or("(no line)"));
        let line = at + 1;
        ensure!(
            self.text == text,
            "{}:{line} differs from the code:\n    page: {there}\n    code: {now}\n  \
             PODROLE_BLESS=1 ./test deny writes the page anew; then fill in cells with {UNWRITTEN}",
            self.path
        );
        ensure!(
            !text.contains(&format!("| {UNWRITTEN} |")),
            "{} has cells with {UNWRITTEN}: write them by hand",
            self.path
        );
        Ok(())
    }

    fn render(&self, sections: &[Section]) -> anyhow::Result<String> {
        let mut text = format!("{}\n", self.introduction);
        for section in sections.iter().filter(|section| !section.rows.is_empty()) {
            writeln!(text, "\n## {}\n", section.heading)?;
            writeln!(text, "| {} |", section.columns.join(" | "))?;
            writeln!(text, "|{}", "---|".repeat(section.columns.len()))?;
            for row in &section.rows {
                let written = self.written(&section.heading, row);
                writeln!(text, "| {} | {written} |", row.cells.join(" | "))?;
            }
        }
        Ok(text)
    }

    /// Prints the cells that are lost because their rows are gone.
    fn report_lost(&self, sections: &[Section]) {
        for ((heading, key), cell) in &self.written {
            let section = sections.iter().find(|section| section.heading == *heading);
            let stays = section.is_some_and(|it| it.rows.iter().any(|row| row.key == *key));
            let empty = ["", "—", UNWRITTEN].contains(&cell.as_str());
            if !stays && !empty {
                eprintln!("{}: {heading}: {key} is gone, and with it: {cell}", self.path);
            }
        }
    }
}

/// The cells of a row of a table; none for other lines.
fn cells(line: &str) -> Vec<String> {
    let Some(line) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else {
        return Vec::new();
    };
    line.split(" | ").map(str::to_owned).collect()
}

/// The first text in backquotes.
pub(crate) fn quoted(text: &str) -> String {
    text.split('`').nth(1).unwrap_or_default().to_owned()
}

/// Text as a cell: on one line, without what Markdown would take for a column or for HTML.
pub(crate) fn cell(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    let parts = words.join(" ").replace('|', "\\|");
    let escape = |(number, part): (usize, &str)| {
        if number % 2 == 0 { part.replace('<', "\\<") } else { part.to_owned() }
    };
    parts.split('`').enumerate().map(escape).collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[&str] = &["a", "b", "note"];

    fn page(text: &str) -> Page {
        let mut page = Page {
            path: "docs/a.md",
            introduction: "# A".to_owned(),
            written: BTreeMap::new(),
            text: text.to_owned(),
        };
        page.written.insert(("One".to_owned(), "x".to_owned()), "by hand".to_owned());
        page
    }

    fn section() -> Section {
        let row = |key: &str| Row {
            key: key.to_owned(),
            cells: vec![key.to_owned(), "1".to_owned()],
            unwritten: UNWRITTEN,
        };
        Section { heading: "One".to_owned(), columns: COLUMNS, rows: vec![row("x"), row("y")] }
    }

    #[test]
    fn a_page_keeps_what_was_written_by_hand() {
        let text = page("").render(&[section()]).unwrap();
        assert_eq!(
            text,
            "# A\n\n## One\n\n| a | b | note |\n|---|---|---|\n| x | 1 | by hand |\n| y | 1 | ? |\n"
        );
    }

    #[test]
    fn a_difference_and_an_unwritten_cell_are_errors() {
        if env::var_os("PODROLE_BLESS").is_some() {
            return;
        }
        let error = page("# A\n").check(&[section()]).unwrap_err().to_string();
        assert!(error.starts_with("docs/a.md:2 differs"), "{error}");
        assert!(error.contains("PODROLE_BLESS"));
        let text = page("").render(&[section()]).unwrap();
        let error = page(&text).check(&[section()]).unwrap_err().to_string();
        assert!(error.contains("write them by hand"), "{error}");
    }

    #[test]
    fn a_cell_is_one_line_without_html() {
        assert_eq!(cell("a <b>\n  or `<c>` | d"), "a \\<b> or `<c>` \\| d");
    }
}
