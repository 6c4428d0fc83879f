//! The printed table.

use std::fmt;

/// The rows, in the order in which they were measured.
#[derive(Default)]
pub(crate) struct Table(Vec<(String, String)>);

impl Table {
    /// Adds a row, and prints it on standard error at once.
    pub(crate) fn row(&mut self, what: impl Into<String>, value: impl Into<String>) {
        let (what, value) = (what.into(), value.into());
        eprintln!("{what}: {value}");
        self.0.push((what, value));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | measured |\n|---|---|")?;
        for (what, value) in &self.0 {
            writeln!(f, "| {what} | {value} |")?;
        }
        Ok(())
    }
}
