//! What commands find, and how it is printed: the same in text, JSON and YAML.
//!
//! ```text
//!   Finding (state, code, sentence, is, should be, fix) ─► text, for people
//!                                                       ├► Report: JSON or YAML, for scripts
//!                                                       └► the exit code
//! ```

mod args;
mod code;
mod exit_code;
mod finding;
mod findings_report;
mod text;

pub(crate) use args::OutputArgs;
pub(crate) use code::Code;
pub(crate) use exit_code::ReportExit;
pub(crate) use finding::{Finding, State};
pub(crate) use findings_report::FindingsReport;
pub(crate) use text::{detail, state, verdict};
