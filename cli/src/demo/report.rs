//! What the demo says: a story for people, or one JSON object for scripts.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::Value;

use super::Failure;

const BOLD: Style = Style::new().bold();
const GOOD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const BAD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
const WARN: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));

/// Everything that happened, as `--json` prints it.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Happened {
    /// Whether every step happened.
    pub(crate) ok: bool,
    /// The roles that workloads wanted.
    pub(crate) roles: Vec<Role>,
    /// One for each workload and way.
    pub(crate) pods: Vec<Pod>,
    /// The step that did not happen.
    pub(crate) failure: Option<Failure>,
}

/// A role in the sandbox.
#[derive(Debug, Serialize)]
pub(crate) struct Role {
    pub(crate) arn: String,
    /// The ServiceAccounts that its trust policy names.
    pub(crate) trusts: Vec<String>,
}

/// A pod that became a role.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pod {
    pub(crate) workload: String,
    pub(crate) service_account: String,
    pub(crate) path: String,
    pub(crate) patch: Value,
    pub(crate) warnings: Vec<String>,
    pub(crate) variables: super::client::Variables,
    /// The ARN that GetCallerIdentity gave; none where the person's own command ran instead.
    pub(crate) arn: Option<String>,
    pub(crate) refusals: Vec<Refusal>,
}

/// A token that must not work, and the error that the application sees.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refusal {
    pub(crate) token: String,
    /// AWS's code by web identity, the HTTP status through the agent.
    pub(crate) error: String,
    pub(crate) message: String,
    /// What the sandbox wrote down and AWS would never tell; none where STS was not asked.
    pub(crate) reason: Option<String>,
}

/// Tells as it goes, and gathers what happened.
pub(crate) struct Report {
    json: bool,
    stdout: bool,
    pub(crate) happened: Happened,
}

impl Report {
    /// With `json` nothing is told until the end. Without `stdout` the story goes to standard
    /// error, so that a command's own output stays clean.
    pub(crate) fn new(json: bool, stdout: bool) -> Self {
        Self { json, stdout, happened: Happened::default() }
    }

    fn write(&self, text: &str) {
        if self.json {
            return;
        }
        // A closed pipe is the reader's choice, not a failure of the demo.
        let _ = if self.stdout {
            writeln!(anstream::stdout(), "{text}")
        } else {
            writeln!(anstream::stderr(), "{text}")
        };
    }

    /// A heading, with a blank line before it.
    pub(crate) fn heading(&self, text: &str) {
        self.write(&format!("\n{BOLD}{text}{BOLD:#}"));
    }

    /// A step that happened, and what came of it.
    pub(crate) fn step(&self, what: &str, came: &str) {
        self.write(&format!("  {GOOD}\u{2713}{GOOD:#} {what:<28} {came}"));
    }

    /// A refusal that happened as it must.
    pub(crate) fn refused(&self, refusal: &Refusal) {
        let Refusal { token, error, message, reason } = refusal;
        self.write(&format!("    {BAD}\u{2717}{BAD:#} {token:<26} {BOLD}{error}{BOLD:#}"));
        self.write(&format!("      {message}"));
        if let Some(reason) = reason {
            self.write(&format!("      (the sandbox's log says why: {reason})"));
        }
    }

    /// Something to know.
    pub(crate) fn note(&self, text: &str) {
        self.write(&format!("  {text}"));
    }

    /// An admission warning, as kubectl prints it.
    pub(crate) fn warning(&self, text: &str) {
        self.write(&format!("  {WARN}Warning:{WARN:#} {text}"));
    }

    /// Many lines, indented.
    pub(crate) fn block(&self, text: &str) {
        for line in text.lines() {
            self.write(&format!("    {line}"));
        }
    }

    /// The end: the JSON object, or the failure.
    pub(crate) fn finish(&mut self, failure: Option<&Failure>) {
        self.happened.ok = failure.is_none();
        self.happened.failure = failure.cloned();
        if self.json {
            let text = serde_json::to_string_pretty(&self.happened).unwrap_or_default();
            let _ = writeln!(anstream::stdout(), "{text}");
        } else if let Some(failure) = failure {
            let _ = writeln!(anstream::stderr(), "\n{BAD}\u{2717}{BAD:#} {failure}");
        }
    }
}
