//! A step that did not happen: which, why, and how to mend it.

use std::fmt;

use serde::Serialize;

/// A step that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    /// Which step.
    pub(crate) step: String,
    /// Why it did not happen.
    pub(crate) why: String,
    /// What to do about it.
    pub(crate) mend: String,
}

impl Failure {
    /// A failure that the person can mend.
    pub(crate) fn new(step: impl Into<String>, why: impl fmt::Display, mend: &str) -> Self {
        Self { step: step.into(), why: why.to_string(), mend: mend.to_owned() }
    }

    /// A failure that is podrole's own.
    pub(crate) fn ours(step: &str, why: &dyn fmt::Display) -> Self {
        let mend = "this is podrole's own error: please report it with this text";
        Self::new(step, why, mend)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n  mend: {}", self.step, self.why, self.mend)
    }
}
