//! The texts of errors, as logs and messages show them.

use std::iter::successors;

/// The innermost cause. The Kubernetes client's own text stops at "client error (Connect)", and what the
/// operator needs is the "connection refused" below it.
#[must_use]
pub fn root(error: &dyn std::error::Error) -> String {
    let causes = successors(Some(error), |error| error.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

/// The error's text, and the innermost cause if the text does not have it.
#[must_use]
pub fn with_root(error: &dyn std::error::Error) -> String {
    let (text, root) = (error.to_string(), root(error));
    if text.contains(&root) { text } else { format!("{text}: {root}") }
}

/// An error and its cause, without line breaks and in at most 300 characters: what the API server or AWS
/// answers can have any length.
#[must_use]
pub fn one_line(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}"));
    let text = format!("{error}{}", cause.unwrap_or_default());
    text.replace(char::is_control, " ").chars().take(300).collect()
}
