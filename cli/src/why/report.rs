//! The report: one object for scripts.

use serde::Serialize;

use super::{case::Case, chain::Chain};
use crate::{
    api_version::API_VERSION,
    report::{Finding, ReportExit, State},
};

/// How many findings a report has; what a tenant writes must not make it longer.
pub(super) const MOST_FINDINGS: usize = 20;

/// What `why` found, as `-o json` and `-o yaml` print it. Fields are only ever added.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WhyReport {
    api_version: &'static str,
    kind: &'static str,
    ok: bool,
    pub(super) exit_code: u8,
    subjects: Vec<SubjectReport>,
    findings: Vec<Finding>,
    /// How many findings beyond the first 20 of each subject are left out.
    omitted: usize,
}

/// What was examined.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SubjectReport {
    target: String,
    namespace: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
}

impl WhyReport {
    pub(super) fn new(strict: bool) -> Self {
        let mut report = Self {
            api_version: API_VERSION,
            kind: "WhyReport",
            ok: true,
            exit_code: 0,
            subjects: Vec::new(),
            findings: Vec::new(),
            omitted: 0,
        };
        report.close(strict);
        report
    }

    /// Adds a subject and its findings.
    pub(super) fn add(&mut self, case: &Case<'_>, chain: &Chain) {
        let subject = case.subject;
        let binding = case.decided.as_ref().ok().map(|it| &it.binding);
        self.subjects.push(SubjectReport {
            target: subject.target.to_string(),
            namespace: subject.namespace.clone(),
            pod: subject.stored().map(|it| it.name().to_owned()),
            workload: subject.workload_name(),
            service_account: Some(subject.service_account.name().to_owned()),
            role: binding.and_then(|it| it.role()).map(ToString::to_string),
            provider: binding.and_then(|it| it.provider).map(|it| it.to_string()),
        });
        self.extend(chain.findings().cloned().collect());
    }

    /// Adds a target that is not examined, and why.
    pub(super) fn unexamined(&mut self, target: &str, namespace: &str, finding: Finding) {
        self.subjects.push(SubjectReport {
            target: target.to_owned(),
            namespace: namespace.to_owned(),
            pod: None,
            workload: None,
            service_account: None,
            role: None,
            provider: None,
        });
        self.extend(vec![finding]);
    }

    /// Adds a document that cannot be read.
    pub(super) fn broken(&mut self, finding: Finding) {
        self.extend(vec![finding]);
    }

    /// Keeps what changes the exit code, if there is more than fits.
    fn extend(&mut self, mut findings: Vec<Finding>) {
        if findings.len() > MOST_FINDINGS {
            let rank = |it: &Finding| match it.state {
                State::Error => 0,
                State::Unknown => 1,
                State::Warning => 2,
                State::Ok | State::Skipped | State::Note => 3,
            };
            findings.sort_by_key(rank);
            self.omitted += findings.len() - MOST_FINDINGS;
            findings.truncate(MOST_FINDINGS);
        }
        self.findings.extend(findings);
    }

    /// Computes the exit code of all findings.
    pub(super) fn close(&mut self, strict: bool) {
        let exit = ReportExit::of(&self.findings, strict);
        self.ok = exit == ReportExit::Ok;
        self.exit_code = exit.code();
    }
}
