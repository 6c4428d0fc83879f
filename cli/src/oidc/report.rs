//! How `podrole oidc` prints its findings.

use std::{fmt::Display, process::ExitCode};

use serde::Serialize;

use crate::{
    api_version::API_VERSION,
    output,
    report::{Finding, OutputArgs, ReportExit, State, verdict},
};

/// The report for scripts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OidcReport<'a> {
    api_version: &'static str,
    kind: &'static str,
    ok: bool,
    exit_code: u8,
    findings: &'a [Finding],
}

/// The finding of an error. After its first semicolon, an error says how to fix it.
pub(crate) fn of_error(state: State, error: &impl Display) -> Finding {
    let text = error.to_string();
    match text.split_once("; ") {
        Some((message, fix)) => Finding::new(state, message).fix(fix),
        None => Finding::new(state, text),
    }
}

/// Prints findings, and returns the exit code that they give.
///
/// # Errors
/// If standard output cannot be written.
pub(crate) fn print(
    kind: &'static str,
    findings: &[Finding],
    args: &OutputArgs,
) -> anyhow::Result<ExitCode> {
    let exit = ReportExit::of(findings, args.strict);
    print_with(kind, findings, exit.code(), args)
}

/// Prints findings of a command with exit codes of its own.
///
/// # Errors
/// If standard output cannot be written.
pub(crate) fn print_with(
    kind: &'static str,
    findings: &[Finding],
    exit_code: u8,
    args: &OutputArgs,
) -> anyhow::Result<ExitCode> {
    args.choose_color();
    let ok = exit_code == 0;
    let report = OidcReport { api_version: API_VERSION, kind, ok, exit_code, findings };
    match args.output.render(&report)? {
        Some(text) => output::print(&text)?,
        None => anstream::print!("{}", findings.iter().map(verdict).collect::<String>()),
    }
    Ok(ExitCode::from(exit_code))
}
