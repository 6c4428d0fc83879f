//! The report of commands that have nothing but findings.

use serde::Serialize;

use super::finding::Finding;
use crate::api_version::API_VERSION;

/// Findings for scripts. Fields are only ever added.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FindingsReport<'a> {
    api_version: &'static str,
    kind: &'static str,
    ok: bool,
    exit_code: u8,
    findings: &'a [Finding],
}

impl<'a> FindingsReport<'a> {
    pub(crate) fn new(kind: &'static str, findings: &'a [Finding], exit_code: u8) -> Self {
        Self { api_version: API_VERSION, kind, ok: exit_code == 0, exit_code, findings }
    }
}
