//! The report, and its lines.

use crate::{
    printable::printable,
    report::{Code, Finding, FindingsReport, ReportExit, State, state},
};

/// The width of the longest state.
const STATE: usize = 7;

/// What the checks found, and the exit code.
#[derive(Debug)]
pub(super) struct DoctorReport {
    exit_code: u8,
    findings: Vec<Finding>,
}

impl DoctorReport {
    /// The report of findings, without those that are ignored.
    pub(super) fn of(findings: Vec<Finding>, ignored: &[Code], strict: bool) -> Self {
        let is_ignored = |it: &Finding| it.code.is_some_and(|code| ignored.contains(&code));
        let findings = findings.into_iter().map(|finding| match is_ignored(&finding) {
            true => Finding { code: finding.code, ..Finding::skipped("ignored by --ignore") },
            false => finding,
        });
        let findings: Vec<_> = findings.collect();
        Self { exit_code: ReportExit::of(&findings, strict).code(), findings }
    }

    /// The report for scripts.
    pub(super) fn for_scripts(&self) -> FindingsReport<'_> {
        FindingsReport::new("DoctorReport", &self.findings, self.exit_code)
    }

    pub(super) fn exit_code(&self) -> u8 {
        self.exit_code
    }

    pub(super) fn has_error(&self) -> bool {
        self.findings.iter().any(|finding| finding.state == State::Error)
    }

    /// The codes with an error.
    pub(super) fn errors(&self) -> String {
        let errors = self.findings.iter().filter(|finding| finding.state == State::Error);
        let codes = errors.filter_map(|finding| finding.code).map(|code| code.to_string());
        codes.collect::<Vec<_>>().join(", ")
    }

    /// One line for each finding.
    pub(super) fn text(&self) -> String {
        self.findings.iter().map(line).collect()
    }
}

fn line(finding: &Finding) -> String {
    let code = finding.code.map(|code| code.to_string()).unwrap_or_default();
    let fix = finding.fix.iter().map(|fix| format!("; fix: {fix}")).collect::<String>();
    let text = printable(&format!("{}{fix}", finding.message));
    format!("{} {code} {text}\n", state(finding.state, STATE))
}
