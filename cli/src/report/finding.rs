//! One finding.

use std::fmt;

use serde::Serialize;

use super::code::Code;

/// What is known of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Ok,
    Error,
    Warning,
    /// It was asked for and could not be read. Nothing is guessed.
    Unknown,
    /// It was not asked for, or an earlier error makes it pointless.
    Skipped,
    /// What no command can see. It never changes the exit code.
    Note,
}

impl State {
    /// The word in text output; an error is visible without colour.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "ERROR",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What a command found: a sentence, and for mistakes the evidence and the fix.
///
/// Texts may come from tenants; they are made printable when they are printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Finding {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<Code>,
    pub(crate) state: State,
    /// The part that was examined, such as `namespace`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) link: Option<&'static str>,
    /// What it is about, such as `Namespace shop`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) object: Option<String>,
    /// One sentence without a period at its end.
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) is: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) should_be: Option<String>,
    /// Commands in order, or a sentence where no command can do it.
    pub(crate) fix: Vec<String>,
    /// What happens after the fix, or what else it needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<String>,
    /// Where it was seen.
    pub(crate) evidence: Vec<String>,
}

impl Finding {
    pub(crate) fn new(state: State, message: impl Into<String>) -> Self {
        Self {
            code: None,
            state,
            link: None,
            object: None,
            message: message.into(),
            is: None,
            should_be: None,
            fix: Vec::new(),
            after: None,
            evidence: Vec::new(),
        }
    }

    pub(crate) fn error(code: Code, message: impl Into<String>) -> Self {
        Self { code: Some(code), ..Self::new(State::Error, message) }
    }

    pub(crate) fn warning(code: Code, message: impl Into<String>) -> Self {
        Self { code: Some(code), ..Self::new(State::Warning, message) }
    }

    pub(crate) fn ok(message: impl Into<String>) -> Self {
        Self::new(State::Ok, message)
    }

    pub(crate) fn unknown(message: impl Into<String>) -> Self {
        Self::new(State::Unknown, message)
    }

    pub(crate) fn skipped(message: impl Into<String>) -> Self {
        Self::new(State::Skipped, message)
    }

    /// Sets the code of a check that found no error.
    pub(crate) fn coded(mut self, code: Code) -> Self {
        self.code = Some(code);
        self
    }

    pub(crate) fn object(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }

    pub(crate) fn is(mut self, is: impl Into<String>) -> Self {
        self.is = Some(is.into());
        self
    }

    pub(crate) fn should_be(mut self, should_be: impl Into<String>) -> Self {
        self.should_be = Some(should_be.into());
        self
    }

    /// Adds a command, or a sentence.
    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix.push(fix.into());
        self
    }

    pub(crate) fn after(mut self, after: impl Into<String>) -> Self {
        self.after = Some(after.into());
        self
    }

    pub(crate) fn evidence(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }
}
