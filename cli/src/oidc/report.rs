//! How `podrole oidc` prints its findings.

use std::{fmt::Display, process::ExitCode};

use crate::report::{Finding, FindingsReport, OutputArgs, ReportExit, State, verdict};

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
    let report = FindingsReport::new(kind, findings, exit_code);
    args.output.print(&report, || findings.iter().map(verdict).collect())?;
    Ok(ExitCode::from(exit_code))
}
