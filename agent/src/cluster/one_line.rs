//! Errors of the Kubernetes client as log fields.

/// An error and its cause, without line breaks and in at most 300 characters: what the API server
/// answers can have any length.
pub(super) fn one_line(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}"));
    let text = format!("{error}{}", cause.unwrap_or_default());
    text.replace(char::is_control, " ").chars().take(300).collect()
}
