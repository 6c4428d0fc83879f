//! Errors of parameters, in the words of STS's service model.

/// A parameter that STS does not accept. Values are not repeated, because one of them is a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParameterError {
    #[error("The parameters of the request cannot be read")]
    Unreadable,
    #[error("A parameter is there more than once")]
    Twice,
    #[error(
        "1 validation error detected: Value null at '{0}' failed to satisfy constraint: Member must not be null"
    )]
    Missing(&'static str),
    #[error(
        "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must have length between {least} and {most}"
    )]
    Length { name: &'static str, least: usize, most: usize },
    #[error(
        "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must satisfy regular expression pattern: {pattern}"
    )]
    Pattern { name: &'static str, pattern: &'static str },
    #[error("Request ARN is invalid")]
    RoleArn,
    #[error(
        "1 validation error detected: Value at 'durationSeconds' failed to satisfy constraint: Member must have value between {least} and {most}"
    )]
    Duration { least: u32, most: u32 },
    #[error("The policy is not in the valid JSON format.")]
    Policy(String),
}
