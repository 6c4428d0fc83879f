//! The demo's output: text for people, or one JSON object for scripts.

use std::{fmt, io::Write as _};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::Value;

use super::Failure;
use crate::api_version::API_VERSION;

const BOLD: Style = Style::new().bold();
const GOOD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const BAD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
const WARN: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));

/// The object that `--json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DemoReport {
    api_version: &'static str,
    kind: &'static str,
    /// Whether every step succeeded.
    pub(crate) ok: bool,
    /// The roles that were created in the sandbox.
    pub(crate) roles: Vec<RoleReport>,
    /// One for each workload and credential provider.
    pub(crate) pods: Vec<PodReport>,
    /// The workloads that were not tried.
    pub(crate) skipped: Vec<SkippedReport>,
    /// The first step that failed.
    pub(crate) failure: Option<Failure>,
}

impl Default for DemoReport {
    fn default() -> Self {
        let (roles, pods, skipped, failure) = Default::default();
        Self {
            api_version: API_VERSION,
            kind: "DemoReport",
            ok: false,
            roles,
            pods,
            skipped,
            failure,
        }
    }
}

/// A workload that was not tried.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SkippedReport {
    pub(crate) workload: String,
    pub(crate) reason: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct RoleReport {
    pub(crate) arn: String,
    /// The ServiceAccounts that the trust policy allows.
    pub(crate) trusts: Vec<String>,
}

/// A pod that ran with one credential provider.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PodReport {
    /// Whether the container got the role and each invalid token was refused.
    pub(crate) ok: bool,
    pub(crate) workload: String,
    pub(crate) service_account: String,
    /// `web-identity` or `container`.
    pub(crate) provider: String,
    /// The container whose variables are used: the first that no annotation leaves out.
    pub(crate) container: Option<String>,
    pub(crate) patch: Value,
    pub(crate) warnings: Vec<String>,
    pub(crate) variables: super::client::Variables,
    /// The ARN that GetCallerIdentity returned; `None` if the user's command ran instead.
    pub(crate) arn: Option<String>,
    pub(crate) refusals: Vec<Refusal>,
    /// The step that failed.
    pub(crate) failure: Option<Failure>,
}

impl PodReport {
    pub(crate) fn new(workload: &str, service_account: &str, provider: &str) -> Self {
        Self {
            ok: false,
            workload: workload.to_owned(),
            service_account: service_account.to_owned(),
            provider: provider.to_owned(),
            container: None,
            patch: Value::Null,
            warnings: Vec::new(),
            variables: super::client::Variables::new(),
            arn: None,
            refusals: Vec::new(),
            failure: None,
        }
    }
}

/// An invalid token, and the error that the application gets.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refusal {
    pub(crate) token: String,
    /// STS's error code, or the HTTP status of the agent.
    pub(crate) error: String,
    pub(crate) message: String,
    /// The reason in the sandbox's log, which AWS would not disclose; `None` if STS was not called.
    pub(crate) reason: Option<String>,
}

/// Prints each step as it happens, and collects the JSON object.
pub(crate) struct Report {
    json: bool,
    stdout: bool,
    pub(crate) result: DemoReport,
}

impl Report {
    /// With `json`, prints nothing until the end. Without `stdout`, the text goes to standard
    /// error, so that standard output is only that of the user's command.
    pub(crate) fn new(json: bool, stdout: bool) -> Self {
        Self { json, stdout, result: DemoReport::default() }
    }

    fn write(&self, text: &str) {
        if self.json {
            return;
        }
        // A closed pipe (as in `| head`) is not an error.
        let _ = if self.stdout {
            writeln!(anstream::stdout(), "{text}")
        } else {
            writeln!(anstream::stderr(), "{text}")
        };
    }

    pub(crate) fn heading(&self, text: &str) {
        self.write(&format!("\n{BOLD}{text}{BOLD:#}"));
    }

    /// A completed step and its result.
    pub(crate) fn step(&self, step: &str, result: &str) {
        self.write(&format!("  {GOOD}\u{2713}{GOOD:#} {step:<28} {result}"));
    }

    /// An expected refusal.
    pub(crate) fn refused(&self, refusal: &Refusal) {
        let Refusal { token, error, message, reason } = refusal;
        self.write(&format!("    {BAD}\u{2717}{BAD:#} {token:<26} {BOLD}{error}{BOLD:#}"));
        self.write(&format!("      {message}"));
        if let Some(reason) = reason {
            self.write(&format!("      (reason in the sandbox's log: {reason})"));
        }
    }

    pub(crate) fn note(&self, text: &str) {
        self.write(&format!("  {text}"));
    }

    /// An admission warning, as kubectl prints it.
    pub(crate) fn warning(&self, text: &str) {
        self.write(&format!("  {WARN}Warning:{WARN:#} {text}"));
    }

    /// A workload that is not tried.
    pub(crate) fn skipped(&mut self, workload: &dyn fmt::Display, reason: &str) {
        self.note(&format!("{workload}: {reason}"));
        let (workload, reason) = (workload.to_string(), reason.to_owned());
        self.result.skipped.push(SkippedReport { workload, reason });
    }

    /// A step that failed. The first one is that of the whole run.
    pub(crate) fn fail(&mut self, failure: Failure) {
        if !self.json {
            let _ = writeln!(anstream::stderr(), "\n{BAD}\u{2717}{BAD:#} {failure}");
        }
        self.result.failure.get_or_insert(failure);
    }

    /// Whether a step failed.
    pub(crate) fn failed(&self) -> bool {
        self.result.failure.is_some()
    }

    pub(crate) fn block(&self, text: &str) {
        for line in text.lines() {
            self.write(&format!("    {line}"));
        }
    }

    /// Prints the JSON object.
    pub(crate) fn finish(&mut self) {
        self.result.ok = !self.failed();
        if self.json {
            let text = serde_json::to_string_pretty(&self.result).unwrap_or_default();
            let _ = writeln!(anstream::stdout(), "{text}");
        }
    }
}
