//! How a run ends that prints nothing on standard output.

use std::process::ExitCode;

use podrole_identity::{API_GROUP, Kind};

use super::place::InputError;
use crate::printable::printable;

/// Errors that are listed; the rest is counted.
const SHOWN: usize = 20;

/// Why a run failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The input has errors: exit code 1.
    Input(Vec<InputError>),
    /// A file, the cluster or EKS cannot be used: exit code 2.
    Usage(anyhow::Error),
    /// Objects were not applied, or not all, and the last line says which: exit code 1.
    Apply(Vec<String>, String),
    /// The user pressed Ctrl-C; the sentence says how far the run came.
    Interrupted(String),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Usage(error)
    }
}

/// What to do about a cluster that does not know the kind.
pub(super) fn not_installed() -> String {
    let plural = Kind::Association.plural();
    format!(
        "the CRD {plural}.{API_GROUP} is not installed; install podrole's chart with \
         crds.install=true"
    )
}

impl Failure {
    /// The lines for standard error, and the exit code.
    pub(super) fn lines(&self) -> (Vec<String>, u8) {
        match self {
            Self::Input(errors) => {
                let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
                (limited(&all, "podrole: nothing is printed or applied"), 1)
            }
            Self::Usage(error) => {
                (vec![format!("podrole: {}", printable(&format!("{error:#}")))], 2)
            }
            Self::Apply(errors, consequence) => (limited(errors, consequence), 1),
            Self::Interrupted(how_far) => (vec![format!("podrole: interrupted: {how_far}")], 130),
        }
    }

    /// Prints the errors, and returns the exit code.
    pub(super) fn report(&self) -> ExitCode {
        let (lines, code) = self.lines();
        for line in lines {
            anstream::eprintln!("{line}");
        }
        ExitCode::from(code)
    }
}

/// At most 20 errors, and how many more there are.
fn limited(errors: &[String], consequence: &str) -> Vec<String> {
    let more = errors.len().saturating_sub(SHOWN);
    let shown = errors.iter().take(SHOWN).map(|error| printable(error));
    let mut lines: Vec<String> = shown.collect();
    if more > 0 {
        lines.push(format!("... and {more} more errors"));
    }
    lines.push(consequence.to_owned());
    lines
}
