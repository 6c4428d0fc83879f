//! The printed table: one line for each measurement, one column for each webhook.

use std::fmt;

#[derive(Default)]
pub(crate) struct Table {
    names: Vec<String>,
    lines: Vec<Line>,
}

struct Line {
    what: String,
    unit: &'static str,
    values: Vec<f64>,
}

impl Table {
    pub(crate) fn new(names: impl Iterator<Item = String>) -> Self {
        Self { names: names.collect(), lines: Vec::new() }
    }

    /// Adds the value of one webhook. The first value creates the line.
    pub(crate) fn add(&mut self, what: &str, unit: &'static str, value: f64) {
        match self.lines.iter_mut().find(|line| line.what == what) {
            Some(line) => line.values.push(value),
            None => {
                let line = Line { what: what.to_owned(), unit, values: vec![value] };
                self.lines.push(line);
            }
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let compared = self.names.len() > 1;
        let last = if compared { " ratio |" } else { "" };
        writeln!(f, "| | {} |{last}", self.names.join(" | "))?;
        writeln!(
            f,
            "|---|{}{}",
            "---|".repeat(self.names.len()),
            if compared { "---|" } else { "" }
        )?;
        for line in &self.lines {
            write!(f, "| {} |", line.what)?;
            for value in &line.values {
                let places = if value.fract() == 0.0 || *value >= 100.0 { 0 } else { 2 };
                write!(f, " {value:.places$} {} |", line.unit)?;
            }
            if let [ours, others @ ..] = line.values.as_slice()
                && compared
            {
                let ratios = others.iter().map(|other| format!("{:.1}", other / ours));
                write!(f, " {} |", ratios.collect::<Vec<_>>().join(", "))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
