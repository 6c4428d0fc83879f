//! The texts of the Kubernetes client's errors.

use std::iter::successors;

/// The innermost cause. The client's own text stops at "client error (Connect)", and what the
/// operator needs is the "connection refused" below it.
pub(super) fn root(error: &dyn std::error::Error) -> String {
    let causes = successors(Some(error), |error| error.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

/// The client's text, and the innermost cause if the text does not have it.
pub(crate) fn with_root(error: &dyn std::error::Error) -> String {
    let (text, root) = (error.to_string(), root(error));
    if text.contains(&root) { text } else { format!("{text}: {root}") }
}
