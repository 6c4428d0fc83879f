//! Why the demo stopped: the step that failed, its error, and how to fix it.

use std::fmt;

use serde::Serialize;

/// A failed step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    pub(crate) step: String,
    /// The error.
    pub(crate) why: String,
    /// What to do about it.
    pub(crate) fix: String,
}

impl Failure {
    /// A failure that the user can fix.
    pub(crate) fn new(step: impl Into<String>, why: impl fmt::Display, fix: &str) -> Self {
        Self { step: step.into(), why: why.to_string(), fix: fix.to_owned() }
    }

    /// A bug in podrole.
    pub(crate) fn bug(step: &str, why: &dyn fmt::Display) -> Self {
        Self::new(step, why, "this is a bug in podrole; please report it with this message")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n  fix: {}", self.step, self.why, self.fix)
    }
}
