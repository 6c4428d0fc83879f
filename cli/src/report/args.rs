//! The flags of all commands that print findings.

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::output;

/// The format of standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
    Yaml,
}

/// How findings are printed.
#[derive(Args, Clone, Debug)]
pub(crate) struct OutputArgs {
    /// Print text for people, or one object for scripts
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Format,

    /// Colour the states
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    color: Color,

    /// Print no progress
    #[arg(short, long)]
    pub(crate) quiet: bool,

    /// Print every part, also those without an error
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// Count warnings as errors in the exit code
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl OutputArgs {
    /// Applies `--color` to this process. `auto` leaves it to the terminal, `NO_COLOR` and `TERM`.
    pub(crate) fn choose_color(&self) {
        match self.color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::AlwaysAnsi,
            Color::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

impl Format {
    /// Prints a report: as it is for a script, or as `text` for people.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub(crate) fn print(
        self,
        report: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> anyhow::Result<()> {
        output::print(&self.render(report)?.unwrap_or_else(text))
    }

    /// A report as text for a script, or `None` if text for people is wanted.
    ///
    /// # Errors
    /// Never for reports, whose keys are texts.
    pub(crate) fn render(self, report: &impl Serialize) -> anyhow::Result<Option<String>> {
        Ok(match self {
            Self::Text => None,
            Self::Json => Some(format!("{}\n", serde_json::to_string_pretty(report)?)),
            Self::Yaml => Some(serde_saphyr::to_string(report)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::report::{Code, Finding};

    #[test]
    fn scripts_get_the_same_in_json_and_yaml() {
        let finding = Finding::error(Code(1), "a: b").object("Namespace shop").fix("do it");
        let expected = json!({"code": "PR001", "state": "error", "object": "Namespace shop",
            "message": "a: b", "fix": ["do it"], "evidence": []});
        let json = Format::Json.render(&finding).unwrap().unwrap();
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), expected);
        let yaml = Format::Yaml.render(&finding).unwrap().unwrap();
        assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), expected);
        assert_eq!(Format::Text.render(&finding).unwrap(), None);
    }
}
