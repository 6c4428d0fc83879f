//! The exit code that findings give.

use super::finding::{Finding, State};

/// The exit code of a command that examined something. Usage errors are 2, and are not findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportExit {
    Ok,
    /// There is an error; with `--strict`, or a warning.
    Error,
    /// There is no error, but something could not be read.
    Unknown,
}

impl ReportExit {
    pub(crate) fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>, strict: bool) -> Self {
        let mut exit = Self::Ok;
        for finding in findings {
            match finding.state {
                State::Error => return Self::Error,
                State::Warning if strict => return Self::Error,
                State::Unknown => exit = Self::Unknown,
                State::Ok | State::Warning | State::Skipped | State::Note => {}
            }
        }
        exit
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Error => 1,
            Self::Unknown => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_and_what_is_unknown_change_the_exit_code() {
        let code = |states: &[State], strict| {
            let findings: Vec<_> = states.iter().map(|it| Finding::new(*it, "x")).collect();
            ReportExit::of(&findings, strict).code()
        };
        assert_eq!(code(&[], false), 0);
        assert_eq!(code(&[State::Ok, State::Skipped, State::Note, State::Warning], false), 0);
        assert_eq!(code(&[State::Ok, State::Warning], true), 1);
        assert_eq!(code(&[State::Unknown, State::Ok], false), 3);
        assert_eq!(code(&[State::Unknown, State::Error], false), 1);
    }
}
