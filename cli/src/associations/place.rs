//! Where something is in the input, and what is wrong there.

use std::{fmt, sync::Arc};

/// A line of a file, or an answer of EKS as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) source: Arc<str>,
    /// `None` if the source is not a text of the user's.
    pub(super) line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.source),
            None => f.write_str(&self.source),
        }
    }
}

/// What is wrong, and where: `pia.yaml:12: shop/app: roleArn: ...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InputError {
    place: Option<Place>,
    what: String,
}

impl InputError {
    pub(super) fn new(place: &Place, what: impl Into<String>) -> Self {
        Self { place: Some(place.clone()), what: what.into() }
    }

    /// An error of a whole run, such as an empty input.
    pub(super) fn without_place(what: impl Into<String>) -> Self {
        Self { place: None, what: what.into() }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}
