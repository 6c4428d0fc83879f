//! What both views of a pod share: how they are parsed.

use serde::{Deserialize, Deserializer};

/// A pod could not be parsed. The text gives the position and none of the pod's content, which may
/// be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not parse the pod (line {line}, column {column})")]
pub struct PodError {
    line: usize,
    column: usize,
}

/// Reads `null` as the default, as Kubernetes does.
pub(super) fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Parses an object of JSON.
pub(super) fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, PodError> {
    // serde would read an array as a struct whose fields are all optional.
    if !json.trim_start().starts_with('{') {
        return Err(PodError { line: 1, column: 1 });
    }
    serde_json::from_str(json)
        .map_err(|error| PodError { line: error.line(), column: error.column() })
}
